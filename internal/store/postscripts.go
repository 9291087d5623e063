package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// PostScript is a row of post_scripts: a script that runs on each node of a
// cluster before the node is in service.
type PostScript struct {
	bun.BaseModel `bun:"table:post_scripts"`

	ClusterID string `bun:",pk"`
	Position  int    `bun:",pk"` // from 1
	URL       string
	Args      string
	Content   string    // base64
	Fetched   time.Time `bun:",nullzero"`
	Attempts  int       // failures in a row to fetch it
	RetryAt   time.Time `bun:",nullzero"`
	Reason    string    // of the last failure
}

// InsertPostScripts adds a cluster's scripts.
func (tx Tx) InsertPostScripts(ctx context.Context, scripts []*PostScript) error {
	if len(scripts) == 0 {
		return nil
	}
	_, err := tx.db.NewInsert().Model(&scripts).Exec(ctx)
	return err
}

// PostScripts returns a cluster's scripts in their order, with their content or
// without.
func (tx Tx) PostScripts(ctx context.Context, clusterID string, content bool) ([]*PostScript, error) {
	var rows []*PostScript
	q := tx.db.NewSelect().Model(&rows).Where("cluster_id = ?", clusterID).Order("position")
	if !content {
		q = q.ExcludeColumn("content")
	}
	return rows, q.Scan(ctx)
}

// SavePostScript writes what became of fetching a script.
func (tx Tx) SavePostScript(ctx context.Context, s *PostScript) error {
	return one(tx.db.NewUpdate().Model(s).WherePK().Exec(ctx))
}

// Kinds of commands.
const KindPostInstall = "post-install"

// ScriptsCommand is the id of the command that runs the cluster's scripts on the
// node's present machine: a machine that is made anew has to be prepared anew, and
// none is twice.
func (n *Node) ScriptsCommand() string {
	sum := sha256.Sum256([]byte(n.ID + "\n" + n.BootID))
	return "c-" + hex.EncodeToString(sum[:16])
}

// ScriptRun is how the scripts of a cluster stand on a node.
type ScriptRun struct {
	CommandID string
	NodeID    string
	Status    hpc.CommandStatus
	ExitCode  int
}

// ScriptRuns returns all runs of a cluster's scripts, by the command's id.
func (tx Tx) ScriptRuns(ctx context.Context, clusterID string) (map[string]ScriptRun, error) {
	var rows []ScriptRun
	err := tx.db.NewSelect().TableExpr("command_results AS r").Join("JOIN commands AS c ON c.id = r.command_id").
		ColumnExpr("r.command_id, r.node_id, r.status, r.exit_code").
		Where("c.cluster_id = ? AND c.kind = ?", clusterID, KindPostInstall).Scan(ctx, &rows)
	runs := make(map[string]ScriptRun, len(rows))
	for _, r := range rows {
		runs[r.CommandID] = r
	}
	return runs, err
}
