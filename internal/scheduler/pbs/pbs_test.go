package pbs

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// recorded is a scheduler that shows one recorded output. All that it shows
// crosses the link, whose server refuses what is not the interface's.
type recorded struct {
	scheduler.Scheduler
	out []byte
}

func uid(name string) int {
	if name == "pbsu1" {
		return 20001
	}
	return -1
}

func (r recorded) Changes(context.Context, string, string) (scheduler.Observation, error) {
	queue, ends, err := ParseJobs(r.out, uid)
	return scheduler.Observation{Queue: queue, Ends: ends}, err
}

func (r recorded) Nodes(context.Context) ([]scheduler.Node, error) { return ParseNodes(r.out) }

// remote is the recorded output as the server sees it.
func remote(t *testing.T, file string) scheduler.Scheduler {
	t.Helper()
	out, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return across(out)
}

// across is an output behind the link.
func across(out []byte) scheduler.Scheduler {
	handler := scheduler.Handler(recorded{out: out})
	return scheduler.NewRemote(&http.Client{Transport: direct{handler}})
}

type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

func brief(j scheduler.Job) string {
	text := fmt.Sprintf("%s %s", j.ID, j.State)
	if j.State.Ended() {
		text += fmt.Sprint(" ", j.ExitCode)
	}
	if j.Held {
		text += " held"
	}
	if j.Nodes != nil {
		text += " on " + strings.Join(j.Nodes, ",")
	}
	if j.Restarts > 0 {
		text += fmt.Sprintf(" run again %d", j.Restarts)
	}
	return text
}

var jobs = map[string]string{
	"01-all-early.json":                "3 PENDING held; 4 PENDING | 0 COMPLETED 0 on n1; 1 FAILED 3 on n1; 2 FAILED 137 on n2",
	"array-deleted.json":               "| 3186_2 CANCELLED 143 on n3; 3186_3 CANCELLED 143 on n3; 3186_0 CANCELLED 143 on n2; 3186_1 CANCELLED 1",
	"array-finished-with-subjobs.json": "| 6_1 FAILED 1 on n1; 6_2 COMPLETED 0 on n1; 6_3 FAILED 1 on n2; 6_4 COMPLETED 0 on n1; 6_5 FAILED 1 on n2",
	"array-running-parent-only.json":   "6 PENDING |",
	"array-running-with-subjobs.json":  "6 PENDING; 6_1 RUNNING on n1; 6_2 RUNNING on n1; 6_3 RUNNING on n2 |",
	"deleted-while-held.json":          "| 3 CANCELLED 0",
	"deleted-while-running.json":       "| 12 CANCELLED 143 on n2",
	"dependency-broken.json":           "| 9 CANCELLED 0",
	"dependency-unsatisfied.json":      "| 3184 CANCELLED 0",
	"finished-exit3.json":              "| 1 FAILED 3 on n1",
	"finished-ok.json":                 "| 0 COMPLETED 0 on n1",
	"finished-sigkill.json":            "| 2 FAILED 137 on n2",
	"held.json":                        "3 PENDING held |",
	"mock-10node-finished.json":        "| 1223 FAILED 0 on n20,n21,n22,n23,n24,n25,n26,n27,n28,n29",
	"multinode-finished.json":          "| 5 COMPLETED 0 on n1,n2",
	"multinode-running.json":           "5 RUNNING on n1,n2 |",
	"neverruns-queued.json":            "4 PENDING |",
	"node-lost-nonrerunable.json":      "| 1214 NODE_FAIL 0 on n2",
	"node-lost-rerunable.json":         "1213 PENDING run again 1 |",
	"rerun-after.json":                 "7 RUNNING on n1 run again 1 |",
	"state-dep.json":                   "9 PENDING |",
	"state-prio.json":                  "11 PENDING held |",
	"state-run.json":                   "7 RUNNING on n1 |",
	"state-wait.json":                  "10 PENDING |",
	"subjob-running.json":              "6_2 RUNNING on n1 |",
	"suspended.json":                   "7 SUSPENDED on n1 |",
	"tricky-types.json":                "3187 PENDING held |",
	"walltime-exceeded.json":           "| 8 TIMEOUT 0 on n1",
	"queues.json":                      "|",
	"pbsnodes-busy.json":               "|",
}

