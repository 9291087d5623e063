package auth

import (
	"crypto/sha256"
	"math"
	"sync"
	"time"
)

const (
	// maxNonces bounds the memory of nonces to about 60 MB.
	maxNonces = 1_000_000
	// keyNonces is the part of it that one key may fill: more than 250 requests a
	// second for all of the window. What others sign is still accepted then.
	keyNonces = maxNonces / 4
)

// nonces remembers which nonces were used, per access key, for as long as the
// requests that carried them would still be in time.
type nonces struct {
	limit int // of all keys
	share int // of one key

	mu    sync.Mutex
	keys  map[string]*usedNonces
	total int
	swept time.Time // when what is outdated was last thrown away
}

// usedNonces are those of one key.
type usedNonces struct {
	until map[[16]byte]int64 // fingerprint -> unix second after which it may go
	next  int64              // the earliest second after which one may go
}

func newNonces(limit, share int) *nonces {
	return &nonces{limit: limit, share: share, keys: map[string]*usedNonces{}}
}

// use marks a nonce as used up to and including the second of until. A nonce
// that is in use, or a full memory, is a *Refusal.
func (n *nonces) use(now time.Time, keyID, nonce string, until time.Time) error {
	id := fingerprint(keyID, nonce)
	n.mu.Lock()
	defer n.mu.Unlock()
	if used := n.keys[keyID]; used != nil {
		if end, ok := used.until[id]; ok && end >= now.Unix() {
			return &Refusal{Reason: NonceUsed}
		}
	}
	full, next := n.full(keyID)
	if now.Sub(n.swept) >= time.Minute || full && next < now.Unix() {
		n.sweep(now)
		full, next = n.full(keyID)
	}
	if full {
		return &Refusal{Reason: Throttled, After: time.Unix(next+1, 0).Sub(now)}
	}
	n.add(keyID, id, until.Unix())
	return nil
}

// full tells whether there is no room for a nonce of the key, and after which
// second there is some.
func (n *nonces) full(keyID string) (full bool, next int64) {
	if used := n.keys[keyID]; used != nil && len(used.until) >= n.share {
		return true, used.next
	}
	if n.total < n.limit {
		return false, 0
	}
	next = math.MaxInt64
	for _, used := range n.keys {
		next = min(next, used.next)
	}
	return true, next
}

func (n *nonces) add(keyID string, id [16]byte, end int64) {
	used := n.keys[keyID]
	if used == nil {
		used = &usedNonces{until: map[[16]byte]int64{}, next: end}
		n.keys[keyID] = used
	}
	if _, again := used.until[id]; !again {
		n.total++
	}
	used.until[id] = end
	used.next = min(used.next, end)
}

func (n *nonces) sweep(now time.Time) {
	n.swept, n.total = now, 0
	for keyID, used := range n.keys {
		used.sweep(now)
		n.total += len(used.until)
		if len(used.until) == 0 {
			delete(n.keys, keyID)
		}
	}
}

func (u *usedNonces) sweep(now time.Time) {
	u.next = math.MaxInt64
	for id, end := range u.until {
		if end < now.Unix() {
			delete(u.until, id)
			continue
		}
		u.next = min(u.next, end)
	}
}

// fingerprint keeps the memory of one nonce at 16 bytes, however long it is.
func fingerprint(keyID, nonce string) (id [16]byte) {
	digest := sha256.Sum256([]byte(keyID + "\x00" + nonce))
	copy(id[:], digest[:])
	return id
}
