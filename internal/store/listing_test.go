package store

import (
	"cmp"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// pastJob is the n-th job of a cluster with a bit of everything.
func pastJob(r *rand.Rand, n int) *Job {
	at := now.Add(time.Duration(n/3) * time.Second)
	j := &Job{ID: fmt.Sprintf("j%07d", n), ClusterID: "c", PublicID: fmt.Sprint(n), SchedID: fmt.Sprint(n), Wanted: true, Released: true,
		Owner: []string{"ada", "bob", "eve"}[r.IntN(3)], Queue: []string{"workq", "gpu"}[r.IntN(2)], Name: []string{"melt", "fold"}[r.IntN(2)],
		State: hpc.JobPending, NodeList: []string{}, Nodes: 1, Cores: 1, Submitted: at, Modified: at}
	if r.IntN(3) > 0 {
		j.State, j.Started = hpc.JobRunning, at.Add(time.Duration(r.IntN(20))*time.Second)
		j.NodeList = []string{fmt.Sprintf("compute%03d", r.IntN(12))}
	}
	if r.IntN(2) > 0 {
		j.State, j.Ended = hpc.JobCompleted, at.Add(time.Duration(20+r.IntN(9))*time.Second)
	}
	return j
}

// plainJobs is what Jobs should answer, found the long way.
func plainJobs(all []*Job, f JobFilter, orders []JobOrder, at time.Time, page Page) (ids []string, total int) {
	var list []*Job
	for _, j := range all {
		if j.PublicID == "" || !j.Deleted.IsZero() || f.Owner != "" && j.Owner != f.Owner || f.Name != "" && j.Name != f.Name ||
			f.Finished && j.Ended.IsZero() || f.Open && !j.Ended.IsZero() ||
			len(f.Owners) > 0 && !slices.Contains(f.Owners, j.Owner) || len(f.Queues) > 0 && !slices.Contains(f.Queues, j.Queue) ||
			!f.From.IsZero() && j.Submitted.Before(f.From) || !f.To.IsZero() && !j.Submitted.Before(f.To) ||
			len(f.Nodes) > 0 && !slices.ContainsFunc(f.Nodes, func(host string) bool { return slices.Contains(j.NodeList, host) }) {
			continue
		}
		list = append(list, j)
	}
	first := func(times ...time.Time) time.Time {
		return times[slices.IndexFunc(times, func(t time.Time) bool { return !t.IsZero() })]
	}
	of := func(by JobTime, j *Job) time.Duration {
		switch {
		case by == BySubmission:
			return j.Submitted.Sub(now)
		case by == ByWaiting:
			return first(j.Started, j.Ended, at).Sub(j.Submitted)
		case j.Started.IsZero():
			return 0
		}
		return first(j.Ended, at).Sub(j.Started)
	}
	slices.SortFunc(list, func(a, b *Job) int {
		for _, o := range orders {
			if c := cmp.Compare(of(o.By, a), of(o.By, b)); c != 0 {
				return map[bool]int{false: c, true: -c}[o.Descending]
			}
		}
		return strings.Compare(b.ID, a.ID)
	})
	for i, j := range list {
		if i >= (page.Number-1)*page.Size && i < page.Number*page.Size {
			ids = append(ids, j.ID)
		}
	}
	return ids, len(list)
}

func someFilter(r *rand.Rand) (f JobFilter) {
	sometimes := func(set func()) {
		if r.IntN(4) == 0 {
			set()
		}
	}
	sometimes(func() { f.Owner = "ada" })
	sometimes(func() { f.Name = "melt" })
	sometimes(func() { f.Owners = []string{"bob", "nobody", "ada"} })
	sometimes(func() { f.Queues = []string{"gpu"} })
	sometimes(func() { f.Finished = true })
	sometimes(func() { f.Open = true })
	sometimes(func() { f.Nodes = []string{"compute001", "compute01", "compute003", "compute010"} })
	sometimes(func() { f.From = now.Add(20 * time.Second) })
	sometimes(func() { f.To = now.Add(90 * time.Second) })
	return f
}

func someOrders(r *rand.Rand) (orders []JobOrder) {
	for _, by := range []JobTime{ByRunning, ByWaiting, BySubmission} {
		if r.IntN(3) == 0 {
			orders = append(orders, JobOrder{By: by, Descending: r.IntN(2) == 0})
		}
	}
	return orders
}

func TestJobsAreListedAsTheirRowsAre(t *testing.T) { onEveryEngine(t, testJobsAreListedAsTheirRowsAre) }

func testJobsAreListedAsTheirRowsAre(t *testing.T, place func() Place) {
	s, r := withCluster(t, place()), rand.New(rand.NewPCG(1, 2))
	var all []*Job
	write := func(fn func(ctx context.Context, tx Tx, j *Job) error, jobs ...*Job) {
		t.Helper()
		change(t, s, func(ctx context.Context, tx Tx) error {
			for _, j := range jobs {
				if err := fn(ctx, tx, j); err != nil {
					return err
				}
			}
			return nil
		})
	}
	insert := func(ctx context.Context, tx Tx, j *Job) error { return tx.InsertJob(ctx, j) }
	save := func(ctx context.Context, tx Tx, j *Job) error { return tx.SaveJob(ctx, j) }
	past := map[string]bool{} // ids of those that were moved
	for round := range 60 {
		var added []*Job
		for range r.IntN(12) {
			added = append(added, pastJob(r, len(all)+len(added)))
		}
		if round == 30 { // found late, with an old id
			added = append(added, &Job{ID: "j0000000a", ClusterID: "c", PublicID: "late", Owner: "ada", NodeList: []string{}, Submitted: now, Modified: now})
		}
		write(insert, added...)
		all = append(all, added...)
		for range r.IntN(4) {
			j := all[r.IntN(len(all))]
			if past[j.ID] {
				*j = *ofLongAgo(t, s, j.SchedID)
				delete(past, j.ID)
			}
			switch r.IntN(5) {
			case 0:
				j.Deleted = now
			case 4: // it runs again
				j.State, j.Ended, j.Tasks = hpc.JobRunning, time.Time{}, 1+r.IntN(5)
			case 1:
				j.PublicID = ""
			default:
				j.Ended, j.NodeList = j.Submitted.Add(time.Minute), []string{"compute001"}
			}
			write(save, j)
		}
		checkOpenTasks(t, s, "c")
		if r.IntN(4) == 0 {
			change(t, s, func(ctx context.Context, tx Tx) error {
				_, err := tx.MovePastJobs(ctx, "c", now.Add(time.Duration(r.IntN(150))*time.Second), 1+r.IntN(20))
				return err
			})
			for _, id := range idsOf(t, s, "past_jobs") {
				past[id] = true
			}
		}
		listed := slices.DeleteFunc(slices.Clone(all), func(j *Job) bool { return past[j.ID] })
		for range 8 {
			f, orders, page, at := someFilter(r), someOrders(r), Page{1 + r.IntN(4), 1 + r.IntN(30)}, now.Add(time.Hour)
			want, total := plainJobs(listed, f, orders, at, page)
			rows, n, err := s.Jobs(t.Context(), "c", f, orders, at, page)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, j := range rows {
				got = append(got, j.ID)
			}
			if n != total || !slices.Equal(got, want) {
				t.Fatalf("filter %+v, orders %v, page %v of %d jobs:\n%v of %d, want\n%v of %d", f, orders, page, len(all), got, n, want, total)
			}
		}
	}
}

func TestListingsForgetNothing(t *testing.T) { onEveryEngine(t, testListingsForgetNothing) }

func testListingsForgetNothing(t *testing.T, place func() Place) {
	everything := NodeListing{Shows: func(*Node) bool { return true }}
	node := func(id, host string) *Node {
		return &Node{ID: id, ClusterID: "c", Hostname: host, Roles: []hpc.Role{hpc.RoleCompute}, Status: hpc.NodeUninit, Wanted: true, Created: now, Changed: now}
	}
	list := func(t *testing.T, s *Store, l NodeListing, page Page) string {
		t.Helper()
		rows, n, err := s.NodePage(t.Context(), "c", l, page)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(n, ":")
		for _, n := range rows {
			text += " " + n.Hostname + n.Address
		}
		return text
	}
	want := func(t *testing.T, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("listed %q, want %q", got, want)
		}
	}
	t.Run("a node that is added, changed and dropped", func(t *testing.T) {
		t.Parallel()
		s := withCluster(t, place())
		want(t, list(t, s, everything, Page{}), "1: manager")
		change(t, s, func(ctx context.Context, tx Tx) error {
			return tx.InsertNodes(ctx, []*Node{node("i-2", "compute000"), node("i-3", "compute001")})
		})
		want(t, list(t, s, everything, Page{}), "3: compute000 compute001 manager")
		want(t, list(t, s, everything, Page{2, 2}), "3: manager")
		want(t, list(t, s, everything, Page{3, 2}), "3:")
		want(t, list(t, s, NodeListing{Shows: everything.Shows, Backward: true}, Page{1, 2}), "3: manager compute001")
		n := node("i-3", "compute001")
		n.Address = "10.0.0.3"
		change(t, s, func(ctx context.Context, tx Tx) error {
			return tx.StepNode(ctx, n, hpc.NodeInit, "", now, time.Time{})
		})
		at := NodeListing{Shows: func(e *Node) bool { return e.Address == "10.0.0.3" }}
		want(t, list(t, s, at, Page{}), "1: compute00110.0.0.3")
		change(t, s, func(ctx context.Context, tx Tx) error { return tx.DropNode(ctx, "i-2", now) })
		want(t, list(t, s, everything, Page{}), "2: compute00110.0.0.3 manager")
	})
	t.Run("a change that is rolled back", func(t *testing.T) {
		t.Parallel()
		s, failed := withCluster(t, place()), context.Canceled
		err := s.Change(t.Context(), func(ctx context.Context, tx Tx) error {
			if err := tx.InsertNodes(ctx, []*Node{node("i-2", "compute000")}); err != nil {
				return err
			}
			return failed
		})
		want(t, fmt.Sprint(err, list(t, s, everything, Page{})), "context canceled1: manager")
	})
	t.Run("another server's change", func(t *testing.T) {
		t.Parallel()
		p := place()
		s := open(t, p)
		change(t, s, func(ctx context.Context, tx Tx) error {
			return tx.InsertCluster(ctx, &Cluster{ID: "c", Owner: "o", Status: hpc.ClusterUninit, Created: now, Changed: now}, hpc.Secrets{})
		})
		want(t, list(t, s, everything, Page{}), "0:")
		other, err := Attach(t.Context(), p, plainSealer{})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		change(t, other, func(ctx context.Context, tx Tx) error { return tx.InsertNodes(ctx, []*Node{node("i-2", "compute000")}) })
		want(t, list(t, s, everything, Page{}), "1: compute000")
	})
}

