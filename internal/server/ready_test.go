package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReadiness(t *testing.T) {
	t.Parallel()
	reading := 0
	h := New(Options{Keys: keyring{}, Log: slog.New(slog.DiscardHandler), Reading: func() int { return reading }})
	for _, c := range []struct {
		name, method, path string
		reading, status    int
		says               string
	}{
		{"a service that can list everything is ready", "GET", "/", 0, 200, `"Status":"ready"`},
		{"one that still reads says of how many clusters, and to try again", "GET", "/", 3, 503, "3 clusters from its store, which cannot be listed yet; try again"},
		{"a request with parameters is one of the API", "GET", "/?Action=ListJobs", 3, 400, "AccessKeyId is mandatory"},
		{"so is a form, also without any", "POST", "/", 0, 400, "AccessKeyId is mandatory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reading = c.reading
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, http.NoBody))
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || !strings.Contains(w.Body.String(), `"RequestId":"`) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

func TestAServiceThatIsNotReadyYetIsNoErrorInItsLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := New(Options{Keys: keyring{}, Log: slog.New(slog.NewTextHandler(&log, nil)), Reading: func() int { return 3 }})
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", http.NoBody))
	if log.Len() > 0 {
		t.Errorf("logged: %s", &log)
	}
}
