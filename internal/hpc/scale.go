package hpc

import (
	"cmp"
	"strings"
)

// ScaleSettings are a cluster's, as the API has them; a queue's own beat them.
// Percentages are 0 to 100.
type ScaleSettings struct {
	Grow            bool
	Shrink          bool
	GrowInterval    int // minutes, the least between two rounds of a queue
	ShrinkInterval  int // minutes between two checks
	ShrinkIdleTimes int // checks in a row that find a node idle before it goes
	GrowTimeout     int // minutes that a node may take to get into service
	ExtraRatio      int // percentage that is added to the need
	GrowRatio       int // percentage of the need that one round adds
	MaxNodes        int // compute nodes in the cluster
	Exclude         string
	SpotStrategy    SpotStrategy // "" as NoSpot
	SpotPriceLimit  float64      // per hour; 0 for none
}

// DefaultScale is what a cluster has that was never given any settings.
var DefaultScale = ScaleSettings{GrowInterval: 2, ShrinkInterval: 2, ShrinkIdleTimes: 3, GrowTimeout: 20, GrowRatio: 100, MaxNodes: 100}

// Excluded are the nodes, by hostname or id, that are left alone.
func (s ScaleSettings) Excluded() (names []string) {
	for name := range strings.SplitSeq(s.Exclude, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// QueueScale are the settings of one queue. A limit of 0 is none.
type QueueScale struct {
	Grow           bool
	Shrink         bool
	Types          []ScaleType // of the nodes that it gets, the best first; none: as its newest node, or the cluster's
	ByInventory    bool        // the types that there are most of come first
	MaxNodes       int
	MinNodes       int
	MaxPerCycle    int
	MinPerCycle    int // a round that may not add as many, though they are needed, adds none
	AutoMin        bool
	SpotStrategy   SpotStrategy // "" for the cluster's
	SpotPriceLimit float64      // 0 for the cluster's
}

// ScaleType is an instance type that a queue may grow by.
type ScaleType struct {
	Name             string
	SpotStrategy     SpotStrategy // "" for the queue's
	SpotPriceLimit   float64      // 0 for the queue's
	SpotDuration     int          // hours; kept
	SpotInterruption string       // kept
}

// Spot is what holds for a type in a queue: its own, else the queue's, else the
// cluster's.
func (s ScaleSettings) Spot(q QueueScale, t ScaleType) (strategy SpotStrategy, limit float64) {
	return cmp.Or(t.SpotStrategy, q.SpotStrategy, s.SpotStrategy, NoSpot), cmp.Or(t.SpotPriceLimit, q.SpotPriceLimit, s.SpotPriceLimit)
}
