package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// notOurs is the code of answers that do not come from the service, such as a
// proxy's.
const notOurs = "UnexpectedAnswer"

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

// errorOf reads the answer of a request that failed.
func errorOf(response *http.Response, body []byte) *Error {
	var content struct{ Code, Message, RequestId string }
	e := &Error{HTTPStatus: response.StatusCode}
	if json.Unmarshal(body, &content) == nil && content.Code != "" {
		e.Code, e.Message, e.RequestID = content.Code, content.Message, content.RequestId
	} else {
		e.Code, e.Message = notOurs, "the answer is "+response.Status+" and not the service's; is the endpoint right?"
	}
	if ms, err := strconv.ParseInt(response.Header.Get("x-acs-retry-after"), 10, 32); err == nil && ms > 0 {
		e.RetryAfter = time.Duration(ms) * time.Millisecond
	}
	return e
}
