package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const stampLayout = "2006-01-02T15:04:05Z"

// rpcRequest signs a request as RPC v1 clients do.
func rpcRequest(key Key, at time.Time, nonce string) Request {
	r := Request{Method: "POST", Host: "127.0.0.1:1", Header: http.Header{}, Form: url.Values{
		"AccessKeyId": {key.ID}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"},
		"SignatureNonce": {nonce}, "Timestamp": {at.UTC().Format(stampLayout)}, "Action": {"ListClusters"},
	}}
	resign(&r, key.Secret)
	return r
}

func resign(r *Request, secret string) {
	newHash := rpcMethods[r.param("SignatureMethod")]
	r.Form.Set("Signature", base64.StdEncoding.EncodeToString(sum(newHash, secret+"&", rpcStringToSign(*r))))
}

// acs3Request signs a request with a form body as ACS3 clients do, over the
// given headers.
func acs3Request(key Key, at time.Time, nonce string, signed ...string) Request {
	body := "ClusterId=c"
	digest := sha256.Sum256([]byte(body))
	r := Request{Method: "POST", Host: "127.0.0.1:1", Body: []byte(body), Form: url.Values{"ClusterId": {"c"}}, Header: http.Header{}}
	r.Header.Set("x-acs-action", "ListNodes")
	r.Header.Set("x-acs-version", "2018-04-12")
	r.Header.Set("x-acs-date", at.UTC().Format(stampLayout))
	r.Header.Set("x-acs-signature-nonce", nonce)
	r.Header.Set("x-acs-content-sha256", hex.EncodeToString(digest[:]))
	signACS3(&r, key, signed)
	return r
}

func signACS3(r *Request, key Key, signed []string) {
	text := acs3StringToSign(acs3Canonical(*r, signed, r.header("x-acs-content-sha256")))
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s,SignedHeaders=%s,Signature=%x",
		acs3Scheme, key.ID, strings.Join(signed, ";"), sum(sha256.New, key.Secret, text)))
}

func TestRPCWithHMACSHA256IsAccepted(t *testing.T) {
	t.Parallel()
	key := testKeys()["testAK"]
	r := rpcRequest(key, noon, "n")
	r.Form.Set("SignatureMethod", "HMAC-SHA256")
	resign(&r, key.Secret)
	if _, err := NewVerifier(testKeys(), noon).Verify(t.Context(), noon, r); err != nil {
		t.Fatal(err)
	}
}

func TestParametersMayMoveBetweenQueryAndForm(t *testing.T) {
	t.Parallel()
	r := rpcRequest(testKeys()["testAK"], noon, "n")
	r.Query = url.Values{"Action": r.Form["Action"], "Signature": r.Form["Signature"]}
	r.Form.Del("Action")
	r.Form.Del("Signature")
	if _, err := NewVerifier(testKeys(), noon).Verify(t.Context(), noon, r); err != nil {
		t.Fatal(err)
	}
}

