package hpc

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Money is an amount in billionths of the currency's unit, so that sums are exact.
type Money int64

// MoneyOf is the amount nearest to x units of the currency.
func MoneyOf(x float64) Money { return Money(math.Round(x * 1e9)) }

// Float is the amount in units of the currency.
func (m Money) Float() float64 { return float64(m) / 1e9 }

// String shows all decimals that are not zero, and at least two.
func (m Money) String() string {
	sign, rest := "", uint64(m)
	if m < 0 {
		sign, rest = "-", -uint64(m)
	}
	decimals := strings.TrimRight(fmt.Sprintf("%09d", rest%1e9), "0")
	for len(decimals) < 2 {
		decimals += "0"
	}
	return sign + strconv.FormatUint(rest/1e9, 10) + "." + decimals
}

// Over is what a price per hour comes to over d, of part in whole: a job's cores
// of its node's. It is rounded down. Nothing may be negative, and whole not 0.
func (m Money) Over(d time.Duration, part, whole int) Money {
	n := big.NewInt(int64(m))
	n.Mul(n, big.NewInt(int64(d))).Mul(n, big.NewInt(int64(part)))
	hours := big.NewInt(int64(time.Hour))
	return Money(n.Quo(n, hours.Mul(hours, big.NewInt(int64(whole)))).Int64())
}

// MaxPrice is more than any machine costs in an hour, in units of the currency.
const MaxPrice = 1e6

// SpotPrice is what a preemptible machine costs from a moment on, per hour.
type SpotPrice struct {
	From  time.Time `yaml:"from"` // RFC 3339
	Price float64   `yaml:"price"`
}

// Tariff is what instance types cost.
type Tariff struct {
	Types map[string]InstanceType // with their price as pay as you go
	Spot  map[string][]SpotPrice  // by type, in the order of time
}

// SpotPrice is what a preemptible machine of the type costs at a moment, per
// hour. A type without a spot price, or before its first one, costs as pay as
// you go.
func (t Tariff) SpotPrice(name string, at time.Time) float64 {
	price := t.Types[name].Price
	for _, p := range t.Spot[name] {
		if p.From.After(at) {
			break
		}
		price = p.Price
	}
	return price
}

// SpotChange is when the spot price of the type changes next after a moment;
// the zero time if it never does.
func (t Tariff) SpotChange(name string, after time.Time) time.Time {
	prices := t.Spot[name]
	i := slices.IndexFunc(prices, func(p SpotPrice) bool { return p.From.After(after) })
	if i < 0 {
		return time.Time{}
	}
	return prices[i].From
}

// SpotStrategy is whether a node is preemptible, and up to which price; in the
// API's words.
type SpotStrategy string

const (
	NoSpot             SpotStrategy = "NoSpot"
	SpotWithPriceLimit SpotStrategy = "SpotWithPriceLimit"
	SpotAsPriceGo      SpotStrategy = "SpotAsPriceGo"
)

// Preemptible tells whether a node of the strategy may be taken back.
func (s SpotStrategy) Preemptible() bool { return s == SpotWithPriceLimit || s == SpotAsPriceGo }
