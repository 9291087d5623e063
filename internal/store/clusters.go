package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"ehpc/api"
	"ehpc/internal/hpc"
)

// Cluster is a row of clusters.
type Cluster struct {
	bun.BaseModel `bun:"table:clusters"`

	ID          string `bun:",pk"`
	Rev         int64
	Name        string
	Description string
	Owner       string
	Status      hpc.ClusterStatus
	Reason      string // why it is in exception
	Wanted      bool   // false once DeleteCluster was accepted
	Scheduler   string
	DeployMode  hpc.DeployMode
	ImageID     string
	OsTag       string
	Asked       api.CreateClusterRequest `bun:",type:text"` // without its secrets
	Secrets     string                   // sealed; see OpenSecrets
	Cursor      string                   // how far the completion records were read
	Attempts    int                      // failures in a row of its present step
	RetryAt     time.Time                `bun:",nullzero"`
	Created     time.Time
	Changed     time.Time // of Status
	Deleted     time.Time `bun:",nullzero"`
	Home        string    // the server whose machine its nodes are on; "" for any
}

// InsertCluster adds a cluster with its secrets, which are sealed on the way.
func (tx Tx) InsertCluster(ctx context.Context, c *Cluster, secrets hpc.Secrets) error {
	plain, err := json.Marshal(secrets)
	if err != nil {
		return err
	}
	if c.Secrets, err = tx.sealer.Seal(plain, c.ID); err != nil {
		return fmt.Errorf("cannot seal the secrets of cluster %s: %w", c.ID, err)
	}
	_, err = tx.db.NewInsert().Model(c).Exec(ctx)
	return err
}

// OpenSecrets decrypts a cluster's secrets.
func (tx Tx) OpenSecrets(c *Cluster) (secrets hpc.Secrets, err error) {
	plain, err := tx.sealer.Open(c.Secrets, c.ID)
	if err != nil {
		return secrets, fmt.Errorf("cannot open the secrets of cluster %s: %w", c.ID, err)
	}
	return secrets, json.Unmarshal(plain, &secrets)
}

// Cluster returns a cluster that is not deleted.
func (tx Tx) Cluster(ctx context.Context, id string) (*Cluster, error) {
	c := new(Cluster)
	err := tx.db.NewSelect().Model(c).Where("id = ? AND deleted IS NULL", id).Scan(ctx)
	return c, notFound(err)
}

// ClustersNamed returns the clusters of that name that are wanted, of an owner or
// ("") of everybody, oldest first.
func (tx Tx) ClustersNamed(ctx context.Context, owner, name string) ([]*Cluster, error) {
	var rows []*Cluster
	q := tx.db.NewSelect().Model(&rows).Where("name = ? AND wanted = ? AND deleted IS NULL", name, true).Order("created", "id")
	if owner != "" {
		q = q.Where("owner = ?", owner)
	}
	err := q.Scan(ctx)
	return rows, err
}

