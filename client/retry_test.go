package client

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// restarting is a service whose answers change with the time since its start.
type restarting struct {
	begun  time.Time
	answer func(since time.Duration) (*http.Response, error)
	dials  bool // a request is on its way before the answer fails
	tokens []string
}

func (s *restarting) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	s.tokens = append(s.tokens, form.Get("ClientToken"))
	if s.dials {
		httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
	}
	return s.answer(time.Since(s.begun))
}

// between answers with the failure from one time on to another.
func between(from, to time.Duration, fails func(url.Values) (*http.Response, error)) func(time.Duration) (*http.Response, error) {
	return func(since time.Duration) (*http.Response, error) {
		if since >= from && since < to {
			return fails(nil)
		}
		return fine(nil)
	}
}

func refusing(url.Values) (*http.Response, error) { return nil, syscall.ECONNREFUSED }

var askingAgain = answer(503, `{"Code":"ServiceUnavailable","Message":"not yet; try again","RequestId":"R"}`)

const later = time.Hour

func TestAServiceThatIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first  time.Duration // when the call is made whose outcome counts
		answer func(time.Duration) (*http.Response, error)
		dials  bool
		took   [2]time.Duration // from, to
		fails  bool
		told   bool // that it was back
	}{
		"is waited for, when it answered before": {first: time.Second, answer: between(time.Second, 11*time.Second, refusing),
			took: [2]time.Duration{10 * time.Second, 12 * time.Second}, told: true},
		"is waited for, when the request was sent": {answer: between(0, 10*time.Second, broken), dials: true,
			took: [2]time.Duration{10 * time.Second, 12 * time.Second}, told: true},
		"is given up, when it never was there": {answer: between(0, later, refusing), took: [2]time.Duration{0, 2 * time.Second}, fails: true},
		"is given up after RetryFor": {first: time.Second, answer: between(time.Second, later, refusing),
			took: [2]time.Duration{29 * time.Second, 31 * time.Second}, fails: true},
		"is waited for behind a proxy": {answer: between(0, 10*time.Second, proxied), took: [2]time.Duration{10 * time.Second, 12 * time.Second}, told: true},
		"is waited for, when it asks for it": {answer: between(0, 10*time.Second, askingAgain),
			took: [2]time.Duration{10 * time.Second, 12 * time.Second}, told: true},
		"is waited for as long as it says": {answer: between(0, 10*time.Second, throttled("9999")),
			took: [2]time.Duration{10 * time.Second, 20 * time.Second}, told: true},
		"is given up at once, when it says to come back after RetryFor": {answer: between(0, later, throttled("60000")), fails: true},
		"is given up after a few tries, when it fails":                  {answer: between(0, later, failing), took: [2]time.Duration{0, 2 * time.Second}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &restarting{begun: time.Now(), answer: c.answer, dials: c.dials}
				var told []error
				client, err := New(Config{Endpoint: "http://127.0.0.1:1", AccessKeyID: "id", AccessKeySecret: "secret",
					HTTPClient: &http.Client{Transport: s}, RetryFor: 30 * time.Second,
					Trying: func(err error, _ time.Duration) { told = append(told, err) }})
				if err != nil {
					t.Fatal(err)
				}
				if c.first > 0 {
					if _, err := client.Call(t.Context(), "ListClusters", nil); err != nil {
						t.Fatal(err)
					}
					time.Sleep(c.first)
				}
				s.tokens = nil
				begun := time.Now()
				_, err = client.Call(t.Context(), "CreateCluster", nil)
				if took := time.Since(begun); took < c.took[0] || took > c.took[1] || (err != nil) != c.fails {
					t.Errorf("after %s: %v", took, err)
				}
				if len(slices.Compact(s.tokens)) != 1 || s.tokens[0] == "" {
					t.Errorf("sent the tokens %q", s.tokens)
				}
				if back := len(told) > 0 && told[len(told)-1] == nil; back != c.told {
					t.Errorf("told %v", told)
				}
			})
		})
	}
}

func TestWhatNoOtherTryCanMendIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(url.Values) (*http.Response, error){
		"a certificate that is not trusted": func(url.Values) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: errors.New("unknown authority")}
		},
		"an answer that is too long": answer(200, strings.Repeat(" ", answerLimit+1)),
	} {
		t.Run(name, func(t *testing.T) {
			s := &service{answers: list(next)}
			c := s.client(t, "")
			c.config.RetryFor = time.Hour
			if _, err := c.Call(t.Context(), "ListClusters", nil); err == nil || len(s.forms) != 1 {
				t.Errorf("%d requests, %v", len(s.forms), err)
			}
		})
	}
}
