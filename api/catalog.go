package api

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"sync"
)

//go:embed catalog/*.json
var catalogFiles embed.FS

// Catalog is the whole API as data.
type Catalog struct {
	Version      string          `json:"version"`
	Product      string          `json:"product"`
	Style        string          `json:"style"`
	Endpoint     string          `json:"endpoint"`
	Groups       []Group         `json:"groups"`
	Rules        Rules           `json:"rules"`
	CommonParams []Param         `json:"common_params"`
	HeaderParams []HeaderParam   `json:"header_params"`
	Conventions  []string        `json:"conventions"`
	ErrorBody    ErrorBodyFields `json:"error_response"`
	Errors       []ErrorEntry    `json:"errors"`
	Actions      []*Action       `json:"-"` // by group, in the document's order within one

	byName map[string]*Action
}

// Group is a section of the reference; ID names its file in the catalogue.
type Group struct {
	ID string `json:"id"`
	En string `json:"en"`
	Zh string `json:"zh"`
}

// Rules are the checks that do not fit a pattern.
type Rules struct {
	Password PasswordRule `json:"password"`
}

// PasswordRule bounds a password and demands characters of several classes.
type PasswordRule struct {
	MinLength  int               `json:"min_length"`
	MaxLength  int               `json:"max_length"`
	MinClasses int               `json:"min_classes"`
	Classes    map[string]string `json:"classes"`
	DescEn     string            `json:"desc_en"`
}

// HeaderParam is a header that stands for a common parameter.
type HeaderParam struct {
	Name      string `json:"name"`
	StandsFor string `json:"stands_for,omitempty"`
	DescEn    string `json:"desc_en,omitempty"`
}

// ErrorBodyFields describes the body of an error answer.
type ErrorBodyFields struct {
	Fields  []string `json:"fields"`
	XMLRoot string   `json:"xml_root"`
	InSpec  *bool    `json:"in_spec,omitempty"`
}

// ErrorEntry is an error code of the document or, with in_spec false, of the
// gateway in front of it.
type ErrorEntry struct {
	Code       string `json:"code"`
	HTTP       int    `json:"http"`
	HTTPHybrid int    `json:"http_hybrid,omitempty"`
	Zh         string `json:"zh,omitempty"`
	En         string `json:"en"`
	AliasOf    string `json:"alias_of,omitempty"`
	Note       string `json:"note,omitempty"`
	InSpec     *bool  `json:"in_spec,omitempty"`
}

// Action is one operation of the API.
type Action struct {
	Name      string          `json:"name"`
	Aliases   []string        `json:"aliases,omitempty"`
	Group     string          `json:"group"`
	InSpec    bool            `json:"in_spec"` // false: known from the SDKs alone
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

var loaded = sync.OnceValue(func() *Catalog {
	c, err := load()
	if err != nil {
		panic("api: the embedded catalogue is broken: " + err.Error())
	}
	return c
})

// Spec returns the catalogue. It is shared: callers must not change it.
func Spec() *Catalog { return loaded() }

// Actions returns every action of the API, by group in display order.
func Actions() []*Action { return loaded().Actions }

// Lookup finds an action by its name or by one of its other spellings.
func Lookup(name string) (*Action, bool) {
	a, ok := loaded().byName[name]
	return a, ok
}

// NewRequest returns a pointer to an empty request of the action's type.
func (a *Action) NewRequest() any { return newRequest(a.Name) }

// NewResponse returns a pointer to an empty response of the action's type.
func (a *Action) NewResponse() any { return newResponse(a.Name) }

func load() (*Catalog, error) {
	c := &Catalog{byName: make(map[string]*Action)}
	if err := decodeFile("common", c); err != nil {
		return nil, err
	}
	for _, g := range c.Groups {
		var file struct {
			Group   string    `json:"group"`
			Actions []*Action `json:"actions"`
		}
		if err := decodeFile(g.ID, &file); err != nil {
			return nil, err
		}
		c.Actions = append(c.Actions, file.Actions...)
	}
	for _, a := range c.Actions {
		if err := c.prepare(a); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func decodeFile(name string, into any) error {
	f, err := catalogFiles.Open("catalog/" + name + ".json")
	if err != nil {
		return err
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("cannot read catalog/%s.json: %w", name, err)
	}
	return nil
}

// prepare makes an action ready for use: names indexed, patterns compiled,
// relaxations applied.
func (c *Catalog) prepare(a *Action) error {
	for name := range a.names() {
		if _, taken := c.byName[name]; taken {
			return fmt.Errorf("two actions are called %s", name)
		}
		c.byName[name] = a
	}
	for i := range a.Params {
		p := &a.Params[i]
		relax(a, p)
		p.segments = strings.Split(p.Name, ".")
		if p.Pattern == "" {
			continue
		}
		re, err := regexp.Compile(p.Pattern)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", a.Name, p.Name, err)
		}
		p.re = re
	}
	a.paths = sync.OnceValue(func() *pathNode { return newPaths(a) })
	return nil
}

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
