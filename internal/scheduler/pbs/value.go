package pbs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// number is a whole number that the server may print as a string.
type number int

func (n *number) UnmarshalJSON(text []byte) error {
	value, err := strconv.Atoi(strings.Trim(string(text), `"`))
	if err != nil {
		return fmt.Errorf("%.40q is no whole number", text)
	}
	*n = number(value)
	return nil
}

// text is a string that the server may print as what it looks like: it reads
// the values of resources as JSON.
type text string

func (s *text) UnmarshalJSON(raw []byte) error {
	if len(raw) == 0 || raw[0] != '"' {
		*s = text(raw)
		return nil
	}
	return json.Unmarshal(raw, (*string)(s))
}

// clock reads the times of jobs, which are ctime's, in UTC; "" is no time.
func clock(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(time.ANSIC, text, time.UTC)
}

var sizeUnits = map[string]int64{"b": 1, "": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40,
	"w": 8, "kw": 8 << 10, "mw": 8 << 20, "gw": 8 << 30, "tw": 8 << 40}

// megabytes reads a size as "24684096kb"; "" is none.
func megabytes(size text) (int, error) {
	if size == "" {
		return 0, nil
	}
	digits := strings.TrimRight(string(size), "bBkKmMgGtTwW")
	unit, known := sizeUnits[strings.ToLower(string(size[len(digits):]))]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known || n < 0 || n > 1<<53/unit {
		return 0, fmt.Errorf("%.40q is no size", string(size))
	}
	return int(n * unit >> 20), nil
}