func TestJobs(t *testing.T) {
	t.Parallel()
	for file, want := range jobs {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			o, err := remote(t, file).Observe(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			var queue, ends []string
			for _, j := range o.Queue {
				queue = append(queue, brief(j))
			}
			for _, j := range o.Ends {
				ends = append(ends, brief(j))
			}
			if got := strings.TrimSpace(strings.Join(queue, "; ") + " | " + strings.Join(ends, "; ")); got != want {
				t.Errorf("\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

// first is the only job that the file shows.
func first(t *testing.T, file string) scheduler.Job {
	t.Helper()
	o, err := remote(t, file).Observe(t.Context(), "")
	all := slices.Concat(o.Queue, o.Ends)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d jobs, %v", len(all), err)
	}
	return all[0]
}

func at(clock string) time.Time {
	t, err := time.ParseInLocation(time.DateTime, "2026-11-23 "+clock, time.UTC)
	if err != nil {
		panic(err)
	}
	return t
}

func TestAJobIsReadWhole(t *testing.T) {
	t.Parallel()
	t.Run("one that ran", func(t *testing.T) {
		t.Parallel()
		got := first(t, "multinode-finished.json")
		want := scheduler.Job{ID: "5", Name: got.Name, UID: 20001, Queue: "workq", State: hpc.JobCompleted, Reason: got.Reason,
			Nodes: []string{"n1", "n2"}, Cores: 2, Submit: got.Submit, Start: at("07:03:27"), End: at("07:03:34"),
			Dir: "/home/pbsu1", Stdout: "/home/pbsu1/o/5.OU", Stderr: "/home/pbsu1/o/5.ER"}
		if !reflect.DeepEqual(got, want) || got.Name == "" || got.Reason == "" || got.Submit.IsZero() {
			t.Errorf("\ngot  %+v\nwant %+v", got, want)
		}
	})
	t.Run("one that was deleted before it ran has an end and no start", func(t *testing.T) {
		t.Parallel()
		if got := first(t, "deleted-while-held.json"); !got.Start.IsZero() || !got.End.Equal(at("07:04:38")) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("nothing of a lost run stays with a job that is queued again", func(t *testing.T) {
		t.Parallel()
		if got := first(t, "node-lost-rerunable.json"); !got.Start.IsZero() || !got.End.IsZero() || got.ExitCode != 0 || got.Nodes != nil {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("nor what a run left that was checkpointed", func(t *testing.T) {
		t.Parallel()
		queue, _, err := ParseJobs([]byte(`{"Jobs":{"1.head":{"job_state":"Q","exec_host":"n1/0","stime":"Mon Nov 23 07:04:21 2026","run_count":1}}}`), uid)
		if err != nil || queue[0].Nodes != nil || !queue[0].Start.IsZero() || queue[0].Restarts != 1 {
			t.Errorf("got %+v, %v", queue, err)
		}
	})
	t.Run("variables that look like something else do no harm, nor do other people's projects", func(t *testing.T) {
		t.Parallel()
		if got := first(t, "tricky-types.json"); got.Name != "tricky" || got.Token != "" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a priority", func(t *testing.T) {
		t.Parallel()
		if got := first(t, "state-prio.json"); got.Priority != 500 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("an array's files are a pattern", func(t *testing.T) {
		t.Parallel()
		if got := first(t, "array-running-parent-only.json"); got.Array != "6" || got.Task != "" || got.Stdout != "/home/pbsu1/o/6[%a].OU" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a task's files are its own", func(t *testing.T) {
		t.Parallel()
		if got := first(t, "subjob-running.json"); got.Array != "6" || got.Task != "2" || got.Stdout != "/home/pbsu1/o/6[2].OU" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a token of ours is the project", func(t *testing.T) {
		t.Parallel()
		queue, _, err := ParseJobs([]byte(`{"Jobs":{"1.head":{"job_state":"Q","project":"ehpctok","Join_Path":"oe","Output_Path":"head:/o","Error_Path":"head:/e"}}}`), uid)
		if err != nil || queue[0].Token != "ehpctok" || queue[0].Stderr != "/o" {
			t.Errorf("got %+v, %v", queue, err)
		}
	})
}

var nodes = map[string]string{
	"pbsnodes-27nodes.json": "n1 drained; n2 drained; n20 busy; n21 busy; n22 busy; n23 busy; n24 busy; n25 busy; n26 busy; n27 busy; " +
		"n28 busy; n29 busy; n3 drained; n30 idle; n31 idle; n32 idle; n33 idle; n34 idle; n35 idle; n36 idle; n37 idle; n38 idle; " +
		"n39 idle; n5 drained; n6 drained; n7 drained; n8 drained",
	"pbsnodes-admin.json":        "n1 down; n2 down; n9 unknown",
	"pbsnodes-busy.json":         "n1 busy; n2 busy",
	"pbsnodes-mixed-states.json": "n1 draining; n2 idle; n3 idle; n5 idle; n6 idle; n7 idle; n8 idle",
	"pbsnodes-one-down.json":     "n1 idle; n2 down; n3 idle",
	"pbsnodes-user.json":         "n1 idle; n2 idle; n9 unknown",
}

func TestNodes(t *testing.T) {
	t.Parallel()
	for file, want := range nodes {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			all, err := remote(t, file).Nodes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range all {
				got = append(got, n.Name+" "+string(n.State))
			}
			if strings.Join(got, "; ") != want {
				t.Errorf("\ngot  %s\nwant %s", strings.Join(got, "; "), want)
			}
		})
	}
	t.Run("a node is read whole", func(t *testing.T) {
		t.Parallel()
		all, err := remote(t, "pbsnodes-mixed-states.json").Nodes(t.Context())
		want := scheduler.Node{Name: "n1", State: scheduler.NodeDraining, Raw: "offline,job-busy", Reason: "draining", Cores: 2, CoresUsed: 2, MemoryMB: 24105}
		if err != nil || all[0] != want {
			t.Errorf("got %+v, %v", all, err)
		}
	})
}

// Queues and the server are no part of the interface: they show no jobs and no nodes.
func TestEveryRecordedOutputIsHeldToSomething(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		file := filepath.Base(file)
		if jobs[file] != "" || nodes[file] != "" {
			continue
		}
		o, err := remote(t, file).Observe(t.Context(), "")
		all, err2 := remote(t, file).Nodes(t.Context())
		if err != nil || err2 != nil || len(o.Queue)+len(o.Ends)+len(all) > 0 {
			t.Errorf("%s shows %d queued, %d ended jobs and %d nodes, %v %v", file, len(o.Queue), len(o.Ends), len(all), err, err2)
		}
	}
}

func TestWhatIsNoOutputOfOpenPBSIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no JSON":             `qstat: cannot connect`,
		"an id":               `{"Jobs":{"x":{"job_state":"Q"}}}`,
		"a state":             `{"Jobs":{"1":{"job_state":"Z"}}}`,
		"a time":              `{"Jobs":{"1":{"job_state":"Q","ctime":"yesterday"}}}`,
		"hosts":               `{"Jobs":{"1":{"job_state":"R","exec_host":"n1/0+"}}}`,
		"a number of cores":   `{"Jobs":{"1":{"job_state":"Q","Resource_List":{"ncpus":"many"}}}}`,
		"a name of a node":    `{"nodes":{"n 1":{"state":"free"}}}`,
		"a size of a memory":  `{"nodes":{"n1":{"resources_available":{"mem":"1zb"}}}}`,
		"a memory past bound": `{"nodes":{"n1":{"resources_available":{"mem":"9999999999tb"}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := ParseJobs([]byte(text), uid)
			_, err2 := ParseNodes([]byte(text))
			if err == nil && err2 == nil {
				t.Error("it was read")
			}
		})
	}
}

func seed(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		out, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(out)
	}
}

func FuzzParseJobs(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, out []byte) {
		if _, err := across(out).Observe(t.Context(), ""); err != nil && !strings.Contains(err.Error(), "qstat") {
			t.Errorf("what was read is not the interface's: %v", err)
		}
	})
}

func FuzzParseNodes(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, out []byte) {
		if _, err := across(out).Nodes(t.Context()); err != nil && !strings.Contains(err.Error(), "pbsnodes") {
			t.Errorf("what was read is not the interface's: %v", err)
		}
	})
}
