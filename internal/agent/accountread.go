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
	"strconv"
	"syscall"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
)

// ReadFile implements link.Node. As with WriteFile, a helper with the account's
// credentials reads below its home, through no link that leaves it.
func (a *Agent) ReadFile(ctx context.Context, part link.AccountPart) ([]byte, error) {
	u, err := a.account(ctx, hpc.AccountID{Name: part.Account, UID: part.UID})
	if err != nil {
		return nil, fmt.Errorf("cannot read for %s: %w", part.Account, err)
	}
	name, err := inHome(u.home, part.Path)
	if err != nil {
		return nil, err
	}
	if part.Offset < 0 || part.Size < 0 || part.Size > link.AccountPartLimit {
		return nil, fmt.Errorf("cannot read %s: %d bytes from %d are not to be had", part.Path, part.Size, part.Offset)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	helper := exec.CommandContext(ctx, a.opts.Program, "read-file", u.home, name,
		strconv.FormatInt(part.Offset, 10), strconv.FormatInt(part.Size, 10))
	helper.Env = userEnv(u)
	helper.Dir = "/"
	helper.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: credential(u)}
	var reason bytes.Buffer
	helper.Stderr = &reason
	content, err := helper.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == ExitDenied {
		return nil, fmt.Errorf("cannot read %s: %s: %w", part.Path, bytes.TrimSpace(reason.Bytes()), link.ErrDenied)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w: %s", part.Path, err, bytes.TrimSpace(reason.Bytes()))
	}
	return content, nil
}

// GetAccountFile is the helper's whole life, under the account's credentials: it
// copies size bytes from offset on of the plain file name below home. A file
// that is not there is empty.
func GetAccountFile(home, name, offset, size string, to io.Writer) error {
	from, err := strconv.ParseInt(offset, 10, 64)
	if err != nil {
		return fmt.Errorf("cannot read from %q: %w", offset, err)
	}
	count, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return fmt.Errorf("cannot read %q bytes: %w", size, err)
	}
	root, err := os.OpenRoot(home)
	if err != nil {
		return fmt.Errorf("cannot open the home: %w", err)
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not keep it waiting
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return denied(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a plain file: %w", name, link.ErrDenied)
	}
	_, err = io.Copy(to, io.NewSectionReader(f, from, count))
	return err
}
