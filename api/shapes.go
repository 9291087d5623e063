package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Some clients send a list as one text, JSON or at commas, where the catalogue
// has Users.N or Instance.N.Id. What is meant is bound; a name that is known with
// another shape is never passed over in silence, as an unknown one is.

// spot is where a key leads in an action's parameter names.
type spot struct {
	key     string
	node    *pathNode
	indexes []int
	name    string // of the node, its lists numbered
	rest    string // the segment that the node has no way for; "" for none
}

func (n *pathNode) walk(key string) spot {
	s := spot{key: key, node: n}
	for segment := range strings.SplitSeq(key, ".") {
		next := s.node.names[segment]
		if next == nil && s.node.index != nil && looksLikeNumber(segment) {
			next = s.node.index
			s.indexes = append(s.indexes, listIndex(segment))
		}
		if next == nil {
			s.rest = segment
			return s
		}
		s.node, s.name = next, strings.TrimPrefix(s.name+"."+segment, ".")
	}
	return s
}

// below is every parameter from the node on, in the order of their names.
func (n *pathNode) below() (all []*Param) {
	if n.param != nil {
		all = append(all, n.param)
	}
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		all = append(all, n.names[name].below()...)
	}
	if n.index != nil {
		all = append(all, n.index.below()...)
	}
	return all
}

// misshape notes that a name is known, but not so. What it was meant for is not
// said to be missing as well.
func (b *binder) misshape(n *pathNode, format string, args ...any) {
	params := n.below()
	b.spoil(params[0], format, args...)
	for _, p := range params {
		b.unsure[p] = true
	}
}

// stray looks at a key that leads nowhere: at an unknown name, or past a known one.
func (b *binder) stray(s spot) {
	switch {
	case s.name == "": // no name of the action's
	case s.node.index == nil && s.node.names == nil:
		shape := "one value"
		if s.node.param.Type == "json" {
			shape = "one JSON text"
		}
		b.misshape(s.node, "%s: %s is %s, with nothing below it.", s.key, s.name, shape)
	case s.node.index != nil && len(s.node.names) == 0:
		b.misshape(s.node, "%s: %s is a list: write %s.", s.key, s.name, s.node.example(s.name))
	case looksLikeNumber(s.rest):
		b.misshape(s.node, "%s: %s is no list: write %s.", s.key, s.name, s.node.example(s.name))
	}
}

// example is a key below the node.
func (n *pathNode) example(name string) string {
	switch {
	case n.index != nil:
		return n.index.example(name + ".1")
	case len(n.names) > 0:
		first := slices.Sorted(maps.Keys(n.names))[0]
		return n.names[first].example(name + "." + first)
	}
	return name
}

// whole takes a value that was given for a list or an object as a whole.
func (b *binder) whole(s spot, text string) {
	var value any
	trimmed := strings.TrimSpace(text)
	brackets := strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, "{")
	switch {
	case brackets && readExact(trimmed, &value) == nil:
		b.spread(s, value)
	case s.node.plainList():
		b.split(s, text)
	default:
		b.misshape(s.node, "%s is not one value: write %s, or all of it as JSON.", s.key, s.node.example(s.name))
	}
}

func readExact(text string, into *any) error {
	strict, err := strictJSON(text)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(string(strict)))
	dec.UseNumber()
	return dec.Decode(into)
}

// plainList tells a list whose entries are values.
func (n *pathNode) plainList() bool { return n.index != nil && n.index.param != nil }

// spread takes what JSON has for a node as if each value had come under its own key.
func (b *binder) spread(s spot, value any) {
	switch v := value.(type) {
	case nil:
		return
	case []any:
		if s.node.index == nil {
			b.misshape(s.node, "%s: %s is no list.", s.key, s.name)
			return
		}
		for i, one := range v {
			at := spot{key: s.key, node: s.node.index, name: fmt.Sprintf("%s.%d", s.name, i+1), indexes: append(slices.Clone(s.indexes), i+1)}
			if limit := at.node.below()[0].limitN(); i >= limit {
				b.misshape(s.node, "%s: the list may have at most %d entries.", s.key, limit)
				return
			}
			b.spread(at, one)
		}
	case map[string]any:
		if s.node.names == nil {
			b.misshape(s.node, "%s: %s is no object.", s.key, s.name)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			next := s.node.names[name]
			if next == nil {
				b.misshape(s.node, "%s: %s has no member %.40q.", s.key, s.name, name)
				continue
			}
			b.spread(spot{key: s.key, node: next, name: s.name + "." + name, indexes: s.indexes}, v[name])
		}
	default:
		text := fmt.Sprint(v)
		switch {
		case s.node.param == nil:
			b.misshape(s.node, "%s: %s is not one value.", s.key, s.name)
		case text == "":
			b.leaveBlank(s.node.param, s.indexes)
		default:
			b.take(s.node.param, given{s.name, s.indexes, text})
		}
	}
}

// split takes a list of values that came as one text, at its commas.
func (b *binder) split(s spot, text string) {
	p, entries := s.node.index.param, strings.Split(text, ",")
	if limit := p.limitN(); len(entries) > limit {
		b.spoil(p, "%s: the list may have at most %d entries.", s.key, limit)
		return
	}
	for i, entry := range entries {
		if entry = strings.TrimSpace(entry); entry != "" {
			b.take(p, given{s.key, append(slices.Clone(s.indexes), i+1), entry})
		}
	}
}
