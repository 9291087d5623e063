package server

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener to which clients come through memory.
type pipes struct {
	conns chan net.Conn
	over  chan struct{}
}

func (l pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func (l pipes) Close() error {
	close(l.over)
	return nil
}

func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

// answerAfter is what a client gets that sends its headers so late.
func answerAfter(late time.Duration) string {
	srv := HTTPServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "accepted")
	}), slog.New(slog.DiscardHandler))
	near, far := net.Pipe()
	l := pipes{make(chan net.Conn, 1), make(chan struct{})}
	l.conns <- far
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	time.Sleep(late)
	go io.WriteString(near, "GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
	text, _ := io.ReadAll(near)
	near.Close()
	srv.Close()
	<-done
	return string(text)
}

func TestASlowClient(t *testing.T) {
	t.Parallel()
	t.Run("one whose headers come after 25 s is answered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if got := answerAfter(25 * time.Second); !strings.HasSuffix(got, "accepted") {
				t.Errorf("it gets %q", got)
			}
		})
	})
	t.Run("one that sends nothing for minutes has lost its connection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if got := answerAfter(5 * time.Minute); strings.Contains(got, "accepted") {
				t.Errorf("it gets %q", got)
			}
		})
	})
}
