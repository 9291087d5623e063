package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"ehpc/internal/config"
	"ehpc/internal/server"
)

// front is where the API is served.
type front struct {
	net.Listener
	endpoint     string               // where clients reach it
	certificates *server.Certificates // nil for HTTP
}

func listen(conf config.Config, log *slog.Logger) (*front, error) {
	host, _, err := net.SplitHostPort(conf.Listen)
	if err != nil {
		return nil, err
	}
	f, scheme := &front{}, "http"
	if conf.TLS.On() {
		if f.certificates, err = certificates(conf, host, log); err != nil {
			return nil, err
		}
		scheme = "https"
	}
	if f.Listener, err = net.Listen("tcp", conf.Listen); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(f.Addr().String())
	if err != nil {
		return nil, err
	}
	f.endpoint = scheme + "://" + conf.At(net.JoinHostPort(host, port))
	if f.certificates != nil {
		f.Listener = tls.NewListener(f.Listener, &tls.Config{GetCertificate: f.certificates.Get, MinVersion: tls.VersionTLS12})
	}
	return f, nil
}

// certificates are for a service that listens on a host.
func certificates(conf config.Config, host string, log *slog.Logger) (*server.Certificates, error) {
	if !conf.TLS.SelfSigned {
		return server.Given(conf.TLS.Certificate, conf.TLS.Key, log)
	}
	var hosts []string
	if !config.Wildcard(host) {
		hosts = append(hosts, host)
	}
	if advertised, _, err := net.SplitHostPort(conf.At(conf.Listen)); err == nil && !config.Wildcard(advertised) {
		hosts = append(hosts, advertised)
	}
	return server.SelfSigned(conf.Data, hosts, log)
}

// reload reads the certificate again whenever the process is sent SIGHUP, until
// ctx is done. Without one SIGHUP ends the service, as it does any program.
func (f *front) reload(ctx context.Context) {
	if f.certificates == nil {
		return
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	defer signal.Stop(asked)
	for {
		select {
		case <-asked:
			f.certificates.Reload()
		case <-ctx.Done():
			return
		}
	}
}
