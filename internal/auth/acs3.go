package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"
)

const acs3Scheme = "ACS3-HMAC-SHA256"

// acs3Signed are the headers that must be among the signed ones: with any of
// them unsigned a request could be turned into another.
var acs3Signed = []string{
	"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256",
}

// IsACS3 tells whether a request is signed with ACS3, by its Authorization
// header; its action and version then come from headers alone.
func IsACS3(authorization string) bool {
	scheme, _, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	return scheme == acs3Scheme
}

// authorization is the content of an Authorization header of ACS3.
type authorization struct {
	credential string
	signed     []string // header names, lower case, in the client's order
	signature  string
}

// parseAuthorization reads "ACS3-HMAC-SHA256 Credential=…,SignedHeaders=a;b,Signature=…".
func parseAuthorization(header string) (authorization, error) {
	var a authorization
	_, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			a.credential = value
		case "SignedHeaders":
			a.signed = strings.Split(strings.ToLower(value), ";")
		case "Signature":
			a.signature = value
		}
	}
	if a.credential == "" || a.signature == "" || len(a.signed) == 0 {
		return authorization{}, &Refusal{Reason: Malformed, Name: "Authorization"}
	}
	return a, nil
}

// acs3Claim reads what a request signed with ACS3 says of its signer.
func acs3Claim(r Request) (claim, error) {
	auth, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return claim{}, err
	}
	for _, name := range acs3Signed {
		if r.header(name) == "" || !slices.Contains(auth.signed, name) {
			return claim{}, &Refusal{Reason: Missing, Name: name}
		}
	}
	stamp, err := parseStamp(r.header("x-acs-date"))
	if err != nil {
		return claim{}, &Refusal{Reason: Malformed, Name: "x-acs-date"}
	}
	digest := sha256.Sum256(r.Body)
	bodyHash := hex.EncodeToString(digest[:])
	given, _ := hex.DecodeString(auth.signature)
	text := acs3StringToSign(acs3Canonical(r, auth.signed, bodyHash))
	return claim{
		keyID:        auth.credential,
		nonce:        r.header("x-acs-signature-nonce"),
		stamp:        stamp,
		sound:        subtle.ConstantTimeCompare([]byte(bodyHash), []byte(r.header("x-acs-content-sha256"))) == 1,
		given:        given,
		stringToSign: text,
		sign:         func(secret string) []byte { return sum(sha256.New, secret, text) },
	}, nil
}

func acs3Canonical(r Request, signed []string, bodyHash string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n/\n" + canonical("", r.Query) + "\n")
	for _, name := range signed {
		b.WriteString(name + ":" + r.header(name) + "\n")
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + bodyHash)
	return b.String()
}

func acs3StringToSign(canonical string) string {
	digest := sha256.Sum256([]byte(canonical))
	return acs3Scheme + "\n" + hex.EncodeToString(digest[:])
}
