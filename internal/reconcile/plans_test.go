package reconcile

import (
	"fmt"
	"strconv"
	"testing"

	"ehpc/internal/hpc"
)

// planHash is the hash of a plan by itself.
func planHash(p hpc.NodePlan) string {
	return planHashes(map[string]hpc.NodePlan{"": p})[""]
}

func TestHashesOfPlansTogetherAreThoseOfEachAlone(t *testing.T) {
	t.Parallel()
	plans := map[string]hpc.NodePlan{}
	var shared []hpc.Member
	for i := range 6 {
		shared = append(shared, hpc.Member{Hostname: fmt.Sprint("compute", i)})
	}
	for i := range 6 {
		plans[strconv.Itoa(i)] = hpc.NodePlan{ClusterID: "c", Self: shared[i], Members: shared[:1+i%3]}
	}
	for id, hash := range planHashes(plans) {
		if alone := planHash(plans[id]); hash != alone {
			t.Errorf("node %s has %s, alone %s", id, hash, alone)
		}
	}
}

func BenchmarkPlanHashes(b *testing.B) {
	var members []hpc.Member
	for i := range 250 {
		members = append(members, hpc.Member{Hostname: fmt.Sprintf("compute%03d", i), Address: fmt.Sprintf("10.240.0.%d", i), Roles: []hpc.Role{hpc.RoleCompute}})
	}
	plans := map[string]hpc.NodePlan{}
	for i, m := range members {
		plans[strconv.Itoa(i)] = hpc.NodePlan{ClusterID: "c", Self: m, Members: members}
	}
	for b.Loop() {
		planHashes(plans)
	}
}
