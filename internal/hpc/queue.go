package hpc

import (
	"fmt"
	"regexp"
	"strings"
)

// DefaultQueue is the queue every cluster starts with.
const DefaultQueue = "workq"

// Queue is a named set of compute nodes (a Slurm partition, a PBS queue).
type Queue struct {
	Name    string
	Default bool // where jobs go that name no queue
}

var (
	queueName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)
	hostName  = regexp.MustCompile(`^(manager|account|login[0-9]+|compute[0-9]+)$`)
)

// CheckQueueName refuses names that no scheduler takes, that are words of their
// configuration, and those of a cluster's hosts.
func CheckQueueName(name string) error {
	lower := strings.ToLower(name)
	switch {
	case !queueName.MatchString(name):
		return fmt.Errorf("%q is no name of a queue: a letter, then at most 63 letters, digits, - and _", name)
	case lower == "all" || lower == "default" || hostName.MatchString(lower):
		return fmt.Errorf("%q is reserved and no name for a queue", name)
	}
	return nil
}
