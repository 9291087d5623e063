package slurm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

func TestHostlists(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "",
		"(null)":                     "",
		"compute000":                 "compute000",
		"compute[000-002,7],manager": "compute000 compute001 compute002 compute7 manager",
		"a[1-2]b[3-4]":               "a1b3 a1b4 a2b3 a2b4",
		"n[8-11]":                    "n8 n9 n10 n11",
	} {
		t.Run("a hostlist is expanded: "+text, func(t *testing.T) {
			hosts, err := expandHosts(text)
			if err != nil || strings.Join(hosts, " ") != want {
				t.Errorf("got %v, %v", hosts, err)
			}
		})
	}
	for _, text := range []string{"a[", "a]", "a[2-1]", "a[x]", "a[]", ",", "a[1-2", "a[0-99999999]", "a[0-999][0-999]", "a[-1]"} {
		t.Run("a bad hostlist is an error: "+text, func(t *testing.T) {
			if hosts, err := expandHosts(text); err == nil {
				t.Errorf("got %d hosts", len(hosts))
			}
		})
	}
}

func FuzzExpandHosts(f *testing.F) {
	for _, text := range []string{"compute[000-002,7],manager", "a[1-2]b[3-4]", "a[", "[1-9][1-9][1-9][1-9][1-9]", "x[0-65535]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hosts, err := expandHosts(text)
		if err == nil && len(hosts) > hostLimit {
			t.Errorf("%d hosts", len(hosts))
		}
	})
}

// queued is a line of squeue's, of a job with a script.
func queued(fields ...string) string { return strings.Join(append(fields, "1"), unit) + unit + "\n" }

var queueText = queued("3", "3", "1-5", "ehpctok3", "0", "2026-11-23T21:15:03", "N/A", "PENDING", "JobHeldUser",
	"20001", "", "1", "workq", "0", "sbatch", "/home/ann", "/home/ann/o.%a", "/home/ann/o.%a", "cpu=3,mem=4.50G,node=2,billing=3,gres/gpu=1", "NO", "") +
	queued("4", "2", "1", "ehpctok2", "1", "2026-11-23T21:15:03", "2026-11-23T21:15:04", "RUNNING", "None",
		"20001", "compute[000-001]", "2", "workq", "1", "a|b, c", "/home/ann", "/dev/null", "/dev/null", "cpu=2,mem=200M,node=2,billing=2", "OK", "") +
	queued("5", "5", "N/A", "", "0", "2026-11-23T21:15:03", "2026-11-23T22:00:00", "PENDING", "Priority",
		"20002", "", "1", "workq", "-7", "x", "/", "/slurm-5.out", "/slurm-5.out", "cpu=1,node=1,billing=1", "OK", "")

func TestTheQueueIsRead(t *testing.T) {
	t.Parallel()
	jobs, err := parseQueue([]byte(queueText))
	if err != nil || len(jobs) != 3 {
		t.Fatalf("got %d jobs, %v", len(jobs), err)
	}
	array, task, plain := jobs[0], jobs[1], jobs[2]
	if array.ID != "3" || array.Array != "3" || array.Task != "" || array.State != hpc.JobPending || array.Token != "ehpctok3" {
		t.Errorf("the waiting array is %+v", array)
	}
	if want := (scheduler.Ask{Nodes: 2, Cores: 3, MemoryMB: 4608, GPUs: 1, Whole: true}); array.Asks != want {
		t.Errorf("it asks for %+v, want %+v", array.Asks, want)
	}
	if array.Tasks != 5 || array.AtOnce != 0 || task.Tasks != 0 || plain.Tasks != 0 {
		t.Errorf("tasks that wait: %d (%d at once), of the task %d, of the plain job %d", array.Tasks, array.AtOnce, task.Tasks, plain.Tasks)
	}
	if want := (scheduler.Ask{Nodes: 1, Cores: 1}); plain.Asks != want || task.Asks != (scheduler.Ask{}) {
		t.Errorf("the plain job asks for %+v, want %+v; the task that runs for %+v", plain.Asks, want, task.Asks)
	}
	if task.ID != "2_1" || task.Array != "2" || task.Task != "1" || len(task.Nodes) != 2 || task.Restarts != 1 || task.Name != "a|b, c" || task.Start.IsZero() {
		t.Errorf("the task is %+v", task)
	}
	if plain.ID != "5" || plain.Array != "" || !plain.Start.IsZero() || plain.Priority != 7 {
		t.Errorf("the plain job is %+v", plain)
	}
}

