package hpc

import "strings"

// CutOff is what becomes of the jobs of a node that goes before they have ended,
// by their ids.
type CutOff struct {
	Again  []string // requeued
	Fail   []string // they may not run again
	Others []string // submitted on a node: how is not known
}

// String is the same in words; "" where there are none.
func (c CutOff) String() string {
	var said []string
	for _, part := range []struct {
		what string
		jobs []string
	}{
		{"requeued jobs ", c.Again}, {"jobs that may not run again fail: ", c.Fail},
		{"of jobs submitted on a node those that may run again are requeued: ", c.Others},
	} {
		if len(part.jobs) > 0 {
			said = append(said, part.what+strings.Join(part.jobs, ", "))
		}
	}
	return strings.Join(said, "; ")
}
