package ehpctest

import (
	"net/url"
	"strings"
	"testing"

	"ehpc/api"
	"ehpc/internal/config"
	provfake "ehpc/internal/provider/fake"
)

func TestWhatNoClusterHasIsNotShownAsFact(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	for _, c := range []struct{ name, params, code, says string }{
		{"an unknown application", "Application.1.Tag=OpenMPI_11.1", "InvalidSoftware", "lammps_20220106"},
		{"an unknown type of volume", "VolumeType=cpfs", "InvalidVolume", "nas"},
		{"an unknown protocol", "VolumeProtocol=smb", "InvalidVolumeProtocal", "nfs"},
		{"another volume of an unknown type", "AdditionalVolumes.1.VolumeType=oss", "InvalidVolume", "AdditionalVolumes"},
		{"an unknown directory of accounts", "AccountType=ldap", "InvalidParams", "nis"},
		{"an unknown version", "EhpcVersion=banana", "InvalidSoftware", "1.0.0"},
		{"an unknown version of the client", "ClientVersion=banana", "InvalidParams", "ClientVersion"},
		{"an unknown version of the cluster", "ClusterVersion=2.0", "InvalidParams", "ClusterVersion"},
	} {
		t.Run(c.name, func(t *testing.T) {
			params, err := url.ParseQuery("Name=lab&" + c.params)
			must(t, err)
			before := p.dump(t)
			_, err = p.Call(t.Context(), "CreateCluster", params)
			if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s and %q", err, c.code, c.says)
			}
			p.unchanged(t, before)
		})
	}
	t.Run("what clients usually send is taken", func(t *testing.T) {
		params, err := url.ParseQuery("Name=lab&EhpcVersion=1.0.23&ClientVersion=1.0.16&ClusterVersion=1.0&VolumeType=nas&VolumeProtocol=NFS&AccountType=nis" +
			"&AdditionalVolumes.1.VolumeType=nas&AdditionalVolumes.1.VolumeProtocol=&Application.1.Tag=lammps_20220106")
		must(t, err)
		_, err = p.Call(t.Context(), "CreateCluster", params)
		must(t, err)
	})
}

func TestAClusterAskedForUnderOtherNamesIsMadeOfWhatIsHere(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{Config: func(c *config.Config) {
		c.OsAliases = map[string]string{"CentOS_7.2_64": "Debian_12_64", "CentOS_9_64": "Rocky_9_64"}
		c.SchedulerAliases = map[string]string{"pbs": "slurm"}
	}})
	create := func(t *testing.T, tag, scheduler string) (id string, warnings []string) {
		t.Helper()
		q := &api.CreateClusterRequest{Name: "lab", OsTag: tag, SchedulerType: scheduler}
		none := 0
		q.EcsOrder.Compute.Count = &none
		var made api.CreateClusterResponse
		must(t, p.Do(t.Context(), q, &made))
		var logs api.ListClusterLogsResponse
		must(t, p.Do(t.Context(), &api.ListClusterLogsRequest{ClusterId: made.ClusterId}, &logs))
		for _, l := range logs.Logs.LogInfo {
			if l.Level == "warn" {
				warnings = append(warnings, l.Message)
			}
		}
		return made.ClusterId, warnings
	}
	id, warnings := create(t, "CentOS_7.2_64", "PBS")
	t.Run("it comes into service", func(t *testing.T) {
		p.Until(t, "the cluster runs", func() bool { return p.Describe(t, id).Status == "running" })
	})
	t.Run("it is shown as it was asked for", func(t *testing.T) {
		info := p.Describe(t, id)
		if info.OsTag != "CentOS_7.2_64" || info.SchedulerType != "PBS" ||
			info.ImageId != "debian12-ehpc" || info.Nodes.NodesInfo[0].SchedulerType != "PBS" {
			t.Errorf("described as %+v", info)
		}
		var list api.ListClustersResponse
		must(t, p.Do(t.Context(), &api.ListClustersRequest{}, &list))
		if c := list.Clusters.ClusterInfoSimple; len(c) != 1 || c[0].OsTag != "CentOS_7.2_64" || c[0].SchedulerType != "PBS" {
			t.Errorf("listed as %+v", c)
		}
		var meta api.ListClustersMetaResponse
		must(t, p.Do(t.Context(), &api.ListClustersMetaRequest{}, &meta))
		if c := meta.Clusters.ClusterInfoSimple; len(c) != 1 || c[0].OsTag != "CentOS_7.2_64" || c[0].SchedulerType != "PBS" {
			t.Errorf("listed in short as %+v", c)
		}
	})
	t.Run("its log warns of what it really is", func(t *testing.T) {
		want := "asked for CentOS_7.2_64: its nodes run Debian 12 64-bit (Debian_12_64); " +
			"asked for PBS: its scheduler is slurm 22.05.8"
		if len(warnings) != 1 || warnings[0] != want {
			t.Errorf("the warnings are %q", warnings)
		}
	})
	t.Run("one that is asked for under its own names has no warning", func(t *testing.T) {
		for _, names := range [][2]string{{"", ""}, {"Debian_12_64", "slurm"}, {"Debian_12_64", "Slurm19"}} {
			if _, warnings := create(t, names[0], names[1]); len(warnings) > 0 {
				t.Errorf("of %q: %q", names, warnings)
			}
		}
	})
	t.Run("filters find what the name stands for, under its own", func(t *testing.T) {
		var images api.ListImagesResponse
		must(t, p.Do(t.Context(), &api.ListImagesRequest{BaseOsTag: "CentOS_7.2_64"}, &images))
		if im := images.OsTags.OsInfo; len(im) != 1 || im[0].OsTag != "Debian_12_64" {
			t.Errorf("images %+v", im)
		}
		var software api.ListSoftwaresResponse
		must(t, p.Do(t.Context(), &api.ListSoftwaresRequest{OsTag: "CentOS_7.2_64"}, &software))
		list := software.Softwares.SoftwareInfo
		if len(list) != 1 || list[0].OsTag != "Debian_12_64" || list[0].SchedulerType != "slurm" {
			t.Errorf("software %+v", list)
		}
	})
	t.Run("a name that is in no table, or stands for what is not here, is refused", func(t *testing.T) {
		for _, c := range []struct{ params, code, says string }{
			{"OsTag=CentOS_6.9_64", "ImageNotSupported", "os_aliases can let it stand"},
			{"OsTag=CentOS_9_64", "ImageNotSupported", "stands for Rocky_9_64"},
			{"SchedulerType=sge", "InvalidSoftware", "scheduler_aliases"},
		} {
			params, err := url.ParseQuery("Name=other&" + c.params)
			must(t, err)
			_, err = p.Call(t.Context(), "CreateCluster", params)
			if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %s and %q", c.params, err, c.code, c.says)
			}
		}
	})
}
