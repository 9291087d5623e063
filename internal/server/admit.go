package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"ehpc/api"
)

const (
	bodyLimit  = 2 << 20  // bytes of a request's body
	smallBody  = 64 << 10 // bytes of one that is read whoever sends it
	drainLimit = 32 << 20 // bytes of a larger one that are still read, so that its sender gets to see the answer
)

// largeBodies is how many bodies beyond smallBody are held at once, whoever sent
// them: what they say about their sender is known only afterwards. Requests
// wait so long for a place.
const (
	largeBodies = 64
	largeWait   = 2 * time.Second
)

var errCrowded = errors.New("too many large requests are under way")

// admit turns away what is not for the API and reads the body within its limit.
func (s *server) admit(x *exchange) error {
	if x.http.URL.Path != "/" {
		return api.InvalidActionNotFound.Errorf("There is nothing at this path: the API is at /.")
	}
	if x.http.Method != http.MethodGet && x.http.Method != http.MethodPost {
		x.writer.Header().Set("Allow", "GET, POST")
		return api.UnsupportedHTTPMethod.Errorf("Requests are made with GET or POST.")
	}
	body, err := s.readBody(x)
	switch {
	case errors.Is(err, errCrowded):
		x.writer.Header().Set("Connection", "close")
		return api.ServiceUnavailable.Errorf("Too many large requests are under way: try again.")
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

// readBody reads one byte over the limit at most. A large body has its place
// until the request is answered.
func (s *server) readBody(x *exchange) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(x.http.Body, smallBody))
	if err != nil || len(body) < smallBody {
		return body, err
	}
	patience := time.NewTimer(largeWait)
	defer patience.Stop()
	select {
	case s.large <- struct{}{}:
		x.large = true
	case <-patience.C:
		return nil, errCrowded
	}
	rest, err := io.ReadAll(io.LimitReader(x.http.Body, bodyLimit+1-smallBody))
	return append(body, rest...), err
}
