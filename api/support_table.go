package api

const (
	noCloud      = "There is no cloud account behind this service: nothing is bought, charged or renewed."
	noVPC        = "Every cluster gets a network of its own; no other network is joined to it."
	ownVolume    = "Every cluster gets a volume of its own, mounted on /home and /opt; no other one is mounted."
	diskShared   = "Nodes use the disk of the machine that they run on."
	atOnce       = "The answer always comes as soon as the work is accepted or, where nothing is left to do, done."
	ownTemplates = "Templates belong to the owner of the access key."
	oneImage     = "There are system images alone."
)

// SupportRows lists the parameters that are not fully built, with what a caller
// has to know about each.
func SupportRows() []SupportRow {
	return []SupportRow{
		{"*", []string{"RegionId"}, SupportNoEffect, "This service is one region, the configured one, whatever is given."},

		{"CreateCluster", []string{"ZoneId"}, SupportNoEffect, "Shown again; there is one zone."},
		{"CreateCluster", []string{"SchedulerType"}, SupportPartly, "Left out, it is the configured one. Only schedulers that the image has; any name that begins with slurm is the image's Slurm. Others are refused with InvalidSoftware."},
		{"CreateCluster", []string{"OsTag"}, SupportPartly, "Only tags that ListImages shows; others are refused with ImageNotSupported."},
		{"CreateCluster", []string{"ImageOwnerAlias"}, SupportPartly, oneImage + " Anything but system is refused."},
		{"CreateCluster", []string{"ImageId"}, SupportPartly, oneImage + " Only the id of the image that OsTag names is accepted."},
		{"CreateCluster", []string{"DeployMode"}, SupportPartly, "Standard, Simple, Tiny and OneBox are built; Advanced (management nodes in pairs) is refused."},
		{"CreateCluster", []string{"HaEnable"}, SupportPartly, "Only false: management nodes in pairs are not built, true is refused."},
		{"CreateCluster", []string{"EcsOrder.Manager.Count"}, SupportPartly, "Has to fit DeployMode."},
		{"CreateCluster", []string{"JobQueue"}, SupportPartly, "A letter, then letters, digits, - and _; not a name that hosts have."},
		{"CreateCluster", []string{"PostInstallScript"}, SupportBuilt, "Fetched once, over http or https, at most 1 MiB each; run as root once on every machine, later ones too, when it is set up but for the scheduler. Args are read by a shell. A node whose script fails goes to exception; ListClusterLogs has the end of the output."},
		{"CreateCluster", []string{"InputFileUrl"}, SupportRefused, "Use CreateJobFile once the cluster is running."},
		{"CreateCluster", []string{"AddOns"}, SupportRefused, "No add-ons are built."},
		{"CreateCluster", []string{"EhpcVersion", "ClientVersion", "ClusterVersion"}, SupportNoEffect, "The software of a cluster is the image's."},
		{"CreateCluster", []string{"AccountType", "Domain"}, SupportNoEffect, "Accounts are kept by this service and written onto every node."},
		{"CreateCluster", []string{"Application"}, SupportNoEffect, "Shown again by DescribeCluster; software is what the image has, nothing is installed."},
		{"CreateCluster", []string{"Password"}, SupportBuilt, "Root's on the login nodes; kept as a hash. Without it and KeyPairName root does not log in."},
		{"CreateCluster", []string{"KeyPairName"}, SupportBuilt, "A name of key_pairs in the service's configuration; its key is root's on the login nodes."},
		{"CreateCluster", []string{"SecurityGroupId", "SecurityGroupName", "VSwitchId", "VpcId", "NetworkInterfaceTrafficMode", "WithoutElasticIp"}, SupportNoEffect, noVPC},
		{"CreateCluster", []string{"VolumeType", "VolumeId", "VolumeProtocol", "VolumeMountpoint", "VolumeMountOption", "RemoteDirectory", "AdditionalVolumes", "WithoutNas"}, SupportNoEffect, ownVolume},
		{"CreateCluster", []string{"SystemDiskLevel", "SystemDiskSize", "SystemDiskType"}, SupportNoEffect, diskShared},
		{"CreateCluster", []string{"EcsChargeType", "Period", "PeriodUnit", "AutoRenew", "AutoRenewPeriod"}, SupportNoEffect, noCloud},
		{"CreateCluster", []string{"ComputeSpotStrategy"}, SupportBuilt, "Of the compute nodes that it begins with. Prices stand in spot_prices of the service's configuration."},
		{"CreateCluster", []string{"ComputeSpotPriceLimit"}, SupportBuilt, "Needed with SpotWithPriceLimit, and not below the present spot price; otherwise only shown again."},
		{"CreateCluster", []string{"SccClusterId", "DeploymentSetId", "IsComputeEss", "ComputeEnableHt", "RamNodeTypes", "RamRoleName", "ResourceGroupId", "Tag"}, SupportNoEffect, noCloud},
		{"CreateCluster", []string{"Plugin", "RemoteVisEnable", "WithoutAgent"}, SupportNoEffect, "Nothing is built that it could switch."},

		{"AddNodes", []string{"ImageOwnerAlias", "ImageId"}, SupportPartly, "Only the cluster's own image; others are refused."},
		{"AddNodes", []string{"ComputeSpotPriceLimit"}, SupportBuilt, "Needed with SpotWithPriceLimit, and not below the present spot price. A node whose price rises above it is taken back with two minutes' notice, and replaced."},
		{"AddNodes", []string{"ComputeSpotDuration", "ComputeSpotInterruptionBehavior", "EcsChargeType", "Period", "PeriodUnit", "AutoRenew", "AutoRenewPeriod"}, SupportNoEffect, noCloud},
		{"AddNodes", []string{"AllocatePublicAddress", "InternetChargeType", "InternetMaxBandWidthIn", "InternetMaxBandWidthOut", "NetworkInterfaceTrafficMode", "VSwitchId", "ZoneId", "DnsConfig"}, SupportNoEffect, noVPC},
		{"AddNodes", []string{"DataDisks", "SystemDiskLevel", "SystemDiskSize", "SystemDiskType"}, SupportNoEffect, diskShared},
		{"AddNodes", []string{"ComputeEnableHt"}, SupportNoEffect, "Cores are counted as the instance type says."},
		{"AddNodes", []string{"HostNamePrefix", "HostNameSuffix"}, SupportNoEffect, "Hosts are called compute000, compute001 and so on."},
		{"AddNodes", []string{"MinCount"}, SupportNoEffect, "All nodes are accepted, or none."},
		{"AddNodes", []string{"Sync"}, SupportNoEffect, atOnce},

		{"SetAutoScaleConfig", []string{"SpotStrategy", "Queues.N.SpotStrategy", "Queues.N.InstanceTypes.N.SpotStrategy"}, SupportBuilt, "Of the nodes that are added. An instance type's beats its queue's, and that the cluster's; GetAutoScaleConfig shows what holds."},
		{"SetAutoScaleConfig", []string{"SpotPriceLimit", "Queues.N.SpotPriceLimit", "Queues.N.InstanceTypes.N.SpotPriceLimit"}, SupportBuilt, "Per hour; an instance type's beats its queue's, and that the cluster's. With SpotWithPriceLimit one above 0 has to hold: a type whose spot price (spot_prices in the configuration) is higher is passed over until it falls."},
		{"SetAutoScaleConfig", []string{"Queues.N.QueueName"}, SupportBuilt, "A queue of the cluster, each once. What is given for it beats the cluster's; queues that are not given have the cluster's."},
		{"SetAutoScaleConfig", []string{"Queues.N.InstanceTypes.N.HostNamePrefix", "Queues.N.HostNamePrefix", "Queues.N.HostNameSuffix"}, SupportNoEffect, "Hosts are called compute000, compute001 and so on. Not shown again."},
		{"SetAutoScaleConfig", []string{"Queues.N.InstanceTypes.N.SpotDuration", "Queues.N.InstanceTypes.N.SpotInterruptionBehavior"}, SupportNoEffect, "Shown again. A machine that is taken back is not kept for hours, and goes for good."},
		{"SetAutoScaleConfig", []string{"Queues.N.InstanceTypes.N.VSwitchId", "Queues.N.InstanceTypes.N.ZoneId", "DnsConfig"}, SupportNoEffect, noVPC + " Not shown again."},
		{"SetAutoScaleConfig", []string{"Queues.N.InstanceTypes", "Queues.N.InstanceType"}, SupportBuilt, "At most 10, in the order of preference; of several forms, the one with .M comes first, then the text, then Queues.N.InstanceType. A type that there is no capacity for is left alone for 10 minutes, and the next one is tried at once. Without one, a queue grows by the type of its newest node, else by the cluster's."},
		{"SetAutoScaleConfig", []string{"Queues.N.DataDisks", "Queues.N.SystemDiskCategory", "Queues.N.SystemDiskLevel", "Queues.N.SystemDiskSize"}, SupportNoEffect, diskShared + " Not shown again."},
		{"SetAutoScaleConfig", []string{"Queues.N.SortedByInventory"}, SupportBuilt, "With true, each round begins with the type of which most nodes can be made now; of those that are even, with the one that was given first."},
		{"SetAutoScaleConfig", []string{"ComputeEnableHt"}, SupportNoEffect, "Cores are counted as the instance type says. Not shown again."},
		{"SetAutoScaleConfig", []string{"ImageId", "Queues.N.QueueImageId"}, SupportPartly, "Only the cluster's own image; others are refused."},
		{"SetAutoScaleConfig", []string{"Queues.N.MaxNodesInQueue", "Queues.N.MaxNodesPerCycle"}, SupportBuilt, "0 is no limit."},
		{"SetAutoScaleConfig", []string{"Queues.N.MinNodesPerCycle"}, SupportBuilt, "A round that needs as many and may add fewer, because of another limit, adds none."},
		{"SetAutoScaleConfig", []string{"Queues.N.AutoMinNodesPerCycle"}, SupportBuilt, "With true, MinNodesPerCycle is 1."},
		{"SetAutoScaleConfig", []string{"ExcludeNodes"}, SupportBuilt, "Host names or ids. Unknown ones are kept, and ListClusterLogs has a warning."},

		{"DeleteNodes", []string{"ReleaseInstance"}, SupportPartly, "Only true: a node cannot stay without its cluster."},
		{"DeleteNodes", []string{"Sync"}, SupportNoEffect, atOnce},
		{"DeleteCluster", []string{"ReleaseInstance"}, SupportPartly, "Only true: nodes cannot stay without their cluster."},
		{"ModifyClusterAttributes", []string{"ImageId", "ImageOwnerAlias", "RamNodeTypes", "RamRoleName", "WinAdPar"}, SupportRefused, "Only Name and Description can be changed."},

		{"ListNodes", []string{"OnlyDetached"}, SupportBuilt, "No node outlives its cluster: true shows none."},
		{"ListNodes", []string{"Filter"}, SupportNoEffect, "Not applied: use Role, HostName and the other parameters."},
		{"ListNodes", []string{"SortBy"}, SupportPartly, "HostName; anything else leaves the order of creation."},
		{"ListNodesNoPaging", []string{"OnlyDetached"}, SupportBuilt, "No node outlives its cluster: true shows none."},
		{"ListNodesByQueue", []string{"Async"}, SupportNoEffect, atOnce},
		{"ListQueues", []string{"Async"}, SupportNoEffect, atOnce},
		{"AddQueue", []string{"QueueName"}, SupportPartly, "A letter, then at most 63 letters, digits, - and _; not a name that hosts have. At most 64 queues."},
		{"AddQueue", []string{"DeploymentSetId", "NetworkInterfaceTrafficMode", "UseESS"}, SupportNoEffect, noCloud},
		{"DeleteQueue", []string{"QueueName"}, SupportPartly, "A queue with nodes or with jobs that have not ended is refused with ConflictOpt, the default one with InvalidOpt."},
		{"SetQueue", []string{"Node"}, SupportBuilt, "Host names of compute nodes, all or none. Jobs that run on them go on; new ones come from the new queue."},
		{"ListTasks", []string{"Archived"}, SupportNoEffect, "Every task of the cluster is shown."},

		{"AddUsers", []string{"Async"}, SupportNoEffect, atOnce},
		{"DeleteUsers", []string{"Async"}, SupportNoEffect, atOnce},
		{"ModifyUserGroups", []string{"Async"}, SupportNoEffect, atOnce},
		{"ModifyUserPasswords", []string{"Async"}, SupportNoEffect, atOnce},
		{"CreateJobFile", []string{"Async"}, SupportNoEffect, atOnce},
		{"SubmitJob", []string{"CommandLine"}, SupportPartly, "A command, lines of a script, or the name of a script in PackagePath. The #SBATCH and #PBS lines of a script have no effect: the other parameters say what the job needs."},
		{"SubmitJob", []string{"StdoutRedirectPath", "StderrRedirectPath"}, SupportPartly, "Only inside the account's home, in a directory that exists; for a directory, the file in it is slurm-<id>.out."},
		{"SubmitJob", []string{"InputFileUrl"}, SupportPartly, "Fetched over http or https before the job is accepted, and put into the job's directory, which must be in the account's home, under the name that the URL's path ends with; a file of that name is replaced. At most 16 MiB and 2 seconds (input_files in the configuration). Only from public addresses, unless others are configured."},
		{"SubmitJob", []string{"UnzipCmd"}, SupportBuilt, "Run by the job in its directory before the command line, whether or not there is an InputFileUrl. If it fails, so does the job, with its exit status. The tasks of an array unpack once between them."},
		{"SubmitJob", []string{"PostCmdLine"}, SupportBuilt, "Run by the job in its directory after the command line, whatever that came to, but not when the job was stopped or cut off. The job's exit status is the command line's; where that is 0, this one's."},
		{"SubmitJob", []string{"ContainerId", "JobRetry"}, SupportRefused, "Put the steps into the job's own script."},
		{"SubmitJob", []string{"Async"}, SupportNoEffect, atOnce},
		{"SubmitJob", []string{"RunasUser", "RunasUserPassword"}, SupportBuilt, "Left out, they are what SetJobUser was given last, with the same access key, for the cluster. That holds until the account gets another password or is deleted."},
		{"StopJobs", []string{"Jobs"}, SupportBuilt, "At most 1000 jobs, all or none. An array is one job. A job that has ended, or is being stopped, is refused with AgentError.Job.StopFailure."},
		{"StopJobs", []string{"Async"}, SupportNoEffect, atOnce},
		{"DeleteJobs", []string{"Jobs"}, SupportBuilt, "At most 1000 jobs, all or none. An array is one job. Jobs that have not ended are stopped."},
		{"DeleteJobs", []string{"Async"}, SupportNoEffect, atOnce},
		{"RerunJobs", []string{"Jobs"}, SupportBuilt, "At most 1000 jobs, all or none. An array is one job. Jobs that have ended run again under the id that they have; its InputFileUrl is not fetched again. A running one is stopped first, if it is ReRunable. Others are refused with AgentError.Job.RerunFailure."},
		{"RerunJobs", []string{"Async"}, SupportNoEffect, atOnce},
		{"DescribeJob", []string{"Async"}, SupportNoEffect, atOnce},
		{"GetJobLog", []string{"JobId"}, SupportPartly, "Jobs of the cluster's accounts whose output is inside the home. Of an array the tasks, as 7_3 or 7[3]."},
		{"GetJobLog", []string{"Size"}, SupportBuilt, "Bytes, at most 500000 and as many if left out; Offset is in bytes too. Bytes that are no text become ?."},
		{"GetJobLog", []string{"ExecHost"}, SupportNoEffect, "Output is on the cluster's volume, the same from every host."},
		{"ListJobsWithFilters", []string{"JobName"}, SupportBuilt, "The whole name."},
		{"ListJobsWithFilters", []string{"Nodes"}, SupportBuilt, "Host names: jobs that have, or had, one of them."},
		{"ListJobsWithFilters", []string{"ExecuteOrder", "PendOrder", "SubmitOrder"}, SupportBuilt, "asc or desc: by how long jobs ran, how long they waited for their start, when they were submitted; of several, in this order. Without any, the newest are first."},
		{"ListJobsWithFilters", []string{"PageSize"}, SupportPartly, "At most 1000."},
		{"ListJobsWithFilters", []string{"Async"}, SupportNoEffect, atOnce},
		{"ListJobs", []string{"Rerunable"}, SupportNoEffect, "Not applied: every item shows its own."},

		{"CreateJobTemplate", []string{"Uid"}, SupportNoEffect, ownTemplates},
		{"EditJobTemplate", []string{"Uid"}, SupportNoEffect, ownTemplates},
		{"DeleteJobTemplates", []string{"Uid"}, SupportNoEffect, ownTemplates},
		{"ListJobTemplates", []string{"Uid"}, SupportNoEffect, ownTemplates},
		{"DeleteJobTemplates", []string{"Templates"}, SupportPartly, "JSON with quotes, as SDKs send it; at most 100 templates, all or none."},
		{"ListJobTemplates", []string{"PageSize"}, SupportPartly, "At most 100."},

		{"ListImages", []string{"InstanceType"}, SupportNoEffect, "Every image runs on every instance type."},
		{"ListSoftwares", []string{"EhpcVersion"}, SupportNoEffect, "The software is what the images have."},
		{"ListAvailableEcsTypes", []string{"ZoneId", "SpotStrategy", "InstanceChargeType"}, SupportNoEffect, noCloud},
		{"ListPreferredEcsTypes", []string{"ZoneId", "SpotStrategy", "InstanceChargeType"}, SupportNoEffect, noCloud},
	}
}
