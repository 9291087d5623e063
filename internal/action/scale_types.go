package action

import (
	"fmt"
	"slices"
	"strings"

	"ehpc/api"
	"ehpc/internal/hpc"
)

// maxScaleTypes is how many instance types one queue may grow by.
const maxScaleTypes = 10

// scaleTypes are the instance types that a queue's parameters name, in any of
// their three forms and in the order of preference.
func (s *Service) scaleTypes(name string, all *api.SetAutoScaleConfigRequest, q api.SetAutoScaleConfigRequestQueues) ([]hpc.ScaleType, error) {
	var types []hpc.ScaleType
	for i, info := range q.InstanceTypes {
		if info == (api.SetAutoScaleConfigRequestInstanceTypes{}) {
			continue
		}
		t, err := scaleType(fmt.Sprintf("%sInstanceTypes.%d.", name, i+1), all, q, info)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	for _, given := range append(strings.Split(q.InstanceTypesText, ","), q.InstanceType) {
		given = strings.TrimSpace(given)
		if given != "" && !slices.ContainsFunc(types, func(t hpc.ScaleType) bool { return t.Name == given }) {
			types = append(types, hpc.ScaleType{Name: given})
		}
	}
	for _, t := range types {
		if _, known := s.Config.InstanceType(t.Name); !known {
			return nil, badScale(name+"InstanceTypes", "%.80q is no instance type; ListAvailableEcsTypes has those there are", t.Name)
		}
	}
	if len(types) > maxScaleTypes {
		return nil, badScale(name+"InstanceTypes", "there are %d, at most %d may be given", len(types), maxScaleTypes)
	}
	return types, nil
}

func scaleType(name string, all *api.SetAutoScaleConfigRequest, q api.SetAutoScaleConfigRequestQueues, info api.SetAutoScaleConfigRequestInstanceTypes) (hpc.ScaleType, error) {
	t := hpc.ScaleType{Name: strings.TrimSpace(info.InstanceType), SpotStrategy: hpc.SpotStrategy(info.SpotStrategy), SpotPriceLimit: deref(info.SpotPriceLimit, 0),
		SpotDuration: deref(info.SpotDuration, 0), SpotInterruption: info.SpotInterruptionBehavior}
	switch {
	case t.Name == "":
		return t, badScale(name+"InstanceType", "is not given, and others of %s are", strings.TrimSuffix(name, "."))
	case t.SpotDuration < 0:
		return t, badScale(name+"SpotDuration", "must be at least 0")
	}
	return t, checkSpot(name, t.SpotStrategy, info.SpotPriceLimit, q.SpotPriceLimit, all.SpotPriceLimit)
}

// checkSpot refuses a strategy without the price that it needs; inherited are
// the limits that hold where this one is not given.
func checkSpot(name string, strategy hpc.SpotStrategy, limit *float64, inherited ...*float64) error {
	given := deref(limit, 0)
	if given < 0 || given > hpc.MaxPrice {
		return badScale(name+"SpotPriceLimit", "%v is no price per hour: it must be at least 0 and at most %.0f", given, hpc.MaxPrice)
	}
	for _, l := range inherited {
		given = max(given, deref(l, 0))
	}
	if strategy == hpc.SpotWithPriceLimit && given == 0 {
		return noLimit(name)
	}
	return nil
}

func noLimit(name string) error {
	return badScale(name+"SpotPriceLimit", "with SpotWithPriceLimit a price per hour above 0 has to be given")
}

// needsLimit tells whether a queue's strategy needs a limit that none of its
// types has itself.
func needsLimit(set hpc.QueueScale) bool {
	inherits := func(t hpc.ScaleType) bool { return t.SpotStrategy == "" && t.SpotPriceLimit == 0 }
	return set.SpotStrategy == hpc.SpotWithPriceLimit && set.SpotPriceLimit == 0 && (len(set.Types) == 0 || slices.ContainsFunc(set.Types, inherits))
}
