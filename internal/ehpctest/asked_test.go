package ehpctest

import (
	"net/url"
	"strings"
	"testing"

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
		params, err := url.ParseQuery("Name=lab&EhpcVersion=1.0.23&VolumeType=nas&VolumeProtocol=NFS&AccountType=nis" +
			"&AdditionalVolumes.1.VolumeType=nas&AdditionalVolumes.1.VolumeProtocol=&Application.1.Tag=lammps_20220106")
		must(t, err)
		_, err = p.Call(t.Context(), "CreateCluster", params)
		must(t, err)
	})
}
