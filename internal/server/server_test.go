package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ehpc/api"
	"ehpc/internal/action"
	"ehpc/internal/auth"
)

var requestID = regexp.MustCompile(`^[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}$`)

func TestEveryWayToSendParametersReachesTheAction(t *testing.T) {
	t.Parallel()
	k := newKit(nil) // before anything is signed: what was signed before the start is refused
	params := describe()
	signedPost := rpc("POST", me, params)
	query, form := url.Values{}, url.Values{}
	for name, values := range signedPost {
		if strings.HasPrefix(name, "S") {
			form[name] = values
		} else {
			query[name] = values
		}
	}
	untyped := post(nil, rpc("POST", me, params))
	untyped.Header.Del("Content-Type")
	ways := map[string]*http.Request{
		"GET with a query":             get(rpc("GET", me, params)),
		"POST with an empty body":      post(rpc("POST", me, params), nil),
		"POST with everything in form": post(nil, rpc("POST", me, params)),
		"POST with query and form":     post(query, form),
		"a form that does not say so":  untyped,
		"ACS3 with a query":            acs3("DescribeCluster", url.Values{"ClusterId": {"ehpc-hz-1"}}, ""),
		"ACS3 with a form":             acs3("DescribeCluster", nil, "ClusterId=ehpc-hz-1"),
	}
	for name, r := range ways {
		t.Run(name, func(t *testing.T) {
			before := len(k.requests)
			got := k.do(t, r)
			if got.status != 200 || len(k.requests) != before+1 {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			request := k.requests[before].(*api.DescribeClusterRequest)
			if request.ClusterId != "ehpc-hz-1" || request.RegionId != "cn-hangzhou" {
				t.Errorf("the action got %+v", request)
			}
			call := k.calls[before]
			if call.Action != "DescribeCluster" || call.AccessKey != me.ID || call.Owner != "me" || call.RequestID != got.fields["RequestId"] {
				t.Errorf("the action was called as %+v", call)
			}
			if id := got.header.Get("x-acs-request-id"); !requestID.MatchString(id) || id != got.fields["RequestId"] {
				t.Errorf("the request id is %q", id)
			}
			if _, has := got.fields["Code"]; has {
				t.Error("a success has a Code")
			}
		})
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for format, isXML := range map[string]bool{"JSON": false, "json": false, "": false, "XML": true, "xml": true} {
		t.Run("asked for "+format, func(t *testing.T) {
			k := newKit(nil)
			params := describe()
			params.Set("Format", format)
			for _, r := range []*http.Request{get(rpc("GET", me, params)), post(nil, rpc("POST", me, params))} {
				got := k.do(t, r)
				if got.status != 200 || strings.Contains(got.body, "<DescribeClusterResponse>") != isXML {
					t.Errorf("got %d %s", got.status, got.body)
				}
			}
			params.Del("ClusterId")
			for _, r := range []*http.Request{get(rpc("GET", me, params)), post(nil, rpc("POST", me, params)), get(params)} {
				got := k.do(t, r)
				if got.status != 400 || strings.Contains(got.body, "<Error>") != isXML || strings.Contains(got.header.Get("Content-Type"), "xml") != isXML {
					t.Errorf("got %d %s", got.status, got.body)
				}
			}
		})
	}
}

func TestAFailureCarriesWhatClientsRead(t *testing.T) {
	t.Parallel()
	k := newKit(map[string]action.Handler{"DescribeCluster": failingWith(api.ClusterNotFound.Errorf("cluster ehpc-hz-1 does not exist"))})
	got := k.do(t, get(rpc("GET", me, describe())))
	got.want(t, 404, "ClusterNotFound")
	if len(got.fields) != 5 || got.fields["HostId"] != testHost || got.message() != "cluster ehpc-hz-1 does not exist" ||
		got.fields["RequestId"] != got.header.Get("x-acs-request-id") || got.fields["Recommend"] != "" {
		t.Errorf("got %s", got.body)
	}
	r := get(rpc("GET", me, describe()))
	r.Host = "<script>"
	if got := k.do(t, r); got.fields["HostId"] != "" {
		t.Errorf("a host that is none is repeated: %s", got.body)
	}
}

func TestOnlyGetAndPostOnTheRoot(t *testing.T) {
	t.Parallel()
	k := newKit(nil)
	k.do(t, httptest.NewRequest("GET", "/nowhere", nil)).want(t, 404, "InvalidAction.NotFound")
	for _, method := range []string{"PUT", "DELETE", "OPTIONS", "PATCH"} {
		got := k.do(t, httptest.NewRequest(method, "/", nil))
		got.want(t, 405, "UnsupportedHTTPMethod")
		if got.header.Get("Allow") != "GET, POST" {
			t.Errorf("%s: Allow is %q", method, got.header.Get("Allow"))
		}
	}
}

func TestUnreadableRequestsAreRefused(t *testing.T) {
	t.Parallel()
	k := newKit(nil)
	query := httptest.NewRequest("GET", "/", nil)
	query.URL.RawQuery = "a=1&b=%zz"
	form := httptest.NewRequest("POST", "/", strings.NewReader("%=1"))
	typed := httptest.NewRequest("POST", "/", strings.NewReader(`{"Action":"ListClusters"}`))
	typed.Header.Set("Content-Type", "application/json")
	many := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("a&", maxParams+1)))
	for what, r := range map[string]*http.Request{"value of parameter 2": query, "name of parameter 1": form, "must be a form": typed, "more than 10000": many} {
		got := k.do(t, r)
		got.want(t, 400, "InvalidParams")
		if !strings.Contains(got.message(), what) {
			t.Errorf("the message is %q", got.message())
		}
	}
}

