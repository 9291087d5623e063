package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/provider/local"
)

// Machine is a node's machine as the host sees it.
type Machine struct {
	BootID string
	Init   int    // process id of its init
	Net    string // its network namespace
}

// Machine looks at a node's machine.
func (s *Server) Machine(t testing.TB, nodeID string) Machine {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, "machines", nodeID, "machine.json"))
	Must(t, err)
	var rec struct {
		BootID string              `json:"boot_id"`
		Init   struct{ PID int }   `json:"init"`
		Spec   struct{ ID string } `json:"spec"`
	}
	Must(t, json.Unmarshal(text, &rec))
	m := Machine{BootID: rec.BootID, Init: rec.Init.PID}
	m.Net, _ = os.Readlink(fmt.Sprintf("/proc/%d/ns/net", m.Init)) // it may be dead
	return m
}

// Machines are the ids of the machines that there are, whole or not.
func (s *Server) Machines(t testing.TB) []string {
	t.Helper()
	return entries(filepath.Join(s.Dir, "machines"))
}

// Containers are the ids of the containers that the runtime knows of.
func (s *Server) Containers(t testing.TB) []string {
	t.Helper()
	return entries(filepath.Join(s.Dir, "runc"))
}

// Traces are what a cluster has on the host that its data directory does not
// tell once it is gone.
type Traces struct {
	Links []string // its bridge and what is joined to it
	Nets  []string // its nodes' network namespaces
}

// Traces looks at what a running cluster has on the host.
func (c *Cluster) Traces(t testing.TB) Traces {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.Dir, "clusters", c.ID, "net.json"))
	Must(t, err)
	var net struct {
		Bridge string `json:"bridge"`
	}
	Must(t, json.Unmarshal(text, &net))
	var tr Traces
	tr.Links = append(entries("/sys/class/net/"+net.Bridge+"/brif"), net.Bridge)
	for _, n := range c.Nodes(t) {
		m := c.Machine(t, n.Id)
		// While it is open the kernel gives its number to no other.
		held, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", m.Init))
		Must(t, err)
		t.Cleanup(func() { held.Close() })
		tr.Nets = append(tr.Nets, m.Net)
	}
	return tr
}

// Left is what of the traces is still there.
func (tr Traces) Left() []string {
	var left []string
	for _, link := range tr.Links {
		if _, err := os.Lstat("/sys/class/net/" + link); err == nil {
			left = append(left, "link "+link)
		}
	}
	nets, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, file := range nets {
		if net, err := os.Readlink(file); err == nil && slices.Contains(tr.Nets, net) {
			left = append(left, "process in a node's network: "+file)
		}
	}
	return left
}

// leftOf is what of a data directory is on the host.
func leftOf(t testing.TB, dir string) []string {
	t.Helper()
	var left []string
	mounts, err := os.ReadFile("/proc/self/mounts")
	Must(t, err)
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir+"/") {
			left = append(left, "mount "+line)
		}
	}
	instance := instanceOf(dir)
	if instance == "" {
		return left
	}
	for _, pattern := range []string{"/sys/fs/cgroup/ehpc/", "/sys/fs/cgroup/*/ehpc/"} {
		groups, _ := filepath.Glob(pattern + instance)
		for _, group := range groups {
			left = append(left, "control group "+group)
		}
	}
	files, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), "/ehpc/"+instance+"/") && !zombie(filepath.Dir(file)) {
			left = append(left, "process "+file)
		}
	}
	tables, err := exec.Command("nft", "list", "tables").CombinedOutput()
	Must(t, err)
	if strings.Contains(string(tables), "ehpc_"+instance) {
		left = append(left, "firewall table ehpc_"+instance)
	}
	return left
}

// zombie tells whether a process has ended and is only not reaped yet, which is
// left to the host's init.
func zombie(proc string) bool {
	text, err := os.ReadFile(proc + "/stat")
	_, after, _ := strings.Cut(string(text), ") ")
	return err != nil || strings.HasPrefix(after, "Z")
}

func instanceOf(dir string) string {
	text, _ := os.ReadFile(filepath.Join(dir, "instance"))
	return strings.TrimSpace(string(text))
}

func clustersIn(dir string) []string { return entries(filepath.Join(dir, "clusters")) }

// removeAll removes what a failed test left on the host.
func removeAll(dir string) error {
	left := clustersIn(dir)
	if len(left) == 0 && len(entries(filepath.Join(dir, "machines"))) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := local.New(ctx, local.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	for _, id := range left {
		if err := p.DeleteCluster(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// entries are the names in a directory, none if it is not there.
func entries(dir string) []string {
	list, _ := os.ReadDir(dir)
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name()
	}
	return names
}
