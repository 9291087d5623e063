package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"ehpc/internal/action"
	"ehpc/internal/config"
	"ehpc/internal/server"
	"ehpc/internal/store"
)

// serveHTTP answers requests until ctx is done. more are further lines of the
// credentials file.
func serveHTTP(ctx context.Context, front *front, conf config.Config, db *store.Store, service *action.Service, more string, log *slog.Logger) error {
	handler := server.New(server.Options{Handlers: service.Table(), Keys: action.Keys{Store: db}, Region: conf.Region, Log: log})
	srv := server.HTTPServer(handler, log)
	if err := writeCredentials(ctx, db, conf.Data, front.endpoint, conf.Region, more); err != nil {
		return err
	}
	log.Info("serving", "endpoint", front.endpoint, "credentials", filepath.Join(conf.Data, credentialsFile))
	done := make(chan error, 1)
	go func() { done <- srv.Serve(front) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := srv.Shutdown(ending)
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// front is where the API is served.
type front struct {
	net.Listener
	endpoint string
}

func listen(conf config.Config) (*front, error) {
	if !conf.TLS.On() {
		listener, err := net.Listen("tcp", conf.Listen)
		if err != nil {
			return nil, err
		}
		return &front{listener, "http://" + listener.Addr().String()}, nil
	}
	var cert tls.Certificate
	var err error
	if conf.TLS.SelfSigned {
		cert, err = server.SelfSigned(conf.Data)
	} else {
		cert, err = tls.LoadX509KeyPair(conf.TLS.Certificate, conf.TLS.Key)
	}
	if err != nil {
		return nil, err
	}
	listener, err := tls.Listen("tcp", conf.Listen, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	return &front{listener, "https://" + listener.Addr().String()}, nil
}
