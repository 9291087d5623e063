package agent_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/image"
	"ehpc/internal/link"
	"ehpc/internal/provider"
	"ehpc/internal/provider/local"
	"ehpc/internal/scheduler"
	"ehpc/internal/sshca"
)

const imageID = "debian12-ehpc"

// nodeImage is made once for all tests, or found made.
var nodeImage = sync.OnceValues(func() (image.Image, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	return image.Open(image.DefaultDir, slog.New(slog.DiscardHandler)).Ensure(ctx, func(string) {})
})

// cluster is real nodes with real agents, and no control plane but this test.
type cluster struct {
	*testing.T
	dir      string
	provider *local.Provider
	hub      *link.Hub
	changes  chan string
	plan     hpc.NodePlan // Self is for each node to fill in
}

const clusterID = "ehpc-hz-Agent00001"

// openCluster starts a manager and some compute nodes with two cores each. On a
// host that cannot run nodes the test is skipped, or fails where nothing may be.
func openCluster(t *testing.T, computes int) *cluster {
	t.Helper()
	c := &cluster{T: t, dir: t.TempDir(), changes: make(chan string, 1000)}
	c.hub = link.NewHub(slog.New(slog.DiscardHandler), func(id string) {
		select {
		case c.changes <- id:
		default:
		}
	})
	t.Cleanup(func() { c.hub.Close() })
	if _, err := nodeImage(); errors.Is(err, image.ErrHost) && os.Getenv("EHPC_TEST_NO_SKIP") != "1" {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	c.openProvider()
	c.plan = hpc.NodePlan{
		ClusterID: clusterID, ClusterName: "agent", Scheduler: "slurm",
		Queues:   []hpc.Queue{{Name: hpc.DefaultQueue, Default: true}, {Name: "elsewhere"}}, // the second for the suite
		Accounts: []hpc.Account{{Name: "ann", UID: 20001, Group: hpc.UsersName, PasswordHash: "*"}, {Name: "bob", UID: 20002, Group: hpc.WheelName, PasswordHash: "*"}},
		Secrets: hpc.Secrets{
			MungeKey: []byte(strings.Repeat("0123456789abcdef", 64)),
			JWTKey:   []byte(strings.Repeat("\x00\xff\n'jwt key", 4)),
		},
	}
	if os.Getenv("EHPC_TEST_SBATCH") == "1" { // the engine submits by sbatch alone then
		c.plan.Secrets.JWTKey = nil
	}
	c.add("manager", hpc.RoleManager, hpc.RoleAccount, hpc.RoleLogin)
	for i := range computes {
		c.add(fmt.Sprintf("compute%03d", i), hpc.RoleCompute)
	}
	return c
}

func (c *cluster) openProvider() {
	c.Helper()
	program := filepath.Join(c.dir, "ehpc-agent")
	build := exec.Command("go", "build", "-o", program, "ehpc/cmd/ehpc-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		c.Fatalf("cannot build the agent: %v\n%s", err, out)
	}
	p, err := local.New(context.Background(), local.Options{
		Dir: c.dir,
		Image: func(string) (string, error) {
			img, err := nodeImage()
			return img.Rootfs, err
		},
		AgentPath: program,
		LinkDir: func(id string) (string, error) {
			dir := filepath.Join(c.dir, "link", id)
			return dir, c.hub.Listen(id, dir)
		},
		CoreOvercommit: 32, MemoryOvercommit: 4,
		Log: slog.New(slog.DiscardHandler),
	})
	if errors.Is(err, provider.ErrHost) && os.Getenv("EHPC_TEST_NO_SKIP") != "1" {
		c.Skip(err)
	}
	c.must("open the provider", err)
	c.provider = p
	c.must("make the cluster", p.CreateCluster(c.Context(), clusterID))
	c.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := p.DeleteCluster(ctx, clusterID); err != nil {
			c.Errorf("cannot delete the cluster: %v", err)
		}
	})
}

func (c *cluster) must(what string, err error) {
	c.Helper()
	if err != nil {
		c.Fatalf("cannot %s: %v", what, err)
	}
}

// nodeType is small, so that hosts of developers hold a few.
var nodeType = hpc.InstanceType{Name: "test", Cores: 2, MemoryMB: 1024}

