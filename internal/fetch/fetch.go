// Package fetch reads files from URLs that callers name, for a service that
// stands where callers do not: it speaks to public addresses alone, unless others
// were allowed, and gives up on what is too large or too slow. It writes nothing.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits are what a file may cost.
type Limits struct {
	Bytes int64
	Time  time.Duration  // from the first name lookup to the last byte
	Allow []netip.Prefix // of addresses that are not public
}

const (
	redirectLimit = 5
	headerLimit   = 64 << 10
	urlLimit      = 8 << 10
	nameLimit     = 255 // of a file, in bytes
	atOnce        = 4   // files are held in memory
)

// Lookup finds the addresses of a host.
type Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

// Fetcher reads files.
type Fetcher struct {
	limits Limits
	lookup Lookup
	slots  chan struct{}
}

// New makes a fetcher; without a lookup it asks the system's resolver.
func New(limits Limits, lookup Lookup) *Fetcher {
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	return &Fetcher{limits, lookup, make(chan struct{}, atOnce)}
}

// Parse checks a URL and tells the name of the file that it leads to.
func Parse(text string) (u *url.URL, name string, err error) {
	if len(text) > urlLimit {
		return nil, "", fmt.Errorf("it is longer than %d bytes", urlLimit)
	}
	if u, err = url.Parse(text); err != nil {
		return nil, "", errors.New("it is no URL") // the parser's words hold the URL, which may hold a secret
	}
	if err := checkURL(u); err != nil {
		return nil, "", err
	}
	name = path.Base(u.Path)
	switch {
	case u.Path == "" || strings.HasSuffix(u.Path, "/") || name == "." || name == "..":
		return nil, "", errors.New("its path does not end with the name of a file")
	case len(name) > nameLimit || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return nil, "", fmt.Errorf("the name of its file is longer than %d bytes or holds what no name should", nameLimit)
	}
	return u, name, nil
}

func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("only http and https are fetched")
	case u.Hostname() == "":
		return errors.New("it names no host")
	}
	return nil
}

// Get reads the file at a URL. The error is for the caller: it never holds the
// URL, whose query may be a signature.
func (f *Fetcher) Get(ctx context.Context, u *url.URL) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, f.limits.Time)
	defer cancel()
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("its turn did not come within %s: others are fetched", f.limits.Time)
	}
	content, err := f.get(ctx, u)
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return nil, fmt.Errorf("it was not fetched within %s", f.limits.Time)
	}
	return content, err
}

func (f *Fetcher) get(ctx context.Context, u *url.URL) ([]byte, error) {
	transport := &http.Transport{DialContext: f.dial, DisableKeepAlives: true, DisableCompression: true,
		MaxResponseHeaderBytes: headerLimit} // and no proxy: it would look names up by itself
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: checkRedirect}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("it is no URL")
	}
	req.Header.Set("User-Agent", "ehpc")
	resp, err := client.Do(req)
	if err != nil {
		return nil, bare(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	if resp.ContentLength > f.limits.Bytes {
		return nil, f.tooLarge()
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, f.limits.Bytes+1))
	if err != nil {
		return nil, fmt.Errorf("the server broke off: %w", bare(err))
	}
	if int64(len(content)) > f.limits.Bytes {
		return nil, f.tooLarge()
	}
	return content, nil
}

func (f *Fetcher) tooLarge() error {
	return fmt.Errorf("the file is larger than %d bytes", f.limits.Bytes)
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > redirectLimit {
		return fmt.Errorf("it is redirected more than %d times", redirectLimit)
	}
	if err := checkURL(req.URL); err != nil {
		return fmt.Errorf("it is redirected to another URL: %w", err)
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme == "http" {
		return errors.New("it is redirected from https to http")
	}
	req.Header.Del("Referer") // the query that led there may be a signature
	return nil
}

// bare is the error without the URL that net/http puts around it.
func bare(err error) error {
	var around *url.Error
	for errors.As(err, &around) {
		err = around.Err
	}
	return err
}
