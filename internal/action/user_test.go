package action

import (
	"fmt"
	"testing"

	"ehpc/api"
	"ehpc/internal/auth"
)

func TestEveryUserGetsTheHashOfTheirOwnPassword(t *testing.T) {
	t.Parallel()
	users := make([]api.AddUsersRequestUser, 5)
	for i := range users {
		users[i] = api.AddUsersRequestUser{Name: fmt.Sprintf("user%d", i), Password: fmt.Sprintf("Secret-%d", i)}
	}
	hashes, err := hashPasswords(users)
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range users {
		if ok, err := auth.CheckPassword(hashes[i], u.Password); err != nil || !ok {
			t.Errorf("%s: %q is not the password's hash (%v)", u.Name, hashes[i], err)
		}
	}
	if _, err := hashPasswords([]api.AddUsersRequestUser{users[0], {Password: "a\x00b"}}); err == nil {
		t.Error("a password that cannot be hashed was let through")
	}
}