func TestAJobWithoutAScriptHasNoOutputFile(t *testing.T) {
	t.Parallel()
	line := queued("5", "5", "N/A", "", "0", "2026-11-23T21:15:03", "2026-11-23T21:15:04", "RUNNING", "None",
		"20002", "c0", "1", "workq", "1", "interactive", "/home/ann", "/home/ann/slurm-5.out", "/home/ann/slurm-5.out", "", "OK", "")
	for text, want := range map[string]string{line: "/home/ann/slurm-5.out", strings.TrimSuffix(line, "1"+unit+"\n") + "0" + unit + "\n": ""} {
		jobs, err := parseQueue([]byte(text))
		if err != nil || jobs[0].Stdout != want || jobs[0].Stderr != want {
			t.Errorf("%q: its output is in %q and %q, want %q, %v", text, jobs[0].Stdout, jobs[0].Stderr, want, err)
		}
	}
}

func TestTheTasksOfAnArrayThatWait(t *testing.T) {
	t.Parallel()
	for list, want := range map[string][2]int{"1-5": {5, 0}, "1,3,9": {3, 0}, "1-9:2,12,15-20%3": {12, 3}, "0-1000%50": {1001, 50},
		"7%1": {1, 1}, "1,3,5,...": {0, 0}, "1,3,...%4": {0, 4}} {
		var p fieldParser
		if count, atOnce := p.tasks(list); count != want[0] || atOnce != want[1] || p.err != nil {
			t.Errorf("%s: %d tasks, %d at once (%v), want %v", list, count, atOnce, p.err, want)
		}
	}
	for _, list := range []string{"a-b", "1-", "1-2:x", "1%"} {
		var p fieldParser
		if p.tasks(list); p.err == nil {
			t.Errorf("%s is taken", list)
		}
	}
}

func TestAnArraysOutputIsAPattern(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{"/home/a/slurm-101.out": "/home/a/slurm-84_%a.out", "/home/a/out-%a": "/home/a/out-%a",
		"/home/a/slurm-84.out": "/home/a/slurm-84.out", "": ""} {
		if got := arrayOutput(file, "101", "84"); got != want {
			t.Errorf("%q is %q, want %q", file, got, want)
		}
	}
}

func TestAJobIsClosedWhileItIsHeldWithTheMark(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state, reason, mark string
		want                bool
	}{{"PENDING", "JobHeldUser", "ehpc: closed", true}, {"PENDING", "JobHeldUser", "ehpc: closed and held", false},
		{"PENDING", "Priority", "ehpc: closed", false}, {"PENDING", "JobHeldUser", "", false}} {
		jobs, err := parseQueue([]byte(queued("5", "5", "N/A", "", "0", "2026-11-23T21:15:03", "N/A", c.state, c.reason,
			"20002", "", "1", "workq", "0", "x", "/", "/o", "/o", "", "OK", c.mark)))
		if err != nil || jobs[0].Closed != c.want {
			t.Errorf("%+v: closed is %t, %v", c, jobs[0].Closed, err)
		}
	}
}

