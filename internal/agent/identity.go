package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// identityFiles say who the node and its neighbours are.
func identityFiles(plan hpc.NodePlan) []scheduler.File {
	return []scheduler.File{
		{Path: "/etc/hostname", Content: []byte(plan.Self.Hostname + "\n"), Mode: 0o644},
		{Path: "/etc/hosts", Content: hosts(plan.Members), Mode: 0o644},
	}
}

// accountFiles say who the accounts are.
func accountFiles(accounts []hpc.Account) []scheduler.File {
	return []scheduler.File{
		{Path: "/var/lib/extrausers/group", Content: groups(accounts), Mode: 0o644},
		{Path: "/var/lib/extrausers/passwd", Content: passwd(accounts), Mode: 0o644},
		{Path: "/var/lib/extrausers/shadow", Content: shadow(accounts), Mode: 0o640, Owner: "root:shadow"},
	}
}

func hosts(members []hpc.Member) []byte {
	var b bytes.Buffer
	b.WriteString("127.0.0.1 localhost\n")
	for _, m := range members {
		fmt.Fprintf(&b, "%s %s\n", m.Address, m.Hostname)
	}
	return b.Bytes()
}

func passwd(accounts []hpc.Account) []byte {
	var b bytes.Buffer
	for _, a := range accounts {
		fmt.Fprintf(&b, "%s:x:%d:%d::/home/%s:/bin/bash\n", a.Name, a.UID, a.UID, a.Name)
	}
	return b.Bytes()
}

// passwordDay is a day in the past, in days since 1970: passwords do not expire,
// and a file that only changes with its accounts is written only then.
const passwordDay = 19000

func shadow(accounts []hpc.Account) []byte {
	var b bytes.Buffer
	for _, a := range accounts {
		fmt.Fprintf(&b, "%s:%s:%d:0:99999:7:::\n", a.Name, a.PasswordHash, passwordDay)
	}
	return b.Bytes()
}

// groups are every account's own group, and the groups of all.
func groups(accounts []hpc.Account) []byte {
	var b bytes.Buffer
	members := map[string][]string{}
	for _, a := range accounts {
		fmt.Fprintf(&b, "%s:x:%d:\n", a.Name, a.UID)
		members[a.Group] = append(members[a.Group], a.Name)
	}
	fmt.Fprintf(&b, "%s:x:%d:%s\n", hpc.UsersName, hpc.UsersGID, strings.Join(members[hpc.UsersName], ","))
	fmt.Fprintf(&b, "%s:x:%d:%s\n", hpc.WheelName, hpc.WheelGID, strings.Join(members[hpc.WheelName], ","))
	return b.Bytes()
}

// makeHomes makes the homes that are missing. One that was made and not handed
// over yet, by a crash in between, still belongs to root.
func (a *Agent) makeHomes(accounts []hpc.Account) error {
	home, err := os.OpenRoot(a.opts.Root + "/home")
	if err != nil {
		return fmt.Errorf("cannot open the homes: %w", err)
	}
	defer home.Close()
	for _, account := range accounts {
		if err := makeHome(home, account); err != nil {
			return fmt.Errorf("cannot make the home of %s: %w", account.Name, err)
		}
	}
	return nil
}

func makeHome(home *os.Root, account hpc.Account) error {
	if err := home.Mkdir(account.Name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := home.Lstat(account.Name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("something else stands there: %s", info.Mode())
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 {
		return nil
	}
	return home.Lchown(account.Name, account.UID, account.UID)
}
