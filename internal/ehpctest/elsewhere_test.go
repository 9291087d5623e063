package ehpctest

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/client"
	"ehpc/internal/action"
	"ehpc/internal/hpc"
	"ehpc/internal/link"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// touched are the machines of a server that asks them nothing, and what it asked all the same.
type touched struct {
	links
	mu    sync.Mutex
	asked []string
}

func (m *touched) ask(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, what)
}

func (m *touched) Present(id string) bool {
	m.ask("whether an agent is there")
	return m.links.Present(id)
}

func (m *touched) Node(id string) link.Node {
	m.ask("an agent")
	return m.links.Node(id)
}

func (m *touched) Scheduler(id string) scheduler.Scheduler {
	m.ask("a scheduler")
	return m.links.Scheduler(id)
}

// seen is what was asked since it was called last.
func (m *touched) seen() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	asked := m.asked
	m.asked = nil
	return asked
}

func (m *touched) watch(s *action.Service) {
	s.Links = m
	s.Fits = func(context.Context, []hpc.InstanceType) error { m.ask("whether it fits"); return nil }
	s.UpToDate = func(context.Context, string) (bool, error) { m.ask("whether nodes are up to date"); return true, nil }
	s.ScalePlan = func(context.Context, string) (hpc.ScalePlan, error) { m.ask("the plan"); return hpc.ScalePlan{}, nil }
}

// asked is a request on a cluster that the cluster's own server would carry out, and
// whether another one refuses it; otherwise rows alone are its answer.
type asked struct {
	action  string
	refused bool
	params  url.Values
}

