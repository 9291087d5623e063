package server

import (
	"errors"
	"time"

	"ehpc/api"
	"ehpc/internal/auth"
)

// authenticate finds out whose request it is, before anything else about it is
// told.
func (s *server) authenticate(x *exchange) (err error) {
	x.key, err = s.verifier.Verify(x.http.Context(), time.Now(), x.signed)
	var refusal *auth.Refusal
	if errors.As(err, &refusal) {
		return refused(refusal)
	}
	return err
}

// refused words a refusal as clients know it.
func refused(r *auth.Refusal) *api.Error {
	switch r.Reason {
	case auth.Missing:
		return api.Missing(r.Name).Errorf("%s is mandatory for this action.", r.Name)
	case auth.Expired:
		return api.InvalidTimeStampExpired.Errorf("Specified time stamp or date value is expired.")
	case auth.UnknownKey:
		return api.InvalidAccessKeyIdNotFound.Errorf("Specified access key is not found.")
	case auth.Disabled:
		return api.InvalidAccessKeyIdInactive.Errorf("Specified access key is disabled.")
	case auth.Mismatch:
		// Official SDKs compare the text after the colon with their own.
		return api.SignatureDoesNotMatch.Errorf("Specified signature is not matched with our calculation. server string to sign is:%s", r.StringToSign)
	case auth.NonceUsed:
		return api.SignatureNonceUsed.Errorf("Specified signature nonce was used already.")
	case auth.Throttled:
		return api.ThrottlingUser.Errorf("Request was denied due to user flow control: %w", r)
	}
	return api.IncompleteSignature.Errorf("%s is not of a form that is known.", r.Name)
}