func TestTooManyEntriesGo(t *testing.T) {
	t.Parallel()
	d := new(directory[jobEntry])
	for i, id := range []string{"a", "b", "c"} {
		d.sheet(id, now.Add(time.Duration(i)*time.Second)).rows = make([]jobEntry, maxEntries/2)
	}
	d.sheet("d", now.Add(time.Minute))
	if d.clusters["a"] != nil || d.clusters["b"] == nil || d.clusters["c"] == nil {
		t.Error("what was used longest ago is not what went")
	}
	d.sheet("e", now.Add(idleSheet+3*time.Second))
	if len(d.clusters) != 2 { // d and e
		t.Errorf("%d parts are kept for nobody", len(d.clusters))
	}
}

func TestAWindowIsAPartOfTheSorted(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		list := make([]int, r.IntN(200))
		for i := range list {
			list[i] = r.IntN(1 + r.IntN(100))
		}
		sorted := slices.Sorted(slices.Values(list))
		from, to := Page{1 + r.IntN(5), 1 + r.IntN(60)}.bounds(len(list))
		window(list, from, to, cmp.Compare[int])
		if !slices.Equal(list[from:to], sorted[from:to]) {
			t.Fatalf("from %d to %d: %v, want %v", from, to, list[from:to], sorted[from:to])
		}
	}
}

