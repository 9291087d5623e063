package fetch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var here = netip.MustParsePrefix("127.0.0.1/32")

// hosts is a resolver that knows these names alone.
func hosts(names map[string]string) Lookup {
	return func(_ context.Context, host string) ([]netip.Addr, error) {
		if text, known := names[host]; known {
			return []netip.Addr{netip.MustParseAddr(text)}, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, Server: "10.9.8.7:53", IsNotFound: true}
	}
}

func get(t *testing.T, f *Fetcher, text string) ([]byte, error) {
	t.Helper()
	u, _, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return f.Get(t.Context(), u)
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func TestAFileIsFetched(t *testing.T) {
	t.Parallel()
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved.txt":
			http.Redirect(w, r, "/in.txt?signature=s", http.StatusFound) // as to another host
		case "/in.txt":
			fmt.Fprint(w, "input ", r.URL.RawQuery, r.Referer()) // which would hold the query that led here
		}
	})
	f := New(Limits{Bytes: 100, Time: 5 * time.Second, Allow: []netip.Prefix{here}}, hosts(map[string]string{"files.example": "127.0.0.1"}))
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(base, "http://"))
	for _, text := range []string{base + "/in.txt?signature=s", base + "/moved.txt?signature=t", "http://files.example:" + port + "/in.txt?signature=s"} {
		if content, err := get(t, f, text); err != nil || string(content) != "input signature=s" {
			t.Errorf("%s: %q, %v", text, content, err)
		}
	}
}

func TestWhatIsNotFetched(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32 // on the address that is not allowed
	forbidden := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	var err error
	if forbidden.Listener, err = net.Listen("tcp", "127.0.0.2:0"); err != nil {
		t.Fatal(err)
	}
	forbidden.Start()
	t.Cleanup(forbidden.Close)
	_, port, _ := net.SplitHostPort(forbidden.Listener.Addr().String())
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			w.Write(make([]byte, 101))
		case "/endless":
			for w.(http.Flusher).Flush(); r.Context().Err() == nil; {
				w.Write(make([]byte, 50))
				w.(http.Flusher).Flush()
			}
		case "/slow":
			w.(http.Flusher).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "/short":
			w.Header().Set("Content-Length", "50")
			w.Write(make([]byte, 10))
		case "/away":
			http.Redirect(w, r, forbidden.URL+"/x", http.StatusFound)
		case "/named":
			http.Redirect(w, r, "http://inside.example:"+port+"/x", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
	f := New(Limits{Bytes: 100, Time: 400 * time.Millisecond, Allow: []netip.Prefix{here}},
		hosts(map[string]string{"ten.example": "10.1.2.3", "inside.example": "127.0.0.2", "mapped.example": "::ffff:127.0.0.2"}))
	for _, c := range []struct{ name, url, says string }{
		{"what is not there", base + "/none?signature=secret", "404 Not Found"},
		{"a file that is too large", base + "/large", "larger than 100 bytes"},
		{"a file without an end", base + "/endless", "larger than 100 bytes"},
		{"a server that is too slow", base + "/slow", "not fetched within 400ms"},
		{"a file that breaks off", base + "/short", "broke off"},
		{"a redirect to an address that is not public", base + "/away", "127.0.0.2, which is not a public address"},
		{"a redirect to a name of one", base + "/named", "127.0.0.2, which is not a public address"},
		{"a redirect to a file of the service's", base + "/file", "only http and https"},
		{"redirects in a circle", base + "/round", "more than 5 times"},
		{"a private address", "http://10.1.2.3/x", "10.1.2.3, which is not a public address"},
		{"a name of a private address", "http://ten.example/x", "10.1.2.3, which is not a public address"},
		{"a name of a mapped address", "http://mapped.example:" + port + "/x", "127.0.0.2, which is not a public address"},
		{"an allowed address in its mapped form", "http://[::ffff:127.0.0.1]/x", "not a public address"},
		{"loopback of IPv6", "http://[::1]/x", "not a public address"},
		{"a name that is not there", "http://none.example/x?signature=secret", "there is no host none.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			content, err := get(t, f, c.url)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%d bytes, %v, want %q", len(content), err, c.says)
			}
			for _, secret := range []string{"secret", "10.9.8.7"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%v tells %s", err, secret)
				}
			}
		})
	}
	t.Cleanup(func() {
		if n := reached.Load(); n != 0 {
			t.Errorf("the forbidden address was reached %d times", n)
		}
	})
}

