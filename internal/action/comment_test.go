package action

import (
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

func TestAnEndedJobSaysWhyItDidNotComplete(t *testing.T) {
	t.Parallel()
	for want, j := range map[string]store.Job{
		"":                {State: hpc.JobCompleted, Reason: "COMPLETED"},
		"exit status 7":   {State: hpc.JobFailed, Reason: "FAILED", ExitCode: 7},
		"its node failed": {State: hpc.JobNodeFail, Reason: "NODE_FAIL"},
		"its node failed: its machine is taken back": {State: hpc.JobNodeFail, Reason: "its node failed: its machine is taken back"},
		"exit status 137: it was killed on compute000 and may not be run again": {State: hpc.JobFailed, ExitCode: 137,
			Reason: "it was killed on compute000 and may not be run again"},
		"the scheduler has lost it": {State: hpc.JobFailed, Reason: "the scheduler has lost it"},
	} {
		if got := (jobsAround{}).comment(&j); got != want {
			t.Errorf("a job that is %s (%s, %d) says %q, want %q", j.State, j.Reason, j.ExitCode, got, want)
		}
	}
}

func TestAWaitingJobSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	node := func(queue string, cores, memory, gpus int) *store.Node {
		return &store.Node{Queue: queue, InstanceType: hpc.InstanceType{Cores: cores, MemoryMB: memory, GPUs: gpus}}
	}
	around := jobsAround{grows: func(queue string) bool { return queue == "grows" },
		nodes: []*store.Node{node("workq", 4, 4000, 0), node("workq", 2, 8000, 0), node("gpu", 4, 4000, 1)}}
	job := func(reason, queue string, spec hpc.JobSpec) store.Job {
		return store.Job{State: hpc.JobPending, Token: "ehpc1", Released: true, Queue: queue, Reason: reason, Spec: spec}
	}
	held := job("JobHeldAdmin", "workq", hpc.JobSpec{})
	held.Released = false
	early := job("", "workq", hpc.JobSpec{Threads: 64})
	early.Released = false
	hindered := job("Resources", "grows", hpc.JobSpec{Threads: 64})
	hindered.Hindrance = "no node is added for it: it asks for more"
	byHand := job("BadConstraints", "workq", hpc.JobSpec{})
	byHand.Token = ""
	for name, c := range map[string]struct {
		job  store.Job
		want string
	}{
		"one for whose nodes others come first":    {job("Priority", "workq", hpc.JobSpec{Nodes: 2}), "waits for jobs that come before it (Priority)"},
		"one that nodes are busy for":              {job("Resources", "workq", hpc.JobSpec{}), "waits for nodes of queue workq to become free (Resources)"},
		"one that the scheduler has not seen yet":  {job("", "workq", hpc.JobSpec{}), "waits for the scheduler to look at it"},
		"one that is being handed over":            {held, "is just being released to the scheduler"},
		"one with words that nobody knows":         {job("Odd", "workq", hpc.JobSpec{}), "Odd"},
		"one that no node has the cores for":       {job("Resources", "workq", hpc.JobSpec{Tasks: 4, Threads: 16}), "cannot start: it asks for 64 cores on a node, the largest node of queue workq has 4 (Resources)"},
		"one that says so before it is looked at":  {early, "cannot start: it asks for 64 cores on a node, the largest node of queue workq has 4"},
		"one that no node has the memory for":      {job("BadConstraints", "workq", hpc.JobSpec{MemoryMB: 9000}), "cannot start: it asks for 9000 MB of memory on a node, the largest node of queue workq has 8000 (BadConstraints)"},
		"one that no node has the GPUs for":        {job("BadConstraints", "gpu", hpc.JobSpec{GPUs: 2}), "cannot start: it asks for 2 GPUs on a node, the largest node of queue gpu has 1 (BadConstraints)"},
		"one that asks for too many nodes":         {job("PartitionConfig", "workq", hpc.JobSpec{Nodes: 3}), "cannot start: it asks for 3 nodes, queue workq has 2 (PartitionConfig)"},
		"one that asks for too many large nodes":   {job("Resources", "workq", hpc.JobSpec{Nodes: 2, Threads: 3}), "cannot start: it asks for 2 nodes, only 1 of queue workq are large enough for it (Resources)"},
		"one that asks for what no single one has": {job("Resources", "workq", hpc.JobSpec{Threads: 3, MemoryMB: 5000}), "cannot start: no node of queue workq has all that it asks for (Resources)"},
		"one in a queue without nodes":             {job("PartitionConfig", "none", hpc.JobSpec{}), "cannot start: queue none has no nodes (PartitionConfig)"},
		"one in a queue that grows":                {job("Resources", "grows", hpc.JobSpec{Threads: 64}), "waits for nodes of queue grows to become free (Resources)"},
		"one that no node is added for":            {hindered, "waits for nodes of queue grows to become free (Resources); no node is added for it: it asks for more"},
		"one that its owner holds":                 {job("JobHeldUser", "workq", hpc.JobSpec{Threads: 64}), "is held by its owner (JobHeldUser)"},
		"one that was submitted on a node":         {byHand, "asks for what no node of queue workq has (BadConstraints)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := around.comment(&c.job); got != c.want {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}
