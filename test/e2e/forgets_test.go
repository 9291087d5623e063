package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// TestWhatAControllerForgotIsMadeGood takes a controller back to what it knew
// some time ago, in every way that a kill can.
func TestWhatAControllerForgotIsMadeGood(t *testing.T) {
	t.Parallel()
	k := newController(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *controller)
	}{
		{"jobs that had ended come back to the queue and do not run", testComesBack},
		{"accepted jobs are forgotten and run", testForgotten},
		{"running jobs are forgotten and killed", testForgottenRunning},
		{"jobs that ended while the service was down are forgotten with their end", testForgottenEnd},
		{"an array is half done", testHalfDone},
		{"jobs whose scripts cannot begin for a moment run after all", testUnbegun},
		{"a manager is made anew at once", testManagerAnew},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, k) })
	}
	k.Delete(t)
}

func testComesBack(t *testing.T, k *controller) {
	first := k.submit(t, "back.first", enter+leave, onAllCores)
	k.startedIn(t, "back.first", 1)
	good := k.submit(t, "back.good", leave)
	again := k.submit(t, "back.again", leave, rerunable)
	bad := k.submit(t, "back.bad", leave+"; exit 3")
	tasks := k.submit(t, "back.tasks", `echo NAME.$SLURM_ARRAY_TASK_ID >> names`, array("1-2"))
	stopped := k.submit(t, "back.stopped", leave)
	deleted := k.submit(t, "back.deleted", leave)
	for _, id := range []string{good, again, bad, tasks, stopped, deleted} {
		k.AwaitJob(t, id, "PENDING")
	}
	rig.Until(t, "the jobs are released", settleLimit, func() bool {
		reasons, err := k.TryInside(t, k.manager, "squeue --noheader --all --format=%r")
		return err == nil && !strings.Contains(reasons, "Held")
	})
	before := k.remember(t)
	k.Do(t, &api.StopJobsRequest{ClusterId: k.ID, Jobs: jobList(t, stopped)}, nil)
	k.Do(t, &api.DeleteJobsRequest{ClusterId: k.ID, Jobs: jobList(t, deleted)}, nil)
	k.let(t)
	ends := map[string]rig.Details{}
	for _, want := range []struct{ name, id, state string }{{"back.first", first, "COMPLETED"}, {"back.good", good, "COMPLETED"},
		{"back.again", again, "COMPLETED"}, {"back.bad", bad, "FAILED"}, {"back.tasks", tasks, "COMPLETED"}, {"back.stopped", stopped, "CANCELLED"}} {
		ends[want.name] = k.final(t, want.name, want.id, want.state)
	}

	k.Kill() // the service would cancel what comes back, if it came in time
	k.stop(t)
	k.takeBack(t, before)
	k.start(t)
	if queue := k.Inside(t, k.manager, "squeue --noheader --all --format=%j"); !strings.Contains(queue, "back.") {
		t.Fatalf("the controller's queue is %q: nothing came back, so this shows nothing", queue)
	}
	k.Inside(t, k.manager, "scancel "+first) // for the controller it runs still, and has all cores
	k.drained(t)
	k.Restart(t)
	rig.Until(t, "the cluster runs again", rig.ComeUp, func() bool {
		return k.Running(t) && k.Try(t, "manager", "true").ExitCode == 0 // and its manager can be reached
	})
	k.idle(t, "back.last")
	k.runs(t, map[string]int{"back.first": 1, "back.good": 1, "back.again": 1, "back.bad": 1, "back.tasks.1": 1, "back.tasks.2": 1,
		"back.stopped": 0, "back.deleted": 0, "back.last": 1})
	for name, was := range ends {
		now := k.Describe(t, was.Id)
		if now.State != was.State || now.ExitCode != was.ExitCode || now.StartTime != was.StartTime || now.EndTime != was.EndTime {
			t.Errorf("%s is %s with exit status %d, from %s to %s; it was %s with %d, from %s to %s\n%s", name, now.State, now.ExitCode, now.StartTime,
				now.EndTime, was.State, was.ExitCode, was.StartTime, was.EndTime, k.Evidence(t, k.manager, name, was.Id))
		}
	}
	if slices.ContainsFunc(k.Jobs(t), func(j api.ListJobsJobInfo) bool { return j.Id == deleted }) {
		t.Errorf("the deleted job %s is listed again", deleted)
	}
}

