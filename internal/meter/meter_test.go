package meter

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// node is a made-up machine: what a meter reads are plain files.
type node struct {
	t       *testing.T
	root    string
	unified bool
	records *Records
}

var patterns = []string{"slurm_*/uid_*/job_*", "*/*slurmstepd.scope/job_*"}

func newNode(t *testing.T, unified bool) *node {
	n := &node{t: t, root: t.TempDir(), unified: unified}
	n.records = Open(filepath.Join(n.root, "volume"))
	if unified {
		n.write("cg/cgroup.controllers", "cpu memory")
	} else {
		n.write("cg/cpuacct/cpuacct.usage", "0")
		n.write("cg/memory/memory.usage_in_bytes", "0")
	}
	n.machine(0, 0)
	return n
}

func (n *node) write(path, text string) {
	n.t.Helper()
	path = filepath.Join(n.root, path)
	must(n.t, os.MkdirAll(filepath.Dir(path), 0o755))
	fresh := path + ".fresh"
	must(n.t, os.WriteFile(fresh, []byte(text+"\n"), 0o644))
	must(n.t, os.Rename(fresh, path))
}

// group is where the job's group is, within the hierarchy.
func (n *node) group(id string) string {
	if n.unified {
		return "system.slice/c0_slurmstepd.scope/job_" + id
	}
	return "slurm_c0/uid_20000/job_" + id
}

// uses sets what the job's group has counted.
func (n *node) uses(id string, cpu time.Duration, memory int64) {
	n.t.Helper()
	if n.unified {
		n.write("cg/"+n.group(id)+"/memory.peak", strconv.FormatInt(memory, 10))
		n.write("cg/"+n.group(id)+"/cpu.stat", "usage_usec "+strconv.FormatInt(cpu.Microseconds(), 10)+"\nuser_usec 1")
		return
	}
	n.write("cg/memory/"+n.group(id)+"/memory.max_usage_in_bytes", strconv.FormatInt(memory, 10))
	n.write("cg/cpuacct/"+n.group(id)+"/cpuacct.usage", strconv.FormatInt(int64(cpu), 10))
}

// ends takes the job's group away, as the scheduler does.
func (n *node) ends(id string) {
	n.t.Helper()
	for _, hierarchy := range []string{"", "cpuacct/", "memory/"} {
		must(n.t, os.RemoveAll(filepath.Join(n.root, "cg", hierarchy, n.group(id))))
	}
}

// stir is for what a made-up group lacks: a real one has its files from the first
// moment.
func (n *node) stir() {
	n.t.Helper()
	for _, hierarchy := range []string{"", "cpuacct/"} {
		dir := filepath.Join(n.root, "cg", hierarchy, "stir")
		if _, err := os.Stat(filepath.Dir(dir)); err == nil {
			must(n.t, os.Mkdir(dir, 0o755))
			must(n.t, os.Remove(dir))
		}
	}
}

// machine sets the counters of the machine: clock ticks that it was busy, and the
// microjoules of its one package if that counts any.
func (n *node) machine(ticks, energy int64) {
	n.t.Helper()
	n.write("proc/stat", "cpu  "+strconv.FormatInt(ticks, 10)+" 0 0 77777 5 0 0 0 0 0\ncpu0 1 2 3")
	if energy == 0 {
		return
	}
	for dir, name := range map[string]string{"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:1": "psys"} {
		n.write("power/"+dir+"/name", name)
		n.write("power/"+dir+"/energy_uj", strconv.FormatInt(energy, 10))
		n.write("power/"+dir+"/max_energy_range_uj", "1000000")
	}
}

func (n *node) options() Options {
	return Options{Groups: n.root + "/cg", Jobs: patterns, Proc: n.root + "/proc", Power: n.root + "/power", Notes: n.root + "/notes",
		Records: n.records, Host: "c0", Boot: "1", Log: slog.New(slog.DiscardHandler)}
}

func (n *node) meter() *Meter {
	n.t.Helper()
	m, err := New(n.options())
	must(n.t, err)
	return m
}

// of is what is written down of a job.
func (n *node) of(id string) hpc.Measurement {
	n.t.Helper()
	found, err := n.records.Of(hpc.JobOnNode{Job: id, Host: "c0"})
	must(n.t, err)
	if len(found) == 0 {
		return hpc.Measurement{}
	}
	return found[0]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }

func onBoth(t *testing.T, test func(t *testing.T, n *node)) {
	t.Parallel()
	for name, unified := range map[string]bool{"version 1": false, "version 2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newNode(t, unified))
		})
	}
}

