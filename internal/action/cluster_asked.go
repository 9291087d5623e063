package action

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ehpc/api"
)

// ehpcVersions are the product's own: the document has several, of one major one.
var ehpcVersions = regexp.MustCompile(`^1(\.\d+){1,3}$`)

// standsFor says what a cluster really is whose system or scheduler was asked for
// under another name; "" where neither was.
func (s *Service) standsFor(q *api.CreateClusterRequest, image Image, engine string) string {
	var parts []string
	if q.OsTag != "" && q.OsTag != image.OsTag {
		parts = append(parts, fmt.Sprintf("asked for %s: its nodes run %s (%s)", q.OsTag, image.OSName, image.OsTag))
	}
	if q.SchedulerType != "" && !strings.HasPrefix(strings.ToLower(q.SchedulerType), engine) {
		parts = append(parts, fmt.Sprintf("asked for %s: its scheduler is %s", q.SchedulerType, schedulers(image)))
	}
	return strings.Join(parts, "; ")
}

// checkAsked refuses what would be echoed as a fact and is none: DescribeCluster
// shows a cluster with what was asked for.
func (s *Service) checkAsked(q *api.CreateClusterRequest, image Image) error {
	none := func(text, only string) bool { return text != "" && !strings.EqualFold(text, only) }
	volume := func(param, kind, protocol string) error {
		if none(kind, "nas") {
			return api.InvalidVolume.Errorf("cannot create a cluster: %sVolumeType %.40q is none that there is: nas", param, kind)
		}
		if none(protocol, "nfs") {
			return api.InvalidVolumeProtocal.Errorf("cannot create a cluster: %sVolumeProtocol %.40q is none that there is: nfs", param, protocol)
		}
		return nil
	}
	if err := volume("", q.VolumeType, q.VolumeProtocol); err != nil {
		return err
	}
	for _, v := range q.AdditionalVolumes {
		if err := volume("AdditionalVolumes: ", v.VolumeType, v.VolumeProtocol); err != nil {
			return err
		}
	}
	if none(q.AccountType, "nis") {
		return api.InvalidParams.Errorf("cannot create a cluster: AccountType %.40q is none that there is: nis", q.AccountType)
	}
	for _, asked := range []struct {
		name, version string
		code          api.Code
	}{{"EhpcVersion", q.EhpcVersion, api.InvalidSoftware}, {"ClientVersion", q.ClientVersion, api.InvalidParams}, {"ClusterVersion", q.ClusterVersion, api.InvalidParams}} {
		if v := asked.version; v != "" && v != s.Version && !ehpcVersions.MatchString(v) {
			return asked.code.Errorf("cannot create a cluster: %s %.40q is none of 1.0.0 and its like", asked.name, v)
		}
	}
	var have []string
	for name, version := range image.Software {
		have = append(have, name+"_"+version)
	}
	slices.Sort(have)
	for _, app := range q.Application {
		if app.Tag != "" && !slices.Contains(have, app.Tag) {
			return api.InvalidSoftware.Errorf("cannot create a cluster: Application %.80q is not in image %s, which has %s", app.Tag, image.OsTag, strings.Join(have, ", "))
		}
	}
	return nil
}