// add makes a machine and, once its agent is there, a member of the plan.
func (c *cluster) add(hostname string, roles ...hpc.Role) {
	c.Helper()
	id := "i-" + hostname
	m, err := c.provider.Create(c.Context(), provider.Spec{
		ID: id, ClusterID: clusterID, Hostname: hostname, Type: nodeType, Image: imageID, Manager: roles[0] == hpc.RoleManager,
	})
	c.must("make "+hostname, err)
	c.until(hostname+"'s agent is connected", func() bool { _, ok := c.hub.Present(id); return ok })
	c.plan.Members = append(c.plan.Members, hpc.Member{
		ID: id, Hostname: hostname, Address: m.Address, Roles: roles,
		Cores: nodeType.Cores, MemoryMB: nodeType.MemoryMB, Queue: hpc.DefaultQueue,
	})
}

// crash kills the node's init and makes its machine anew: same row, same
// hostname, same address, fresh disk.
func (c *cluster) crash(hostname string) {
	c.Helper()
	c.kill(hostname)
	c.remake(hostname)
}

func (c *cluster) kill(hostname string) {
	c.Helper()
	id := "i-" + hostname
	out, err := exec.Command("runc", "--root", filepath.Join(c.dir, "runc"), "kill", id, "KILL").CombinedOutput()
	if err != nil {
		c.Fatalf("cannot kill %s: %s", hostname, out)
	}
	began := time.Now()
	c.until(hostname+"'s agent is gone", func() bool { _, ok := c.hub.Present(id); return !ok })
	c.Logf("%s: its end was noticed after %v", hostname, time.Since(began).Round(time.Millisecond))
	c.until(hostname+" is dead", func() bool {
		machines, err := c.provider.List(c.Context())
		c.must("list machines", err)
		for _, m := range machines {
			if m.ID == id {
				return m.State == provider.Dead
			}
		}
		return true
	})
}

func (c *cluster) remake(hostname string) {
	c.Helper()
	for i, m := range c.plan.Members {
		if m.Hostname == hostname {
			before := c.plan.Members
			c.plan.Members = nil
			c.add(hostname, m.Roles...)
			again := c.plan.Members[0]
			if again.Address != m.Address {
				c.Fatalf("%s was at %s and is at %s", hostname, m.Address, again.Address)
			}
			c.plan.Members = before
			c.plan.Members[i] = again
		}
	}
}

// until waits for changes that the agents tell of until the answer is yes.
func (c *cluster) until(what string, yes func() bool) {
	c.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-c.changes:
		case <-tick.C:
		case <-deadline:
			out, _ := c.try("manager", "0:0", "scontrol show node; scontrol show job; tail -n 30 /var/log/ehpc/slurmctld/current")
			c.Fatalf("waited in vain until %s\n%s", what, out)
		}
	}
}

// apply applies the plan on all nodes, the manager first.
func (c *cluster) apply() { c.applyTo(c.plan.Members) }

func (c *cluster) applyTo(members []hpc.Member) {
	c.Helper()
	for _, m := range members {
		plan := c.planOf(m)
		began := time.Now()
		c.must("apply", c.hub.Node(m.ID).Apply(c.Context(), plan))
		c.Logf("%s: applied in %v", m.Hostname, time.Since(began).Round(time.Millisecond))
	}
}

// planOf is the plan of one member.
func (c *cluster) planOf(m hpc.Member) hpc.NodePlan {
	c.Helper()
	plan := c.plan
	plan.Self = m
	if !m.HasRole(hpc.RoleManager) {
		plan.Secrets.JWTKey = nil
	}
	var err error
	plan.SSH, err = authority.Host(clusterID, m.ID, m.Hostname)
	c.must("make ssh keys", err)
	return plan
}

// authority vouches for the nodes of all tests.
var authority = sshca.New(func(purpose string) []byte {
	sum := sha256.Sum256([]byte(purpose))
	return sum[:]
})

func (c *cluster) scheduler() scheduler.Scheduler {
	return scheduler.NewRemote(c.hub.HTTP("i-manager"))
}

// in runs a shell script on a node, beside the agent.
func (c *cluster) in(hostname, user, script string) string {
	c.Helper()
	out, err := c.try(hostname, user, script)
	if err != nil {
		c.Fatalf("on %s: %v\n%s", hostname, err, out)
	}
	return out
}

func (c *cluster) try(hostname, user, script string) (string, error) {
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "runc", "--root", filepath.Join(c.dir, "runc"), "exec", "--user", user,
		"i-"+hostname, "/bin/sh", "-c", script).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
