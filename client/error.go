package client

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// NotOurs is the code of answers that do not come from the service, such as a
// proxy's.
const NotOurs = "UnexpectedAnswer"

// Error is a request that the service refused or failed.
type Error struct {
	Code       string // as in the catalogue
	Message    string
	RequestID  string // finds the request in the service's log
	HTTPStatus int
	RetryAfter time.Duration // when the service said so
}

func (e *Error) Error() string {
	if e.RequestID == "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s (request %s)", e.Code, e.Message, e.RequestID)
}

// Unreachable is a call that the service did not answer.
type Unreachable struct {
	Endpoint string
	Err      error
}

func (e *Unreachable) Error() string {
	return fmt.Sprintf("the service at %s does not answer: %v", e.Endpoint, e.Err)
}

func (e *Unreachable) Unwrap() error { return e.Err }

// unanswered is the error of a request without a whole answer. What another try
// cannot mend is no Unreachable.
func (c *Client) unanswered(err error) error {
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return fmt.Errorf("cannot reach the service: %w", err)
	}
	var sending *url.Error
	if errors.As(err, &sending) {
		err = sending.Err // the endpoint is named already
	}
	return &Unreachable{Endpoint: c.Endpoint(), Err: err}
}

func isUnreachable(err error) bool {
	var e *Unreachable
	return errors.As(err, &e)
}

// errorOf reads the answer of a request that failed.
func errorOf(response *http.Response, body []byte) *Error {
	var content struct{ Code, Message, RequestId string }
	e := &Error{HTTPStatus: response.StatusCode}
	if json.Unmarshal(body, &content) == nil && content.Code != "" {
		e.Code, e.Message, e.RequestID = content.Code, content.Message, content.RequestId
	} else {
		e.Code, e.Message = NotOurs, "the answer is "+response.Status+" and not the service's; is the endpoint right?"
	}
	if ms, err := strconv.ParseInt(response.Header.Get("x-acs-retry-after"), 10, 32); err == nil && ms > 0 {
		e.RetryAfter = time.Duration(ms) * time.Millisecond
	}
	return e
}
