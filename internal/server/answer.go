package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ehpc/api"
)

// failure makes the status and the body of a request that failed. What is not
// meant for callers is not shown to them.
func failure(x *exchange, err error) (status int, body []byte) {
	shown := shownError(err)
	var slow interface{ RetryAfter() time.Duration }
	if errors.As(err, &slow) && slow.RetryAfter() > 0 {
		x.writer.Header().Set("x-acs-retry-after", strconv.FormatInt(slow.RetryAfter().Milliseconds(), 10))
	}
	var text bytes.Buffer
	// Writing plain texts into memory cannot fail.
	_ = api.EncodeError(&text, x.format, x.id, hostID(x.http.Host), shown)
	return shown.Code.HTTP, text.Bytes()
}

// shownError is the error as the caller gets to see it.
func shownError(err error) *api.Error {
	var shown *api.Error
	switch {
	case errors.As(err, &shown):
		return shown
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return api.ServiceUnavailable.Errorf("The request was not finished in time: try again.")
	}
	return api.InternalError.Errorf("The service failed; its log has the cause under the request id.")
}

// hostID is the host that the client named, if it looks like one.
func hostID(host string) string {
	ordinary := func(c rune) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune(".-_:[]", c)
	}
	if len(host) > 255 || strings.ContainsFunc(host, func(c rune) bool { return !ordinary(c) }) {
		return ""
	}
	return host
}

func (x *exchange) write(status int) {
	header := x.writer.Header()
	header.Set("Content-Type", x.format.ContentType())
	header.Set("Content-Length", strconv.Itoa(len(x.body)))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("x-acs-request-id", x.id)
	x.writer.WriteHeader(status)
	if x.http.Method != http.MethodHead {
		x.writer.Write(x.body) // a caller that is gone needs no answer
	}
}

// record writes the request's line in the log: what only reads, and went well,
// when more is logged. Parameters and messages, which may repeat them, stay out.
func (s *server) record(x *exchange, status int, err error, took time.Duration) {
	level, code := slog.LevelInfo, "OK"
	if err == nil && (x.action == nil || x.action.ReadOnly) {
		level = slog.LevelDebug
		if !s.Log.Enabled(x.http.Context(), level) {
			return
		}
	}
	attrs := []slog.Attr{slog.String("request", x.id), slog.Int("status", status), slog.Duration("took", took)}
	if x.action != nil {
		attrs = append(attrs, slog.String("action", x.action.Name))
	}
	if x.key.ID != "" {
		attrs = append(attrs, slog.String("key", x.key.ID))
	}
	if err != nil {
		code = shownError(err).Code.Name
		attrs = append(attrs, causeAttrs(err)...)
	}
	ours := status >= http.StatusInternalServerError && status != http.StatusNotImplemented
	if ours && !errors.Is(err, context.Canceled) { // canceled: the caller is gone
		level = slog.LevelError
	}
	if errors.Is(err, errReading) { // who watches a start asks again and again
		level = slog.LevelDebug
	}
	s.Log.LogAttrs(context.WithoutCancel(x.http.Context()), level, "request", append(attrs, slog.String("code", code))...)
}

// causeAttrs is what the log says of a failure beyond its code.
func causeAttrs(err error) []slog.Attr {
	var panicked *panicked
	var shown *api.Error
	switch {
	case errors.As(err, &panicked):
		return []slog.Attr{slog.Any("err", err), slog.String("stack", string(panicked.stack))}
	case !errors.As(err, &shown):
		return []slog.Attr{slog.Any("err", err)}
	case shown.Cause != nil:
		return []slog.Attr{slog.Any("err", shown.Cause)}
	}
	return nil
}
