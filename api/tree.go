package api

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"
)

// tree is an object of an answer, its members in order. A value is a tree, a
// list ([]any), a string, a bool, an int64 or a float64.
type tree []treeMember

type treeMember struct {
	name  string
	value any
}

// answer turns a pointer to a response struct into its tree.
func answer(requestID string, response any) (tree, error) {
	v := reflect.ValueOf(response)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("cannot encode a %T: an answer is a pointer to a response struct", response)
	}
	body, err := objectTree(v.Elem())
	if err != nil {
		return nil, fmt.Errorf("cannot encode a %T: %w", response, err)
	}
	out := tree{{"RequestId", requestID}}
	for _, m := range body {
		if m.name != "RequestId" {
			out = append(out, m)
		}
	}
	return out, nil
}

func objectTree(v reflect.Value) (tree, error) {
	var out tree
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if option == "omitempty" && v.Field(i).IsZero() {
			continue
		}
		value, err := treeValue(v.Field(i))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if value != nil {
			out = append(out, treeMember{name, value})
		}
	}
	return out, nil
}

// treeValue converts one value; nil stands for one that is not known.
func treeValue(v reflect.Value) (any, error) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return treeValue(v.Elem())
	case reflect.Struct:
		return objectTree(v)
	case reflect.Slice:
		list := make([]any, 0, v.Len())
		for i := range v.Len() {
			value, err := treeValue(v.Index(i))
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case reflect.String:
		return v.String(), nil
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int:
		return v.Int(), nil
	case reflect.Float64:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return nil, fmt.Errorf("%v is not a number that can be sent", v.Float())
		}
		return v.Float(), nil
	}
	return nil, fmt.Errorf("values of type %s cannot be sent", v.Type())
}

func (t tree) write(w io.Writer, format Format, root string) error {
	var b bytes.Buffer
	if format == XML {
		b.WriteString(xml.Header)
		writeXML(&b, root, t)
	} else {
		writeJSON(&b, t)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func writeJSON(b *bytes.Buffer, value any) {
	switch v := value.(type) {
	case tree:
		b.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSONText(b, m.name)
			b.WriteByte(':')
			writeJSON(b, m.value)
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, item)
		}
		b.WriteByte(']')
	case string:
		writeJSONText(b, v)
	default:
		b.WriteString(scalar(v))
	}
}

func writeJSONText(b *bytes.Buffer, s string) {
	if plainJSON(s) {
		b.WriteByte('"')
		b.WriteString(s)
		b.WriteByte('"')
		return
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string into memory: cannot fail
	b.Truncate(b.Len() - 1)
}

// plainJSON tells whether a text stands in JSON as it is, as most do.
func plainJSON(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// writeXML writes a list as one element per item, all of the list's name.
func writeXML(b *bytes.Buffer, name string, value any) {
	if list, ok := value.([]any); ok {
		for _, item := range list {
			writeXML(b, name, item)
		}
		return
	}
	b.WriteString("<" + name + ">")
	switch v := value.(type) {
	case tree:
		for _, m := range v {
			writeXML(b, m.name, m.value)
		}
	case string:
		_ = xml.EscapeText(b, []byte(strings.Map(xmlRune, v)))
	default:
		b.WriteString(scalar(v))
	}
	b.WriteString("</" + name + ">")
}

// xmlRune replaces what XML cannot carry at all.
func xmlRune(r rune) rune {
	if r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r > 0xffff {
		return r
	}
	return utf8.RuneError
}

func scalar(value any) string {
	if n, ok := value.(float64); ok {
		return plain(n)
	}
	return fmt.Sprint(value)
}
