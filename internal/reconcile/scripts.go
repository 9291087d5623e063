package reconcile

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"ehpc/internal/fetch"
	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/plain"
	"ehpc/internal/store"
)

// scriptsTime is how long a cluster's scripts may take on one node.
const scriptsTime = time.Hour

// scriptsState is how the scripts stand on a node.
type scriptsState string

const (
	scriptsDone    scriptsState = ""        // or there are none
	scriptsMissing scriptsState = "missing" // they have not been fetched yet
	scriptsWanted  scriptsState = "wanted"
	scriptsRunning scriptsState = "running"
	scriptsFailed  scriptsState = "failed"
)

type scripts struct {
	State  scriptsState
	Reason string // of a failure
}

// observeScripts tells how the cluster's scripts stand on the nodes that may be
// waiting for them, and has them fetched.
func (ctl *Control) observeScripts(ctx context.Context, c *store.Cluster, nodes []*store.Node) (map[string]scripts, error) {
	waits := func(n *store.Node) bool {
		return n.Wanted && (n.Status == hpc.NodeInit || n.Status == hpc.NodeException)
	}
	if len(c.Asked.PostInstallScript) == 0 || !c.Wanted || !slices.ContainsFunc(nodes, waits) {
		return nil, nil
	}
	tx := ctl.Store.Read()
	rows, err := tx.PostScripts(ctx, c.ID, false)
	if err != nil {
		return nil, err
	}
	runs, err := tx.ScriptRuns(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	fetched := scripts{State: scriptsWanted}
	for _, s := range rows {
		if !s.Fetched.IsZero() {
			continue
		}
		fetched = scripts{State: scriptsMissing}
		if s.Attempts >= attemptsLimit {
			fetched = scripts{scriptsFailed, s.Reason}
		}
		if !time.Now().Before(s.RetryAt) {
			ctl.steps.try("scripts "+c.ID, func() { ctl.fetchScripts(ctx, c.ID) }, ctl.nodes.Wake)
		}
		break
	}
	all := map[string]scripts{}
	for _, n := range nodes {
		if !waits(n) {
			continue
		}
		run, begun := runs[n.ScriptsCommand()]
		switch {
		case !begun:
			all[n.ID] = fetched
		case run.Status == hpc.CommandRunning:
			all[n.ID] = scripts{State: scriptsRunning}
		case run.Status != hpc.CommandFinished || run.ExitCode != 0:
			reason := "its post-install scripts " + ending(run.Status, run.ExitCode)
			results, _, err := tx.CommandResults(ctx, run.CommandID, []string{n.ID}, "", store.Page{})
			if err != nil {
				return nil, err
			}
			for _, r := range results {
				reason += "; their output ends:\n" + tail(r.Output)
			}
			all[n.ID] = scripts{scriptsFailed, reason}
		}
	}
	return all, nil
}

func ending(status hpc.CommandStatus, exitCode int) string {
	switch status {
	case hpc.CommandFinished:
		return fmt.Sprintf("ended with exit status %d", exitCode)
	case hpc.CommandStopped:
		return fmt.Sprintf("were stopped after %s", scriptsTime)
	}
	return "could not be run"
}

// fetchScripts fetches the scripts that are missing, once for all nodes.
func (ctl *Control) fetchScripts(ctx context.Context, clusterID string) {
	rows, err := ctl.Store.Read().PostScripts(ctx, clusterID, true)
	for _, s := range rows {
		if err != nil || !s.Fetched.IsZero() || time.Now().Before(s.RetryAt) {
			continue
		}
		err = ctl.fetchScript(ctx, s)
	}
	if err != nil && ctx.Err() == nil {
		ctl.Log.Error("cannot note a fetched script", "cluster", clusterID, "err", err)
	}
}

func (ctl *Control) fetchScript(ctx context.Context, s *store.PostScript) error {
	var content []byte
	u, _, err := fetch.Parse(s.URL)
	if err == nil {
		content, err = ctl.Scripts.Get(ctx, u)
	}
	if err == nil && hpc.DOSScript(content) {
		err = errors.New(hpc.DOSScriptAdvice)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := time.Now()
	level, line := store.Info, fmt.Sprintf("post-install script %d fetched from %s (%d bytes)", s.Position, shown(s.URL), len(content))
	if err != nil {
		s.Reason = fmt.Sprintf("cannot fetch post-install script %d from %s: %s", s.Position, shown(s.URL), plain.Text(err))
		s.RetryAt = now.Add(ctl.Limits.backoff(min(s.Attempts, attemptsLimit)))
		s.Attempts++
		level, line = store.Warn, s.Reason
	} else {
		s.Content, s.Fetched, s.Attempts, s.RetryAt, s.Reason = base64.StdEncoding.EncodeToString(content), now, 0, time.Time{}, ""
	}
	return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.SavePostScript(ctx, s); err != nil {
			return err
		}
		if s.Attempts > attemptsLimit { // it was said, and goes on
			return nil
		}
		return tx.Log(ctx, s.ClusterID, "PostInstallScript", level, line, now)
	})
}

