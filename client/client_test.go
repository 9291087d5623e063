package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ehpc/api"
)

// service is a scripted server: each request takes the next of its answers, the
// last one for ever. It needs no network, so that time can be faked.
type service struct {
	answers []func(form url.Values) (*http.Response, error)
	forms   []url.Values
	at      []time.Time
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	next := s.answers[min(len(s.forms), len(s.answers)-1)]
	s.forms, s.at = append(s.forms, form), append(s.at, time.Now())
	return next(form)
}

func answer(status int, body string) func(url.Values) (*http.Response, error) {
	return func(url.Values) (*http.Response, error) {
		return &http.Response{StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)),
			Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func throttled(ms string) func(url.Values) (*http.Response, error) {
	return func(form url.Values) (*http.Response, error) {
		r, err := answer(429, `{"Code":"Throttling.User","Message":"slow down","RequestId":"R"}`)(form)
		r.Header.Set("x-acs-retry-after", ms)
		return r, err
	}
}

func broken(url.Values) (*http.Response, error) { return nil, syscall.ECONNRESET }

var (
	fine     = answer(200, `{"RequestId":"R","ClusterId":"c"}`)
	failing  = answer(500, `{"Code":"InternalError","Message":"oops","RequestId":"R"}`)
	notBuilt = answer(501, `{"Code":"NotImplemented","Message":"no","RequestId":"R"}`)
	refused  = answer(404, `{"Code":"ClusterNotFound","Message":"no such cluster","RequestId":"R","HostId":"h"}`)
	proxied  = answer(502, `<html>bad gateway</html>`)
)

func (s *service) client(t *testing.T, region string) *Client {
	t.Helper()
	c, err := New(Config{Endpoint: "http://127.0.0.1:1", AccessKeyID: "id", AccessKeySecret: "secret", Region: region,
		SecurityToken: "token", HTTPClient: &http.Client{Transport: s}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACallSaysWhatEveryRequestMust(t *testing.T) {
	t.Parallel()
	s := &service{answers: []func(url.Values) (*http.Response, error){fine}}
	params := url.Values{"ClusterId": {"c"}}
	body, err := s.client(t, "cn-hangzhou").Call(t.Context(), "DescribeCluster", params)
	if err != nil || string(body) != `{"RequestId":"R","ClusterId":"c"}` {
		t.Fatalf("got %s, %v", body, err)
	}
	form := s.forms[0]
	for name, want := range map[string]string{"Action": "DescribeCluster", "Version": "2018-04-12", "Format": "JSON",
		"RegionId": "cn-hangzhou", "ClusterId": "c", "AccessKeyId": "id", "SecurityToken": "token", "SignatureVersion": "1.0"} {
		if form.Get(name) != want {
			t.Errorf("%s is %q", name, form.Get(name))
		}
	}
	if form.Get("Signature") == "" || form.Get("SignatureNonce") == "" || form.Has("ClientToken") {
		t.Errorf("sent %v", form)
	}
	if len(params) != 1 {
		t.Errorf("the caller's parameters were changed to %v", params)
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		action  string
		answers []func(url.Values) (*http.Response, error)
		sent    int
		fails   string // code of the error, "" for success
	}{
		{"a read-only action survives a broken connection", "ListClusters", list(broken, fine), 2, ""},
		{"a mutating action with its token survives a failing service", "CreateCluster", list(failing, broken, proxied, fine), 4, ""},
		{"it gives up after four tries", "ListClusters", list(failing), 4, "InternalError"},
		{"a refusal is final", "DescribeCluster", list(refused, fine), 1, "ClusterNotFound"},
		{"what is not built is final", "ListClusters", list(notBuilt, fine), 1, "NotImplemented"},
		{"throttling is waited for", "ListClusters", list(throttled("1500"), fine), 2, ""},
		{"a long wait is left to the caller", "ListClusters", list(throttled("60000"), fine), 1, "Throttling.User"},
		{"an action the catalogue lacks is sent once", "Unheard", list(failing, fine), 1, "InternalError"},
		{"another server's answer is told as such", "ListClusters", list(answer(404, "<html>")), 1, NotOurs},
		{"a success that is no JSON is told as such", "ListClusters", list(answer(200, "<html>")), 1, NotOurs},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{answers: c.answers}
				_, err := s.client(t, "").Call(t.Context(), c.action, nil)
				if len(s.forms) != c.sent {
					t.Errorf("%d requests were sent", len(s.forms))
				}
				var refused *Error
				switch {
				case c.fails == "" && err != nil:
					t.Error(err)
				case c.fails != "" && (!errors.As(err, &refused) || refused.Code != c.fails):
					t.Errorf("got %v", err)
				}
				s.checkRepeated(t)
			})
		})
	}
}

func list(answers ...func(url.Values) (*http.Response, error)) []func(url.Values) (*http.Response, error) {
	return answers
}

// checkRepeated holds retries to a new nonce, the old token and a pause.
func (s *service) checkRepeated(t *testing.T) {
	t.Helper()
	for i := 1; i < len(s.forms); i++ {
		before, now := s.forms[i-1], s.forms[i]
		if now.Get("SignatureNonce") == before.Get("SignatureNonce") {
			t.Errorf("try %d has the nonce of the one before", i+1)
		}
		if now.Get("ClientToken") != before.Get("ClientToken") {
			t.Errorf("try %d has another client token", i+1)
		}
		if pause := s.at[i].Sub(s.at[i-1]); pause < firstPause/2 || pause > maxPause {
			t.Errorf("try %d came after %s", i+1, pause)
		}
	}
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answers: list(throttled("4000"))}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.client(t, "").Call(ctx, "ListClusters", nil)
		var refused *Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &refused) || refused.RetryAfter != 4*time.Second {
			t.Errorf("got %v", err)
		}
	})
}

