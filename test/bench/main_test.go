package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ehpc/test/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// besideProgram builds the other side's program.
func besideProgram(b *testing.B) string {
	b.Helper()
	file := filepath.Join(b.TempDir(), "beside")
	build := exec.Command("go", "build", "-o", file, "ehpc/test/bench/beside")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("cannot build what is beside: %v\n%s", err, out)
	}
	return file
}
