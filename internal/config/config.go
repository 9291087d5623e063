// Package config is the service's configuration: one typed struct, strictly
// decoded, with its defaults in one place.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"

	"ehpc/internal/hpc"
)

// Config is everything that can be configured.
type Config struct {
	Data              string `yaml:"data"`                // data directory
	Listen            string `yaml:"listen"`              // address to serve on, port 0 for a free one
	Advertise         string `yaml:"advertise"`           // HOST or HOST:PORT, where others reach it; "" for listen
	TLS               TLS    `yaml:"tls"`                 // needed on any address but loopback
	Store             string `yaml:"store"`               // postgres://USER@HOST/DATABASE; "" for SQLite in the data directory
	StorePasswordFile string `yaml:"store_password_file"` // else $EHPC_STORE_PASSWORD

	Region           string                     `yaml:"region"`            // answered and defaulted; official clients accept only names they know
	Zone             string                     `yaml:"zone"`              // answered where the document shows a zone
	Scheduler        string                     `yaml:"scheduler"`         // of a cluster that names none
	OsTag            string                     `yaml:"os_tag"`            // of a cluster that names none
	OsAliases        map[string]string          `yaml:"os_aliases"`        // OsTag that callers may name -> that of an image
	SchedulerAliases map[string]string          `yaml:"scheduler_aliases"` // SchedulerType that callers may name -> one that is here
	ManagerType      string                     `yaml:"manager_type"`      // instance types where none is named
	LoginType        string                     `yaml:"login_type"`        //
	ComputeType      string                     `yaml:"compute_type"`      //
	InstanceTypes    []hpc.InstanceType         `yaml:"instance_types"`    // replaces the built-in table
	SpotPrices       map[string][]hpc.SpotPrice `yaml:"spot_prices"`       // by instance type, in the order of time
	Currency         string                     `yaml:"currency"`          // of all prices
	ServicePacks     []ServicePack              `yaml:"service_packs"`     // shown by QueryServicePackAndPrice
	ServicePrice     ServicePrice               `yaml:"service_price"`     // likewise
	ImagePrices      map[string]float64         `yaml:"image_prices"`      // by image id, per hour and node; other images cost nothing
	Overcommit       Overcommit                 `yaml:"overcommit"`        // of the local provider
	Network          string                     `yaml:"network"`           // IPv4 prefix that clusters get their /24 from
	MaxNodes         int                        `yaml:"max_nodes"`         // per cluster
	AutoscaleMinute  time.Duration              `yaml:"autoscale_minute"`  // that auto scaling counts in; shorter to try it out
	MaxClusters      int                        `yaml:"max_clusters"`      // per owner
	EndedJobsAfter   time.Duration              `yaml:"ended_jobs_after"`  // jobs that ended so long ago are listed no more; 0 for never
	Budgets          []hpc.FileBudget           `yaml:"budgets"`           // that nobody changes over the API
	KeyPairs         map[string]string          `yaml:"key_pairs"`         // name -> public key, for root on login nodes
	InputFiles       InputFiles                 `yaml:"input_files"`       // that jobs name by a URL
}

// InputFiles is what the service fetches for SubmitJob's InputFileUrl.
type InputFiles struct {
	Limit   int           `yaml:"limit"`   // of one, in bytes
	Timeout time.Duration `yaml:"timeout"` // SubmitJob waits so long for one
	Allow   []string      `yaml:"allow"`   // prefixes of addresses that are not public, and may be fetched from
}

// inputFileLimit is what a node takes as one file, in bytes; longestFetch leaves
// room for the rest of SubmitJob within the ten seconds that clients wait.
const (
	inputFileLimit = 16 << 20
	longestFetch   = 8 * time.Second
)

