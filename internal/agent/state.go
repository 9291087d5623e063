package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"ehpc/internal/hpc"
)

// applied is what is remembered of the last plan. It holds no secret.
type applied struct {
	Plan      string
	Scheduler string
	Manager   bool
}

const appliedPath = "/var/lib/ehpc/applied.json"

func appliedFrom(plan hpc.NodePlan) applied {
	plan.Turn = hpc.Turn{}
	text, err := json.Marshal(plan)
	if err != nil {
		panic(err) // plain data always marshals
	}
	sum := sha256.Sum256(text)
	return applied{hex.EncodeToString(sum[:16]), plan.Scheduler, plan.Self.HasRole(hpc.RoleManager) && !plan.Prepare}
}

func (a *Agent) saveApplied(done applied) error {
	text, err := json.Marshal(done)
	if err == nil {
		err = replace(a.opts.Root+appliedPath, text, 0o600, 0, 0)
	}
	if err != nil {
		return fmt.Errorf("cannot remember the plan: %w", err)
	}
	return nil
}

func (a *Agent) loadApplied() (applied, error) {
	var last applied
	text, err := os.ReadFile(a.opts.Root + appliedPath)
	if errors.Is(err, fs.ErrNotExist) {
		return last, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &last)
	}
	if err != nil {
		return last, fmt.Errorf("cannot recall the last plan: %w", err)
	}
	return last, nil
}

// State implements link.Node.
func (a *Agent) State(ctx context.Context) (hpc.NodeState, error) {
	services, err := a.opts.Supervisor.State(ctx)
	if err != nil {
		return hpc.NodeState{}, err
	}
	people, err := sessions("/proc")
	if err != nil {
		return hpc.NodeState{}, fmt.Errorf("cannot tell who is logged in: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return hpc.NodeState{
		Plan: a.last.Plan, BootID: bootID(), Version: Version,
		Load1: load1(), MemoryMB: memoryInUse(), Services: services, Sessions: people,
	}, nil
}

// bootID is when the node's init started, in the host's clock ticks.
func bootID() string {
	text, err := os.ReadFile("/proc/1/stat")
	if err != nil {
		return ""
	}
	// The name, in parentheses, may hold anything.
	_, rest, _ := strings.Cut(string(text), ") ")
	if fields := strings.Fields(rest); len(fields) > 19 {
		return fields[19]
	}
	return ""
}

func load1() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}

// memoryInUse is the node's memory in MB: its control group's, not the host's.
func memoryInUse() int {
	for _, path := range []string{"/sys/fs/cgroup/memory/memory.usage_in_bytes", "/sys/fs/cgroup/memory.current"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			return int(n >> 20)
		}
	}
	return 0
}
