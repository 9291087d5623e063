package main

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ehpc/internal/config"
	"ehpc/internal/gateway"
)

// handshake checks the certificate of what listens, as a client that knows it by
// a name does.
func handshake(t *testing.T, dir string, f *front, name string) error {
	t.Helper()
	served := make(chan struct{})
	go func() {
		defer close(served)
		if conn, err := f.Accept(); err == nil {
			conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	pem, err := os.ReadFile(filepath.Join(dir, "tls.crt"))
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem)
	_, port, err := net.SplitHostPort(f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{RootCAs: trusted, ServerName: name})
	if err == nil {
		conn.Close()
	}
	<-served
	return err
}

func TestAServiceIsKnownByWhatItAdvertises(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	for _, c := range []struct{ sentence, listen, advertise, endpoint, name string }{
		{"by a name", "0.0.0.0:0", "hpc.example.org", "https://hpc.example.org:PORT", "hpc.example.org"},
		{"by a name and a port", "0.0.0.0:0", "hpc.example.org:443", "https://hpc.example.org:443", "hpc.example.org"},
		{"by an address of version 6", ":0", "fd00::7", "https://[fd00::7]:PORT", "fd00::7"},
		{"by the address that it listens on", "127.0.0.1:0", "", "https://127.0.0.1:PORT", "127.0.0.1"},
		{"by the name that it listens on", "localhost:0", "", "https://localhost:PORT", "localhost"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			conf := config.Default()
			conf.Data, conf.Listen, conf.Advertise, conf.TLS = t.TempDir(), c.listen, c.advertise, config.TLS{SelfSigned: true}
			if err := conf.Check(); err != nil {
				t.Fatal(err)
			}
			f, err := listen(conf, log)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			_, port, err := net.SplitHostPort(f.Addr().String())
			if want := strings.Replace(c.endpoint, "PORT", port, 1); err != nil || f.endpoint != want {
				t.Errorf("the endpoint is %s, want %s", f.endpoint, want)
			}
			if err := handshake(t, conf.Data, f, c.name); err != nil {
				t.Error(err)
			}
			if err := handshake(t, conf.Data, f, "other.example.org"); err == nil {
				t.Error("the certificate is for any name")
			}
		})
	}
	t.Run("a port that is taken is said", func(t *testing.T) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		if _, err := listen(config.Config{Listen: taken.Addr().String()}, log); err == nil {
			t.Error("two listen on one port")
		}
	})
}

func TestSSHIsReachedWhereTheServiceIs(t *testing.T) {
	t.Parallel()
	at := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 8422} }
	for _, c := range []struct{ ip, advertise, want string }{
		{"127.0.0.1", "", "127.0.0.1:8422"},
		{"127.0.0.1", "hpc.example.org", "127.0.0.1:8422"},
		{"0.0.0.0", "hpc.example.org", "hpc.example.org:8422"},
		{"::", "hpc.example.org:443", "hpc.example.org:8422"},
		{"192.0.2.7", "", "192.0.2.7:8422"},
	} {
		if got := loginAddress(at(c.ip), config.Config{Advertise: c.advertise}); got != c.want {
			t.Errorf("on %s, advertised as %q: %s, want %s", c.ip, c.advertise, got, c.want)
		}
	}
	_, err := openLogin("0.0.0.0:0", config.Config{}, gateway.Options{})
	if err == nil || !strings.Contains(err.Error(), "set advertise") {
		t.Errorf("every address without a name: err = %v", err)
	}
}
