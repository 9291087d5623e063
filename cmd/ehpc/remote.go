package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"ehpc/client"
)

// remote is the service as one command sees it.
type remote struct {
	api   *client.Client
	every time.Duration
	screen
	outage outage    // of the service
	live   *progress // that is shown now, if any
}

// with makes a command's function out of one that uses the service.
func (c *cli) with(run func(ctx context.Context, r *remote, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		r, err := c.connect(cmd)
		if err != nil {
			return err
		}
		return run(cmd.Context(), r, args)
	}
}

func (c *cli) connect(cmd *cobra.Command) (*remote, error) {
	screen, err := newScreen(cmd, c.format)
	if err != nil {
		return nil, err
	}
	screen.raw = c.raw
	r := &remote{every: c.every, screen: screen}
	r.outage.say = r.say
	if r.api, err = c.service(c.patience(cmd), r.outage.trying); err != nil {
		return nil, err
	}
	r.outage.endpoint = r.api.Endpoint()
	return r, nil
}

// service is a client of the service that flags, environment and file name. It
// tries for so long to get an answer, and tells of that.
func (c *cli) service(patience time.Duration, trying func(error, time.Duration)) (*client.Client, error) {
	config, err := c.where.config(c.env)
	if err != nil {
		return nil, err
	}
	if c.http != nil {
		config.HTTPClient = &http.Client{Transport: c.http}
	}
	config.RetryFor, config.Trying = patience, trying
	return client.New(config)
}

// say tells people something in between.
func (r *remote) say(line string) {
	r.live.interrupt()
	fmt.Fprintln(r.err, "ehpc:", shownLines(line))
}

// addFlags adds to a group of commands the flags of everything that uses the service.
func (c *cli) addFlags(cmd *cobra.Command) *cobra.Command {
	c.where.addFlags(cmd.PersistentFlags())
	addFormat(cmd.PersistentFlags(), &c.format)
	return cmd
}

// addRaw adds a flag to a command that shows what others have printed.
func (c *cli) addRaw(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.raw, "raw", false, "print on a terminal, too, what it obeys (default: as \"?\")")
}

// call sends a request and decodes the answer; doing says what for, in errors.
func call[R any](ctx context.Context, r *remote, doing, action string, in url.Values) (R, error) {
	var out R
	raw, err := r.api.Call(ctx, action, in)
	if err != nil {
		return out, &failure{doing, asTyped(action, err)}
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, &failure{doing, fmt.Errorf("the answer to %s is not as documented: %w", action, err)}
	}
	return out, nil
}

// pages collects a list of several pages; items takes a page's out of an answer.
func pages[R, T any](ctx context.Context, r *remote, doing, action string, in url.Values, items func(*R) []T) ([]T, error) {
	all := []T{}
	for item, err := range client.All(ctx, r.api, action, in, items) {
		if err != nil {
			return nil, &failure{doing, asTyped(action, err)}
		}
		all = append(all, item)
	}
	return all, nil
}

// poll looks until look says that it is over.
func (r *remote) poll(ctx context.Context, look func() (over bool, err error)) error {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		over, err := look()
		if over || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

var nodeID = regexp.MustCompile(`^i-[a-z0-9-]+$`)

func noNode(cluster string) error {
	return absent(fmt.Sprintf("cluster %s has none of that name; see: ehpc node list %s", cluster, cluster))
}

// nodes finds nodes' ids by their ids or hostnames.
func (r *remote) nodes(ctx context.Context, cluster string, names []string) ([]string, error) {
	var ids []string
	var known map[string]string
	for _, name := range names {
		if nodeID.MatchString(name) {
			ids = append(ids, name)
			continue
		}
		if known == nil {
			all, err := r.listNodes(ctx, cluster, "")
			if err != nil {
				return nil, err
			}
			known = map[string]string{}
			for _, n := range all {
				known[n.HostName] = n.Id
			}
		}
		id, ok := known[name]
		if !ok {
			return nil, &failure{"find node " + name, noNode(cluster)}
		}
		ids = append(ids, id)
	}
	return ids, nil
}
