package hpc

import (
	"testing"
	"time"
)

func TestMoneyShowsItsDecimals(t *testing.T) {
	t.Parallel()
	for m, want := range map[Money]string{0: "0.00", 1: "0.000000001", 1_500_000_000: "1.50", -250_000_000: "-0.25", MoneyOf(0.32): "0.32", MoneyOf(12): "12.00", -1 << 63: "-9223372036.854775808"} {
		if got := m.String(); got != want {
			t.Errorf("%d is shown as %s, want %s", int64(m), got, want)
		}
	}
}

func TestAPriceOverATime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		price       Money
		d           time.Duration
		part, whole int
		want        Money
	}{
		{MoneyOf(0.32), time.Hour, 1, 1, MoneyOf(0.32)},
		{MoneyOf(0.32), 30 * time.Minute, 1, 2, MoneyOf(0.08)},
		{1, time.Hour - 1, 1, 1, 0},
		{MoneyOf(1e6), 1000 * time.Hour, 1000, 1024, 976_562_500_000_000_000}, // more than 64 bits in between
	} {
		if got := c.price.Over(c.d, c.part, c.whole); got != c.want {
			t.Errorf("%v over %v of %d/%d is %d, want %d", c.price, c.d, c.part, c.whole, got, c.want)
		}
	}
}

func TestSpotPricesChange(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	tariff := Tariff{Types: map[string]InstanceType{"a": {Price: 1}, "b": {Price: 2}},
		Spot: map[string][]SpotPrice{"a": {{noon, 0.25}, {noon.Add(time.Hour), 0.75}}}}
	for _, c := range []struct {
		name string
		at   time.Time
		want float64
		next time.Time
	}{
		{"a", noon.Add(-time.Second), 1, noon},
		{"a", noon, 0.25, noon.Add(time.Hour)},
		{"a", noon.Add(2 * time.Hour), 0.75, time.Time{}},
		{"b", noon, 2, time.Time{}},
	} {
		if got := tariff.SpotPrice(c.name, c.at); got != c.want {
			t.Errorf("%s at %v costs %v, want %v", c.name, c.at, got, c.want)
		}
		if got := tariff.SpotChange(c.name, c.at); !got.Equal(c.next) {
			t.Errorf("%s changes next after %v at %v, want %v", c.name, c.at, got, c.next)
		}
	}
}
