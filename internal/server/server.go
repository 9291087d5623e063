// Package server is the HTTP side of the API: one ordered list of steps from a
// request on "/" to its answer. It decides who calls and what is asked; what an
// action does, it leaves to package action.
package server

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"ehpc/api"
	"ehpc/internal/action"
	"ehpc/internal/auth"
)

// handlerTime bounds what an action may take. Actions answer at once, so it is
// there for the ones that ask a node.
const handlerTime = 30 * time.Second

// Options are what a server needs. All but Region and Reading are required.
type Options struct {
	Handlers map[string]action.Handler // by the catalogue's names; the others are not built
	Keys     auth.KeySource
	Region   string // stands in for RegionId where a request has none
	Log      *slog.Logger
	Reading  func() int // of how many clusters the listings are not there yet
}

type server struct {
	Options
	verifier *auth.Verifier
	steps    []step
	large    chan struct{} // the places of large bodies
}

// step is one stage of a request's way; its error ends it.
type step func(*exchange) error

// New returns the handler of the API. Requests signed before this moment are
// refused, since their nonces may have been used with an earlier process.
func New(options Options) http.Handler {
	s := &server{Options: options, verifier: auth.NewVerifier(options.Keys, time.Now()), large: make(chan struct{}, largeBodies)}
	s.steps = []step{
		s.admit,
		s.ready,
		s.parse,
		s.authenticate,
		s.lookUp,
		s.bind,
		s.handle,
		s.encode,
	}
	return s
}

// exchange is one request on its way and what is known of it so far.
type exchange struct {
	http   *http.Request
	writer http.ResponseWriter
	id     string
	format api.Format

	large   bool // holds a place of server.large
	signed  auth.Request
	acs3    bool
	key     auth.Key
	action  *api.Action
	request any
	call    action.Call
	answer  any
	body    []byte
}

// ServeHTTP answers every request with a body of the API's, failures included.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	x := &exchange{http: r, writer: w, id: strings.ToUpper(uuid.NewString()), format: formatIn(r.URL.RawQuery)}
	defer func() {
		if x.large {
			<-s.large
		}
	}()
	status := http.StatusOK
	err := s.run(x)
	if err != nil {
		status, x.body = failure(x, err)
	}
	x.write(status)
	s.record(x, status, err, time.Since(begun))
}

func (s *server) run(x *exchange) (err error) {
	defer catch(&err)
	for _, step := range s.steps {
		err := step(x)
		if errors.Is(err, errAnswered) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
