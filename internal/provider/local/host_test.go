package local_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/image"
	"ehpc/internal/provider"
	"ehpc/internal/provider/local"
)

const imageID = "debian12-ehpc"

var smallType = hpc.InstanceType{Name: "ecs.test.small", Cores: 1, MemoryMB: 512}

// nodeImage is made once for all tests, or found made.
var nodeImage = sync.OnceValues(func() (image.Image, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	return image.Open(image.DefaultDir, slog.New(slog.DiscardHandler)).Ensure(ctx, func(string) {})
})

// newProvider returns a provider over dir, on a host that can run nodes; else
// the test is skipped, or fails where nothing may be skipped.
func newProvider(t testing.TB, dir string) *local.Provider {
	t.Helper()
	p, err := openProvider(dir)
	if err == nil {
		return p
	}
	if errors.Is(err, provider.ErrHost) || errors.Is(err, image.ErrHost) {
		if os.Getenv("EHPC_TEST_NO_SKIP") != "1" {
			t.Skip(err)
		}
	}
	t.Fatal(err)
	return nil
}

func openProvider(dir string) (*local.Provider, error) {
	agent := filepath.Join(dir, "agent-program")
	if err := os.WriteFile(agent, []byte("#!/bin/sh\nexec sleep infinity\n"), 0o755); err != nil {
		return nil, err
	}
	return local.New(context.Background(), local.Options{
		Dir: dir,
		Image: func(id string) (string, error) {
			if id != imageID {
				return "", image.ErrNotFound
			}
			img, err := nodeImage()
			return img.Rootfs, err
		},
		AgentPath: agent,
		LinkDir: func(id string) (string, error) {
			link := filepath.Join(dir, "link", id)
			return link, os.MkdirAll(link, 0o755)
		},
		CoreOvercommit: 16, MemoryOvercommit: 4,
		Log: slog.New(slog.DiscardHandler),
	})
}

// removeAllClusters leaves the host as it was.
func removeAllClusters(t testing.TB, p *local.Provider) {
	t.Helper()
	ctx := context.Background()
	machines, err := p.List(ctx)
	if err != nil {
		t.Error(err)
	}
	for _, m := range machines {
		if err := p.Destroy(ctx, m.ID); err != nil {
			t.Error(err)
		}
	}
	clusters, err := p.Clusters(ctx)
	if err != nil {
		t.Error(err)
	}
	for _, id := range clusters {
		if err := p.DeleteCluster(ctx, id); err != nil {
			t.Error(err)
		}
	}
}

// inNode runs a shell script as root in a machine.
func inNode(t testing.TB, p *local.Provider, id, script string) (string, error) {
	t.Helper()
	return inNodeAs(t, p, id, "0:0", script)
}

func inNodeAs(t testing.TB, p *local.Provider, id, user, script string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "runc", "--root", p.RuncRoot(), "exec", "--user", user, id, "/bin/sh", "-c", script)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// reached reads what a shell printed about a connection that it tried.
func reached(out string) bool {
	return strings.HasSuffix(out, "status 0") || strings.Contains(out, "Connection refused")
}