func TestWhoIsNotAuthenticated(t *testing.T) {
	t.Parallel()
	k := newKit(nil)
	forged := rpc("GET", me, describe())
	forged.Set("ClusterId", "other")
	named := "Specified signature is not matched with our calculation. server string to sign is:" + stringToSign("GET", without(forged, "Signature"))
	unsigned := describe()
	noNonce := rpc("GET", me, describe())
	noNonce.Del("SignatureNonce")
	odd := rpc("GET", me, describe())
	odd.Set("SignatureVersion", "9.0")
	cases := []struct {
		name    string
		params  url.Values
		status  int
		code    string
		message string
	}{
		{"nothing signed", unsigned, 400, "MissingAccessKeyId", "AccessKeyId is mandatory for this action."},
		{"a parameter of the signature missing", noNonce, 400, "MissingSignatureNonce", "SignatureNonce is mandatory for this action."},
		{"a kind of signature that is unknown", odd, 400, "IncompleteSignature", "SignatureVersion is not of a form that is known."},
		{"a key that is unknown", rpc("GET", auth.Key{ID: "nobody", Secret: "x"}, describe()), 404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."},
		{"a key that is disabled", rpc("GET", auth.Key{ID: "off", Secret: "off"}, describe()), 403, "InvalidAccessKeyId.Inactive", "Specified access key is disabled."},
		{"a request changed after signing", forged, 400, "SignatureDoesNotMatch", named},
		{"a request signed too long ago", rpcAt(time.Now().Add(-16*time.Minute), "GET", me, describe()), 400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."},
		{"a request signed for later", rpcAt(time.Now().Add(16*time.Minute), "GET", me, describe()), 400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := k.do(t, get(c.params))
			got.want(t, c.status, c.code)
			if got.message() != c.message {
				t.Errorf("the message is\n%s\ninstead of\n%s", got.message(), c.message)
			}
			if len(k.calls) != 0 {
				t.Error("the action was called")
			}
		})
	}
}

func without(params url.Values, name string) url.Values {
	rest := url.Values{}
	for n, v := range params {
		if n != name {
			rest[n] = v
		}
	}
	return rest
}

func TestNothingIsToldBeforeTheCallerIsKnown(t *testing.T) {
	t.Parallel()
	k := newKit(nil)
	stranger := auth.Key{ID: me.ID, Secret: "guess"}
	for _, params := range []url.Values{
		{"Action": {"NoSuchAction"}},
		{"Action": {"ListClusters"}},
		{"Action": {"DescribeCluster"}},
		{"Action": {"DescribeCluster"}, "Version": {"1999-01-01"}},
		{},
	} {
		k.do(t, get(rpc("GET", stranger, params))).want(t, 400, "SignatureDoesNotMatch")
	}
}

func TestAReplayIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(nil)
		params := rpc("GET", me, describe())
		if got := k.do(t, get(params)); got.status != 200 {
			t.Fatalf("got %s", got.body)
		}
		time.Sleep(14 * time.Minute)
		k.do(t, get(params)).want(t, 400, "SignatureNonceUsed")
		if len(k.calls) != 1 {
			t.Errorf("the action was called %d times", len(k.calls))
		}
	})
}

func TestAReplayAfterARestartIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		params := rpc("GET", me, describe())
		if got := newKit(nil).do(t, get(params)); got.status != 200 {
			t.Fatalf("in the second of the start: %s", got.body)
		}
		time.Sleep(time.Second)
		restarted := newKit(nil)
		restarted.do(t, get(params)).want(t, 400, "InvalidTimeStamp.Expired")
		if got := restarted.do(t, get(rpc("GET", me, describe()))); got.status != 200 {
			t.Errorf("a new request: %s", got.body)
		}
	})
}

func TestLookingTheActionUp(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		params  url.Values
		status  int
		code    string
		message string
	}{
		{"no action", url.Values{}, 400, "MissingAction", "Action is mandatory for this action."},
		{"no version", url.Values{"Action": {"DescribeCluster"}, "Version": {""}}, 400, "MissingVersion", "Version is mandatory for this action."},
		{"another version", url.Values{"Action": {"DescribeCluster"}, "Version": {"2024-07-30"}}, 400, "InvalidVersion", "Specified parameter Version is not valid: this is version 2018-04-12."},
		{"an action that does not exist", url.Values{"Action": {"MakeCoffee"}}, 404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."},
		{"an action that is not built, whatever its parameters", url.Values{"Action": {"ListNodes"}}, 501, "NotImplemented", "ListNodes is not built yet."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := newKit(nil).do(t, get(rpc("GET", me, c.params)))
			got.want(t, c.status, c.code)
			if got.message() != c.message {
				t.Errorf("the message is %q", got.message())
			}
		})
	}
	t.Run("ACS3 takes the action from the header alone", func(t *testing.T) {
		k := newKit(nil)
		got := k.do(t, acs3("DescribeCluster", url.Values{"Action": {"CreateCluster"}, "ClusterId": {"c"}}, ""))
		if got.status != 200 || k.calls[0].Action != "DescribeCluster" {
			t.Errorf("got %s", got.body)
		}
	})
	t.Run("RPC takes it from the parameters alone", func(t *testing.T) {
		k := newKit(nil)
		r := get(rpc("GET", me, describe()))
		r.Header.Set("x-acs-action", "CreateCluster")
		if got := k.do(t, r); got.status != 200 || k.calls[0].Action != "DescribeCluster" {
			t.Errorf("got %s", got.body)
		}
	})
}

func TestEveryActionOfTheCatalogueIsKnown(t *testing.T) {
	t.Parallel()
	k := newKit(map[string]action.Handler{})
	for _, a := range api.Actions() {
		for _, name := range append([]string{a.Name}, a.Aliases...) {
			got := k.do(t, post(nil, rpc("POST", me, url.Values{"Action": {name}})))
			got.want(t, 501, "NotImplemented")
			if !strings.HasPrefix(got.message(), a.Name+" ") {
				t.Errorf("%s: the message is %q", name, got.message())
			}
		}
	}
}

