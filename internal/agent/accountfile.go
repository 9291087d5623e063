package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
)

// Exit statuses of the write-file helper.
const (
	ExitDenied = 3
	ExitFailed = 1
)

// accountFileLimit bounds an account's file, in bytes.
const accountFileLimit = 16 << 20

// WriteFile implements link.Node. Only the account's home is within reach: a
// helper with the account's credentials writes below it, so that neither a
// link nor a permission of the agent's lets it out.
func (a *Agent) WriteFile(ctx context.Context, file link.AccountFile) error {
	u, err := a.account(ctx, hpc.AccountID{Name: file.Account, UID: file.UID})
	if err != nil {
		return fmt.Errorf("cannot write for %s: %w", file.Account, err)
	}
	name, err := inHome(u.home, file.Path)
	if err != nil {
		return err
	}
	if len(file.Content) > accountFileLimit {
		return fmt.Errorf("cannot write %s: it is larger than %d bytes", file.Path, accountFileLimit)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	helper := exec.CommandContext(ctx, a.opts.Program, "write-file", u.home, name)
	helper.Env = userEnv(u)
	helper.Dir = "/"
	helper.Stdin = bytes.NewReader(file.Content)
	helper.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: credential(u)}
	out, err := helper.CombinedOutput()
	reason := string(bytes.TrimSpace(out))
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == ExitDenied {
		return fmt.Errorf("cannot write %s: %s: %w", file.Path, reason, link.ErrDenied)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w: %s", file.Path, err, reason)
	}
	return nil
}

// inHome turns the path into one relative to the home that stays below it.
func inHome(home, path string) (string, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return "", fmt.Errorf("cannot write %q: it is not a file's name: %w", path, link.ErrDenied)
	}
	name := path
	if filepath.IsAbs(path) {
		rel, err := filepath.Rel(home, path)
		if err != nil {
			return "", fmt.Errorf("cannot write %s: %w", path, link.ErrDenied)
		}
		name = rel
	}
	for _, part := range strings.Split(path, "/") {
		if part == ".." {
			return "", fmt.Errorf(`cannot write %s: ".." is not allowed in it: %w`, path, link.ErrDenied)
		}
	}
	if name = filepath.Clean(name); !filepath.IsLocal(name) || name == "." || strings.HasSuffix(path, "/") {
		return "", fmt.Errorf("cannot write %s: it is not inside %s: %w", path, home, link.ErrDenied)
	}
	return name, nil
}

// PutAccountFile is the helper's whole life, under the account's credentials:
// it writes content to name below home, through no link that leaves it, with
// the directories that are missing. A file that starts with "#!" can be executed.
func PutAccountFile(home, name string, content io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(content, accountFileLimit))
	if err != nil {
		return fmt.Errorf("cannot read the content: %w", err)
	}
	root, err := os.OpenRoot(home)
	if err != nil {
		return fmt.Errorf("cannot open the home: %w", err)
	}
	defer root.Close()
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return denied(err)
	}
	if info, err := root.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a plain file: %w", name, link.ErrDenied)
	}
	mode := fs.FileMode(0o600)
	if bytes.HasPrefix(text, []byte("#!")) {
		mode = 0o700
	}
	fresh := filepath.Join(filepath.Dir(name), fmt.Sprintf(".%s.ehpc-%d", shorten(filepath.Base(name)), os.Getpid()))
	if err := writeFresh(root, fresh, text, mode); err != nil {
		root.Remove(fresh)
		return denied(err)
	}
	if err := root.Rename(fresh, name); err != nil {
		root.Remove(fresh)
		return denied(err)
	}
	return nil
}

func writeFresh(root *os.Root, name string, text []byte, mode fs.FileMode) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// denied marks the errors of a place that the account may not write: no
// permission, a link that leaves the home, a file where a directory should be.
// A full disk and the like are not among them.
func denied(err error) error {
	for _, other := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS} {
		if errors.Is(err, other) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", err, link.ErrDenied)
}

// shorten keeps the temporary name within a file name's length.
func shorten(base string) string { return base[:min(len(base), 200)] }
