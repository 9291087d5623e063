package slurm

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"ehpc/internal/scheduler"
)

func TestMove(t *testing.T) {
	t.Parallel()
	c := logged(t, "")
	var ran []string
	c.exec = func(_ context.Context, what call) ([]byte, string, error) {
		line := strings.Join(what.argv, " ")
		ran = append(ran, line)
		switch {
		case strings.HasPrefix(line, "scontrol show node"):
			return []byte(nodesText), "", nil
		case strings.HasPrefix(line, "scontrol update nodename=compute009"):
			return nil, "slurm_update error: Invalid node name specified", errors.New("exit status 1")
		}
		return nil, "", nil
	}
	if err := c.Move(t.Context(), "compute000", "night"); err != nil {
		t.Fatal(err)
	}
	want := []string{"scontrol show node --oneliner --all", "scontrol update nodename=compute000 availablefeatures=night activefeatures=night",
		"scontrol update partitionname=night nodes=night", "scontrol update partitionname=workq nodes=workq"}
	if !slices.Equal(ran, want) {
		t.Errorf("ran %q, want %q", ran, want)
	}
	for _, c2 := range []struct {
		node, queue string
		want        error
	}{{"compute009", "night", scheduler.ErrNotFound}, {"x reason=y", "night", scheduler.ErrNotFound}, {"compute000", "a,b", scheduler.ErrRejected}, {"compute000", "", scheduler.ErrRejected}} {
		if err := c.Move(t.Context(), c2.node, c2.queue); !errors.Is(err, c2.want) {
			t.Errorf("%q to %q: %v, want %v", c2.node, c2.queue, err, c2.want)
		}
	}
}
