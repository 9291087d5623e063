package store

import "slices"

// window sorts the part of list between from and to, as if all of it were
// sorted: of what lies elsewhere it only knows on which side.
func window[T any](list []T, from, to int, compare func(a, b T) int) {
	for from < to && len(list) > 16 {
		pivot := median(list[0], list[len(list)/2], list[len(list)-1], compare)
		// Three parts: less than the pivot, equal to it, greater.
		less, at, greater := 0, 0, len(list)
		for at < greater {
			switch c := compare(list[at], pivot); {
			case c < 0:
				list[less], list[at] = list[at], list[less]
				less++
				at++
			case c > 0:
				greater--
				list[greater], list[at] = list[at], list[greater]
			default:
				at++
			}
		}
		window(list[:less], from, min(to, less), compare)
		list, from, to = list[greater:], max(from-greater, 0), to-greater
	}
	if from < to {
		slices.SortFunc(list, compare)
	}
}

func median[T any](a, b, c T, compare func(a, b T) int) T {
	if compare(a, b) > 0 {
		a, b = b, a
	}
	if compare(b, c) > 0 {
		b = c
	}
	if compare(a, b) > 0 {
		return a
	}
	return b
}

// bounds are the first and the one past the last place of a page in a list.
func (p Page) bounds(length int) (from, to int) {
	if p.Size == 0 {
		return 0, length
	}
	if p.Number-1 > length/p.Size {
		return length, length
	}
	from = min((p.Number-1)*p.Size, length)
	return from, min(from+p.Size, length)
}

// inOrder returns those of the rows whose ids are given, in that order.
func inOrder[T any](rows []T, ids []string, id func(T) string) []T {
	byID := make(map[string]T, len(rows))
	for _, row := range rows {
		byID[id(row)] = row
	}
	rows = rows[:0]
	for _, id := range ids {
		if row, ok := byID[id]; ok {
			rows = append(rows, row)
		}
	}
	return rows
}