// shown is a URL without what may be a secret in it.
func shown(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "its URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// prepareNode sets a node up but for the scheduler's daemons, so that no job comes
// before the scripts have ended, and has the scripts run.
func (ctl *Control) prepareNode(ctx context.Context, n *store.Node, plan hpc.NodePlan) error {
	plan.Prepare = true
	if err := ctl.applyTo(ctx, n, plan); err != nil {
		return err
	}
	rows, err := ctl.Store.Read().PostScripts(ctx, n.ClusterID, false)
	if err != nil {
		return err
	}
	var what []string
	for _, s := range rows {
		what = append(what, strings.TrimSpace(shown(s.URL)+" "+s.Args))
	}
	row := &store.Command{ID: n.ScriptsCommand(), ClusterID: n.ClusterID, Content: "post-install scripts: " + strings.Join(what, "; "),
		Dir: "/root", Timeout: int(scriptsTime.Seconds()), Kind: store.KindPostInstall, Created: time.Now()}
	return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.InsertCommand(ctx, row, []string{n.ID})
	})
}

// scriptsCommand is what a node is told to run; false if the node is not any more
// the one that the scripts were to run on.
func (ctl *Control) scriptsCommand(ctx context.Context, o store.OpenCommand) (cmd hpc.Command, ok bool, err error) {
	tx := ctl.Store.Read()
	nodes, err := tx.Nodes(ctx, o.ClusterID)
	if err != nil {
		return cmd, false, err
	}
	i := slices.IndexFunc(nodes, func(n *store.Node) bool { return n.ID == o.NodeID })
	if i < 0 || nodes[i].ScriptsCommand() != o.ID {
		return cmd, false, nil
	}
	if nodes[i].Status == hpc.NodeUninit { // its machine is being replaced
		return cmd, false, link.ErrAbsent
	}
	rows, err := tx.PostScripts(ctx, o.ClusterID, true)
	if err != nil {
		return cmd, false, err
	}
	cmd = hpc.Command{ID: o.ID, Dir: o.Dir, Timeout: scriptsTime, Content: scriptsLine(rows)}
	for _, s := range rows {
		content, err := base64.StdEncoding.DecodeString(s.Content)
		if err != nil {
			return cmd, false, fmt.Errorf("cannot read post-install script %d of cluster %s: %w", s.Position, s.ClusterID, err)
		}
		cmd.Files = append(cmd.Files, hpc.CommandFile{Name: fmt.Sprint(s.Position), Content: content})
	}
	return cmd, true, nil
}

// scriptsLine runs the scripts one after the other and stops at the first that
// fails. Arguments are as a shell reads them.
func scriptsLine(rows []*store.PostScript) string {
	var b strings.Builder
	b.WriteString(`run() { f="$EHPC_FILES/$1"; shift; if [ "$(head -c 2 "$f")" = "#!" ]; then "$f" "$@"; else bash "$f" "$@"; fi; }` + "\n")
	for _, s := range rows {
		name := strings.ReplaceAll(shown(s.URL), "'", `'\''`)
		fmt.Fprintf(&b, "echo '== post-install script %d: %s'\nrun %d %s\ns=$?; [ $s = 0 ] || { echo \"== it ended with exit status $s\"; exit $s; }\n",
			s.Position, name, s.Position, strings.ReplaceAll(s.Args, "\n", " "))
	}
	return b.String()
}

// scriptsLogLimit is how much of the scripts' output the cluster's log shows, in
// bytes; ListInvocationResults has all of it.
const scriptsLogLimit = 1500

func tail(output string) string {
	end := strings.TrimSpace(output)
	if cut := len(end) - scriptsLogLimit; cut > 0 {
		end = "…" + strings.ToValidUTF8(end[cut:], "")
	}
	return end
}

// saveScripts saves the result of the scripts with a line of the cluster's log.
func (ctl *Control) saveScripts(ctx context.Context, o store.OpenCommand, r hpc.CommandResult) error {
	nodes, err := ctl.Store.Nodes(ctx, o.ClusterID)
	if err != nil {
		return err
	}
	name := o.NodeID
	if i := slices.IndexFunc(nodes, func(n *store.Node) bool { return n.ID == o.NodeID }); i >= 0 {
		name = nodes[i].Hostname
	}
	level := store.Info
	if r.Status != hpc.CommandFinished || r.ExitCode != 0 {
		level = store.Error
	}
	line := fmt.Sprintf("post-install scripts on %s %s (command %s); their output ends:\n%s", name, ending(r.Status, r.ExitCode), o.ID, tail(r.Output))
	err = ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.SaveResult(ctx, resultRow(o, r)); err != nil {
			return err
		}
		return tx.Log(ctx, o.ClusterID, "PostInstallScript", level, line, time.Now())
	})
	if err == nil {
		ctl.nodes.Wake()
	}
	return err
}
