// Package rpc is one JSON question and answer over HTTP, with errors that keep
// their kind across the wire. It knows no subject and no transport.
package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"ehpc/internal/plain"
)

// messageLimit bounds an error's text, in bytes.
const messageLimit = 16 << 10

// Kinds names the errors that callers tell apart; all others cross as text.
type Kinds map[string]error

// failure is the body of every answer that is not a success.
type failure struct {
	Kind    string `json:"kind,omitempty"`
	Message string `json:"message"`
}

// remoteError carries a message of the other side and the kind it named.
type remoteError struct {
	message string
	kind    error
}

func (e *remoteError) Error() string { return e.message }
func (e *remoteError) Unwrap() error { return e.kind }

// Call posts in as JSON and decodes the answer into out (nil to ignore it).
// Of the other side it reads at most limit bytes.
func (k Kinds) Call(ctx context.Context, client *http.Client, url string, in, out any, limit int64) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("cannot encode the question: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("cannot ask: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot ask: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return k.failure(resp)
	}
	return decode(resp.Body, out, limit)
}

func decode(r io.Reader, out any, limit int64) error {
	answer, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return fmt.Errorf("cannot read the answer: %w", err)
	}
	if int64(len(answer)) > limit {
		return fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("cannot understand the answer: %w", err)
	}
	return nil
}

func (k Kinds) failure(resp *http.Response) error {
	var f failure
	if err := decode(resp.Body, &f, 2*messageLimit); err != nil {
		return fmt.Errorf("status %d: %w", resp.StatusCode, err)
	}
	if len(f.Message) > messageLimit {
		f.Message = f.Message[:messageLimit]
	}
	return &remoteError{message: f.Message, kind: k[f.Kind]}
}

// Handle answers questions of type In with fn. It reads at most limit bytes.
func Handle[In, Out any](k Kinds, limit int64, fn func(context.Context, In) (Out, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in In
		if r.Method != http.MethodPost {
			k.Fail(w, http.StatusMethodNotAllowed, errors.New("only POST is understood"))
			return
		}
		if err := decode(r.Body, &in, limit); err != nil {
			k.Fail(w, http.StatusBadRequest, err)
			return
		}
		out, err := fn(r.Context(), in)
		if err != nil {
			k.Fail(w, http.StatusInternalServerError, err)
			return
		}
		write(w, http.StatusOK, out)
	})
}

// Fail answers with the error and its kind.
func (k Kinds) Fail(w http.ResponseWriter, status int, err error) {
	f := failure{Message: plain.Text(err)}
	for name, kind := range k {
		if errors.Is(err, kind) {
			f.Kind = name
		}
	}
	// A long message ends with the log of what failed, and its end matters most.
	if over := len(f.Message) - messageLimit; over > 0 {
		f.Message = f.Message[over:]
	}
	write(w, status, f)
}

func write(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(text)
}
