package e2e

import (
	"syscall"
	"testing"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// TestAnAccountThatWasAddedWhileTheManagersAgentHungRunsItsJobs stops the agent
// while an account is added. Slurm takes a job of an account that its node does not
// know for one of nobody, and never runs it.
func TestAnAccountThatWasAddedWhileTheManagersAgentHungRunsItsJobs(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	c := s.Create(t, "hung", rig.Order{Computes: 1})
	agent := s.Daemon(t, c.Node(t, "manager").Id, "ehpc-agent")
	rig.Must(t, syscall.Kill(agent, syscall.SIGSTOP))
	t.Cleanup(func() { syscall.Kill(agent, syscall.SIGCONT) })
	who := c.AddAccount(t, "lovelace", "users")
	rig.Must(t, syscall.Kill(agent, syscall.SIGCONT))
	id := c.Submit(t, who, &api.SubmitJobRequest{CommandLine: "id -un", Name: "hung"})
	c.AwaitJob(t, id, "COMPLETED")
	var log api.GetJobLogResponse
	c.Do(t, &api.GetJobLogRequest{ClusterId: c.ID, JobId: id}, &log)
	if log.OutputLog != "lovelace\n" {
		t.Errorf("the job ran as %q", log.OutputLog)
	}
	c.Delete(t)
}

// TestAJobBeginsOnceItsNodeKnowsItsAccount has a node forget an account that the
// service told it of. slurmd does not ask the node about a job's account: the script
// would begin, and fail at whatever needs the account's name.
func TestAJobBeginsOnceItsNodeKnowsItsAccount(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	c := s.Create(t, "forgetful", rig.Order{Computes: 1})
	who := c.AddAccount(t, "lovelace", "users")
	node := c.Node(t, "compute000").Id
	s.Inside(t, node, "sed -i /lovelace/d /var/lib/extrausers/passwd")
	id := c.Submit(t, who, &api.SubmitJobRequest{CommandLine: "id -un", Name: "early"})
	c.AwaitJob(t, id, "RUNNING")
	rig.Until(t, "the script asks whether it may begin", rig.ComeUp, func() bool {
		_, err := s.TryInside(t, node, "cat /proc/[0-9]*/cmdline | grep -aq run-job")
		return err == nil
	})
	c.AddAccount(t, "somerville", "users") // with which the node is told of all
	c.AwaitJob(t, id, "COMPLETED")
	var log api.GetJobLogResponse
	c.Do(t, &api.GetJobLogRequest{ClusterId: c.ID, JobId: id}, &log)
	if log.OutputLog != "lovelace\n" {
		t.Errorf("the job ran as %q", log.OutputLog)
	}
	c.Delete(t)
}
