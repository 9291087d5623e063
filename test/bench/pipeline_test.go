package bench

import (
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"
	"context"

	"ehpc/client"
	"ehpc/internal/action"
	"ehpc/internal/auth"
	"ehpc/internal/config"
	"ehpc/internal/server"
	"ehpc/internal/store"
)

func BenchmarkListRegionsInProcess(b *testing.B) {
	dir := b.TempDir()
	sealer, err := auth.OpenSealer(dir + "/sealer.key")
	if err != nil {
		b.Fatal(err)
	}
	db, err := store.Open(b.Context(), dir, sealer, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	key := auth.NewKey("owner")
	db.Change(b.Context(), func(ctx context.Context, tx store.Tx) error {
		return tx.InsertKey(ctx, store.Key{ID: key.ID, Owner: key.Owner, Secret: key.Secret, Enabled: true, Created: time.Now()})
	})
	s := &action.Service{Store: db, Config: config.Default(), Log: slog.New(slog.DiscardHandler)}
	web := httptest.NewServer(server.New(server.Options{Handlers: s.Table(), Keys: action.Keys{Store: db}, Region: "cn-hangzhou", Log: s.Log}))
	defer web.Close()
	c, err := client.New(client.Config{Endpoint: web.URL, AccessKeyID: key.ID, AccessKeySecret: key.Secret})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := c.Call(b.Context(), "ListRegions", nil); err != nil {
			b.Fatal(err)
		}
	}
}
