package api

import (
	"slices"
	"strings"
	"testing"
)

func TestEverySupportRowNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, r := range supportRows() {
		a, known := Lookup(r.action)
		if !known || a.Name != r.action || !a.Built() {
			t.Errorf("%s is no action that is built", r.action)
			continue
		}
		for _, name := range r.params {
			if !slices.ContainsFunc(a.Params, func(p Param) bool { return p.Name == name || strings.HasPrefix(p.Name, name+".") }) {
				t.Errorf("%s has no parameter %s", r.action, name)
			}
			if seen[r.action+" "+name] {
				t.Errorf("%s of %s is there twice", name, r.action)
			}
			seen[r.action+" "+name] = true
		}
		if r.note == "" || len(r.params) == 0 {
			t.Errorf("a row of %s has no note or no parameters", r.action)
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
