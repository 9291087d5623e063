package api

import (
	"fmt"
	"slices"
	"strings"
)

// checkGroups looks after parameters that exclude or need each other. Neither
// of an exclusive pair is fine: newer SDKs send none.
func (b *binder) checkGroups() {
	oneOf, allOf := make(map[string][]*Param), make(map[string][]*Param)
	for i := range b.action.Params {
		p := &b.action.Params[i]
		if p.OneOfGroup != "" {
			oneOf[p.OneOfGroup] = append(oneOf[p.OneOfGroup], p)
		}
		if p.AllOfGroup != "" {
			allOf[p.AllOfGroup] = append(allOf[p.AllOfGroup], p)
		}
	}
	for _, group := range oneOf {
		if names := b.namesGiven(group); len(names) > 1 {
			b.faults = append(b.faults, fault{InvalidParams, "Only one of " + strings.Join(names, " and ") + " may be given."})
		}
	}
	for _, group := range allOf {
		names := b.namesGiven(group)
		if len(names) == 0 || len(names) == len(group) {
			continue
		}
		for _, p := range group {
			if !slices.Contains(names, p.Name) {
				b.faults = append(b.faults, fault{Missing(p.Name), fmt.Sprintf("%s is mandatory together with %s.", p.Name, strings.Join(names, " and "))})
			}
		}
	}
}

func (b *binder) namesGiven(group []*Param) []string {
	var names []string
	for _, p := range group {
		if len(b.values[p]) > 0 {
			names = append(names, p.Name)
		}
	}
	return names
}
