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
// Parameters that the action does not have are ignored, one that it has in
// another shape is a fault, and an empty value is the same as none. A list may
// come as one text, JSON or, of plain values, at commas. Integers, numbers and booleans that are not given get the
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
	unsure map[*Param]bool    // what may be meant by a name of another shape
	has    map[string]bool    // what is given, under its numbered name
	blank  map[string]bool    // list entries with empty values, under their numbered name
	lists  map[string]int     // length of each list, under its numbered name
	faults []fault
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
	if len(bad) == 0 && !b.unsure[p] && (p.Mandatory() || b.demanded(p)) {
		b.checkPresent(p)
	}
}

// demanded reports whether another parameter's value makes this one mandatory.
func (b *binder) demanded(p *Param) bool {
	if p.RequiredIf == nil {
		return false
	}
	return slices.ContainsFunc(b.values[b.action.Param(p.RequiredIf.Param)], func(g given) bool {
		return slices.Contains(p.RequiredIf.In, g.value)
	})
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
