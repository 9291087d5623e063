package image

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// mmdebstrap runs the program of that name. Its error ends with the end of
// what it printed.
func mmdebstrap(ctx context.Context, r recipe, sources, rootfs string, progress func(string)) error {
	args := []string{"--mode=root", "--variant=minbase", "--format=directory", "--architectures=" + r.Arch,
		"--include=" + strings.Join(r.Packages, ","), "--aptopt=Acquire::Retries \"3\""}
	for _, pattern := range r.Exclude {
		args = append(args, "--dpkgopt=path-exclude="+pattern)
	}
	for _, pattern := range r.Include {
		args = append(args, "--dpkgopt=path-include="+pattern)
	}
	for _, option := range hostAptOptions(ctx) {
		args = append(args, "--aptopt="+option)
	}
	args = append(args, r.Suite, rootfs, sources)

	cmd := exec.CommandContext(ctx, "mmdebstrap", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
		"SOURCE_DATE_EPOCH="+strconv.FormatInt(r.Epoch, 10))
	// A mount namespace of its own: what it mounts is gone when it is, however it ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	tail := make(chan []string)
	go func() { tail <- follow(read, progress) }()
	runtime.LockOSThread() // the death signal is tied to the thread that starts the program
	err := cmd.Run()
	runtime.UnlockOSThread()
	write.Close()
	lines := <-tail
	if err != nil {
		return fmt.Errorf("mmdebstrap of %s failed: %w; it ended with:\n%s", r.Suite, errors.Join(err, ctx.Err()), strings.Join(lines, "\n"))
	}
	return nil
}

const tailLines = 25

// follow hands mmdebstrap's own messages to progress and returns the last lines.
func follow(r io.Reader, progress func(string)) []string {
	var tail []string
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := strings.TrimRight(scanner.Text(), " \r")
		if line == "" {
			continue
		}
		if message, ok := strings.CutPrefix(line, "I: "); ok {
			progress(message)
		}
		tail = append(tail, line)
		if len(tail) > tailLines {
			tail = tail[1:]
		}
	}
	io.Copy(io.Discard, r) // a line too long: the writer must not block
	return tail
}

var aptOption = regexp.MustCompile(`^Acquire::((https?|ftp)::[^ ]*|Check-Valid-Until|Check-Date) "[^"]*";$`)

// hostAptOptions are the host's settings for reaching its archive: proxies,
// certificates, snapshots that are allowed to be old. None that weakens the
// verification of signatures is taken over.
func hostAptOptions(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		return nil // not fatal: the archive may be reachable without
	}
	return pickOptions(string(out))
}

func pickOptions(dump string) []string {
	var options []string
	for line := range strings.Lines(dump) {
		if line = strings.TrimSpace(line); aptOption.MatchString(line) {
			options = append(options, line)
		}
	}
	return options
}
