package ehpctest

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/client"
	"ehpc/internal/action"
	"ehpc/internal/auth"
	"ehpc/internal/config"
	"ehpc/internal/fetch"
	"ehpc/internal/reconcile"
	"ehpc/internal/server"
	"ehpc/internal/sshca"
	"ehpc/internal/store"
)

// Plane is one life of a control plane.
type Plane struct {
	*client.Client
	Store   *store.Store
	Control *reconcile.Control
	Service *action.Service
	Handler http.Handler
	URL     string
	Key     auth.Key

	t    testing.TB
	dir  string
	stop func()
}

// Options shape a plane.
type Options struct {
	Dir       string // data directory; "" for a new one
	Engine    string // of the store, for this directory's first life; "" for $EHPC_TEST_STORE, else SQLite
	Server    string // names the plane among those that share a store
	Home      string // of the clusters whose machines this plane alone reaches; "" if every plane does
	Config    func(*config.Config)
	Keep      bool // what the store does not know
	Interrupt reconcile.Interrupt
	Paused    bool                                                    // its loops do not run
	Watch     func(ctx context.Context, query string) context.Context // see store.Place
	Limits    reconcile.Limits                                        // zero for the quick ones
	Linked    bool                                                    // agents connect over sockets, as real ones do
	InTurn    func()                                                  // runs the loops as reconcile.RunInTurn does, with requests that go through no network
}

// endpoint is where a plane says that it is.
func (o Options) endpoint() string { return "https://" + cmp.Or(o.Server, "here") + ".example.org" }

// limits make the loops quick without changing what they do.
var limits = reconcile.Limits{Agent: 5 * time.Second, Join: 5 * time.Second, Silent: 2 * time.Second,
	Step: 10 * time.Second, Every: 20 * time.Millisecond, Retry: 5 * time.Millisecond, Miss: 40 * time.Millisecond, Rest: 50 * time.Millisecond,
	Lead: 300 * time.Millisecond, Minute: 100 * time.Millisecond, Figure: 300 * time.Millisecond, Health: 100 * time.Millisecond, Past: 100 * time.Millisecond, Lease: 2 * time.Second}

// Start begins a control plane in the world; it ends with the test or with Kill.
func Start(t testing.TB, w *World, o Options) *Plane {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	log := slog.New(slog.NewTextHandler(testLog{t}, nil))
	if o.InTurn != nil || o.Linked {
		log = slog.New(slog.DiscardHandler)
	}
	if o.Limits == (reconcile.Limits{}) {
		o.Limits = limits
	}
	sealer, err := auth.OpenSealer(o.Dir + "/sealer.key")
	must(t, err)
	db, err := store.OpenAt(t.Context(), o.place(t), sealer, log)
	must(t, err)
	conf := config.Default()
	conf.EndedJobsAfter = 0 // tests make jobs that ended long ago
	if o.Config != nil {
		o.Config(&conf)
	}
	reach, unlink := w.reach(t, o.Linked, log)
	ctl := reconcile.New(reconcile.Options{Store: db, Provider: w.Machines, Links: reach, SSH: sshca.New(sealer.Derive),
		Scripts: fetch.New(fetch.Limits{Bytes: 1 << 20, Time: 5 * time.Second, Allow: conf.InputFiles.Prefixes()}, nil), Limits: o.Limits, Log: log, Interrupt: o.Interrupt,
		Server: cmp.Or(o.Server, "here"), Home: o.Home, Endpoint: o.endpoint(), Keep: o.Keep,
		EndedJobsAfter: conf.EndedJobsAfter, Tariff: conf.Tariff(), ComputeType: conf.ComputeType, MaxNodes: conf.MaxNodes,
		Budgets: conf.Budgets, Currency: conf.Currency})
	w.mu.Lock()
	w.changed = ctl.Wake
	if w.volumes == "" {
		w.volumes = t.TempDir()
	}
	w.mu.Unlock()
	service := &action.Service{Store: db, Config: conf, Links: reach, Passwords: auth.NewPasswords(),
		Fits: w.Machines.Fits, Reclaims: true, Wake: ctl.Wake, Submitted: ctl.Submitted, UpToDate: ctl.UpToDate, Informed: ctl.Informed, ScalePlan: ctl.ScalePlan, VolumeSize: w.Machines.VolumeSize, Version: "1.0.0", Home: o.Home, Log: log, Images: images}
	if db.Shared() && !o.Paused {
		service.Holder = ctl.Holder
	}
	handler := server.New(server.Options{Handlers: table(service), Keys: action.Keys{Store: db}, Region: conf.Region, Log: log, Reading: db.Reading})
	web := serve(handler, o.InTurn == nil)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var loops sync.WaitGroup
	loops.Go(func() {
		switch {
		case o.Paused:
		case o.InTurn != nil:
			ctl.RunInTurn(ctx, o.InTurn)
		default:
			ctl.Run(ctx)
		}
	})
	p := &Plane{Store: db, Control: ctl, Service: service, Handler: handler, URL: web.url, t: t, dir: o.Dir}
	p.stop = sync.OnceFunc(func() {
		web.close()
		cancel()
		loops.Wait()
		unlink()
		p.checkNodes(t)
		p.checkOpenTasks(t)
		must(t, db.Close())
	})
	t.Cleanup(p.stop)
	p.Key = p.keyOf(t, "owner")
	p.Client = web.client(t, p.Key)
	return p
}

