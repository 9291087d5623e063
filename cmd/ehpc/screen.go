package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

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
	raw      bool // what others have printed is printed as it is, whatever a terminal does with it
}

// others is where goes what others have printed: to a terminal harmless, unless it
// is wanted as it is.
func (s screen) others() io.Writer {
	if _, is := terminal(s.out); !is || s.raw {
		return s.out
	}
	return &shownWriter{to: s.out}
}

func newScreen(cmd *cobra.Command, format string) (screen, error) {
	switch format {
	case formatTable, formatJSON, formatID:
		return screen{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), format: format}, nil
	}
	return screen{}, &usageError{cmd.CommandPath(), fmt.Sprintf("unknown output %q: it is table, json or id", format)}
}

// json prints a value, indented.
func (s screen) json(v any) error { return s.encode(v, "  ") }

// encode prints a value as JSON, on one line for no indent.
func (s screen) encode(v any, indent string) error {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(s.out, shownJSON(text.String()))
	return err
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
	_, err := fmt.Fprintln(s.out, shownLines(fmt.Sprintf(sentence, args...)))
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
			fmt.Fprintln(s.out, shown(columns[0].cell(item)))
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
