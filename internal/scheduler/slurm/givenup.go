package slurm

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// logDir is where the controller's log is kept.
const logDir = "/var/log/ehpc/slurmctld"

// killRequest is the controller's word on who asked for a job's end.
var killRequest = regexp.MustCompile(`_slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=([0-9_]+) uid ([0-9]+)$`)

// markGivenUp finds the jobs of ours that are on record as cancelled because a node
// could not start them. Its slurmd, which is root, asks for that where the job may
// not be requeued; the record does not say who asked, the controller's log does. A
// job that the log does not tell of was cancelled by its owner.
func (c *client) markGivenUp(ends []scheduler.Job) error {
	open := map[string][]int{} // indexes by the ids that the log may have
	for i, e := range ends {
		if e.State != hpc.JobCancelled || e.Token == "" || len(e.Nodes) == 0 || e.Array != "" && e.Task == "" {
			continue
		}
		open[e.ID] = append(open[e.ID], i)
		if e.Own != e.ID {
			open[e.Own] = append(open[e.Own], i)
		}
	}
	if len(open) == 0 {
		return nil
	}
	old, err := filepath.Glob(c.log + "/@*") // named by their times
	if err != nil {
		return fmt.Errorf("cannot read the controller's log: %w", err)
	}
	slices.Sort(old)
	for _, file := range append(old, c.log+"/current") {
		err := eachKill(file, func(id string, root bool) {
			for _, i := range open[id] {
				ends[i].GivenUp = root
			}
		})
		if err != nil && !os.IsNotExist(err) { // it may be rotated meanwhile
			return fmt.Errorf("cannot read the controller's log: %w", err)
		}
	}
	return nil
}

// eachKill calls fn for every request to end a job, in order.
func eachKill(file string, fn func(id string, root bool)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if m := killRequest.FindSubmatch(lines.Bytes()); m != nil {
			fn(string(m[1]), string(m[2]) == "0")
		}
	}
	return lines.Err()
}
