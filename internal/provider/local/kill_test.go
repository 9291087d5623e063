package local_test

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"ehpc/internal/provider"
	"ehpc/internal/provider/local"
)

// childDir makes this test binary a process that makes and removes machines in
// that directory until it is killed.
const childDir = "EHPC_TEST_CHURN_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		churn(dir)
	}
	os.Exit(m.Run())
}

func churn(dir string) {
	ctx := context.Background()
	p, err := openProvider(dir)
	for err == nil {
		err = liveOnce(ctx, p)
	}
	os.Stderr.WriteString(err.Error())
	os.Exit(1)
}

func liveOnce(ctx context.Context, p *local.Provider) error {
	if err := p.CreateCluster(ctx, "ehpc-hz-one"); err != nil {
		return err
	}
	if _, err := p.Create(ctx, churnSpec); err != nil {
		return err
	}
	if err := p.Destroy(ctx, churnSpec.ID); err != nil {
		return err
	}
	return p.DeleteCluster(ctx, "ehpc-hz-one")
}

var churnSpec = provider.Spec{ID: "i-a", ClusterID: "ehpc-hz-one", Hostname: "node-a", Type: smallType, Image: imageID}

func TestAProcessKilledAtAnyMomentLeavesNothingThatTheNextDoesNotFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newProvider(t, dir)
	t.Cleanup(func() { removeAllClusters(t, p) })
	const rounds = 12
	for round := range rounds {
		life := 20*time.Millisecond + rand.N(500*time.Millisecond)
		killAfter(t, dir, life)
		next, err := openProvider(dir)
		if err != nil {
			t.Fatalf("round %d, killed after %v: %v", round, life, err)
		}
		if round%2 == 0 { // still wanted
			startMachine(t, next, "ehpc-hz-one", "i-a")
			if out, err := inNode(t, next, "i-a", "ip -4 -brief address show dev eth0"); err != nil || out == "" {
				t.Fatalf("round %d, killed after %v: the machine is not whole: %s, %v", round, life, out, err)
			}
		}
		removeAllClusters(t, next)
		if left := traces(t, next, dir); len(left) > 0 {
			t.Fatalf("round %d, killed after %v: left %v", round, life, left)
		}
	}
}

// killAfter runs a process that churns, for that long.
func killAfter(t *testing.T, dir string, life time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), life)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.CombinedOutput()
	if ctx.Err() == nil {
		t.Fatalf("the process ended by itself: %v: %s", err, out)
	}
}
