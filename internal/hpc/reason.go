package hpc

import "strings"

// waitReason is a reason for which jobs wait.
type waitReason struct {
	words []string // how the engine's words for it begin
	says  string   // in our words; QUEUE stands for the job's queue
	nodes bool     // it would start if there were nodes for it
}

// waitReasons are the reasons that engines tell. Of two beginnings that fit the
// first counts, so a longer one stands before its own beginning.
var waitReasons = []waitReason{
	{[]string{"Resources"}, "waits for nodes of QUEUE to become free", true},
	{[]string{"Priority"}, "waits for jobs that come before it", true},
	{[]string{"Nodes required for job are"}, "the nodes of QUEUE that it needs are down, drained or kept for jobs that come before it", true},
	{[]string{"ReqNodeNotAvail", "NodeDown"}, "a node that it needs is not in service", true},
	{[]string{"PartitionConfig", "PartitionNodeLimit"}, "asks for more than the nodes of QUEUE have", true},
	{[]string{"BadConstraints"}, "asks for what no node of QUEUE has", true},
	{[]string{"PartitionTimeLimit"}, "asks for more time than QUEUE allows", false},
	{[]string{"MaxMemPerLimit"}, "asks for more memory than QUEUE allows", false},
	{[]string{"PartitionDown", "PartitionInactive"}, "QUEUE is closed", false},
	{[]string{"DependencyNeverSatisfied"}, "depends on a job that did not end as it should; it never starts", false},
	{[]string{"Dependency"}, "waits for the job that it depends on", false},
	{[]string{"BeginTime"}, "waits for the time at which it may start", false},
	{[]string{"DeadLine"}, "cannot end by its deadline; it never starts", false},
	{[]string{"JobHeldUser"}, "is held by its owner", false},
	{[]string{"JobHeld"}, "is held by an administrator", false},
	{[]string{"launch failed requeued held", "JobLaunchFailure"}, "is held, since a node could not start it", true},
	{[]string{"job requeued in held state", "JobHoldMaxRequeue", "MaxRequeue"}, "is held, since it was put back into the queue", false},
	{[]string{"user env retrieval failed"}, "is held, since the environment of its account could not be read", false},
	{[]string{"JobArrayTaskLimit"}, "as many tasks of its array run as may run at the same time", false},
	{[]string{"Assoc", "QOS", "AccountingPolicy", "InvalidAccount", "InvalidQOS"}, "a limit of the scheduler for its account keeps it", false},
	{[]string{"ReservationDeleted"}, "its reservation was deleted", false},
	{[]string{"Reservation"}, "waits for its reservation to begin", false},
	{[]string{"Licenses"}, "waits for a licence to become free", false},
	{[]string{"Cleaning", "Prolog"}, "waits for its last run to be cleaned up", true},
	{[]string{"SchedDefer", "None"}, "waits for the scheduler to look at it", true},
}

// waitReasonOf finds the reason of an engine's words. squeue shows some of them
// with spaces and scontrol with underscores.
func waitReasonOf(words string) (waitReason, bool) {
	words = strings.ReplaceAll(words, "_", " ")
	for _, r := range waitReasons {
		for _, begin := range r.words {
			if strings.HasPrefix(words, begin) {
				return r, true
			}
		}
	}
	return waitReason{}, false
}

// WaitsForNodes tells whether a waiting job would start if there were nodes for it.
func WaitsForNodes(reason string) bool {
	r, known := waitReasonOf(reason)
	return !known || r.nodes
}

// WhyItWaits says in a sentence why a job of a queue waits, given the engine's
// words for it. Words that are not known stand for themselves.
func WhyItWaits(words, queue string) string {
	if words == "" {
		words = "None"
	}
	r, known := waitReasonOf(words)
	if !known {
		return words
	}
	if queue = "queue " + queue; queue == "queue " {
		queue = "its queue"
	}
	return strings.ReplaceAll(r.says, "QUEUE", queue)
}
