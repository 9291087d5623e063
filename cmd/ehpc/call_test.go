package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ehpc/api"
)

func TestCall(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("Secret-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newService(t, map[string][]any{"AddUsers": {api.AddUsersResponse{RequestId: "R"}}, "ListClusters": {clusters("lab")}})

	t.Run("sends parameters as they are and secrets from files", func(t *testing.T) {
		s.run("", nil, "call", "AddUsers", "--ClusterId", "ehpc-hz-1", "--User.1.Name=@@lovelace", "--User.1.Password", "@"+secret).
			want(t, 0, `"RequestId": "R"`, "")
		in := s.request("AddUsers")
		if in.Get("User.1.Name") != "@lovelace" || in.Get("User.1.Password") != "Secret-1" {
			t.Errorf("sent %v", in)
		}
	})
	t.Run("takes the connection's flags among the parameters", func(t *testing.T) {
		s.run("", []string{envEndpoint, "127.0.0.1:1"}, "call", "ListClusters", "--PageSize", "5", "--endpoint", s.address).want(t, 0, `"lab"`, "")
	})
	t.Run("describes an action", func(t *testing.T) {
		s.run("", nil, "call", "AddUsers", "--help").want(t, 0, "--User.N.Group     string   required", "")
	})
	t.Run("lists every action", func(t *testing.T) {
		got := s.run("", nil, "call")
		for _, a := range api.Actions() {
			if !strings.Contains(got.out, "  "+a.Name+" ") {
				t.Errorf("%s is not listed", a.Name)
			}
		}
	})
}

func TestCredentialsFile(t *testing.T) {
	t.Parallel()
	read := func(t *testing.T, text string) (map[string]string, error) {
		path := filepath.Join(t.TempDir(), "credentials.env")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return readCredentials(path)
	}
	t.Run("quotes, export and comments are allowed", func(t *testing.T) {
		got, err := read(t, "# ours\nexport EHPC_ENDPOINT=\"http://127.0.0.1:1\"\n\nEHPC_REGION='cn-hangzhou'\nX=a=b\n")
		if err != nil || got[envEndpoint] != "http://127.0.0.1:1" || got[envRegion] != "cn-hangzhou" || got["X"] != "a=b" {
			t.Errorf("%v %v", got, err)
		}
	})
	t.Run("a line that is none is named", func(t *testing.T) {
		if _, err := read(t, "A=1\nnonsense\n"); err == nil || !strings.Contains(err.Error(), "credentials.env:2") {
			t.Errorf("%v", err)
		}
	})
}

func FuzzShellQuote(f *testing.F) {
	for _, s := range []string{"", "a", "it's", "a b", "$(x)", "-n", "\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := shellQuote(s)
		if q == s {
			if s == "" || strings.ContainsAny(s, " \t\n'\"$`\\;&|<>()*?[]#~!{}") {
				t.Errorf("%q is not quoted", s)
			}
			return
		}
		inner, ok := strings.CutPrefix(q, "'")
		inner, ok2 := strings.CutSuffix(inner, "'")
		if !ok || !ok2 || strings.ReplaceAll(inner, `'\''`, "'") != s || strings.Contains(strings.ReplaceAll(inner, `'\''`, ""), "'") {
			t.Errorf("%q became %q", s, q)
		}
	})
}
