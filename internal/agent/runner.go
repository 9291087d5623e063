package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/plain"
)

const (
	// defaultTimeout is for commands that set no time limit.
	defaultTimeout = time.Hour
	systemPath     = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// RunCommand is the runner's whole life: it runs the journaled command and
// writes its result. Its exit status means nothing.
func RunCommand(ctx context.Context, root, dir, id string) error {
	j := journal{dir: dir}
	e, err := j.entry(id)
	if err != nil {
		return err
	}
	// Only this process may keep the lock: the agent watches it to see the runner end.
	syscall.CloseOnExec(3)
	printed, err := os.OpenFile(j.output(id), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write the commands' journal: %w", err)
	}
	dir, err = putFiles(j.files(id), e.Command.Files)
	result := hpc.CommandResult{Status: hpc.CommandFailed, ExitCode: -1}
	if err == nil {
		result = execute(ctx, files{root}, e.Command, dir, printed)
	} else {
		result.Output = plain.Text(err)
	}
	result.Finished = time.Now()
	if err := os.RemoveAll(j.files(id)); err != nil {
		return err
	}
	if err := j.save(j.result(id), result); err != nil {
		return err
	}
	return errors.Join(printed.Close(), os.Remove(j.output(id)))
}

// putFiles puts the command's files into a directory for root alone; "" for none.
func putFiles(dir string, list []hpc.CommandFile) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700))
	if err != nil {
		return "", fmt.Errorf("cannot keep the command's files: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("cannot keep the command's files: %w", err)
	}
	defer root.Close()
	for _, f := range list {
		if err := root.WriteFile(f.Name, f.Content, 0o700); err != nil {
			return "", fmt.Errorf("cannot keep the command's files: %w", err)
		}
	}
	return dir, nil
}

// execute runs the command to its end or its time limit, with its files in the
// directory. What it prints goes to printed too, as it comes.
func execute(ctx context.Context, f files, cmd hpc.Command, dir string, printed io.Writer) hpc.CommandResult {
	failed := func(err error) hpc.CommandResult {
		return hpc.CommandResult{Status: hpc.CommandFailed, ExitCode: -1, Output: plain.Text(err)}
	}
	name := cmd.User
	if name == "" {
		name = "root"
	}
	u, err := f.user(name)
	if err != nil {
		return failed(err)
	}
	limit := cmd.Timeout
	if limit <= 0 {
		limit = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := shell(u, cmd)
	if dir != "" {
		c.Env = append(c.Env, "EHPC_FILES="+dir)
	}
	c.Dir, err = workDir(u, cmd.Dir)
	if err != nil {
		return failed(err)
	}
	out := &output{limit: hpc.CommandOutputLimit, copy: printed}
	c.Stdout, c.Stderr = out, out
	// What the command leaves in the background may keep its output open.
	c.WaitDelay = time.Second
	if err := c.Start(); err != nil {
		return failed(fmt.Errorf("cannot run the command: %w", err))
	}
	stop := context.AfterFunc(ctx, func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	err = c.Wait()
	stopped := !stop()
	return hpc.CommandResult{
		Status: outcome(stopped, err), ExitCode: exitCode(c.ProcessState),
		Output: out.String(), Truncated: out.truncated(),
	}
}

func outcome(stopped bool, err error) hpc.CommandStatus {
	var exit *exec.ExitError
	switch {
	case stopped:
		return hpc.CommandStopped
	case err == nil, errors.As(err, &exit), errors.Is(err, exec.ErrWaitDelay):
		return hpc.CommandFinished
	}
	return hpc.CommandFailed
}

// exitCode is 128 and the signal for a process that was killed.
func exitCode(state *os.ProcessState) int {
	if status := state.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// shell is the command as the user, in a session of its own.
func shell(u user, cmd hpc.Command) *exec.Cmd {
	c := exec.Command("/bin/bash", "-c", cmd.Content)
	c.Env = userEnv(u)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: credential(u)}
	return c
}

func userEnv(u user) []string {
	return []string{
		"HOME=" + u.home, "USER=" + u.name, "LOGNAME=" + u.name, "SHELL=/bin/bash",
		"PATH=" + systemPath, "LANG=C.UTF-8",
	}
}

func credential(u user) *syscall.Credential {
	c := &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.gid), Groups: []uint32{}}
	for _, gid := range u.groups {
		c.Groups = append(c.Groups, uint32(gid))
	}
	return c
}

// workDir is the command's directory: the one asked for, else the user's home.
func workDir(u user, asked string) (string, error) {
	if asked == "" {
		asked = u.home
	}
	info, err := os.Stat(asked)
	if err != nil {
		return "", fmt.Errorf("cannot run the command in %s: %w", asked, errors.Unwrap(err))
	}
	if !info.IsDir() {
		return "", fmt.Errorf("cannot run the command in %s: it is not a directory", asked)
	}
	return asked, nil
}

// output keeps the first limit bytes of what is written to it.
type output struct {
	limit int
	copy  io.Writer // gets them too
	mu    sync.Mutex
	text  []byte
	cut   bool
}

// cutMark ends an output that was longer.
const cutMark = "\n[the output was longer and is cut here]\n"

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	room := o.limit - len(o.text)
	if len(p) > room {
		o.cut = true
	}
	kept := p[:min(len(p), room)]
	o.text = append(o.text, kept...)
	o.copy.Write(kept) // for whoever looks meanwhile; the result does not need it
	return len(p), nil
}

func (o *output) truncated() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cut
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := string(o.text)
	if o.cut {
		text = text[:o.limit-len(cutMark)] + cutMark
	}
	// A replacement must not make it longer than the limit.
	return strings.ToValidUTF8(text, "?")
}
