package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"ehpc/internal/action"
	"ehpc/internal/config"
	"ehpc/internal/server"
	"ehpc/internal/store"
)

// serveHTTP answers requests until ctx is done. more are further lines of the
// credentials file.
func serveHTTP(ctx context.Context, front *front, conf config.Config, db *store.Store, service *action.Service, more string, log *slog.Logger) error {
	handler := server.New(server.Options{Handlers: service.Table(), Keys: action.Keys{Store: db}, Region: conf.Region, Log: log, Reading: db.Reading})
	srv := server.HTTPServer(unlessLost(db.Lost, handler), log)
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
	err := endHTTP(srv, log)
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// endLimit is how long a service that ends waits for the requests under way: each
// has 30 s, and its caller some to read the answer.
const endLimit = 40 * time.Second

// endHTTP ends the server once the requests under way are answered. What is
// accepted by one that is cut off stays accepted, and its caller does not know.
func endHTTP(srv *http.Server, log *slog.Logger) error {
	ending, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	err := srv.Shutdown(ending)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("requests under way are cut off", "after", endLimit)
		return srv.Close()
	}
	return err
}

// takenAddress says what to do when another program listens where the service is
// to; variable is what make run calls the flag.
func takenAddress(what, address, otherwise, variable string, err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("cannot serve %s: %w", what, err)
	}
	return fmt.Errorf("cannot serve %s on %s: another program listens there; choose another address: %s (make run %s=ADDRESS)",
		what, address, otherwise, variable)
}
