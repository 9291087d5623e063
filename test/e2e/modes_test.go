package e2e

import (
	"maps"
	"slices"
	"testing"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

func TestDeployModesPlaceTheRoles(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	for mode, want := range map[string]struct {
		order rig.Order
		roles map[string][]string
		job   string // the node that a job runs on, "" for a mode without one here
	}{
		"Standard": {rig.Order{}, map[string][]string{"manager": {"Scheduler"}, "account": {"Account"}, "login0": {"Login"}}, ""},
		"Simple":   {rig.Order{}, map[string][]string{"manager": {"Account", "Scheduler"}, "login0": {"Login"}}, ""},
		"Tiny": {rig.Order{Computes: 1}, map[string][]string{"manager": {"Account", "Scheduler", "Login"},
			"compute000": {"Compute"}}, "compute000"},
		"OneBox": {rig.Order{}, map[string][]string{"manager": {"Account", "Scheduler", "Login", "Compute"}}, "manager"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			want.order.Mode = mode
			c := s.Create(t, mode, want.order)
			roles := map[string][]string{}
			for _, n := range c.Nodes(t) {
				roles[n.HostName] = n.Roles.Role
			}
			if !maps.EqualFunc(roles, want.roles, slices.Equal) {
				t.Errorf("the roles are %v, want %v", roles, want.roles)
			}
			ada := c.AddAccount(t, "lovelace", "users")
			if want.job != "" {
				job := c.AwaitJob(t, c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "srun hostname"}), "COMPLETED")
				if got := c.Shell(t, "manager", "cat "+job.Stdout); got != want.job {
					t.Errorf("the job ran on %q, want %q", got, want.job)
				}
			}
			c.Delete(t)
		})
	}
}
