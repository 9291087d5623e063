package auth

import (
	"fmt"
	"time"
)

// Reason is why a request was refused.
type Reason string

const (
	Missing    Reason = "missing"     // a parameter or header that signing needs is not there
	Malformed  Reason = "malformed"   // one is there and cannot be understood
	Expired    Reason = "expired"     // signed too long ago, too far ahead or before the process started
	UnknownKey Reason = "unknown key" // no such access key
	Disabled   Reason = "disabled"    // rightly signed with a key that was disabled
	Mismatch   Reason = "mismatch"    // the signature is not the one we calculate
	NonceUsed  Reason = "nonce used"  // rightly signed and seen before
	Throttled  Reason = "throttled"   // rightly signed, but the memory of nonces is full
)

// Refusal is the error of a request that is not accepted as its key's.
type Refusal struct {
	Reason       Reason
	Name         string        // Missing, Malformed: the parameter or header
	StringToSign string        // Mismatch: what the signature should have been made of
	After        time.Duration // Throttled: when to try again
}

func (r *Refusal) Error() string {
	if r.Name != "" {
		return fmt.Sprintf("cannot accept the request: %s %s", r.Reason, r.Name)
	}
	return fmt.Sprintf("cannot accept the request: %s", r.Reason)
}

// RetryAfter is when the request may be tried again, 0 when waiting does not help.
func (r *Refusal) RetryAfter() time.Duration { return r.After }
