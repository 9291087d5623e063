package auth

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Window is how far a request's time may lie from ours, either way.
const Window = 15 * time.Minute

// Request is a request on "/" as far as signatures cover it. Parameters are
// decoded.
type Request struct {
	Method string
	Host   string // as sent, with the port
	Header http.Header
	Query  url.Values
	Form   url.Values // of a form body
	Body   []byte     // as sent
}

// param is a parameter of the query or, failing that, of the form.
func (r Request) param(name string) string {
	if values := r.Query[name]; len(values) > 0 {
		return values[0]
	}
	return r.Form.Get(name)
}

// header is a header's trimmed value; several lines of one name are joined.
func (r Request) header(name string) string {
	if name == "host" {
		return r.Host
	}
	return strings.TrimSpace(strings.Join(r.Header.Values(name), ","))
}

// claim is what a request says of its signer, whatever the scheme.
type claim struct {
	keyID, nonce string
	stamp        time.Time
	sound        bool   // what the signature vouches for by hash is as it says
	given        []byte // the signature that came, nil when undecodable
	stringToSign string
	sign         func(secret string) []byte
}

// Verifier tells whose key signed a request, each request once.
type Verifier struct {
	keys    KeySource
	started time.Time
	nobody  Key // stands in for keys that do not exist
	nonces  *nonces
}

// NewVerifier verifies against the keys of the source. Requests signed before
// started are refused, since what was accepted before it is not remembered.
// Times of requests have whole seconds, so the second of the start itself is
// accepted from its beginning; what is left open is a replay across a restart
// within one second of the request.
func NewVerifier(keys KeySource, started time.Time) *Verifier {
	return &Verifier{
		keys:    keys,
		started: started.Truncate(time.Second),
		nobody:  NewKey(""),
		nonces:  newNonces(maxNonces, keyNonces),
	}
}

// Verify returns the key that signed the request. Requests that are not
// accepted get a *Refusal; any other error is the key source's. An unknown key
// takes the same path as a wrong signature, against a secret nobody has.
func (v *Verifier) Verify(ctx context.Context, now time.Time, r Request) (Key, error) {
	claim, err := readClaim(r)
	if err != nil {
		return Key{}, err
	}
	if claim.stamp.Before(v.started) || claim.stamp.Before(now.Add(-Window)) || claim.stamp.After(now.Add(Window)) {
		return Key{}, &Refusal{Reason: Expired}
	}
	key, err := v.keys.SecretOf(ctx, claim.keyID)
	unknown := errors.Is(err, ErrUnknownKey)
	if unknown {
		key = v.nobody
	} else if err != nil {
		return Key{}, fmt.Errorf("cannot look up access key %q: %w", claim.keyID, err)
	}
	matches := hmac.Equal(claim.given, claim.sign(key.Secret)) && claim.sound
	switch {
	case unknown:
		return Key{}, &Refusal{Reason: UnknownKey}
	case !matches:
		return Key{}, &Refusal{Reason: Mismatch, StringToSign: claim.stringToSign}
	case !key.Enabled:
		return Key{}, &Refusal{Reason: Disabled}
	}
	return key, v.nonces.use(now, key.ID, claim.nonce, claim.stamp.Add(Window))
}

func readClaim(r Request) (claim, error) {
	if IsACS3(r.Header.Get("Authorization")) {
		return acs3Claim(r)
	}
	return rpcClaim(r)
}

// parseStamp reads UTC times as "2026-11-23T07:08:53Z", nothing else.
func parseStamp(text string) (time.Time, error) {
	const layout = "2006-01-02T15:04:05Z"
	if len(text) != len(layout) {
		return time.Time{}, fmt.Errorf("cannot read time %q", text)
	}
	return time.Parse(layout, text)
}
