package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// A row that is changed again while a listing reads what has changed is listed
// all the same.
func TestARowThatChangesWhileItIsReadIsListed(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := withCluster(t, place())
		look := func(k shape[jobEntry]) (listed int) {
			t.Helper()
			if err := s.jobs.view(t.Context(), s.Read(), k, "c", func(all []jobEntry) { listed = len(all) }); err != nil {
				t.Fatal(err)
			}
			return listed
		}
		look(jobShape)
		job := &Job{ID: "j1", ClusterID: "c", PublicID: "1", State: hpc.JobPending, NodeList: []string{}, Submitted: now, Modified: now}
		change(t, s, func(ctx context.Context, tx Tx) error { return tx.InsertJob(ctx, job) })
		overtaken := jobShape
		overtaken.changed = func(ctx context.Context, tx Tx, clusterID string, after, upTo int64) ([]jobEntry, error) {
			change(t, s, func(ctx context.Context, tx Tx) error { return tx.SaveJob(ctx, job) })
			return jobShape.changed(ctx, tx, clusterID, after, upTo)
		}
		if n := look(overtaken); n != 1 {
			t.Errorf("%d jobs are listed", n)
		}
	})
}

// A cluster with more nodes than are read at once is listed.
func TestAVeryLargeClustersNodesAreListed(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := withCluster(t, place())
		const nodes = stepRows + 10
		for from := 0; from < nodes; from += 500 {
			var some []*Node
			for n := from; n < min(from+500, nodes); n++ { // the oldest has the last id
				some = append(some, &Node{ID: fmt.Sprintf("n-%05d", nodes-n), ClusterID: "c", Hostname: fmt.Sprintf("compute%05d", n),
					Roles: []hpc.Role{hpc.RoleCompute}, Status: hpc.NodeRunning, Created: now.Add(time.Duration(n) * time.Second), Changed: now})
			}
			change(t, s, func(ctx context.Context, tx Tx) error { return tx.InsertNodes(ctx, some) })
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		all, err := s.Nodes(ctx, "c")
		if err != nil || len(all) != 1+nodes {
			t.Fatalf("%d nodes are listed, %v", len(all), err)
		}
		if !slices.IsSortedFunc(all, nodeOrder) {
			t.Error("they are out of order")
		}
	})
}

// A cluster that is larger than the bound of what is kept is kept all the same,
// while it is looked at, and a small one does not throw it out.
func TestAClusterLargerThanTheBoundIsReadOnce(t *testing.T) {
	t.Parallel()
	s := withCluster(t, Place{Dir: t.TempDir()})
	sizes, reads := map[string]int{"large": maxEntries + 10, "small": 1}, map[string]int{}
	k := jobShape
	k.first = func(_ context.Context, _ Tx, cluster, behind string) (rows []jobEntry, err error) {
		from := 0
		if behind == "" {
			reads[cluster]++
		} else if _, err := fmt.Sscan(strings.TrimLeft(behind, "0"), &from); err == nil || behind == "00000000" {
			from++
		}
		for i := from; i < min(from+stepRows, sizes[cluster]); i++ {
			rows = append(rows, jobEntry{id: fmt.Sprintf("%08d", i)})
		}
		return rows, nil
	}
	var d directory[jobEntry]
	for _, cluster := range []string{"large", "large", "small", "large"} {
		if err := d.view(t.Context(), s.Read(), k, cluster, func(all []jobEntry) {
			if len(all) != sizes[cluster] {
				t.Errorf("%d rows of the %s one", len(all), cluster)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if reads["large"] > 2 {
		t.Errorf("it was read %d times", reads["large"])
	}
}
