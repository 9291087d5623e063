package store

import (
	"context"
	"testing"

	"ehpc/internal/hpc"
)

func TestAServersCapacityIsPromisedByItsOwnClustersAlone(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := withCluster(t, place()) // of no home, with a node that is not made yet
		change(t, s, func(ctx context.Context, tx Tx) error {
			c := &Cluster{ID: "d", Owner: "o", Status: hpc.ClusterUninit, Wanted: true, Created: now, Changed: now, Home: "b"}
			if err := tx.InsertCluster(ctx, c, hpc.Secrets{}); err != nil {
				return err
			}
			return tx.InsertNodes(ctx, []*Node{{ID: "i-2", ClusterID: "d", Hostname: "manager", Roles: []hpc.Role{hpc.RoleManager},
				InstanceType: hpc.InstanceType{Name: "u", Cores: 64}, Status: hpc.NodeUninit, Wanted: true, Created: now, Changed: now}})
		})
		for home, want := range map[string]string{"": "t", "b": "u", "other": ""} {
			types, err := s.Read().UnmadeTypes(t.Context(), home)
			if err != nil || want == "" && len(types) > 0 || want != "" && (len(types) != 1 || types[0].Name != want) {
				t.Errorf("home %q: %v, %v, want %q alone", home, types, err, want)
			}
		}
	})
}
