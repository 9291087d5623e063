package auth

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
)

// rpcMethods are the accepted values of SignatureMethod.
var rpcMethods = map[string]func() hash.Hash{
	"HMAC-SHA1":   sha1.New,
	"HMAC-SHA256": sha256.New,
}

// rpcClaim reads what a request signed in the RPC v1 way says of its signer.
// Only parameters count: headers are not signed.
func rpcClaim(r Request) (claim, error) {
	for _, name := range []string{"AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"} {
		if r.param(name) == "" {
			return claim{}, &Refusal{Reason: Missing, Name: name}
		}
	}
	if r.param("SignatureVersion") != "1.0" {
		return claim{}, &Refusal{Reason: Malformed, Name: "SignatureVersion"}
	}
	newHash, ok := rpcMethods[r.param("SignatureMethod")]
	if !ok {
		return claim{}, &Refusal{Reason: Malformed, Name: "SignatureMethod"}
	}
	stamp, err := parseStamp(r.param("Timestamp"))
	if err != nil {
		return claim{}, &Refusal{Reason: Malformed, Name: "Timestamp"}
	}
	given, _ := base64.StdEncoding.DecodeString(r.param("Signature"))
	text := rpcStringToSign(r)
	return claim{
		keyID:        r.param("AccessKeyId"),
		nonce:        r.param("SignatureNonce"),
		stamp:        stamp,
		sound:        true,
		given:        given,
		stringToSign: text,
		sign:         func(secret string) []byte { return sum(newHash, secret+"&", text) },
	}, nil
}

func rpcStringToSign(r Request) string {
	return r.Method + "&%2F&" + pct(canonical("Signature", r.Query, r.Form))
}

func sum(newHash func() hash.Hash, key, text string) []byte {
	mac := hmac.New(newHash, []byte(key))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
