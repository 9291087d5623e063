package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binVar says where the programs under test are, for the tests of one run.
const binVar = "EHPC_RIG_BIN"

// Main builds the programs, makes sure that the node image is there, runs the
// tests and ends the process.
func Main(m *testing.M) {
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (status int, err error) {
	if os.Geteuid() != 0 {
		return m.Run(), nil // Start says what is missing
	}
	dir, err := os.MkdirTemp("", "ehpc-rig-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // others than root start them too
		return 0, err
	}
	build := exec.Command("go", "build", "-o", dir, "ehpc/cmd/ehpc", "ehpc/cmd/ehpc-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	image := exec.Command(filepath.Join(dir, "ehpc"), "image", "build")
	for _, cmd := range []*exec.Cmd{build, image} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("cannot run %s: %w\n%s", cmd, err, out)
		}
	}
	if err := os.Setenv(binVar, dir); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// Program is the path of a program under test. A test that needs one is skipped
// where nodes cannot be made; with EHPC_TEST_NO_SKIP=1 it fails.
func Program(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv(binVar)
	switch {
	case dir != "":
		return filepath.Join(dir, name)
	case os.Getenv("EHPC_TEST_NO_SKIP") == "1":
		t.Fatal("nodes need root: run sudo make test")
	default:
		t.Skip("nodes need root: run sudo make test")
	}
	return ""
}
