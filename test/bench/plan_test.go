package bench

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"
)

var benchLine = regexp.MustCompile(`(?m)^Benchmark\S+\s+\d+\s+(\d+) ns/op\s+(\d+) B/op`)

// plans takes what the plan of auto scaling costs from its own benchmark, which
// reaches what this package cannot.
func plans(b *testing.B, _ *world, t *table) {
	const rounds = 3
	r := &row{place: 62, what: "the plan of auto scaling for 10,000 nodes and 100,000 waiting jobs", unit: "ms", goal: atMost(200, "ms, 200 MB")}
	megabytes := 0.0
	for range rounds {
		run := exec.Command("go", "test", "-run", "^$", "-bench", "^BenchmarkPlanScale$", "-benchmem", "-benchtime", "5x", "ehpc/internal/reconcile")
		run.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := run.CombinedOutput()
		found := benchLine.FindSubmatch(out)
		if err != nil || found == nil {
			b.Fatalf("cannot measure the plan: %v\n%s", err, out)
		}
		r.ours = append(r.ours, seconds(b, string(found[1]))/1e6)
		megabytes = max(megabytes, seconds(b, string(found[2]))/1e6)
	}
	r.note = fmt.Sprintf("%s MB allocated", short(megabytes))
	if megabytes > 200 {
		r.goal.met = func(*row) bool { return false }
	}
	t.add(b, r)
}
