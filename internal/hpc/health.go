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
	Fault      string // "cannot be written: …"; "" for none
}

// Share is a part of the cluster's volume as a node has it.
type Share struct {
	Path  string
	Fault string // "is not mounted", "does not answer", "cannot be written: …"; "" for none
}

// Ailment is a kind of fault that takes a node out of service.
type Ailment string

const (
	DiskFull   Ailment = "disk"
	DiskBroken Ailment = "disk errors"
	ShareLost  Ailment = "share"
	ClockOff   Ailment = "clock"
	JobsFail   Ailment = "jobs" // several in a row did not begin on it, or lost it
)

// JobFailure is a job that ended in a way that points at its node.
type JobFailure struct {
	Job  string // as its owner knows it; of an array, the array's
	UID  int    // whose it was
	Lost bool   // the job lost its node, which no account can bring about; else its script did not begin
	At   time.Time
}
