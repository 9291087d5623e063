package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	people "ehpc/internal/plain"
)

// Code is the name of an error and the HTTP status that it is answered with.
// Codes are comparable; the known ones are variables of this package.
type Code struct {
	Name string
	HTTP int
}

// Error is a failure as the caller of the API is told it. Message is for the
// caller; Cause is for the log alone and never shown.
type Error struct {
	Code    Code
	Message string
	Cause   error
}

// Errorf makes an error for the caller. An argument under %w becomes the cause:
// its text is kept out of the message, together with the ": " before it. Others
// are said in plain words.
func (c Code) Errorf(format string, args ...any) *Error {
	args = slices.Clone(args)
	var masks []*mask
	for i, arg := range args {
		if err, ok := arg.(error); ok {
			m := &mask{err: err, token: fmt.Sprintf("\u27e6cause %d\u27e7", i)}
			masks, args[i] = append(masks, m), m
		}
	}
	wrapped := fmt.Errorf(format, args...)
	message := wrapped.Error()
	var causes []error
	for _, m := range masks {
		if errors.Is(wrapped, m) {
			causes = append(causes, m.err)
			message = strings.ReplaceAll(message, ": "+m.token, "")
			message = strings.ReplaceAll(message, m.token, "")
		}
		message = strings.ReplaceAll(message, m.token, people.Text(m.err))
	}
	e := &Error{Code: c, Message: message}
	switch len(causes) {
	case 0:
	case 1:
		e.Cause = causes[0]
	default:
		e.Cause = errors.Join(causes...)
	}
	return e
}

// mask stands for an error while a message is written, so that it can be told
// afterwards which arguments were wrapped.
type mask struct {
	err   error
	token string
}

func (m *mask) Error() string { return m.token }

// Error returns the code, the message and the cause, for logs.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Code.Name + ": " + e.Message
	}
	return e.Code.Name + ": " + e.Message + ": " + e.Cause.Error()
}

func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is an *Error of the same code.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code
}

// Is reports whether err is, or wraps, an *Error of this code.
func (c Code) Is(err error) bool {
	var apiErr *Error
	return errors.As(err, &apiErr) && apiErr.Code == c
}

// Missing returns the code for one absent parameter: Missing<Name>, or
// MissingParameter where the name is not a plain word.
func Missing(param string) Code {
	for _, r := range param {
		if (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return MissingParameter
		}
	}
	return Code{Name: "Missing" + param, HTTP: MissingParameter.HTTP}
}