func TestParametersAreCheckedBeforeTheAction(t *testing.T) {
	t.Parallel()
	k := newKit(nil)
	got := k.do(t, get(rpc("GET", me, url.Values{"Action": {"DescribeCluster"}, "ClusterId": {""}})))
	got.want(t, 400, "MissingClusterId")
	got = k.do(t, post(nil, rpc("POST", me, url.Values{"Action": {"CreateCluster"}, "Name": {"1"}, "HaEnable": {"perhaps"}, "ClientToken": {"ä"}})))
	got.want(t, 400, "InvalidParams")
	for _, name := range []string{"Name", "HaEnable", "ClientToken"} {
		if !strings.Contains(got.message(), name) {
			t.Errorf("%s is not named in %q", name, got.message())
		}
	}
	got = k.do(t, post(url.Values{"ClusterId": {"a"}}, rpc("POST", me, describe())))
	got.want(t, 400, "SignatureDoesNotMatch")
	if len(k.calls) != 0 {
		t.Error("an action was called")
	}
}

func create(token string, more url.Values) url.Values {
	params := url.Values{"Action": {"CreateCluster"}, "Name": {"lab"}, "ClientToken": {token}}
	for name, values := range more {
		params[name] = values
	}
	return params
}

func TestClientTokens(t *testing.T) {
	t.Parallel()
	for token, fine := range map[string]bool{"": true, "a": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false, "a b": false, "é": false, "\x00": false} {
		k := newKit(nil)
		got := k.do(t, post(nil, rpc("POST", me, create(token, nil))))
		if !fine {
			got.want(t, 400, "InvalidParams")
			continue
		}
		if got.status != 200 || k.calls[0].ClientToken != token {
			t.Errorf("token %q: got %s and %+v", token, got.body, k.calls)
		}
	}
	k := newKit(nil)
	params := describe()
	params.Set("ClientToken", "t")
	if k.do(t, get(rpc("GET", me, params))); len(k.calls) != 1 || k.calls[0].ClientToken != "" {
		t.Errorf("a read-only action was called with %+v", k.calls)
	}
}

func TestARepeatedRequestHasTheSameHashAndNoOther(t *testing.T) {
	t.Parallel()
	k := newKit(nil)
	hash := func(r *http.Request) string {
		if got := k.do(t, r); got.status != 200 {
			t.Fatal(got.body)
		}
		return k.calls[len(k.calls)-1].ParamsHash
	}
	first := hash(post(nil, rpc("POST", me, create("t", nil))))
	for name, r := range map[string]*http.Request{
		"sent as a query":             get(rpc("GET", me, create("t", nil))),
		"sent later":                  get(rpcAt(time.Now().Add(time.Minute), "GET", me, create("t", nil))),
		"sent with ACS3":              acs3("CreateCluster", nil, "Name=lab&ClientToken=t"),
		"with the region spelled out": get(rpc("GET", me, create("t", url.Values{"RegionId": {"cn-hangzhou"}}))),
		"with empty values":           get(rpc("GET", me, create("t", url.Values{"OsTag": {""}}))),
		"asking for XML":              get(rpc("GET", me, create("t", url.Values{"Format": {"XML"}}))),
		"with a type of signature":    get(rpc("GET", me, create("t", url.Values{"SignatureType": {"HMAC"}}))),
		"with another token":          get(rpc("GET", me, create("u", nil))),
	} {
		if got := hash(r); got != first {
			t.Errorf("%s it has another hash", name)
		}
	}
	for name, r := range map[string]*http.Request{
		"another name":   get(rpc("GET", me, create("t", url.Values{"Name": {"lab2"}}))),
		"one more":       get(rpc("GET", me, create("t", url.Values{"OsTag": {"x"}}))),
		"another region": get(rpc("GET", me, create("t", url.Values{"RegionId": {"cn-beijing"}}))),
		"another key":    get(rpc("GET", auth.Key{ID: "LTA2", Secret: "two"}, create("t", nil))),
	} {
		if got := hash(r); got == first {
			t.Errorf("with %s it has the same hash", name)
		}
	}
}

