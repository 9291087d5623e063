package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ehpc.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestConfig(t *testing.T) {
	t.Parallel()
	t.Run("the defaults are valid", func(t *testing.T) {
		c := Default()
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("an empty file is the defaults", func(t *testing.T) {
		c, err := Load(write(t, ""))
		if err != nil || c.Region != "cn-hangzhou" {
			t.Fatalf("region %q, err %v", c.Region, err)
		}
	})
	t.Run("a core is promised once, several times where things are tried out", func(t *testing.T) {
		served, err := Load(write(t, "region: x\n"))
		if err != nil || served.Overcommit != (Overcommit{1, 1}) {
			t.Errorf("a server promises %+v, %v", served.Overcommit, err)
		}
		tried, err := LoadOver(Dev(), write(t, "overcommit: {memory: 3}\n"))
		if err != nil || tried.Overcommit.Cores < 2 || tried.Overcommit.Memory != 3 || tried.Check() != nil {
			t.Errorf("a dev service promises %+v, %v", tried.Overcommit, err)
		}
	})
	t.Run("an unknown key is an error that names it", func(t *testing.T) {
		_, err := Load(write(t, "regoin: x\n"))
		if err == nil || !strings.Contains(err.Error(), "regoin") {
			t.Fatalf("err = %v", err)
		}
	})
	t.Run("all faults are reported at once", func(t *testing.T) {
		_, err := Load(write(t, "max_nodes: 0\nnetwork: nowhere\nlogin_type: none\ninput_files: {limit: -1, timeout: 1m, allow: [10.0.0.0/8, inside]}\n"))
		for _, want := range []string{"max_nodes", "network", "login_type", "input_files.limit", "input_files.timeout 1m0s", `input_files.allow[1] "inside"`} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("err = %v, want it to name %s", err, want)
			}
		}
	})
	t.Run("a key that is unknown and a value that is wrong are reported together, with their lines", func(t *testing.T) {
		_, err := Load(write(t, "region: x\nregoin: y\nmax_clusters: many\nmax_nodes: 0\novercommit:\n  coers: 2\n"))
		for _, want := range []string{"line 2: unknown key regoin", "line 3: ", "max_nodes 0", "line 6: unknown key coers"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("err = %v, want it to name %s", err, want)
			}
		}
	})
	t.Run("spot prices follow one another in time", func(t *testing.T) {
		c, err := Load(write(t, "spot_prices:\n  ecs.c5.large: [{from: 2026-01-01T00:00:00Z, price: 0.1}, {from: 2026-01-01T08:00:00Z, price: 0.3}]\n"))
		at := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
		if got := c.Tariff().SpotPrice("ecs.c5.large", at); err != nil || got != 0.3 {
			t.Errorf("the price is %v, err %v", got, err)
		}
		_, err = Load(write(t, "spot_prices:\n  none: [{from: 2026-01-01T00:00:00Z, price: .nan}, {from: 2025-01-01T00:00:00Z, price: 1}]\ncurrency: ''\n"))
		for _, want := range []string{`spot_prices "none"`, "spot_prices.none[0].price NaN", "spot_prices.none[1].from", "currency"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("err = %v, want it to name %s", err, want)
			}
		}
	})
	t.Run("service packs and prices are sound", func(t *testing.T) {
		c, err := Load(write(t, "service_packs: [{name: year, capacity: 64, from: 2026-01-01T00:00:00Z, to: 2027-01-01T00:00:00Z}]\nservice_price: {core_hour: 0.02, discount: 0.005}\nimage_prices: {m-lammps: 0.8}\n"))
		if err != nil || !c.ServicePacks[0].Valid(c.ServicePacks[0].From) || c.ServicePacks[0].Valid(c.ServicePacks[0].To) || c.ImagePrices["m-lammps"] != 0.8 {
			t.Errorf("%+v, %v", c.ServicePacks, err)
		}
		_, err = Load(write(t, "service_packs: [{capacity: 0}]\nservice_price: {core_hour: 1, discount: 2}\nimage_prices: {m: .nan}\n"))
		for _, want := range []string{"service_packs[0].name", "service_packs[0].capacity 0", "service_packs[0] needs a from", "service_price.discount 2", `image_prices "m"`} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("err = %v, want it to name %s", err, want)
			}
		}
	})
	t.Run("budgets are checked strictly, and are for one thing each", func(t *testing.T) {
		c, err := Load(write(t, "budgets:\n  - {cluster: '*', limit: 100}\n  - {cluster: ehpc-hz-1, queue: night, limit: 0, action: hold new jobs}\n  - {cluster: '*', account: ada, limit: 5.5, action: stop growing}\n"))
		if err != nil || len(c.Budgets) != 3 || *c.Budgets[1].Limit != 0 || c.Budgets[0].BudgetOf().Action != "warn" {
			t.Errorf("got %+v, %v", c.Budgets, err)
		}
		_, err = Load(write(t, "budgets:\n  - {limit: .nan}\n  - {cluster: '*'}\n  - {cluster: '*', limit: -1}\n  - {cluster: c, queue: a, account: b, limit: 1, action: kill}\n  - {cluster: c, limits: 1}\n"))
		for _, want := range []string{"budgets[0].cluster", "budgets[0]: the limit NaN", "budgets[1].limit is not given", "budgets[2]: the limit -1", "budgets[2] is for the same as one before it: the cluster's budget",
			"budgets[3] is for a queue and for an account", `budgets[3]: the action "kill"`, "unknown key limits"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("err = %v, want it to name %s", err, want)
			}
		}
	})
	t.Run("a second document is refused and not passed over", func(t *testing.T) {
		if _, err := Load(write(t, "region: x\n---\nmax_nodes: 3\n")); err == nil || !strings.Contains(err.Error(), "second document") {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("a figure that is no number is refused", func(t *testing.T) {
		for _, text := range []string{"overcommit: {cores: .nan}", "overcommit: {memory: .inf}", "instance_types: [{name: ecs.n1.medium, cores: 1, memory_mb: 512, price: .nan}]"} {
			if _, err := Load(write(t, text)); err == nil || !strings.Contains(err.Error(), "number") && !strings.Contains(err.Error(), "figure") {
				t.Errorf("%s: err = %v", text, err)
			}
		}
	})
	t.Run("what input files may cost keeps its defaults where nothing is said", func(t *testing.T) {
		c, err := Load(write(t, "input_files: {allow: [10.1.0.0/16]}\n"))
		if err != nil || c.InputFiles.Limit != inputFileLimit || c.InputFiles.Timeout != 2*time.Second || len(c.InputFiles.Prefixes()) != 1 {
			t.Fatalf("%+v, %v", c.InputFiles, err)
		}
	})
	t.Run("a key pair is a public key", func(t *testing.T) {
		const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPFmMnsVAEh1gHjdm4QTIPXiPPhFnJEVhEhmf/rPBcsu"
		c, err := Load(write(t, "key_pairs: {ops: '"+key+" ops@example.com'}\n"))
		if err != nil || c.KeyPairs["ops"] != key+" ops@example.com" {
			t.Fatalf("got %v, %v", c.KeyPairs, err)
		}
		for _, bad := range []string{"nonsense", `command="x" ` + key, key + "\\n" + key} {
			if _, err := Load(write(t, "key_pairs: {ops: \""+strings.ReplaceAll(bad, `"`, `\"`)+"\"}\n")); err == nil || !strings.Contains(err.Error(), "key_pairs") {
				t.Errorf("%s: err = %v", bad, err)
			}
		}
	})
	t.Run("other names of systems and schedulers mean what can be there", func(t *testing.T) {
		c, err := Load(write(t, "os_aliases: {CentOS_7.2_64: Debian_12_64}\nscheduler_aliases: {pbs: slurm}\n"))
		if err != nil || c.OsTagOf("CentOS_7.2_64") != "Debian_12_64" || c.OsTagOf("centos_7.2_64") != "centos_7.2_64" {
			t.Errorf("systems %v, err %v", c.OsAliases, err)
		}
		if c.SchedulerOf("PBS") != "slurm" || c.SchedulerOf("Sge") != "sge" {
			t.Errorf("schedulers %v", c.SchedulerAliases)
		}
		for _, bad := range []string{
			"os_aliases: {CentOS_7.2_64: debian}", "os_aliases: {CentOS_7.2_64: ''}", "os_aliases: {'': Debian_12_64}",
			"os_aliases: {Debian_12_64: CentOS_7.2_64}", "os_aliases: {A_1: B_1, B_1: Debian_12_64}",
			"scheduler_aliases: {pbs: pbs}", "scheduler_aliases: {pbs: ''}", "scheduler_aliases: {pbs: Slurm}", "scheduler_aliases: {'': slurm}",
			"scheduler_aliases: {slurm19: slurm}", "scheduler_aliases: {pbs: slurm, PBS: slurm}",
		} {
			key, _, _ := strings.Cut(bad, ":")
			if _, err := Load(write(t, bad+"\n")); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("%s: err = %v", bad, err)
			}
		}
	})
	t.Run("a table of instance types replaces the built-in one", func(t *testing.T) {
		c, err := Load(write(t, "instance_types: [{name: a, cores: 1, memory_mb: 512}]\n"))
		if err == nil {
			t.Fatalf("types without the default ones were accepted: %v", c.InstanceTypes)
		}
	})
}

// FuzzParse: what is taken for a configuration can be used as one.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "region: x", "overcommit: {cores: 2, memory: 1.5}", "network: 10.0.0.0/8\nmax_nodes: 7",
		"instance_types: [{name: ecs.n1.medium, cores: 1, memory_mb: 512}, {name: ecs.n1.small, cores: 1, memory_mb: 512}]",
		"a: &a [*a]", "---\n---\n", "overcommit: {cores: .nan}", "overcommit: null", "\x00", "{", "? [a]: b"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse(Default(), text)
		if err != nil {
			if err.Error() == "" {
				t.Error("refused without a word")
			}
			return
		}
		if _, ok := c.InstanceType(c.ComputeType); !ok || !(c.Overcommit.Cores > 0 && c.Overcommit.Cores < 1e9) || c.MaxNodes < 1 || c.Region == "" {
			t.Errorf("%q was taken for %+v", text, c)
		}
	})
}

func TestTheAgeOfEndedJobs(t *testing.T) {
	t.Parallel()
	for text, sound := range map[string]bool{"0s": true, "1h": true, "8760h": true, "59m": false, "-1h": false} {
		c, err := Load(write(t, "ended_jobs_after: "+text+"\n"))
		if (err == nil) != sound {
			t.Errorf("%s: err = %v", text, err)
		}
		if want, _ := time.ParseDuration(text); c.EndedJobsAfter != want {
			t.Errorf("%s was read as %s", text, c.EndedJobsAfter)
		}
	}
}
