package plain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func TestText(t *testing.T) {
	t.Parallel()
	var number struct{ N int }
	_, notANumber := strconv.Atoi("x")
	post := func(err error) error { return &url.Error{Op: "Post", URL: "http://node/node/apply", Err: err} }
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: &os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"none":                      {nil, ""},
		"one of our own":            {errors.New("no room"), "no room"},
		"a call that took too long": {fmt.Errorf("cannot ask: %w", post(context.DeadlineExceeded)), "cannot ask: it took too long"},
		"a call that was given up":  {fmt.Errorf("cannot ask: %w", post(context.Canceled)), "cannot ask: it was interrupted"},
		"a connection that ended":   {post(io.EOF), "the connection broke off"},
		"nobody there":              {fmt.Errorf("cannot fetch: %w", post(refused)), "cannot fetch: connection refused"},
		"an answer of another form": {fmt.Errorf("cannot understand the answer: %w", json.Unmarshal([]byte(`{"N":"x"}`), &number)), "cannot understand the answer: it is not in the form that was expected"},
		"no number":                 {fmt.Errorf("Count: %w", notANumber), `Count: "x" is no number that is possible here`},
		"several at once":           {errors.Join(errors.New("a"), fmt.Errorf("b: %w", context.Canceled)), "a\nb: it was interrupted"},
		"two that are wrapped":      {fmt.Errorf("%w: %w", errors.New("absent"), io.EOF), "absent: the connection broke off"},
		"a file":                    {fmt.Errorf("cannot read: %w", &os.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT}), "cannot read: open /x: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Text(c.err); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	t.Run("a client's own limit", func(t *testing.T) {
		t.Parallel()
		wait := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-wait }))
		t.Cleanup(server.Close)
		t.Cleanup(func() { close(wait) })
		_, err := (&http.Client{Timeout: time.Millisecond}).Get(server.URL)
		if got := Text(err); got != "it took too long" {
			t.Errorf("%q of %v", got, err)
		}
	})
}
