package store

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

func TestNodesThatAreLookedAtAgainAreWhatIsInTheStore(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := withCluster(t, place())
		read := func() []*Node {
			t.Helper()
			rows, err := s.Read().Nodes(t.Context(), "c")
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		same := func(after string) {
			t.Helper()
			seen, err := s.Nodes(t.Context(), "c")
			if err != nil {
				t.Fatal(err)
			}
			if rows := read(); !reflect.DeepEqual(seen, rows) {
				t.Errorf("after %s:\n%+v is seen of\n%+v", after, seen, rows)
			}
		}
		same("the start")
		var nodes []*Node
		for i := range 5 {
			nodes = append(nodes, &Node{ID: fmt.Sprint("i-", 9-i), ClusterID: "c", Hostname: fmt.Sprintf("compute%03d", i), Roles: []hpc.Role{hpc.RoleCompute},
				Status: hpc.NodeUninit, Wanted: true, Created: now.Add(time.Minute), Changed: now})
		}
		n := nodes[2]
		later := now.Add(time.Hour)
		for _, c := range []struct {
			what string
			do   func(ctx context.Context, tx Tx) error
		}{
			{"InsertNodes", func(ctx context.Context, tx Tx) error { return tx.InsertNodes(ctx, nodes) }},
			{"StepNode", func(ctx context.Context, tx Tx) error {
				return tx.StepNode(ctx, n, hpc.NodeRunning, "", later, time.Time{})
			}},
			{"RetryNode", func(ctx context.Context, tx Tx) error { return tx.RetryNode(ctx, n, "why", later) }},
			{"NotePlan", func(ctx context.Context, tx Tx) error { return tx.NotePlan(ctx, n, "p") }},
			{"NoteSched", func(ctx context.Context, tx Tx) error { return tx.NoteSched(ctx, n, "idle", 1, 2) }},
			{"NoteIdle", func(ctx context.Context, tx Tx) error { return tx.NoteIdle(ctx, n, 3) }},
			{"NoteWaiting", func(ctx context.Context, tx Tx) error { return tx.NoteWaiting(ctx, n, "for a price") }},
			{"NoteFailures", func(ctx context.Context, tx Tx) error {
				n.Health.InRow, n.Health.Failures = 1, []hpc.JobFailure{{Job: "7", UID: 1000, At: now}}
				return tx.NoteFailures(ctx, n)
			}},
			{"MarkSick", func(ctx context.Context, tx Tx) error { return tx.MarkSick(ctx, n, hpc.DiskFull, "full") }},
			{"MarkReplacing", func(ctx context.Context, tx Tx) error { return tx.MarkReplacing(ctx, n) }},
			{"AskResume", func(ctx context.Context, tx Tx) error { return tx.AskResume(ctx, n) }},
			{"NoteResumed", func(ctx context.Context, tx Tx) error { return tx.NoteResumed(ctx, n) }},
			{"StepReclaim", func(ctx context.Context, tx Tx) error {
				return tx.StepReclaim(ctx, n, hpc.GivenBack, later, "notice")
			}},
			{"MoveNode", func(ctx context.Context, tx Tx) error { return tx.MoveNode(ctx, n, "other", later) }},
			{"ResetNode", func(ctx context.Context, tx Tx) error { return tx.ResetNode(ctx, n, "late", later) }},
			{"UnwantNode", func(ctx context.Context, tx Tx) error { return tx.UnwantNode(ctx, n, true, later) }},
			{"LimitDrain", func(ctx context.Context, tx Tx) error { return tx.LimitDrain(ctx, n, later) }},
			{"ForceNode", func(ctx context.Context, tx Tx) error { return tx.ForceNode(ctx, n) }},
			{"a drop of one and two changes of others", func(ctx context.Context, tx Tx) error {
				if err := tx.NoteSched(ctx, nodes[0], "idle", 1, 2); err != nil {
					return err
				}
				if err := tx.DropNode(ctx, n.ID, later); err != nil {
					return err
				}
				return tx.NoteSched(ctx, nodes[1], "idle", 1, 2)
			}},
			{"UnwantCluster", func(ctx context.Context, tx Tx) error { return tx.UnwantCluster(ctx, "c", later) }},
		} {
			change(t, s, func(ctx context.Context, tx Tx) error {
				for _, row := range read() { // as it is now
					if row.ID == n.ID {
						health := n.Health
						*n = *row
						if c.what == "NoteFailures" {
							n.Health = health
						}
					}
				}
				return c.do(ctx, tx)
			})
			same(c.what)
		}
	})
}

func TestRowsThatWereHandedOutAreTheCallers(t *testing.T) {
	s := withCluster(t, Place{Dir: t.TempDir()})
	for range 2 {
		nodes, err := s.Nodes(t.Context(), "c")
		if err != nil || len(nodes) != 1 || nodes[0].Plan != "" {
			t.Fatalf("nodes are %+v, %v", nodes, err)
		}
		nodes[0].Plan = "of the caller"
	}
}
