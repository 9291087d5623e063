package slurm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// Nodes implements scheduler.Driver.
func (c *client) Nodes(ctx context.Context) ([]scheduler.Node, error) {
	out, err := c.run(ctx, call{argv: []string{"scontrol", "show", "node", "--oneliner", "--all"}})
	if err != nil {
		return nil, fmt.Errorf("cannot list nodes: %w", err)
	}
	return parseNodes(out)
}

func parseNodes(out []byte) ([]scheduler.Node, error) {
	var nodes []scheduler.Node
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "NodeName=") {
			continue // "No nodes in the system"
		}
		node, err := parseNode(strings.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("cannot read scontrol's line %.200q: %w", line, err)
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

var reasonStamp = regexp.MustCompile(` \[[^][]*@[^][]*\]( Comment=.*)?$`)

func parseNode(line string) (scheduler.Node, error) {
	line, reason, _ := strings.Cut(line, " Reason=")
	f := map[string]string{}
	for _, field := range strings.Fields(line) {
		if key, value, ok := strings.Cut(field, "="); ok && f[key] == "" {
			f[key] = value
		}
	}
	var p fieldParser
	node := scheduler.Node{
		Name:  f["NodeName"],
		Cores: p.number(f["CPUTot"]), CoresUsed: p.number(f["CPUAlloc"]),
		MemoryMB: p.number(f["RealMemory"]), MemUsedMB: p.number(f["AllocMem"]),
		Reason: reasonStamp.ReplaceAllString(reason, ""),
	}
	if validFeature.MatchString(f["ActiveFeatures"]) { // "(null)" for none
		node.Queue = f["ActiveFeatures"]
	}
	node.State, node.Raw = nodeState(f["State"], node.CoresUsed > 0)
	node.Mistaken = node.Reason == duplicateJob
	return node, p.err
}

// duplicateJob is why Slurm drains a node that was given a job which it has
// already, by a controller that was killed and did not know.
const duplicateJob = "Duplicate jobid"

// nodeState reads "IDLE+DRAIN+DYNAMIC_NORM".
func nodeState(text string, used bool) (state scheduler.NodeState, raw string) {
	words := strings.Split(text, "+")
	flags := map[string]bool{}
	var shown []string
	for _, w := range words {
		w = strings.TrimRight(w, "*~#!%$@^-")
		flags[w] = true
		if w != "DYNAMIC_NORM" {
			shown = append(shown, strings.ToLower(w))
		}
	}
	raw = strings.Join(shown, "+")
	busy := used || flags["ALLOCATED"] || flags["MIXED"] || flags["COMPLETING"]
	switch {
	case flags["DOWN"], flags["FAIL"], flags["ERROR"]:
		return scheduler.NodeDown, raw
	case flags["UNKNOWN"], flags["FUTURE"], flags["NOT_RESPONDING"], flags["INVALID_REG"]:
		return scheduler.NodeUnknown, raw
	case flags["DRAIN"] && busy:
		return scheduler.NodeDraining, raw
	case flags["DRAIN"]:
		return scheduler.NodeDrained, raw
	case busy:
		return scheduler.NodeBusy, raw
	case flags["IDLE"]:
		return scheduler.NodeIdle, raw
	}
	return scheduler.NodeUnknown, raw
}

// Drain implements scheduler.Driver.
func (c *client) Drain(ctx context.Context, node, reason string) error {
	return c.update(ctx, node, "drain", reason, func(n scheduler.Node) bool {
		return n.State == scheduler.NodeDraining || n.State == scheduler.NodeDrained
	})
}

// Resume implements scheduler.Driver. Slurm refuses to resume what is in service.
func (c *client) Resume(ctx context.Context, node string) error {
	return c.update(ctx, node, "resume", "", func(n scheduler.Node) bool {
		return n.State == scheduler.NodeIdle || n.State == scheduler.NodeBusy || n.State == scheduler.NodeUnknown
	})
}

// Down implements scheduler.Driver.
func (c *client) Down(ctx context.Context, node, reason string) error {
	jobs, err := c.queue(ctx)
	if err != nil {
		return fmt.Errorf("cannot set node %.80q to down: %w", node, err)
	}
	err = c.update(ctx, node, "down", reason, func(n scheduler.Node) bool { return n.State == scheduler.NodeDown })
	if err == nil {
		c.requeued.add(time.Now().Add(callsOff), jobs, node)
	}
	return err
}

// Requeue implements scheduler.Driver. Slurm sends the jobs' processes a SIGTERM
// and, KillWait later, a SIGKILL; it holds the jobs until these have ended.
func (c *client) Requeue(ctx context.Context, node, _ string) (ids []string, err error) {
	failure := fmt.Errorf("cannot requeue the jobs of node %.80q: %w", node, scheduler.ErrNotFound)
	if !validNode.MatchString(node) {
		return nil, failure
	}
	if _, known, err := c.node(ctx, node); err != nil || !known {
		return nil, cmp.Or(err, failure)
	}
	jobs, err := c.queue(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot requeue the jobs of node %s: %w", node, err)
	}
	var back []scheduler.Job
	for _, job := range jobs {
		if job.State != hpc.JobRunning && job.State != hpc.JobSuspended || !slices.Contains(job.Nodes, node) {
			continue
		}
		_, err := c.run(ctx, call{argv: []string{"scontrol", "requeue", job.ID}})
		if errors.Is(err, scheduler.ErrRejected) { // it may not run again, or has just ended
			continue
		}
		if err != nil {
			return ids, fmt.Errorf("cannot requeue the jobs of node %s: %w", node, err)
		}
		ids, back = append(ids, job.ID), append(back, job)
	}
	c.requeued.add(time.Now().Add(takesBack), back, node)
	return ids, nil
}

var validNode = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)

