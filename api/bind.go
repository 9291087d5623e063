package api

import (
	"cmp"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// given is a parameter as a request has it.
type given struct {
	key     string
	indexes []int
	value   string
}

// fault is one thing wrong with a request.
type fault struct {
	code Code
	text string
}

// Bind makes the action's typed request (*XxxRequest) from decoded parameters.
//
// Parameters that the action does not have are ignored, and an empty value is
// the same as none. Integers, numbers and booleans that are not given get the
// catalogue's default; strings stay empty. When anything is wrong the error is
// one *Error with the code of the first fault and a message that lists every
// one, each naming its parameter.
func Bind(a *Action, values url.Values) (any, error) {
	b := &binder{action: a, values: make(map[*Param][]given)}
	b.collect(values)
	for i := range a.Params {
		b.check(&a.Params[i])
	}
	b.checkGroups()
	if len(b.faults) > 0 {
		return nil, b.err()
	}
	return b.build(), nil
}

type binder struct {
	action *Action
	values map[*Param][]given
	bad    map[*Param][]fault // keys that could not be taken, by parameter
	has    map[string]bool    // what is given, under its numbered name
	lists  map[string]int     // length of each list, under its numbered name
	faults []fault
}

// collect sorts the values by parameter and measures the lists.
func (b *binder) collect(values url.Values) {
	b.bad, b.has = make(map[*Param][]fault), make(map[string]bool)
	paths := b.action.paths()
	for key, all := range values {
		p, indexes := paths.match(key)
		if p == nil {
			continue
		}
		if len(all) > 1 {
			b.spoil(p, "%s is given more than once.", key)
			continue
		}
		if len(all) == 0 || all[0] == "" {
			continue
		}
		if slices.Contains(indexes, 0) {
			b.spoil(p, "%s: list indexes are written 1, 2, 3 and so on.", key)
			continue
		}
		if limit := p.limitN(); slices.Max(append(indexes, 0)) > limit {
			b.spoil(p, "%s: the list may have at most %d entries.", key, limit)
			continue
		}
		b.values[p] = append(b.values[p], given{key, indexes, all[0]})
		b.has[numbered(p.Name, indexes)] = true
	}
	for _, list := range b.values {
		slices.SortFunc(list, func(x, y given) int {
			return cmp.Or(slices.Compare(x.indexes, y.indexes), cmp.Compare(x.key, y.key))
		})
	}
	b.measure()
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
		b.lists[name] = len(entries)
		last := 0
		for n := range entries {
			last = max(last, n)
		}
		for n := 1; n < last; n++ {
			if entries[n] == nil {
				p := entries[last]
				b.spoil(p, "%s.%d is missing: the list goes on after it.", name, n)
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

// check collects the faults of one parameter.
func (b *binder) check(p *Param) {
	bad := b.bad[p]
	slices.SortFunc(bad, func(x, y fault) int { return cmp.Compare(x.text, y.text) })
	b.faults = append(b.faults, bad...)
	var last []int
	for i, g := range b.values[p] {
		if i > 0 && slices.Equal(g.indexes, last) {
			b.faults = append(b.faults, fault{InvalidParams, fmt.Sprintf("%s is given more than once.", numbered(p.Name, g.indexes))})
		}
		last = g.indexes
		if problem := p.problem(g.value); problem != "" {
			b.faults = append(b.faults, fault{InvalidParams, fmt.Sprintf("%s %s.", g.key, problem)})
		}
	}
	if len(bad) == 0 && (p.Mandatory() || b.demanded(p)) {
		b.checkPresent(p)
	}
}

// demanded reports whether another parameter's value makes this one mandatory.
func (b *binder) demanded(p *Param) bool {
	if p.RequiredIf == nil {
		return false
	}
	value := ""
	other := b.action.Param(p.RequiredIf.Param)
	if list := b.values[other]; len(list) > 0 {
		value = list[0].value
	} else if text, ok := other.Default.(string); ok {
		value = text
	}
	return slices.Contains(p.RequiredIf.In, value)
}

// checkPresent looks for a mandatory parameter in every entry of its lists, and
// in the first one of a list that has none.
func (b *binder) checkPresent(p *Param) {
	for _, indexes := range b.entries(p, 1) {
		if name := numbered(p.Name, indexes); !b.has[name] {
			b.faults = append(b.faults, fault{Missing(name), name + " is mandatory for this action."})
		}
	}
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

// maxFaults bounds the message for a request that is wrong all over.
const maxFaults = 50

func (b *binder) err() *Error {
	var texts []string
	for _, f := range b.faults[:min(len(b.faults), maxFaults)] {
		texts = append(texts, f.text)
	}
	if more := len(b.faults) - maxFaults; more > 0 {
		texts = append(texts, fmt.Sprintf("%d more faults.", more))
	}
	return &Error{Code: b.faults[0].code, Message: strings.Join(texts, " ")}
}

// build fills the request; everything in it has been checked.
func (b *binder) build() any {
	request := b.action.NewRequest()
	root := reflect.ValueOf(request).Elem()
	for i := range b.action.Params {
		p := &b.action.Params[i]
		for _, g := range b.values[p] {
			p.set(p.place(root, g.indexes), g.value)
		}
	}
	for i := range b.action.Params {
		b.fillDefaults(&b.action.Params[i], root)
	}
	return request
}

func (b *binder) fillDefaults(p *Param, root reflect.Value) {
	if p.Default == nil || p.Type == "string" || p.Type == "json" {
		return
	}
	for _, indexes := range b.entries(p, 0) {
		if !b.has[numbered(p.Name, indexes)] {
			p.set(p.place(root, indexes), defaultText(p.Default))
		}
	}
}

func defaultText(value any) string {
	if n, ok := value.(float64); ok {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}
