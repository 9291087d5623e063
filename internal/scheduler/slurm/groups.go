package slurm

// JobGroups are patterns of the control groups that slurmd makes for jobs, within
// a hierarchy of version 1 or of version 2. They end in job_ID with Slurm's own id.
var JobGroups = []string{
	"slurm_*/uid_*/job_*",
	"slurm/uid_*/job_*",
	"*/*slurmstepd.scope/job_*",
}
