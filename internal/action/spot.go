package action

import (
	"strconv"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// spot is whether nodes are preemptible, and up to which price per hour.
type spot struct {
	strategy hpc.SpotStrategy
	limit    float64
}

// spotOf checks how preemptible nodes are asked for. A limit that the price is
// above already would get no node.
func (s *Service) spotOf(attempt, strategy, limit, instanceType string, now time.Time) (spot, error) {
	asked := spot{strategy: hpc.SpotStrategy(orElse(strategy, string(hpc.NoSpot)))}
	if limit == "" && asked.strategy != hpc.SpotWithPriceLimit {
		return asked, nil
	}
	price, err := strconv.ParseFloat(limit, 64)
	if err != nil || !(price >= 0 && price <= hpc.MaxPrice) {
		return asked, api.InvalidParams.Errorf("cannot %s: ComputeSpotPriceLimit %.40q is no price per hour of 0 to %d", attempt, limit, int(hpc.MaxPrice))
	}
	if asked.strategy != hpc.SpotWithPriceLimit {
		return asked, nil
	}
	if present := s.Config.Tariff().SpotPrice(instanceType, now); price < present {
		return asked, api.InvalidParams.Errorf("cannot %s: ComputeSpotPriceLimit %v is below the present spot price of %s, which is %v", attempt, price, instanceType, present)
	}
	asked.limit = price
	return asked, nil
}

// spotLimit is the limit that a cluster was asked for with; 0 for none.
func spotLimit(c *store.Cluster) float64 {
	price, err := strconv.ParseFloat(c.Asked.ComputeSpotPriceLimit, 64)
	if err != nil {
		return 0
	}
	return price
}

// mark makes nodes preemptible, or not.
func (x spot) mark(nodes []*store.Node) {
	for _, n := range nodes {
		n.SpotStrategy, n.SpotPriceLimit = x.strategy, x.limit
	}
}
