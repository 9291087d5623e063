package fence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// Guard is the scheduler of a cluster, on the node of its controller.
type Guard struct {
	scheduler.Driver
	Journal *Journal
	// Wrap makes a job's script claim its run; nil where scripts are not run.
	Wrap func(script string) (string, error)
	// Knows waits for this node to know an account, see link.Node; nil where it
	// needs to know none. A controller may take a job of one that it does not know,
	// for somebody else's.
	Knows func(context.Context, hpc.AccountID) error

	submitting locks
	mu         sync.Mutex
	cursor     string          // of the last observation
	confirmed  map[string]bool // the tokens of its queue, each with the job's id, that are ours for sure
}

var _ scheduler.Scheduler = (*Guard)(nil)

// Submit implements scheduler.Scheduler. The token is written down before the
// submission and the id after it: only an attempt whose id is missing there is
// looked for in the scheduler's records.
func (g *Guard) Submit(ctx context.Context, spec hpc.JobSpec) (string, error) {
	unlock := g.submitting.lock(spec.Token)
	defer unlock()
	id, err := g.submit(ctx, spec)
	if err != nil {
		return "", fmt.Errorf("cannot submit: %w", err)
	}
	return id, nil
}

func (g *Guard) submit(ctx context.Context, spec hpc.JobSpec) (string, error) {
	if !tokenPattern.MatchString(spec.Token) {
		return "", fmt.Errorf("%w: %.80q is not a token", scheduler.ErrRejected, spec.Token)
	}
	if g.Knows != nil {
		if err := g.Knows(ctx, hpc.AccountID{Name: spec.Account, UID: spec.UID}); err != nil {
			return "", err
		}
	}
	if g.Wrap != nil {
		script, err := g.Wrap(spec.Script)
		if err != nil {
			return "", fmt.Errorf("%w: the script: %v", scheduler.ErrRejected, err)
		}
		spec.Script = script
		others := slices.DeleteFunc(slices.Clone(spec.Env), func(v hpc.EnvVar) bool { return v.Name == TokenVariable })
		spec.Env = append(others, hpc.EnvVar{Name: TokenVariable, Value: spec.Token})
	}
	job, err := g.Journal.job(spec.Token)
	if err != nil && !errors.Is(err, errNoJob) {
		return "", err
	}
	if job.Buried {
		return "", fmt.Errorf("%w: the job was stopped", scheduler.ErrRejected)
	}
	switch last := job.last(); {
	case last.N > spec.Attempt:
		return "", fmt.Errorf("%w: the job was submitted again since", scheduler.ErrRejected)
	case last.N == spec.Attempt && last.ID != "":
		return last.ID, nil
	case last.N == spec.Attempt:
		if id, err := g.adopt(ctx, spec, job); err != nil || id != "" {
			return id, err
		}
	default:
		if err := g.Journal.begin(spec); err != nil {
			return "", err
		}
	}
	id, err := g.Driver.Submit(ctx, spec)
	if err != nil {
		return "", err
	}
	return id, g.Journal.submitted(spec.Token, spec.Attempt, id)
}

// adopt looks for the job of an attempt whose answer was lost.
func (g *Guard) adopt(ctx context.Context, spec hpc.JobSpec, job jobFile) (string, error) {
	ids, err := g.Driver.Find(ctx, spec.Token, spec.UID)
	if err != nil {
		return "", err
	}
	for _, id := range slices.Backward(ids) {
		if !slices.ContainsFunc(job.Attempts, func(a attempt) bool { return a.ID == id }) {
			return id, g.Journal.submitted(spec.Token, spec.Attempt, id)
		}
	}
	return "", nil
}

// Stop implements scheduler.Scheduler.
func (g *Guard) Stop(ctx context.Context, jobs ...scheduler.Ref) error {
	var ids, tokens []string
	for _, job := range jobs {
		if job.Token != "" {
			tokens = append(tokens, job.Token)
		}
		if job.ID != "" {
			ids = append(ids, job.ID)
		}
	}
	// What fills the volume is to end although that cannot be written down.
	err := g.Journal.Bury(tokens...)
	if len(ids) == 0 {
		return err
	}
	return errors.Join(err, g.Driver.Cancel(ctx, ids...))
}

// Runs implements scheduler.Scheduler.
func (g *Guard) Runs(_ context.Context, tokens ...string) ([]hpc.Run, error) {
	var all []hpc.Run
	for _, token := range tokens {
		runs, err := g.Journal.Runs(token)
		if err != nil {
			return nil, err
		}
		all = append(all, runs...)
	}
	return all, nil
}

