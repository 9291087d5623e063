package config

import (
	"fmt"
	"time"

	"ehpc/internal/hpc"
)

// ServicePack is capacity that was paid for in advance.
type ServicePack struct {
	Name     string    `yaml:"name"`
	Capacity int       `yaml:"capacity"` // cores
	From     time.Time `yaml:"from"`
	To       time.Time `yaml:"to"`
}

// Valid tells whether the pack counts at a moment.
func (p ServicePack) Valid(at time.Time) bool { return !at.Before(p.From) && at.Before(p.To) }

// ServicePrice is what the service itself costs for each core beyond the
// service packs, per hour.
type ServicePrice struct {
	CoreHour float64 `yaml:"core_hour"`
	Discount float64 `yaml:"discount"` // off it, per core and hour
}

func (c *Config) checkPrices() (faults []error) {
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	price := c.ServicePrice
	fault(!within(price.CoreHour, 0, hpc.MaxPrice), "service_price.core_hour %v is no price", price.CoreHour)
	fault(!within(price.Discount, 0, price.CoreHour), "service_price.discount %v is not between 0 and core_hour", price.Discount)
	names := map[string]bool{}
	for i, p := range c.ServicePacks {
		fault(p.Name == "" || names[p.Name], "service_packs[%d].name %q is empty or twice there", i, p.Name)
		fault(p.Capacity < 1 || p.Capacity > 1e6, "service_packs[%d].capacity %d is not between 1 and 1000000 cores", i, p.Capacity)
		fault(p.From.IsZero() || !p.To.After(p.From), "service_packs[%d] needs a from, and a to after it", i)
		names[p.Name] = true
	}
	for id, price := range c.ImagePrices {
		fault(id == "" || !within(price, 0, hpc.MaxPrice), "image_prices %q: %v is no price", id, price)
	}
	return faults
}
