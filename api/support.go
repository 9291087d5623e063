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

// SupportRow holds for the named parameters and for all below them: AddOns
// stands for AddOns.N.Name and the rest. Action "*" is every action.
type SupportRow struct {
	Action string
	Params []string
	Kind   Support
	Note   string
}

func (r SupportRow) covers(action, param string) bool {
	if r.Action != "*" && r.Action != action {
		return false
	}
	for _, name := range r.Params {
		if param == name || strings.HasPrefix(param, name+".") {
			return true
		}
	}
	return false
}

// SupportOf says what becomes of a parameter of the action, named as in the
// catalogue.
func SupportOf(action, param string) ParamSupport {
	for _, r := range SupportRows() {
		if r.covers(action, param) {
			return ParamSupport{r.Kind, r.Note}
		}
	}
	return ParamSupport{Kind: SupportBuilt}
}
