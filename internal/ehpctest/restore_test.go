package ehpctest

import (
	"context"
	"database/sql"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/auth"
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
	for who, what := range map[string]string{last.HostName: "made anew", "job " + a.JobId + " ": "the scheduler has lost it"} {
		if !again.told(t, id, who, what) {
			t.Errorf("the cluster's log does not tell of %s", who)
		}
	}
}

// TestABackupHasEveryTable fills every table of the schema, those added later
// too, and compares all rows with those of a restored backup.
func TestABackupHasEveryTable(t *testing.T) {
	t.Parallel()
	w, dir := NewWorld(provfake.Options{}), t.TempDir()
	p := Start(t, w, Options{Dir: dir, Engine: sqlite})
	p.fillStore(t, w)
	p.Kill() // so that nothing changes any more

	sealer, err := auth.OpenSealer(filepath.Join(dir, "sealer.key"))
	must(t, err)
	db, err := store.OpenAt(t.Context(), store.Place{Dir: dir}, sealer, slog.New(slog.DiscardHandler))
	must(t, err)
	file := filepath.Join(t.TempDir(), "b")
	must(t, backup.Write(t.Context(), file, dir, db.CopyTo))
	must(t, db.Close())
	before, after := openFile(t, dir), openFile(t, restore(t, file))
	for _, table := range tables(t, before) {
		rows := rowsOf(t, before, table, nil)
		if len(rows) == 0 {
			t.Errorf("nothing is in table %s: fill it", table)
		}
		restored := slices.DeleteFunc(rowsOf(t, after, table, nil), func(row string) bool { return table == "accounts" && strings.Contains(row, "'.restored-") })
		if !slices.Equal(rows, restored) {
			t.Errorf("table %s had %d rows and has %d, which are not the same:\n%q\n%q", table, len(rows), len(restored), rows, restored)
		}
	}
	for _, filled := range []string{"runs WHERE measured_on > 0 AND cpu_time > 0 AND energy > 0", "nodes WHERE health_cause <> '' AND health_reason <> ''",
		"nodes WHERE reclaim_phase = 'noticed' AND reclaim IS NOT NULL", "scale_configs WHERE resting LIKE '%ecs.c5.large%'"} {
		if column(t, after, "SELECT count(*) FROM "+filled) == "0\n" {
			t.Errorf("there is none of %s", filled)
		}
	}
}

func openFile(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+dir+"/ehpc.db?mode=ro")
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

// fillStore has something of everything happen that is written down.
func (p *Plane) fillStore(t *testing.T, w *World) {
	t.Helper()
	id := withAccount(t, w, p, 1)
	do := func(action string, pairs ...string) {
		t.Helper()
		must(t, call(t, p, action, append([]string{"ClusterId", id}, pairs...)...))
	}
	w.SchedulerOf(id).Script(func(spec hpc.JobSpec, _ string) schedfake.Outcome {
		return schedfake.Outcome{Duration: map[bool]time.Duration{true: time.Hour, false: 20 * time.Millisecond}[spec.Name == "long"]}
	})
	must(t, call(t, p, "CreateCluster", "Name", "scripted", "PostInstallScript.1.Url", "http://127.0.0.1/none", "EcsOrder.Compute.Count", "0", "ClientToken", "once"))
	newTemplate(t, p, url.Values{"Name": {"melt"}, "CommandLine": {"true"}})
	do("SetJobUser", "Runasuser", "worker", "RunasUserPassword", password)
	do("InvokeShellCommand", "Command", "true")

	short, energy := p.submit(t, job(id, "./run.sh")), int64(2500)
	p.untilState(t, id, short, "COMPLETED")
	p.Until(t, "its run is written down", func() bool { runs := p.runsOf(t, id, short); return len(runs) == 1 && !runs[0].Ended.IsZero() })
	w.Used(id, hpc.Measurement{Job: short, Host: "compute000", Final: true, Parts: []hpc.Used{{CPU: time.Second, Memory: 1 << 20, Energy: &energy}}})
	p.Until(t, "what it used is written down", func() bool { return p.used(t, id, short) != nil })

	do("AddNodes", "Count", "1", "ComputeSpotStrategy", "SpotAsPriceGo")
	p.Until(t, "it runs", func() bool { return len(p.Nodes(t, id)) == 4 && p.Nodes(t, id)[3].Status == "running" })
	long := job(id, "./run.sh")
	long.Name, long.Node = "long", new(2)
	p.untilState(t, id, p.submit(t, long), "RUNNING")
	do("SetAutoScaleConfig", "EnableAutoGrow", "true", "Queues.1.QueueName", "workq", "Queues.1.EnableAutoGrow", "true", "Queues.1.InstanceTypes", "ecs.c5.large")
	w.Machines.Stock("ecs.c5.large", 0)
	long.Thread = new(2)
	p.submit(t, long)
	p.Until(t, "there is no more of a type", func() bool { return p.told(t, id, "ecs.c5.large", "is left alone") })
	do("ReclaimNodes", "Instance.1.Id", p.node(t, id, "compute001").Id, "Notice", "120")
	p.Until(t, "its notice is noted", func() bool { return p.told(t, id, "compute001", "is taken back") })
	w.agentOf(t, p, id, "compute000").Ail(func(h *hpc.NodeHealth) { h.Disks[0].Free = 0 })
	p.Until(t, "the other is sick", func() bool { return p.told(t, id, "compute000", "is drained") })
	p.refuseAccounts(t, w, id, "login0")
	if err := call(t, p, "ModifyUserPasswords", "ClusterId", id, "User.1.Name", "worker", "User.1.Password", password); codeOf(t, err) != "ServiceUnavailable" {
		t.Errorf("a node that cannot be told: %v", err)
	}
	do("SetBudget", "Limit", "0", "LimitAction", "hold new jobs")
	p.Until(t, "the budget is reached", func() bool { return p.told(t, id, "budget", "is reached") })
	must(t, p.Store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
		_, err := tx.MovePastJobs(ctx, id, time.Now(), 10)
		return err
	}))
}
