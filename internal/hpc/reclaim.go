package hpc

// ReclaimPhase is how far the taking back of a node's machine is.
type ReclaimPhase string

const (
	NotReclaimed    ReclaimPhase = ""
	ReclaimAsked    ReclaimPhase = "asked"    // its provider is to be told
	ReclaimNoticed  ReclaimPhase = "noticed"  // its provider says so
	ReclaimRequeued ReclaimPhase = "requeued" // and its jobs were put back into the queue
	GivenBack       ReclaimPhase = "given"    // nothing of it is needed any more
)
