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
}