// testUnbegun hides what runs jobs' scripts from a node, for a moment: Slurm calls
// the jobs failed, as it does when it loses their scripts.
func testUnbegun(t *testing.T, k *controller) {
	node := k.Node(t, "compute000").Id
	k.Inside(t, node, "mount -t tmpfs none /ehpc/bin")
	show := sync.OnceFunc(func() { k.Inside(t, node, "umount /ehpc/bin") })
	defer show()
	id := k.submit(t, "unbegun", leave)
	rig.Until(t, "the job is submitted again", settleLimit, func() bool {
		return slices.ContainsFunc(k.Logs(t), func(l api.ListClusterLogsLogInfo) bool {
			return strings.Contains(l.Message, "a node could not start job "+id+", it is submitted again")
		})
	})
	show()
	k.final(t, "unbegun", id, "COMPLETED")
	k.runs(t, map[string]int{"unbegun": 1})
}

func jobList(t *testing.T, ids ...string) string {
	t.Helper()
	var list []map[string]string
	for _, id := range ids {
		list = append(list, map[string]string{"Id": id})
	}
	text, err := json.Marshal(list)
	rig.Must(t, err)
	return string(text)
}

func testForgotten(t *testing.T, k *controller) {
	k.hold(t)
	ended := k.byHand(t, "hand.ended", "true")
	k.AwaitJob(t, ended, "COMPLETED")
	first := k.submit(t, "lost.first", enter+leave, onAllCores)
	k.startedIn(t, "lost.first", 1)
	before := k.remember(t)
	plain := k.submit(t, "lost.plain", leave)
	tasks := k.submit(t, "lost.tasks", `echo NAME.$SLURM_ARRAY_TASK_ID >> names`, array("1-3"))
	stopped := k.submit(t, "lost.stopped", leave)
	hand := k.byHand(t, "hand.lost", leave)
	k.Do(t, &api.StopJobsRequest{ClusterId: k.ID, Jobs: jobList(t, stopped)}, nil)

	k.stop(t)
	k.takeBack(t, before)
	k.start(t)
	k.let(t)
	k.final(t, "lost.first", first, "COMPLETED")
	k.final(t, "lost.plain", plain, "COMPLETED")
	k.final(t, "lost.tasks", tasks, "COMPLETED")
	k.final(t, "lost.stopped", stopped, "CANCELLED")
	k.idle(t, "lost.last")
	k.runs(t, map[string]int{"lost.first": 1, "lost.plain": 1, "lost.tasks.1": 1, "lost.tasks.2": 1, "lost.tasks.3": 1,
		"lost.stopped": 0, "hand.lost": 0, "lost.last": 1})
	if n := k.Count(t, "home", "lovelace", "starts")["lost.first"]; n != 1 {
		t.Errorf("the job that ran all the time has started %d times", n)
	}
	if job := k.Job(t, ended); job.State != "COMPLETED" || job.Name != "hand.ended" {
		t.Errorf("the job that was submitted by hand and had ended is now %+v", job)
	}
	if job := k.Job(t, hand); job.Name != "hand.lost" || job.State == "COMPLETED" {
		t.Errorf("the job that was submitted by hand and forgotten is now %+v", job)
	}
}

