package store

import (
	"cmp"
	"context"
	"strings"
)

// NodeListing says which nodes a listing shows, and how.
type NodeListing struct {
	Shows      func(*Node) bool
	ByHostname bool // instead of in the order they were added
	Backward   bool
}

// NodePage returns a page of a cluster's nodes and how many match.
func (s *Store) NodePage(ctx context.Context, clusterID string, l NodeListing, page Page) (shown []*Node, total int, err error) {
	err = s.nodes.view(ctx, s.Read(), nodeShape, clusterID, func(all []*Node) {
		shown, total = pickNodes(all, l, page)
		shown = copies(shown)
	})
	return shown, total, err
}

func pickNodes(all []*Node, l NodeListing, page Page) (shown []*Node, total int) {
	picked := make([]int32, 0, len(all))
	for i, n := range all {
		if l.Shows(n) {
			picked = append(picked, int32(i))
		}
	}
	from, to := page.bounds(len(picked))
	window(picked, from, to, func(a, b int32) int {
		c := cmp.Compare(a, b)
		if l.ByHostname {
			c = cmp.Or(strings.Compare(all[a].Hostname, all[b].Hostname), c)
		}
		if l.Backward {
			return -c
		}
		return c
	})
	for _, i := range picked[from:to] {
		shown = append(shown, all[i])
	}
	return shown, len(picked)
}
