package ehpctest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ehpc/api"
	provfake "ehpc/internal/provider/fake"
)

// TestListingsWhileTheirRowsAreRead begins a service whose store reads its jobs
// and nodes no sooner than it is let.
func TestListingsWhileTheirRowsAreRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		hold := func(ctx context.Context, query string) context.Context {
			if strings.Contains(query, `FROM "jobs"`) && strings.Contains(query, "LIMIT 5000") {
				select {
				case <-let:
				case <-ctx.Done():
				}
			}
			return ctx
		}
		p := Start(t, NewWorld(provfake.Options{}), Options{Engine: sqlite, InTurn: synctest.Wait, Watch: hold})
		id := p.Ask(t, 0)
		ready := func() int {
			w := httptest.NewRecorder()
			p.Handler.ServeHTTP(w, httptest.NewRequest("GET", "/", http.NoBody))
			return w.Code
		}
		list := func() (took time.Duration, err error) {
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second) // one try
			defer cancel()
			err = p.Do(ctx, &api.ListJobsRequest{ClusterId: id}, &api.ListJobsResponse{})
			return time.Since(begun), err
		}
		for range 2 { // what one begins goes on without it
			took, err := list()
			if err == nil || codeOf(t, err) != "ServiceUnavailable" || !strings.Contains(err.Error(), "; try again") {
				t.Errorf("err = %v", err)
			}
			if took > 10*time.Second {
				t.Errorf("it answered after %s", took)
			}
		}
		if code := ready(); code != http.StatusServiceUnavailable {
			t.Errorf("the service answers %d to who asks whether it is ready", code)
		}
		close(let)
		if _, err := list(); err != nil {
			t.Error(err)
		}
		if code := ready(); code != http.StatusOK {
			t.Errorf("the service answers %d to who asks whether it is ready", code)
		}
	})
}
