package agent

import (
	"bytes"
	"context"
	"encoding/json"
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

// scriptLimit is how much of a script is looked at, in bytes.
const scriptLimit = 1 << 20

// JobPaths implements link.Node: a helper with the account's credentials looks.
func (a *Agent) JobPaths(ctx context.Context, paths link.JobPaths) (faults link.JobFaults, err error) {
	u, err := a.accountNow(hpc.AccountID{Name: paths.Account, UID: paths.UID})
	if err != nil {
		return faults, fmt.Errorf("cannot look for %s: %w", paths.Account, err)
	}
	question, err := json.Marshal(paths)
	if err != nil {
		return faults, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	helper := exec.CommandContext(ctx, a.opts.Program, "job-paths")
	helper.Env = userEnv(u)
	helper.Dir = "/"
	helper.Stdin = bytes.NewReader(question)
	helper.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: credential(u)}
	var reason bytes.Buffer
	helper.Stderr = &reason
	answer, err := helper.Output()
	if err != nil {
		return faults, fmt.Errorf("cannot look for %s: %w: %s", paths.Account, err, bytes.TrimSpace(reason.Bytes()))
	}
	return faults, json.Unmarshal(answer, &faults)
}

// volumeDirs are the directories that all nodes of a cluster have in common.
var volumeDirs = []string{"home", "opt"}

// LookAtJobPaths is the helper's whole life, under the account's credentials.
func LookAtJobPaths(root string, from io.Reader, to io.Writer) error {
	var p link.JobPaths
	if err := json.NewDecoder(from).Decode(&p); err != nil {
		return fmt.Errorf("cannot read the question: %w", err)
	}
	var f link.JobFaults
	look := func(dir string, mode uint32) {
		switch err := lookAtDir(root, dir, mode); {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			f.Missing = append(f.Missing, dir)
		case errors.Is(err, fs.ErrPermission):
			f.Closed = append(f.Closed, dir)
		}
	}
	const enter, change = 1, 2 | 1 // as access(2) has them
	if p.Dir != "" {
		look(p.Dir, enter)
	}
	for _, dir := range p.Outputs {
		look(dir, change)
	}
	if p.Script != "" {
		f.DOSScript = hpc.DOSScript(beginning(root, p.Script))
	}
	return json.NewEncoder(to).Encode(f)
}

// inShare opens the share that a path is in. Links that leave it lead to what
// another node may have of its own: they are not followed.
func inShare(root, path string) (share *os.Root, name string, err error) {
	top, name, _ := strings.Cut(strings.TrimPrefix(filepath.Clean(path), "/"), "/")
	for _, s := range volumeDirs {
		if s == top && name != "" {
			share, err = os.OpenRoot(filepath.Join(root, s))
			return share, name, err
		}
	}
	return nil, "", errors.New("it is in no share")
}

// lookAtDir is the error of using a directory, as far as it is the same on all
// nodes.
func lookAtDir(root, dir string, mode uint32) error {
	share, name, err := inShare(root, dir)
	if err != nil {
		return nil
	}
	defer share.Close()
	info, err := share.Stat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return syscall.ENOTDIR
	}
	return syscall.Access(filepath.Join(root, dir), mode)
}

// beginning reads a plain file in a share; nil if there is none.
func beginning(root, path string) []byte {
	share, name, err := inShare(root, path)
	if err != nil {
		return nil
	}
	defer share.Close()
	f, err := share.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(f, scriptLimit))
	if err != nil {
		return nil
	}
	return text
}
