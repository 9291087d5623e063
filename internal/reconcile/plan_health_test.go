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

// fails has jobs not begin on a node, loses has them lose it.
func fails(n *store.Node, uid int, jobs ...string) { accuse(n, false, uid, jobs) }
func loses(n *store.Node, uid int, jobs ...string) { accuse(n, true, uid, jobs) }

func accuse(n *store.Node, lost bool, uid int, jobs []string) {
	for _, job := range jobs {
		n.Health.Failures = append(n.Health.Failures, hpc.JobFailure{Job: job, UID: uid, Lost: lost, At: noon.Add(-time.Minute)})
		n.Health.InRow++
	}
}

// jobsSpeakAgainst has a node drained for the sake of three jobs of two accounts.
func (v *healthView) jobsSpeakAgainst(n *store.Node, state scheduler.NodeState) {
	fails(n, 1, "1", "2")
	fails(n, 2, "3")
	v.sick(n, state)
	n.Health.Cause = hpc.JobsFail
	v.finds(n, "", 9)
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
		"being replaced, and it joined again":           {func(v *healthView, n *store.Node) { v.sick(n, scheduler.NodeIdle); n.Health.Replacing = true }, []healthAct{replaceSick}},
		"well again, with a job":                        {func(v *healthView, n *store.Node) { v.sick(n, scheduler.NodeDraining); v.finds(n, "", 2) }, []healthAct{noteSound}},
		"well again at one look":                        {func(v *healthView, n *store.Node) { v.sick(n, scheduler.NodeDraining); v.finds(n, "", 1) }, nil},
		"well again, and the resume was cut off":        {func(v *healthView, n *store.Node) { v.sched(n, scheduler.NodeDrained, sickPrefix+"it was so") }, []healthAct{resumeSound}},
		"three jobs of two accounts did not begin":      {func(v *healthView, n *store.Node) { fails(n, 1, "1", "2"); fails(n, 2, "3") }, []healthAct{noteSick}},
		"two jobs of two accounts did not":              {func(v *healthView, n *store.Node) { fails(n, 1, "1"); fails(n, 2, "2") }, nil},
		"nine jobs of one account did not":              {func(v *healthView, n *store.Node) { fails(n, 1, "1", "2", "3", "4", "5", "6", "7", "8", "9") }, nil},
		"three jobs of one account lost it":             {func(v *healthView, n *store.Node) { loses(n, 1, "1", "2", "3") }, []healthAct{noteSick}},
		"two of one account lost it, one did not begin": {func(v *healthView, n *store.Node) { loses(n, 1, "1", "2"); fails(n, 1, "3") }, nil},
		"three, and one ran to its end between":         {func(v *healthView, n *store.Node) { fails(n, 1, "1", "2"); fails(n, 2, "3"); n.Health.InRow = 1 }, nil},
		"three, one of them long ago": {func(v *healthView, n *store.Node) {
			loses(n, 1, "1", "2", "3")
			n.Health.Failures[0].At = noon.Add(-61 * time.Minute)
		}, nil},
		"four, one of them long ago": {func(v *healthView, n *store.Node) {
			loses(n, 1, "1", "2", "3", "4")
			n.Health.Failures[0].At = noon.Add(-61 * time.Minute)
		}, []healthAct{noteSick}},
		"of two accounts the second one's is long ago": {func(v *healthView, n *store.Node) {
			fails(n, 2, "1")
			fails(n, 1, "2", "3", "4")
			n.Health.Failures[0].At = noon.Add(-61 * time.Minute)
		}, nil},
		"three of an account that loses another, too": {func(v *healthView, n *store.Node) { loses(n, 1, "1", "2", "3"); loses(v.Nodes[3], 1, "4") }, nil},
		"it lost another long ago": {func(v *healthView, n *store.Node) {
			loses(n, 1, "1", "2", "3")
			loses(v.Nodes[3], 1, "4")
			v.Nodes[3].Health.Failures[0].At = noon.Add(-2 * time.Hour)
		}, []healthAct{noteSick}},
		"it lost another that has been replaced": {func(v *healthView, n *store.Node) {
			loses(n, 1, "1", "2", "3")
			loses(v.Nodes[3], 1, "4")
			v.Nodes[3].Health.InRow = 0
		}, nil},
		"another account's job did not begin elsewhere": {func(v *healthView, n *store.Node) { loses(n, 1, "1", "2", "3"); fails(v.Nodes[3], 2, "4") }, []healthAct{noteSick}},
		"of two accounts one fails here alone":          {func(v *healthView, n *store.Node) { fails(n, 1, "1", "2"); fails(n, 2, "3"); fails(v.Nodes[3], 1, "4") }, []healthAct{noteSick}},
		"no job begins on either node": {func(v *healthView, n *store.Node) {
			for _, n := range v.Nodes[2:] {
				fails(n, 1, "1", "2")
				fails(n, 2, "3")
			}
		}, nil},
		"three, and all that grew old": {func(v *healthView, n *store.Node) {
			v.jobsSpeakAgainst(n, scheduler.NodeDraining)
			n.Health.Failures[0].At = noon.Add(-2 * time.Hour)
		}, nil},
		"jobs speak against it, and it has none": {func(v *healthView, n *store.Node) { v.jobsSpeakAgainst(n, scheduler.NodeDrained) }, []healthAct{replaceSick}},
		"jobs speak against it, and its queue has come to a halt": {func(v *healthView, n *store.Node) {
			v.jobsSpeakAgainst(n, scheduler.NodeDrained)
			v.Queues[0].Halted = noon
		}, []healthAct{noteSound}},
		"its queue has come to a halt, and nobody has looked at it": {func(v *healthView, n *store.Node) {
			v.jobsSpeakAgainst(n, scheduler.NodeDrained)
			v.Queues[0].Halted = noon
			v.finds(n, "", 1)
		}, nil},
		"it is back in service, and its queue has come to a halt": {func(v *healthView, n *store.Node) {
			v.jobsSpeakAgainst(n, scheduler.NodeIdle)
			n.Health.Cause, v.Queues[0].Halted = "", noon
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
			loses(v.Nodes[0], 1, "1", "2", "3")
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
		"a disk that errs":                         {hpc.NodeHealth{Disks: []hpc.Disk{{Path: "/", Fault: "cannot be written: input/output error"}}}, 0, 0, "", hpc.DiskBroken},
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
	end := func(job string, uid int, says verdict) nodeEnd {
		return nodeEnd{Job: job, UID: uid, Verdict: says, Start: noon.Add(-time.Minute), End: noon}
	}
	early := end("0", 1, lostJob)
	early.Start = made.Add(-time.Second)
	for name, c := range map[string]struct {
		ends []nodeEnd
		row  int
		kept []string
	}{
		"jobs that did not begin, or lost it":   {[]nodeEnd{end("1", 1, notBegun), end("2", 2, lostJob)}, 2, []string{"1", "2"}},
		"a job that is told again":              {[]nodeEnd{end("1", 1, notBegun), end("1", 1, notBegun)}, 1, []string{"1"}},
		"one of its own that ran":               {[]nodeEnd{end("1", 1, notBegun), end("2", 1, works)}, 0, nil},
		"another's that ran":                    {[]nodeEnd{end("1", 1, notBegun), end("2", 2, works)}, 0, []string{"1"}},
		"a task that does not begin after that": {[]nodeEnd{end("7", 1, notBegun), end("2", 2, works), end("7", 1, notBegun)}, 1, []string{"7"}},
		"a job of the machine before":           {[]nodeEnd{early}, 0, nil},
		"one that has no start":                 {[]nodeEnd{{Job: "1", Verdict: notBegun, End: noon}}, 1, []string{"1"}},
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
		countEnd(n, end(string(rune('a'+i)), 1, notBegun))
	}
	if len(n.Health.Failures) != failuresKept || n.Health.InRow != failuresKept {
		t.Errorf("%d are kept, %d in a row", len(n.Health.Failures), n.Health.InRow)
	}
}

func TestWhatTheEndOfAJobSaysOfItsNodes(t *testing.T) {
	t.Parallel()
	one, two := []string{"compute000"}, []string{"compute000", "compute001"}
	over := &hpc.Run{Began: noon.Add(-time.Minute), Ended: noon, ExitCode: 2}
	killed := &hpc.Run{Began: noon.Add(-time.Minute), Ended: noon, ExitCode: 137, Killed: "its node failed"}
	for name, c := range map[string]struct {
		e        scheduler.Job
		unwanted bool
		says     verdict
		of       []string
	}{
		"it completed":                           {scheduler.Job{State: hpc.JobCompleted, Nodes: two}, false, works, two},
		"its script failed":                      {scheduler.Job{State: hpc.JobFailed, ExitCode: 2, Run: over, Nodes: one}, false, works, one},
		"its script had run, and its node went":  {scheduler.Job{State: hpc.JobNodeFail, Run: over, Nodes: one}, false, works, one},
		"its script did not begin":               {scheduler.Job{State: hpc.JobFailed, ExitCode: 1, Nodes: one}, false, notBegun, one},
		"it did not begin on the first of two":   {scheduler.Job{State: hpc.JobFailed, ExitCode: 1, Nodes: two}, false, notBegun, one},
		"its node could not be told to begin":    {scheduler.Job{State: hpc.JobNodeFail, Nodes: one}, false, notBegun, one},
		"its directory is missing":               {scheduler.Job{State: hpc.JobFailed, ExitCode: hpc.ExitNotLaunched, Nodes: one}, false, silent, nil},
		"it was stopped before it began":         {scheduler.Job{State: hpc.JobFailed, ExitCode: 1, Nodes: one}, true, silent, nil},
		"it lost its node":                       {scheduler.Job{State: hpc.JobNodeFail, Run: killed, Nodes: one}, false, lostJob, one},
		"it lost one of two":                     {scheduler.Job{State: hpc.JobNodeFail, Run: killed, Nodes: two}, false, silent, nil},
		"it was cancelled":                       {scheduler.Job{State: hpc.JobCancelled, Run: killed, Nodes: one}, false, silent, nil},
		"it ran out of time":                     {scheduler.Job{State: hpc.JobTimeout, Run: killed, Nodes: one}, false, silent, nil},
		"it was never on a node":                 {scheduler.Job{State: hpc.JobFailed, ExitCode: 1}, false, silent, nil},
		"a task did not begin":                   {scheduler.Job{Array: "1", Task: "3", State: hpc.JobFailed, ExitCode: 1, Nodes: one}, false, notBegun, one},
		"the rest of an array ended as a whole":  {scheduler.Job{Array: "1", State: hpc.JobFailed, ExitCode: 1, Nodes: one}, false, silent, nil},
		"it was taken for another account's":     {scheduler.Job{UID: 99, State: hpc.JobFailed, ExitCode: 1, Nodes: one}, false, silent, nil},
		"its record was cut off behind its name": {scheduler.Job{State: hpc.JobFailed, Token: "-", Nodes: one}, false, silent, nil},
	} {
		row := &store.Job{PublicID: "9", Token: "t", Wanted: !c.unwanted, Spec: hpc.JobSpec{UID: 20000}}
		if c.e.UID == 0 {
			c.e.UID = 20000
		}
		if c.e.ID = "1"; c.e.Token == "" {
			c.e.Token = "T" // as Slurm may have it
		}
		got, of := nodeEndOf(row, c.e)
		if got.Verdict != c.says || !slices.Equal(of, c.of) || got.Job != "9" {
			t.Errorf("%s: %v of %v for job %s", name, got.Verdict, of, got.Job)
		}
	}
	byHand := scheduler.Job{ID: "5", State: hpc.JobFailed, ExitCode: 1, Nodes: one}
	if got, of := nodeEndOf(&store.Job{PublicID: "5", Wanted: true}, byHand); got.Verdict != silent || of != nil {
		t.Errorf("of a job that was submitted on a node nobody knows whether it began: %v of %v", got.Verdict, of)
	}
	byHand.State = hpc.JobNodeFail
	if got, _ := nodeEndOf(nil, byHand); got.Verdict != lostJob || got.Job != "5" {
		t.Errorf("it lost its node: %+v", got)
	}
}
