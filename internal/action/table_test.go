package action

import (
	"slices"
	"testing"

	"ehpc/api"
)

// TestEveryActionIsBuiltOrListed holds the table against the catalogue in both
// directions.
func TestEveryActionIsBuiltOrListed(t *testing.T) {
	t.Parallel()
	table, notBuilt := (&Service{}).Table(), api.NotBuilt()
	for _, a := range api.Actions() {
		_, built := table[a.Name]
		if listed := slices.Contains(notBuilt, a.Name); built == listed {
			t.Errorf("%s: in the table %v, listed as not built %v", a.Name, built, listed)
		}
	}
	for name := range table {
		if _, known := api.Lookup(name); !known {
			t.Errorf("%s is in the table and not in the catalogue", name)
		}
	}
}
