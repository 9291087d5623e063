package ehpctest

import (
	"sync"
	"testing"

	"ehpc/api"
	"ehpc/internal/config"
	provfake "ehpc/internal/provider/fake"
)

const racers = 6

// createTogether asks for clusters at the same time.
func createTogether(t *testing.T, p *Plane, token string) (ids map[string]int, codes []string) {
	ids = map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range racers {
		all.Go(func() {
			none := 0
			q := &api.CreateClusterRequest{Name: "race", ClientToken: token}
			q.EcsOrder.Compute.Count = &none
			var a api.CreateClusterResponse
			err := p.Do(t.Context(), q, &a)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				codes = append(codes, codeOf(t, err))
				return
			}
			ids[a.ClusterId]++
		})
	}
	all.Wait()
	return ids, codes
}

func TestTheSameTokenAtTheSameTimeIsOneCluster(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, engine string) {
		p := Start(t, NewWorld(provfake.Options{}), Options{Engine: engine})
		if ids, codes := createTogether(t, p, "the-same"); len(ids) != 1 || len(codes) > 0 {
			t.Errorf("clusters %v, errors %v", ids, codes)
		}
	})
}

func TestALimitHoldsForThoseWhoAskAtTheSameTime(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, engine string) {
		p := Start(t, NewWorld(provfake.Options{}), Options{Engine: engine, Config: func(c *config.Config) { c.MaxClusters = 2 }})
		ids, codes := createTogether(t, p, "")
		if len(ids) != 2 || len(codes) != racers-2 {
			t.Errorf("clusters %v, errors %v; the limit is 2", ids, codes)
		}
		for _, code := range codes {
			if code != "TooManyClusters" {
				t.Errorf("code %s", code)
			}
		}
	})
}
