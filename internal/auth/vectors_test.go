package auth

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// recorded is a request as a real client sent it (testdata/requests.jsonl).
type recorded struct {
	Client  string      `json:"client"`
	Method  string      `json:"method"`
	Host    string      `json:"host"`
	URI     string      `json:"uri"`
	Headers http.Header `json:"headers"`
	Body    string      `json:"body"`
	Scheme  string      `json:"scheme"`
	Action  string      `json:"action"`
	Signed  string      `json:"string_to_sign_or_canonical"`
	Valid   bool        `json:"signature_valid"`
}

func (r recorded) request(t *testing.T) Request {
	t.Helper()
	uri, err := url.Parse(r.URI)
	if err != nil {
		t.Fatal(err)
	}
	query, err := url.ParseQuery(uri.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Request{Method: r.Method, Host: r.Host, Header: r.Headers, Query: query, Form: form, Body: []byte(r.Body)}
}

func recordedRequests(t testing.TB) []recorded {
	t.Helper()
	file, err := os.Open("testdata/requests.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []recorded
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil || len(all) != 99 {
		t.Fatalf("read %d requests instead of 99: %v", len(all), err)
	}
	return all
}

// keyring is a KeySource in memory.
type keyring map[string]Key

func (k keyring) SecretOf(_ context.Context, id string) (Key, error) {
	key, ok := k[id]
	if !ok {
		return Key{}, fmt.Errorf("keyring: %w", ErrUnknownKey)
	}
	return key, nil
}

func testKeys() keyring {
	return keyring{
		"testAK": {ID: "testAK", Secret: "testSecret", Owner: "tester", Enabled: true},
		"a":      {ID: "a", Secret: "testSecret", Owner: "tester", Enabled: true}, // one client was set up with it
		"off":    {ID: "off", Secret: "testSecret", Owner: "tester"},
	}
}

func refusal(t *testing.T, err error) Refusal {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("got %v instead of a refusal", err)
	}
	return *r
}

func stampOf(t *testing.T, r Request) time.Time {
	t.Helper()
	text := r.param("Timestamp")
	if text == "" {
		text = r.header("x-acs-date")
	}
	stamp, err := parseStamp(text)
	if err != nil {
		t.Fatal(err)
	}
	return stamp
}

func TestEveryRecordedRequestVerifiesAsRecorded(t *testing.T) {
	t.Parallel()
	for i, rec := range recordedRequests(t) {
		t.Run(fmt.Sprintf("request %d, %s of %s", i+1, rec.Action, rec.Client), func(t *testing.T) {
			r := rec.request(t)
			now := stampOf(t, r)
			verifier := NewVerifier(testKeys(), now.Add(-time.Hour))
			key, err := verifier.Verify(t.Context(), now, r)
			if signed := canonicalOf(t, r); signed != rec.Signed {
				t.Errorf("signed text\n%s\nrecorded\n%s", signed, rec.Signed)
			}
			if rec.Valid {
				if err != nil || key.Owner != "tester" {
					t.Errorf("got key %+v and error %v", key, err)
				}
				return
			}
			if got := refusal(t, err); got.Reason != Mismatch {
				t.Errorf("refused as %q instead of a mismatch", got.Reason)
			}
		})
	}
}

// canonicalOf is what the recording calls the signed text.
func canonicalOf(t *testing.T, r Request) string {
	t.Helper()
	header := r.Header.Get("Authorization")
	if !IsACS3(header) {
		return rpcStringToSign(r)
	}
	auth, err := parseAuthorization(header)
	if err != nil {
		t.Fatal(err)
	}
	return acs3Canonical(r, auth.signed, r.header("x-acs-content-sha256"))
}

// valid returns the first recorded request of a scheme that carries a body or
// none, as asked, and is rightly signed.
func valid(t *testing.T, scheme string, body bool) Request {
	t.Helper()
	for _, rec := range recordedRequests(t) {
		if rec.Valid && rec.Scheme == scheme && (rec.Body != "") == body {
			r := rec.request(t)
			r.Header = r.Header.Clone()
			return r
		}
	}
	t.Fatalf("no recorded %s request", scheme)
	return Request{}
}

func TestAnyChangeOfASignedRequestIsAMismatch(t *testing.T) {
	t.Parallel()
	changes := map[string]func(r *Request){
		"another method":       func(r *Request) { r.Method = "PUT" },
		"a parameter more":     func(r *Request) { r.Query.Set("Extra", "") },
		"a changed signature":  func(r *Request) { changeSignature(r) },
		"an empty signature":   func(r *Request) { setSignature(r, "=") },
		"a signature in part":  func(r *Request) { setSignature(r, "5d5b") },
		"an undecodable one":   func(r *Request) { setSignature(r, "§§") },
		"a parameter twice":    func(r *Request) { r.Query["Again"] = []string{"1", "2"} },
		"another time":         func(r *Request) { setParam(r, "Timestamp", "x-acs-date", "2026-11-23T07:20:00Z") },
		"another nonce":        func(r *Request) { setParam(r, "SignatureNonce", "x-acs-signature-nonce", "other") },
		"another action named": func(r *Request) { setParam(r, "Action", "x-acs-action", "DeleteClusters") },
	}
	for _, scheme := range []string{"RPCv1", "ACS3"} {
		for name, change := range changes {
			t.Run(scheme+" with "+name, func(t *testing.T) {
				r := valid(t, scheme, false)
				now := stampOf(t, r)
				change(&r)
				_, err := NewVerifier(testKeys(), now.Add(-time.Hour)).Verify(t.Context(), now, r)
				got := refusal(t, err)
				if got.Reason != Mismatch {
					t.Fatalf("refused as %q", got.Reason)
				}
				if got.StringToSign == "" {
					t.Error("the string to sign is not told")
				}
			})
		}
	}
}

func setParam(r *Request, param, header, value string) {
	if IsACS3(r.Header.Get("Authorization")) {
		r.Header.Set(header, value)
		return
	}
	r.Query.Set(param, value)
}

func setSignature(r *Request, value string) {
	auth := r.Header.Get("Authorization")
	if IsACS3(auth) {
		r.Header.Set("Authorization", auth[:strings.Index(auth, "Signature=")]+"Signature="+value)
		return
	}
	r.Query.Set("Signature", value)
}

func changeSignature(r *Request) {
	old := r.Query.Get("Signature")
	if auth := r.Header.Get("Authorization"); IsACS3(auth) {
		old = auth[strings.Index(auth, "Signature=")+len("Signature="):]
	}
	first := "0"
	if strings.HasPrefix(old, first) {
		first = "1"
	}
	setSignature(r, first+old[1:])
}
