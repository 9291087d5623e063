package action

import (
	"fmt"
	"strings"

	"ehpc/api"
)

// refusals are the objects that a call names and that what it asks for cannot be
// done to. One of them is enough: then the call does nothing to any.
type refusals struct {
	attempt string // "stop jobs"
	list    []refusedObject
}

type refusedObject struct {
	code api.Code
	why  string
}

func (r *refusals) add(code api.Code, format string, args ...any) {
	r.list = append(r.list, refusedObject{code, fmt.Sprintf(format, args...)})
}

// maxRefusalsTold bounds the message for a call of which most is refused.
const maxRefusalsTold = 20

// err is the error for a call that names so many objects, nil if none is refused.
// Clients know what the code of a refusal means: it stays where the whole call is
// refused for it, and PartFailure is what only some of the objects stand against.
func (r *refusals) err(named int) error {
	if len(r.list) == 0 {
		return nil
	}
	code, whys := r.list[0].code, make([]string, 0, maxRefusalsTold+1)
	for i, one := range r.list {
		if one.code != code {
			code = api.PartFailure
		}
		if i < maxRefusalsTold {
			whys = append(whys, one.why)
		}
	}
	if more := len(r.list) - maxRefusalsTold; more > 0 {
		whys = append(whys, fmt.Sprintf("and %d more", more))
	}
	text := strings.Join(whys, "; ")
	if len(r.list) < named {
		code = api.PartFailure
	}
	if named == 1 {
		return code.Errorf("cannot %s: %s", r.attempt, text)
	}
	return code.Errorf("cannot %s: nothing was done, because %d of %d are refused: %s", r.attempt, len(r.list), named, text)
}