func testForgottenRunning(t *testing.T, k *controller) {
	k.hold(t)
	before := k.remember(t)
	again := k.submit(t, "killed.again", enter+leave, rerunable)
	never := k.submit(t, "killed.never", enter+leave)
	k.startedIn(t, "killed.again", 1)
	k.startedIn(t, "killed.never", 1)
	k.AwaitJob(t, again, "RUNNING")
	k.AwaitJob(t, never, "RUNNING")

	k.stop(t)
	k.takeBack(t, before)
	k.start(t)
	k.startedIn(t, "killed.again", 2)
	k.let(t)
	k.final(t, "killed.again", again, "COMPLETED")
	if job := k.final(t, "killed.never", never, "FAILED"); !strings.Contains(job.Comment, "killed") {
		t.Errorf("the job that may not be rerun and was killed does not say why it failed: %+v", job)
	}
	k.idle(t, "killed.last")
	k.runs(t, map[string]int{"killed.again": 1, "killed.never": 0, "killed.last": 1})
	if starts := k.Count(t, "home", "lovelace", "starts"); starts["killed.again"] != 2 || starts["killed.never"] != 1 {
		t.Errorf("the jobs have started %d and %d times", starts["killed.again"], starts["killed.never"])
	}
}

func testForgottenEnd(t *testing.T, k *controller) {
	k.hold(t)
	before := k.remember(t)
	good := k.submit(t, "silent.good", enter+leave)
	bad := k.submit(t, "silent.bad", enter+leave+"; exit 4")
	k.AwaitJob(t, good, "RUNNING")
	k.AwaitJob(t, bad, "RUNNING")
	k.Kill()
	k.let(t)
	rig.Until(t, "the jobs have ended", rig.ComeUp, func() bool {
		return len(k.Endings(t, "silent.good")) > 0 && len(k.Endings(t, "silent.bad")) > 0
	})
	k.stop(t)
	k.takeBack(t, before)
	k.forgetEnds(t, before)
	k.start(t)
	k.Restart(t)
	if job := k.final(t, "silent.good", good, "COMPLETED"); job.ExitCode != 0 {
		t.Errorf("the good job's exit status is %d", job.ExitCode)
	}
	if job := k.final(t, "silent.bad", bad, "FAILED"); job.ExitCode != 4 {
		t.Errorf("the bad job's exit status is %d", job.ExitCode)
	}
	k.idle(t, "silent.last")
	k.runs(t, map[string]int{"silent.good": 1, "silent.bad": 1, "silent.last": 1})
}

func testHalfDone(t *testing.T, k *controller) {
	id := k.submit(t, "half", `sleep 0.3; echo NAME.$SLURM_ARRAY_TASK_ID >> names`, array("1-8"))
	done := func() int {
		return len(slices.DeleteFunc(k.Lines(t, "home", "lovelace", "names"), func(l string) bool { return !strings.HasPrefix(l, "half.") }))
	}
	rig.Until(t, "half of the array is done", rig.ComeUp, func() bool { return done() >= 3 })
	k.KillDaemon(t, k.manager, "slurmctld")
	k.final(t, "half", id, "COMPLETED")
	k.idle(t, "half.last")
	k.runs(t, map[string]int{"half.1": 1, "half.2": 1, "half.3": 1, "half.4": 1, "half.5": 1, "half.6": 1, "half.7": 1, "half.8": 1, "half.last": 1})
	if n := done(); n != 9 {
		t.Errorf("%d tasks have run, want 8 and the last job", n)
	}
}

func testManagerAnew(t *testing.T, k *controller) {
	k.hold(t)
	running := k.submit(t, "anew.running", enter+leave, onAllCores)
	k.startedIn(t, "anew.running", 1)
	k.remember(t)                                 // a controller that is stopped writes its state
	pending := k.submit(t, "anew.pending", leave) // the controller has it in memory alone
	kill(t, k.Cluster, "manager")
	k.let(t)
	k.final(t, "anew.running", running, "COMPLETED")
	k.final(t, "anew.pending", pending, "COMPLETED")
	k.idle(t, "anew.last")
	k.runs(t, map[string]int{"anew.running": 1, "anew.pending": 1, "anew.last": 1})
	if n := k.Count(t, "home", "lovelace", "starts")["anew.running"]; n != 1 {
		t.Errorf("the running job has started %d times", n)
	}
}
