package hpc

import (
	"fmt"
	"strconv"
	"strings"
)

// ArrayRange is an array job's task indexes: First, First+Step, … up to Last.
type ArrayRange struct{ First, Last, Step int }

// ParseArray reads "first-last" or "first-last:step" (spec: SubmitJob.ArrayRequest).
func ParseArray(text string) (ArrayRange, error) {
	bad := fmt.Errorf("array range %q is not of the form first-last:step", text)
	span, step, stepped := strings.Cut(text, ":")
	first, last, ok := strings.Cut(span, "-")
	if !ok {
		return ArrayRange{}, bad
	}
	r := ArrayRange{Step: 1}
	var err [3]error
	r.First, err[0] = strconv.Atoi(first)
	r.Last, err[1] = strconv.Atoi(last)
	if stepped {
		r.Step, err[2] = strconv.Atoi(step)
	}
	if err[0] != nil || err[1] != nil || err[2] != nil {
		return ArrayRange{}, bad
	}
	if r.First < 0 || r.Last < r.First || r.Step < 1 {
		return ArrayRange{}, fmt.Errorf("array range %q is empty", text)
	}
	return r, nil
}

// Len is how many tasks the array has.
func (r ArrayRange) Len() int { return (r.Last-r.First)/r.Step + 1 }