func TestOnlyOurKeysAreTokens(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{"ehpctok": "ehpctok", "*ehpctok": "", "(null)": "", "": "", "*": "", "theirs": ""} {
		jobs, err := parseQueue([]byte(queued("5", "5", "N/A", key, "0", "2026-11-23T21:15:03", "N/A", "PENDING", "Priority",
			"20002", "", "1", "workq", "1", "x", "/", "/o", "/o", "", "OK", "")))
		if err != nil || jobs[0].Token != want {
			t.Errorf("the token of a queued job with key %q is %q, %v", key, jobs[0].Token, err)
		}
		e, err := parseEnding("JobId=5 UserId=a(20002) Name=x JobState=COMPLETED Partition=workq StartTime=2026-11-23T21:15:03 " +
			"EndTime=2026-11-23T21:15:03 NodeList=c0 ProcCnt=1 WorkDir=/ ReservationName= WcKey=" + key + " SubmitTime=2026-11-23T21:15:03 ExitCode=0:0")
		if err != nil || e.Token != want {
			t.Errorf("the token of an ended job with key %q is %q, %v", key, e.Token, err)
		}
	}
}

func FuzzParseQueue(f *testing.F) {
	f.Add([]byte(queueText))
	f.Add([]byte("5" + unit))
	f.Fuzz(func(t *testing.T, text []byte) {
		jobs, err := parseQueue(text)
		for _, j := range jobs {
			if err == nil && (j.State == "" || j.State.Ended()) {
				t.Errorf("a queued job is %q", j.State)
			}
		}
	})
}

const nodesText = `NodeName=compute000 Arch=x86_64 CoresPerSocket=1  CPUAlloc=1 CPUEfctv=2 CPUTot=2 CPULoad=2.58 AvailableFeatures=workq ActiveFeatures=workq Gres=(null) NodeAddr=10.248.153.3 NodeHostName=compute000 Version=22.05.8 OS=Linux 6.18.44 #1 SMP PREEMPT_DYNAMIC @0  RealMemory=1024 AllocMem=100 FreeMem=21170 Sockets=2 Boards=1 State=MIXED+DYNAMIC_NORM ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A Partitions=workq  BootTime=2026-11-23T20:06:54 CfgTRES=cpu=2,mem=1G,billing=2 AllocTRES= CapWatts=n/a
NodeName=compute001 Arch=x86_64 CoresPerSocket=1  CPUAlloc=0 CPUEfctv=2 CPUTot=2 RealMemory=1024 AllocMem=0 State=IDLE+DRAIN+DYNAMIC_NORM Partitions=workq  ExtSensorsTemp=n/s Reason=some thing [x] | State=DOWN [root@2026-11-23T21:15:53]
No nodes in the system
`

