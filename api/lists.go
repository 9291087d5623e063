package api

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// collect sorts the values by parameter and measures the lists.
func (b *binder) collect(values url.Values) {
	b.bad, b.has, b.blank = make(map[*Param][]fault), make(map[string]bool), make(map[string]bool)
	b.unsure = make(map[*Param]bool)
	paths := b.action.paths()
	for key, all := range values {
		b.sort(paths.walk(key), all)
	}
	for _, list := range b.values {
		slices.SortFunc(list, func(x, y given) int {
			return cmp.Or(slices.Compare(x.indexes, y.indexes), cmp.Compare(x.key, y.key))
		})
	}
	b.measure()
}

// sort takes the values of one key for the parameter that it leads to.
func (b *binder) sort(s spot, all []string) {
	if s.rest != "" && strings.Join(all, "") != "" {
		b.stray(s)
	}
	if s.rest != "" {
		return
	}
	p := s.node.below()[0]
	switch limit := p.limitN(); {
	case len(all) > 1:
		b.spoil(p, "%s is given more than once.", s.key)
	case len(all) == 0 || all[0] == "":
		if s.node.param != nil {
			b.leaveBlank(p, s.indexes)
		}
	case slices.Contains(s.indexes, 0):
		b.spoil(p, "%s: list indexes are written 1, 2, 3 and so on.", s.key)
	case slices.Max(append(s.indexes, 0)) > limit:
		b.spoil(p, "%s: the list may have at most %d entries.", s.key, limit)
	case s.node.param == nil:
		b.whole(s, all[0])
	default:
		b.take(p, given{s.key, s.indexes, all[0]})
	}
}

// leaveBlank notes the list entries that an empty value stands in: clients send
// whole entries of them, and these are not gaps.
func (b *binder) leaveBlank(p *Param, indexes []int) {
	for depth, n := range indexes {
		b.blank[fmt.Sprintf("%s.%d", p.listName(depth, indexes), n)] = true
	}
}

func (b *binder) take(p *Param, g given) {
	b.values[p] = append(b.values[p], g)
	b.has[numbered(p.Name, g.indexes)] = true
}

func (b *binder) spoil(p *Param, format string, args ...any) {
	b.bad[p] = append(b.bad[p], fault{InvalidParams, fmt.Sprintf(format, args...)})
}

func (p *Param) limitN() int {
	if p.MaxN > 0 {
		return p.MaxN
	}
	return maxList
}

// measure finds how long each list is and which entries it lacks.
func (b *binder) measure() {
	seen := make(map[string]map[int]*Param)
	for i := range b.action.Params {
		p := &b.action.Params[i]
		for _, g := range b.values[p] {
			for depth := range g.indexes {
				name := p.listName(depth, g.indexes)
				if seen[name] == nil {
					seen[name] = make(map[int]*Param)
				}
				if seen[name][g.indexes[depth]] == nil {
					seen[name][g.indexes[depth]] = p
				}
			}
		}
	}
	b.lists = make(map[string]int)
	for name, entries := range seen {
		last := 0
		for n := range entries {
			last = max(last, n)
		}
		b.lists[name] = last
		for n := 1; n < last; n++ {
			if entries[n] == nil && !b.blank[fmt.Sprintf("%s.%d", name, n)] {
				p := entries[last]
				b.spoil(p, "%s.%d is missing: the list goes on after it.", name, n)
				b.lists[name] = len(entries)
				break
			}
		}
	}
}

// listName is the name of the parameter's list at a depth, its outer lists
// numbered: for AdditionalVolumes.N.Roles.N.Name, AdditionalVolumes and then
// AdditionalVolumes.1.Roles.
func (p *Param) listName(depth int, indexes []int) string {
	segments := p.Segments()
	for i, s := range segments {
		if s != "N" {
			continue
		}
		if depth == 0 {
			return numbered(strings.Join(segments[:i], "."), indexes)
		}
		depth--
	}
	return ""
}

func (p *Param) depth() int {
	n := 0
	for _, s := range p.Segments() {
		if s == "N" {
			n++
		}
	}
	return n
}

// entries lists the indexes of the parameter's list entries, taking every list
// for at least as long as least.
func (b *binder) entries(p *Param, least int) [][]int {
	all := [][]int{nil}
	for depth := range p.depth() {
		var next [][]int
		for _, outer := range all {
			for n := range max(least, b.lists[p.listName(depth, outer)]) {
				next = append(next, append(slices.Clone(outer), n+1))
			}
		}
		all = next
	}
	return all
}
