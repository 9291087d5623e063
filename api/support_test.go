package api

import (
	"slices"
	"strings"
	"testing"
)

func TestEverySupportRowNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, r := range SupportRows() {
		if r.Action == "*" {
			continue
		}
		a, known := Lookup(r.Action)
		if !known || a.Name != r.Action || !a.Built() {
			t.Errorf("%s is no action that is built", r.Action)
			continue
		}
		for _, name := range r.Params {
			if !slices.ContainsFunc(a.Params, func(p Param) bool { return p.Name == name || strings.HasPrefix(p.Name, name+".") }) {
				t.Errorf("%s has no parameter %s", r.Action, name)
			}
			if seen[r.Action+" "+name] {
				t.Errorf("%s of %s is there twice", name, r.Action)
			}
			seen[r.Action+" "+name] = true
		}
		if r.Note == "" || len(r.Params) == 0 {
			t.Errorf("a row of %s has no note or no parameters", r.Action)
		}
	}
}

func TestSupportCoversWhatIsBelowAName(t *testing.T) {
	t.Parallel()
	for param, want := range map[string]Support{
		"AddOns.N.Name": SupportRefused,
		"Name":          SupportBuilt,
		"VolumeId":      SupportNoEffect,
		"HaEnable":      SupportPartly,
	} {
		if got := SupportOf("CreateCluster", param); got.Kind != want {
			t.Errorf("%s is %s, want %s", param, got.Kind, want)
		}
	}
}
