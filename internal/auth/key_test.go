package auth

import (
	"regexp"
	"testing"
)

func TestNewKeysLookLikeAccessKeysAndDiffer(t *testing.T) {
	t.Parallel()
	id, secret := regexp.MustCompile(`^LTAI[0-9A-Za-z]{20}$`), regexp.MustCompile(`^[0-9A-Za-z]{30}$`)
	seen := map[string]bool{}
	letters := map[rune]bool{}
	for range 200 {
		key := NewKey("me")
		if !id.MatchString(key.ID) || !secret.MatchString(key.Secret) || key.Owner != "me" || !key.Enabled {
			t.Fatalf("got %+v", key)
		}
		if seen[key.ID] || seen[key.Secret] {
			t.Fatalf("%+v was made twice", key)
		}
		seen[key.ID], seen[key.Secret] = true, true
		for _, c := range key.Secret {
			letters[c] = true
		}
	}
	if len(letters) != 62 {
		t.Errorf("200 secrets use %d of 62 characters", len(letters))
	}
}
