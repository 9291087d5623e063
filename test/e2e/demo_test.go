package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is the top of the tree.
const root = "../.."

func TestDemoDoesTheMainJobAndLeavesNothing(t *testing.T) {
	needNodes(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "scripts", "demo.sh"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// needNodes skips the test where nodes cannot be made, or fails it with
// EHPC_TEST_NO_SKIP=1.
func needNodes(t *testing.T) {
	t.Helper()
	missing := t.Skip
	if os.Getenv("EHPC_TEST_NO_SKIP") == "1" {
		missing = t.Fatal
	}
	if os.Getuid() != 0 {
		missing("nodes need root: run sudo make test")
	}
	for _, program := range []string{"runc", "nft", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			missing("nodes need " + program + ": run make deps")
		}
	}
	for _, program := range []string{"ehpc", "ehpc-agent"} {
		if _, err := os.Stat(filepath.Join(root, "bin", program)); err != nil {
			missing("bin/" + program + " is not there: run make build")
		}
	}
}
