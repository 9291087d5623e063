package pbs

import (
	"fmt"
	"slices"
	"strings"

	"ehpc/internal/hpc"
)

// Substates that tell more than the state.
const (
	substateHeld    = 20 // by its owner or an administrator, not by a dependency
	substateDeleted = 91
	substateFailed  = 93
)

var queuedStates = map[string]hpc.JobState{
	"Q": hpc.JobPending,
	"H": hpc.JobPending,
	"W": hpc.JobPending, // until a time
	"T": hpc.JobPending, // on its way into a queue
	"B": hpc.JobPending, // an array of which something waits
	"R": hpc.JobRunning,
	"E": hpc.JobCompleting,
	"S": hpc.JobSuspended, // by an administrator
	"U": hpc.JobSuspended, // by its machine's owner
}

// state is the job's state. What an earlier run left in the other fields says
// nothing: a job whose node was lost is queued with that run's exit status.
func (p printed) state() (hpc.JobState, error) {
	if p.State == "F" || p.State == "X" { // X: a task whose array goes on
		return p.endState(), nil
	}
	state, known := queuedStates[p.State]
	if !known {
		return "", fmt.Errorf("unknown state %.40q", p.State)
	}
	return state, nil
}

// Exit statuses of jobs that the engine ended, not their own program.
const (
	statusNotStarted  = -1
	statusNotStarted2 = -2
	statusNodeLost    = -20
	statusVirtualMem  = -26
	statusMemory      = -27
	statusWalltime    = -29
)

func (p printed) endState() hpc.JobState {
	switch {
	case p.Substate == substateDeleted, p.ExitStatus == nil:
		return hpc.JobCancelled // without a status it never ran: what it depends on failed
	case *p.ExitStatus == statusNodeLost:
		return hpc.JobNodeFail
	case *p.ExitStatus == statusWalltime:
		return hpc.JobTimeout
	case *p.ExitStatus == statusMemory, *p.ExitStatus == statusVirtualMem:
		return hpc.JobOOM
	case *p.ExitStatus != 0, p.Substate == substateFailed:
		return hpc.JobFailed
	}
	return hpc.JobCompleted
}

// exitCode is the exit status as scheduler.Job has it. One that the engine ended
// has none of its own; the state says why.
func (p printed) exitCode() int {
	if p.ExitStatus == nil {
		return 0
	}
	switch status := *p.ExitStatus; {
	case status == statusNotStarted, status == statusNotStarted2:
		return hpc.ExitNotLaunched
	case status == statusMemory, status == statusVirtualMem:
		return 128 + 9
	case status < 0:
		return 0
	case status > 256: // and the signal
		return min(128+status-256, 255)
	default:
		return status & 0xff
	}
}

// hostLimit bounds what one list of hosts may name.
const hostLimit = 1 << 16

// hosts reads "n1/0*2+n2/1": each host once, in order.
func hosts(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	parts := strings.Split(list, "+")
	if len(parts) > hostLimit {
		return nil, fmt.Errorf("more than %d hosts", hostLimit)
	}
	seen := map[string]bool{}
	var names []string
	for _, part := range parts {
		name, _, slotted := strings.Cut(part, "/")
		if name == "" || !slotted || strings.ContainsFunc(name, isNotHost) {
			return nil, fmt.Errorf("%.40q is no host", part)
		}
		if !seen[name] {
			names = append(names, name)
		}
		seen[name] = true
	}
	return slices.Clip(names), nil
}

func isNotHost(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._", r))
}
