package api

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestTheCatalogueIsSound(t *testing.T) {
	t.Parallel()
	c := Spec()
	theirs := slices.DeleteFunc(slices.Clone(c.Actions), (*Action).Own)
	if len(theirs) != 152 {
		t.Errorf("the API has %d actions, want 152", len(theirs))
	}
	for _, a := range c.Actions {
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			checkAction(t, c, a)
			for i := range a.Params {
				checkParam(t, a, &a.Params[i])
			}
		})
	}
}

func checkAction(t *testing.T, c *Catalog, a *Action) {
	if !slices.ContainsFunc(c.Groups, func(g Group) bool { return g.ID == a.Group }) {
		t.Errorf("the group %q does not exist", a.Group)
	}
	if _, known := Lookup(a.Poll); a.Poll != "" && !known {
		t.Errorf("poll names the unknown action %s", a.Poll)
	}
	if a.ReadOnly && a.Async {
		t.Error("an action that only reads has nothing to do later")
	}
	for _, name := range a.Errors {
		if !slices.ContainsFunc(c.Errors, func(e ErrorEntry) bool { return e.Code == name }) {
			t.Errorf("the error %s is not in the common table", name)
		}
	}
	if a.SummaryEn == "" || !a.fieldEmitted("RequestId") {
		t.Error("the summary or the answer's RequestId is missing")
	}
	seen := make(map[string]bool)
	for i := range a.Params {
		for _, name := range append([]string{a.Params[i].Name}, a.Params[i].Aliases...) {
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
	}
	paths := make(map[string]bool)
	for _, f := range a.Response {
		if paths[f.Path] {
			t.Errorf("%s is there twice", f.Path)
		}
		paths[f.Path] = true
		if !slices.Contains([]string{"string", "integer", "number", "boolean"}, f.Type) {
			t.Errorf("%s has the unknown type %s", f.Path, f.Type)
		}
	}
}

func (a *Action) fieldEmitted(path string) bool {
	return slices.ContainsFunc(a.Response, func(f Field) bool { return f.Path == path && f.Emitted() })
}

func checkParam(t *testing.T, a *Action, p *Param) {
	if !slices.Contains([]string{"string", "integer", "number", "boolean", "json"}, p.Type) {
		t.Errorf("%s has the unknown type %s", p.Name, p.Type)
	}
	if p.Repeat != strings.Contains(p.Name+".", ".N.") {
		t.Errorf("%s: repeat does not fit the name", p.Name)
	}
	if p.RequiredIf != nil && a.Param(p.RequiredIf.Param) == nil {
		t.Errorf("%s depends on %s, which does not exist", p.Name, p.RequiredIf.Param)
	}
	if p.Min != nil && p.Max != nil && *p.Min > *p.Max || p.MinLength != nil && p.MaxLength != nil && *p.MinLength > *p.MaxLength {
		t.Errorf("%s: no value fits its limits", p.Name)
	}
	if p.Rule != "" && p.Rule != "password" {
		t.Errorf("%s has the unknown rule %s", p.Name, p.Rule)
	}
	if !slices.Contains([]string{"", "decimal", "csv", "unix"}, p.Format) {
		t.Errorf("%s has the unknown format %s", p.Name, p.Format)
	}
	if strings.Contains(strings.ToLower(p.Name), "passw") && !p.Secret {
		t.Errorf("%s holds a password and is not marked secret", p.Name)
	}
	if p.Default != nil && p.Relaxed == "" {
		if problem := p.problem(defaultText(p.Default)); problem != "" {
			t.Errorf("the default of %s %s", p.Name, problem)
		}
	}
}

func TestActionsAreFoundUnderTheirOtherSpellings(t *testing.T) {
	t.Parallel()
	for alias, name := range map[string]string{"ListQueue": "ListQueues", "ListClusterMeta": "ListClustersMeta"} {
		if a, ok := Lookup(alias); !ok || a.Name != name {
			t.Errorf("%s is not found as %s", alias, name)
		}
	}
	if _, ok := Lookup("createcluster"); ok {
		t.Error("names are not compared exactly")
	}
}

func TestEveryActionHasItsTypes(t *testing.T) {
	t.Parallel()
	for _, a := range Actions() {
		if a.NewRequest() == nil || a.NewResponse() == nil {
			t.Errorf("%s has no types", a.Name)
		}
	}
}

// A relaxation that changes nothing is stale: the catalogue asks for no more
// than it allows.
func TestEveryRelaxationStillRelaxesSomething(t *testing.T) {
	t.Parallel()
	documented := rawParams(t)
	seen := make(map[string]bool)
	for _, r := range relaxations() {
		kind := "given"
		if r.min != nil {
			kind = "min"
		}
		row := r.action + "." + r.param + " " + kind
		if seen[row] || r.reason == "" {
			t.Errorf("%s is there twice or has no reason", row)
		}
		seen[row] = true
		works := false
		for name, p := range documented {
			action, param, _ := strings.Cut(name, " ")
			if (r.action == "*" || r.action == action) && r.param == param {
				works = works || p.Required && r.min == nil || r.min != nil && *p.Min > *r.min
			}
		}
		if !works {
			t.Errorf("%s relaxes nothing", row)
		}
	}
}

// Parameters that no SDK sends must not be insisted on.
func TestNothingIsMandatoryThatNoSDKSends(t *testing.T) {
	t.Parallel()
	for _, a := range Actions() {
		for i := range a.Params {
			if p := &a.Params[i]; p.Mandatory() && p.InSDK != nil && !*p.InSDK {
				t.Errorf("%s of %s is mandatory", p.Name, a.Name)
			}
		}
	}
}

// rawParams reads the catalogue without relaxations, keyed "Action Param".
func rawParams(t *testing.T) map[string]Param {
	t.Helper()
	out := make(map[string]Param)
	for _, g := range Spec().Groups {
		text, err := catalogFiles.ReadFile("catalog/" + g.ID + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Actions []Action }
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		for _, a := range file.Actions {
			if a.Group != g.ID {
				t.Errorf("%s of group %s stands in %s.json", a.Name, a.Group, g.ID)
			}
			for _, p := range a.Params {
				out[a.Name+" "+p.Name] = p
			}
		}
	}
	return out
}

func TestCodesAreUnique(t *testing.T) {
	t.Parallel()
	seen := make(map[string]Code)
	for _, c := range Codes() {
		if was, twice := seen[c.Name]; twice {
			t.Errorf("%v and %v", was, c)
		}
		seen[c.Name] = c
		if c.HTTP < 400 || c.HTTP > 599 {
			t.Errorf("%v is no failure", c)
		}
	}
}

// The list of what is not built may only shrink: nothing enters it that is not
// in the baseline, and the baseline is never added to.
func TestTheListOfUnbuiltActionsOnlyShrinks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/notbuilt_baseline.txt")
	if err != nil {
		t.Fatal(err)
	}
	baseline := strings.Fields(string(text))
	if len(baseline) > 123 {
		t.Errorf("the baseline has grown to %d actions", len(baseline))
	}
	if !slices.IsSorted(NotBuilt()) || len(slices.Compact(NotBuilt())) != len(NotBuilt()) {
		t.Error("the list is not sorted, or names an action twice")
	}
	for _, name := range NotBuilt() {
		if !slices.Contains(baseline, name) {
			t.Errorf("%s was built once", name)
		}
		if _, known := Lookup(name); !known {
			t.Errorf("%s is no action", name)
		}
	}
}
