package server

import (
	"encoding/json"
	"errors"
	"net/http"

	"ehpc/api"
)

// errAnswered ends a request that has its answer before its last step.
var errAnswered = errors.New("answered")

// errReading is why a service that has just started is not ready.
var errReading = errors.New("the store is still read")

// ready answers a request without parameters, as those send who watch a service:
// whether every listing is at once what it will be.
func (s *server) ready(x *exchange) error {
	if x.http.Method != http.MethodGet || x.http.URL.RawQuery != "" || len(x.signed.Body) > 0 || x.http.Header.Get("Authorization") != "" {
		return nil
	}
	if s.Reading != nil {
		if n := s.Reading(); n > 0 {
			return api.ServiceUnavailable.Errorf("The service serves, and still reads the jobs and nodes of %d clusters from its store, which cannot be listed yet; try again: %w", n, errReading)
		}
	}
	body, err := json.Marshal(struct{ RequestId, Status string }{x.id, "ready"})
	if err != nil {
		return err
	}
	x.format, x.body = api.JSON, body
	return errAnswered
}
