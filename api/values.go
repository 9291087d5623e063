package api

import (
	"net/url"
	"reflect"
	"strconv"
)

// Values writes a typed request (*XxxRequest) as the parameters that Bind reads
// it from. What Bind would fill in by itself is left out: empty text, nil
// pointers, numbers and booleans that equal their default, and a zero that the
// catalogue does not allow.
func Values(a *Action, request any) url.Values {
	out := make(url.Values)
	root := reflect.ValueOf(request).Elem()
	for i := range a.Params {
		p := &a.Params[i]
		p.visit(root, p.Segments(), nil, func(field reflect.Value, indexes []int) {
			if text, ok := p.text(field); ok {
				out.Set(numbered(p.Name, indexes), text)
			}
		})
	}
	return out
}

// visit calls f for the parameter's field in every list entry that is there.
func (p *Param) visit(at reflect.Value, segments []string, indexes []int, f func(reflect.Value, []int)) {
	if len(segments) == 0 {
		f(at, indexes)
		return
	}
	list := len(segments) > 1 && segments[1] == "N"
	if !list {
		p.visit(fieldByTag(at, segments[0]), segments[1:], indexes, f)
		return
	}
	entries := fieldByTag(at, segments[0]+".N")
	for n := range entries.Len() {
		p.visit(entries.Index(n), segments[2:], append(indexes[:len(indexes):len(indexes)], n+1), f)
	}
}

// text is a field's value on the wire; false when it need not be sent.
func (p *Param) text(field reflect.Value) (string, bool) {
	given := p.Mandatory()
	if field.Kind() == reflect.Pointer {
		if field.IsNil() {
			return "", false
		}
		field, given = field.Elem(), true
	}
	text := ""
	switch field.Kind() {
	case reflect.String:
		return field.String(), field.String() != ""
	case reflect.Bool:
		text = strconv.FormatBool(field.Bool())
	case reflect.Int:
		text = strconv.FormatInt(field.Int(), 10)
	default:
		text = plain(field.Float())
	}
	unset := field.IsZero() && (p.Default == nil || p.Min != nil && *p.Min > 0)
	return text, given || !unset && (p.Default == nil || text != defaultText(p.Default))
}
