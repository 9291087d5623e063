package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"testing"
	"time"

	"ehpc/client"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
	"ehpc/test/e2e/rig"
)

// Rows of the clusters that listings are measured on.
const (
	manyJobs  = 100_000
	manyNodes = 10_000
)

// listings asks for pages of large clusters, over HTTP and signed.
func listings(b *testing.B, _ *world, t *table) {
	c, db := withStore(b, 1)
	fillJobs(b, db)
	fillNodes(b, db)
	jobs := queries{
		"ListJobs":            {"", "Owner=user3", "State=finished", "State=notfinish"},
		"ListJobsWithFilters": {"", "Users.1=user3&Users.2=user5", "Queues.1=gpu", "JobName=job-42", "Nodes.1=compute007&Nodes.2=compute011", "JobStatus=finished", "CreateTimeStart=1700030000&CreateTimeEnd=1700060000", "SubmitOrder=asc", "PendOrder=desc", "ExecuteOrder=desc", "ExecuteOrder=asc&PendOrder=desc&Users.1=user1"},
	}
	nodes := queries{
		"ListNodes":        {"", "Role=Compute", "Role=Manager", "HostName=9[0-9]%24", "HostNamePrefix=compute01", "HostNameSuffix=7", "SortBy=HostName&Sequence=Backward", "PrivateIpAddress=10.1.2.3"},
		"ListNodesByQueue": {"QueueName=gpu"},
	}
	t.add(b, measureListing(b, c, 80, "ListJobs and ListJobsWithFilters, 100,000 jobs: any page, filter and order", manyJobs, jobs))
	t.add(b, measureListing(b, c, 81, "ListNodes and ListNodesByQueue, 10,000 nodes: any page, filter and order", manyNodes, nodes))
}

// queries are the filters and orders that each action is asked for.
type queries map[string][]string

func measureListing(b *testing.B, c *client.Client, place int, what string, rows int, q queries) *row {
	b.Helper()
	const each = 80 // requests of a filter
	r := &row{place: place, what: what, unit: "ms p99", goal: atMost(25, "ms p99")}
	random := rand.New(rand.NewPCG(1, uint64(rows)))
	var all []float64
	worst, worstName := 0.0, ""
	begun := time.Now()
	for action, filters := range q {
		for _, filter := range filters {
			var some []float64
			for i := range each {
				params, err := url.ParseQuery(filter)
				rig.Must(b, err)
				params.Set("ClusterId", "ehpc-hz-large")
				params.Set("PageSize", "50")
				last := rows / 50
				params.Set("PageNumber", strconv.Itoa([]int{1, last / 2, last, 1 + random.IntN(last)}[i%4]))
				at := time.Now()
				_, err = c.Call(b.Context(), action, params)
				took := milliseconds(time.Since(at))
				rig.Must(b, err)
				if len(all) == 0 && i == 0 {
					r.note = fmt.Sprintf("the first of all %s ms", short(milliseconds(time.Since(begun))))
				} else {
					some = append(some, took)
				}
			}
			if slow := quantile(some, 0.99); slow > worst {
				worst, worstName = slow, action+"?"+filter
			}
			all = append(all, some...)
		}
	}
	r.ours = []float64{quantile(all, 0.99)}
	r.note = fmt.Sprintf("median %s ms, slowest filter p99 %s ms; %s", short(middle(all)), short(worst), r.note)
	b.Logf("slowest: %s", worstName)
	return r
}

func fillJobs(b *testing.B, db *store.Store) {
	b.Helper()
	random := rand.New(rand.NewPCG(2, 3))
	first := time.Unix(1_700_000_000, 0).UTC()
	rig.Must(b, db.Change(b.Context(), func(ctx context.Context, tx store.Tx) error {
		c := &store.Cluster{ID: "ehpc-hz-large", Name: "large", Owner: "owner", Status: hpc.ClusterRunning, Wanted: true, Scheduler: "slurm", Created: first, Changed: first}
		if err := tx.InsertCluster(ctx, c, hpc.Secrets{}); err != nil {
			return err
		}
		for _, queue := range []string{"workq", "gpu"} {
			if err := tx.InsertQueue(ctx, &store.Queue{ClusterID: c.ID, Name: queue, IsDefault: queue == "workq", Created: first}); err != nil {
				return err
			}
		}
		return nil
	}))
	for from := 0; from < manyJobs; from += 500 {
		var jobs []*store.Job
		for n := from; n < from+500; n++ {
			jobs = append(jobs, largeJob(random, n, first))
		}
		rig.Must(b, db.Change(b.Context(), func(ctx context.Context, tx store.Tx) error { return tx.InsertJob(ctx, jobs...) }))
	}
}

// largeJob is the n-th job; the last tenth has not ended.
func largeJob(random *rand.Rand, n int, first time.Time) *store.Job {
	id, at := strconv.Itoa(n+1), first.Add(time.Duration(n)*time.Second)
	j := &store.Job{ID: store.NewID(), ClusterID: "ehpc-hz-large", PublicID: id, SchedID: id, Token: store.NewID(), Owner: fmt.Sprint("user", random.IntN(20)),
		Name: fmt.Sprint("job-", n%500), Queue: []string{"workq", "gpu"}[random.IntN(2)], State: hpc.JobPending, Wanted: true, Released: true,
		CommandLine: "bash melt.sh", NodeList: []string{}, Nodes: 1, Cores: 4, Stdout: "/home/user/out-%j", Stderr: "/home/user/err-%j",
		Spec: hpc.JobSpec{Name: "melt", Env: []hpc.EnvVar{{Name: "STEPS", Value: "100"}, {Name: "SEED", Value: id}}}, Submitted: at, Modified: at}
	if n < manyJobs*95/100 {
		j.State, j.Started = hpc.JobRunning, at.Add(time.Duration(random.IntN(3600))*time.Second)
		j.NodeList = []string{fmt.Sprintf("compute%03d", random.IntN(200)), fmt.Sprintf("compute%03d", random.IntN(200))}
	}
	if n < manyJobs*9/10 {
		j.State, j.Ended = hpc.JobCompleted, j.Started.Add(time.Duration(random.IntN(7200))*time.Second)
	}
	return j
}

func fillNodes(b *testing.B, db *store.Store) {
	b.Helper()
	at := time.Unix(1_700_000_000, 0).UTC()
	for from := 0; from < manyNodes; from += 500 {
		var nodes []*store.Node
		for n := from; n < from+500; n++ {
			node := &store.Node{ID: fmt.Sprintf("i-%020d", n), ClusterID: "ehpc-hz-large", Hostname: fmt.Sprintf("compute%05d", n), Roles: []hpc.Role{hpc.RoleCompute},
				InstanceType: hpc.InstanceType{Name: "ecs.n1.tiny", Cores: 1, MemoryMB: 1024}, Queue: []string{"workq", "gpu"}[n%2], CreateMode: "manual",
				Status: hpc.NodeRunning, Wanted: true, Address: fmt.Sprintf("10.%d.%d.3", n/250, n%250), SchedState: "idle", Created: at.Add(time.Duration(n) * time.Second), Changed: at}
			if n == 0 {
				node.Hostname, node.Roles = "manager", []hpc.Role{hpc.RoleManager}
			}
			nodes = append(nodes, node)
		}
		rig.Must(b, db.Change(b.Context(), func(ctx context.Context, tx store.Tx) error { return tx.InsertNodes(ctx, nodes) }))
	}
}
