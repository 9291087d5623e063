package ehpctest

import (
	"strings"
	"testing"

	"ehpc/api"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/store"
)

func TestWhatAClusterHoldsIsToldBeforeAndWhenItIsDeleted(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 0)
	w.Machines.Hold(id, hpc.VolumeSize{Bytes: 1_200_000_000, Files: 17, Whole: true})
	var a api.DescribeClusterVolumeResponse
	must(t, p.Do(t.Context(), &api.DescribeClusterVolumeRequest{ClusterId: id}, &a))
	if a.Bytes != 1_200_000_000 || a.Files != 17 || !a.Whole || a.Message != "1.2 GB in 17 files" {
		t.Errorf("told is %+v", a)
	}
	if err := call(t, p, "DescribeClusterVolume", "ClusterId", "ehpc-hz-none"); err == nil || codeOf(t, err) != "ClusterNotFound" {
		t.Errorf("of no cluster: %v", err)
	}
	must(t, call(t, p, "DeleteCluster", "ClusterId", id))
	p.Until(t, "it is gone", func() bool {
		var list api.ListClustersResponse
		must(t, p.Do(t.Context(), &api.ListClustersRequest{PageNumber: 1, PageSize: 10}, &list))
		return list.TotalCount == 0
	})
	rows, _, err := p.Store.Read().Logs(t.Context(), id, store.Page{Number: 1, Size: 50})
	must(t, err)
	logs := ""
	for _, row := range rows {
		logs += row.Message + "\n"
	}
	for _, line := range []string{
		"deletion of the cluster accepted, with its nodes, its jobs and everything in /home and /opt",
		"cluster is gone, with everything in /home and /opt: 1.2 GB in 17 files",
	} {
		if !strings.Contains(logs, line) {
			t.Errorf("the cluster's log does not tell %q:\n%s", line, logs)
		}
	}
}
