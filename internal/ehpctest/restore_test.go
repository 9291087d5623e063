package ehpctest

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/backup"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	schedfake "ehpc/internal/scheduler/fake"
	"ehpc/internal/store"
)

// restore puts a backup of the plane's store into a new data directory.
func restore(t *testing.T, file string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	_, err := backup.Restore(file, dir, func(file string) error { return store.Restored(t.Context(), file, time.Now()) })
	must(t, err)
	return dir
}

// TestAServerOnARestoredStoreCarriesOn makes a backup in the middle of things,
// goes on, and then starts from the backup: what lives is taken up, what ended
// or died meanwhile is told, what came later is found.
func TestAServerOnARestoredStoreCarriesOn(t *testing.T) {
	t.Parallel()
	w, dir := NewWorld(provfake.Options{}), t.TempDir()
	p := Start(t, w, Options{Dir: dir, Engine: sqlite})
	id := withAccount(t, w, p, 3)
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: time.Hour} })
	submit := func() string {
		var a api.SubmitJobResponse
		must(t, p.Do(t.Context(), job(id, "./run.sh"), &a))
		return a.JobId
	}
	state := func(p *Plane, jobID string) string {
		all := p.jobs(t, id)
		if i := slices.IndexFunc(all, func(j api.ListJobsJobInfo) bool { return j.Id == jobID }); i >= 0 {
			return all[i].State
		}
		return ""
	}
	lives, ends := submit(), submit()
	p.Until(t, "both jobs run", func() bool { return state(p, lives) == "RUNNING" && state(p, ends) == "RUNNING" })

	file := filepath.Join(t.TempDir(), "b")
	must(t, backup.Write(t.Context(), file, dir, p.Store.CopyTo))

	must(t, w.SchedulerOf(id).Cancel(t.Context(), ends))
	p.Until(t, "one job has ended", func() bool { return state(p, ends) == "CANCELLED" })
	later := submit()
	p.Until(t, "a job runs that the backup does not know", func() bool { return state(p, later) == "RUNNING" })
	var added api.AddNodesResponse
	must(t, p.Do(t.Context(), &api.AddNodesRequest{ClusterId: id, Count: 1}, &added))
	young := added.InstanceIds.InstanceId[0]
	p.Until(t, "a node runs that the backup does not know", func() bool { return w.Agent(young) != nil && p.Nodes(t, id)[5].Status == "running" })
	youngsters := []api.AddUsersRequestUser{{Name: "youngone", Group: "users", Password: password}, {Name: "younger", Group: "users", Password: password}}
	must(t, p.Do(t.Context(), &api.AddUsersRequest{ClusterId: id, User: youngsters}, &api.AddUsersResponse{}))
	youngUID := uidOf(t, p, id, "younger")
	p.Kill()

	again := Start(t, w, Options{Dir: restore(t, file), Engine: sqlite, Keep: true})
	again.Client = clientOf(t, again.URL, p.Key)
	again.Until(t, "the job that lives is taken up", func() bool { return state(again, lives) == "RUNNING" })
	again.Until(t, "the end of the other is told", func() bool { return state(again, ends) == "CANCELLED" })
	again.Until(t, "the job that came later is found", func() bool { return state(again, later) == "RUNNING" })
	if w.Agent(young) == nil {
		t.Error("a machine that is younger than the backup was removed")
	}
	must(t, again.Do(t.Context(), &api.AddUsersRequest{ClusterId: id, User: []api.AddUsersRequestUser{{Name: "another", Group: "users", Password: password}}}, &api.AddUsersResponse{}))
	if uid := uidOf(t, again, id, "another"); uid <= youngUID {
		t.Errorf("a new account has uid %d, and with it the files of one that the backup does not know, which has %d", uid, youngUID)
	}
}

func uidOf(t *testing.T, p *Plane, clusterID, name string) (uid int) {
	t.Helper()
	a, err := p.Store.Read().Account(t.Context(), clusterID, name)
	must(t, err)
	return a.UID
}

// TestARestoredServerTellsWhatDied starts from a backup after a machine and a job
// have gone that the backup knows.
func TestARestoredServerTellsWhatDied(t *testing.T) {
	t.Parallel()
	w, dir := NewWorld(provfake.Options{}), t.TempDir()
	p := Start(t, w, Options{Dir: dir, Engine: sqlite})
	id := withAccount(t, w, p, 2)
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: time.Hour} })
	var a api.SubmitJobResponse
	must(t, p.Do(t.Context(), job(id, "./run.sh"), &a))
	p.Until(t, "the job runs", func() bool { return p.jobs(t, id)[0].State == "RUNNING" })
	file := filepath.Join(t.TempDir(), "b")
	must(t, backup.Write(t.Context(), file, dir, p.Store.CopyTo))
	last := p.Nodes(t, id)[3]
	p.Kill()
	w.SchedulerOf(id).Crash(time.Hour) // it comes back without the job
	must(t, w.Machines.Destroy(context.WithoutCancel(t.Context()), last.Id))

	again := Start(t, w, Options{Dir: restore(t, file), Engine: sqlite, Keep: true})
	again.Client = clientOf(t, again.URL, p.Key)
	again.Until(t, "the node is made anew", func() bool { return w.Agent(last.Id) != nil && again.Nodes(t, id)[3].Status == "running" })
	again.Until(t, "the job has failed", func() bool { return again.jobs(t, id)[0].State == "FAILED" })
	var logs api.ListClusterLogsResponse
	must(t, again.Do(t.Context(), &api.ListClusterLogsRequest{ClusterId: id, PageNumber: 1, PageSize: 100}, &logs))
	for who, what := range map[string]string{last.HostName: "made anew", "job " + a.JobId + " ": "the scheduler has lost it"} {
		if !slices.ContainsFunc(logs.Logs.LogInfo, func(l api.ListClusterLogsLogInfo) bool {
			return strings.Contains(l.Message, who) && strings.Contains(l.Message, what)
		}) {
			t.Errorf("the cluster's log does not tell of %s: %+v", who, logs.Logs.LogInfo)
		}
	}
}
