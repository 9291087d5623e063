// Package bench measures what every caller pays, and a whole service beside
// what there would be without it.
package bench

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/client"
	"ehpc/internal/action"
	"ehpc/internal/auth"
	"ehpc/internal/config"
	"ehpc/internal/server"
	"ehpc/internal/store"
	"ehpc/test/e2e/rig"
)

// keys is a source of one key.
type keys auth.Key

func (k keys) SecretOf(context.Context, string) (auth.Key, error) { return auth.Key(k), nil }

// BenchmarkRequest is a signed request from our client through the whole
// pipeline to an action that does nothing, and back.
func BenchmarkRequest(b *testing.B) {
	key := auth.NewKey("owner")
	c := serve(b, key, server.Options{
		Handlers: map[string]action.Handler{
			"ListJobs": func(context.Context, any) (any, error) { return &api.ListJobsResponse{}, nil },
		},
		Keys: keys(key), Region: "cn-hangzhou", Log: slog.New(slog.DiscardHandler),
	}, 1)
	for b.Loop() {
		if _, err := c.Call(b.Context(), "ListJobs", url.Values{"ClusterId": {"ehpc-hz-x"}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkListRegions is BenchmarkRequest with the key from a real store and 16
// clients.
func BenchmarkListRegions(b *testing.B) {
	c, _ := withStore(b, 16)
	b.SetParallelism(16 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Call(b.Context(), "ListRegions", nil); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// noLinks are those of nodes that are rows alone.
type noLinks struct{ action.Links }

func (noLinks) Present(string) bool { return false }

// withStore is the API over a store, without nodes and without loops.
func withStore(b *testing.B, connections int) (*client.Client, *store.Store) {
	b.Helper()
	dir, log := b.TempDir(), slog.New(slog.DiscardHandler)
	sealer, err := auth.OpenSealer(dir + "/sealer.key")
	rig.Must(b, err)
	db, err := store.Open(b.Context(), dir, sealer, log)
	rig.Must(b, err)
	b.Cleanup(func() { rig.Must(b, db.Close()) })
	key := auth.NewKey("owner")
	rig.Must(b, db.Change(b.Context(), func(ctx context.Context, tx store.Tx) error {
		return tx.InsertKey(ctx, store.Key{ID: key.ID, Owner: key.Owner, Secret: key.Secret, Enabled: true, Created: time.Now()})
	}))
	s := &action.Service{Store: db, Config: config.Default(), Version: "1", Log: log, Links: noLinks{},
		Images: func() ([]action.Image, error) { return nil, nil }}
	return serve(b, key, server.Options{Handlers: s.Table(), Keys: action.Keys{Store: db}, Region: "cn-hangzhou", Log: log}, connections), db
}

// serve serves the API and returns a client of it.
func serve(b *testing.B, key auth.Key, options server.Options, connections int) *client.Client {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	rig.Must(b, err)
	web := server.HTTPServer(server.New(options), options.Log)
	go web.Serve(listener)
	b.Cleanup(func() { web.Close() })
	return connect(b, client.Config{Endpoint: "http://" + listener.Addr().String(), AccessKeyID: key.ID, AccessKeySecret: key.Secret}, connections)
}

// connect makes a client that keeps so many connections.
func connect(b *testing.B, config client.Config, connections int) *client.Client {
	b.Helper()
	config.HTTPClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxIdleConns: connections}}
	c, err := client.New(config)
	rig.Must(b, err)
	return c
}

// regions asks a service and an empty handler, each a process of its own, with
// the same client, which signs for both.
func regions(b *testing.B, w *world, t *table) {
	w.start(b)
	const rounds, each, clients = 5, 2000, 16
	r := &row{place: 90, what: "ListRegions, 10,000 signed requests, 16 clients", beside: "an empty net/http handler, the same client",
		unit: "/s", goal: ratioAtLeast(0.5)}
	ours := connect(b, w.service.Config, clients)
	config := w.service.Config
	config.Endpoint = "http://" + emptyHandler(b, w.program)
	theirs := connect(b, config, clients)
	var latencies, beside []float64
	for range rounds {
		for _, side := range []struct {
			client  *client.Client
			rates   *[]float64
			latency *[]float64
		}{{ours, &r.ours, &latencies}, {theirs, &r.theirs, &beside}} {
			l := drive(clients, times(each), func(int) error {
				_, err := side.client.Call(b.Context(), "ListRegions", nil)
				return err
			})
			rig.Must(b, l.fault)
			*side.rates, *side.latency = append(*side.rates, l.rate()), append(*side.latency, l.latencies...)
		}
	}
	r.note, r.noteBeside = p99(latencies), p99(beside)
	t.add(b, r)
}

// emptyHandler starts a process that serves one, and returns its address.
func emptyHandler(b *testing.B, program string) string {
	b.Helper()
	cmd := exec.Command(program, "empty")
	out, err := cmd.StdoutPipe()
	rig.Must(b, err)
	rig.Must(b, cmd.Start())
	b.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	rig.Must(b, err)
	return strings.TrimSpace(address)
}
