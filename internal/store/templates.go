package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"ehpc/api"
)

// JobTemplate is a row of job_templates.
type JobTemplate struct {
	bun.BaseModel `bun:"table:job_templates"`

	ID      string `bun:",pk"`
	Owner   string // of the access key that made it
	Name    string
	Asked   api.CreateJobTemplateRequest `bun:",type:text"`
	Created time.Time
}

// InsertJobTemplate adds a template.
func (tx Tx) InsertJobTemplate(ctx context.Context, t *JobTemplate) error {
	_, err := tx.db.NewInsert().Model(t).Exec(ctx)
	return err
}

// ChangeJobTemplate gives an owner's template another name and content;
// ErrConflict when there is none of that id.
func (tx Tx) ChangeJobTemplate(ctx context.Context, t *JobTemplate) error {
	return one(tx.db.NewUpdate().Model(t).Column("name", "asked").WherePK().Where("owner = ?", t.Owner).Exec(ctx))
}

// DeleteJobTemplate removes an owner's template; ErrConflict when there is none
// of that id.
func (tx Tx) DeleteJobTemplate(ctx context.Context, owner, id string) error {
	return one(tx.db.NewDelete().Model((*JobTemplate)(nil)).Where("id = ? AND owner = ?", id, owner).Exec(ctx))
}

// JobTemplates returns an owner's templates in the order they were made: all, or
// those of a name; and how many there are.
func (tx Tx) JobTemplates(ctx context.Context, owner, name string, page Page) ([]*JobTemplate, int, error) {
	var rows []*JobTemplate
	q := tx.db.NewSelect().Model(&rows).Where("owner = ?", owner).Order("created", "id")
	if name != "" {
		q = q.Where("name = ?", name)
	}
	return scanPage(ctx, q, page, &rows)
}

// CountJobTemplates returns how many templates an owner has.
func (tx Tx) CountJobTemplates(ctx context.Context, owner string) (int, error) {
	n, err := tx.db.NewSelect().Model((*JobTemplate)(nil)).Where("owner = ?", owner).Count(ctx)
	return int(n), err
}