// ClusterNamed returns the only cluster of that name that is wanted, whoever owns
// it; ErrNotFound if there is none, or several.
func (tx Tx) ClusterNamed(ctx context.Context, name string) (*Cluster, error) {
	rows, err := tx.ClustersNamed(ctx, "", name)
	if err == nil && len(rows) != 1 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

// LockCluster is Cluster inside a transaction that decides on the row: it
// raises the row's revision first, so that no other can decide meanwhile.
func (tx Tx) LockCluster(ctx context.Context, id string) (*Cluster, error) {
	_, err := tx.db.NewUpdate().Model((*Cluster)(nil)).Set("rev = rev + 1").Where("id = ?", id).Exec(ctx)
	if err != nil {
		return nil, err
	}
	return tx.Cluster(ctx, id)
}

// Clusters returns an owner's clusters ("" for everybody's), oldest first, and
// how many there are in all.
func (tx Tx) Clusters(ctx context.Context, owner string, page Page) ([]*Cluster, int, error) {
	var rows []*Cluster
	q := tx.db.NewSelect().Model(&rows).Where("deleted IS NULL").Order("created", "id")
	if owner != "" {
		q = q.Where("owner = ?", owner)
	}
	return scanPage(ctx, q, page, &rows)
}

// StepCluster moves a cluster's status; ErrConflict when it has another meanwhile.
func (tx Tx) StepCluster(ctx context.Context, c *Cluster, to hpc.ClusterStatus, reason string, now time.Time) error {
	return one(tx.db.NewUpdate().Model((*Cluster)(nil)).
		Set("rev = rev + 1").Set("status = ?", to).Set("reason = ?", reason).
		Set("attempts = 0").Set("retry_at = NULL").Set("changed = ?", now).
		Where("id = ? AND status = ? AND deleted IS NULL", c.ID, c.Status).Exec(ctx))
}

// RetryCluster notes a failed attempt at a cluster's present step.
func (tx Tx) RetryCluster(ctx context.Context, c *Cluster, reason string, at time.Time) error {
	return one(tx.db.NewUpdate().Model((*Cluster)(nil)).
		Set("rev = rev + 1").Set("attempts = attempts + 1").Set("retry_at = ?", at).Set("reason = ?", reason).
		Where("id = ? AND status = ?", c.ID, c.Status).Exec(ctx))
}

// UnwantCluster marks a cluster for deletion; every node with it.
func (tx Tx) UnwantCluster(ctx context.Context, id string, now time.Time) error {
	_, err := tx.db.NewUpdate().Model((*Cluster)(nil)).
		Set("rev = rev + 1").Set("wanted = ?", false).Set("status = ?", hpc.ClusterReleasing).
		Set("attempts = 0").Set("retry_at = NULL").Set("changed = ?", now).
		Where("id = ?", id).Exec(ctx)
	if err != nil {
		return err
	}
	seq, err := tx.next(ctx, id, nodeKind, 0)
	if err != nil {
		return err
	}
	_, err = tx.db.NewUpdate().Model((*Node)(nil)).
		Set("rev = rev + 1").Set("seq = ?", seq).Set("wanted = ?", false).Set("force = ?", true).
		Set("status = ?", hpc.NodeReleasing).Set("attempts = 0").Set("retry_at = NULL").Set("changed = ?", now).
		Where("cluster_id = ?", id).Exec(ctx)
	return err
}

// DropCluster ends a cluster whose nodes and volume are gone. Its row stays
// for its log and its ledger, without the secrets and the scripts; DeleteJobsOfGone
// deletes its jobs.
func (tx Tx) DropCluster(ctx context.Context, id string, now time.Time) error {
	if err := tx.endRunsWith(ctx, id, now); err != nil {
		return err
	}
	if _, err := tx.db.NewDelete().Model((*PostScript)(nil)).Where("cluster_id = ?", id).Exec(ctx); err != nil {
		return err
	}
	if _, err := tx.db.NewDelete().Model((*LateAccount)(nil)).Where("cluster_id = ?", id).Exec(ctx); err != nil {
		return err
	}
	return one(tx.db.NewUpdate().Model((*Cluster)(nil)).
		Set("rev = rev + 1").Set("deleted = ?", now).Set("secrets = ''").
		Where("id = ? AND deleted IS NULL", id).Exec(ctx))
}

// RenameCluster sets a cluster's name and description.
func (tx Tx) RenameCluster(ctx context.Context, c *Cluster) error {
	return one(tx.db.NewUpdate().Model(c).Set("rev = rev + 1").Column("name", "description").WherePK().Exec(ctx))
}

// AdvanceCursor notes how far a cluster's completion records were read.
func (tx Tx) AdvanceCursor(ctx context.Context, id, from, to string) error {
	return one(tx.db.NewUpdate().Model((*Cluster)(nil)).
		Set("cursor = ?", to).Where("id = ? AND cursor = ?", id, from).Exec(ctx))
}
