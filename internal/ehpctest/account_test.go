package ehpctest

import (
	"slices"
	"testing"

	"ehpc/api"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
)

// A caller who adds an account uses it at once: the node that is asked must
// know it by then.
func TestAnAddedAccountIsOnTheNodesWhenTheCallIsAnswered(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 2)
	for _, name := range []string{"lovelace", "kovalevskaya", "germain", "noether"} {
		must(t, p.Do(t.Context(), &api.AddUsersRequest{ClusterId: id,
			User: []api.AddUsersRequestUser{{Name: name, Group: "users", Password: "Melt-1234"}}}, nil))
		for _, n := range p.Nodes(t, id) {
			plan, _ := w.Agent(n.Id).Plan()
			if !slices.ContainsFunc(plan.Accounts, func(a hpc.Account) bool { return a.Name == name }) {
				t.Errorf("%s does not know %s yet", n.HostName, name)
			}
		}
	}
}
