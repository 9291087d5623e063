package config

import (
	"os"
	"strings"
	"testing"
)

func TestTheStoresAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ store, want string }{
		"a unix socket":                     {"postgres:///ehpc?host=/run/postgresql", ""},
		"loopback":                          {"postgres://ehpc@127.0.0.1:5432/ehpc", ""},
		"another host, verified":            {"postgres://ehpc@db.example.org/ehpc?sslmode=verify-full", ""},
		"another host in the clear":         {"postgres://ehpc@db.example.org/ehpc", "sslmode=verify-full"},
		"another host, encrypted to anyone": {"postgres://ehpc@db.example.org/ehpc?sslmode=require", "sslmode=verify-full"},
		"another database":                  {"mysql://ehpc:s3cret@db/ehpc", "postgres://USER@HOST/DATABASE"},
		"no address":                        {"postgres://u:s3cret@h:port/d", "postgres://USER@HOST/DATABASE"},
		"another host behind loopback":      {"postgres://ehpc@127.0.0.1/ehpc?host=db.example.org", "sslmode=verify-full"},
		"another host behind a socket":      {"postgres://ehpc@127.0.0.1/ehpc?host=%2Frun%2Fpostgresql%2Cdb.example.org", "sslmode=verify-full"},
		"a host from elsewhere":             {"postgres://ehpc@127.0.0.1/ehpc?service=remote", "service"},
		"a password":                        {"postgres://ehpc:s3cret@localhost/ehpc", "holds a password"},
		"a password among the options":      {"postgres://ehpc@localhost/ehpc?password=s3cret", "holds a password"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(write(t, "store: "+c.store+"\n"))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("err = %v, want one with %q", err, c.want)
			case err != nil && strings.Contains(err.Error(), "s3cret"):
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

func TestWhatIsServed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"listen: 0.0.0.0:443":       "needs tls",
		"listen: nowhere":           "HOST:PORT",
		"tls: {certificate: a.pem}": "go together",
		"tls: {self_signed: true, certificate: a.pem, key: a.key}":                       "exclude each other",
		"listen: 0.0.0.0:443\ntls: {certificate: a.pem, key: a.key}":                     "set advertise",
		"listen: ':443'\ntls: {self_signed: true}":                                       "set advertise",
		"listen: '[::]:443'\ntls: {self_signed: true}":                                   "set advertise",
		"listen: 10.1.2.3:443\ntls: {self_signed: true}":                                 "",
		"listen: 0.0.0.0:443\ntls: {self_signed: true}\nadvertise: hpc.example.org":      "",
		"listen: 0.0.0.0:443\ntls: {self_signed: true}\nadvertise: hpc.example.org:8443": "",
		"listen: 0.0.0.0:443\ntls: {self_signed: true}\nadvertise: 'fd00::7'":            "",
		"advertise: https://hpc.example.org":                                             "no name or address",
		"advertise: 0.0.0.0":                                                             "no name or address",
		"advertise: 'hpc.example.org:'":                                                  "no name or address",
		"advertise: hpc.example.org:70000":                                               "no name or address",
		"advertise: hpc example":                                                         "no name or address",
		"listen: '[::1]:8412'":                                                           "",
	} {
		_, err := Load(write(t, text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: err = %v, want %q", text, err, want)
		}
	}
}

func TestWhereAServiceIsReached(t *testing.T) {
	t.Parallel()
	for advertise, want := range map[string]string{
		"": "10.1.2.3:8412", "hpc.example.org": "hpc.example.org:8412", "hpc.example.org:443": "hpc.example.org:443",
		"192.0.2.7": "192.0.2.7:8412", "fd00::7": "[fd00::7]:8412", "[fd00::7]:443": "[fd00::7]:443",
	} {
		if got := (&Config{Advertise: advertise}).At("10.1.2.3:8412"); got != want {
			t.Errorf("advertised as %q it is at %s, want %s", advertise, got, want)
		}
	}
}

func TestTheStoresPassword(t *testing.T) {
	t.Parallel()
	env := func(name string) string { return map[string]string{"EHPC_STORE_PASSWORD": "from env"}[name] }
	c := Config{}
	if p, err := c.StorePassword(env); err != nil || p != "from env" {
		t.Errorf("%q, %v", p, err)
	}
	c.StorePasswordFile = write(t, "from file\n")
	if p, err := c.StorePassword(env); err != nil || p != "from file" {
		t.Errorf("%q, %v", p, err)
	}
	if err := os.Chmod(c.StorePasswordFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := c.StorePassword(env); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("err = %v", err)
	}
}
