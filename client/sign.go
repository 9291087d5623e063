package client

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// sign returns the parameters with what the RPC v1 signature needs, and the
// signature itself. The nonce is new with every call.
func (c *Client) sign(method string, params url.Values, now time.Time) url.Values {
	signed := url.Values{}
	maps.Copy(signed, params)
	signed.Set("AccessKeyId", c.config.AccessKeyID)
	signed.Set("SignatureMethod", "HMAC-SHA256")
	signed.Set("SignatureVersion", "1.0")
	signed.Set("SignatureNonce", randomID())
	signed.Set("Timestamp", now.UTC().Format("2006-01-02T15:04:05Z"))
	if c.config.SecurityToken != "" {
		signed.Set("SecurityToken", c.config.SecurityToken)
	}
	signed.Del("Signature")
	mac := hmac.New(sha256.New, []byte(c.config.AccessKeySecret+"&"))
	mac.Write([]byte(stringToSign(method, signed)))
	signed.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return signed
}

func stringToSign(method string, params url.Values) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(params)) {
		for _, value := range params[key] {
			pairs = append(pairs, pct(key)+"="+pct(value))
		}
	}
	return method + "&%2F&" + pct(strings.Join(pairs, "&"))
}

// pct escapes as RFC 3986 does; url.QueryEscape differs in the space alone.
func pct(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// randomID returns 32 random hexadecimal digits.
func randomID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}
