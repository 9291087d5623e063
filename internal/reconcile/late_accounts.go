package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ehpc/internal/store"
)

// lateAfter is after how long it is logged that a node has not been told of a
// right that was withdrawn: as long as the call waits that withdraws it.
const lateAfter = 2 * time.Second

// latePlan is what becomes of rows of late_accounts.
type latePlan struct {
	End, Logged []*store.LateAccount
	Lines       []logged // for the cluster's log
}

// logged is a line of a cluster's log.
type logged struct{ level, text string }

// planLate ends the rows of nodes that have been told, or are no more, and says
// which nodes take long, once, and when they were told after all.
func planLate(now time.Time, rows []*store.LateAccount, nodes []*store.Node, told func(*store.Node) bool) latePlan {
	var p latePlan
	var changes []string
	slow, after := map[string][]string{}, map[string][]string{}
	line := func(of map[string][]string, row *store.LateAccount, host string) {
		if !slices.Contains(changes, row.Change) {
			changes = append(changes, row.Change)
		}
		of[row.Change] = append(of[row.Change], host)
	}
	for _, row := range rows {
		i := slices.IndexFunc(nodes, func(n *store.Node) bool { return n.ID == row.NodeID })
		switch {
		case i < 0:
			p.End = append(p.End, row)
		case told(nodes[i]):
			p.End = append(p.End, row)
			if row.Logged {
				line(after, row, nodes[i].Hostname)
			}
		case !row.Logged && now.Sub(row.Since) >= lateAfter:
			p.Logged = append(p.Logged, row)
			line(slow, row, nodes[i].Hostname)
		}
	}
	for _, change := range changes {
		if hosts := slow[change]; len(hosts) > 0 {
			p.Lines = append(p.Lines, logged{store.Warn, change + ": not in force yet on " + strings.Join(hosts, ", ") + ", which could not be told so far"})
		}
		if hosts := after[change]; len(hosts) > 0 {
			p.Lines = append(p.Lines, logged{store.Info, change + ": in force now on " + strings.Join(hosts, ", ")})
		}
	}
	return p
}

// noteLate writes down what has become of the rows, which were read before the
// accounts were that told is about.
func (ctl *Control) noteLate(ctx context.Context, clusterID string, rows []*store.LateAccount, nodes []*store.Node, told func(*store.Node) bool) error {
	now := time.Now()
	p := planLate(now, rows, nodes, told)
	if len(p.End)+len(p.Logged) == 0 {
		return nil
	}
	err := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		for _, row := range p.End {
			if err := tx.EndLateAccount(ctx, row); err != nil {
				return err
			}
		}
		for _, row := range p.Logged {
			if err := tx.NoteLateLogged(ctx, row); err != nil {
				return err
			}
		}
		for _, l := range p.Lines {
			if err := tx.Log(ctx, clusterID, "Account", l.level, l.text, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot note which nodes were told of changed accounts: %w", err)
	}
	return nil
}