func TestWhatActionsFailWith(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk /dev/sdx is on fire")
	cases := []struct {
		name   string
		handle action.Handler
		status int
		code   string
		logged string
	}{
		{"an error of the API", failingWith(api.InvalidClusterStatus.Errorf("cannot: it is creating")), 403, "InvalidClusterStatus", ""},
		{"an error of the API with a cause", failingWith(api.DbError.Errorf("cannot save: %w", cause)), 406, "DbError", cause.Error()},
		{"an error of the API inside another", failingWith(fmt.Errorf("x: %w", api.ConflictOpt.Errorf("busy"))), 403, "ConflictOpt", ""},
		{"any other error", failingWith(cause), 500, "InternalError", cause.Error()},
		{"a panic", func(context.Context, any) (any, error) { panic(cause) }, 500, "InternalError", "server_test.go"},
		{"no answer at all", answering(nil), 500, "InternalError", "cannot encode"},
		{"a wait that is too long", failingWith(fmt.Errorf("x: %w", context.DeadlineExceeded)), 503, "ServiceUnavailable", "deadline"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(map[string]action.Handler{"DescribeCluster": c.handle})
			got := k.do(t, get(rpc("GET", me, describe())))
			got.want(t, c.status, c.code)
			if strings.Contains(got.body, "fire") {
				t.Errorf("the cause is shown: %s", got.body)
			}
			if line := k.log.String(); !strings.Contains(line, c.logged) || strings.Count(line, "\n") != 1 {
				t.Errorf("the log is %s", line)
			}
		})
	}
}

func TestAnActionHasThirtySeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(map[string]action.Handler{"DescribeCluster": func(ctx context.Context, _ any) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		begun := time.Now()
		k.do(t, get(rpc("GET", me, describe()))).want(t, 503, "ServiceUnavailable")
		if took := time.Since(begun); took != handlerTime {
			t.Errorf("it was answered after %s", took)
		}
	})
}

func TestSlowingDownSaysForHowLong(t *testing.T) {
	t.Parallel()
	slow := &auth.TooManyWrong{After: 1500 * time.Millisecond}
	k := newKit(map[string]action.Handler{"DescribeCluster": failingWith(api.ThrottlingUser.Errorf("too many wrong passwords: %w", slow))})
	got := k.do(t, get(rpc("GET", me, describe())))
	got.want(t, 429, "Throttling.User")
	if got.header.Get("x-acs-retry-after") != "1500" {
		t.Errorf("the header is %q", got.header.Get("x-acs-retry-after"))
	}
}

func TestTheLogHasOneLinePerRequestAndNothingSecret(t *testing.T) {
	t.Parallel()
	k := newKit(nil)
	requests := []*http.Request{
		post(nil, rpc("POST", me, create("the-token", url.Values{"Password": {"Sup3r-secret"}}))),
		post(nil, rpc("POST", me, create("the-token", url.Values{"Password": {"Sup3r-secret"}, "HaEnable": {"Sup3r-secret"}}))),
		post(nil, rpc("POST", auth.Key{ID: me.ID, Secret: "wrong"}, create("the-token", url.Values{"Password": {"Sup3r-secret"}}))),
		acs3("DescribeCluster", url.Values{"ClusterId": {"Sup3r-secret"}}, ""),
		httptest.NewRequest("GET", "/Sup3r-secret", nil),
	}
	for _, r := range requests {
		k.do(t, r)
	}
	text := k.log.String()
	if strings.Count(text, "\n") != len(requests) {
		t.Errorf("%d requests make the log\n%s", len(requests), text)
	}
	for _, secret := range []string{"Sup3r-secret", "the-token", me.Secret, "Signature="} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the log\n%s", secret, text)
		}
	}
	first, _, _ := strings.Cut(text, "\n")
	for _, attr := range []string{`"request":"`, `"action":"CreateCluster"`, `"key":"LTAIme"`, `"status":200`, `"code":"OK"`, `"took":`} {
		if !strings.Contains(first, attr) {
			t.Errorf("%s is missing in %s", attr, first)
		}
	}
}
