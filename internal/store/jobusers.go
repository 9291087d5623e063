package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// JobUser is a row of job_users: the account that an access key's jobs run as
// where they name none.
type JobUser struct {
	bun.BaseModel `bun:"table:job_users"`

	ClusterID    string `bun:",pk"`
	AccessKey    string `bun:",pk"`
	Account      string
	PasswordHash string // as it was when the password was checked
	Chosen       time.Time
}

// SaveJobUser adds the row, or replaces what was chosen before.
func (tx Tx) SaveJobUser(ctx context.Context, u *JobUser) error {
	_, err := tx.db.NewInsert().Model(u).On("CONFLICT (cluster_id, access_key) DO UPDATE").
		Set("account = EXCLUDED.account").Set("password_hash = EXCLUDED.password_hash").
		Set("chosen = EXCLUDED.chosen").Exec(ctx)
	return err
}

// JobUser returns what was chosen for an access key in a cluster.
func (tx Tx) JobUser(ctx context.Context, clusterID, accessKey string) (*JobUser, error) {
	u := new(JobUser)
	err := tx.db.NewSelect().Model(u).Where("cluster_id = ? AND access_key = ?", clusterID, accessKey).Scan(ctx)
	return u, notFound(err)
}
