package pbs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ehpc/internal/scheduler"
)

// printedNode is a node as pbsnodes prints it.
type printedNode struct {
	State      string    `json:"state"` // words separated by commas
	Comment    string    `json:"comment"`
	Processors number    `json:"pcpus"`
	Jobs       []string  `json:"jobs"`
	Available  resources `json:"resources_available"`
	Assigned   resources `json:"resources_assigned"`
}

type resources struct {
	Cores  number `json:"ncpus"`
	Memory text   `json:"mem"`
}

// ParseNodes reads the nodes that pbsnodes shows, in the order of their names. A
// node shows down for a second or two whenever another is made: who acts on
// that waits for a second look.
func ParseNodes(out []byte) ([]scheduler.Node, error) {
	var answer struct{ Nodes map[string]printedNode }
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, fmt.Errorf("cannot read the nodes of pbsnodes: %w", err)
	}
	var nodes []scheduler.Node
	for name, p := range answer.Nodes {
		node, err := p.node(name)
		if err != nil {
			return nil, fmt.Errorf("cannot read the node %.80q of pbsnodes: %w", name, err)
		}
		nodes = append(nodes, node)
	}
	slices.SortFunc(nodes, func(a, b scheduler.Node) int { return strings.Compare(a.Name, b.Name) })
	return nodes, nil
}

func (p printedNode) node(name string) (scheduler.Node, error) {
	if name == "" || strings.ContainsFunc(name, isNotHost) {
		return scheduler.Node{}, fmt.Errorf("%.40q is no host", name)
	}
	node := scheduler.Node{
		Name: name, State: p.state(), Raw: p.State, Reason: p.Comment,
		Cores: int(p.Available.Cores), CoresUsed: int(p.Assigned.Cores),
	}
	if node.Cores == 0 {
		node.Cores = int(p.Processors)
	}
	var err error
	if node.MemoryMB, err = megabytes(p.Available.Memory); err != nil {
		return node, err
	}
	node.MemUsedMB, err = megabytes(p.Assigned.Memory)
	return node, err
}

func (p printedNode) state() scheduler.NodeState {
	is := map[string]bool{}
	for word := range strings.SplitSeq(p.State, ",") {
		is[strings.TrimSpace(word)] = true
	}
	busy := len(p.Jobs) > 0 || p.Assigned.Cores > 0 ||
		is["job-busy"] || is["job-exclusive"] || is["resv-exclusive"] || is["busy"]
	switch {
	case is["state-unknown"], is["stale"], is["provisioning"], is["wait-provisioning"]:
		return scheduler.NodeUnknown
	case is["down"], is["unresolvable"]:
		return scheduler.NodeDown
	case is["offline"] && busy, is["maintenance"] && busy:
		return scheduler.NodeDraining
	case is["offline"], is["maintenance"]:
		return scheduler.NodeDrained
	case busy:
		return scheduler.NodeBusy
	case is["free"]:
		return scheduler.NodeIdle
	}
	return scheduler.NodeUnknown
}
