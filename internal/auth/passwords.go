package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// ErrWrongPassword is the answer to a wrong password.
var ErrWrongPassword = errors.New("wrong password")

// TooManyWrong is the answer to a pair of caller and account that guessed wrong
// too often, whatever the password is this time.
type TooManyWrong struct {
	After time.Duration // when to try again
}

func (e *TooManyWrong) Error() string {
	return fmt.Sprintf("too many wrong passwords: try again in %s", e.After.Round(time.Second))
}

// RetryAfter is when the pair may try again.
func (e *TooManyWrong) RetryAfter() time.Duration { return e.After }

const (
	rememberFor   = 10 * time.Minute
	maxRemembered = 10_000
	freeGuesses   = 3                // wrong passwords in a row without a delay
	maxDelay      = time.Minute      // of the delay that doubles from one second
	forgiveAfter  = 15 * time.Minute // after the last wrong password
	maxPairs      = 10_000
)

// Passwords checks accounts' passwords at a bounded cost: one check per core at
// a time, right passwords remembered for ten minutes as a MAC under a key of
// this process, wrong ones slowing down the pair of caller and account.
type Passwords struct {
	cores chan struct{}
	key   [32]byte

	mu         sync.Mutex
	remembered map[[32]byte]time.Time // MAC of hash and password -> until when
	pairs      map[pair]*guesses
}

type pair struct{ caller, account string }

// guesses is one pair's record of wrong passwords. Whoever holds turn checks.
type guesses struct {
	turn    chan struct{}
	waiting int // that hold or want the turn; guarded by Passwords.mu, as the rest
	wrong   int
	last    time.Time
}

// NewPasswords returns a checker that remembers nothing yet.
func NewPasswords() *Passwords {
	p := &Passwords{
		cores:      make(chan struct{}, runtime.NumCPU()),
		remembered: map[[32]byte]time.Time{},
		pairs:      map[pair]*guesses{},
	}
	rand.Read(p.key[:])
	return p
}

// Check returns nil if the hash is the password's. Otherwise the error is
// ErrWrongPassword, a *TooManyWrong, the context's, or the hash is unreadable.
// account must tell accounts of different clusters apart.
func (p *Passwords) Check(ctx context.Context, now time.Time, caller, account, hash, password string) error {
	mac := p.mac(hash, password)
	if p.remembers(now, mac) {
		return nil
	}
	g := p.enter(now, pair{caller, account})
	defer p.leave(g)
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.remembers(now, mac) { // by the one that had the turn before
		return nil
	}
	if wait := p.delay(now, g); wait > 0 {
		return &TooManyWrong{After: wait}
	}
	right, err := p.compute(ctx, hash, password)
	if err != nil {
		return err
	}
	p.record(now, g, right, mac)
	if !right {
		return ErrWrongPassword
	}
	return nil
}

func (p *Passwords) compute(ctx context.Context, hash, password string) (bool, error) {
	select {
	case p.cores <- struct{}{}:
		defer func() { <-p.cores }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return CheckPassword(hash, password)
}

// Hash is HashPassword, at the same bounded cost.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	select {
	case p.cores <- struct{}{}:
		defer func() { <-p.cores }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return HashPassword(password)
}

// mac binds a password to the stored hash: a new hash is checked anew.
func (p *Passwords) mac(hash, password string) (sum [32]byte) {
	m := hmac.New(sha256.New, p.key[:])
	fmt.Fprintf(m, "%d:%s%s", len(hash), hash, password)
	m.Sum(sum[:0])
	return sum
}

func (p *Passwords) remembers(now time.Time, mac [32]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, ok := p.remembered[mac]
	return ok && now.Before(until)
}

// enter finds or makes a pair's record and keeps it from being thrown away.
func (p *Passwords) enter(now time.Time, of pair) *guesses {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, ok := p.pairs[of]
	if !ok {
		if len(p.pairs) >= maxPairs {
			p.forgivePairs(now)
		}
		g = &guesses{turn: make(chan struct{}, 1)}
		p.pairs[of] = g
	}
	if now.Sub(g.last) > forgiveAfter {
		g.wrong = 0
	}
	g.waiting++
	return g
}

func (p *Passwords) leave(g *guesses) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g.waiting--
}

// forgivePairs makes room: records that hold nothing any more go, and if that
// frees nothing, the ones that are not in use, down to half.
func (p *Passwords) forgivePairs(now time.Time) {
	for of, g := range p.pairs {
		if g.waiting == 0 && (g.wrong == 0 || now.Sub(g.last) > forgiveAfter) {
			delete(p.pairs, of)
		}
	}
	if len(p.pairs) < maxPairs {
		return
	}
	for of, g := range p.pairs {
		if g.waiting == 0 {
			delete(p.pairs, of)
		}
		if len(p.pairs) <= maxPairs/2 {
			return
		}
	}
}

// delay is how long the pair must still wait after its wrong passwords.
func (p *Passwords) delay(now time.Time, g *guesses) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g.wrong < freeGuesses {
		return 0
	}
	wait := maxDelay
	if doublings := g.wrong - freeGuesses; doublings < 6 {
		wait = min(wait, time.Second<<doublings)
	}
	return g.last.Add(wait).Sub(now)
}

func (p *Passwords) record(now time.Time, g *guesses, right bool, mac [32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !right {
		g.wrong++
		g.last = now
		return
	}
	g.wrong = 0
	if len(p.remembered) >= maxRemembered {
		clear(p.remembered)
	}
	p.remembered[mac] = now.Add(rememberFor)
}
