package api

const (
	noCloud    = "There is no cloud account behind this service: nothing is bought, charged or renewed."
	noVPC      = "Every cluster gets a network of its own; no other network is joined to it."
	ownVolume  = "Every cluster gets a volume of its own, mounted on /home and /opt; no other one is mounted."
	diskShared = "Nodes use the disk of the machine that they run on."
	oneImage   = "There are system images alone."
)

// supportRows lists the parameters that are not fully built, with what a caller
// has to know about each.
func supportRows() []supportRow {
	return []supportRow{
		{"CreateCluster", []string{"RegionId", "ZoneId", "Description"}, SupportBuilt, "Shown again as given."},
		{"CreateCluster", []string{"SchedulerType"}, SupportPartly, "Left out, it is the configured one. Only schedulers that the image has; any name that begins with slurm is the image's Slurm. Others are refused with InvalidSoftware."},
		{"CreateCluster", []string{"OsTag"}, SupportPartly, "Only tags that ListImages shows; others are refused with ImageNotSupported."},
		{"CreateCluster", []string{"ImageOwnerAlias"}, SupportPartly, oneImage + " Anything but system is refused."},
		{"CreateCluster", []string{"ImageId"}, SupportPartly, oneImage + " Only the id of the image that OsTag names is accepted."},
		{"CreateCluster", []string{"DeployMode"}, SupportPartly, "Standard, Simple, Tiny and OneBox are built; Advanced (management nodes in pairs) is refused."},
		{"CreateCluster", []string{"HaEnable"}, SupportPartly, "Only false: management nodes in pairs are not built, true is refused."},
		{"CreateCluster", []string{"EcsOrder.Manager.Count"}, SupportPartly, "Has to fit DeployMode."},
		{"CreateCluster", []string{"PostInstallScript"}, SupportRefused, "Run InvokeShellCommand once the cluster is running."},
		{"CreateCluster", []string{"InputFileUrl"}, SupportRefused, "Use CreateJobFile once the cluster is running."},
		{"CreateCluster", []string{"AddOns"}, SupportRefused, "No add-ons are built."},
		{"CreateCluster", []string{"EhpcVersion", "ClientVersion", "ClusterVersion"}, SupportNoEffect, "The software of a cluster is the image's."},
		{"CreateCluster", []string{"AccountType", "Domain"}, SupportNoEffect, "Accounts are kept by this service and written onto every node."},
		{"CreateCluster", []string{"Application"}, SupportNoEffect, "Shown again by DescribeCluster; software is what the image has, nothing is installed."},
		{"CreateCluster", []string{"Password", "KeyPairName"}, SupportNoEffect, "Nodes have no root login. A password is checked against the rule and then dropped; a key pair's name is shown again."},
		{"CreateCluster", []string{"SecurityGroupId", "SecurityGroupName", "VSwitchId", "VpcId", "NetworkInterfaceTrafficMode", "WithoutElasticIp"}, SupportNoEffect, noVPC},
		{"CreateCluster", []string{"VolumeType", "VolumeId", "VolumeProtocol", "VolumeMountpoint", "VolumeMountOption", "RemoteDirectory", "AdditionalVolumes", "WithoutNas"}, SupportNoEffect, ownVolume},
		{"CreateCluster", []string{"SystemDiskLevel", "SystemDiskSize", "SystemDiskType"}, SupportNoEffect, diskShared},
		{"CreateCluster", []string{"EcsChargeType", "Period", "PeriodUnit", "AutoRenew", "AutoRenewPeriod", "ComputeSpotStrategy", "ComputeSpotPriceLimit"}, SupportNoEffect, noCloud},
		{"CreateCluster", []string{"SccClusterId", "DeploymentSetId", "IsComputeEss", "ComputeEnableHt", "RamNodeTypes", "RamRoleName", "ResourceGroupId", "Tag"}, SupportNoEffect, noCloud},
		{"CreateCluster", []string{"Plugin", "RemoteVisEnable", "WithoutAgent"}, SupportNoEffect, "Nothing is built that it could switch."},
	}
}
