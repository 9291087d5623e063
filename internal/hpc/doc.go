// Package hpc holds the nouns of the service and their rules: clusters, nodes,
// accounts, queues, jobs and commands, the states they can be in and the legal
// steps between those. It does no I/O and imports nothing of ours.
package hpc
