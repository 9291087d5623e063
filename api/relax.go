package api

// relaxation lets requests through that the document forbids. Action "*" means
// every action that has the parameter.
type relaxation struct {
	action, param string
	min           *float64 // replaces the smallest value allowed; nil: the parameter need not be given
	reason        string
}

const (
	newerSDKs  = "newer SDKs send the name alone; the configuration has the default"
	noSDKSends = "no SDK sends it"
)

func zero() *float64 { return new(float64) }

// relaxations is the only list of where we ask for less than the document.
func relaxations() []relaxation {
	return []relaxation{
		{"*", "RegionId", nil, "newer SDKs leave it out; the server's own region stands in"},
		{"CreateCluster", "EhpcVersion", nil, newerSDKs},
		{"CreateCluster", "OsTag", nil, newerSDKs},
		{"CreateCluster", "Application.N.Tag", nil, "a cluster without applications is sound"},
		{"CreateCluster", "VSwitchId", nil, newerSDKs},
		{"CreateCluster", "VolumeId", nil, newerSDKs},
		{"CreateCluster", "VolumeMountpoint", nil, newerSDKs},
		{"CreateCluster", "EcsOrder.Manager.InstanceType", nil, newerSDKs},
		{"CreateCluster", "EcsOrder.Compute.Count", nil, newerSDKs},
		{"CreateCluster", "EcsOrder.Compute.InstanceType", nil, newerSDKs},
		{"CreateCluster", "EcsOrder.Login.Count", nil, newerSDKs},
		{"CreateCluster", "EcsOrder.Login.InstanceType", nil, newerSDKs},
		{"CreateCluster", "EcsOrder.Compute.Count", zero(), "newer SDKs create clusters without compute nodes"},
		{"CreateCluster", "EcsOrder.Login.Count", zero(), "deploy modes that share a node have no login node of their own"},
		{"CreateHybridCluster", "Nodes", nil, noSDKSends},
		{"CreateJobTemplate", "Uid", nil, noSDKSends + "; the caller's account stands in"},
		{"DeleteJobTemplates", "Uid", nil, noSDKSends + "; the caller's account stands in"},
		{"EditJobTemplate", "Uid", nil, noSDKSends + "; the caller's account stands in"},
		{"ListJobTemplates", "Uid", nil, noSDKSends + "; the caller's account stands in"},
		{"SubmitJob", "RunasUser", nil, "SetJobUser has said who"},
		{"SubmitJob", "RunasUserPassword", nil, "newer SDKs leave it out; SetJobUser has checked it"},
		{"CreateGWSInstance", "InstanceChargeType", nil, "the document's own example leaves it out"},
		{"CreateJobFile", "Content", nil, "a file may be empty, and clients leave empty values out"},
		{"SetAutoScaleConfig", "MaxNodesInCluster", nil, "the document gives it a default as well"},
	}
}

func relax(a *Action, p *Param) {
	for _, r := range relaxations() {
		if r.param != p.Name || (r.action != "*" && r.action != a.Name) {
			continue
		}
		if r.min != nil {
			p.Min = r.min
		} else if p.Required {
			p.Relaxed = r.reason
		}
	}
}
