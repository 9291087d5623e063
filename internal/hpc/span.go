package hpc

import (
	"math"
	"math/bits"
	"time"
)

// NodeSpan is a stretch of a node's life in which it cost the same and served
// the same queue.
type NodeSpan struct {
	Host  string
	Queue string // "" for a node that serves none
	Type  string // instance type
	Cores int
	Price Money // per hour
	From  time.Time
	To    time.Time
}

// within clips a period to the span; from is not before to if nothing is left.
func (s NodeSpan) within(from, to time.Time) (time.Time, time.Time) {
	if from.Before(s.From) {
		from = s.From
	}
	if to.After(s.To) {
		to = s.To
	}
	return from, to
}

// Cost is what so many of the node's cores come to in a period, the whole node
// with all of them. Costs are told in whole billionths for each core, counted
// from the span's begin: so the parts of a period come to the whole of it, and
// cores that are told apart come to the node.
func (s NodeSpan) Cost(from, to time.Time, cores int) Money {
	from, to = s.within(from, to)
	if !from.Before(to) || s.Cores < 1 {
		return 0
	}
	return Money(cores) * (s.eachCore(to) - s.eachCore(from))
}

// eachCore is what each core has cost up to a moment, rounded down.
func (s NodeSpan) eachCore(at time.Time) Money {
	high, low := bits.Mul64(uint64(s.Price), uint64(at.Sub(s.From)))
	hours := uint64(time.Hour) * uint64(s.Cores)
	if high >= hours {
		return math.MaxInt64 / Money(s.Cores) // centuries of a machine for a million an hour
	}
	each, _ := bits.Div64(high, low, hours)
	return Money(min(each, math.MaxInt64/uint64(s.Cores)))
}

// NodeShare is what a run has of a node.
type NodeShare struct {
	Host  string `json:"host"`
	Cores int    `json:"cores"`
}

// NodeShares tells how a job's cores lie on its nodes, of which the scheduler tells
// only the sum: evenly, the first nodes one more. has is how many cores a node
// has, 0 if that is not known: no node gives more than it has, and what is over
// goes to those with room. What no node has room for is left out.
func NodeShares(hosts []string, cores int, has func(host string) int) []NodeShare {
	shares := make([]NodeShare, len(hosts))
	open := make([]int, len(hosts)) // indexes of nodes with room
	for i, host := range hosts {
		shares[i].Host, open[i] = host, i
	}
	for cores > 0 && len(open) > 0 {
		each, more := cores/len(open), cores%len(open)
		var next []int
		for n, i := range open {
			give := each
			if n < more {
				give++
			}
			room := math.MaxInt
			if most := has(hosts[i]); most > 0 {
				room = most - shares[i].Cores
			}
			give = min(give, room)
			shares[i].Cores += give
			cores -= give
			if give < room {
				next = append(next, i)
			}
		}
		open = next
	}
	return shares
}
