package hpc

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// shells read a script line by line, and take a carriage return for a part of it.
var shells = []string{"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "csh", "tcsh"}

// DOSScript tells whether a script cannot run since its lines end as DOS has them,
// with a carriage return: the system does not find what its first line names then,
// or the shell stumbles over the others. A program, or a script for an interpreter
// that does not mind, is none.
func DOSScript(text []byte) bool {
	if bytes.IndexByte(text, 0) >= 0 {
		return false
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	line, names := strings.CutPrefix(string(first), "#!")
	if names && strings.HasSuffix(line, "\r") {
		return true
	}
	if words := strings.Fields(line); names && !slices.ContainsFunc(words, func(word string) bool { return slices.Contains(shells, path.Base(word)) }) {
		return false
	}
	return bytes.Contains(text, []byte("\r\n"))
}

// DOSScriptAdvice says what to do about one.
const DOSScriptAdvice = `its lines end as DOS has them (CRLF), with which it cannot run; convert it, as with sed -i 's/\r$//' FILE`
