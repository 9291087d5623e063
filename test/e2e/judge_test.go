package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"ehpc/api"
)

// judge holds every job of a round to what its client was told: one that was
// accepted has run once and is shown so, one that was refused never ran.
func (k *killing) judge(t *testing.T, s *stream, began time.Time) {
	t.Helper()
	runs, list := k.c.Count(t, "home", k.ada.Name, "names"), k.c.JobsSince(t, began)
	jobs, listed, given := byID(list), map[string]int{}, map[string]string{}
	for _, job := range list {
		listed[job.Name]++
	}
	for _, sub := range s.all {
		k.seen.repeated += sub.repeated
		v := verdict{job: sub, since: began, runs: runs[sub.name]}
		if sub.id == "" {
			k.seen.refused++
			if v.runs != 0 || listed[sub.name] != 0 {
				t.Errorf("%s was refused (%v), and ran %d times and is listed %d times\n%s", sub.name, sub.refusal, v.runs, listed[sub.name], k.evidence(t, sub))
			}
			k.judged[sub.name] = v
			continue
		}
		k.seen.accepted++
		if other := given[sub.id]; other != "" {
			t.Errorf("the id %s was given for %s and for %s", sub.id, other, sub.name)
		}
		given[sub.id] = sub.name
		k.judged[sub.name] = v
		job, known := jobs[sub.id]
		if !known || listed[sub.name] != 1 || job.Name != sub.name {
			t.Errorf("job %s (%s) is listed %d times, as %+v", sub.id, sub.name, listed[sub.name], job)
			continue
		}
		v.state = job.State
		k.judged[sub.name] = v
		k.judgeAccepted(t, v, job)
	}
	for name, n := range runs {
		if _, ours := k.judged[name]; !ours {
			t.Errorf("%q stands %d times among the names, and was never submitted", name, n)
		}
	}
}

// judgeAccepted allows for what cannot be otherwise: a run that was killed has
// not come to its end, and the job is run again if it may be.
func (k *killing) judgeAccepted(t *testing.T, v verdict, job api.ListJobsWithFiltersJobs) {
	t.Helper()
	if v.runs == 1 && job.State == "COMPLETED" {
		return
	}
	evidence := k.evidence(t, v.job)
	killed := killedRun.MatchString(evidence) || k.host != "" && strings.Contains(job.NodeList, `"`+k.host+`"`)
	switch {
	case killed && !v.job.rerun && v.runs <= 1 && saysWhy(job):
		k.seen.died++
	case killed && v.job.rerun && v.runs == 2 && job.State == "COMPLETED":
		k.seen.twice++ // killed between its last act and its end
	default:
		t.Errorf("job %s (%s, rerunable %t) ran %d times and is %s (%q) on %s\n%s", v.job.id, v.job.name, v.job.rerun,
			v.runs, job.State, job.Comment, job.NodeList, evidence)
	}
}

// killedRun is what stands among a job's claims if one of its runs was killed.
var killedRun = regexp.MustCompile(`"Killed":|"Signal":(9|15)\b`)

// saysWhy tells whether a job is shown as one whose run was killed.
func saysWhy(job api.ListJobsWithFiltersJobs) bool {
	return (job.State == "NODE_FAIL" || job.State == "FAILED") && (strings.Contains(job.Comment, "node") || strings.Contains(job.Comment, "killed"))
}

// stillTrue looks at the jobs of all rounds once more: nothing ran since, and
// nothing is shown otherwise.
func (k *killing) stillTrue(t *testing.T) {
	t.Helper()
	since := time.Now()
	for _, v := range k.judged {
		if v.since.Before(since) {
			since = v.since
		}
	}
	runs, jobs := k.c.Count(t, "home", k.ada.Name, "names"), byID(k.c.JobsSince(t, since))
	for name, v := range k.judged {
		if state := jobs[v.job.id].State; runs[name] != v.runs || v.job.id != "" && state != v.state {
			t.Errorf("job %s (%s) had run %d times and was %s; now it has run %d times and is %s\n%s",
				v.job.id, name, v.runs, v.state, runs[name], state, k.evidence(t, v.job))
		}
	}
}
