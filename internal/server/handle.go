package server

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"

	"ehpc/api"
	"ehpc/internal/action"
)

// handle carries out the action, within its time.
func (s *server) handle(x *exchange) (err error) {
	ctx, cancel := context.WithTimeout(x.http.Context(), handlerTime)
	defer cancel()
	x.answer, err = s.Handlers[x.action.Name](action.WithCall(ctx, x.call), x.request)
	return err
}

// encode writes the answer down, whole, before any of it is sent.
func (s *server) encode(x *exchange) error {
	var body bytes.Buffer
	if err := api.Encode(&body, x.format, x.action.Name, x.id, x.answer); err != nil {
		return err
	}
	x.body = body.Bytes()
	return nil
}

// panicked is the error of a step that panicked.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// catch is the one place where a panic ends: the request fails, the server goes on.
func catch(err *error) {
	if value := recover(); value != nil {
		*err = &panicked{value, debug.Stack()}
	}
}
