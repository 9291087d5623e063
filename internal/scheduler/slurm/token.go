package slurm

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"time"
)

// tokenLife is how long the controller takes a token for: longer than one
// submission may last, and no longer than that needs.
const tokenLife = 2 * time.Minute

// accountToken is a JSON web token (HS256) that makes its bearer the account, to
// this cluster's controller.
func accountToken(key []byte, account string, now time.Time) string {
	claims, err := json.Marshal(struct {
		Issued  int64  `json:"iat"`
		Expires int64  `json:"exp"`
		Account string `json:"sun"` // Slurm's name for it
	}{now.Unix(), now.Add(tokenLife).Unix(), account})
	if err != nil {
		panic(err) // plain data always marshals
	}
	encoding := base64.RawURLEncoding
	text := encoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encoding.EncodeToString(claims)
	return text + "." + encoding.EncodeToString(signature(key, text))
}

// submitKey is what the submit plugin knows the agent by. It follows from the
// cluster's key, and does not tell it.
func submitKey(key []byte) string {
	return hex.EncodeToString(signature(key, "the agent submits"))
}

func signature(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
