package ehpctest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/provider"
)

// Agent stands for the agent of one running machine.
type Agent struct {
	world  *World
	spec   provider.Spec
	bootID string

	mu      sync.Mutex
	plan    hpc.NodePlan
	plans   int
	fail    error
	failsOn bool // not only the next plan
	results map[string]hpc.CommandResult

	forgotten []string
	commands  []hpc.Command     // that were started
	prepared  int               // plans that left the scheduler out
	Files     map[string]string // "account path" -> content
	denied    bool
	lacking   []string // directories that are not there
	sessions  int
	ails      func(*hpc.NodeHealth)
	refuses   error         // every order of accounts
	turn      hpc.Turn      // of the accounts
	changed   chan struct{} // closed when the accounts change
	holds     chan struct{} // plans wait until it is closed; nil for none
	stopped   chan struct{} // closed when a stopped agent goes on; nil of one that runs
}

var _ link.Node = (*Agent)(nil)

// FailApply makes the next plan fail.
func (a *Agent) FailApply(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = err
}

// FailOn makes all further plans fail.
func (a *Agent) FailOn(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail, a.failsOn = err, true
}

// Plan is the plan that was applied last, and how many were.
func (a *Agent) Plan() (plan hpc.NodePlan, times int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.plan, a.plans
}

func (a *Agent) applied(r hpc.Role) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.plan.Self.HasRole(r)
}

