package ehpctest

import (
	"slices"
	"strings"
	"testing"

	"ehpc/api"
	provfake "ehpc/internal/provider/fake"
)

// TestWhatAServiceOffers asks a service on a machine of 4 cores and 16 GB what
// clusters can be made of.
func TestWhatAServiceOffers(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{Cores: 4, MemoryMB: 16384}), Options{})
	t.Run("it has one region", func(t *testing.T) {
		var a api.ListRegionsResponse
		must(t, p.Do(t.Context(), &api.ListRegionsRequest{}, &a))
		if r := a.Regions.RegionInfo; len(r) != 1 || r[0].RegionId != p.Service.Config.Region || r[0].LocalName == "" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("its version is what clients may ask for", func(t *testing.T) {
		var a api.ListCurrentClientVersionResponse
		must(t, p.Do(t.Context(), &api.ListCurrentClientVersionRequest{}, &a))
		if a.ClientVersion != "1.0.0" {
			t.Errorf("the version is %q", a.ClientVersion)
		}
	})
	t.Run("its images are listed with what they are for, of one system on demand", func(t *testing.T) {
		var a api.ListImagesResponse
		must(t, p.Do(t.Context(), &api.ListImagesRequest{BaseOsTag: "Debian_12_64"}, &a))
		if im := a.OsTags.OsInfo; len(im) != 1 || im[0].OsTag != "Debian_12_64" || im[0].ImageId != "debian12-ehpc" || im[0].Platform != "Debian" || im[0].Version != "12" || im[0].Architecture != "x86_64" {
			t.Errorf("%+v", im)
		}
		var none api.ListImagesResponse
		must(t, p.Do(t.Context(), &api.ListImagesRequest{BaseOsTag: "CentOS_7.2_64"}, &none))
		if len(none.OsTags.OsInfo) > 0 {
			t.Errorf("of another system: %+v", none.OsTags.OsInfo)
		}
	})
	t.Run("the software of an image is listed by scheduler, with its applications", func(t *testing.T) {
		var a api.ListSoftwaresResponse
		must(t, p.Do(t.Context(), &api.ListSoftwaresRequest{OsTag: "Debian_12_64"}, &a))
		list := a.Softwares.SoftwareInfo
		if len(list) != 1 || list[0].OsTag != "Debian_12_64" || list[0].SchedulerType != "slurm" || list[0].SchedulerVersion != "22.05.8" || list[0].EhpcVersion != "1.0.0" {
			t.Fatalf("%+v", list)
		}
		if apps := list[0].Applications.ApplicationInfo; len(apps) != 1 || apps[0].Tag != "lammps_20220106" || apps[0].Name != "lammps" || apps[0].Version != "20220106" {
			t.Errorf("%+v", apps)
		}
		var none api.ListSoftwaresResponse
		must(t, p.Do(t.Context(), &api.ListSoftwaresRequest{OsTag: "CentOS_7.2_64"}, &none))
		if len(none.Softwares.SoftwareInfo) > 0 {
			t.Errorf("of another system: %+v", none.Softwares.SoftwareInfo)
		}
	})
	t.Run("instance types that do not fit are sold out, and shown on demand", func(t *testing.T) {
		status := func(all bool) map[string]string {
			t.Helper()
			var a api.ListAvailableEcsTypesResponse
			must(t, p.Do(t.Context(), &api.ListAvailableEcsTypesRequest{ZoneId: "z", ShowSoldOut: &all}, &a))
			found := map[string]string{}
			for _, family := range a.InstanceTypeFamilies.InstanceTypeFamilyInfo {
				for _, it := range family.Types.TypesInfo {
					if !strings.HasPrefix(it.InstanceTypeId, family.InstanceTypeFamilyId) {
						t.Errorf("%s is in family %s", it.InstanceTypeId, family.InstanceTypeFamilyId)
					}
					if it.InstanceTypeId == "ecs.n4.xlarge" && (it.CpuCoreCount != 4 || it.MemorySize != 8) {
						t.Errorf("%+v", it)
					}
					found[it.InstanceTypeId] = it.Status
				}
			}
			return found
		}
		some, all := status(false), status(true)
		if some["ecs.n4.xlarge"] != "Available" || some["ecs.scch5.16xlarge"] != "" {
			t.Errorf("what fits is %v", some)
		}
		if all["ecs.n4.xlarge"] != "Available" || all["ecs.scch5.16xlarge"] != "SoldOut" || len(all) != len(p.Service.Config.InstanceTypes) {
			t.Errorf("all are %v", all)
		}
	})
	t.Run("instance types that fit are preferred by what they are good for", func(t *testing.T) {
		var a api.ListPreferredEcsTypesResponse
		must(t, p.Do(t.Context(), &api.ListPreferredEcsTypesRequest{ZoneId: "z"}, &a))
		good := map[string][]string{}
		for _, s := range a.Series.SeriesInfo {
			good[s.SeriesId] = s.Roles.Compute.InstanceTypeId
			if !slices.Equal(s.Roles.Manager.InstanceTypeId, s.Roles.Compute.InstanceTypeId) || !slices.Equal(s.Roles.Login.InstanceTypeId, s.Roles.Compute.InstanceTypeId) {
				t.Errorf("%s differs by role: %+v", s.SeriesId, s.Roles)
			}
		}
		for _, c := range []struct {
			series, name string
			in           bool
		}{
			{"All", "ecs.n4.xlarge", true}, {"All", "ecs.scch5.16xlarge", false},
			{"HighCompute", "ecs.c5.large", true}, {"HighCompute", "ecs.r6.large", false},
			{"HighMem", "ecs.r6.large", true}, {"HighMem", "ecs.c5.large", false},
		} {
			if slices.Contains(good[c.series], c.name) != c.in {
				t.Errorf("%s in %s: %v, want %v", c.name, c.series, !c.in, c.in)
			}
		}
	})
	t.Run("its clusters are listed by name, and a new name is shown", func(t *testing.T) {
		id := p.Create(t, 0)
		must(t, p.Do(t.Context(), &api.ModifyClusterAttributesRequest{ClusterId: id, Name: "renamed", Description: "for tests"}, nil))
		var meta api.ListClustersMetaResponse
		must(t, p.Do(t.Context(), &api.ListClustersMetaRequest{}, &meta))
		if c := meta.Clusters.ClusterInfoSimple; len(c) != 1 || c[0].Id != id || c[0].Name != "renamed" || c[0].Status != "running" {
			t.Errorf("%+v", c)
		}
		if d := p.Describe(t, id); d.Name != "renamed" || d.Description != "for tests" {
			t.Errorf("%q, %q", d.Name, d.Description)
		}
		var list api.ListClustersResponse
		must(t, p.Do(t.Context(), &api.ListClustersRequest{}, &list))
		if c := list.Clusters.ClusterInfoSimple; len(c) != 1 || c[0].Id != id || c[0].Name != "renamed" {
			t.Errorf("%+v", c)
		}
		nodes := p.Nodes(t, id)
		if len(nodes) != 2 || nodes[0].Status != "running" {
			t.Errorf("%+v", nodes)
		}
	})
}

// TestTasksShowHowFarAnActionIs follows what CreateCluster, AddNodes and
// DeleteNodes began.
func TestTasksShowHowFarAnActionIs(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	task := func(id, taskID string) api.ListTasksTasks {
		t.Helper()
		var a api.ListTasksResponse
		must(t, p.Do(t.Context(), &api.ListTasksRequest{ClusterId: id, TaskId: taskID}, &a))
		if a.TotalCount != 1 || len(a.Tasks) != 1 || a.Tasks[0].TaskId != taskID || a.Tasks[0].ClusterId != id {
			t.Fatalf("task %s is %+v", taskID, a)
		}
		return a.Tasks[0]
	}
	one := 1
	q := &api.CreateClusterRequest{Name: "test"}
	q.EcsOrder.Manager.Count, q.EcsOrder.Compute.Count = &one, &one
	var made api.CreateClusterResponse
	must(t, p.Do(t.Context(), q, &made))
	id := made.ClusterId
	p.Until(t, "the task of the cluster is done", func() bool { return task(id, made.TaskId).Status == "Success" })
	if got := task(id, made.TaskId); got.TaskType != "CreateCluster" || got.CurrentStep != 3 || got.TotalSteps != 3 || p.Describe(t, id).Status != "running" {
		t.Errorf("%+v", got)
	}

	w.HoldScripts(true)
	var added api.AddNodesResponse
	must(t, p.Do(t.Context(), &api.AddNodesRequest{ClusterId: id, Count: 2}, &added))
	if got := task(id, added.TaskId); got.TaskType != "AddNodes" || got.TotalSteps != 2 || got.Errors != "" {
		t.Errorf("%+v", got)
	}
	w.HoldScripts(false)
	p.Until(t, "the task of the nodes is done", func() bool {
		got := task(id, added.TaskId)
		return got.Status == "Success" && got.CurrentStep == 2
	})
	var gone api.DeleteNodesResponse
	must(t, p.Do(t.Context(), &api.DeleteNodesRequest{ClusterId: id, ReleaseInstance: true,
		Instance: []api.DeleteNodesRequestInstance{{Id: added.InstanceIds.InstanceId[0]}}}, &gone))
	p.Until(t, "the task of the node that goes is done", func() bool {
		got := task(id, gone.TaskId)
		return got.Status == "Success" && got.CurrentStep == 1 && len(p.Nodes(t, id)) == 4
	})

	t.Run("all of a cluster's are listed", func(t *testing.T) {
		var a api.ListTasksResponse
		must(t, p.Do(t.Context(), &api.ListTasksRequest{ClusterId: id}, &a))
		if a.TotalCount != 3 || len(a.Tasks) != 3 {
			t.Errorf("%+v", a)
		}
	})
	t.Run("one that there is not is told", func(t *testing.T) {
		err := p.Do(t.Context(), &api.ListTasksRequest{ClusterId: id, TaskId: "none"}, nil)
		if got := codeOf(t, err); got != "ObjectNotFound" {
			t.Errorf("code %s", got)
		}
	})
}
