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

// The controller's words on who asked for a job's end, and on a wish to put one back
// into the queue that may not run again. Other lines hold text of accounts.
var (
	killRequest    = regexp.MustCompile(logStart + `_slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=([0-9_]+) uid ([0-9]+)$`)
	requeueRefused = regexp.MustCompile(logStart + `_slurm_rpc_requeue: Requeue of JobId=([0-9_]+) returned an error: `)
)

const logStart = `^(?:slurmctld: )?(?:\[[-0-9T:.]+\] )?`

// markGivenUp finds the jobs of ours that are on record as cancelled because a node
// could not start them. Its slurmd, which is root, wants them back in the queue and
// asks for their end where they may not run again; a person who is root asks for the
// end alone. The record does not say who asked, the controller's log does. A job that
// the log does not tell of was cancelled by its owner.
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
	refused := map[string]bool{} // by the ids in the log
	for _, file := range append(old, c.log+"/current") {
		err := eachKill(file, refused, func(id string, root bool) {
			for _, i := range open[id] {
				ends[i].GivenUp = root && refused[id]
			}
		})
		if err != nil && !os.IsNotExist(err) { // it may be rotated meanwhile
			return fmt.Errorf("cannot read the controller's log: %w", err)
		}
	}
	return nil
}

// eachKill calls fn for every request to end a job, in order, and notes before it
// the jobs that were refused to go back into the queue.
func eachKill(file string, refused map[string]bool, fn func(id string, root bool)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if m := requeueRefused.FindSubmatch(lines.Bytes()); m != nil {
			refused[string(m[1])] = true
		} else if m := killRequest.FindSubmatch(lines.Bytes()); m != nil {
			fn(string(m[1]), string(m[2]) == "0")
		}
	}
	return lines.Err()
}
