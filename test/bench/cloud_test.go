package bench

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/image"
	"ehpc/internal/provider"
	"ehpc/internal/provider/local"
	"ehpc/test/e2e/rig"
)

// cloud is a partition of the other cluster with one node that Slurm's power
// saving makes and takes away. Its programs write down what they are asked for,
// in place of a call to somebody who has machines, which is who reads it here:
// what the service's own nodes are made by makes these, too.
type cloud struct {
	*native
	machines *local.Provider
	seen     int // bytes of what was asked for
}

// The cloud's one node.
const (
	cloudNode = "cloud0"
	cloudID   = "i-cloud0"
)

// startCloud has the controller start anew with power saving, as quick as it
// can be told to be, for this partition alone.
func startCloud(b *testing.B, n *native) *cloud {
	b.Helper()
	img, err := image.Open(image.DefaultDir, slog.New(slog.DiscardHandler)).Ensure(b.Context(), func(string) {})
	rig.Must(b, err)
	machines, err := local.New(b.Context(), local.Options{Dir: n.Dir, Image: func(string) (string, error) { return img.Rootfs, nil },
		CoreOvercommit: 2000, MemoryOvercommit: 8, Log: slog.New(slog.DiscardHandler)})
	rig.Must(b, err)
	n.sh(b, "manager", `cp /etc/slurm/slurm.conf /etc/slurm/before.conf
mkdir -p /opt/power && touch /opt/power/asked && chown slurm: /opt/power/asked
for what in resume suspend; do printf '#!/bin/sh\necho %s "$1" >>/opt/power/asked\n' $what >/opt/power/$what; chmod 755 /opt/power/$what; done
cat >>/etc/slurm/slurm.conf <<E
NodeName=`+cloudNode+fmt.Sprintf(` CPUs=%d RealMemory=1024 State=CLOUD
PartitionName=cloud Nodes=`, cores)+cloudNode+` DefMemPerCPU=64 MaxTime=INFINITE State=UP
ResumeProgram=/opt/power/resume
SuspendProgram=/opt/power/suspend
ResumeTimeout=60
SuspendTimeout=1
SuspendTime=600
SuspendExcParts=workq
SlurmctldParameters=cloud_reg_addrs,power_save_interval=1,power_save_min_interval=0
E
s6-svc -wR -T 8000 -r /service/slurmctld`)
	// What its image or cloud-init would bring along.
	n.sh(b, n.extra()[0], "tar -C / -cpf /opt/power/node.tar etc/munge/munge.key etc/slurm/cgroup.conf etc/passwd etc/group etc/shadow etc/hosts")
	n.sh(b, "manager", "tar -C / -rpf /opt/power/node.tar etc/slurm/slurm.conf etc/slurm/partitions.conf")
	c := &cloud{native: n, machines: machines}
	c.state(b, "idle~")
	return c
}

// end puts the controller back to what it was.
func (c *cloud) end(b *testing.B) {
	b.Helper()
	rig.Must(b, c.machines.Destroy(b.Context(), cloudID))
	c.sh(b, "manager", "mv /etc/slurm/before.conf /etc/slurm/slurm.conf; s6-svc -wR -T 8000 -r /service/slurmctld")
}

// asked waits until Slurm has asked for something.
func (c *cloud) asked(b *testing.B, what string) {
	b.Helper()
	file := volume(c.Cluster, "opt", "power", "asked")
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		content := text(b, file)
		if at := strings.Index(content[c.seen:], what+" "+cloudNode+"\n"); at >= 0 {
			c.seen += at + 1
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("Slurm did not ask to %s the node:\n%s\n%s", what, content, c.sh(b, "manager", "sinfo -N; squeue; tail -n 30 /var/log/ehpc/slurmctld/current"))
		}
	}
}

// state waits until Slurm shows the node in a state.
func (c *cloud) state(b *testing.B, state string) {
	b.Helper()
	c.sh(b, "manager", `end=$((SECONDS + 60))
until [ "$(sinfo -h -n `+cloudNode+` -o %t 2>/dev/null)" = '`+state+`' ]; do [ $SECONDS -lt $end ] || { sinfo -N; exit 1; }; sleep 0.1; done`)
}

// resume makes the node's machine and starts its daemons.
func (c *cloud) resume(b *testing.B) {
	b.Helper()
	_, err := c.machines.Create(b.Context(), provider.Spec{ID: cloudID, ClusterID: c.ID, Hostname: cloudNode, Image: "debian12-ehpc",
		Type: hpc.InstanceType{Name: "ecs.n1.tiny", Cores: cores, MemoryMB: 1024}})
	rig.Must(b, err)
	c.nodes[cloudNode] = cloudID
	defer delete(c.nodes, cloudNode)
	start := c.command(cloudNode, `tar -C / -xpf /opt/power/node.tar; sed -i '/first-job-id/d' /etc/slurm/slurm.conf
echo "$(hostname -I) `+cloudNode+`" >>/etc/hosts
mkdir -p /run/slurm /var/spool/slurmd && install -d -o munge -g munge /run/munge /var/log/munge /var/lib/munge
setpriv --reuid=munge --regid=munge --init-groups /usr/sbin/munged && exec /usr/sbin/slurmd -b`) // Slurm waits for a boot after it has asked, and containers boot with their host
	log, err := os.Create(volume(c.Cluster, "opt", "power", "started")) // a pipe would be held open
	rig.Must(b, err)
	defer log.Close()
	start.Stdout, start.Stderr = log, log
	if err := start.Run(); err != nil {
		b.Fatalf("cannot start the node: %v\n%s", err, text(b, log.Name()))
	}
}

// suspend has Slurm take the node away, and waits until it may come again.
func (c *cloud) suspend(b *testing.B) {
	b.Helper()
	c.sh(b, "manager", "scontrol update nodename="+cloudNode+" state=power_down_force")
	c.asked(b, "suspend")
	rig.Must(b, c.machines.Destroy(b.Context(), cloudID))
	c.state(b, "idle~")
}

// run submits a job to the partition and returns how long it is until its first
// instruction on the node, in seconds.
func (c *cloud) run(b *testing.B, name string) float64 {
	b.Helper()
	before := c.asUser(b, "manager", "date +%s.%N; sbatch -p cloud --wrap 'date +%s.%N > "+name+"' >/dev/null")
	c.asked(b, "resume")
	c.resume(b)
	file := volume(c.Cluster, "home", c.as.Name, name)
	await(b, file, 1)
	return seconds(b, text(b, file)) - seconds(b, before)
}
