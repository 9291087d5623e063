package action

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"ehpc/api"
	"ehpc/internal/hpc"
)

// regionNames are the local names of the regions that official clients know.
var regionNames = map[string]string{"cn-hangzhou": "华东 1", "cn-shanghai": "华东 2", "cn-qingdao": "华北 1",
	"cn-beijing": "华北 2", "cn-zhangjiakou": "华北 3", "cn-huhehaote": "华北 5", "cn-shenzhen": "华南 1"}

// ListRegions shows the one region that this service is.
func (s *Service) ListRegions(context.Context, *api.ListRegionsRequest) (*api.ListRegionsResponse, error) {
	a := &api.ListRegionsResponse{}
	a.Regions.RegionInfo = []api.ListRegionsRegionInfo{{RegionId: s.Config.Region, LocalName: orElse(regionNames[s.Config.Region], s.Config.Region)}}
	return a, nil
}

// ListCurrentClientVersion shows the version of this service.
func (s *Service) ListCurrentClientVersion(context.Context, *api.ListCurrentClientVersionRequest) (*api.ListCurrentClientVersionResponse, error) {
	return &api.ListCurrentClientVersionResponse{ClientVersion: s.Version}, nil
}

// ListImages shows the images that nodes can be made from.
func (s *Service) ListImages(_ context.Context, q *api.ListImagesRequest) (*api.ListImagesResponse, error) {
	images, err := s.Images()
	if err != nil {
		return nil, err
	}
	a := &api.ListImagesResponse{}
	for _, im := range images {
		if q.BaseOsTag != "" && s.Config.OsTagOf(q.BaseOsTag) != im.OsTag {
			continue
		}
		a.OsTags.OsInfo = append(a.OsTags.OsInfo, api.ListImagesOsInfo{OsTag: im.OsTag, Platform: im.Platform,
			Version: im.Version, Architecture: "x86_64", BaseOsTag: im.OsTag, ImageId: im.ID, OSName: im.OSName, OSNameEn: im.OSName})
	}
	return a, nil
}

// ListSoftwares shows what each image holds, a row for each scheduler in it.
func (s *Service) ListSoftwares(_ context.Context, q *api.ListSoftwaresRequest) (*api.ListSoftwaresResponse, error) {
	images, err := s.Images()
	if err != nil {
		return nil, err
	}
	a := &api.ListSoftwaresResponse{}
	for _, im := range images {
		if q.OsTag != "" && s.Config.OsTagOf(q.OsTag) != im.OsTag {
			continue
		}
		for _, engine := range slices.Sorted(maps.Keys(im.Schedulers)) {
			info := api.ListSoftwaresSoftwareInfo{EhpcVersion: s.Version, OsTag: im.OsTag, SchedulerType: engine,
				SchedulerVersion: im.Schedulers[engine], AccountType: "nis", AccountVersion: s.Version}
			for _, name := range slices.Sorted(maps.Keys(im.Software)) {
				version := im.Software[name]
				info.Applications.ApplicationInfo = append(info.Applications.ApplicationInfo,
					api.ListSoftwaresApplicationInfo{Tag: name + "_" + version, Name: name, Version: version})
			}
			a.Softwares.SoftwareInfo = append(a.Softwares.SoftwareInfo, info)
		}
	}
	return a, nil
}

// linkSpeed, in kbit/s, is what a node's network interface says: nothing slows it.
const linkSpeed = 10_000_000

// ListAvailableEcsTypes shows the instance types by family, with what fits this
// machine now as available.
func (s *Service) ListAvailableEcsTypes(ctx context.Context, q *api.ListAvailableEcsTypesRequest) (*api.ListAvailableEcsTypesResponse, error) {
	families := map[string][]hpc.InstanceType{}
	for _, t := range s.Config.InstanceTypes {
		families[familyOf(t.Name)] = append(families[familyOf(t.Name)], t)
	}
	a := &api.ListAvailableEcsTypesResponse{SupportSpotInstance: s.Reclaims}
	for _, id := range slices.Sorted(maps.Keys(families)) {
		family := api.ListAvailableEcsTypesInstanceTypeFamilyInfo{InstanceTypeFamilyId: id, Generation: "ecs-3"}
		for _, t := range families[id] {
			status := "Available"
			if s.Fits(ctx, []hpc.InstanceType{t}) != nil {
				status = "SoldOut"
			}
			if status == "SoldOut" && !deref(q.ShowSoldOut, false) {
				continue
			}
			family.Types.TypesInfo = append(family.Types.TypesInfo, api.ListAvailableEcsTypesTypesInfo{
				InstanceTypeId: t.Name, CpuCoreCount: t.Cores, MemorySize: cmp.Or(t.MemoryMB/1024, 1), GPUAmount: t.GPUs,
				GPUSpec: t.GPUSpec, EniQuantity: 1, Status: status,
				InstanceBandwidthRx: linkSpeed, InstanceBandwidthTx: linkSpeed,
				ZoneIds: &api.ListAvailableEcsTypesZoneIds{ZoneId: []string{s.Config.Zone}}})
		}
		if len(family.Types.TypesInfo) > 0 {
			a.InstanceTypeFamilies.InstanceTypeFamilyInfo = append(a.InstanceTypeFamilies.InstanceTypeFamilyInfo, family)
		}
	}
	return a, nil
}

// familyOf is "ecs.n4" for "ecs.n4.xlarge" and "ecs.gn5" for "ecs.gn5-c4g1.xlarge".
func familyOf(name string) string {
	head, _, _ := strings.Cut(name, "-")
	parts := strings.SplitN(head, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// series are the groups of instance types that the document names.
var series = []struct {
	id, name string
	holds    func(hpc.InstanceType) bool
}{
	{"All", "SeriesAll", func(hpc.InstanceType) bool { return true }},
	{"HighCompute", "SeriesHighCompute", func(t hpc.InstanceType) bool { return t.GPUs == 0 && t.MemoryMB <= 2048*t.Cores }},
	{"HighMem", "SeriesHighMem", func(t hpc.InstanceType) bool { return t.MemoryMB >= 4096*t.Cores }},
	{"GPU", "SeriesGPU", func(t hpc.InstanceType) bool { return t.GPUs > 0 }},
}

// ListPreferredEcsTypes shows the instance types that fit this machine, by what
// they are good for.
func (s *Service) ListPreferredEcsTypes(ctx context.Context, _ *api.ListPreferredEcsTypesRequest) (*api.ListPreferredEcsTypesResponse, error) {
	a := &api.ListPreferredEcsTypesResponse{SupportSpotInstance: s.Reclaims}
	for _, group := range series {
		var names []string
		for _, t := range s.Config.InstanceTypes {
			if group.holds(t) && s.Fits(ctx, []hpc.InstanceType{t}) == nil {
				names = append(names, t.Name)
			}
		}
		a.Series.SeriesInfo = append(a.Series.SeriesInfo, api.ListPreferredEcsTypesSeriesInfo{SeriesId: group.id, SeriesName: group.name,
			Roles: &api.ListPreferredEcsTypesRoles{
				Manager: api.ListPreferredEcsTypesManager{InstanceTypeId: names},
				Compute: api.ListPreferredEcsTypesCompute{InstanceTypeId: names},
				Login:   api.ListPreferredEcsTypesLogin{InstanceTypeId: names}}})
	}
	return a, nil
}
