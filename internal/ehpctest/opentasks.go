package ehpctest

import (
	"context"
	"testing"

	"ehpc/internal/store"
)

// checkOpenTasks holds the number of open jobs that each cluster's limit goes by
// to the rows.
func (p *Plane) checkOpenTasks(t testing.TB) {
	t.Helper()
	must(t, p.Store.View(context.WithoutCancel(t.Context()), func(ctx context.Context, tx store.Tx) error {
		clusters, _, err := tx.Clusters(ctx, "", store.Page{})
		if err != nil {
			return err
		}
		for _, c := range clusters {
			number, err := tx.OpenTasks(ctx, c.ID)
			if err != nil {
				return err
			}
			rows, err := tx.OpenJobs(ctx, c.ID)
			if err != nil {
				return err
			}
			for _, row := range rows {
				number -= row.Tasks
			}
			if number != 0 {
				t.Errorf("cluster %s has %d fewer open tasks than it counts", c.ID, number)
			}
		}
		return nil
	}))
}