// Apply takes the plan; a compute node's daemon registers with the scheduler.
func (a *Agent) Apply(ctx context.Context, plan hpc.NodePlan) error {
	if err := a.runs(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	holds := a.holds
	a.mu.Unlock()
	if holds != nil {
		select {
		case <-holds:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	plan.Members = a.world.shared(plan.ClusterID, plan.Members)
	a.mu.Lock()
	err := a.fail
	if !a.failsOn {
		a.fail = nil
	}
	if err == nil {
		a.setAccounts(plan.Turn, plan.Accounts)
		plan.Accounts = a.plan.Accounts
		a.plan = plan
		a.plans++
	}
	if plan.Prepare {
		a.prepared++
	}
	a.mu.Unlock()
	if err == nil && !plan.Prepare && plan.Self.HasRole(hpc.RoleCompute) {
		a.world.SchedulerOf(plan.ClusterID).AddNodeTo(plan.Self.Queue, plan.Self.Hostname, plan.Self.Cores)
	}
	return err
}

// Rejoin registers a compute node with the scheduler again.
func (a *Agent) Rejoin(ctx context.Context) error {
	if err := a.runs(ctx); err != nil {
		return err
	}
	plan, _ := a.Plan()
	a.world.SchedulerOf(plan.ClusterID).AddNodeTo(plan.Self.Queue, plan.Self.Hostname, plan.Self.Cores)
	return nil
}

// State reports on the node.
func (a *Agent) State(ctx context.Context) (hpc.NodeState, error) {
	if err := a.runs(ctx); err != nil {
		return hpc.NodeState{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return hpc.NodeState{BootID: a.bootID, Sessions: a.sessions}, nil
}

// Health finds the node sound, but for what Ail says.
func (a *Agent) Health(ctx context.Context) (hpc.NodeHealth, error) {
	if err := a.runs(ctx); err != nil {
		return hpc.NodeHealth{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	h := hpc.NodeHealth{Clock: time.Now(),
		Disks:  []hpc.Disk{{Path: "/", Size: 10 << 30, Free: 5 << 30, Inodes: 1e6, FreeInodes: 5e5}, {Path: "/tmp", Size: 1 << 30, Free: 1 << 30}},
		Shares: []hpc.Share{{Path: "/home"}, {Path: "/opt"}, {Path: "/ehpc/claims"}}}
	if a.ails != nil {
		a.ails(&h)
	}
	return h, nil
}

// Ail has the node's health changed before it is told; nil for a sound node.
func (a *Agent) Ail(how func(*hpc.NodeHealth)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ails = how
}

// LogIn has so many people logged in on the node.
func (a *Agent) LogIn(people int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions = people
}

// Endless is a command that never ends.
const Endless = "sleep infinity"

// StartCommand "runs" a command at once: it prints the command itself, and ends
// as "exit N" says.
func (a *Agent) StartCommand(ctx context.Context, cmd hpc.Command) error {
	if err := a.runs(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ran := a.results[cmd.ID]; ran && len(cmd.Files) > 0 {
		return nil // as the journal has it: a server that died may not know
	} else if ran {
		return fmt.Errorf("command %s was started twice", cmd.ID)
	}
	a.commands = append(a.commands, cmd)
	if len(cmd.Files) > 0 {
		a.results[cmd.ID] = a.world.scriptsResult()
		return nil
	}
	if cmd.Content == Endless {
		a.results[cmd.ID] = hpc.CommandResult{Status: hpc.CommandRunning}
		return nil
	}
	exitCode := 0
	fmt.Sscanf(cmd.Content, "exit %d", &exitCode) // anything else ends well
	a.results[cmd.ID] = hpc.CommandResult{Status: hpc.CommandFinished, ExitCode: exitCode, Output: a.spec.Hostname + ": " + cmd.Content, Finished: time.Now()}
	return nil
}

// CommandResult tells how a command stands.
func (a *Agent) CommandResult(_ context.Context, id string) (hpc.CommandResult, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, known := a.results[id]
	if known && slices.ContainsFunc(a.commands, func(c hpc.Command) bool { return c.ID == id && len(c.Files) > 0 }) {
		return a.world.scriptsResult(), nil
	}
	if !known {
		return r, link.ErrUnknownCommand
	}
	return r, nil
}

// WriteFile keeps the file in memory; what leaves the home is refused.
func (a *Agent) WriteFile(ctx context.Context, f link.AccountFile) error {
	if err := a.Knows(ctx, hpc.AccountID{Name: f.Account, UID: f.UID}); err != nil {
		return err
	}
	home := "/home/" + f.Account + "/"
	if strings.Contains(f.Path, "..") || strings.HasPrefix(f.Path, "/") && !strings.HasPrefix(f.Path, home) {
		return fmt.Errorf("%w: it is not inside %s", link.ErrDenied, home)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.denied {
		return fmt.Errorf("%w: a link leads out of %s", link.ErrDenied, home)
	}
	a.Files[f.Account+" "+f.Path] = string(f.Content)
	return nil
}

// DenyFiles makes the node refuse every file that is to be written.
func (a *Agent) DenyFiles() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.denied = true
}

// Keep puts a file on the node: "account path" and its content.
func (a *Agent) Keep(name, content string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Files[name] = content
}

// ReadFile reads what was kept.
func (a *Agent) ReadFile(ctx context.Context, part link.AccountPart) ([]byte, error) {
	if err := a.Knows(ctx, hpc.AccountID{Name: part.Account, UID: part.UID}); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	content := a.Files[part.Account+" "+part.Path]
	from := min(part.Offset, int64(len(content)))
	return []byte(content[from:min(from+part.Size, int64(len(content)))]), nil
}

// Lack makes directories missing; all others are there.
func (a *Agent) Lack(dirs ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lacking = dirs
}

// JobPaths looks at the files that were kept, and for what is lacking.
func (a *Agent) JobPaths(_ context.Context, p link.JobPaths) (f link.JobFaults, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	script := a.Files[p.Account+" "+strings.TrimPrefix(p.Script, "/home/"+p.Account+"/")]
	f.DOSScript = hpc.DOSScript([]byte(script))
	for _, dir := range append([]string{p.Dir}, p.Outputs...) {
		if slices.Contains(a.lacking, dir) {
			f.Missing = append(f.Missing, dir)
		}
	}
	return f, nil
}

// AuthorizedKeys reads what was kept as the account's file of keys.
func (a *Agent) AuthorizedKeys(ctx context.Context, account hpc.AccountID) ([]byte, error) {
	if err := a.Knows(ctx, account); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return []byte(a.Files[account.Name+" .ssh/authorized_keys"]), nil
}

// Measurements tells what Used said was used on the cluster's nodes.
func (a *Agent) Measurements(_ context.Context, asked ...hpc.JobOnNode) (found []hpc.Measurement, err error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	for _, q := range asked {
		if m, there := a.world.used[a.spec.ClusterID][q]; there {
			found = append(found, m)
		}
	}
	return found, nil
}

// ForgetCommand notes that the result of a command was received.
func (a *Agent) ForgetCommand(_ context.Context, id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgotten = append(a.forgotten, id)
	return nil
}

// Forgotten are the commands whose results were received.
func (a *Agent) Forgotten() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.forgotten)
}
