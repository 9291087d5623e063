// Package plain says errors to people: without addresses of our own, names of
// types and the words that Go has for what happens on the way. It decides nothing.
package plain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Text is an error's text for people. The words of what it wraps are put in plain
// ones; its own are kept.
func Text(err error) string {
	if err == nil {
		return ""
	}
	if words, known := words(err); known {
		return words
	}
	text := err.Error()
	for _, inner := range wrapped(err) {
		if inner == nil {
			continue
		}
		if own, said := inner.Error(), Text(inner); own != "" && own != said {
			text = strings.Replace(text, own, said, 1)
		}
	}
	return text
}

func wrapped(err error) []error {
	switch err := any(err).(type) {
	case interface{ Unwrap() error }:
		return []error{err.Unwrap()}
	case interface{ Unwrap() []error }:
		return err.Unwrap()
	}
	return nil
}

// words are those for an error whose own are not for people; what it wraps is looked
// at by itself.
func words(err error) (string, bool) {
	if wrapped(err) == nil {
		switch {
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
			return "it took too long", true
		case errors.Is(err, context.Canceled):
			return "it was interrupted", true
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
			return "the connection broke off", true
		}
	}
	switch err := any(err).(type) {
	case *url.Error:
		return Text(err.Err), true
	case *net.OpError:
		return Text(err.Err), true
	case *os.SyscallError:
		return Text(err.Err), true
	case *net.DNSError:
		return fmt.Sprintf("the name %s cannot be resolved", err.Name), true
	case *json.SyntaxError, *json.UnmarshalTypeError, *json.InvalidUnmarshalError, *json.UnsupportedTypeError, *json.MarshalerError:
		return "it is not in the form that was expected", true
	case *strconv.NumError:
		return fmt.Sprintf("%q is no number that is possible here", err.Num), true
	case interface{ Timeout() bool }:
		var call net.Error
		if err.Timeout() && errors.As(err.(error), &call) {
			return "it took too long", true
		}
	}
	return "", false
}
