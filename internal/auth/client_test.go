package auth_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"ehpc/client"
	"ehpc/internal/auth"
)

type oneKey auth.Key

func (k oneKey) SecretOf(_ context.Context, id string) (auth.Key, error) {
	if id != k.ID {
		return auth.Key{}, auth.ErrUnknownKey
	}
	return auth.Key(k), nil
}

func TestOurOwnClientsSignatureIsRight(t *testing.T) {
	t.Parallel()
	key := auth.NewKey("me")
	verifier := auth.NewVerifier(oneKey(key), time.Now())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		got, err := verifier.Verify(r.Context(), time.Now(), auth.Request{Method: r.Method, Host: r.Host,
			Header: r.Header, Query: r.URL.Query(), Form: form, Body: body})
		if err != nil || got != key {
			t.Errorf("verified as %+v: %v", got, err)
		}
		io.WriteString(w, "{}")
	}))
	defer server.Close()
	c, err := client.New(client.Config{Endpoint: server.URL, AccessKeyID: key.ID, AccessKeySecret: key.Secret, SecurityToken: "tok+/="})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.Call(t.Context(), "ListClusters", url.Values{
			"Name": {"测试 cluster+1"}, "Odd": {"a&b=c d*~+%/é(!)'\x00\xff"}, "Empty": {""},
			"Instance.10.Id": {"x"}, "Instance.2.Id": {"y"}, "Twice": {"b", "a"},
		}); err != nil {
			t.Error(err)
		}
	}
}
