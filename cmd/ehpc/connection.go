package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"ehpc/client"
)

// connection is where the service is and who asks. What flags say, and the file
// that --credentials names, comes before the environment, and that before the
// file of EHPC_CREDENTIALS or ~/.config/ehpc/credentials.env. The secret is no
// flag: arguments show in the list of processes.
type connection struct {
	endpoint string
	region   string
	file     string
	caFile   string
	retryFor time.Duration
}

// Names of the settings, in the environment and in a credentials file.
const (
	envEndpoint    = "EHPC_ENDPOINT"
	envRegion      = "EHPC_REGION"
	envCA          = "EHPC_CA_FILE"
	envKeyID       = "ALIBABA_CLOUD_ACCESS_KEY_ID"
	envKeySecret   = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
	envCredentials = "EHPC_CREDENTIALS"
	envSSH         = "EHPC_SSH"          // the gateway's host:port
	envSSHHostKey  = "EHPC_SSH_HOST_KEY" // its public key, as in authorized_keys
)

// keyNames are the names of an access key's id, secret and token, as the
// official clients know them: those of the SDKs, of the aliyun command line and
// of Terraform's provider.
var keyNames = [][3]string{
	{envKeyID, envKeySecret, "ALIBABA_CLOUD_SECURITY_TOKEN"},
	{"ALIBABACLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_SECRET", "ALIBABACLOUD_SECURITY_TOKEN"},
	{"ALICLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY_SECRET", "ALICLOUD_SECURITY_TOKEN"},
	{"ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY", "ALICLOUD_SECURITY_TOKEN"},
}

var (
	endpointNames = []string{envEndpoint, "ALIBABA_CLOUD_ENDPOINT"}
	regionNames   = []string{envRegion, "ALIBABA_CLOUD_REGION_ID", "ALIBABACLOUD_REGION_ID", "ALICLOUD_REGION_ID", "ALICLOUD_REGION"}
)

func (w *connection) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&w.file, "credentials", "", "`FILE` with address and key, as ehpc dev writes ($"+envCredentials+")")
	flags.StringVar(&w.endpoint, "endpoint", "", "the service's `URL`, as http://127.0.0.1:8412 ($"+envEndpoint+")")
	flags.StringVar(&w.region, "region", "", "`REGION` to ask for ($"+envRegion+")")
	flags.StringVar(&w.caFile, "ca-file", "", "`FILE` of certificates to trust, too ($"+envCA+")")
	flags.DurationVar(&w.retryFor, "retry-for", 30*time.Second, "go on for so long with a service that is away for a while or says \"try again\"")
}

// source is one place that settings come from.
type source func(name string) string

// config puts together what the flags, the environment and the file say.
func (w *connection) config(env func(string) string) (client.Config, error) {
	path, file, err := w.settings(env)
	if err != nil {
		return client.Config{}, err
	}
	sources := []source{env, func(name string) string { return file[name] }}
	if w.file != "" {
		slices.Reverse(sources) // a file that is named on the command line is a flag
	}
	set := client.Config{
		Endpoint: first(w.endpoint, find(sources, endpointNames...)),
		Region:   first(w.region, find(sources, regionNames...)),
	}
	set.AccessKeyID, set.AccessKeySecret, set.SecurityToken = findKey(sources)
	var missing []string
	for name, value := range map[string]string{envEndpoint: set.Endpoint, envKeyID: set.AccessKeyID, envKeySecret: set.AccessKeySecret} {
		if value == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return set, &unconfigured{missing}
	}
	if ca := first(w.caFile, find(sources, envCA), ownCertificate(path)); ca != "" {
		var err error
		if set.HTTPClient, err = trusting(ca); err != nil {
			return set, err
		}
	}
	return set, nil
}

// find is the first of a setting's names that has a value, in the first source
// that knows one of them.
func find(sources []source, names ...string) string {
	for _, get := range sources {
		for _, name := range names {
			if value := get(name); value != "" {
				return value
			}
		}
	}
	return ""
}

// findKey is the first access key that a source names. An id and a secret of
// different places are no key: where one is missing, both are taken as they are.
func findKey(sources []source) (id, secret, token string) {
	for _, get := range sources {
		for _, names := range keyNames {
			if id, secret = get(names[0]), get(names[1]); id != "" || secret != "" {
				return id, secret, get(names[2])
			}
		}
	}
	return "", "", ""
}

// settings reads the file of settings, if there is one.
func (w *connection) settings(env func(string) string) (path string, file map[string]string, err error) {
	path = first(w.file, env(envCredentials))
	if path == "" {
		path = existing(filepath.Join(env("HOME"), ".config", "ehpc", "credentials.env"))
	}
	if path == "" {
		return "", nil, nil
	}
	file, err = readCredentials(path)
	return path, file, err
}

// ownCertificate is the certificate that a service with --tls keeps beside its
// credentials; "" for none.
func ownCertificate(credentials string) string {
	if credentials == "" {
		return ""
	}
	return existing(filepath.Join(filepath.Dir(credentials), "tls.crt"))
}

// callTimeout bounds one try of a request.
const callTimeout = time.Minute

// trusting is an HTTP client that trusts the certificates in a file besides the
// system's.
func trusting(path string) (*http.Client, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate authority: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cannot read the certificate authority: %s holds no certificate in PEM", path)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	return &http.Client{Transport: transport, Timeout: callTimeout}, nil
}

// readCredentials reads lines NAME=VALUE; a leading "export", quotes around the
// value, empty lines and comments are allowed.
func readCredentials(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the credentials: %w", err)
	}
	defer f.Close()
	values := map[string]string{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "export ")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("cannot read the credentials: %s:%d is not NAME=VALUE", path, n)
		}
		values[strings.TrimSpace(name)] = unquote(strings.TrimSpace(value))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the credentials: %w", err)
	}
	return values, nil
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func existing(path string) string {
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}
