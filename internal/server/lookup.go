package server

import (
	"ehpc/api"
)

// lookUp finds the action. Requests signed with ACS3 name it in headers alone,
// the others in parameters alone: the rest is not signed.
func (s *server) lookUp(x *exchange) error {
	name, version := x.param("Action"), x.param("Version")
	if x.acs3 {
		name, version = x.http.Header.Get("x-acs-action"), x.http.Header.Get("x-acs-version")
	}
	if name == "" {
		return api.Missing("Action").Errorf("Action is mandatory for this action.")
	}
	if version == "" {
		return api.Missing("Version").Errorf("Version is mandatory for this action.")
	}
	if want := api.Spec().Version; version != want {
		return api.InvalidVersion.Errorf("Specified parameter Version is not valid: this is version %s.", want)
	}
	action, ok := api.Lookup(name)
	if !ok {
		return api.InvalidActionNotFound.Errorf("Specified api is not found, please check your url and method.")
	}
	x.action = action
	if _, ok := s.Handlers[action.Name]; !ok {
		return api.NotImplemented.Errorf("%s is not built yet.", action.Name)
	}
	return nil
}

// param is a parameter of the query or, failing that, of the form.
func (x *exchange) param(name string) string {
	if values := x.signed.Query[name]; len(values) > 0 {
		return values[0]
	}
	return x.signed.Form.Get(name)
}
