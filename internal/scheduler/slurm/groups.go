package slurm

// JobGroups are patterns of the control groups that slurmd makes for jobs, within
// a hierarchy of version 1 or of version 2. They end in job_ID with Slurm's own id.
var JobGroups = []string{
	"slurm_*/uid_*/job_*",
	"slurm/uid_*/job_*",
	"*/*slurmstepd.scope/job_*",
}

// BatchGroup is the group within a job's in which its batch script runs. What runs
// in it has slurmd started, or descends from that.
const BatchGroup = "step_batch"