func TestWhatAJobUsedIsWrittenDownWhenItsGroupIsGone(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		m := n.meter()
		m.look(at(0), true)
		n.uses("7", time.Second, 5<<20)
		m.look(at(1), true)
		n.uses("7", 3*time.Second, 9<<20)
		m.look(at(2), false)
		n.ends("7")
		m.look(at(3), true)
		got := n.of("7")
		if !got.Final || got.Job != "7" || got.Host != "c0" || len(got.Parts) != 1 {
			t.Fatalf("written down is %+v", got)
		}
		p := got.Parts[0]
		if p.CPU != 3*time.Second || p.Memory != 9<<20 || p.Energy != nil || !p.Began.Equal(at(1)) || !p.Ended.Equal(at(2)) {
			t.Errorf("it used %+v", p)
		}
		if len(m.jobs) != 0 {
			t.Errorf("the meter still holds %v", m.jobs)
		}
		if notes, _ := os.ReadDir(n.root + "/notes"); len(notes) != 0 {
			t.Errorf("%d notes are left", len(notes))
		}
	})
}

func TestAJobThatIsPutBackIntoTheQueueHasAPartForEachRun(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		m := n.meter()
		n.uses("7", 4*time.Second, 9<<20)
		m.look(at(1), true)
		n.ends("7")
		m.look(at(3), true)
		n.uses("7", time.Second, 2<<20)
		m.look(at(60), true)
		if got := n.of("7"); len(got.Parts) != 1 || !got.Final {
			t.Fatalf("before the second run is written: %+v", got)
		}
		m.look(at(75), false)
		if got := n.of("7"); len(got.Parts) != 2 || got.Final {
			t.Fatalf("while the second run goes on: %+v", got)
		}
		n.uses("7", 2*time.Second, 2<<20)
		m.look(at(80), false)
		n.ends("7")
		m.look(at(80), true)
		got := n.of("7")
		if len(got.Parts) != 2 || !got.Final || got.Parts[0].CPU != 4*time.Second || got.Parts[1].CPU != 2*time.Second || got.Parts[1].Memory != 2<<20 {
			t.Errorf("written down is %+v", got)
		}
	})
}

func TestAMeterThatIsStartedAnewCountsNothingTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		m := n.meter()
		n.uses("7", 4*time.Second, 9<<20)
		n.uses("8", 5*time.Second, 9<<20)
		m.look(at(1), true)
		m.look(at(12), true) // which writes them down
		m = n.meter()
		n.uses("7", 6*time.Second, 10<<20)
		n.ends("8")
		m.look(at(20), true)
		if got := n.of("8"); !got.Final || len(got.Parts) != 1 || got.Parts[0].CPU != 5*time.Second {
			t.Errorf("of the job that ended meanwhile is written: %+v", got)
		}
		n.ends("7")
		m = n.meter()
		m.look(at(30), true)
		got := n.of("7")
		if !got.Final || len(got.Parts) != 1 || got.Parts[0].CPU != 6*time.Second || got.Parts[0].Memory != 10<<20 || !got.Parts[0].Began.Equal(at(1)) {
			t.Errorf("of the other is written: %+v", got)
		}
	})
}

func TestALookIsWhatIsFreshest(t *testing.T) {
	t.Parallel()
	n := newNode(t, false)
	m := n.meter()
	n.write("proc/42/cgroup", "6:freezer:/slurm_c0/uid_20000/job_8/step_batch\n2:cpu,cpuacct:/slurm_c0/uid_20000/job_7/step_batch/task_0\n0::/")
	n.uses("7", 4*time.Second, 9<<20)
	m.Look(42)
	n.uses("7", 6*time.Second, 9<<20)
	m.Look(42)
	m.Look(43)
	n.ends("7")
	m.look(time.Now(), true)
	if got := n.of("7"); len(got.Parts) != 1 || got.Parts[0].CPU != 6*time.Second || !got.Final {
		t.Errorf("written down is %+v", got)
	}
	if got := n.of("8"); len(got.Parts) != 0 {
		t.Errorf("of a job without a group is written: %+v", got)
	}
}

func TestTheGroupOfAProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, group, within string
		unified                   bool
	}{
		{"a task of version 1", "4:memory:/a\n2:cpuacct:/slurm_c0/uid_1/job_5/step_0/task_1", "/slurm_c0/uid_1/job_5", "step_0/task_1", false},
		{"a task of version 2", "0::/system.slice/c0_slurmstepd.scope/job_5/step_0/user/task_1", "/system.slice/c0_slurmstepd.scope/job_5", "step_0/user/task_1", true},
		{"a daemon", "2:cpuacct:/\n0::/slurm_c0/uid_1/job_5", "", "", false},
		{"a name that only looks like it", "2:cpuacct:/home/slurm_c0/uid_1/job_5", "", "", false},
		{"the job itself", "2:cpuacct:/slurm_c0/uid_1/job_5", "/slurm_c0/uid_1/job_5", "", false},
		{"nonsense", "::\n\n:cpuacct", "", "", false},
	} {
		n := newNode(t, c.unified)
		n.write("proc/5/cgroup", c.text)
		if group, within := n.meter().tree.of(n.root+"/proc", 5); group != c.group || within != c.within {
			t.Errorf("the group of %s is %q, and in it %q", c.name, group, within)
		}
	}
}

