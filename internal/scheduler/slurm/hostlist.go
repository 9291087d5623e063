package slurm

import (
	"fmt"
	"strconv"
	"strings"
)

// hostLimit bounds what one hostlist may stand for.
const hostLimit = 1 << 16

// expandHosts expands "a,b[001-003,7]-ib,c" to all hostnames, in order.
func expandHosts(text string) ([]string, error) {
	if text == "" || text == "(null)" || text == "None assigned" {
		return nil, nil
	}
	var hosts []string
	for _, part := range splitOutside(text) {
		expanded, err := expandPart(part, hostLimit-len(hosts))
		if err != nil {
			return nil, fmt.Errorf("cannot expand the hostlist %.80q: %w", text, err)
		}
		hosts = append(hosts, expanded...)
	}
	return hosts, nil
}

// splitOutside splits at the commas that stand outside brackets.
func splitOutside(text string) []string {
	var parts []string
	depth, from := 0, 0
	for i, c := range text {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, text[from:i])
			from = i + 1
		}
	}
	return append(parts, text[from:])
}

// expandPart expands one part, from its first brackets on.
func expandPart(part string, room int) ([]string, error) {
	prefix, rest, ranged := strings.Cut(part, "[")
	if !ranged {
		if part == "" || strings.Contains(part, "]") {
			return nil, fmt.Errorf("%.40q is no hostname", part)
		}
		if room < 1 {
			return nil, fmt.Errorf("more than %d hosts", hostLimit)
		}
		return []string{part}, nil
	}
	list, suffix, closed := strings.Cut(rest, "]")
	if !closed {
		return nil, fmt.Errorf("a bracket is not closed")
	}
	tails := []string{""}
	if suffix != "" {
		var err error
		if tails, err = expandPart(suffix, room); err != nil {
			return nil, err
		}
	}
	var hosts []string
	for _, span := range strings.Split(list, ",") {
		numbers, err := expandSpan(span, (room-len(hosts))/len(tails))
		if err != nil {
			return nil, err
		}
		for _, number := range numbers {
			for _, tail := range tails {
				hosts = append(hosts, prefix+number+tail)
			}
		}
	}
	return hosts, nil
}

// expandSpan expands "7" or "001-003", whose width the numbers keep.
func expandSpan(span string, room int) ([]string, error) {
	low, high, ok := strings.Cut(span, "-")
	if !ok {
		high = low
	}
	first, err1 := strconv.ParseUint(low, 10, 31)
	last, err2 := strconv.ParseUint(high, 10, 31)
	if err1 != nil || err2 != nil || last < first || len(low) > 12 {
		return nil, fmt.Errorf("%.40q is no range of numbers", span)
	}
	if last-first >= uint64(max(room, 0)) {
		return nil, fmt.Errorf("more than %d hosts", hostLimit)
	}
	var numbers []string
	for n := first; n <= last; n++ {
		numbers = append(numbers, fmt.Sprintf("%0*d", len(low), n))
	}
	return numbers, nil
}