func TestKeysAreSortedByTheirRawBytes(t *testing.T) {
	t.Parallel()
	got := canonical("", url.Values{"Instance.2.Id": {"b"}, "Instance.10.Id": {"a"}}, url.Values{"A": {" *~é+"}})
	if want := "A=%20%2A~%C3%A9%2B&Instance.10.Id=a&Instance.2.Id=b"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"} {
		t.Run("a request without "+name, func(t *testing.T) {
			r := rpcRequest(testKeys()["testAK"], noon, "n")
			r.Form.Del(name)
			_, err := NewVerifier(testKeys(), noon).Verify(t.Context(), noon, r)
			if got := refusal(t, err); got.Reason != Missing || got.Name != name {
				t.Errorf("got %+v", got)
			}
		})
	}
	for _, name := range acs3Signed {
		t.Run("an ACS3 request that does not sign "+name, func(t *testing.T) {
			var signed []string
			for _, s := range acs3Signed {
				if s != name {
					signed = append(signed, s)
				}
			}
			r := acs3Request(testKeys()["testAK"], noon, "n", signed...)
			_, err := NewVerifier(testKeys(), noon).Verify(t.Context(), noon, r)
			if got := refusal(t, err); got.Reason != Missing || got.Name != name {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"SignatureVersion": "2.0",
		"SignatureMethod":  "RSA",
		"Timestamp":        "2026-11-23T12:00:00+00:00",
	} {
		t.Run(name+" "+value, func(t *testing.T) {
			r := rpcRequest(testKeys()["testAK"], noon, "n")
			r.Form.Set(name, value)
			_, err := NewVerifier(testKeys(), noon).Verify(t.Context(), noon, r)
			if got := refusal(t, err); got.Reason != Malformed || got.Name != name {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestACS3VouchesForTheBody(t *testing.T) {
	t.Parallel()
	key := testKeys()["testAK"]
	t.Run("as signed it is accepted", func(t *testing.T) {
		r := acs3Request(key, noon, "n", acs3Signed...)
		if _, err := NewVerifier(testKeys(), noon).Verify(t.Context(), noon, r); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("another body is a mismatch", func(t *testing.T) {
		r := acs3Request(key, noon, "n", acs3Signed...)
		r.Body = []byte("ClusterId=d")
		_, err := NewVerifier(testKeys(), noon).Verify(t.Context(), noon, r)
		if got := refusal(t, err); got.Reason != Mismatch {
			t.Errorf("refused as %q", got.Reason)
		}
	})
	t.Run("a hash header that lies is a mismatch even when signed", func(t *testing.T) {
		r := acs3Request(key, noon, "n", acs3Signed...)
		real := r.header("x-acs-content-sha256")
		r.Header.Set("x-acs-content-sha256", strings.Repeat("0", 64))
		text := acs3StringToSign(acs3Canonical(r, acs3Signed, real))
		setSignature(&r, hex.EncodeToString(sum(sha256.New, key.Secret, text)))
		_, err := NewVerifier(testKeys(), noon).Verify(t.Context(), noon, r)
		if got := refusal(t, err); got.Reason != Mismatch {
			t.Errorf("refused as %q", got.Reason)
		}
	})
	t.Run("the host's port is signed", func(t *testing.T) {
		r := acs3Request(key, noon, "n", acs3Signed...)
		r.Host = "127.0.0.1"
		_, err := NewVerifier(testKeys(), noon).Verify(t.Context(), noon, r)
		if got := refusal(t, err); got.Reason != Mismatch {
			t.Errorf("refused as %q", got.Reason)
		}
	})
}

func TestWhoseKeyItIs(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	broken := errors.New("disk on fire")
	cases := []struct {
		name   string
		keys   KeySource
		key    Key
		reason Reason
	}{
		{"a key that does not exist is unknown", keys, Key{ID: "nobody", Secret: "testSecret"}, UnknownKey},
		{"the stand-in's empty id is unknown", keys, Key{ID: "§", Secret: ""}, UnknownKey},
		{"a wrong secret is a mismatch", keys, Key{ID: "testAK", Secret: "other"}, Mismatch},
		{"an empty secret is a mismatch", keys, Key{ID: "testAK"}, Mismatch},
		{"a disabled key with the right secret is disabled", keys, keys["off"], Disabled},
		{"a disabled key with a wrong secret is a mismatch", keys, Key{ID: "off", Secret: "other"}, Mismatch},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewVerifier(c.keys, noon).Verify(t.Context(), noon, rpcRequest(c.key, noon, "n"))
			if got := refusal(t, err); got.Reason != c.reason {
				t.Errorf("refused as %q instead of %q", got.Reason, c.reason)
			}
		})
	}
	t.Run("a source that fails is no refusal", func(t *testing.T) {
		_, err := NewVerifier(failing{broken}, noon).Verify(t.Context(), noon, rpcRequest(keys["testAK"], noon, "n"))
		var r *Refusal
		if !errors.Is(err, broken) || errors.As(err, &r) {
			t.Errorf("got %v", err)
		}
	})
}

type failing struct{ err error }

func (f failing) SecretOf(context.Context, string) (Key, error) { return Key{}, f.err }

func TestTheTimeWindow(t *testing.T) {
	t.Parallel()
	key := testKeys()["testAK"]
	cases := []struct {
		name    string
		signed  time.Duration // from now
		started time.Duration
		refused bool
	}{
		{"15 minutes ago is accepted", -15 * time.Minute, -time.Hour, false},
		{"a second more is refused", -15*time.Minute - time.Second, -time.Hour, true},
		{"15 minutes ahead is accepted", 15 * time.Minute, -time.Hour, false},
		{"a second further ahead is refused", 15*time.Minute + time.Second, -time.Hour, true},
		{"the second of the start is accepted", 0, 900 * time.Millisecond, false},
		{"the second before the start is refused", -time.Second, 0, true},
		{"before a restart is refused, however right", -time.Minute, -30 * time.Second, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			verifier := NewVerifier(testKeys(), noon.Add(c.started))
			for _, r := range []Request{
				rpcRequest(key, noon.Add(c.signed), "n"),
				acs3Request(key, noon.Add(c.signed), "m", acs3Signed...),
			} {
				_, err := verifier.Verify(t.Context(), noon, r)
				if !c.refused {
					if err != nil {
						t.Error(err)
					}
					continue
				}
				if got := refusal(t, err); got.Reason != Expired {
					t.Errorf("refused as %q", got.Reason)
				}
			}
		})
	}
}

func TestANonceIsGoodForOneRequest(t *testing.T) {
	t.Parallel()
	key := testKeys()["testAK"]
	other := Key{ID: "a", Secret: "testSecret"}
	verifier := NewVerifier(testKeys(), noon.Add(-time.Hour))
	verify := func(now time.Time, r Request) error {
		_, err := verifier.Verify(t.Context(), now, r)
		return err
	}
	forged := rpcRequest(Key{ID: "testAK", Secret: "guess"}, noon, "n")
	if got := refusal(t, verify(noon, forged)); got.Reason != Mismatch {
		t.Fatalf("a forged request is refused as %q", got.Reason)
	}
	if err := verify(noon, rpcRequest(key, noon, "n")); err != nil {
		t.Fatalf("a forged request used up the nonce: %v", err)
	}
	if got := refusal(t, verify(noon.Add(15*time.Minute), rpcRequest(key, noon, "n"))); got.Reason != NonceUsed {
		t.Errorf("a replay at the end of the window is refused as %q", got.Reason)
	}
	if got := refusal(t, verify(noon, acs3Request(key, noon, "n", acs3Signed...))); got.Reason != NonceUsed {
		t.Errorf("the same nonce in the other scheme is refused as %q", got.Reason)
	}
	if err := verify(noon, rpcRequest(other, noon, "n")); err != nil {
		t.Errorf("another key's nonce of the same text: %v", err)
	}
	early := rpcRequest(key, noon.Add(15*time.Minute), "early")
	if err := verify(noon, early); err != nil {
		t.Fatal(err)
	}
	if got := refusal(t, verify(noon.Add(30*time.Minute), early)); got.Reason != NonceUsed {
		t.Errorf("a request stamped ahead is refused as %q when replayed", got.Reason)
	}
}

func TestTheMemoryOfNoncesIsBounded(t *testing.T) {
	t.Parallel()
	n := newNonces(3, 3)
	until := noon.Add(Window)
	for i, end := range []time.Time{until, until.Add(5 * time.Second), until.Add(9 * time.Second)} {
		if err := n.use(noon, "k", fmt.Sprint(i), end); err != nil {
			t.Fatal(err)
		}
	}
	got := refusal(t, n.use(noon, "k", "3", until))
	if got.Reason != Throttled || got.After != Window+time.Second {
		t.Errorf("a full memory answers %+v", got)
	}
	later := noon.Add(got.After)
	if err := n.use(later, "k", "3", later.Add(Window)); err != nil {
		t.Errorf("at the time it was told to come back: %v", err)
	}
	if got := refusal(t, n.use(later, "k", "4", later.Add(Window))); got.Reason != Throttled || got.After != 5*time.Second {
		t.Errorf("full again it answers %+v", got)
	}
	if n.total != 3 || len(n.keys["k"].until) != 3 {
		t.Errorf("it remembers %d nonces", n.total)
	}
}

func TestOneKeyCannotFillTheMemoryOfNonces(t *testing.T) {
	t.Parallel()
	n := newNonces(5, 2)
	for i := range 2 {
		if err := n.use(noon, "busy", fmt.Sprint(i), noon.Add(Window+time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if got := refusal(t, n.use(noon, "busy", "2", noon.Add(Window))); got.Reason != Throttled || got.After != Window+time.Second {
		t.Errorf("beyond its share it is answered %+v", got)
	}
	if got := refusal(t, n.use(noon, "busy", "1", noon.Add(Window))); got.Reason != NonceUsed {
		t.Errorf("a replay is refused as %q", got.Reason)
	}
	if err := n.use(noon, "other", "0", noon.Add(Window)); err != nil {
		t.Errorf("another key: %v", err)
	}
	later := noon.Add(Window + time.Second)
	if err := n.use(later, "busy", "2", later.Add(Window)); err != nil {
		t.Errorf("once one of its nonces is outdated: %v", err)
	}
}
