package bench

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// clients are how many ask at the same time.
var clients = []int{1, 4}

// span is how long a rate is measured.
const span = 4 * time.Second

func submitJobs(b *testing.B, c *rig.Cluster, as rig.Account, t *table) {
	for _, n := range clients {
		t.add(b, "SubmitJob"+by(n), "", rate(n, func() error {
			return c.Client.Do(b.Context(), &api.SubmitJobRequest{ClusterId: c.ID, CommandLine: "true",
				RunasUser: as.Name, RunasUserPassword: as.Password}, nil)
		}))
	}
}

// sbatch is measured inside the manager, as the account.
func sbatch(b *testing.B, c *rig.Cluster, as rig.Account, t *table) {
	const each = 100
	for _, n := range clients {
		loops := `begun=$(date +%s%N)
for c in $(seq ` + strconv.Itoa(n) + `); do
  su - ` + as.Name + ` -c 'for i in $(seq ` + strconv.Itoa(each) + `); do sbatch --wrap true || exit 1; done' >/dev/null || touch /tmp/failed &
done
wait
[ ! -e /tmp/failed ] || exit 1
echo $(($(date +%s%N) - begun))`
		took, err := strconv.ParseInt(strings.TrimSpace(c.Shell(b, "manager", loops)), 10, 64)
		rig.Must(b, err)
		t.add(b, "beside it: sbatch in a loop on the manager"+by(n), "", perSecond{float64(n*each) / time.Duration(took).Seconds(), nil})
	}
}

func listRegions(b *testing.B, s *rig.Server, t *table) {
	for _, n := range clients {
		t.add(b, "ListRegions, signed"+by(n), "", rate(n, func() error {
			_, err := s.Client.Call(b.Context(), "ListRegions", nil)
			return err
		}))
	}
}

// emptyHandler is what net/http alone does with a request of that size.
func emptyHandler(b *testing.B, t *table) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer web.Close()
	body := []byte(url.Values{"Padding": {strings.Repeat("x", 400)}}.Encode())
	for _, n := range clients {
		t.add(b, "beside it: an empty net/http handler"+by(n), "", rate(n, func() error {
			answer, err := http.Post(web.URL, "application/x-www-form-urlencoded", bytes.NewReader(body))
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			return err
		}))
	}
}

// rate asks from so many goroutines for a while.
func rate(clients int, ask func() error) perSecond {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		total int
		fault error
	)
	begun := time.Now()
	for range clients {
		wg.Go(func() {
			done := 0
			var err error
			for err == nil && time.Since(begun) < span {
				if err = ask(); err == nil {
					done++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total += done
			if err != nil {
				fault = err
			}
		})
	}
	wg.Wait()
	return perSecond{float64(total) / time.Since(begun).Seconds(), fault}
}

func by(n int) string {
	if n == 1 {
		return ", 1 client"
	}
	return ", " + strconv.Itoa(n) + " clients"
}