// elsewhere are requests of every action on a cluster.
func (p *Plane) elsewhere(t *testing.T, id, jobID, command string) []asked {
	t.Helper()
	nodes := p.Nodes(t, id)
	compute, spot := nodes[2].Id, nodes[3].Id
	jobs := `[{"Id":"` + jobID + `"}]`
	user := func(more ...string) url.Values {
		v := url.Values{"User.1.Name": {"worker"}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	as := func(more ...string) url.Values {
		v := url.Values{"RunasUser": {"worker"}, "RunasUserPassword": {password}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	const refused, rows = true, false
	return []asked{
		{"AddNodes", refused, url.Values{"Count": {"1"}}},
		{"AddQueue", refused, url.Values{"QueueName": {"night"}}},
		{"AddUsers", refused, url.Values{"User.1.Name": {"lovelace"}, "User.1.Group": {"users"}, "User.1.Password": {password}}},
		{"CreateJobFile", refused, as("TargetFile", "in", "Content", "x")},
		{"DeleteJobs", refused, url.Values{"Jobs": {jobs}}},
		{"DeleteQueue", refused, url.Values{"QueueName": {"spare"}}},
		{"DeleteUsers", refused, user()},
		{"DescribeAutoScalePlan", refused, nil},
		{"DescribeClusterVolume", refused, nil},
		{"GetJobLog", refused, url.Values{"JobId": {jobID}}},
		{"ModifyUserGroups", refused, user("User.1.Group", "wheel")},
		{"ModifyUserPasswords", refused, user("User.1.Password", "Other-Horse-7")},
		{"ReclaimNodes", refused, url.Values{"Instance.1.Id": {spot}}},
		{"RerunJobs", refused, url.Values{"Jobs": {jobs}}},
		{"SetQueue", refused, url.Values{"QueueName": {"spare"}, "Node.1.Name": {"compute000"}}},
		{"StopJobs", refused, url.Values{"Jobs": {jobs}}},
		{"SubmitJob", refused, as("CommandLine", "./run.sh")},
		{"SubmitJob", refused, url.Values{"CommandLine": {"./run.sh"}}}, // as SetJobUser says

		{"DescribeAutoScaleConfig", rows, nil},
		{"DescribeCluster", rows, nil},
		{"DescribeJob", rows, url.Values{"JobId": {jobID}}},
		{"GetAccountingReport", rows, url.Values{"StartTime": {"0"}, "EndTime": {"86400"}, "ReportType": {"total_report"}}},
		{"GetAutoScaleConfig", rows, nil},
		{"InvokeShellCommand", rows, url.Values{"Command": {"true"}}},
		{"ListBudgets", rows, nil},
		{"ListClusterLogs", rows, nil},
		{"ListCommands", rows, nil},
		{"ListInvocationResults", rows, url.Values{"CommandId": {command}}},
		{"ListInvocationStatus", rows, url.Values{"CommandId": {command}}},
		{"ListJobs", rows, nil},
		{"ListJobsWithFilters", rows, nil},
		{"ListNodes", rows, nil},
		{"ListNodesByQueue", rows, url.Values{"QueueName": {"workq"}}},
		{"ListNodesNoPaging", rows, nil},
		{"ListQueues", rows, nil},
		{"ListTasks", rows, nil},
		{"ListUsers", rows, nil},
		{"ModifyClusterAttributes", rows, url.Values{"Name": {"renamed"}}},
		{"SetAutoScaleConfig", rows, url.Values{"EnableAutoGrow": {"false"}}},
		{"SetBudget", rows, url.Values{"Limit": {"10"}}},
		{"DeleteBudget", rows, nil},
		{"SetJobUser", rows, as()},
		{"ResumeNodes", rows, url.Values{"Instance.1.Id": {compute}}},
		{"DeleteNodes", rows, url.Values{"Instance.1.Id": {compute}}},
		{"DeleteCluster", rows, url.Values{"ClusterId": {p.Ask(t, 0)}}},
	}
}

func (r asked) on(id string) url.Values {
	params := url.Values{"ClusterId": {id}}
	maps.Copy(params, r.params)
	return params
}

// TestAServerAsksNoMachineOfAnothersClusters goes over every action of the table
// that names a cluster, on a server that does not run the cluster.
func TestAServerAsksNoMachineOfAnothersClusters(t *testing.T) {
	t.Parallel()
	w, dir := NewWorld(provfake.Options{}), t.TempDir()
	a := Start(t, w, Options{Dir: dir, Engine: postgres, Server: "a", Home: "a"})
	id := withAccount(t, w, a, 1)
	spot := &api.AddNodesRequest{ClusterId: id, Count: 1, ComputeSpotStrategy: "SpotAsPriceGo"}
	must(t, a.Do(t.Context(), spot, &api.AddNodesResponse{}))
	must(t, a.Do(t.Context(), &api.AddQueueRequest{ClusterId: id, QueueName: "spare"}, nil))
	a.Until(t, "the node that may be taken back runs", func() bool {
		nodes := a.Nodes(t, id)
		return len(nodes) == 4 && nodes[3].Status == "running"
	})
	must(t, a.Do(t.Context(), &api.SetJobUserRequest{ClusterId: id, RunasUser: "worker", RunasUserPassword: password}, nil))
	jobID := a.submit(t, job(id, "./run.sh"))
	var ran api.InvokeShellCommandResponse
	must(t, a.Do(t.Context(), &api.InvokeShellCommandRequest{ClusterId: id, Command: "true"}, &ran))
	must(t, a.Do(t.Context(), &api.SetBudgetRequest{ClusterId: id, Limit: 100}, nil))
	requests := a.elsewhere(t, id, jobID, ran.CommandId)

	b := Start(t, NewWorld(provfake.Options{}), Options{Dir: Share(t, dir), Server: "b", Home: "b"})
	machines := &touched{links: links{NewWorld(provfake.Options{})}}
	machines.watch(b.Service)
	b.Client = clientOf(t, b.URL, a.Key)
	t.Run("each of them has a request here", func(t *testing.T) {
		for _, name := range slices.Sorted(maps.Keys(b.Service.Table())) {
			built, _ := api.Lookup(name)
			names := slices.ContainsFunc(built.Params, func(p api.Param) bool { return p.Name == "ClusterId" && p.Required })
			tried := slices.ContainsFunc(requests, func(r asked) bool { return r.action == name })
			if names && !tried {
				t.Errorf("no request of %s", name)
			}
		}
	})
	t.Run("what needs the machine", func(t *testing.T) {
		for _, r := range requests {
			if r.refused {
				t.Run(r.action+" is refused with where to send it", func(t *testing.T) {
					t.Parallel() // the client tries again
					_, err := b.Call(t.Context(), r.action, r.on(id))
					if err == nil || codeOf(t, err) != "ServiceUnavailable" || !strings.Contains(err.Error(), "https://a.example.org") {
						t.Errorf("%v, want ServiceUnavailable and the endpoint of the cluster's server", err)
					}
				})
			}
		}
	})
	if asked := machines.seen(); len(asked) > 0 {
		t.Errorf("to refuse it the server asked its own machines: %v", asked)
	}
	for _, r := range requests {
		if r.refused {
			continue
		}
		t.Run(r.action+" is served from rows", func(t *testing.T) {
			if _, err := b.Call(t.Context(), r.action, r.on(id)); err != nil {
				t.Error(err)
			}
			if asked := machines.seen(); len(asked) > 0 {
				t.Errorf("the server asked its own machines: %v", asked)
			}
		})
	}
	t.Run("a stranger is not told where the cluster is", func(t *testing.T) {
		stranger := *b
		stranger.Client = clientOf(t, b.URL, b.keyOf(t, "stranger"))
		_, err := stranger.Call(t.Context(), "AddNodes", url.Values{"ClusterId": {id}, "Count": {"1"}})
		if err == nil || codeOf(t, err) != "ClusterNotFound" {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("a cluster whose server has ended is refused with a try again", func(t *testing.T) {
		a.Kill()
		other := &store.Cluster{ID: "ehpc-hz-left", Owner: a.Key.Owner, Status: hpc.ClusterRunning, Wanted: true, Home: "a", Created: time.Now()}
		must(t, b.Store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.InsertCluster(ctx, other, hpc.Secrets{})
		}))
		for _, c := range []struct{ id, says string }{{id, "https://a.example.org"}, {other.ID, "no server"}} {
			_, err := b.Call(t.Context(), "AddNodes", url.Values{"ClusterId": {c.id}, "Count": {"1"}})
			var e *client.Error
			if !errors.As(err, &e) || e.Code != "ServiceUnavailable" || !strings.Contains(e.Message, c.says) || !strings.HasSuffix(e.Message, "; try again") {
				t.Errorf("cluster %s: err = %v", c.id, err)
			}
		}
	})
}
