package main

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ehpc/internal/server"
)

// onePipe is a listener to which one client comes.
type onePipe struct {
	conns chan net.Conn
	over  chan struct{}
}

func (l onePipe) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func (l onePipe) Close() error {
	close(l.over)
	return nil
}

func (onePipe) Addr() net.Addr { return &net.TCPAddr{} }

// endsWith ends a service one second after a request began that takes so long,
// and returns what its caller gets.
func endsWith(t *testing.T, takes time.Duration) (answer, log string, ended error) {
	t.Helper()
	var text bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&text, nil))
	srv := server.HTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(takes):
			io.WriteString(w, "accepted")
		case <-r.Context().Done():
		}
	}), logger)
	near, far := net.Pipe()
	l := onePipe{make(chan net.Conn, 1), make(chan struct{})}
	l.conns <- far
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	got := make(chan string, 1)
	go func() {
		io.WriteString(near, "GET / HTTP/1.1\r\nHost: here\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(near), nil)
		if err != nil {
			got <- err.Error()
			return
		}
		body, _ := io.ReadAll(resp.Body)
		got <- string(body)
	}()
	time.Sleep(time.Second)
	ended = endHTTP(srv, logger)
	<-done
	answer = <-got
	near.Close()
	synctest.Wait()
	return answer, text.String(), ended
}

func TestAServiceThatEndsWhileRequestsAreUnderWay(t *testing.T) {
	t.Parallel()
	t.Run("answers one that takes 25 s", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if answer, log, err := endsWith(t, 25*time.Second); answer != "accepted" || err != nil {
				t.Errorf("the answer is %q, err = %v; the log:\n%s", answer, err, log)
			}
		})
	})
	t.Run("cuts off one that never ends, and tells", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			answer, log, err := endsWith(t, time.Hour)
			if answer == "accepted" || err != nil || !strings.Contains(log, "requests under way are cut off") {
				t.Errorf("the answer is %q, err = %v; the log:\n%s", answer, err, log)
			}
		})
	})
}
