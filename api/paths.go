package api

import (
	"reflect"
	"strconv"
	"strings"
)

// maxList bounds lists whose length the catalogue does not.
const maxList = 1000

// pathNode is a step in an action's parameter names. Lists step through index
// with whatever number stands in the key.
type pathNode struct {
	names map[string]*pathNode
	index *pathNode
	param *Param
}

func newPaths(a *Action) *pathNode {
	root := new(pathNode)
	for i := range a.Params {
		p := &a.Params[i]
		root.add(p.Name, p)
		for _, alias := range p.Aliases {
			root.add(alias, p)
		}
	}
	return root
}

func (n *pathNode) add(name string, p *Param) {
	for segment := range strings.SplitSeq(name, ".") {
		if segment == "N" {
			if n.index == nil {
				n.index = new(pathNode)
			}
			n = n.index
			continue
		}
		if n.names == nil {
			n.names = make(map[string]*pathNode)
		}
		if n.names[segment] == nil {
			n.names[segment] = new(pathNode)
		}
		n = n.names[segment]
	}
	n.param = p
}

// Secret tells whether the value under a key is not to be kept or shown.
func (a *Action) Secret(key string) bool {
	at := a.paths().walk(key)
	return at.rest == "" && at.node.param != nil && at.node.param.Secret
}

func looksLikeNumber(s string) bool {
	s = strings.TrimLeft(s, "+-")
	if s == "" {
		return false
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// listIndex reads an index that counts from 1 and is written plainly; 0 for
// anything else.
func listIndex(s string) int {
	if s[0] < '1' || s[0] > '9' {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// numbered writes the parameter's name with numbers in place of its Ns.
func numbered(name string, indexes []int) string {
	segments := strings.Split(name, ".")
	for i, s := range segments {
		if s == "N" && len(indexes) > 0 {
			segments[i] = strconv.Itoa(indexes[0])
			indexes = indexes[1:]
		}
	}
	return strings.Join(segments, ".")
}

// place finds the field for the parameter inside request, making list elements
// up to the indexes, which count from 1.
func (p *Param) place(request reflect.Value, indexes []int) reflect.Value {
	at := request
	segments := p.Segments()
	for len(segments) > 0 {
		tag := segments[0]
		list := len(segments) > 1 && segments[1] == "N"
		if list {
			tag += ".N"
			segments = segments[1:]
		}
		segments = segments[1:]
		at = fieldByTag(at, tag)
		if list {
			for at.Len() < indexes[0] {
				at.Set(reflect.Append(at, reflect.Zero(at.Type().Elem())))
			}
			at = at.Index(indexes[0] - 1)
			indexes = indexes[1:]
		}
	}
	return at
}

func fieldByTag(v reflect.Value, tag string) reflect.Value {
	t := v.Type()
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("param") == tag {
			return v.Field(i)
		}
	}
	panic("api: " + t.Name() + " has no field for " + tag + "; run go generate ./api")
}