func TestEnergyGoesByTheShareOfTheTime(t *testing.T) {
	t.Parallel()
	n := newNode(t, true)
	n.machine(1000, 400_000)
	m := n.meter()
	n.uses("7", 0, 1)
	n.uses("8", 0, 1)
	m.look(at(0), true)
	n.machine(1200, 700_000) // 2 s of work took 300 mJ
	n.uses("7", time.Second, 1)
	n.uses("8", 500*time.Millisecond, 1)
	m.look(at(1), true)
	n.machine(1400, 100_000) // the counter began again: 400 mJ
	n.uses("7", 2*time.Second, 1)
	m.look(at(2), true)
	n.ends("7")
	n.ends("8")
	m.look(at(3), true)
	for id, want := range map[string]int64{"7": 150 + 200, "8": 75} {
		got := n.of(id)
		if len(got.Parts) != 1 || got.Parts[0].Energy == nil || *got.Parts[0].Energy != want {
			t.Errorf("job %s has %+v, want %d mJ", id, got.Parts, want)
		}
	}
}

func TestTheRunningMeterSeesShortJobsAndEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		m := n.meter()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { m.Run(ctx) })
		defer running.Wait()
		defer cancel()
		for id := range 5 {
			job := strconv.Itoa(id + 10)
			n.uses(job, 4*time.Second, 9<<20)
			n.stir()
			until(t, "the job is seen", func() bool {
				m.mu.Lock()
				defer m.mu.Unlock()
				return m.jobs[job] != nil && len(m.jobs[job].rec.Parts) == 1
			})
			n.ends(job)
			until(t, "its end is seen", func() bool { return n.of(job).Final })
		}
		n.uses("99", time.Second, 1)
		n.stir()
		until(t, "the job is seen", func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.jobs["99"] != nil && len(m.jobs["99"].rec.Parts) == 1
		})
		cancel()
		running.Wait()
		if got := n.of("99"); got.Final || len(got.Parts) != 1 {
			t.Errorf("of what goes on a meter leaves %+v", got)
		}
	})
}

func until(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for range 1000 {
		if yes() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("waited in vain: " + what)
}

func TestFiguresThatCannotBeWrittenAreKept(t *testing.T) {
	t.Parallel()
	n := newNode(t, false)
	n.write("volume", "no directory")
	m := n.meter()
	n.uses("7", 4*time.Second, 9<<20)
	m.look(at(0), true)
	n.ends("7")
	m.look(at(1), true)
	m.look(at(5), false)
	must(t, os.Remove(n.root+"/volume"))
	m.look(at(12), false)
	if got := n.of("7"); !got.Final || got.Parts[0].CPU != 4*time.Second {
		t.Errorf("written down is %+v", got)
	}
}

func TestQuestionsThatAreNone(t *testing.T) {
	t.Parallel()
	n := newNode(t, false)
	for _, q := range []hpc.JobOnNode{{Job: "../7", Host: "c0"}, {Job: "7", Host: "../c0"}, {Job: "", Host: "c0"}, {Job: "7"}} {
		if _, err := n.records.Of(q); err == nil {
			t.Errorf("%+v is answered", q)
		}
	}
	if _, err := n.records.Of(make([]hpc.JobOnNode, hpc.MeasurementLimit+1)...); err == nil {
		t.Error("any number of measurements is answered")
	}
	if got, err := n.records.Of(hpc.JobOnNode{Job: "7", Host: "c0"}); err != nil || got != nil {
		t.Errorf("of a job that nobody saw is told %v, %v", got, err)
	}
}

func TestManyPartsAreJoined(t *testing.T) {
	t.Parallel()
	n := newNode(t, false)
	m := n.meter()
	for i := range 40 {
		n.uses("7", time.Second, int64(i))
		m.look(at(float64(2*i)), true)
		n.ends("7")
		m.look(at(float64(2*i+1)), true)
	}
	got := n.of("7")
	sum := got.Parts[0]
	for _, p := range got.Parts[1:] {
		sum = sum.Join(p)
	}
	if len(got.Parts) != hpc.PartsLimit || sum.CPU != 40*time.Second || sum.Memory != 39 || !sum.Began.Equal(at(0)) {
		t.Errorf("%d parts come to %+v", len(got.Parts), sum)
	}
}

func TestOldFiguresGo(t *testing.T) {
	t.Parallel()
	n := newNode(t, false)
	for _, id := range []string{"7", "8"} {
		must(t, n.records.save(record{Measurement: hpc.Measurement{Job: id, Host: "c0", Final: true}}))
	}
	must(t, os.Chtimes(n.records.path("7", "c0"), t0, t0.Add(-keepFor-time.Hour)))
	must(t, os.Chtimes(n.records.path("8", "c0"), t0, t0.Add(-keepFor+time.Hour)))
	must(t, n.records.Prune(t0))
	if n.of("7").Job != "" || n.of("8").Job != "8" {
		t.Errorf("left are %+v and %+v", n.of("7"), n.of("8"))
	}
}
