package store

import (
	"strings"

	"github.com/uptrace/bun/schema"
)

// plainText is the dialect for text that nobody has checked, such as what a
// command printed on a node. No database keeps NUL bytes in text, and not all
// keep what is not UTF-8: both are replaced, so that no row is lost for them.
type plainText struct{ schema.Dialect }

// AppendString implements schema.Dialect.
func (d plainText) AppendString(b []byte, text string) []byte {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	return d.Dialect.AppendString(b, text)
}
