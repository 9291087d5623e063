package scheduler

import (
	"fmt"

	"ehpc/internal/hpc"
)

// idLimit bounds a job's id and a node's name, in bytes.
const idLimit = 255

// checkObservation refuses what no honest node reports: root on a node can
// answer what it likes.
func checkObservation(o Observation) error {
	if len(o.Cursor) > idLimit || len(o.Sum) > idLimit {
		return fmt.Errorf("cannot observe: a cursor of %d bytes and a sum of %d", len(o.Cursor), len(o.Sum))
	}
	for _, job := range o.Queue {
		if err := checkJob(job); err != nil {
			return err
		}
		if job.State.Ended() {
			return fmt.Errorf("cannot observe: job %s is queued and %s", job.ID, job.State)
		}
	}
	for _, job := range o.Ends {
		if err := checkJob(job); err != nil {
			return err
		}
		if !job.State.Ended() {
			return fmt.Errorf("cannot observe: job %s is ended and %s", job.ID, job.State)
		}
	}
	return nil
}

func checkJob(job Job) error {
	if job.ID == "" || len(job.ID) > idLimit {
		return fmt.Errorf("cannot observe: a job id of %d bytes", len(job.ID))
	}
	if job.ExitCode < 0 || job.ExitCode > 255 {
		return fmt.Errorf("cannot observe: job %s has the exit code %d", job.ID, job.ExitCode)
	}
	if job.Run != nil {
		if err := checkRuns([]hpc.Run{*job.Run}); err != nil {
			return err
		}
	}
	switch job.State {
	case hpc.JobPending, hpc.JobRunning, hpc.JobCompleting, hpc.JobSuspended:
		return nil
	}
	if job.State.Ended() {
		return nil
	}
	return fmt.Errorf("cannot observe: job %s has the unknown state %.40q", job.ID, string(job.State))
}

func checkRuns(runs []hpc.Run) error {
	for _, r := range runs {
		if len(r.Token) > idLimit || len(r.Task) > idLimit || len(r.ID) > idLimit || len(r.Host) > idLimit || len(r.Killed) > idLimit {
			return fmt.Errorf("cannot tell the runs: one of token %.40q is too long", r.Token)
		}
		if r.ExitCode < 0 || r.ExitCode > 255 {
			return fmt.Errorf("cannot tell the runs: one of token %.40q has the exit code %d", r.Token, r.ExitCode)
		}
	}
	return nil
}

func checkNodes(nodes []Node) error {
	for _, n := range nodes {
		if n.Name == "" || len(n.Name) > idLimit {
			return fmt.Errorf("cannot list nodes: a name of %d bytes", len(n.Name))
		}
		if len(n.Queue) > idLimit {
			return fmt.Errorf("cannot list nodes: node %s is in a queue with a name of %d bytes", n.Name, len(n.Queue))
		}
		switch n.State {
		case NodeIdle, NodeBusy, NodeDraining, NodeDrained, NodeDown, NodeUnknown:
		default:
			return fmt.Errorf("cannot list nodes: node %s has the unknown state %.40q", n.Name, string(n.State))
		}
	}
	return nil
}
