package bench

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ehpc/test/e2e/rig"
)

// native is a cluster of the same nodes on which only Slurm is left: no service
// and no agents.
type native struct {
	*rig.Cluster
	as    rig.Account
	nodes map[string]string // hostname -> id
}

// startNative makes a cluster and takes the service and the agents away.
func startNative(b *testing.B, computes int) *native {
	b.Helper()
	s := rig.StartWith(b, "--config", plenty(b))
	n := &native{Cluster: s.Create(b, "native", rig.Order{Managers: 1, Logins: 1, Computes: computes}), nodes: map[string]string{}}
	n.as = n.AddAccount(b, "lovelace", "users")
	for _, node := range n.Nodes(b) {
		n.nodes[node.HostName] = node.Id
	}
	s.Kill()
	n.everywhere(b, n.hosts(), "s6-svc -wD -d /service/agent")
	return n
}

// give brings the service and the agents back and has the cluster deleted.
func (n *native) give(b *testing.B) {
	b.Helper()
	n.Restart(b)
	n.everywhere(b, n.hosts(), "s6-svc -u /service/agent")
	n.Delete(b)
}

func (n *native) hosts() []string {
	var list []string
	for host := range n.nodes {
		list = append(list, host)
	}
	return list
}

// sh runs a script on a node, as root, and returns what it printed.
func (n *native) sh(b *testing.B, host, script string) string {
	b.Helper()
	out, err := n.command(host, script).CombinedOutput()
	if err != nil {
		b.Fatalf("on %s: %v\n%s\n%s", host, err, script, out)
	}
	return strings.TrimSpace(string(out))
}

// asUser is sh as the account.
func (n *native) asUser(b *testing.B, host, script string) string {
	b.Helper()
	return n.sh(b, host, "cd /home/"+n.as.Name+" && exec setpriv --reuid="+n.as.Name+" --regid="+n.as.Name+
		" --init-groups env HOME=/home/"+n.as.Name+" bash -ec "+quote(script))
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func (n *native) command(host, script string) *exec.Cmd {
	return exec.Command("runc", "--root", filepath.Join(n.Dir, "runc"), "exec", n.nodes[host], "bash", "-ec", script)
}

// everywhere runs a script on nodes at the same time.
func (n *native) everywhere(b *testing.B, hosts []string, script string) {
	b.Helper()
	var wg sync.WaitGroup
	for _, host := range hosts {
		wg.Go(func() {
			if out, err := n.command(host, script).CombinedOutput(); err != nil {
				b.Errorf("on %s: %v\n%s\n%s", host, err, script, out)
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// volume is where the cluster's shared file systems are on the host.
func volume(c *rig.Cluster, elements ...string) string {
	return filepath.Join(append([]string{c.Dir, "clusters", c.ID, "vol"}, elements...)...)
}

// daemons are stopped and started by these on whatever node has them.
const (
	stopDaemons  = `for s in slurmd slurmctld munged; do [ ! -d /service/$s ] || s6-svc -wD -T 8000 -d /service/$s; done`
	startDaemons = `for s in munged slurmctld slurmd; do [ ! -d /service/$s ] || s6-svc -u /service/$s; done`
)

// idle waits until so many nodes are idle in the scheduler.
func (n *native) idle(b *testing.B, count int) {
	b.Helper()
	n.sh(b, "manager", `end=$((SECONDS + 60))
until [ "$(sinfo -h -N -o '%n %t' 2>/dev/null | grep -c ' idle$')" = `+strconv.Itoa(count)+` ]; do
  [ $SECONDS -lt $end ] || { sinfo; exit 1; }; sleep 0.05
done`)
}

// quiet waits until no job is left.
func (n *native) quiet(b *testing.B) {
	b.Helper()
	n.sh(b, "manager", `until [ -z "$(squeue -h -t all -o %t | grep -vE '^(CD|F|CA|TO|NF|OOM)$' || true)" ]; do sleep 0.05; done`)
}

// sbatch submits in so many loops and returns how many a second.
func (n *native) sbatch(b *testing.B, loops, each int, command string) float64 {
	b.Helper()
	out := n.asUser(b, "manager", `begun=${EPOCHREALTIME/./}
for loop in $(seq `+strconv.Itoa(loops)+`); do
  { for i in $(seq `+strconv.Itoa(each)+`); do sbatch --wrap `+quote(command)+` >/dev/null || exit 1; done; } &
  list="$list $!"
done
for p in $list; do wait $p; done
echo $((${EPOCHREALTIME/./} - begun))`)
	took, err := strconv.ParseFloat(out, 64)
	rig.Must(b, err)
	return float64(loops*each) / (took / 1e6)
}

// restd starts slurmrestd as the account, as its own clients are who they are.
func (n *native) restd(b *testing.B) (socket string) {
	b.Helper()
	socket = "/home/" + n.as.Name + "/rest.sock"
	server := n.command("manager", "cd /tmp && exec setpriv --reuid="+n.as.Name+" --regid="+n.as.Name+" --init-groups env "+
		"SLURMRESTD_SECURITY=disable_unshare_sysv,disable_unshare_files slurmrestd -s openapi/v0.0.38 -a rest_auth/local unix:"+socket)
	rig.Must(b, server.Start())
	b.Cleanup(func() {
		n.sh(b, "manager", "pkill slurmrestd; rm -f "+socket)
		server.Wait()
	})
	rig.Until(b, "slurmrestd listens", 10*time.Second, func() bool {
		return n.command("manager", "[ -S "+socket+" ]").Run() == nil
	})
	return socket
}

// post submits to slurmrestd on so many connections for a while.
func (n *native) post(b *testing.B, socket string, connections int, span time.Duration) load {
	b.Helper()
	out := n.asUser(b, "manager", "/opt/beside submit "+socket+" "+strconv.Itoa(connections)+" "+span.String()+" /tmp")
	var got struct {
		Seconds   float64
		Latencies []float64
	}
	rig.Must(b, json.Unmarshal([]byte(out), &got))
	return load{seconds: got.Seconds, latencies: got.Latencies}
}