// Died implements scheduler.Scheduler.
func (g *Guard) Died(_ context.Context, runs ...hpc.Run) error {
	for _, r := range runs {
		if !tokenPattern.MatchString(r.Token) || !taskPattern.MatchString(r.Task) {
			return fmt.Errorf("%w: %.40q is not a token", scheduler.ErrRejected, r.Token)
		}
		if err := g.Journal.NoteDeath(r, "its node is gone", time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// Observe implements scheduler.Scheduler: with the ends of our jobs comes what
// was written down of them. A job that shows a token and was not submitted under it
// is shown without.
func (g *Guard) Observe(ctx context.Context, cursor string) (scheduler.Observation, error) {
	o, err := g.Driver.Observe(ctx, cursor)
	if err != nil {
		return scheduler.Observation{}, err
	}
	if err := errors.Join(g.confirm(o), g.addRuns(o.Ends)); err != nil {
		return scheduler.Observation{}, fmt.Errorf("cannot observe: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cursor = o.Cursor
	return o, nil
}

// confirm takes the tokens off jobs that were not submitted under them.
func (g *Guard) confirm(o scheduler.Observation) error {
	g.mu.Lock()
	before := g.confirmed
	g.mu.Unlock()
	now := map[string]bool{}
	for i := range o.Queue {
		job := &o.Queue[i]
		if job.Token == "" {
			continue
		}
		key := job.Token + " " + job.Whole()
		sure := before[key] || now[key]
		if !sure {
			var err error
			if sure, err = g.confirmJob(job); err != nil {
				return err
			}
		}
		if sure {
			now[key] = true
		}
	}
	g.mu.Lock()
	g.confirmed = now
	g.mu.Unlock()
	for i := range o.Ends {
		if _, err := g.confirmJob(&o.Ends[i]); err != nil {
			return err
		}
	}
	return nil
}

// confirmJob takes the token off a job that was not submitted under it, and tells
// whether it was for sure.
func (g *Guard) confirmJob(job *scheduler.Job) (sure bool, err error) {
	sure, maybe, err := g.Journal.submittedAs(*job)
	if err == nil && !sure && !maybe {
		job.Token = ""
	}
	return sure, err
}

// addRuns adds to ends what was written down of their runs.
func (g *Guard) addRuns(ends []scheduler.Job) error {
	for i := range ends {
		e := &ends[i]
		if e.Token == "" || e.Array != "" && e.Task == "" {
			continue
		}
		r, there, err := g.Journal.latest(e.Token, e.Task)
		if err != nil {
			return err
		}
		if there {
			e.Run = &r
		}
	}
	return nil
}

// Changes implements scheduler.Scheduler.
func (g *Guard) Changes(ctx context.Context, cursor, sum string) (scheduler.Observation, error) {
	o, err := g.Observe(ctx, cursor)
	if err != nil {
		return o, err
	}
	text, err := json.Marshal(o.Queue)
	if err != nil {
		return o, fmt.Errorf("cannot observe: %w", err)
	}
	hash := sha256.Sum256(text)
	if o.Sum = hex.EncodeToString(hash[:16]); o.Sum == sum {
		o.Queue, o.Same = nil, true
	}
	return o, nil
}

// Down implements scheduler.Scheduler. What ran on the node is settled first, so
// that a job which had ended there does not run again, and one which had not may.
func (g *Guard) Down(ctx context.Context, node, reason string) error {
	why := "its node failed: " + strings.TrimPrefix(reason, "ehpc: ")
	err := g.onNode(ctx, node, func(job scheduler.Job) error {
		// The script of a job on several nodes runs on one of them, but loses all.
		for _, host := range job.Nodes {
			if err := g.Journal.noteNodeDeath(job, host, why, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot set node %.80q to down: %w", node, err)
	}
	return g.Driver.Down(ctx, node, reason)
}

// Requeue implements scheduler.Scheduler. Which runs are cut off is written down
// first, so that one which comes to its end in the same moment does not run
// again; and once more for those that began meanwhile.
func (g *Guard) Requeue(ctx context.Context, node, reason string) ([]string, error) {
	at := time.Now()
	note := func() error {
		err := g.onNode(ctx, node, func(job scheduler.Job) error {
			return g.Journal.noteCut(job, strings.TrimPrefix(reason, "ehpc: "), at)
		})
		if err != nil {
			return fmt.Errorf("cannot requeue the jobs of node %.80q: %w", node, err)
		}
		return nil
	}
	if err := note(); err != nil {
		return nil, err
	}
	ids, err := g.Driver.Requeue(ctx, node, reason)
	if err != nil || len(ids) == 0 {
		return ids, err
	}
	return ids, note()
}

// onNode calls fn for each of our jobs that is on the node.
func (g *Guard) onNode(ctx context.Context, node string, fn func(scheduler.Job) error) error {
	g.mu.Lock()
	cursor := g.cursor // only the queue matters
	g.mu.Unlock()
	o, err := g.Driver.Observe(ctx, cursor)
	if err != nil {
		return err
	}
	for _, job := range o.Queue {
		if job.Token == "" || !slices.Contains(job.Nodes, node) {
			continue
		}
		ours, _, err := g.Journal.submittedAs(job)
		if err == nil && ours {
			err = fn(job)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// locks are a lock for each token.
type locks struct {
	mu   sync.Mutex
	held map[string]*tokenLock
}

type tokenLock struct {
	mu    sync.Mutex
	users int
}

func (l *locks) lock(token string) (unlock func()) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*tokenLock{}
	}
	own := l.held[token]
	if own == nil {
		own = &tokenLock{}
		l.held[token] = own
	}
	own.users++
	l.mu.Unlock()
	own.mu.Lock()
	return func() {
		own.mu.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(l.held, token)
		}
	}
}
