package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"

	"ehpc/api"
	"ehpc/internal/action"
)

// maxToken is the length of a ClientToken, in characters.
const maxToken = 64

// bind checks the parameters and makes the action's request of them.
func (s *server) bind(x *exchange) error {
	params := url.Values{}
	for _, set := range []url.Values{x.signed.Query, x.signed.Form} {
		for name, values := range set {
			params[name] = append(params[name], values...)
		}
	}
	if params.Get("RegionId") == "" && s.Region != "" {
		params.Set("RegionId", s.Region)
	}
	var err error
	x.request, err = api.Bind(x.action, params)
	token := params.Get("ClientToken")
	if x.action.ReadOnly {
		token = ""
	}
	if err := withTokenFault(token, err); err != nil {
		return err
	}
	x.call = action.Call{
		RequestID:   x.id,
		Action:      x.action.Name,
		AccessKey:   x.key.ID,
		Owner:       x.key.Owner,
		ClientToken: token,
		Terraform:   strings.Contains(x.http.UserAgent(), "Terraform-Provider/"),
	}
	if token != "" { // else nothing is compared with it
		x.call.ParamsHash = paramsHash(x.key.Secret, params)
	}
	return nil
}

// withTokenFault adds what is wrong with a client token, which the catalogue
// lists for few of the actions that take it, to the other faults of a request.
func withTokenFault(token string, err error) error {
	if validToken(token) {
		return err
	}
	fault := api.InvalidParams.Errorf("ClientToken must have at most %d ASCII characters.", maxToken)
	var others *api.Error
	if !errors.As(err, &others) {
		return fault
	}
	return others.Code.Errorf("%s %s", others.Message, fault.Message)
}

func validToken(token string) bool {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return false
		}
	}
	return len(token) <= maxToken
}

// unhashed are the parameters that differ when a request is repeated.
var unhashed = []string{
	"AccessKeyId", "Action", "ClientToken", "Format", "SecurityToken", "Signature", "SignatureMethod",
	"SignatureNonce", "SignatureType", "SignatureVersion", "Timestamp", "Version",
}

// paramsHash tells requests with other parameters from repeated ones. It is kept
// in the store and parameters may be secret, so it takes the access key's secret
// to compute it.
func paramsHash(secret string, params url.Values) string {
	own := url.Values{}
	for name, values := range params {
		if len(values) != 1 || values[0] != "" {
			own[name] = values
		}
	}
	for _, name := range unhashed {
		own.Del(name)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(own.Encode()))
	return hex.EncodeToString(mac.Sum(nil))
}