// unlisted write rows of jobs, but nothing that listings filter or sort by.
var unlisted = []string{"UnwantJobsOf", "NoteReleased", "SetScale"}

func TestWhatListingsFilterByIsNumberedWhenItChanges(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || !writes(fn) || strings.HasSuffix(name, "_test.go") {
				continue
			}
			seen++
			if names(fn)["next"] == slices.Contains(unlisted, fn.Name.Name) {
				t.Errorf("%s writes jobs or nodes: call next and write seq, or name it in unlisted, and not both", fn.Name.Name)
			}
		}
	}
	if seen < len(unlisted)+4 {
		t.Errorf("only %d functions were found that write jobs or nodes", seen)
	}
}

// writes tells whether a function writes rows of jobs or nodes.
func writes(fn *ast.FuncDecl) bool {
	n := names(fn)
	return (n["NewInsert"] || n["NewUpdate"] || n["NewDelete"]) && (n["Job"] || n["Node"])
}

// names are all identifiers of a function.
func names(fn *ast.FuncDecl) map[string]bool {
	found := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			found[id.Name] = true
		}
		return true
	})
	return found
}

func BenchmarkJobs(b *testing.B) {
	all := make([]jobEntry, 100_000)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range all {
		at := now.Add(time.Duration(i) * time.Second).UnixNano()
		all[i] = jobEntry{id: fmt.Sprintf("j%07d", i), submitted: at, started: at + r.Int64N(1e12), ended: at + 1e12 + r.Int64N(1e12), listed: true}
	}
	for name, orders := range map[string][]JobOrder{"newest": nil, "longest": {{By: ByRunning, Descending: true}}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				pickJobs(all, JobFilter{}, orders, now, Page{1000, 50})
			}
		})
	}
}
