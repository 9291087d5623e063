package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"regexp"
)

// Action is one operation of the API.
type Action struct {
	Name      string          `json:"name"`
	Aliases   []string        `json:"aliases,omitempty"`
	Group     string          `json:"group"`
	InSpec    bool            `json:"in_spec"` // false: known from the SDKs alone, or our own
	ReadOnly  bool            `json:"readonly"`
	Async     bool            `json:"async"`          // the answer comes before the work is done
	Poll      string          `json:"poll,omitempty"` // the action that shows the result
	SummaryEn string          `json:"summary_en"`
	SummaryZh string          `json:"summary_zh"`
	Params    []Param         `json:"params"`
	Response  []Field         `json:"response"`
	Example   json.RawMessage `json:"example_json"`           // null for most SDK-only actions
	Emit      json.RawMessage `json:"example_emit,omitempty"` // the example as a server should send it
	Synthetic bool            `json:"example_synthetic,omitempty"`
	Errors    []string        `json:"errors"`
	Notes     []string        `json:"notes"`
	SDK       json.RawMessage `json:"sdk"`

	paths func() *pathNode
}

// Param is one parameter of an action. ".N." in a name marks a list index.
type Param struct {
	Name           string      `json:"name"`
	Type           string      `json:"type"` // string, integer, number, boolean or json
	Required       bool        `json:"required"`
	Repeat         bool        `json:"repeat,omitempty"`
	MaxN           int         `json:"max_n,omitempty"`
	Default        any         `json:"default,omitempty"`
	Enum           Words       `json:"enum,omitempty"`
	EnumOpen       bool        `json:"enum_open,omitempty"`
	EnumIgnoreCase bool        `json:"enum_ignore_case,omitempty"`
	Min            *float64    `json:"min,omitempty"`
	Max            *float64    `json:"max,omitempty"`
	ClampMin       bool        `json:"clamp_min,omitempty"`
	MinLength      *int        `json:"min_length,omitempty"` // in characters
	MaxLength      *int        `json:"max_length,omitempty"` // in characters
	Pattern        string      `json:"pattern,omitempty"`
	Format         string      `json:"format,omitempty"`
	Rule           string      `json:"rule,omitempty"`
	OneOfGroup     string      `json:"one_of_group,omitempty"`
	AllOfGroup     string      `json:"all_of_group,omitempty"`
	RequiredIf     *RequiredIf `json:"required_if,omitempty"`
	Members        []string    `json:"members,omitempty"`
	Secret         bool        `json:"secret,omitempty"` // keep out of logs
	Deprecated     bool        `json:"deprecated,omitempty"`
	AcceptYesNo    bool        `json:"accept_yes_no,omitempty"`
	Aliases        []string    `json:"aliases,omitempty"`
	InSpec         *bool       `json:"in_spec,omitempty"`
	InSDK          *bool       `json:"in_sdk,omitempty"`
	DescEn         string      `json:"desc_en"`

	Relaxed string `json:"-"` // why Required is not insisted on; "" when it is

	segments []string // of the name
	re       *regexp.Regexp
}

// Words are the words a value is one of, as they are written on the wire.
type Words []string

// UnmarshalJSON reads words and whole numbers.
func (v *Words) UnmarshalJSON(text []byte) error {
	var raw []any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&raw); err != nil {
		return err
	}
	for _, value := range raw {
		*v = append(*v, fmt.Sprint(value))
	}
	return nil
}

// RequiredIf makes a parameter mandatory when another has one of some values.
type RequiredIf struct {
	Param string   `json:"param"`
	In    []string `json:"in"`
}

// Field is one value of an answer. "[]" in the path marks an array.
type Field struct {
	Path     string `json:"path"`
	Type     string `json:"type"`
	Enum     Words  `json:"enum,omitempty"`
	DescEn   string `json:"desc_en,omitempty"`
	InSpec   *bool  `json:"in_spec,omitempty"`
	InSDK    *bool  `json:"in_sdk,omitempty"`
	EmitFlag *bool  `json:"emit,omitempty"`
}

// Mandatory reports whether a request without the parameter is refused.
func (p *Param) Mandatory() bool { return p.Required && p.Relaxed == "" }

// Documented reports whether the API document has the parameter.
func (p *Param) Documented() bool { return p.InSpec == nil || *p.InSpec }

// Emitted reports whether an answer may hold the field.
func (f *Field) Emitted() bool { return f.EmitFlag == nil || *f.EmitFlag }

// Documented reports whether the API document has the field.
func (f *Field) Documented() bool { return f.InSpec == nil || *f.InSpec }

func (a *Action) names() iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(a.Name) {
			return
		}
		for _, alias := range a.Aliases {
			if !yield(alias) {
				return
			}
		}
	}
}

// Param returns the action's parameter of that name, or nil.
func (a *Action) Param(name string) *Param {
	for i := range a.Params {
		if a.Params[i].Name == name {
			return &a.Params[i]
		}
	}
	return nil
}

// Segments are the parts of the parameter's name between its dots. They are
// shared: callers must not change them.
func (p *Param) Segments() []string { return p.segments }
