// Package agent is the node side: it makes a node match its plan, runs commands
// and writes accounts' files. The node's supervisor, never the agent, is the
// parent of daemons and of commands, so that an agent can be stopped or replaced
// at any moment. It decides nothing about the cluster.
package agent
