package slurm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"ehpc/internal/scheduler"
)

const (
	// commandTimeout bounds one of Slurm's commands: a controller that is busy takes
	// longer than one that has gone, at whom they fail by themselves.
	commandTimeout = 50 * time.Second
	// pingTimeout bounds the question whether the controller is there at all.
	pingTimeout = 10 * time.Second
	// errorLimit is how much of a command's error is passed on, in bytes.
	errorLimit = 1 << 10
)

// call is one run of a command.
type call struct {
	argv  []string // the command by name, found in /usr/bin
	env   []string // beside what every command has
	stdin []byte
	file  *os.File // becomes file descriptor 3
}

// environment makes the commands' output the same everywhere.
var environment = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC", "HOME=/", "SLURM_TIME_FORMAT=standard",
	"SLURM_BITSTR_LEN=1024"} // of an array's tasks more is told than 64 characters, and not without end

// run runs a command and returns its output. A failure is ErrUnavailable if the
// controller does not answer, else ErrRejected with the command's words.
func (c *client) run(ctx context.Context, what call) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	out, complaint, err := c.exec(ctx, what)
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", what.argv[0], ctx.Err())
	}
	if !c.alive(ctx) {
		return nil, fmt.Errorf("%w: %s", scheduler.ErrUnavailable, complaint)
	}
	return nil, fmt.Errorf("%w: %s: %s", scheduler.ErrRejected, what.argv[0], complaint)
}

// alive tells whether the controller answers.
func (c *client) alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	_, _, err := c.exec(ctx, call{argv: []string{"scontrol", "ping"}})
	return err == nil
}

// command runs a program of Slurm's.
func command(ctx context.Context, what call) (out []byte, complaint string, err error) {
	cmd := exec.CommandContext(ctx, "/usr/bin/"+what.argv[0], what.argv[1:]...)
	cmd.Env = slices.Concat(environment, what.env)
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(what.stdin)
	cmd.WaitDelay = time.Second
	if what.file != nil {
		cmd.ExtraFiles = []*os.File{what.file}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	text := strings.TrimSpace(strings.ToValidUTF8(stderr.String(), "?"))
	return stdout.Bytes(), text[:min(len(text), errorLimit)], err
}
