package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/sshca"
	"ehpc/internal/store"
)

// nodePlans derives what every node of a cluster should look like from the rows.
func nodePlans(ctx context.Context, tx store.Tx, ssh *sshca.Authority, c *store.Cluster, nodes []*store.Node, file []hpc.FileBudget) (map[string]hpc.NodePlan, error) {
	secrets, err := tx.OpenSecrets(c)
	if err != nil {
		return nil, err
	}
	root := secrets.Root
	secrets.Root = hpc.RootLogin{}
	base := hpc.NodePlan{ClusterID: c.ID, ClusterName: c.Name, Scheduler: c.Scheduler, Secrets: secrets}
	accounts, _, err := tx.Accounts(ctx, c.ID, store.Page{})
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		base.Accounts = append(base.Accounts, a.HPC())
	}
	queues, err := tx.Queues(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	for _, q := range queues {
		base.Queues = append(base.Queues, hpc.Queue{Name: q.Name, Default: q.IsDefault})
	}
	budgets, err := tx.Budgets(ctx, c.ID, file)
	if err != nil {
		return nil, err
	}
	closed := budgets.Closed(time.Now(), base.Accounts)
	for _, n := range nodes {
		if n.Address != "" {
			base.Members = append(base.Members, n.Member())
		}
	}
	plans := make(map[string]hpc.NodePlan, len(nodes))
	for _, n := range nodes {
		plan := base
		plan.Self = n.Member()
		if !n.HasRole(hpc.RoleManager) {
			plan.Secrets.JWTKey = nil
		} else {
			plan.Closed = closed
		}
		if n.HasRole(hpc.RoleLogin) {
			plan.Root = root
		}
		if plan.SSH, err = ssh.Host(c.ID, n.ID, n.Hostname); err != nil {
			return nil, err
		}
		plans[n.ID] = plan
	}
	return plans, nil
}

// planHashes tell whether two plans are the same, by node id: "own.members", what
// concerns the node itself and its neighbours' names and addresses. The
// neighbours, which all plans of a cluster share, are hashed once. The accounts,
// which have a loop of their own, are left out.
func planHashes(plans map[string]hpc.NodePlan) map[string]string {
	hashes := make(map[string]string, len(plans))
	var members []hpc.Member
	shared := ""
	for id, p := range plans {
		if shared == "" || len(p.Members) != len(members) || len(members) > 0 && &p.Members[0] != &members[0] {
			members, shared = p.Members, hashOf(p.Members)
		}
		p.Members, p.Accounts, p.Turn = nil, nil, hpc.Turn{}
		hashes[id] = hashOf(p) + "." + shared
	}
	return hashes
}

// ownPart is the part of a plan's hash without the neighbours.
func ownPart(hash string) string {
	own, _, _ := strings.Cut(hash, ".")
	return own
}

func hashOf(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // plain data always marshals
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
