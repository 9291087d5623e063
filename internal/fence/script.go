package fence

import (
	"errors"
	"fmt"
	"strings"
)

// RunCommand is the argument that makes the agent's program run a job's script.
const RunCommand = "run-job"

// TokenVariable tells the process that stands for a run, in its environment,
// which job it is of. Arguments are everybody's to read.
const TokenVariable = "EHPC_TOKEN"

// interpreterLimit is how long the first line of a script may be: what Linux
// reads of one, in bytes.
const interpreterLimit = 255

// Wrap makes a script begin by claiming its run. Only its first line changes:
// the agent's program becomes the interpreter, and runs the script's own one on
// the same file. So line numbers, "$0" and whatever the language is stay right.
func Wrap(program, engine, script string) (string, error) {
	first, rest, _ := strings.Cut(script, "\n")
	interpreter, ok := strings.CutPrefix(strings.TrimRight(first, " \t\r"), "#!")
	interpreter = strings.TrimLeft(interpreter, " \t")
	if !ok || interpreter == "" {
		return "", errors.New(`its first line does not name an interpreter, as in "#!/bin/bash"`)
	}
	line := fmt.Sprintf("#!%s %s %s %s", program, RunCommand, engine, interpreter)
	if len(line) > interpreterLimit {
		return "", fmt.Errorf("its first line is longer than the %d bytes there is room for", interpreterLimit-len(line)+len(first))
	}
	return line + "\n" + rest, nil
}

// wrapped is what a script's first line says, as Linux hands it on: all of it
// behind the program is one argument.
type wrapped struct {
	engine string
	argv   []string // the script's own interpreter, with its argument if it has one
}

func unwrap(argument string) (wrapped, error) {
	fields := strings.SplitN(argument, " ", 3)
	if len(fields) != 3 || fields[0] != RunCommand || fields[2] == "" {
		return wrapped{}, fmt.Errorf("%.80q is no job's first line", argument)
	}
	w := wrapped{engine: fields[1]}
	line := strings.Trim(fields[2], " \t")
	w.argv = []string{line}
	if at := strings.IndexAny(line, " \t"); at >= 0 { // either parts them, and the rest is one argument
		w.argv = []string{line[:at], strings.TrimLeft(line[at:], " \t")}
	}
	return w, nil
}
