package bench

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// commands runs one command on 50 nodes, through the service and with pdsh over
// ssh from the manager, whose host keys and account are ready.
func commands(b *testing.B, w *world, t *table) {
	w.start(b)
	const nodes, rounds = 50, 7
	if have := len(w.cluster.Nodes(b)); have < nodes {
		w.cluster.AskNodes(b, nodes-have)
		w.idle(b, computes+nodes-have)
	}
	hosts := w.readyPdsh(b)
	r := &row{place: 100, what: fmt.Sprintf("InvokeShellCommand on %d nodes until all results are there", nodes),
		beside: "pdsh over ssh", unit: "s", goal: ratioAtMost(1)}
	for range rounds {
		begun := time.Now()
		w.invoke(b, nodes)
		r.ours = append(r.ours, time.Since(begun).Seconds())
		out := w.onManager(b, `cd; begun=${EPOCHREALTIME/./}; pdsh -R ssh -f `+strconv.Itoa(nodes)+` -w `+strings.Join(hosts, ",")+` hostname > names; echo $((${EPOCHREALTIME/./} - begun)) $(wc -l < names)`)
		var took, answered int
		if _, err := fmt.Sscan(out, &took, &answered); err != nil || answered != nodes {
			b.Fatalf("pdsh: %q", out)
		}
		r.theirs = append(r.theirs, float64(took)/1e6)
	}
	t.add(b, r)
	w.drop(b, nodes-2-computes)
}

// invoke has every node tell its name.
func (w *world) invoke(b *testing.B, nodes int) {
	b.Helper()
	id := w.cluster.Invoke(b, &api.InvokeShellCommandRequest{Command: "hostname"})
	deadline := time.Now().Add(time.Minute)
	for {
		var a api.ListInvocationStatusResponse
		w.cluster.Do(b, &api.ListInvocationStatusRequest{ClusterId: w.cluster.ID, CommandId: id}, &a)
		if a.InvokeStatus != "Running" {
			break
		}
		if time.Now().After(deadline) {
			b.Fatal("the command did not end")
		}
		time.Sleep(20 * time.Millisecond)
	}
	var a api.ListInvocationResultsResponse
	w.cluster.Do(b, &api.ListInvocationResultsRequest{ClusterId: w.cluster.ID, CommandId: id, PageSize: nodes}, &a)
	for _, result := range a.InvocationResults.InvocationResult {
		if !result.Success || strings.TrimSpace(result.Message) == "" {
			b.Fatalf("on %s: %+v", result.InstanceId, result)
		}
	}
	if got := len(a.InvocationResults.InvocationResult); got != nodes {
		b.Fatalf("%d results, not %d", got, nodes)
	}
}

// onManager runs a script as the account on the manager.
func (w *world) onManager(b *testing.B, script string) string {
	b.Helper()
	n := &native{Cluster: w.cluster, as: w.as, nodes: map[string]string{"manager": w.cluster.Node(b, "manager").Id}}
	return n.asUser(b, "manager", script)
}

// readyPdsh puts Debian's pdsh on the manager, and a key and a configuration
// into the account's home, with which it gets to every node.
func (w *world) readyPdsh(b *testing.B) (hosts []string) {
	b.Helper()
	dir := b.TempDir()
	fetch := exec.Command("apt-get", "download", "pdsh", "libgenders0", "libreadline8", "readline-common")
	fetch.Dir = dir
	if out, err := fetch.CombinedOutput(); err != nil {
		b.Fatalf("cannot get pdsh: %v\n%s", err, out)
	}
	packages, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	rig.Must(b, err)
	for _, file := range packages {
		if out, err := exec.Command("dpkg", "-x", file, volume(w.cluster, "opt", "pdsh")).CombinedOutput(); err != nil {
			b.Fatalf("cannot unpack pdsh: %v\n%s", err, out)
		}
	}
	w.cluster.Shell(b, "manager", `cd /opt/pdsh && cp -a usr/. /usr/ && if [ -d lib ]; then cp -a lib/. /usr/lib/; fi; chown -R root:root /usr/lib/*/pdsh /usr/bin/pdsh* && ldconfig`)
	w.onManager(b, `cd; mkdir -p .ssh; chmod 700 .ssh; [ -e .ssh/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519
cp .ssh/id_ed25519.pub .ssh/authorized_keys
printf 'StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n' > .ssh/config`)
	for _, n := range w.cluster.Nodes(b) {
		hosts = append(hosts, n.HostName)
	}
	return hosts
}
