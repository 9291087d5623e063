package main

import (
	"bytes"
	"fmt"
	"go/format"

	"ehpc/api"
)

// types writes the request and response structs of every action.
func types() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(header)
	for _, a := range api.Actions() {
		writeRequest(&b, a)
		writeResponse(&b, a)
	}
	for _, kind := range []string{"Request", "Response"} {
		fmt.Fprintf(&b, "func new%s(action string) any {\nswitch action {\n", kind)
		for _, a := range api.Actions() {
			fmt.Fprintf(&b, "case %q:\nreturn new(%s%s)\n", a.Name, a.Name, kind)
		}
		b.WriteString("}\nreturn nil\n}\n\n")
	}
	return format.Source(b.Bytes())
}

func writeRequest(b *bytes.Buffer, a *api.Action) {
	root := requestTree(a)
	names := typeNames(a.Name+"Request", root)
	names[root] = a.Name + "Request"
	fmt.Fprintf(b, "// %s: %s\n", names[root], a.SummaryEn)
	for _, o := range root.objects() {
		fmt.Fprintf(b, "type %s struct {\n", names[o])
		for _, m := range o.members {
			tag, typ := m.name, ""
			if m.object != nil {
				typ = names[m.object]
			} else {
				typ = requestType(m.param)
			}
			if m.list {
				tag, typ = tag+".N", "[]"+typ
			}
			fmt.Fprintf(b, "%s %s `param:%q`\n", requestField(o, m), typ, tag)
		}
		b.WriteString("}\n\n")
	}
}

// requestField names a member; a plain value that shares its name with a list
// is the list's text form.
func requestField(o *object, m *member) string {
	if m.object == nil {
		for _, other := range o.members {
			if other != m && other.name == m.name {
				return goName(m.name) + "Text"
			}
		}
	}
	return goName(m.name)
}

func requestType(p *api.Param) string {
	typ := map[string]string{"string": "string", "json": "string", "integer": "int", "number": "float64", "boolean": "bool"}[p.Type]
	isList := len(p.Segments()) > 1 && p.Segments()[len(p.Segments())-1] == "N"
	if typ == "string" || isList || p.Mandatory() || p.Default != nil {
		return typ
	}
	return "*" + typ
}

func writeResponse(b *bytes.Buffer, a *api.Action) {
	root := responseTree(a)
	names := typeNames(a.Name, root)
	names[root] = a.Name + "Response"
	fmt.Fprintf(b, "// %s answers %s.\n", names[root], a.Name)
	for _, o := range root.objects() {
		fmt.Fprintf(b, "type %s struct {\n", names[o])
		if o == root {
			b.WriteString("RequestId string `json:\"RequestId\"`\n")
		}
		for _, m := range o.members {
			if o == root && m.name == "RequestId" {
				continue
			}
			writeResponseField(b, a, o, m, names)
		}
		b.WriteString("}\n\n")
	}
}

func writeResponseField(b *bytes.Buffer, a *api.Action, o *object, m *member, names map[*object]string) {
	var typ string
	omit := false
	if m.object != nil {
		typ = names[m.object]
		if !m.list && optionalObject(a, o, m) {
			typ, omit = "*"+typ, true
		}
	} else {
		typ = map[string]string{"string": "string", "integer": "int", "number": "float64", "boolean": "bool"}[m.field.Type]
		omit = !m.list && optionalValue(a, m)
		if m.notForAll(a) {
			typ, omit = "*"+typ, true
		}
	}
	if m.list {
		typ = "[]" + typ
	}
	tag := m.name
	if omit {
		tag += ",omitempty"
	}
	fmt.Fprintf(b, "%s %s `json:%q`\n", goName(m.name), typ, tag)
}

// optionalObject says which objects an answer may leave out. The outermost one
// and the wrappers of documented arrays are always there.
func optionalObject(a *api.Action, o *object, m *member) bool {
	for _, path := range leftOut() {
		if path == a.Name+"."+m.name {
			return true
		}
	}
	if a.InSpec && !m.object.documented {
		return true
	}
	return len(o.path) > 0 && !m.object.wrapper()
}

// optionalValue says which plain values are left out when empty: those that the
// document does not show, and those that some client cannot bear.
func optionalValue(a *api.Action, m *member) bool {
	for _, path := range leftOut() {
		if path == a.Name+"."+m.name {
			return true
		}
	}
	return a.InSpec && !m.field.Documented() && !paging(m.name)
}

// paging tells the counts that page through lists: clients need them even
// when they are zero.
func paging(name string) bool {
	return name == "PageNumber" || name == "PageSize" || name == "TotalCount"
}

// notForAll tells a plain value that some clients are not answered, although it
// is known, empty or not.
func (m *member) notForAll(a *api.Action) bool {
	return a.Name+"."+m.name == "ListJobTemplates.ReRunable" // Terraform's provider panics at a boolean
}

// leftOut lists documented members that must be absent when they are empty.
func leftOut() []string {
	return []string{
		"DescribeCluster.PostInstallScripts", // Terraform takes an empty one for a change
	}
}
