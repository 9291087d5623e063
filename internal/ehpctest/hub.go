package ehpctest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/reconcile"
	"ehpc/internal/scheduler"
)

// reach is how a plane reaches the world's agents: in memory, or over the link.
func (w *World) reach(t testing.TB, linked bool, log *slog.Logger) (l reconcile.Links, end func()) {
	t.Helper()
	if !linked {
		return links{w}, func() {}
	}
	dir, err := os.MkdirTemp("", "ehpc") // the name of a socket is short
	must(t, err)
	w.mu.Lock()
	w.sockets = dir
	w.mu.Unlock()
	hub := link.NewHub(log, func(string) { w.wake() })
	return sockets{hub, dir}, func() {
		must(t, hub.Close())
		must(t, os.RemoveAll(dir))
	}
}

// sockets reaches agents through a hub.
type sockets struct {
	hub *link.Hub
	dir string
}

func (s sockets) Listen(id string) error {
	return s.hub.Listen(id, filepath.Join(s.dir, id))
}

func (s sockets) Forget(id string) { s.hub.Forget(id) }

func (s sockets) Present(id string) bool {
	_, there := s.hub.Present(id)
	return there
}

func (s sockets) Node(id string) link.Node                { return s.hub.Node(id) }
func (s sockets) Scheduler(id string) scheduler.Scheduler { return scheduler.NewRemote(s.hub.HTTP(id)) }

// connect keeps the agent's link up until hangUp.
func (a *Agent) connect(socket string) (hangUp func()) {
	ctx, cancel := context.WithCancel(context.Background())
	dial := func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	engine := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !a.applied(hpc.RoleManager) {
			scheduler.Unavailable().ServeHTTP(rw, r)
			return
		}
		scheduler.Handler(a.world.GuardOf(a.spec.ClusterID)).ServeHTTP(rw, r)
	})
	l := link.NewAgent(slog.New(slog.DiscardHandler), dial, link.Handler(a, map[string]http.Handler{"/scheduler/": engine}))
	var wg sync.WaitGroup
	wg.Go(func() { l.Serve(ctx) })
	return func() {
		cancel()
		wg.Wait()
	}
}
