// Package bench measures what every caller pays.
package bench

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"testing"

	"ehpc/api"
	"ehpc/client"
	"ehpc/internal/action"
	"ehpc/internal/auth"
	"ehpc/internal/server"
)

// keys is a source of one key.
type keys auth.Key

func (k keys) SecretOf(context.Context, string) (auth.Key, error) { return auth.Key(k), nil }

// BenchmarkRequest is a signed request from our client through the whole
// pipeline to an action that does nothing, and back.
func BenchmarkRequest(b *testing.B) {
	key := auth.NewKey("owner")
	handler := server.New(server.Options{
		Handlers: map[string]action.Handler{
			"ListJobs": func(context.Context, any) (any, error) { return &api.ListJobsResponse{}, nil },
		},
		Keys: keys(key), Region: "cn-hangzhou", Log: slog.New(slog.DiscardHandler),
	})
	web := httptest.NewServer(handler)
	defer web.Close()
	c, err := client.New(client.Config{Endpoint: web.URL, AccessKeyID: key.ID, AccessKeySecret: key.Secret})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := c.Call(b.Context(), "ListJobs", url.Values{"ClusterId": {"ehpc-hz-x"}}); err != nil {
			b.Fatal(err)
		}
	}
}
