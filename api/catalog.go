package api

import (
	"embed"
	"encoding/json"
	"fmt"
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

// Own tells whether the action is this service's alone: the API has no word for
// what it does.
func (a *Action) Own() bool { return a.Group == "own" }

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
