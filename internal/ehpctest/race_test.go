package ehpctest

import (
	"strings"
	"sync"
	"testing"

	"ehpc/api"
	"ehpc/internal/action"
	"ehpc/internal/config"
	provfake "ehpc/internal/provider/fake"
)

const racers = 6

// createTogether asks for clusters at the same time, without a client that would
// ask again.
func createTogether(t *testing.T, p *Plane, token string, with ...func(*api.CreateClusterRequest)) (ids map[string]int, errs []string) {
	ids = map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range racers {
		all.Go(func() {
			one, none := 1, 0
			q := &api.CreateClusterRequest{Name: "race"}
			q.EcsOrder.Manager.Count, q.EcsOrder.Compute.Count = &one, &none
			for _, change := range with {
				change(q)
			}
			call := action.Call{Action: "CreateCluster", AccessKey: p.Key.ID, Owner: p.Key.Owner, ClientToken: token}
			a, err := p.Service.CreateCluster(action.WithCall(t.Context(), call), q)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err.Error())
				return
			}
			ids[a.ClusterId]++
		})
	}
	all.Wait()
	return ids, errs
}

func TestTheSameTokenAtTheSameTimeIsOneCluster(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, engine string) {
		p := Start(t, NewWorld(provfake.Options{}), Options{Engine: engine})
		if ids, errs := createTogether(t, p, "the-same"); len(ids) != 1 || len(errs) > 0 {
			t.Errorf("clusters %v, errors %v", ids, errs)
		}
	})
}

func TestALimitHoldsForThoseWhoAskAtTheSameTime(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, engine string) {
		p := Start(t, NewWorld(provfake.Options{}), Options{Engine: engine, Config: func(c *config.Config) { c.MaxClusters = 2 }})
		ids, errs := createTogether(t, p, "")
		if len(ids) != 2 || len(errs) != racers-2 {
			t.Errorf("clusters %v, errors %v; the limit is 2", ids, errs)
		}
		for _, text := range errs {
			if !strings.HasPrefix(text, "TooManyClusters") {
				t.Errorf("error %s", text)
			}
		}
	})
}

func TestAUniqueNameIsOneClustersAlone(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, engine string) {
		p := Start(t, NewWorld(provfake.Options{}), Options{Engine: engine})
		unique := func(q *api.CreateClusterRequest) { q.UniqueName = new(true) }
		ids, errs := createTogether(t, p, "", unique)
		if len(ids) != 1 || len(errs) != racers-1 {
			t.Fatalf("clusters %v, errors %v", ids, errs)
		}
		var id string
		for id = range ids {
		}
		for _, text := range errs {
			if !strings.HasPrefix(text, "ConflictOpt") || !strings.Contains(text, id) {
				t.Errorf("error %s", text)
			}
		}
		t.Run("unless it is not asked to be", func(t *testing.T) {
			if ids, errs := createTogether(t, p, "another"); len(ids) != 1 || len(errs) > 0 {
				t.Errorf("clusters %v, errors %v", ids, errs)
			}
		})
		t.Run("until its clusters are being released", func(t *testing.T) {
			var all api.ListClustersResponse
			must(t, p.Do(t.Context(), &api.ListClustersRequest{}, &all))
			for _, c := range all.Clusters.ClusterInfoSimple {
				must(t, p.Do(t.Context(), &api.DeleteClusterRequest{ClusterId: c.Id}, nil))
			}
			if ids, errs := createTogether(t, p, "a-third", unique); len(ids) != 1 || len(errs) > 0 {
				t.Errorf("clusters %v, errors %v", ids, errs)
			}
		})
	})
}
