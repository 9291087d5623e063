package reconcile

import (
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// ward is a cluster with a manager, a login node and so many compute nodes, all
// of them sound and in service.
func ward(computes int) *healthView {
	v := &healthView{Sched: map[string]scheduler.Node{}, Looks: map[string]look{},
		Queues: []*store.Queue{{Name: "workq"}, {Name: "night"}}}
	add := func(host string, roles ...hpc.Role) *store.Node {
		n := &store.Node{ID: "i-" + host, ClusterID: "c", Hostname: host, Roles: roles, Wanted: true, Status: hpc.NodeRunning}
		v.Nodes, v.Looks[n.ID] = append(v.Nodes, n), look{Times: looksNeeded}
		return n
	}
	add("manager", hpc.RoleManager, hpc.RoleAccount)
	add("login0", hpc.RoleLogin)
	for i := range computes {
		n := add(store.ComputeName(i), hpc.RoleCompute)
		n.Queue = "workq"
		v.Sched[n.Hostname] = scheduler.Node{Name: n.Hostname, State: scheduler.NodeIdle}
	}
	return v
}

func (v *healthView) compute0() *store.Node { return v.Nodes[2] }

func (v *healthView) finds(n *store.Node, cause hpc.Ailment, times int) {
	v.Looks[n.ID] = look{fault: fault{cause, "it is so"}, Times: times}
}

func (v *healthView) sched(n *store.Node, state scheduler.NodeState, reason string) {
	v.Sched[n.Hostname] = scheduler.Node{Name: n.Hostname, State: state, Reason: reason}
}

// sick has a node drained for a full disk.
func (v *healthView) sick(n *store.Node, state scheduler.NodeState) {
	n.Health.Cause, n.Health.Reason = hpc.DiskFull, "it is so"
	v.finds(n, hpc.DiskFull, 9)
	v.sched(n, state, sickPrefix+"it is so")
}

func fails(n *store.Node, uid int, jobs ...string) {
	for _, job := range jobs {
		n.Health.Failures = append(n.Health.Failures, hpc.JobFailure{Job: job, UID: uid, At: noon.Add(-time.Minute)})
		n.Health.InRow++
	}
}

func TestPlanHealth(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  func(v *healthView, n *store.Node)
		want []healthAct
	}{
		"a cluster that is sound":  {func(*healthView, *store.Node) {}, nil},
		"one look is not believed": {func(v *healthView, n *store.Node) { v.finds(n, hpc.DiskFull, 1) }, nil},
		"two are":                  {func(v *healthView, n *store.Node) { v.finds(n, hpc.DiskFull, 2) }, []healthAct{noteSick}},
		"a manager's disk is full": {func(v *healthView, n *store.Node) { v.finds(v.Nodes[0], hpc.DiskFull, 2) }, []healthAct{noteSick}},
		"that is told already": {func(v *healthView, n *store.Node) {
			v.finds(v.Nodes[0], hpc.DiskFull, 2)
			v.Nodes[0].Health.Cause = hpc.DiskFull
		}, nil},
		"a manager is well again":     {func(v *healthView, n *store.Node) { v.Nodes[0].Health.Cause = hpc.DiskFull }, []healthAct{noteSound}},
		"the scheduler does not tell": {func(v *healthView, n *store.Node) { v.finds(n, hpc.DiskFull, 2); v.Sched = nil }, nil},
		"the agent does not tell":     {func(v *healthView, n *store.Node) { v.sick(n, scheduler.NodeDraining); delete(v.Looks, n.ID) }, nil},
		"an administrator has drained it": {func(v *healthView, n *store.Node) {
			v.finds(n, hpc.DiskFull, 2)
			v.sched(n, scheduler.NodeDrained, "its fan is broken")
		}, nil},
		"one did after us": {func(v *healthView, n *store.Node) {
			v.sick(n, scheduler.NodeDrained)
			v.sched(n, scheduler.NodeDrained, "let me see")
		}, nil},
		"it is drained for being idle": {func(v *healthView, n *store.Node) {
			v.finds(n, hpc.DiskFull, 2)
			v.sched(n, scheduler.NodeDrained, idleReason)
		}, nil},
		"it is to be deleted":             {func(v *healthView, n *store.Node) { v.finds(n, hpc.DiskFull, 2); n.Wanted = false }, nil},
		"it is taken back":                {func(v *healthView, n *store.Node) { v.finds(n, hpc.DiskFull, 2); n.ReclaimPhase = hpc.ReclaimNoticed }, nil},
		"it is not in service":            {func(v *healthView, n *store.Node) { v.finds(n, hpc.DiskFull, 2); n.Status = hpc.NodeException }, nil},
		"sick, and the drain was cut off": {func(v *healthView, n *store.Node) { v.sick(n, scheduler.NodeIdle) }, []healthAct{drainSick}},
		"sick, with a job":                {func(v *healthView, n *store.Node) { v.sick(n, scheduler.NodeDraining) }, nil},
		"sick, without a job":             {func(v *healthView, n *store.Node) { v.sick(n, scheduler.NodeDrained) }, []healthAct{replaceSick}},
		"sick, and its daemon is gone":    {func(v *healthView, n *store.Node) { v.sick(n, scheduler.NodeDown) }, []healthAct{replaceSick}},
		"its queue has come to a halt": {func(v *healthView, n *store.Node) {
			v.sick(n, scheduler.NodeDrained)
			v.Queues[0].Halted = noon.Add(-9 * time.Hour)
		}, nil},
		"another queue has": {func(v *healthView, n *store.Node) { v.sick(n, scheduler.NodeDrained); v.Queues[1].Halted = noon }, []healthAct{replaceSick}},
		"counted before it came to a halt": {func(v *healthView, n *store.Node) {
			v.sick(n, scheduler.NodeDrained)
			v.Queues[0].Halted, n.Health.Replacing = noon, true
		}, []healthAct{replaceSick}},
		"being replaced, and it joined again":    {func(v *healthView, n *store.Node) { v.sick(n, scheduler.NodeIdle); n.Health.Replacing = true }, []healthAct{replaceSick}},
		"well again, with a job":                 {func(v *healthView, n *store.Node) { v.sick(n, scheduler.NodeDraining); v.finds(n, "", 2) }, []healthAct{noteSound}},
		"well again at one look":                 {func(v *healthView, n *store.Node) { v.sick(n, scheduler.NodeDraining); v.finds(n, "", 1) }, nil},
		"well again, and the resume was cut off": {func(v *healthView, n *store.Node) { v.sched(n, scheduler.NodeDrained, sickPrefix+"it was so") }, []healthAct{resumeSound}},
		"three jobs failed":                      {func(v *healthView, n *store.Node) { fails(n, 1, "1", "2", "3") }, []healthAct{noteSick}},
		"two jobs failed":                        {func(v *healthView, n *store.Node) { fails(n, 1, "1", "2") }, nil},
		"three, and one completed between":       {func(v *healthView, n *store.Node) { fails(n, 1, "1", "2", "3"); n.Health.InRow = 1 }, nil},
		"three, one of them long ago": {func(v *healthView, n *store.Node) {
			fails(n, 1, "1", "2", "3")
			n.Health.Failures[0].At = noon.Add(-61 * time.Minute)
		}, nil},
		"four, one of them long ago": {func(v *healthView, n *store.Node) {
			fails(n, 1, "1", "2", "3", "4")
			n.Health.Failures[0].At = noon.Add(-61 * time.Minute)
		}, []healthAct{noteSick}},
		"three of an account that fails elsewhere": {func(v *healthView, n *store.Node) { fails(n, 1, "1", "2", "3"); fails(v.Nodes[3], 1, "4") }, nil},
		"it failed elsewhere long ago": {func(v *healthView, n *store.Node) {
			fails(n, 1, "1", "2", "3")
			fails(v.Nodes[3], 1, "4")
			v.Nodes[3].Health.Failures[0].At = noon.Add(-2 * time.Hour)
		}, []healthAct{noteSick}},
		"it failed elsewhere before a replacement": {func(v *healthView, n *store.Node) {
			fails(n, 1, "1", "2", "3")
			fails(v.Nodes[3], 1, "4")
			v.Nodes[3].Health.InRow = 0
		}, nil},
		"another account fails elsewhere":      {func(v *healthView, n *store.Node) { fails(n, 1, "1", "2", "3"); fails(v.Nodes[3], 2, "4") }, []healthAct{noteSick}},
		"of two accounts one fails here alone": {func(v *healthView, n *store.Node) { fails(n, 1, "1", "2"); fails(n, 2, "3"); fails(v.Nodes[3], 1, "4") }, []healthAct{noteSick}},
		"all jobs fail on both nodes":          {func(v *healthView, n *store.Node) { fails(n, 1, "1", "2", "3"); fails(v.Nodes[3], 1, "1", "2", "3") }, nil},
		"three failed, and all that grew old": {func(v *healthView, n *store.Node) {
			fails(n, 1, "1", "2", "3")
			v.sick(n, scheduler.NodeDraining)
			v.finds(n, "", 9)
			n.Health.Failures[0].At = noon.Add(-2 * time.Hour)
		}, nil},
		"it is to be resumed": {func(v *healthView, n *store.Node) {
			n.Health.Resume = true
			v.sched(n, scheduler.NodeDrained, "its fan is broken")
		}, []healthAct{resumeAsked}},
		"it is to be resumed by a silent scheduler": {func(v *healthView, n *store.Node) { n.Health.Resume, v.Sched = true, nil }, nil},
		"a manager that computes is to be resumed": {func(v *healthView, n *store.Node) {
			v.Nodes[0].Health.Resume = true
			v.sched(v.Nodes[0], scheduler.NodeDrained, "")
		}, []healthAct{resumeAsked}},
		"jobs fail on a manager that computes": {func(v *healthView, n *store.Node) {
			v.sched(v.Nodes[0], scheduler.NodeIdle, "")
			fails(v.Nodes[0], 1, "1", "2", "3")
		}, []healthAct{noteSick}},
		"what ails a manager that computes is known": {func(v *healthView, n *store.Node) {
			v.sched(v.Nodes[0], scheduler.NodeIdle, "")
			v.finds(v.Nodes[0], hpc.DiskFull, 3)
			v.Nodes[0].Health.Cause = hpc.DiskFull
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := ward(2)
			c.set(v, v.compute0())
			var got []healthAct
			for _, s := range planHealth(noon, v) {
				got = append(got, s.Act)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAQueueReplacesSoManyWithinAnHour(t *testing.T) {
	t.Parallel()
	ago := func(minutes ...int) (at []time.Time) {
		for _, m := range minutes {
			at = append(at, noon.Add(-time.Duration(m)*time.Minute))
		}
		return at
	}
	for _, c := range []struct {
		replaced []time.Time
		want     int
	}{{nil, 5}, {ago(1, 2), 3}, {ago(60, 61, 1), 4}, {ago(1, 2, 3, 4, 5), 0}} {
		v := ward(9)
		for _, n := range v.Nodes[2:] {
			v.sick(n, scheduler.NodeDrained)
		}
		v.Queues[0].Replaced = c.replaced
		if got := len(planHealth(noon, v)); got != c.want {
			t.Errorf("after %v: %d are replaced, want %d", c.replaced, got, c.want)
		}
	}
}

func TestFaultOf(t *testing.T) {
	t.Parallel()
	const mb, gb, s = int64(1) << 20, int64(1) << 30, time.Second
	disk := func(free, size int64) hpc.NodeHealth {
		return hpc.NodeHealth{Disks: []hpc.Disk{{Path: "/", Size: size, Free: free}}}
	}
	files := func(free, all int64) hpc.NodeHealth {
		return hpc.NodeHealth{Disks: []hpc.Disk{{Path: "/", Size: gb, Free: gb, Inodes: all, FreeInodes: free}}}
	}
	clock := hpc.NodeHealth{Clock: noon}
	for name, c := range map[string]struct {
		h              hpc.NodeHealth
		offset, within time.Duration
		had, want      hpc.Ailment
	}{
		"nothing is known":                         {hpc.NodeHealth{}, 9 * s, 0, "", ""},
		"a large disk with more than 1 GB":         {disk(gb+1, 4000*gb), 0, 0, "", ""},
		"a large disk with 1 GB":                   {disk(gb, 4000*gb), 0, 0, "", hpc.DiskFull},
		"a disk with 1 %":                          {disk(gb/10, 10*gb), 0, 0, "", hpc.DiskFull},
		"a disk with 2 %":                          {disk(2*gb/10, 10*gb), 0, 0, "", ""},
		"a disk of 2 GB with 50 MB":                {disk(50*mb, 2*gb), 0, 0, "", hpc.DiskFull},
		"a disk of 2 GB with 51 MB":                {disk(51*mb, 2*gb), 0, 0, "", ""},
		"it was full and 51 MB are no relief":      {disk(51*mb, 2*gb), 0, 0, hpc.DiskFull, hpc.DiskFull},
		"it was full and 101 MB are":               {disk(101*mb, 2*gb), 0, 0, hpc.DiskFull, ""},
		"a disk of 100 MB with 20 MB":              {disk(20*mb, 100*mb), 0, 0, "", ""},
		"a disk of 100 MB with 5 MB":               {disk(5*mb, 100*mb), 0, 0, "", hpc.DiskFull},
		"a disk without a size":                    {disk(0, 0), 0, 0, "", ""},
		"a disk with less than nothing":            {disk(-5, gb), 0, 0, "", hpc.DiskFull},
		"a disk with few files":                    {files(1000, 1e7), 0, 0, "", hpc.DiskFull},
		"a disk with files enough":                 {files(1001, 1e7), 0, 0, "", ""},
		"a disk that has no files":                 {files(0, 50), 0, 0, "", hpc.DiskFull},
		"a disk that does not count its files":     {files(0, 0), 0, 0, "", ""},
		"a share":                                  {hpc.NodeHealth{Shares: []hpc.Share{{Path: "/home"}, {Path: "/opt", Fault: "is not mounted"}}}, 0, 0, "", hpc.ShareLost},
		"a clock that is ahead":                    {clock, 6 * s, 0, "", hpc.ClockOff},
		"a clock that is behind":                   {clock, -6 * s, 0, "", hpc.ClockOff},
		"a clock that is off by 5 s":               {clock, 5 * s, 0, "", ""},
		"a clock that may be right":                {clock, 6 * s, 1 * s, "", ""},
		"a clock that was off and is by 4.5 s":     {clock, 4500 * time.Millisecond, 0, hpc.ClockOff, hpc.ClockOff},
		"a clock that was off and is within 4 s":   {clock, 3900 * time.Millisecond, 0, hpc.ClockOff, ""},
		"a clock that was off and is hard to tell": {clock, 0, 4500 * time.Millisecond, hpc.ClockOff, hpc.ClockOff},
	} {
		if got := faultOf(c.h, c.offset, c.within, c.had); got.Cause != c.want {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
}

func TestAllClocksOffIsOneClockOff(t *testing.T) {
	t.Parallel()
	off, sound := &fault{Cause: hpc.ClockOff}, &fault{}
	for _, c := range []struct {
		found []*fault
		want  bool
	}{{[]*fault{off, off, nil, off}, true}, {[]*fault{off, off, sound}, false}, {[]*fault{off, nil}, false}, {nil, false}} {
		if got := ownClock(c.found); got != c.want {
			t.Errorf("%v: %v", c.found, got)
		}
	}
}

func TestCountEnd(t *testing.T) {
	t.Parallel()
	made := noon.Add(-time.Hour)
	end := func(id string, uid int, state hpc.JobState) scheduler.Job {
		return scheduler.Job{ID: id, UID: uid, State: state, Start: noon.Add(-time.Minute), End: noon}
	}
	task := func(id, array string) scheduler.Job {
		j := end(id, 1, hpc.JobFailed)
		j.Array = array
		return j
	}
	early := end("0", 1, hpc.JobNodeFail)
	early.Start = made.Add(-time.Second)
	for name, c := range map[string]struct {
		ends []scheduler.Job
		row  int
		kept []string
	}{
		"failures":                      {[]scheduler.Job{end("1", 1, hpc.JobFailed), end("2", 2, hpc.JobNodeFail)}, 2, []string{"1", "2"}},
		"a job that is told twice":      {[]scheduler.Job{end("1", 1, hpc.JobFailed), end("1", 1, hpc.JobFailed)}, 1, []string{"1"}},
		"tasks of an array":             {[]scheduler.Job{task("7_1", "7"), task("7_2", "7"), task("7_3", "7")}, 1, []string{"7"}},
		"one of its own that completes": {[]scheduler.Job{end("1", 1, hpc.JobFailed), end("2", 1, hpc.JobCompleted)}, 0, nil},
		"another's that completes":      {[]scheduler.Job{end("1", 1, hpc.JobFailed), end("2", 2, hpc.JobCompleted)}, 0, []string{"1"}},
		"a task that fails after that":  {[]scheduler.Job{task("7_1", "7"), end("2", 2, hpc.JobCompleted), task("7_2", "7")}, 1, []string{"7"}},
		"a job of the machine before":   {[]scheduler.Job{early}, 0, nil},
		"one that failed to be started": {[]scheduler.Job{{ID: "1", State: hpc.JobFailed, End: noon}}, 1, []string{"1"}},
	} {
		n := &store.Node{Health: store.Health{Since: made}}
		for _, e := range c.ends {
			countEnd(n, e)
		}
		var kept []string
		for _, f := range n.Health.Failures {
			kept = append(kept, f.Job)
		}
		if n.Health.InRow != c.row || !slices.Equal(kept, c.kept) {
			t.Errorf("%s: %d in a row, kept %v; want %d, %v", name, n.Health.InRow, kept, c.row, c.kept)
		}
	}
	n := new(store.Node)
	for i := range 3 * failuresKept {
		countEnd(n, end(string(rune('a'+i)), 1, hpc.JobFailed))
	}
	if len(n.Health.Failures) != failuresKept || n.Health.InRow != failuresKept {
		t.Errorf("%d failures are kept, %d in a row", len(n.Health.Failures), n.Health.InRow)
	}
}