func TestAnEncryptedFileIsNotLedAway(t *testing.T) {
	t.Parallel()
	at := func(text string) *http.Request {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Request{URL: u}
	}
	if err := checkRedirect(at("http://b.example/x"), []*http.Request{at("https://a.example/x")}); err == nil || !strings.Contains(err.Error(), "from https to http") {
		t.Errorf("%v", err)
	}
	for _, from := range []string{"http://a.example/x", "https://a.example/x"} {
		if err := checkRedirect(at("https://b.example/x"), []*http.Request{at(from)}); err != nil {
			t.Errorf("from %s: %v", from, err)
		}
	}
}

// A name may lead elsewhere the next time it is asked for; only the address that
// was checked is dialled.
func TestANameIsLookedUpOncePerConnection(t *testing.T) {
	t.Parallel()
	base := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(base, "http://"))
	asked := 0
	rebinding := func(context.Context, string) ([]netip.Addr, error) {
		asked++
		return []netip.Addr{netip.MustParseAddr(map[bool]string{true: "127.0.0.1", false: "127.0.0.2"}[asked == 1])}, nil
	}
	f := New(Limits{Bytes: 100, Time: 5 * time.Second, Allow: []netip.Prefix{here}}, rebinding)
	if content, err := get(t, f, "http://rebinding.example:"+port+"/x"); err != nil || string(content) != "ok" || asked != 1 {
		t.Errorf("%q, %v, asked %d times", content, err, asked)
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.255.255", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1"} {
		if !public(netip.MustParseAddr(text)) {
			t.Errorf("%s is not public", text)
		}
	}
	for _, text := range []string{"0.0.0.0", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1", "169.254.169.254", "172.16.0.1",
		"172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "fc00::1", "fd12::1", "fe80::1",
		"fe80::1%eth0", "2606:4700::1111%eth0", "fec0::1", "ff02::1", "3fff::1"} {
		if public(netip.MustParseAddr(text)) {
			t.Errorf("%s is public", text)
		}
	}
}

func TestBadURLs(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"ftp://example.org/x":     "only http and https",
		"file:///etc/passwd":      "only http and https",
		"/etc/passwd":             "only http and https",
		"http:///x":               "no host",
		"http://example.org":      "name of a file",
		"http://example.org/a/":   "name of a file",
		"http://example.org/a/..": "name of a file",
		"http://example.org/%0a":  "what no name should",
		"http://example.org/%ff":  "what no name should",
		"http://[::1/x":           "no URL",
		"http://example.org/" + strings.Repeat("x", 256):        "longer than 255 bytes",
		"http://example.org/x?" + strings.Repeat("x", urlLimit): "longer than",
	} {
		if _, name, err := Parse(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.60s: %q, %v, want %q", text, name, err, says)
		}
	}
	for text, want := range map[string]string{"https://example.org/a/in%20put.tar.gz?x=1#y": "in put.tar.gz", "http://example.org/a%2Fb": "b", "http://example.org/数据": "数据"} {
		if _, name, err := Parse(text); err != nil || name != want {
			t.Errorf("%s: %q, %v", text, name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"http://example.org/x", "https://u:p@[2001:db8::1%25eth0]:8/a/..%2f..?q#f", "http://example.org/\x00", "//x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, name, err := Parse(text)
		if err != nil {
			return
		}
		if _, err := url.Parse(u.String()); err != nil || name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00\n") || len(name) > nameLimit {
			t.Errorf("%q leads to the file %q, %v", text, name, err)
		}
	})
}
