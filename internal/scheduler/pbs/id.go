package pbs

import (
	"fmt"
	"regexp"
)

// idPattern is "12.server", "12[].server" for an array or "12[3].server" for one
// of its tasks; the server may be left out.
var idPattern = regexp.MustCompile(`^([0-9]{1,18})(?:\[([0-9]{0,9})\])?(?:\.[A-Za-z0-9._-]{1,255})?$`)

// jobID is a job's id taken apart.
type jobID struct {
	number  string // "12"
	task    string // "3" of an array's task
	isArray bool   // the array itself
}

func parseID(text string) (jobID, error) {
	m := idPattern.FindStringSubmatchIndex(text)
	if m == nil {
		return jobID{}, fmt.Errorf("%.80q is no job id", text)
	}
	id := jobID{number: text[m[2]:m[3]]}
	if m[4] >= 0 {
		id.task, id.isArray = text[m[4]:m[5]], m[4] == m[5]
	}
	return id, nil
}

// names are the id, array and task as scheduler.Job has them.
func (id jobID) names() (name, array, task string) {
	switch {
	case id.isArray:
		return id.number, id.number, ""
	case id.task != "":
		return id.number + "_" + id.task, id.number, id.task
	}
	return id.number, "", ""
}
