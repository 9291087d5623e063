package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// LateAccount is a row of late_accounts: a node that is still to be told of a right
// that was withdrawn from an account.
type LateAccount struct {
	bun.BaseModel `bun:"table:late_accounts"`

	ClusterID string `bun:",pk"`
	NodeID    string `bun:",pk"`
	Account   string `bun:",pk"`
	Change    string `bun:",pk"` // in the words of the cluster's log
	Since     time.Time
	Logged    bool // that it takes long
}

// AddLateAccounts writes rows down, in the transaction that withdraws the right.
func (tx Tx) AddLateAccounts(ctx context.Context, rows []*LateAccount) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := tx.db.NewInsert().Model(&rows).On("CONFLICT DO NOTHING").Exec(ctx)
	return err
}

// LateAccounts returns a cluster's rows, oldest first.
func (tx Tx) LateAccounts(ctx context.Context, clusterID string) ([]*LateAccount, error) {
	var rows []*LateAccount
	return rows, tx.db.NewSelect().Model(&rows).Where("cluster_id = ?", clusterID).
		Order("since", "account", "change", "node_id").Scan(ctx)
}

// NoteLateLogged notes that it was logged how long a row takes.
func (tx Tx) NoteLateLogged(ctx context.Context, row *LateAccount) error {
	return one(tx.db.NewUpdate().Model(row).Set("logged = ?", true).WherePK().Exec(ctx))
}

// EndLateAccount drops a row: its node was told, or is no more.
func (tx Tx) EndLateAccount(ctx context.Context, row *LateAccount) error {
	return one(tx.db.NewDelete().Model(row).WherePK().Exec(ctx))
}