// keyOf is a new access key of somebody.
func (p *Plane) keyOf(t testing.TB, owner string) auth.Key {
	t.Helper()
	key := auth.NewKey(owner)
	must(t, p.Store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return tx.InsertKey(ctx, store.Key{ID: key.ID, Owner: key.Owner, Secret: key.Secret, Enabled: true, Created: time.Now()})
	}))
	return key
}

// front is where a plane is asked.
type front struct {
	url   string
	http  *http.Client // nil for the client's own
	close func()
}

func serve(h http.Handler, network bool) front {
	if !network {
		return front{"http://127.0.0.1", &http.Client{Transport: direct{h}}, func() {}}
	}
	web := httptest.NewServer(h)
	return front{web.URL, nil, web.Close}
}

// direct hands requests to a handler: a test whose clock stands still while a
// goroutine waits for the network has none.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	r.RemoteAddr = "127.0.0.1:1"
	d.ServeHTTP(answer, r)
	return answer.Result(), nil
}

func (f front) client(t testing.TB, key auth.Key) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Endpoint: f.url, AccessKeyID: key.ID, AccessKeySecret: key.Secret, HTTPClient: f.http})
	must(t, err)
	return c
}

// checkNodes finds changes of nodes that those who look again and again did not see.
func (p *Plane) checkNodes(t testing.TB) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	clusters, _, err := p.Store.Read().Clusters(ctx, "", store.Page{})
	must(t, err)
	for _, c := range clusters {
		for try := 1; ; try++ { // other planes may go on
			seen, err := p.Store.Nodes(ctx, c.ID)
			must(t, err)
			rows, err := p.Store.Read().Nodes(ctx, c.ID)
			must(t, err)
			if slices.EqualFunc(seen, rows, func(a, b *store.Node) bool { return reflect.DeepEqual(a, b) }) {
				break
			}
			if try == 10 {
				t.Fatalf("a node of cluster %s was changed without a number", c.ID)
			}
		}
	}
}

// Kill ends the plane; the world stays.
func (p *Plane) Kill() { p.stop() }

func images() ([]action.Image, error) {
	return []action.Image{{ID: "debian12-ehpc", OsTag: "Debian_12_64", OSName: "Debian 12 64-bit", Platform: "Debian", Version: "12",
		Schedulers: map[string]string{"slurm": "22.05.8"}, Software: map[string]string{"lammps": "20220106"}}}, nil
}

// Create makes a cluster with one manager, one login node and so many compute
// nodes, and waits until it runs.
func (p *Plane) Create(t testing.TB, computes int) (clusterID string) {
	t.Helper()
	clusterID = p.Ask(t, computes)
	p.Until(t, "the cluster runs", func() bool { return p.Describe(t, clusterID).Status == "running" })
	return clusterID
}

// Ask is Create without the waiting.
func (p *Plane) Ask(t testing.TB, computes int) (clusterID string) {
	t.Helper()
	q := &api.CreateClusterRequest{Name: "test"}
	one := 1
	q.EcsOrder.Manager.Count, q.EcsOrder.Compute.Count = &one, &computes
	var a api.CreateClusterResponse
	must(t, p.Do(t.Context(), q, &a))
	return a.ClusterId
}

// Describe returns what DescribeCluster answers.
func (p *Plane) Describe(t testing.TB, clusterID string) api.DescribeClusterClusterInfo {
	t.Helper()
	var a api.DescribeClusterResponse
	must(t, p.Do(t.Context(), &api.DescribeClusterRequest{ClusterId: clusterID}, &a))
	return a.ClusterInfo
}

// Nodes returns what ListNodesNoPaging answers.
func (p *Plane) Nodes(t testing.TB, clusterID string) []api.ListNodesNoPagingNodeInfo {
	t.Helper()
	var a api.ListNodesNoPagingResponse
	must(t, p.Do(t.Context(), &api.ListNodesNoPagingRequest{ClusterId: clusterID}, &a))
	return a.Nodes.NodeInfo
}

// Until waits for something to become true; minutes are a failure, however busy the
// machine is.
func (p *Plane) Until(t testing.TB, what string, yes func() bool) {
	t.Helper()
	limit := 3 * time.Minute
	if os.Getenv(hollowAction) != "" {
		limit = 10 * time.Second // that it waits in vain is what is wanted
	}
	deadline, tick := time.After(limit), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testLog sends the plane's log to the test's.
type testLog struct{ t testing.TB }

var _ io.Writer = testLog{}

func (l testLog) Write(line []byte) (int, error) {
	l.t.Log(string(bytes.TrimSpace(line)))
	return len(line), nil
}

func clientOf(t testing.TB, url string, key auth.Key) *client.Client {
	t.Helper()
	return front{url: url}.client(t, key)
}