func TestNodesAreRead(t *testing.T) {
	t.Parallel()
	nodes, err := parseNodes([]byte(nodesText))
	want := []scheduler.Node{
		{Name: "compute000", State: scheduler.NodeBusy, Raw: "mixed", Queue: "workq", Cores: 2, CoresUsed: 1, MemoryMB: 1024, MemUsedMB: 100},
		{Name: "compute001", State: scheduler.NodeDrained, Raw: "idle+drain", Reason: "some thing [x] | State=DOWN", Cores: 2, MemoryMB: 1024},
	}
	if err != nil || !slices.Equal(nodes, want) {
		t.Errorf("got %+v, %v", nodes, err)
	}
	for text, want := range map[string]scheduler.NodeState{
		"IDLE": scheduler.NodeIdle, "IDLE*": scheduler.NodeIdle, "ALLOCATED": scheduler.NodeBusy, "IDLE+COMPLETING": scheduler.NodeBusy,
		"MIXED+DRAIN": scheduler.NodeDraining, "IDLE+DRAIN": scheduler.NodeDrained, "DOWN+DRAIN": scheduler.NodeDown,
		"DOWN+NOT_RESPONDING": scheduler.NodeDown, "IDLE+NOT_RESPONDING": scheduler.NodeUnknown, "UNKNOWN": scheduler.NodeUnknown,
		"": scheduler.NodeUnknown, "SOMETHING_NEW": scheduler.NodeUnknown,
	} {
		if got, _ := nodeState(text, false); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

func FuzzParseNodes(f *testing.F) {
	f.Add([]byte(nodesText))
	f.Fuzz(func(_ *testing.T, text []byte) { parseNodes(text) })
}

// logged copies the recorded completion log to a client of its own whose queue
// is the text.
func logged(t *testing.T, queue string) *client {
	t.Helper()
	text, err := os.ReadFile("testdata/jobcomp.log")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := &client{jobcomp: filepath.Join(dir, "jobcomp.log"), ids: ids{path: filepath.Join(dir, "last")}}
	if err := os.WriteFile(c.jobcomp, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c.exec = func(_ context.Context, what call) ([]byte, string, error) {
		switch strings.Join(what.argv[:min(len(what.argv), 3)], " ") {
		case "scontrol show config":
			return []byte("Configuration data\nBOOT_TIME               = 2026-11-23T21:14:36\n"), "", nil
		case "scontrol ping":
			return nil, "", nil
		}
		if what.argv[0] == "squeue" {
			return []byte(queue), "", nil
		}
		return nil, "no such command", errors.New("exit status 1")
	}
	return c
}

func brief(jobs []scheduler.Job) string {
	var b strings.Builder
	for _, j := range jobs {
		fmt.Fprintf(&b, "%s/%s %s %d; ", j.ID, j.Token, j.State, j.ExitCode)
	}
	return b.String()
}

func TestEnds(t *testing.T) {
	t.Parallel()
	back := queued("20", "20", "N/A", "ehpcback", "1", "2026-11-23T21:15:03", "N/A", "PENDING", "BeginTime",
		"20001", "", "2", "workq", "1", "wrap", "/home/ann", "/dev/null", "/dev/null", "cpu=2,mem=200M,node=2,billing=2", "OK", "")
	t.Run("what went back to the queue has not ended", func(t *testing.T) {
		t.Parallel()
		o, err := logged(t, back).Observe(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		want := "3/ehpctok3 CANCELLED 0; 1/ehpctok1 FAILED 7; 2_1/ehpctok2 FAILED 1; 2_5/ehpctok2 FAILED 5; " +
			"11/ehpcreq CANCELLED 0; 21/ehpcdead NODE_FAIL 129; 23/ehpcoom OUT_OF_MEMORY 137; "
		if got := brief(o.Ends); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if o.Boot.Unix() != 1795468476 {
			t.Errorf("the boot is %v", o.Boot)
		}
		last := o.Ends[len(o.Ends)-1]
		if last.Name != "a b=c" || last.Dir != "/home/ann/x WcKey=fake JobId=9" || last.UID != 20001 {
			t.Errorf("free text misled: %+v", last)
		}
		if never := o.Ends[0]; !never.Start.IsZero() || never.End.IsZero() {
			t.Errorf("a job that never started has the times %v, %v", never.Start, never.End)
		}
	})
	t.Run("half a line is told when it is whole", func(t *testing.T) {
		t.Parallel()
		c := logged(t, back)
		text, err := os.ReadFile(c.jobcomp)
		if err != nil {
			t.Fatal(err)
		}
		var told []scheduler.Job
		cursor := ""
		for n := range text {
			if n%50 != 0 && n != len(text)-1 {
				continue
			}
			if err := os.WriteFile(c.jobcomp, text[:n+1], 0o600); err != nil {
				t.Fatal(err)
			}
			o, err := c.Observe(t.Context(), cursor)
			if err != nil {
				t.Fatal(err)
			}
			told, cursor = append(told, o.Ends...), o.Cursor
		}
		// Seen alone, the record of job 11's requeue is an end: it is not queued.
		want := "3 1 2_1 2_5 11 11 21 23"
		var got []string
		for _, j := range told {
			got = append(got, j.ID)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
	t.Run("a log that was replaced is read from its beginning", func(t *testing.T) {
		t.Parallel()
		o, err := logged(t, back).Observe(t.Context(), "99999999")
		if err != nil || len(o.Ends) != 7 {
			t.Errorf("got %d ends, %v", len(o.Ends), err)
		}
	})
	t.Run("a cursor of somebody else is refused", func(t *testing.T) {
		t.Parallel()
		for _, cursor := range []string{"x", "-1"} {
			if _, err := logged(t, back).Observe(t.Context(), cursor); !errors.Is(err, scheduler.ErrRejected) {
				t.Errorf("%s: %v", cursor, err)
			}
		}
	})
	t.Run("a long absence is told in several answers", func(t *testing.T) {
		t.Parallel()
		c := logged(t, "")
		text, err := os.ReadFile(c.jobcomp)
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		if err := os.WriteFile(c.jobcomp, []byte(strings.Repeat(line+"\n", scheduler.EndsLimit+5)), 0o600); err != nil {
			t.Fatal(err)
		}
		first, err := c.Observe(t.Context(), "")
		if err != nil || !first.More {
			t.Fatalf("more is %v, %v", first.More, err)
		}
		second, err := c.Observe(t.Context(), first.Cursor)
		if err != nil || second.More || second.Cursor == first.Cursor {
			t.Errorf("more is %v behind %s and %s, %v", second.More, first.Cursor, second.Cursor, err)
		}
	})
	t.Run("the first id stands above all that were seen", func(t *testing.T) {
		t.Parallel()
		c := logged(t, back)
		for _, ran := range []uint64{0, 500} { // what runs were written down, of an array's tasks say
			if first, err := firstJobID(&c.ids, c.jobcomp, ran); err != nil || first != max(23, ran)+idGap {
				t.Errorf("after the run %d it is %d, %v", ran, first, err)
			}
		}
		// An account's script tells which task of an array it is.
		for _, ran := range []uint64{1 << 32, 1 << 62} {
			if first, err := firstJobID(&c.ids, c.jobcomp, ran); err != nil || first > 23+ranAhead+idGap {
				t.Errorf("after the run %d it is %d, %v", ran, first, err)
			}
		}
		if err := errors.Join(c.ids.note("777"), c.ids.note("778")); err != nil {
			t.Fatal(err)
		}
		if first, err := firstJobID(&ids{path: c.ids.path}, c.jobcomp, 0); err != nil || first != 777+idStep+idGap {
			t.Errorf("got %d, %v", first, err)
		}
		if first, err := firstJobID(&ids{path: t.TempDir() + "/none"}, "/nosuch", 0); err != nil || first != 1 {
			t.Errorf("of a new cluster it is %d, %v", first, err)
		}
		if err := c.ids.note("67043000"); err != nil {
			t.Fatal(err)
		}
		if first, err := firstJobID(&c.ids, c.jobcomp, 0); err != nil || first != 1 {
			t.Errorf("after Slurm's last id it is %d, %v", first, err)
		}
	})
}

func FuzzParseEnding(f *testing.F) {
	text, err := os.ReadFile("testdata/jobcomp.log")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		e, err := parseEnding(line)
		if err == nil && !e.requeue && (!e.State.Ended() || e.ExitCode < 0 || e.ExitCode > 255) {
			t.Errorf("an end is %s %d", e.State, e.ExitCode)
		}
	})
}

func TestWhatACrashLeaves(t *testing.T) {
	t.Parallel()
	nodes, err := parseNodes([]byte(strings.Replace(nodesText, "Reason=some thing [x] | State=DOWN [", "Reason=Duplicate jobid [", 1)))
	if err != nil || len(nodes) < 2 || nodes[0].Mistaken || !nodes[1].Mistaken {
		t.Errorf("the nodes are %+v, %v", nodes, err)
	}
	for _, reason := range []string{launchFailed, "launch failed requeued held"} {
		jobs, err := parseQueue([]byte(queued("55", "55", "N/A", "ehpctok", "1", "2026-11-23T21:15:03", "N/A", "PENDING", reason,
			"20001", "", "1", "workq", "0", "x", "/home/ann", "/o", "/o", "", "OK", "")))
		if err != nil || len(jobs) != 1 || !jobs[0].Refused || jobs[0].Held {
			t.Errorf("the queue is %+v, %v", jobs, err)
		}
	}
}
