package store

import (
	"context"
	"testing"

	"ehpc/internal/hpc"
)

func TestTextThatNoDatabaseKeepsIsKeptReadable(t *testing.T) { onEveryEngine(t, testText) }

func testText(t *testing.T, place func() Place) {
	s := withCluster(t, place())
	const printed, kept = "a\x00b\xff\xfe'é'", "a\uFFFDb\uFFFD'é'"
	spec := hpc.JobSpec{Name: printed, Script: "#!/bin/sh\necho 'é \\ \"$x\"'\t\\u0041"}
	change(t, s, func(ctx context.Context, tx Tx) error {
		if err := tx.InsertCommand(ctx, &Command{ID: "c-1", ClusterID: "c", Content: "true", Created: now}, []string{"i-1"}); err != nil {
			return err
		}
		if err := tx.SaveResult(ctx, &CommandResult{CommandID: "c-1", NodeID: "i-1", Status: hpc.CommandFinished, Output: printed, Finished: now}); err != nil {
			return err
		}
		if err := tx.InsertJob(ctx, &Job{ID: "j-1", ClusterID: "c", Spec: spec, Submitted: now, Modified: now}); err != nil {
			return err
		}
		return tx.Log(ctx, "c", "Test", Info, printed, now)
	})
	results, _, err := s.Read().CommandResults(t.Context(), "c-1", nil, "", Page{})
	if err != nil || len(results) != 1 || results[0].Output != kept {
		t.Errorf("results %+v, err %v", results, err)
	}
	lines, _, err := s.Read().Logs(t.Context(), "c", Page{})
	if err != nil || len(lines) != 1 || lines[0].Message != kept {
		t.Errorf("lines %+v, err %v", lines, err)
	}
	if j, err := s.Read().Job(t.Context(), "j-1"); err != nil || j.Spec.Script != spec.Script {
		t.Errorf("job %+v, err %v", j, err)
	}
}