// update changes a node's state; there tells whether it was there already.
func (c *client) update(ctx context.Context, name, state, reason string, there func(scheduler.Node) bool) error {
	argv := []string{"scontrol", "update", "nodename=" + name, "state=" + state}
	if reason != "" {
		argv = append(argv, "reason="+oneLine(reason))
	}
	failure := fmt.Errorf("cannot set node %.80q to %s: %w", name, state, scheduler.ErrNotFound)
	if validNode.MatchString(name) {
		var err error
		if _, err = c.run(ctx, call{argv: argv}); err == nil {
			return nil
		}
		if !errors.Is(err, scheduler.ErrRejected) {
			return err
		}
		node, known, asked := c.node(ctx, name)
		switch {
		case asked != nil:
			return asked
		case known && there(node):
			return nil
		case known:
			failure = fmt.Errorf("cannot set node %s to %s: %w", name, state, err)
		}
	}
	return failure
}

func (c *client) node(ctx context.Context, name string) (node scheduler.Node, known bool, err error) {
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return node, false, err
	}
	for _, n := range nodes {
		if n.Name == name {
			return n, true, nil
		}
	}
	return node, false, nil
}

// Remove implements scheduler.Driver.
func (c *client) Remove(ctx context.Context, name string) error {
	if !validNode.MatchString(name) {
		return nil
	}
	_, err := c.run(ctx, call{argv: []string{"scontrol", "delete", "nodename=" + name}})
	if err == nil || !errors.Is(err, scheduler.ErrRejected) {
		return err
	}
	node, known, asked := c.node(ctx, name)
	switch {
	case asked != nil:
		return asked
	case !known:
		return nil
	case node.State == scheduler.NodeBusy, node.State == scheduler.NodeDraining, node.CoresUsed > 0:
		return fmt.Errorf("cannot remove node %s: %w", name, scheduler.ErrBusy)
	}
	return fmt.Errorf("cannot remove node %s: %w", name, err)
}

// oneLine keeps a reason within one line of Slurm's output.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}
