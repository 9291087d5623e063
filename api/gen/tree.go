package main

import (
	"strings"
	"unicode"

	"ehpc/api"
)

// object is a struct to be written: the members of a request or an answer, or
// of one element of a list in it.
type object struct {
	path    []string // the names that lead to it, without list marks
	members []*member
	// documented is false when only the SDKs know the object's members.
	documented bool
}

// member is one struct field.
type member struct {
	name   string // on the wire
	list   bool
	object *object // nil for a plain value
	param  *api.Param
	field  *api.Field
}

func (o *object) child(name string, list bool) *object {
	for _, m := range o.members {
		if m.name == name && m.list == list && m.object != nil {
			return m.object
		}
	}
	path := append(append([]string{}, o.path...), name)
	m := &member{name: name, list: list, object: &object{path: path}}
	o.members = append(o.members, m)
	return m.object
}

// requestTree arranges an action's parameters by their dotted names.
func requestTree(a *api.Action) *object {
	root := &object{}
	for i := range a.Params {
		p := &a.Params[i]
		segments := p.Segments()
		at := root
		for len(segments) > 0 {
			name := segments[0]
			list := len(segments) > 1 && segments[1] == "N"
			rest := segments[1:]
			if list {
				rest = segments[2:]
			}
			if len(rest) == 0 {
				at.members = append(at.members, &member{name: name, list: list, param: p})
			} else {
				at = at.child(name, list)
			}
			segments = rest
		}
	}
	return root
}

// responseTree arranges the fields that an answer may hold.
func responseTree(a *api.Action) *object {
	root := &object{}
	for i := range a.Response {
		f := &a.Response[i]
		if !f.Emitted() {
			continue
		}
		segments := strings.Split(f.Path, ".")
		at := root
		for len(segments) > 1 {
			name, list := strings.CutSuffix(segments[0], "[]")
			at = at.child(name, list)
			at.documented = at.documented || f.Documented()
			segments = segments[1:]
		}
		name, list := strings.CutSuffix(segments[0], "[]")
		at.members = append(at.members, &member{name: name, list: list, field: f})
	}
	return root
}

// objects lists an object and all below it, outermost first.
func (o *object) objects() []*object {
	all := []*object{o}
	for _, m := range o.members {
		if m.object != nil {
			all = append(all, m.object.objects()...)
		}
	}
	return all
}

// wrapper reports whether the object only holds one array.
func (o *object) wrapper() bool { return len(o.members) == 1 && o.members[0].list }

// goName is the exported Go name of a name on the wire.
func goName(name string) string {
	r := []rune(name)
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}

// typeNames gives every object below root the shortest name that is its alone.
func typeNames(prefix string, root *object) map[*object]string {
	names := make(map[*object]string)
	all := root.objects()[1:]
	for _, o := range all {
		for n := 1; n <= len(o.path); n++ {
			if n < len(o.path) && shared(all, o, n) {
				continue
			}
			names[o] = prefix
			for _, s := range o.path[len(o.path)-n:] {
				names[o] += goName(s)
			}
			break
		}
	}
	return names
}

func shared(all []*object, o *object, n int) bool {
	suffix := strings.Join(o.path[len(o.path)-n:], ".")
	for _, other := range all {
		if other != o && strings.HasSuffix("."+strings.Join(other.path, "."), "."+suffix) {
			return true
		}
	}
	return false
}
