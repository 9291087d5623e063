package server

import (
	"errors"
	"io"
	"net/http"
	"os"

	"ehpc/api"
)

const (
	bodyLimit  = 2 << 20  // bytes of a request's body
	drainLimit = 32 << 20 // bytes of a larger one that are still read, so that its sender gets to see the answer
)

// admit turns away what is not for the API and reads the body within its limit.
func (s *server) admit(x *exchange) error {
	if x.http.URL.Path != "/" {
		return api.InvalidActionNotFound.Errorf("There is nothing at this path: the API is at /.")
	}
	if x.http.Method != http.MethodGet && x.http.Method != http.MethodPost {
		x.writer.Header().Set("Allow", "GET, POST")
		return api.UnsupportedHTTPMethod.Errorf("Requests are made with GET or POST.")
	}
	body, err := io.ReadAll(io.LimitReader(x.http.Body, bodyLimit+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		x.writer.Header().Set("Connection", "close")
		return api.RequestTimeout.Errorf("The request did not arrive in time.")
	case err != nil:
		x.writer.Header().Set("Connection", "close")
		return api.InvalidParams.Errorf("The body of the request ended early: %w", err)
	case len(body) > bodyLimit:
		x.writer.Header().Set("Connection", "close")
		io.Copy(io.Discard, io.LimitReader(x.http.Body, drainLimit))
		return api.RequestTooLarge.Errorf("The body of the request is larger than %d bytes.", bodyLimit)
	}
	x.signed.Body = body
	return nil
}
