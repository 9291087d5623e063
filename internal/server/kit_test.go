package server

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/action"
	"ehpc/internal/auth"
)

const testHost = "127.0.0.1:8412"

var me = auth.Key{ID: "LTAIme", Secret: "s3cr3t-of-me", Owner: "me", Enabled: true}

type keyring map[string]auth.Key

func (k keyring) SecretOf(_ context.Context, id string) (auth.Key, error) {
	key, ok := k[id]
	if !ok {
		return auth.Key{}, auth.ErrUnknownKey
	}
	return key, nil
}

// kit is a server with scripted actions that keeps what they were called with.
type kit struct {
	http.Handler
	log *syncBuffer

	mu       sync.Mutex
	calls    []action.Call
	requests []any
}

// newKit serves the given actions; without any, DescribeCluster and
// CreateCluster succeed.
func newKit(handlers map[string]action.Handler) *kit {
	k := &kit{log: &syncBuffer{}}
	if handlers == nil {
		handlers = map[string]action.Handler{
			"DescribeCluster": answering(&api.DescribeClusterResponse{ClusterInfo: api.DescribeClusterClusterInfo{Id: "ehpc-hz-1"}}),
			"CreateCluster":   answering(&api.CreateClusterResponse{ClusterId: "ehpc-hz-1"}),
		}
	}
	kept := map[string]action.Handler{}
	for name, handle := range handlers {
		kept[name] = func(ctx context.Context, request any) (any, error) {
			k.mu.Lock()
			k.calls, k.requests = append(k.calls, action.CallOf(ctx)), append(k.requests, request)
			k.mu.Unlock()
			return handle(ctx, request)
		}
	}
	k.Handler = New(Options{
		Handlers: kept,
		Keys: keyring{
			me.ID:  me,
			"off":  {ID: "off", Secret: "off", Owner: "me"},
			"LTA2": {ID: "LTA2", Secret: "two", Owner: "you", Enabled: true},
		},
		Region: "cn-hangzhou",
		Log:    slog.New(slog.NewJSONHandler(k.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return k
}

func answering(answer any) action.Handler {
	return func(context.Context, any) (any, error) { return answer, nil }
}

func failingWith(err error) action.Handler {
	return func(context.Context, any) (any, error) { return nil, err }
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func pct(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func canonicalQuery(params url.Values) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(params)) {
		for _, v := range params[k] {
			pairs = append(pairs, pct(k)+"="+pct(v))
		}
	}
	return strings.Join(pairs, "&")
}

// rpc completes and signs parameters as RPC v1 clients do, as of now.
func rpc(method string, key auth.Key, params url.Values) url.Values {
	return rpcAt(time.Now(), method, key, params)
}

func rpcAt(at time.Time, method string, key auth.Key, params url.Values) url.Values {
	all := url.Values{"Version": {"2018-04-12"}, "AccessKeyId": {key.ID}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureType": {""},
		"SignatureVersion": {"1.0"}, "SignatureNonce": {rand.Text()}, "Timestamp": {at.UTC().Format("2006-01-02T15:04:05Z")}}
	maps.Copy(all, params)
	mac := hmac.New(sha1.New, []byte(key.Secret+"&"))
	mac.Write([]byte(stringToSign(method, all)))
	all.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return all
}

func stringToSign(method string, params url.Values) string {
	return method + "&%2F&" + pct(canonicalQuery(params))
}

func get(params url.Values) *http.Request {
	r := httptest.NewRequest("GET", "/?"+params.Encode(), nil)
	r.Host = testHost
	return r
}

func post(query, form url.Values) *http.Request {
	r := httptest.NewRequest("POST", "/?"+query.Encode(), strings.NewReader(form.Encode()))
	r.Host = testHost
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return r
}

// acs3 makes a signed ACS3 request with parameters in the query and a form.
func acs3(name string, query url.Values, form string) *http.Request {
	r := httptest.NewRequest("POST", "/?"+query.Encode(), strings.NewReader(form))
	r.Host = testHost
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	digest := sha256.Sum256([]byte(form))
	headers := map[string]string{"x-acs-action": name, "x-acs-version": "2018-04-12", "x-acs-signature-nonce": rand.Text(),
		"x-acs-date": time.Now().UTC().Format("2006-01-02T15:04:05Z"), "x-acs-content-sha256": hex.EncodeToString(digest[:])}
	text := "POST\n/\n" + canonicalQuery(query) + "\nhost:" + testHost + "\n"
	names := slices.Sorted(maps.Keys(headers))
	for _, name := range names {
		r.Header.Set(name, headers[name])
		text += name + ":" + headers[name] + "\n"
	}
	signed := "host;" + strings.Join(names, ";")
	canonical := sha256.Sum256([]byte(text + "\n" + signed + "\n" + headers["x-acs-content-sha256"]))
	mac := hmac.New(sha256.New, []byte(me.Secret))
	fmt.Fprintf(mac, "ACS3-HMAC-SHA256\n%x", canonical)
	r.Header.Set("Authorization", fmt.Sprintf("ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%x", me.ID, signed, mac.Sum(nil)))
	return r
}

// reply is an answer as a client gets it.
type reply struct {
	status int
	header http.Header
	body   string
	fields map[string]any // of a JSON body
}

func (k *kit) do(t *testing.T, r *http.Request) reply {
	t.Helper()
	w := httptest.NewRecorder()
	k.ServeHTTP(w, r)
	got := reply{status: w.Code, header: w.Header(), body: w.Body.String()}
	if strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal([]byte(got.body), &got.fields); err != nil {
			t.Fatalf("%s: %v", got.body, err)
		}
	}
	return got
}

func (r reply) code() string {
	code, _ := r.fields["Code"].(string)
	return code
}

func (r reply) message() string {
	message, _ := r.fields["Message"].(string)
	return message
}

// want fails the test unless the answer is that failure.
func (r reply) want(t *testing.T, status int, code string) {
	t.Helper()
	if r.status != status || r.code() != code {
		t.Errorf("got %d %s instead of %d %s", r.status, r.body, status, code)
	}
}

func describe() url.Values {
	return url.Values{"Action": {"DescribeCluster"}, "ClusterId": {"ehpc-hz-1"}, "Format": {"JSON"}}
}
