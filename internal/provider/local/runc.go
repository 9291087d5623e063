package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// runc runs the container runtime with its state in a directory of ours.
type runc struct{ root string }

const runcLimit = 30 * time.Second

// create makes the container of a bundle; its first process waits for start.
func (r runc) create(ctx context.Context, id, bundle string) (pid int, err error) {
	pidFile := filepath.Join(bundle, "pid")
	defer os.Remove(pidFile)
	if err := r.command(ctx, bundle, "create", "--bundle", bundle, "--pid-file", pidFile, id); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(text))
}

func (r runc) start(ctx context.Context, id string) error {
	return r.command(ctx, "", "start", id)
}

// delete kills and forgets the container. An unknown one is not an error.
func (r runc) delete(ctx context.Context, id string) error {
	if _, err := os.Stat(filepath.Join(r.root, id)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return r.command(ctx, "", "delete", "--force", id)
}

// command runs one. Its errors are read from runc's log, kept in logDir, since
// its own output is the container's.
func (r runc) command(ctx context.Context, logDir string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, runcLimit)
	defer cancel()
	if logDir == "" {
		_, err := run(ctx, "", "runc", append([]string{"--root", r.root}, args...)...)
		return err
	}
	log := filepath.Join(logDir, "runc.log")
	defer os.Remove(log)
	cmd := program(ctx, "runc", append([]string{"--root", r.root, "--log", log}, args...)...)
	if err := runLocked(cmd); err != nil {
		text, _ := os.ReadFile(log)
		return fmt.Errorf("runc %s failed: %w: %s", args[0], err, lastLines(string(text), 5))
	}
	return nil
}

// run runs a program and returns its output; the error ends with what it printed.
func run(ctx context.Context, stdin, name string, args ...string) (string, error) {
	cmd := program(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := runLocked(cmd); err != nil {
		return "", fmt.Errorf("%s failed: %w: %s", name, err, lastLines(errs.String(), 5))
	}
	return out.String(), nil
}

func program(ctx context.Context, name string, args ...string) *exec.Cmd {
	path, err := lookPath(name)
	if err != nil {
		path = name
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	return cmd
}

// runLocked lets the program die with this process, so that nothing goes on
// behind the back of the next one. The kernel ties that to the thread.
func runLocked(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}

// lookPath finds system programs where root's path leaves them out too.
func lookPath(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
