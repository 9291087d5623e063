package hpc

// DefaultQueue is the queue every cluster starts with.
const DefaultQueue = "workq"

// Queue is a named set of compute nodes (a Slurm partition, a PBS queue).
type Queue struct {
	Name    string
	Default bool // where jobs go that name no queue
}
