package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// verdict is the verifier's word on a request at noon.
func verdict(t *testing.T, r Request) error {
	_, err := NewVerifier(testKeys(), noon).Verify(t.Context(), noon, r)
	var refusal *Refusal
	if err != nil && !errors.As(err, &refusal) {
		t.Fatalf("%+v: %v is no refusal", r, err)
	}
	return err
}

func seedRequests(f *testing.F, scheme string, add func(r recorded, query string)) {
	for _, r := range recordedRequests(f) {
		if r.Scheme == scheme {
			_, query, _ := strings.Cut(r.URI, "?")
			add(r, query)
		}
	}
}

// FuzzVerifyRPC: whatever the parameters are, a request is accepted when it was
// signed with the key, and not when anything of it is another.
func FuzzVerifyRPC(f *testing.F) {
	seedRequests(f, "RPCv1", func(r recorded, query string) { f.Add(query, r.Body, "x") })
	f.Add("a=&a=&=b", "%00=%ff", "Signature")
	f.Fuzz(func(t *testing.T, query, body, more string) {
		q, err := url.ParseQuery(query)
		form, err2 := url.ParseQuery(body)
		if err != nil || err2 != nil {
			return
		}
		asSent := Request{Method: "POST", Host: "127.0.0.1:1", Header: http.Header{}, Query: q, Form: form, Body: []byte(body)}
		if verdict(t, asSent) == nil {
			t.Fatalf("%q %q was accepted, of another time", query, body)
		}
		r := asSent
		for name, values := range rpcRequest(testKeys()["testAK"], noon, "n").Form {
			r.Query.Del(name)
			r.Form[name] = values
		}
		resign(&r, "testSecret")
		if err := verdict(t, r); err != nil {
			t.Fatalf("%q %q was refused: %v", query, body, err)
		}
		if more == "Signature" || more == "SignatureVersion" || more == "SignatureMethod" {
			return
		}
		r.Form[more] = append(slices.Clone(r.Form[more]), "more")
		if verdict(t, r) == nil {
			t.Errorf("%q %q was accepted with one %q more", query, body, more)
		}
	})
}

// FuzzVerifyACS3 does the same with the other scheme, whose header says itself
// what is signed.
func FuzzVerifyACS3(f *testing.F) {
	seedRequests(f, "ACS3", func(r recorded, query string) {
		f.Add(r.Headers.Get("Authorization"), query, r.Body, r.Headers.Get("User-Agent"))
	})
	f.Add("ACS3-HMAC-SHA256 Credential=,SignedHeaders=;;,Signature", "", "", "")
	f.Add("ACS3-HMAC-SHA256 Signature=00,Signature=zz,Credential=testAK,SignedHeaders=host;HOST;host", "a=b", "\x00", "\xff")
	f.Fuzz(func(t *testing.T, header, query, body, extra string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		r := acs3Request(testKeys()["testAK"], noon, "n", acs3Signed...)
		digest := sha256.Sum256([]byte(body))
		r.Query, r.Body = q, []byte(body)
		r.Header.Set("x-acs-content-sha256", hex.EncodeToString(digest[:]))
		r.Header.Set("x-acs-extra", extra)
		asSent := r
		asSent.Header = r.Header.Clone()
		asSent.Header.Set("Authorization", header)
		signed := append(slices.Clone(acs3Signed), "x-acs-extra")
		signACS3(&r, testKeys()["testAK"], signed)
		if asSent.Header.Get("Authorization") != r.Header.Get("Authorization") && IsACS3(header) && verdict(t, asSent) == nil {
			t.Fatalf("%q was accepted", header)
		}
		if err := verdict(t, r); err != nil {
			t.Fatalf("%q %q %q was refused: %v", query, body, extra, err)
		}
		r.Header.Set("x-acs-extra", extra+"x")
		if verdict(t, r) == nil {
			t.Errorf("%q was accepted with another header", query)
		}
	})
}
