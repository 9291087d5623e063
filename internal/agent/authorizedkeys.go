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
	"syscall"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
)

// authorizedKeysLimit bounds the file, in bytes.
const authorizedKeysLimit = 64 << 10

// AuthorizedKeys implements link.Node. As with ReadFile a helper with the
// account's credentials reads the file.
func (a *Agent) AuthorizedKeys(ctx context.Context, account hpc.AccountID) ([]byte, error) {
	u, err := a.account(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("cannot read the keys of %s: %w", account.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	helper := exec.CommandContext(ctx, a.opts.Program, "authorized-keys", u.home)
	helper.Env = userEnv(u)
	helper.Dir = "/"
	helper.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: credential(u)}
	var reason bytes.Buffer
	helper.Stderr = &reason
	keys, err := helper.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot read the keys of %s: %w: %s", account.Name, err, bytes.TrimSpace(reason.Bytes()))
	}
	return keys, nil
}

// GetAuthorizedKeys is the helper's whole life: it copies .ssh/authorized_keys
// below home, unless somebody else than its owner and root could have written
// it, as sshd's StrictModes has it. A file that is not there is empty.
func GetAuthorizedKeys(home string, uid int, to io.Writer) error {
	root, err := os.OpenRoot(home)
	if err != nil {
		return fmt.Errorf("cannot open the home: %w", err)
	}
	defer root.Close()
	for _, name := range []string{".", ".ssh"} {
		info, err := root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !info.IsDir() {
			err = link.ErrDenied
		}
		if err == nil {
			err = private(info, uid)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	const name = ".ssh/authorized_keys"
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not keep it waiting
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = link.ErrDenied
	}
	if err == nil {
		err = private(info, uid)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err = io.Copy(to, io.LimitReader(f, authorizedKeysLimit))
	return err
}

// private tells whether nobody but the user and root may write the file.
func private(info fs.FileInfo, uid int) error {
	if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != uid && owner != 0 {
		return fmt.Errorf("it belongs to user %d: %w", owner, link.ErrDenied)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others may write it: %w", link.ErrDenied)
	}
	return nil
}