// Prefixes are those that may be fetched from, which Check has found sound.
func (f InputFiles) Prefixes() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range f.Allow {
		if p, err := netip.ParsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// Overcommit is how many times the machine's cores and memory may be promised.
type Overcommit struct {
	Cores  float64 `yaml:"cores"`
	Memory float64 `yaml:"memory"`
}

// TLS says with which certificate HTTPS is served.
type TLS struct {
	SelfSigned  bool   `yaml:"self_signed"` // one of its own, for this machine
	Certificate string `yaml:"certificate"` // PEM files
	Key         string `yaml:"key"`
}

// On tells whether HTTPS is served.
func (t TLS) On() bool { return t != TLS{} }

// Default is the configuration of a service that was told nothing.
func Default() Config {
	return Config{
		Data:            "/var/lib/ehpc",
		Listen:          "127.0.0.1:8412",
		Region:          "cn-hangzhou",
		Zone:            "cn-hangzhou-h",
		Scheduler:       "slurm",
		OsTag:           "Debian_12_64",
		ManagerType:     "ecs.n1.medium",
		LoginType:       "ecs.n1.small",
		ComputeType:     "ecs.n1.medium",
		InstanceTypes:   instanceTypes,
		Currency:        "CNY",
		Overcommit:      Overcommit{Cores: 1, Memory: 1},
		Network:         "10.240.0.0/12",
		MaxNodes:        200,
		AutoscaleMinute: time.Minute,
		MaxClusters:     50,
		EndedJobsAfter:  30 * 24 * time.Hour,
		InputFiles:      InputFiles{Limit: inputFileLimit, Timeout: 2 * time.Second},
	}
}

// Dev is Default for a service to try things out with: clusters of several nodes
// fit on a small machine. Cores that are busy only get slower; memory that is missing
// kills, but most nodes use a small part of theirs.
func Dev() Config {
	c := Default()
	c.Overcommit = Overcommit{Cores: 16, Memory: 2}
	return c
}

// Load reads a configuration file over the defaults of ehpc server. An unknown key
// is an error, and all faults are reported at once, one a line.
func Load(file string) (Config, error) { return LoadOver(Default(), file) }

// LoadOver is Load over other defaults.
func LoadOver(defaults Config, file string) (Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return defaults, fmt.Errorf("cannot read the configuration: %w", err)
	}
	c, err := parse(defaults, text)
	if err != nil {
		return c, fmt.Errorf("the configuration %s is wrong:\n%w", file, err)
	}
	return c, nil
}

func parse(c Config, text []byte) (Config, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	err := dec.Decode(&c)
	var wrong *yaml.TypeError
	switch {
	case errors.Is(err, io.EOF):
		err = nil
	case errors.As(err, &wrong): // what could be read was, and is checked as well
		err = typeFaults(wrong)
	case err != nil:
		return c, err
	}
	if next := dec.Decode(new(yaml.Node)); !errors.Is(next, io.EOF) {
		err = errors.Join(err, errors.New("there is a second document behind the first: a configuration is one"))
	}
	return c, errors.Join(err, c.Check())
}

var unknownKey = regexp.MustCompile(`^(line \d+): field (.*) not found in type .*$`)

// typeFaults says what the decoder did not understand in words for people who
// do not know our types.
func typeFaults(e *yaml.TypeError) error {
	var faults []error
	for _, text := range e.Errors {
		faults = append(faults, errors.New(unknownKey.ReplaceAllString(text, "$1: unknown key $2")))
	}
	return errors.Join(faults...)
}

