package action

import (
	"context"
	"fmt"
	"math"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
)

// QueryServicePackAndPrice shows the service packs of the configuration, how
// many cores the caller's clusters have, and how many of them are beyond the
// packs. Prices are per core and hour.
func (s *Service) QueryServicePackAndPrice(ctx context.Context, q *api.QueryServicePackAndPriceRequest) (*api.QueryServicePackAndPriceResponse, error) {
	tx, now := s.Store.Read(), time.Now()
	nodes, err := tx.NodesOf(ctx, CallOf(ctx).Owner)
	if err != nil {
		return nil, err
	}
	a := &api.QueryServicePackAndPriceResponse{RegionId: s.Config.Region, Currency: s.Config.Currency}
	for _, n := range nodes {
		a.OriginalAmount += n.InstanceType.Cores
	}
	a.ChargeAmount = a.OriginalAmount
	a.ServicePack.ServicePackInfo = []api.QueryServicePackAndPriceServicePackInfo{}
	for _, p := range s.Config.ServicePacks {
		a.ServicePack.ServicePackInfo = append(a.ServicePack.ServicePackInfo, api.QueryServicePackAndPriceServicePackInfo{
			InstanceName: p.Name, Capacity: p.Capacity, StartTime: int(p.From.Unix()), EndTime: int(p.To.Unix())})
		if p.Valid(now) {
			a.ChargeAmount = max(a.ChargeAmount-p.Capacity, 0)
		}
	}
	list, off := hpc.MoneyOf(s.Config.ServicePrice.CoreHour), hpc.MoneyOf(s.Config.ServicePrice.Discount)
	a.OriginalPrice, a.DiscountPrice, a.TradePrice = list.Float(), off.Float(), (list - off).Float()
	return a, nil
}

// hoursOf are the hours of a unit of price: a month is 30 days, a year 365.
var hoursOf = map[string]int{"Hour": 1, "Week": 7 * 24, "Month": 30 * 24, "Year": 365 * 24}

// mostUnits bounds how many of something are priced at once.
const mostUnits = 10_000

// DescribeImagePrice tells what so many nodes with an image cost for it; images
// without a price in the configuration cost nothing.
func (s *Service) DescribeImagePrice(_ context.Context, q *api.DescribeImagePriceRequest) (*api.DescribeImagePriceResponse, error) {
	const attempt = "price the image"
	price, known := s.Config.ImagePrices[q.ImageId]
	if !known {
		images, err := s.Images()
		if err != nil {
			return nil, err
		}
		for _, i := range images {
			known = known || i.ID == q.ImageId
		}
	}
	if !known {
		return nil, api.ImageNotFound.Errorf("cannot %s: ImageId %q is no image of this service, and has no price", attempt, q.ImageId)
	}
	total, err := priceOver(attempt, hpc.MoneyOf(price), []times{{"Amount", q.Amount}, {"Period", q.Period}}, q.PriceUnit)
	if err != nil {
		return nil, err
	}
	return &api.DescribeImagePriceResponse{ImageId: q.ImageId, Amount: q.Amount, OriginalPrice: total.Float(), TradePrice: total.Float()}, nil
}

// DescribePrice tells what nodes cost, by the table of instance types.
func (s *Service) DescribePrice(_ context.Context, q *api.DescribePriceRequest) (*api.DescribePriceResponse, error) {
	const attempt = "price the nodes"
	if len(q.Commodities) == 0 || len(q.Commodities) > 50 {
		return nil, api.InvalidParams.Errorf("cannot %s: Commodities has %d entries, not 1 to 50", attempt, len(q.Commodities))
	}
	if _, known := hoursOf[q.PriceUnit]; !known {
		return nil, api.InvalidParams.Errorf("cannot %s: PriceUnit %q is not Hour, Week, Month or Year", attempt, q.PriceUnit)
	}
	a := &api.DescribePriceResponse{}
	var sum hpc.Money
	for i, c := range q.Commodities {
		at := fmt.Sprintf("Commodities.%d.", i+1)
		t, known := s.Config.InstanceType(c.InstanceType)
		if !known {
			return nil, api.InvalidParams.Errorf("cannot %s: %sInstanceType %q is none that there is", attempt, at, c.InstanceType)
		}
		total, err := priceOver(attempt, hpc.MoneyOf(t.Price), []times{{at + "Amount", c.Amount}, {at + "Period", c.Period}}, q.PriceUnit)
		if err != nil {
			return nil, err
		}
		if sum += total; sum < 0 {
			return nil, api.InvalidParams.Errorf("cannot %s: Commodities: that is more than can be counted", attempt)
		}
		a.Prices.PriceInfo = append(a.Prices.PriceInfo, api.DescribePricePriceInfo{Currency: s.Config.Currency, NodeType: c.NodeType,
			OriginalPrice: total.Float(), TradePrice: total.Float()})
	}
	a.TotalTradePrice = sum.Float()
	return a, nil
}

// times is a factor of a price, and the parameter that it comes from.
type times struct {
	param string
	n     int
}

// priceOver multiplies a price per hour.
func priceOver(attempt string, price hpc.Money, by []times, unit string) (hpc.Money, error) {
	total := price
	for _, f := range by {
		if f.n < 1 || f.n > mostUnits {
			return 0, api.InvalidParams.Errorf("cannot %s: %s is %d, not 1 to %d", attempt, f.param, f.n, mostUnits)
		}
	}
	for _, n := range []int{by[0].n, by[1].n, hoursOf[unit]} {
		if n > 0 && total > hpc.Money(math.MaxInt64/int64(n)) {
			return 0, api.InvalidParams.Errorf("cannot %s: %s: that is more than can be counted", attempt, by[1].param)
		}
		total *= hpc.Money(n)
	}
	return total, nil
}
