package agent

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// runScript is the service's run file. Nothing of the supervisor's environment
// reaches the daemon.
func runScript(service Daemon) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "#!/bin/sh\n# files: %s\nexec 2>&1\n", service.Stamp)
	env := "env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TZ=UTC"
	for _, v := range service.Env {
		env += " " + quote(v)
	}
	if service.Before != nil {
		// s6 tries again after a second.
		fmt.Fprintf(&b, "%s%s || exit 1\n", env, quoteAll(service.Before))
	}
	b.WriteString("exec " + env)
	if service.User != "" {
		// Not s6-setuidgid: it fails on groups that extrausers lists. A daemon's
		// group has the name of its user.
		u := quote(service.User)
		b.WriteString(" setpriv --reuid=" + u + " --regid=" + u + " --init-groups --")
	}
	b.WriteString(quoteAll(service.Argv) + "\n")
	return []byte(b.String())
}

func quoteAll(argv []string) string {
	var b strings.Builder
	for _, arg := range argv {
		b.WriteString(" " + quote(arg))
	}
	return b.String()
}

// quote makes one word of the text for a shell.
func quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// logEndLimit is how much of a service's log a failure shows, in bytes.
const logEndLimit = 2 << 10

// logEnd is the end of the service's log, on lines of its own, "" if it has none.
func (s S6) logEnd(name string) string {
	f, err := os.Open(filepath.Join(s.Logs, name, "current"))
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	from := max(info.Size()-logEndLimit, 0)
	text, err := io.ReadAll(io.NewSectionReader(f, from, logEndLimit))
	if err != nil || len(text) == 0 {
		return ""
	}
	tail := string(text)
	if _, whole, ok := strings.Cut(tail, "\n"); ok && from > 0 {
		tail = whole
	}
	return "; its log ends:\n" + strings.TrimRight(strings.ToValidUTF8(tail, "?"), "\n")
}
