// Package meter measures what jobs use on a node: the processor time, the highest
// memory and, where the machine tells it, the energy of each job's control group.
// It keeps its figures on the cluster's volume, so that they outlive the node. It
// reads and never changes a control group, and it does not know what a job is
// beyond the group's name.
package meter
