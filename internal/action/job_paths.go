package action

import (
	"context"
	"path"
	"regexp"
	"strings"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/store"
)

// pathsLimit is how long a submission waits to hear of what the job names.
const pathsLimit = 5 * time.Second

// checkJobPaths refuses a job that could not run for what it names: its script, its
// directory, and those of its output. Only what is certain counts: a manager that
// does not tell, and places that are not the same on all nodes, keep none.
func (s *Service) checkJobPaths(ctx context.Context, manager *store.Node, q *api.SubmitJobRequest, spec hpc.JobSpec) error {
	paths, params := jobPaths(q, spec)
	if paths.Dir == "" && paths.Script == "" && len(paths.Outputs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pathsLimit)
	defer cancel()
	faults, err := s.Links.Node(manager.ID).JobPaths(ctx, paths)
	if err != nil {
		s.Log.Debug("cannot look at what a job names", "node", manager.ID, "err", err)
		return nil
	}
	for _, dir := range faults.Missing {
		if params[dir] != "" {
			return badJob(params[dir], "the directory %s does not exist; make it first", dir)
		}
	}
	for _, dir := range faults.Closed {
		if params[dir] != "" {
			return badJob(params[dir], "account %s has no right to use the directory %s so", spec.Account, dir)
		}
	}
	if faults.DOSScript {
		return badJob("CommandLine", "the script %s cannot run: %s", paths.Script, hpc.DOSScriptAdvice)
	}
	return nil
}

// jobPaths are what a job names that can be looked at before it runs, and the
// parameters that name the directories. A home that is not there yet is made.
func jobPaths(q *api.SubmitJobRequest, spec hpc.JobSpec) (p link.JobPaths, params map[string]string) {
	home := "/home/" + spec.Account
	params = map[string]string{}
	p.Account, p.UID = spec.Account, spec.UID
	if spec.Dir != home && !strings.Contains(spec.Dir, "%") {
		p.Dir, params[spec.Dir] = spec.Dir, "PackagePath"
	}
	for _, o := range []struct{ param, given, file string }{
		{"StdoutRedirectPath", q.StdoutRedirectPath, spec.Stdout}, {"StderrRedirectPath", q.StderrRedirectPath, spec.Stderr}} {
		dir := path.Dir(o.file)
		if o.given == "" || dir == home || strings.Contains(dir, "%") || params[dir] != "" && params[dir] != "PackagePath" {
			continue
		}
		p.Outputs = append(p.Outputs, dir)
		if params[dir] == "" {
			params[dir] = o.param
		}
	}
	if q.UnzipCmd == "" { // else it may bring another one
		p.Script = scriptOf(q.CommandLine, home, spec.Dir)
	}
	return p, params
}

// shellPattern is a shell's call of a script, without options.
var shellPattern = regexp.MustCompile(`^(?:/bin/|/usr/bin/)?(?:ba|da|k|z)?sh ([A-Za-z0-9_~+./][A-Za-z0-9_.+/-]*)(?: .*)?$`)

// scriptOf is the script that a command line of one line runs; "" if that cannot
// be told.
func scriptOf(commandLine, home, dir string) string {
	line := strings.TrimSpace(commandLine)
	m := shellPattern.FindStringSubmatch(line)
	if m == nil {
		m = callPattern.FindStringSubmatch(line)
	}
	switch {
	case m == nil:
		return ""
	case strings.HasPrefix(m[1], "~/"):
		return inHome(home, m[1])
	}
	return inHome(dir, m[1])
}
