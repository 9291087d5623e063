package hpc

import "time"

// NodeHealth is what an agent finds when it looks whether its node is sound.
// What could not be looked at is missing.
type NodeHealth struct {
	Disks  []Disk    // the node's own
	Shares []Share   // the cluster's
	Clock  time.Time // the node's, at the end of the look
}

// Disk is a file system of a node's own.
type Disk struct {
	Path       string
	Size, Free int64 // bytes, Free of them for anybody
	Inodes     int64 // 0 where they are not counted
	FreeInodes int64
}

// Share is a part of the cluster's volume as a node has it.
type Share struct {
	Path  string
	Fault string // "is not mounted", "does not answer", "cannot be written: …"; "" for none
}

// Ailment is a kind of fault that takes a node out of service.
type Ailment string

const (
	DiskFull  Ailment = "disk"
	ShareLost Ailment = "share"
	ClockOff  Ailment = "clock"
	JobsFail  Ailment = "jobs" // several in a row
)

// JobFailure is a job that failed on a node.
type JobFailure struct {
	Job string // the scheduler's id; of an array, the array's
	UID int    // whose it was
	At  time.Time
}
