package hpc

// ScalePlan is what auto scaling would do with a cluster now.
type ScalePlan struct {
	Off     bool   // no queue grows or shrinks
	Unknown string // why nothing is added and no node goes; "" if the queue could be observed
	Steps   []ScaleDecision
}

// ScaleDecision is one step of a plan, or why there is none.
type ScaleDecision struct {
	Act      string // in the words of the plan
	Idle     bool   // nothing is done
	Queue    string
	NodeID   string
	Hostname string
	JobID    string
	Count    int    // of nodes, or of checks
	Type     string // of nodes
	Strategy SpotStrategy
	Limit    float64 // of their price per hour
	Reason   string
	Line     string // the decision in a sentence, with its reason
}
