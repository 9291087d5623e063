package image

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// hostSources returns apt sources for the suite as this host is configured, so
// that a mirror or a snapshot that the host uses serves the image as well.
// Where the host names none, Debian's own archive is used.
func hostSources(etc, suite string) (string, error) {
	var out strings.Builder
	for _, pattern := range []string{"sources.list", "sources.list.d/*.list", "sources.list.d/*.sources"} {
		names, err := filepath.Glob(filepath.Join(etc, pattern))
		if err != nil {
			return "", err
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return "", err
			}
			if strings.HasSuffix(name, ".sources") {
				out.WriteString(pickStanzas(string(text), suite))
			} else {
				out.WriteString(pickLines(string(text), suite))
			}
		}
	}
	if out.Len() == 0 {
		return stanza("http://deb.debian.org/debian", suite+" "+suite+"-updates", "") +
			stanza("http://deb.debian.org/debian-security", suite+"-security", ""), nil
	}
	return out.String(), nil
}

const archiveKeys = "/usr/share/keyrings/debian-archive-keyring.gpg"

// stanza is a source in apt's deb822 format. signedBy may span lines, each
// but the first beginning with a space.
func stanza(uris, suites, signedBy string) string {
	if signedBy == "" {
		signedBy = archiveKeys
	}
	return "Types: deb\nURIs: " + uris + "\nSuites: " + suites + "\nComponents: main\nSigned-By: " + signedBy + "\n\n"
}

// pickLines reads apt's one-line format.
func pickLines(text, suite string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		options := ""
		if before, rest, ok := strings.Cut(line, "["); ok {
			inside, after, closed := strings.Cut(rest, "]")
			if !closed {
				continue
			}
			options, line = inside, before+" "+after
		}
		words := strings.Fields(line)
		if len(words) < 4 || words[0] != "deb" || !slices.Contains(words[3:], "main") {
			continue
		}
		signedBy := option(options, "signed-by")
		if ofSuite(words[2], suite) && usable(words[1]) && ofDebian(signedBy) {
			out.WriteString(stanza(words[1], words[2], signedBy))
		}
	}
	return out.String()
}

func option(options, name string) string {
	for _, o := range strings.Fields(options) {
		if key, value, _ := strings.Cut(o, "="); strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// pickStanzas reads apt's deb822 format.
func pickStanzas(text, suite string) string {
	var out strings.Builder
	for _, fields := range deb822(text) {
		if strings.EqualFold(fields["enabled"], "no") ||
			!slices.Contains(strings.Fields(fields["types"]), "deb") ||
			!slices.Contains(strings.Fields(fields["components"]), "main") ||
			!ofDebian(fields["signed-by"]) {
			continue
		}
		suites := slices.DeleteFunc(strings.Fields(fields["suites"]), func(s string) bool { return !ofSuite(s, suite) })
		uris := slices.DeleteFunc(strings.Fields(fields["uris"]), func(u string) bool { return !usable(u) })
		if len(suites) > 0 && len(uris) > 0 {
			out.WriteString(stanza(strings.Join(uris, " "), strings.Join(suites, " "), fields["signed-by"]))
		}
	}
	return out.String()
}

// deb822 splits a control file into its stanzas; field names in lower case,
// continuation lines kept as they are.
func deb822(text string) []map[string]string {
	var stanzas []map[string]string
	fields, last := map[string]string{}, ""
	flush := func() {
		if len(fields) > 0 {
			stanzas = append(stanzas, fields)
		}
		fields, last = map[string]string{}, ""
	}
	for line := range bytes.Lines([]byte(text)) {
		l := strings.TrimRight(string(line), " \t\r\n")
		switch {
		case l == "":
			flush()
		case l[0] == '#':
		case l[0] == ' ' || l[0] == '\t':
			if last != "" {
				fields[last] += "\n " + strings.TrimLeft(l, " \t")
			}
		default:
			name, value, _ := strings.Cut(l, ":")
			last = strings.ToLower(strings.TrimSpace(name))
			fields[last] = strings.TrimSpace(value)
		}
	}
	flush()
	return stanzas
}

// ofSuite tells whether a source's suite is the release itself, its updates or
// its security fixes.
func ofSuite(name, suite string) bool {
	return name == suite || name == suite+"-updates" || name == suite+"-security"
}

// usable leaves out installation media.
func usable(uri string) bool {
	return strings.HasPrefix(uri, "http://") || strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "file:")
}

// ofDebian leaves out other people's archives, which name their own key.
func ofDebian(signedBy string) bool {
	return signedBy == "" || strings.Contains(signedBy, "debian-archive-") || strings.Contains(signedBy, "BEGIN PGP")
}
