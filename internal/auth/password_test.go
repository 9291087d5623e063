package auth

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHashesAreThoseOfTheSystemsCrypt(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"Pass-w0rd", "", "ünïcode 密码", strings.Repeat("long", 100)} {
		hash, err := HashPassword(password)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("perl", "-e", `print crypt($ARGV[0], $ARGV[1])`, password, hash).Output()
		if err != nil {
			t.Fatalf("cannot ask the system's crypt(3) through perl: %v", err)
		}
		if string(out) != hash {
			t.Errorf("crypt(3) makes %s of %q instead of %s", out, password, hash)
		}
		if ok, err := CheckPassword(hash, password); !ok || err != nil {
			t.Errorf("its own password %q: %v, %v", password, ok, err)
		}
		if ok, err := CheckPassword(hash, password+"x"); ok || err != nil {
			t.Errorf("a wrong password: %v, %v", ok, err)
		}
	}
}

func TestSHA512HashesAreAcceptedToo(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("perl", "-e", `print crypt("Pass-w0rd", q($6$saltsalt$))`).Output()
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := CheckPassword(string(out), "Pass-w0rd"); !ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestABadPasswordOrHashIsAnError(t *testing.T) {
	t.Parallel()
	if hash, err := HashPassword("a\x00b"); err == nil {
		t.Errorf("a password with a NUL byte was hashed as %s", hash)
	}
	for _, hash := range []string{"", "!", "$y$", "$y$j8T$§§$x", "$1$salt$hash", "plain"} {
		if ok, err := CheckPassword(hash, "x"); ok || err == nil {
			t.Errorf("hash %q: got %v, %v", hash, ok, err)
		}
	}
}

const right, wrong = "Right-1", "Wrong-1"

func hashOf(t *testing.T, password string) string {
	t.Helper()
	hash, err := HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestARightPasswordIsRememberedForTenMinutes(t *testing.T) {
	t.Parallel()
	p, hash, now := NewPasswords(), hashOf(t, right), noon
	for range maxRemembered / 100 {
		if err := p.Check(t.Context(), now, "k", "c/u", hash, right); err != nil {
			t.Fatal(err)
		}
	}
	mac := p.mac(hash, right)
	if !p.remembers(now.Add(rememberFor-time.Second), mac) || p.remembers(now.Add(rememberFor), mac) {
		t.Error("it is not remembered for exactly ten minutes")
	}
	if err := p.Check(t.Context(), now, "k", "c/u", hashOf(t, "New-pw1"), right); !errors.Is(err, ErrWrongPassword) {
		t.Errorf("after the password was changed the old one gets %v", err)
	}
}

func TestWrongPasswordsSlowThePairDown(t *testing.T) {
	t.Parallel()
	p, hash, now := NewPasswords(), hashOf(t, right), noon
	check := func(caller, account, password string) error {
		return p.Check(t.Context(), now, caller, account, hash, password)
	}
	for range freeGuesses {
		if err := check("k", "c/u", wrong); !errors.Is(err, ErrWrongPassword) {
			t.Fatalf("got %v", err)
		}
	}
	for _, wait := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		var slow *TooManyWrong
		if err := check("k", "c/u", right); !errors.As(err, &slow) || slow.After != time.Duration(wait)*time.Second {
			t.Fatalf("got %v instead of a wait of %d seconds", err, wait)
		}
		now = now.Add(slow.After)
		if err := check("k", "c/u", wrong); !errors.Is(err, ErrWrongPassword) {
			t.Fatalf("after waiting: %v", err)
		}
	}
	if err := check("k", "c/v", wrong); !errors.Is(err, ErrWrongPassword) {
		t.Errorf("another account is slowed down: %v", err)
	}
	if err := check("other", "c/u", right); err != nil {
		t.Errorf("another caller is slowed down: %v", err)
	}
	now = now.Add(forgiveAfter + time.Second)
	for range freeGuesses {
		if err := check("k", "c/u", wrong); !errors.Is(err, ErrWrongPassword) {
			t.Errorf("long after the last wrong password: %v", err)
		}
	}
}

func TestGuessingAtTheSameTimeGainsNothing(t *testing.T) {
	t.Parallel()
	p, hash := NewPasswords(), hashOf(t, right)
	var mu sync.Mutex
	tried := 0
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			err := p.Check(t.Context(), noon, "k", "c/u", hash, fmt.Sprint(wrong, i))
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, ErrWrongPassword) {
				tried++
			}
		})
	}
	all.Wait()
	if tried != freeGuesses {
		t.Errorf("%d of 20 guesses were tried", tried)
	}
}

func TestManyRightChecksAtOnceAllPass(t *testing.T) {
	t.Parallel()
	p, hash := NewPasswords(), hashOf(t, right)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := p.Check(t.Context(), noon, "k", "c/u", hash, right); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestAWaitingCheckEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := NewPasswords()
	for range cap(p.cores) {
		p.cores <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Check(ctx, noon, "k", "c/u", hashOf(t, right), right); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTheMemoryOfPairsIsBounded(t *testing.T) {
	t.Parallel()
	p := NewPasswords()
	for i := range maxPairs + 10 {
		g := p.enter(noon, pair{"k", fmt.Sprint(i)})
		p.record(noon, g, false, [32]byte{})
		p.leave(g)
	}
	if len(p.pairs) > maxPairs {
		t.Errorf("it remembers %d pairs", len(p.pairs))
	}
}
