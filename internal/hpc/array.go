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
	r.First, err[0] = arrayNumber(first)
	r.Last, err[1] = arrayNumber(last)
	if stepped {
		r.Step, err[2] = arrayNumber(step)
	}
	if err[0] != nil || err[1] != nil || err[2] != nil {
		return ArrayRange{}, bad
	}
	if r.Last < r.First || r.Step < 1 {
		return ArrayRange{}, fmt.Errorf("array range %q is empty", text)
	}
	return r, nil
}

// arrayNumber reads digits alone, up to a number whose successor is one too.
func arrayNumber(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 30)
	return int(n), err
}

// Len is how many tasks the array has.
func (r ArrayRange) Len() int { return (r.Last-r.First)/r.Step + 1 }

// Has tells whether n is the index of one of the array's tasks.
func (r ArrayRange) Has(n int) bool {
	return n >= r.First && n <= r.Last && (n-r.First)%r.Step == 0
}