// Check returns all faults at once.
func (c *Config) Check() error {
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(c.Region == "", "region is empty")
	fault(c.Scheduler != "slurm", "scheduler %q is none that there is: slurm", c.Scheduler)
	fault(!within(c.Overcommit.Cores, 0.01, 10_000), "overcommit.cores %v is no number between 0.01 and 10000", c.Overcommit.Cores)
	fault(!within(c.Overcommit.Memory, 0.01, 10_000), "overcommit.memory %v is no number between 0.01 and 10000", c.Overcommit.Memory)
	fault(c.Data == "", "data is empty")
	faults = append(faults, c.checkListen(), c.checkStore())
	fault(c.AutoscaleMinute < time.Second || c.AutoscaleMinute > time.Minute, "autoscale_minute %s is not between 1s and 1m", c.AutoscaleMinute)
	fault(c.MaxNodes < 1 || c.MaxNodes > 250, "max_nodes %d is not between 1 and 250, which a /24 holds", c.MaxNodes)
	fault(c.EndedJobsAfter != 0 && c.EndedJobsAfter < time.Hour, "ended_jobs_after %s is neither 0 nor at least 1h", c.EndedJobsAfter)
	fault(c.MaxClusters < 1, "max_clusters %d is not positive", c.MaxClusters)
	prefix, err := netip.ParsePrefix(c.Network)
	fault(err != nil || !prefix.Addr().Is4() || prefix.Bits() > 24, "network %q is no IPv4 prefix of /24 or wider", c.Network)
	files := c.InputFiles
	fault(files.Limit < 0 || files.Limit > inputFileLimit, "input_files.limit %d is not between 0 and %d", files.Limit, inputFileLimit)
	fault(files.Timeout < time.Millisecond || files.Timeout > longestFetch, "input_files.timeout %s is not between 1ms and %s", files.Timeout, longestFetch)
	for i, text := range files.Allow {
		_, err := netip.ParsePrefix(text)
		fault(err != nil, "input_files.allow[%d] %q is no prefix of addresses, such as 10.1.0.0/16", i, text)
	}
	names := map[string]bool{}
	for i, t := range c.InstanceTypes {
		fault(t.Name == "" || names[t.Name], "instance_types[%d].name %q is empty or twice there", i, t.Name)
		fault(t.Cores < 1 || t.MemoryMB < 512 || t.GPUs < 0 || !within(t.Price, 0, hpc.MaxPrice), "instance_types[%d] (%s) needs at least 1 core and 512 MB, and no negative figure", i, t.Name)
		names[t.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(c.SpotPrices)) {
		fault(!names[name], "spot_prices %q is no instance type", name)
		for i, p := range c.SpotPrices[name] {
			fault(!within(p.Price, 0, hpc.MaxPrice), "spot_prices.%s[%d].price %v is no price", name, i, p.Price)
			fault(p.From.IsZero() || i > 0 && !p.From.After(c.SpotPrices[name][i-1].From), "spot_prices.%s[%d].from is not given, or not after the one before it", name, i)
		}
	}
	faults = append(faults, c.checkPrices()...)
	faults = append(faults, c.checkAliases()...)
	fault(c.Currency == "" || len(c.Currency) > 8, "currency %.20q is no short name such as CNY", c.Currency)
	faults = append(faults, c.checkBudgets())
	for _, t := range []struct{ key, name string }{{"manager_type", c.ManagerType}, {"login_type", c.LoginType}, {"compute_type", c.ComputeType}} {
		fault(!names[t.name], "%s %q is no instance type", t.key, t.name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.KeyPairs)) {
		_, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(c.KeyPairs[name]))
		fault(name == "" || err != nil || len(options) > 0 || len(rest) > 0, "key_pairs %q is not one public key as in authorized_keys, without options", name)
	}
	return errors.Join(faults...)
}

// Tariff is what the instance types cost.
func (c *Config) Tariff() hpc.Tariff { return hpc.Tariff{Types: c.Types(), Spot: c.SpotPrices} }

// within tells whether a figure is a number in a range; YAML has some that are none.
func within(x, least, most float64) bool { return x >= least && x <= most }

// Types are the instance types by name.
func (c *Config) Types() map[string]hpc.InstanceType {
	types := map[string]hpc.InstanceType{}
	for _, t := range c.InstanceTypes {
		types[t.Name] = t
	}
	return types
}

// InstanceType finds an instance type by name.
func (c *Config) InstanceType(name string) (hpc.InstanceType, bool) {
	for _, t := range c.InstanceTypes {
		if t.Name == name {
			return t, true
		}
	}
	return hpc.InstanceType{}, false
}
