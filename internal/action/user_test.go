package action

import (
	"fmt"
	"testing"

	"ehpc/internal/auth"
)

func TestEveryUserGetsTheHashOfTheirOwnPassword(t *testing.T) {
	t.Parallel()
	passwords := make([]string, 5)
	for i := range passwords {
		passwords[i] = fmt.Sprintf("Secret-%d", i)
	}
	s := &Service{Passwords: auth.NewPasswords()}
	hashes, err := s.hashPasswords(t.Context(), passwords)
	if err != nil {
		t.Fatal(err)
	}
	for i, password := range passwords {
		if ok, err := auth.CheckPassword(hashes[i], password); err != nil || !ok {
			t.Errorf("%q is not the hash of %s (%v)", hashes[i], password, err)
		}
	}
	if _, err := s.hashPasswords(t.Context(), []string{passwords[0], "a\x00b"}); err == nil {
		t.Error("a password that cannot be hashed was let through")
	}
}
