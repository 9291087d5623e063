package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// Formats of answers.
const (
	formatTable = "table" // for people
	formatJSON  = "json"  // as the API gave it; lists of several pages are one array
	formatID    = "id"    // ids alone, one a line
)

func addFormat(flags *pflag.FlagSet, format *string) {
	flags.StringVarP(format, "output", "o", formatTable, "`FORMAT` of the answer: table, json or id")
}

// screen is where answers (out) and progress (err) go, and how they look.
type screen struct {
	out, err io.Writer
	format   string
}

func newScreen(cmd *cobra.Command, format string) (screen, error) {
	switch format {
	case formatTable, formatJSON, formatID:
		return screen{cmd.OutOrStdout(), cmd.ErrOrStderr(), format}, nil
	}
	return screen{}, &usageError{cmd.CommandPath(), fmt.Sprintf("unknown output %q: it is table, json or id", format)}
}

// json prints a value, indented.
func (s screen) json(v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// done prints the outcome of a change: the answer, the id of what it is about,
// or a sentence.
func (s screen) done(answer any, id, sentence string, args ...any) error {
	switch s.format {
	case formatJSON:
		return s.json(answer)
	case formatID:
		_, err := fmt.Fprintln(s.out, id)
		return err
	}
	_, err := fmt.Fprintf(s.out, sentence+"\n", args...)
	return err
}

// column is one column of a table of T.
type column[T any] struct {
	head string
	cell func(T) string
}

// list prints items in the screen's format; the first column is the id.
func list[T any](s screen, items []T, columns ...column[T]) error {
	switch s.format {
	case formatJSON:
		return s.json(items)
	case formatID:
		for _, item := range items {
			fmt.Fprintln(s.out, columns[0].cell(item))
		}
		return nil
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	cells := make([]string, len(columns))
	row := func(cell func(column[T]) string) {
		for i, c := range columns {
			cells[i] = shown(cell(c))
			if cells[i] == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	row(func(c column[T]) string { return c.head })
	for _, item := range items {
		row(func(c column[T]) string { return c.cell(item) })
	}
	return w.Flush()
}

// shown is text for a terminal: what comes from nodes, such as the names of jobs,
// may hold what terminals obey.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r):
			return '?'
		}
		return r
	}, text)
}

// fields prints names and values below each other; empty values are left out.
func (s screen) fields(pairs ...string) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", pairs[i], shown(pairs[i+1]))
		}
	}
	return w.Flush()
}

// terminal is the file behind a stream when that is a terminal.
func terminal(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}
