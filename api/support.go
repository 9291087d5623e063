package api

import "strings"

// Support says what becomes of a parameter of an action that is built.
type Support string

// The kinds of support. A parameter that no row names is built.
const (
	SupportBuilt    Support = "built"
	SupportPartly   Support = "built in part"           // some values are refused
	SupportRefused  Support = "refused"                 // giving it is an error
	SupportNoEffect Support = "accepted without effect" // kept where an answer shows it, and no more
)

// ParamSupport is what becomes of one parameter, and why.
type ParamSupport struct {
	Kind Support
	Note string
}

// supportRow holds for the named parameters and for all below them: AddOns
// stands for AddOns.N.Name and the rest.
type supportRow struct {
	action string
	params []string
	kind   Support
	note   string
}

func (r supportRow) covers(action, param string) bool {
	if r.action != action {
		return false
	}
	for _, name := range r.params {
		if param == name || strings.HasPrefix(param, name+".") {
			return true
		}
	}
	return false
}

// SupportOf says what becomes of a parameter of the action, named as in the
// catalogue.
func SupportOf(action, param string) ParamSupport {
	for _, r := range supportRows() {
		if r.covers(action, param) {
			return ParamSupport{r.kind, r.note}
		}
	}
	return ParamSupport{Kind: SupportBuilt}
}
