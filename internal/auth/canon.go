package auth

import (
	"net/url"
	"slices"
	"strings"
)

// pct escapes everything but RFC 3986's unreserved characters, byte by byte.
func pct(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		if unreserved(c) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

func unreserved(c byte) bool {
	switch {
	case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '_' || c == '.' || c == '~'
}

// canonical joins decoded parameters as pct(k)=pct(v) with &, sorted by the raw
// bytes of the keys. A key given several times keeps the order of its values,
// those of the first set before those of the next.
func canonical(skip string, sets ...url.Values) string {
	union := url.Values{}
	for _, set := range sets {
		for k, values := range set {
			if k != skip {
				union[k] = append(union[k], values...)
			}
		}
	}
	keys := make([]string, 0, len(union))
	for k := range union {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, k := range keys {
		for _, v := range union[k] {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(pct(k))
			b.WriteByte('=')
			b.WriteString(pct(v))
		}
	}
	return b.String()
}
