package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// Command is a row of commands.
type Command struct {
	bun.BaseModel `bun:"table:commands"`

	ID        string `bun:",pk"`
	ClusterID string
	Content   string
	Dir       string
	Timeout   int    // seconds
	Kind      string // "" for those of callers
	Created   time.Time
}

// CommandResult is a row of command_results: one command on one node.
type CommandResult struct {
	bun.BaseModel `bun:"table:command_results"`

	CommandID string `bun:",pk"`
	NodeID    string `bun:",pk"`
	Status    hpc.CommandStatus
	Started   bool // the node's agent has taken it
	ExitCode  int
	Output    string
	Finished  time.Time `bun:",nullzero"`
}

// InsertCommand adds a command with an open result for each node.
func (tx Tx) InsertCommand(ctx context.Context, c *Command, nodes []string) error {
	if _, err := tx.db.NewInsert().Model(c).Exec(ctx); err != nil {
		return err
	}
	rows := make([]*CommandResult, len(nodes))
	for i, id := range nodes {
		rows[i] = &CommandResult{CommandID: c.ID, NodeID: id, Status: hpc.CommandRunning}
	}
	_, err := tx.db.NewInsert().Model(&rows).Exec(ctx)
	return err
}

// Command returns a cluster's command.
func (tx Tx) Command(ctx context.Context, clusterID, id string) (*Command, error) {
	c := new(Command)
	err := tx.db.NewSelect().Model(c).Where("cluster_id = ? AND id = ?", clusterID, id).Scan(ctx)
	return c, notFound(err)
}

// Commands returns a cluster's commands, newest first: all, those that ran on
// one of the nodes, or the one with the id.
func (tx Tx) Commands(ctx context.Context, clusterID, id string, nodes []string, page Page) ([]*Command, int, error) {
	var rows []*Command
	q := tx.db.NewSelect().Model(&rows).Where("cluster_id = ?", clusterID).Order("created DESC", "id")
	if id != "" {
		q = q.Where("id = ?", id)
	}
	if len(nodes) > 0 {
		q = q.Where("id IN (SELECT command_id FROM command_results WHERE node_id IN (?))", bun.List(nodes))
	}
	return scanPage(ctx, q, page, &rows)
}

// CommandResults returns a command's results: on all nodes or the given ones,
// in every status or the given one.
func (tx Tx) CommandResults(ctx context.Context, id string, nodes []string, status hpc.CommandStatus, page Page) ([]*CommandResult, int, error) {
	var rows []*CommandResult
	q := tx.db.NewSelect().Model(&rows).Where("command_id = ?", id).Order("node_id")
	if len(nodes) > 0 {
		q = q.Where("node_id IN (?)", bun.List(nodes))
	}
	if status != "" {
		q = q.Where("status = ?", status)
	}
	return scanPage(ctx, q, page, &rows)
}

// OpenCommand is a command that still runs on a node.
type OpenCommand struct {
	Command
	NodeID  string
	Started bool
	Printed int // bytes of its output that are known
}

// OpenCommands returns every command that is not done, per node.
func (tx Tx) OpenCommands(ctx context.Context) ([]OpenCommand, error) {
	var rows []OpenCommand
	err := tx.db.NewSelect().TableExpr("command_results AS r").
		Join("JOIN commands AS c ON c.id = r.command_id").
		ColumnExpr("c.*, r.node_id, r.started, octet_length(r.output) AS printed").
		Where("r.status = ?", hpc.CommandRunning).OrderExpr("c.created").Scan(ctx, &rows)
	return rows, err
}

// SaveResult writes a result that is still open; ErrConflict when it was closed meanwhile.
func (tx Tx) SaveResult(ctx context.Context, r *CommandResult) error {
	return one(tx.db.NewUpdate().Model(r).WherePK().Where("status = ?", hpc.CommandRunning).Exec(ctx))
}

// FailResults closes what is still open on a node that is gone.
func (tx Tx) FailResults(ctx context.Context, nodeID, why string, now time.Time) error {
	_, err := tx.db.NewUpdate().Model((*CommandResult)(nil)).Set("status = ?", hpc.CommandFailed).
		Set("exit_code = ?", -1).Set("output = ?", why).Set("finished = ?", now).
		Where("node_id = ? AND status = ?", nodeID, hpc.CommandRunning).Exec(ctx)
	return err
}