func TestMutatingActionsCarryAClientToken(t *testing.T) {
	t.Parallel()
	s := &service{answers: list(fine)}
	c := s.client(t, "")
	for _, params := range []url.Values{nil, {}, {"ClientToken": {"mine"}}} {
		if _, err := c.Call(t.Context(), "DeleteNodes", params); err != nil {
			t.Fatal(err)
		}
	}
	one, two, mine := s.forms[0].Get("ClientToken"), s.forms[1].Get("ClientToken"), s.forms[2].Get("ClientToken")
	if one == "" || len(one) > 64 || one == two || mine != "mine" {
		t.Errorf("sent the tokens %q, %q, %q", one, two, mine)
	}
}

func TestDoTakesAndGivesTypes(t *testing.T) {
	t.Parallel()
	s := &service{answers: list(fine)}
	var made api.CreateClusterResponse
	request := api.CreateClusterRequest{Name: "lab", Application: []api.CreateClusterRequestApplication{{Tag: "a"}, {Tag: "b"}}}
	if err := s.client(t, "").Do(t.Context(), request, &made); err != nil || made.ClusterId != "c" {
		t.Fatalf("got %+v, %v", made, err)
	}
	if form := s.forms[0]; form.Get("Name") != "lab" || form.Get("Application.2.Tag") != "b" {
		t.Errorf("sent %v", form)
	}
	if err := s.client(t, "").Do(t.Context(), struct{}{}, nil); err == nil {
		t.Error("something that is no request was sent")
	}
}

// numbers answers pages of a list of the numbers below total.
func numbers(total int) func(url.Values) (*http.Response, error) {
	return func(form url.Values) (*http.Response, error) {
		var page struct{ PageNumber, PageSize, TotalCount int }
		fmt.Sscan(form.Get("PageNumber"), &page.PageNumber)
		fmt.Sscan(form.Get("PageSize"), &page.PageSize)
		page.TotalCount = total
		var items []int
		for n := (page.PageNumber - 1) * page.PageSize; n < min(total, page.PageNumber*page.PageSize); n++ {
			items = append(items, n)
		}
		body, err := json.Marshal(map[string]any{"PageNumber": page.PageNumber, "PageSize": page.PageSize, "TotalCount": page.TotalCount, "Items": items})
		if err != nil {
			return nil, err
		}
		return answer(200, string(body))(form)
	}
}

type numberPage struct{ Items []int }

func TestAllWalksThroughEveryPage(t *testing.T) {
	t.Parallel()
	for total, pages := range map[int]int{0: 1, 1: 1, 50: 1, 51: 2, 120: 3} {
		s := &service{answers: list(numbers(total))}
		var got []int
		for n, err := range All(t.Context(), s.client(t, ""), "ListClusters", nil, func(p *numberPage) []int { return p.Items }) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, n)
		}
		if len(got) != total || !slices.IsSorted(got) || len(s.forms) != pages {
			t.Errorf("of %d entries %d came with %d requests", total, len(got), len(s.forms))
		}
	}
}

func TestAWalkEndsAtTheFirstErrorOrWhenLeft(t *testing.T) {
	t.Parallel()
	s := &service{answers: list(numbers(200), refused)}
	items := func(p *numberPage) []int { return p.Items }
	var got int
	var last error
	for _, err := range All(t.Context(), s.client(t, ""), "ListClusters", nil, items) {
		got, last = got+1, err
	}
	if got != 51 || last == nil || len(s.forms) != 2 {
		t.Errorf("%d entries, then %v after %d requests", got, last, len(s.forms))
	}
	s = &service{answers: list(numbers(200))}
	for range All(t.Context(), s.client(t, ""), "ListClusters", nil, items) {
		break
	}
	if len(s.forms) != 1 {
		t.Errorf("%d requests for one entry", len(s.forms))
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://127.0.0.1:8412": "http://127.0.0.1:8412/", "https://hpc.example.org/": "https://hpc.example.org/",
		"hpc.example.org:443": "https://hpc.example.org:443/", "127.0.0.1:1": "http://127.0.0.1:1/",
		"localhost": "http://localhost/", "[::1]:1": "http://[::1]:1/",
		"": "", "ftp://x": "", "http://": "", "http://x/path": "", "http://x?y=1": "", "http://u:p@x": "", "http://[": "",
	} {
		c, err := New(Config{Endpoint: text, AccessKeyID: "id", AccessKeySecret: "s"})
		if (want == "") != (err != nil) || err == nil && c.endpoint != want {
			t.Errorf("%q: got %+v, %v", text, c, err)
		}
	}
	if _, err := New(Config{Endpoint: "localhost", AccessKeyID: "id"}); err == nil {
		t.Error("a client without a secret was made")
	}
}

func TestFromEnvReadsEverySetting(t *testing.T) {
	for i, name := range []string{"EHPC_ENDPOINT", "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN", "EHPC_REGION"} {
		t.Setenv(name, fmt.Sprint(i))
	}
	if got, want := FromEnv(), (Config{Endpoint: "0", AccessKeyID: "1", AccessKeySecret: "2", SecurityToken: "3", Region: "4"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestARealConnectionThatIsRefusedIsTold(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c, err := New(Config{Endpoint: gone.URL, AccessKeyID: "id", AccessKeySecret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.try(t.Context(), url.Values{}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}
