package ehpctest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ehpc/client"
	provfake "ehpc/internal/provider/fake"
)

// internals are what no message shows.
var internals = regexp.MustCompile(`http://node|Post "|Get "|context canceled|deadline exceeded|\bEOF\b|json: |strconv\.` +
	`|unmarshal|%!|<nil>|yamux|sql: |SQLITE_|SQLSTATE|\bpq: |database is locked|dial (unix|tcp)|/ehpc/link|\*[a-z]+\.[A-Z]|goroutine`)

// unescaped makes the text of an answer in JSON what people read.
var unescaped = strings.NewReplacer(`\"`, `"`, `\u003c`, "<", `\u003e`, ">")

func showsNoInternals(t *testing.T, where, text string) {
	t.Helper()
	if found := internals.FindString(unescaped.Replace(text)); found != "" {
		t.Errorf("%s: %q shows %q", where, text, found)
	}
}

// once asks the handler one time, for so long, and keeps what it answers.
type once struct {
	http.Handler
	limit time.Duration
	end   context.CancelFunc // of the call, which is not tried again
	text  string
}

func (o *once) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), o.limit)
	defer cancel()
	w := httptest.NewRecorder()
	r = r.WithContext(ctx)
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.RemoteAddr = "127.0.0.1:1"
	o.ServeHTTP(w, r)
	o.text = w.Body.String()
	o.end()
	return w.Result(), nil
}

// answer is the text of the plane's answer to the action, whatever it is.
func (p *Plane) answer(t *testing.T, action, id, params string) string {
	t.Helper()
	values, err := url.ParseQuery(params)
	must(t, err)
	values.Set("ClusterId", id)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := &once{Handler: p.Handler, limit: time.Second, end: cancel}
	c, err := client.New(client.Config{Endpoint: p.URL, AccessKeyID: p.Key.ID, AccessKeySecret: p.Key.Secret,
		HTTPClient: &http.Client{Transport: o}})
	must(t, err)
	_, _ = c.Call(ctx, action, values) // its text is what counts
	if o.text == "" {
		t.Errorf("%s was not answered", action)
	}
	return o.text
}

const asWorker = "&RunasUser=worker&RunasUserPassword=" + password

// deeds are actions that need a node, the scheduler or machines; NODE is a compute node.
var deeds = []struct{ action, params string }{
	{"SubmitJob", "CommandLine=true" + asWorker},
	{"StopJobs", `Jobs=[{"Id":"1"}]`},
	{"RerunJobs", `Jobs=[{"Id":"1"}]`},
	{"GetJobLog", "JobId=1"},
	{"CreateJobFile", "TargetFile=a&Content=b" + asWorker},
	{"AddUsers", "User.1.Name=other&User.1.Group=users&User.1.Password=" + password},
	{"ModifyUserGroups", "User.1.Name=worker&User.1.Group=wheel"},
	{"ModifyUserPasswords", "User.1.Name=worker&User.1.Password=" + password},
	{"DeleteUsers", "User.1.Name=other"},
	{"RunCommand", "Command=true"},
	{"InvokeShellCommand", "Command=true&Instance.1.Id=NODE"},
	{"AddQueue", "QueueName=more"},
	{"SetQueue", "QueueName=more&Node.1.Name=compute000"},
	{"AddNodes", "Count=1"},
	{"DeleteNodes", "Instance.1.Id=NODE"},
	{"UpgradeClient", ""},
	{"CreateCluster", "Name=more"},
	{"DescribeClusterVolume", ""},
	{"ListQueues", ""},
}

// outcomes are the actions that show what became of others.
var outcomes = []struct{ action, params string }{
	{"DescribeCluster", ""},
	{"ListClusterLogs", "PageNumber=1&PageSize=100"},
	{"ListTasks", "PageSize=50"},
	{"ListNodes", "PageSize=50"},
	{"ListJobs", "PageSize=50"},
	{"ListInvocationResults", "PageSize=50"},
	{"ListInvocationStatus", "PageSize=50"},
	{"ListCommands", ""},
}

func TestNothingThatFailsLaterShowsInternals(t *testing.T) {
	t.Parallel()
	raw := fmt.Errorf("cannot ask: %w", &url.Error{Op: "Post", URL: "http://node/scheduler/submit", Err: io.ErrUnexpectedEOF})
	for name, c := range map[string]struct {
		fail func(t *testing.T, w *World, p *Plane, id string, broken *atomic.Bool)
		says string // one of the answers
	}{
		"an agent that hangs": {func(t *testing.T, w *World, _ *Plane, id string, _ *atomic.Bool) {
			manager := w.managerOf(id)
			manager.Stop(true)
			t.Cleanup(func() { manager.Stop(false) })
		}, "does not answer now; try again"},
		"a manager that is cut off": {func(t *testing.T, w *World, p *Plane, id string, _ *atomic.Bool) {
			w.Mute(p.node(t, id, "manager").Id, true)
		}, "is not in service now; try again"},
		"a scheduler that refuses": {func(_ *testing.T, w *World, _ *Plane, id string, _ *atomic.Bool) {
			for _, method := range []string{"Submit", "Cancel", "Drain", "Move", "Remove", "Requeue"} {
				for range 100 {
					w.SchedulerOf(id).Fail(method, raw)
				}
			}
		}, "cannot ask: the connection broke off"},
		"a scheduler that is away": {func(_ *testing.T, w *World, _ *Plane, id string, _ *atomic.Bool) {
			w.SchedulerOf(id).Stop()
		}, "does not answer now; try again"},
		"a store that fails": {func(_ *testing.T, _ *World, _ *Plane, _ string, broken *atomic.Bool) {
			broken.Store(true)
		}, "try again"},
		"machines that cannot be made": {func(_ *testing.T, w *World, _ *Plane, _ string, _ *atomic.Bool) {
			w.Machines.Hook(func(s provfake.Step) error {
				if s.Op == provfake.Create {
					return raw
				}
				return nil
			})
		}, "cannot ask: the connection broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var broken atomic.Bool
			w := NewWorld(provfake.Options{})
			p := Start(t, w, Options{Engine: sqlite, Watch: func(ctx context.Context, _ string) context.Context {
				if !broken.Load() {
					return ctx
				}
				ctx, cancel := context.WithCancelCause(ctx)
				cancel(errors.New("SQLITE_IOERR"))
				return ctx
			}})
			id := withAccount(t, w, p, 1)
			node := p.node(t, id, "compute000").Id
			c.fail(t, w, p, id, &broken)
			said := make([]string, len(deeds))
			var calls sync.WaitGroup
			for i, a := range deeds {
				calls.Go(func() { said[i] = p.answer(t, a.action, id, strings.ReplaceAll(a.params, "NODE", node)) })
			}
			calls.Wait()
			for i, a := range deeds {
				showsNoInternals(t, a.action, said[i])
			}
			p.Until(t, "it is said what failed", func() bool {
				// On a busy machine the first may have had no time.
				told := strings.Join(said, "\n") + p.answer(t, deeds[0].action, id, deeds[0].params)
				showsNoInternals(t, deeds[0].action, told)
				for _, a := range outcomes {
					text := p.answer(t, a.action, id, a.params)
					showsNoInternals(t, a.action, text)
					told += text
				}
				return t.Failed() || strings.Contains(told, c.says)
			})
			broken.Store(false)
		})
	}
}
