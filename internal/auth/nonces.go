package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxNonces bounds the memory of nonces to about 60 MB.
const maxNonces = 1_000_000

// nonces remembers which nonces were used, per access key, for as long as the
// requests that carried them would still be in time.
type nonces struct {
	limit int

	mu    sync.Mutex
	used  map[[16]byte]int64 // fingerprint -> unix second after which it may go
	swept time.Time          // when what is outdated was last thrown away
	next  int64              // the earliest second at which a sweep frees something
}

func newNonces(limit int) *nonces {
	return &nonces{limit: limit, used: map[[16]byte]int64{}}
}

// use marks a nonce as used up to and including the second of until. A nonce
// that is in use, or a full memory, is a *Refusal.
func (n *nonces) use(now time.Time, keyID, nonce string, until time.Time) error {
	id := fingerprint(keyID, nonce)
	n.mu.Lock()
	defer n.mu.Unlock()
	if end, ok := n.used[id]; ok && end >= now.Unix() {
		return &Refusal{Reason: NonceUsed}
	}
	if now.Sub(n.swept) >= time.Minute || len(n.used) >= n.limit && n.next < now.Unix() {
		n.sweep(now)
	}
	if len(n.used) >= n.limit {
		return &Refusal{Reason: Throttled, After: time.Unix(n.next+1, 0).Sub(now)}
	}
	n.used[id] = until.Unix()
	n.next = min(n.next, until.Unix())
	return nil
}

func (n *nonces) sweep(now time.Time) {
	n.swept = now
	n.next = now.Add(2 * Window).Unix()
	for id, end := range n.used {
		if end < now.Unix() {
			delete(n.used, id)
			continue
		}
		n.next = min(n.next, end)
	}
}

// fingerprint keeps the memory of one nonce at 16 bytes, however long it is.
func fingerprint(keyID, nonce string) (id [16]byte) {
	digest := sha256.Sum256([]byte(keyID + "\x00" + nonce))
	copy(id[:], digest[:])
	return id
}
