package server

import (
	"log/slog"
	"net/http"
	"time"
)

// HTTPServer returns a server for the handler with limits on what a client may
// hold up: a whole request within 30 s, a TLS handshake too, an idle connection for
// two minutes. The caller gives it a listener, and TLS if wanted.
func HTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 30 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30*time.Second + handlerTime + 10*time.Second, // it begins with the request
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    bodyLimit, // clients send parameters of any size in the query
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
