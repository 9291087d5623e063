package image

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheHostsOwnSourcesOfTheReleaseAreUsed(t *testing.T) {
	t.Parallel()
	etc := t.TempDir()
	write(t, filepath.Join(etc, "sources.list"), `# comment
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/debian-security bookworm-security main # trailing
deb http://mirror.example/debian trixie main
deb http://mirror.example/debian bookworm-backports main
deb cdrom:[Debian 12]/ bookworm main
deb [signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.example/apt bookworm main
deb https://vendor.example/docker bookworm stable
`)
	write(t, filepath.Join(etc, "sources.list.d", "debian.sources"), `Types: deb deb-src
URIs: http://snapshot.example/debian
 http://second.example/debian
Suites: bookworm bookworm-updates trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

# off
Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main
`)
	got, err := hostSources(etc, "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	want := stanza("http://mirror.example/debian", "bookworm", "") +
		stanza("http://mirror.example/debian-security", "bookworm-security", "") +
		stanza("http://snapshot.example/debian http://second.example/debian", "bookworm bookworm-updates",
			"\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc")
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestAHostWithoutSourcesOfTheReleaseUsesDebiansArchive(t *testing.T) {
	t.Parallel()
	etc := t.TempDir()
	write(t, filepath.Join(etc, "sources.list"), "deb http://archive.ubuntu.com/ubuntu jammy main\n")
	got, err := hostSources(etc, "bookworm")
	if err != nil || !strings.Contains(got, "http://deb.debian.org/debian\n") || strings.Contains(got, "ubuntu") {
		t.Errorf("got %s, %v", got, err)
	}
}

func FuzzSources(f *testing.F) {
	f.Add("deb [a=b signed-by=/x] http://m/debian bookworm main")
	f.Add("Types: deb\nURIs: http://m\n http://n\nSuites: bookworm\nComponents: main\nSigned-By: x\n\n: \n x")
	f.Add("deb [ http://m bookworm main")
	f.Fuzz(func(t *testing.T, text string) {
		for _, out := range []string{pickLines(text, "bookworm"), pickStanzas(text, "bookworm")} {
			for _, fields := range deb822(out) {
				for _, suite := range strings.Fields(fields["suites"]) {
					if !ofSuite(suite, "bookworm") {
						t.Errorf("suite %q from %q", suite, text)
					}
				}
				if fields["components"] != "main" || fields["types"] != "deb" {
					t.Errorf("stanza %v from %q", fields, text)
				}
			}
		}
	})
}

func TestOnlyOptionsForReachingTheArchiveAreTakenOver(t *testing.T) {
	t.Parallel()
	got := pickOptions(`APT "";
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy.example:3128/";
Acquire::https::CAInfo "/etc/ssl/own.pem";
Acquire::Check-Valid-Until "false";
Acquire::AllowInsecureRepositories "true";
APT::Get::AllowUnauthenticated "true";
Acquire::http::Proxy "x"; DPkg::Pre-Invoke "touch /x";
`)
	want := []string{`Acquire::http::Proxy "http://proxy.example:3128/";`, `Acquire::https::CAInfo "/etc/ssl/own.pem";`, `Acquire::Check-Valid-Until "false";`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzPackages(f *testing.F) {
	f.Add([]byte("slurmd 22.05.8-4\nmunge 0.5\n\nbroken\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for name, version := range parsePackages(text) {
			if strings.ContainsAny(name, " \n") || strings.Contains(version, "\n") {
				t.Errorf("%q %q", name, version)
			}
		}
	})
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
