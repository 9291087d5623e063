package slurm

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/template"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

const (
	slurmdPort = 6818
	// maxNodes bounds a cluster; the daemons speak to all nodes directly up to it.
	maxNodes = 512
	// basePriority is every job's, as the weight of its partition, less its nice value:
	// Slurm takes what comes below 1 for 1, and holds what is above 2^32 for none.
	basePriority = 2_000_000_000
)

//go:embed slurm.conf.tmpl
var slurmConf string

//go:embed job_submit.lua
var jobSubmit []byte

var confTemplate = template.Must(template.New("slurm.conf").Parse(slurmConf))

// Files implements scheduler.Engine.
func (e *Engine) Files(plan hpc.NodePlan) ([]scheduler.File, error) {
	conf, err := e.conf(plan)
	if err != nil {
		return nil, fmt.Errorf("cannot configure Slurm: %w", err)
	}
	// A controller that reads a changed configuration while jobs run counts them
	// twice, and holds their nodes for busy ever after: it is started anew instead.
	// What changes with every node is told to it.
	files := []scheduler.File{
		{Path: confDir + "/slurm.conf", Content: conf, Mode: 0o644, Restart: plan.Self.HasRole(hpc.RoleManager)},
		{Path: partitionsPath, Content: partitionsConf(plan), Mode: 0o644},
		{Path: confDir + "/cgroup.conf", Content: cgroupConf(), Mode: 0o644, Restart: true},
	}
	if plan.Self.HasRole(hpc.RoleCompute) {
		files = append(files, scheduler.File{Path: queuePath, Content: []byte(queueOf(plan.Self) + "\n"), Mode: 0o644})
	}
	if plan.Self.HasRole(hpc.RoleManager) {
		files = append(files, scheduler.File{Path: confDir + "/job_submit.lua", Content: jobSubmit, Mode: 0o644, Restart: true})
		files = append(files, scheduler.File{Path: closedPath, Content: closedFile(plan.Closed), Mode: 0o644})
		files = append(files, keyFiles(plan.Secrets.JWTKey)...)
	}
	return files, nil
}

// closedFile tells the submit plugin for what it holds new jobs, a line for each.
func closedFile(c *hpc.Closed) []byte {
	var b bytes.Buffer
	if c == nil {
		return nil
	}
	if c.All {
		b.WriteString("all\n")
	}
	for _, q := range c.Queues {
		fmt.Fprintf(&b, "queue %s\n", q)
	}
	for _, uid := range c.UIDs {
		fmt.Fprintf(&b, "uid %d\n", uid)
	}
	return b.Bytes()
}

// keyFiles are for the controller and for root: with the first one submits as any
// account, and with the second under our tokens.
func keyFiles(jwtKey []byte) []scheduler.File {
	if len(jwtKey) == 0 {
		return nil
	}
	return []scheduler.File{
		{Path: jwtKeyPath, Content: jwtKey, Mode: 0o600, Owner: "slurm", Restart: true},
		{Path: submitKeyPath, Content: []byte(submitKey(jwtKey) + "\n"), Mode: 0o600, Owner: "slurm", Restart: true},
	}
}

func (e *Engine) conf(plan hpc.NodePlan) ([]byte, error) {
	manager, ok := plan.Manager()
	if !ok {
		return nil, errors.New("the plan has no manager")
	}
	var b bytes.Buffer
	jwtKey := ""
	if plan.Self.HasRole(hpc.RoleManager) && len(plan.Secrets.JWTKey) > 0 {
		jwtKey = jwtKeyPath
	}
	err := confTemplate.Execute(&b, map[string]any{
		"Cluster":    strings.ToLower(plan.ClusterID),
		"Manager":    manager,
		"OnManager":  plan.Self.HasRole(hpc.RoleManager),
		"JWTKey":     jwtKey,
		"FirstID":    firstIDPath,
		"State":      stateDir + "/state",
		"Jobcomp":    jobcompPath,
		"Spool":      spoolDir,
		"Run":        runDir,
		"Port":       slurmdPort,
		"MaxNodes":   maxNodes,
		"Priority":   basePriority,
		"Queues":     plan.Queues,
		"Partitions": partitionsPath,
	})
	return b.Bytes(), err
}

func partitionsConf(plan hpc.NodePlan) []byte {
	var b bytes.Buffer
	for _, p := range partitions(plan) {
		isDefault := "NO"
		if p.Default {
			isDefault = "YES"
		}
		fmt.Fprintf(&b, "PartitionName=%s Nodes=%[1]s Default=%s DefMemPerCPU=%d MaxTime=INFINITE State=UP\n", p.Name, isDefault, p.MemPerCPU)
	}
	return b.Bytes()
}

// partition is a queue as slurm.conf has it.
type partition struct {
	hpc.Queue
	MemPerCPU int // in MB, of jobs that do not say
}

// memPerCPU is for a queue that has no nodes yet.
const memPerCPU = 100

// partitions gives every core its share of the smallest node's memory, so that
// jobs which say nothing of memory can fill all cores.
func partitions(plan hpc.NodePlan) []partition {
	var list []partition
	for _, q := range plan.Queues {
		p := partition{Queue: q}
		for _, m := range plan.Members {
			if !m.HasRole(hpc.RoleCompute) || queueOf(m) != q.Name || m.Cores < 1 {
				continue
			}
			if share := m.MemoryMB / m.Cores; p.MemPerCPU == 0 || share < p.MemPerCPU {
				p.MemPerCPU = share
			}
		}
		if p.MemPerCPU == 0 {
			p.MemPerCPU = memPerCPU
		}
		list = append(list, p)
	}
	return list
}

// cgroupConf names the plugin for the control groups that this node has.
func cgroupConf() []byte {
	plugin := "cgroup/v1"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		plugin = "cgroup/v2"
	}
	return fmt.Appendf(nil, "CgroupPlugin=%s\nCgroupAutomount=no\nConstrainCores=no\nConstrainRAMSpace=yes\n", plugin)
}
