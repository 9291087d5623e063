package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ehpc/internal/hpc"
)

// restMinutes is how long an instance type is left alone that there was no
// capacity for.
const restMinutes = 10

// offer is what new nodes of a queue may be.
type offer struct {
	hpc.InstanceType
	Strategy hpc.SpotStrategy
	Limit    float64 // of its price, with SpotWithPriceLimit
	Closed   bool    // none of it is to be had now
	Why      string  // it is closed, or there are not as many as were asked for
	Spare    bool    // only for jobs that no offer before it holds
	Sought   bool    // some job is such a one
}

// offers are a queue's, the best first: the types that are set for it and no
// others, else its newest node's and, for jobs that this does not hold, those of
// its other nodes and the cluster's.
func (p *scalePlanner) offers(queue string, set hpc.QueueScale) []offer {
	types, chosen := set.Types, len(set.Types) > 0
	if !chosen {
		types = p.usual(queue)
	}
	var offers []offer
	for _, t := range types {
		if kind, known := p.Tariff.Types[t.Name]; known {
			o := p.offer(kind, set, t)
			o.Spare = !chosen && len(offers) > 0
			offers = append(offers, o)
		}
	}
	if set.ByInventory {
		slices.SortStableFunc(offers, func(a, b offer) int { return p.Stock[b.Name] - p.Stock[a.Name] })
	}
	return offers
}

// usual are the types of a queue that has none set, each once.
func (p *scalePlanner) usual(queue string) (types []hpc.ScaleType) {
	add := func(name string) {
		if !slices.ContainsFunc(types, func(t hpc.ScaleType) bool { return t.Name == name }) {
			types = append(types, hpc.ScaleType{Name: name})
		}
	}
	for _, n := range slices.Backward(p.Nodes) {
		if computes(n) && n.Queue == queue {
			add(n.InstanceType.Name)
		}
	}
	add(p.Type)
	return types
}

func (p *scalePlanner) offer(kind hpc.InstanceType, set hpc.QueueScale, t hpc.ScaleType) offer {
	o := offer{InstanceType: kind}
	o.Strategy, o.Limit = p.Config.Settings.Spot(set, t)
	if o.Strategy != hpc.SpotWithPriceLimit {
		o.Limit = 0
	} else if price := p.Tariff.SpotPrice(t.Name, p.now); price > o.Limit {
		o.Closed, o.Why = true, fmt.Sprintf("the spot price of %s is %v, over the limit of %v", t.Name, price, o.Limit)
		return o
	}
	until := p.Config.Resting[t.Name]
	if _, now := p.Scarce[t.Name]; now {
		until = p.restUntil(p.now)
	} else {
		o.Closed = p.now.Before(until)
	}
	if p.now.Before(until) {
		o.Why = fmt.Sprintf("no capacity for %s until %s", t.Name, until.UTC().Format("15:04 UTC"))
	}
	return o
}

// String is what is added, for the log.
func (o *offer) String() string {
	switch o.Strategy {
	case hpc.SpotWithPriceLimit:
		return fmt.Sprintf("%s (preemptible, up to %v an hour)", o.Name, o.Limit)
	case hpc.SpotAsPriceGo:
		return o.Name + " (preemptible)"
	}
	return o.Name
}

// shortage is why types are not to be had, each once.
func shortage(offers []offer) string {
	if len(offers) == 0 {
		return "none of its instance types is known any more"
	}
	var why []string
	for _, o := range offers {
		if o.Spare && !o.Sought {
			continue
		}
		if o.Why != "" && !slices.Contains(why, o.Why) {
			why = append(why, o.Why)
		}
	}
	return strings.Join(why, "; ")
}

// sizes is what nodes of the offers have.
func sizes(offers []offer) string {
	var have []string
	for _, o := range offers {
		have = append(have, fmt.Sprintf("%s: %d cores, %d MB and %d GPUs", o.Name, o.Cores, o.MemoryMB, o.GPUs))
	}
	if len(have) == 0 {
		return "none that the service still knows"
	}
	return strings.Join(have, "; ")
}

// rested are the types that are still left alone.
func rested(resting map[string]time.Time, now time.Time) map[string]time.Time {
	still := map[string]time.Time{}
	for name, until := range resting {
		if now.Before(until) {
			still[name] = until
		}
	}
	return still
}
