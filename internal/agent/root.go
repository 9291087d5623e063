package agent

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"ehpc/internal/scheduler"
)

const shadowPath = "/etc/shadow"

// setRootPassword gives root the hash as its password. Without one root keeps
// what it has, which in the image is none.
func (a *Agent) setRootPassword(hash string) error {
	if hash == "" {
		return nil
	}
	text, err := os.ReadFile(a.opts.Root + shadowPath)
	if err != nil {
		return fmt.Errorf("cannot set root's password: %w", err)
	}
	changed, err := withPassword(text, "root", hash)
	if err != nil {
		return fmt.Errorf("cannot set root's password: %w", err)
	}
	_, err = a.files.put(scheduler.File{Path: shadowPath, Content: changed, Mode: 0o640, Owner: "root:shadow"})
	return err
}

// withPassword is the shadow file with another hash for a user that it has.
func withPassword(shadow []byte, name, hash string) ([]byte, error) {
	if strings.ContainsAny(hash, ":\n") {
		return nil, fmt.Errorf("the hash for %s is none", name)
	}
	var out bytes.Buffer
	found := false
	for line := range strings.Lines(string(shadow)) {
		fields := strings.Split(line, ":")
		if fields[0] == name && len(fields) >= 9 && !found {
			found = true
			fields[1] = hash
			line = strings.Join(fields, ":")
		}
		out.WriteString(line)
	}
	if !found {
		return nil, fmt.Errorf("%s has no line for %s", shadowPath, name)
	}
	return out.Bytes(), nil
}
