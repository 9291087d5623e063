package hpc

import (
	"strings"
	"testing"
)

func TestReasonsToWait(t *testing.T) {
	t.Parallel()
	t.Run("every word of Slurm's for a waiting job has a sentence, without the word", func(t *testing.T) {
		t.Parallel()
		for _, words := range []string{"None", "Priority", "Dependency", "Resources", "PartitionNodeLimit", "PartitionTimeLimit", "PartitionDown",
			"PartitionInactive", "JobHeldAdmin", "JobHeldUser", "BeginTime", "Licenses", "AssociationJobLimit", "AssocGrpCpuLimit", "QOSMaxJobsPerUserLimit",
			"Reservation", "ReservationDeleted", "NodeDown", "BadConstraints", "JobLaunchFailure", "DependencyNeverSatisfied", "Cleaning", "Prolog",
			"ReqNodeNotAvail, UnavailableNodes:compute000", "ReqNodeNotAvail, May be reserved for other job", "JobArrayTaskLimit",
			"launch_failed_requeued_held", "launch failed requeued held", "job_requeued_in_held_state", "PartitionConfig", "InvalidAccount", "InvalidQOS",
			"Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions", "DeadLine", "MaxMemPerLimit"} {
			if says := WhyItWaits(words, "day"); says == words || strings.Contains(says, "QUEUE") || !strings.Contains(says, " ") {
				t.Errorf("%s: %q", words, says)
			}
		}
	})
	t.Run("of two words that begin alike each has its own", func(t *testing.T) {
		t.Parallel()
		for _, pair := range [][2]string{{"Dependency", "DependencyNeverSatisfied"}, {"Reservation", "ReservationDeleted"}, {"JobHeldUser", "JobHeldAdmin"}} {
			if WhyItWaits(pair[0], "") == WhyItWaits(pair[1], "") {
				t.Errorf("%s is %s", pair[0], pair[1])
			}
		}
	})
	t.Run("the queue is named, where it is known", func(t *testing.T) {
		t.Parallel()
		if got := WhyItWaits("Resources", "day"); got != "waits for nodes of queue day to become free" {
			t.Error(got)
		}
		if got := WhyItWaits("PartitionDown", ""); got != "its queue is closed" {
			t.Error(got)
		}
	})
	t.Run("more nodes start what waits for nodes, and nothing else", func(t *testing.T) {
		t.Parallel()
		for words, want := range map[string]bool{"Resources": true, "": true, "Odd": true, "PartitionConfig": true, "BadConstraints": true,
			"JobHeldAdmin": false, "Dependency": false, "QOSGrpCpuLimit": false, "ReservationDeleted": false} {
			if WaitsForNodes(words) != want {
				t.Errorf("%q: %t", words, !want)
			}
		}
	})
}
