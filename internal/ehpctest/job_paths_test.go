package ehpctest

import (
	"slices"
	"strings"
	"testing"

	"ehpc/api"
	provfake "ehpc/internal/provider/fake"
)

// What would keep a job from running is told when it is submitted, and no job is
// listed then.
func TestAJobThatCouldNotRunIsRefused(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	all := p.Nodes(t, id)
	manager := w.Agent(all[slices.IndexFunc(all, func(n api.ListNodesNoPagingNodeInfo) bool { return n.HostName == "manager" })].Id)
	manager.Keep("worker dos.sh", "#!/bin/sh\r\ntrue\r\n")
	manager.Keep("worker runs/unix.sh", "#!/bin/sh\ntrue\n")
	manager.Lack("/home/worker/none", "/opt/none", "/home/worker/none-%j")
	for _, c := range []struct {
		name, line, dir, stdout, stderr, says string // says "" if it is taken
	}{
		{"a script with DOS line ends", "./dos.sh", "", "", "", "CommandLine: the script /home/worker/dos.sh cannot run: its lines end as DOS has them (CRLF)"},
		{"one that a shell is to read", "bash dos.sh 1", "", "", "", "CommandLine: the script /home/worker/dos.sh cannot run"},
		{"a script whose lines end well", "./unix.sh", "runs", "", "", ""},
		{"a command line as forms send it", "#!/bin/sh\r\ntrue\r\n", "", "", "", ""},
		{"a missing directory", "true", "none", "", "", "PackagePath: the directory /home/worker/none does not exist; make it first"},
		{"a missing directory of a share", "true", "/opt/none", "", "", "PackagePath: the directory /opt/none does not exist"},
		{"output into a missing directory", "true", "", "none/out", "", "StdoutRedirectPath: the directory /home/worker/none does not exist"},
		{"errors into a missing directory", "true", "", "", "none/err", "StderrRedirectPath: the directory /home/worker/none does not exist"},
		{"output into a directory that the job's id names", "true", "", "none-%j/out", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := job(id, c.line)
			q.PackagePath, q.StdoutRedirectPath, q.StderrRedirectPath = c.dir, c.stdout, c.stderr
			before := len(p.jobs(t, id))
			err := p.Do(t.Context(), q, &api.SubmitJobResponse{})
			if c.says == "" {
				must(t, err)
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "InvalidParams: ") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
			if listed := len(p.jobs(t, id)); listed != before {
				t.Errorf("%d jobs are listed, %d were before", listed, before)
			}
		})
	}
}
