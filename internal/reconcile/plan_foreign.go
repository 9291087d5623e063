package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// indexOwners notes whose the rows' jobs are.
func (v *jobsView) indexOwners() {
	v.owners = map[string]int{}
	for _, row := range slices.Concat(v.Open, v.Known) {
		if row.Token != "" && row.Spec.UID != 0 {
			v.owners[strings.ToLower(row.Token)] = row.Spec.UID
		}
	}
}

// foreign tells whether the scheduler has a job of ours for another account's than
// its row's: it did not know the account when it took the job.
func (v *jobsView) foreign(j scheduler.Job) bool {
	uid, ours := v.owners[strings.ToLower(j.Token)]
	return j.Token != "" && ours && uid != j.UID
}

// began tells whether any of the ends is of a run that was claimed: as the row's
// account, for no other may.
func began(ends []scheduler.Job) bool {
	return slices.ContainsFunc(ends, func(e scheduler.Job) bool { return e.Run != nil })
}

// mistaken is for a row whose job the scheduler has for another account's. Such a
// job never runs its script, which belongs to the row's account alone; it is
// cancelled, and submitted again as long as that may help.
func (p *jobsPlan) mistaken(now time.Time, row *store.Job, uid int) {
	p.Stop = append(p.Stop, scheduler.Ref{ID: row.SchedID})
	what := fmt.Sprintf("the scheduler took job %s for one of uid %d, not of %s (uid %d)", row.PublicID, uid, row.Owner, row.Spec.UID)
	row.Modified = now
	p.Save = append(p.Save, row)
	switch {
	case !row.Wanted:
		row.State, row.Ended = hpc.JobCancelled, now
	case row.Attempt+1 >= startsLimit:
		row.State, row.Reason, row.Ended, row.Wanted = hpc.JobFailed, "the scheduler took it for another account's", now, false
		p.Lines = append(p.Lines, what+": it is cancelled and has failed")
	default:
		resubmit(row)
		p.Lines = append(p.Lines, what+": it is cancelled and submitted again")
		return
	}
	p.Ledger.Ended = append(p.Ledger.Ended, row.ID)
}
