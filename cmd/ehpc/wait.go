package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"ehpc/api"
	"ehpc/client"
)

// waiting are the flags of a command that can wait for what it began.
type waiting struct {
	wait    bool
	timeout time.Duration
}

func (w *waiting) addFlags(flags *pflag.FlagSet, what string) {
	flags.BoolVarP(&w.wait, "wait", "w", false, "wait "+what+", and show how it goes")
	flags.DurationVar(&w.timeout, "timeout", 15*time.Minute, "wait no longer than this")
}

// awaitCluster waits until a cluster takes jobs.
func (r *remote) awaitCluster(ctx context.Context, limit time.Duration, name, id string) error {
	doing := "wait for cluster " + name
	return r.watch(ctx, limit, doing, func(ctx context.Context, show *progress) (bool, error) {
		info, err := r.describe(ctx, id)
		if err != nil {
			return false, err
		}
		nodes, err := r.listNodes(ctx, id, "")
		if err != nil {
			return false, err
		}
		show.state(fmt.Sprintf("%-9s %s", info.Status, summary(nodes)))
		switch info.Status {
		case "running":
			return true, nil
		case "exception":
			return false, &failure{doing, fmt.Errorf("%s; see: ehpc cluster logs %s", first(info.ErrorMessage, "it is in trouble"), name)}
		}
		return false, nil
	})
}

// awaitNoCluster waits until a cluster is gone.
func (r *remote) awaitNoCluster(ctx context.Context, limit time.Duration, name, id string) error {
	doing := "wait for cluster " + name + " to go"
	return r.watch(ctx, limit, doing, func(ctx context.Context, show *progress) (bool, error) {
		info, err := r.describe(ctx, id)
		if gone(err) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		nodes, err := r.listNodes(ctx, id, "")
		if gone(err) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		show.state(fmt.Sprintf("%-9s %s", info.Status, summary(nodes)))
		return false, nil
	})
}

// watch shows progress until look says that it is over or the limit is reached.
func (r *remote) watch(ctx context.Context, limit time.Duration, doing string, look func(context.Context, *progress) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	show := r.progress()
	r.live = show
	err := r.poll(ctx, func() (bool, error) { return look(ctx, show) })
	show.end()
	r.live = nil
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &failure{doing, overtime{limit, r.outage.away}}
	}
	var known *failure
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &failure{doing, err}
}

func gone(err error) bool { return refusedWith(err, api.ClusterNotFound) }

func refusedWith(err error, code api.Code) bool {
	var refused *client.Error
	return errors.As(err, &refused) && refused.Code == code.Name
}

// summaryNames is up to how many nodes are named one by one.
const summaryNames = 6

// summary says how nodes are, and what those wait for that are set up: each by
// name, or how many of each kind are how when they are many. What went wrong with
// one follows.
func summary(nodes []api.ListNodesNodeInfo) string {
	slices.SortStableFunc(nodes, func(a, b api.ListNodesNodeInfo) int { return rank(a) - rank(b) })
	if len(nodes) <= summaryNames {
		parts := make([]string, len(nodes))
		for i, n := range nodes {
			parts[i] = n.HostName + " " + step(n)
		}
		return strings.Join(parts, ", ") + trouble(nodes)
	}
	var order []string
	count := map[string]int{}
	for _, n := range nodes {
		key := kind(n) + " " + step(n)
		if count[key] == 0 {
			order = append(order, key)
		}
		count[key]++
	}
	for i, key := range order {
		order[i] = fmt.Sprintf("%d %s", count[key], key)
	}
	return strings.Join(order, ", ") + trouble(nodes)
}

// step is a node's status, and what it waits for.
func step(n api.ListNodesNodeInfo) string {
	if n.WaitsFor == "" {
		return n.Status
	}
	return n.Status + " (" + n.WaitsFor + ")"
}

// trouble is what keeps the first of the nodes from being in service.
func trouble(nodes []api.ListNodesNodeInfo) string {
	for _, n := range nodes {
		if n.WaitsFor != "" && n.LockReason != "" {
			reason, _, _ := strings.Cut(n.LockReason, "\n")
			return "; " + n.HostName + ": " + reason
		}
	}
	return ""
}

// kind is the main thing a node does.
func kind(n api.ListNodesNodeInfo) string {
	switch {
	case slices.Contains(n.Roles.Role, "Scheduler"):
		return "manager"
	case slices.Contains(n.Roles.Role, "Login"):
		return "login"
	case slices.Contains(n.Roles.Role, "Compute"):
		return "compute"
	}
	return strings.ToLower(strings.Join(n.Roles.Role, "+"))
}

func rank(n api.ListNodesNodeInfo) int {
	return slices.Index([]string{"manager", "login", "compute"}, kind(n))
}

// values makes parameters of names and values; empty values are left out.
func values(pairs ...string) url.Values {
	in := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			in.Set(pairs[i], pairs[i+1])
		}
	}
	return in
}
