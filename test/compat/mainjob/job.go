package mainjob

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Client is a foreign client of the API. Every method is one or two requests.
type Client interface {
	// CreateCluster asks for a manager, a login node and so many compute nodes.
	CreateCluster(name string, compute int) (id string, err error)
	// ClusterStatus is what DescribeCluster says, "" once the code is ClusterNotFound.
	ClusterStatus(cluster string) (status, message string, err error)
	DeleteCluster(cluster string) error
	AddUser(cluster, name, password string) error
	CreateJobFile(cluster, path, content string, as Account) error
	SubmitJob(cluster string, job Job, as Account) (id string, err error)
	// Job is what ListJobs says of a job.
	Job(cluster, id string) (state, stdout string, err error)
	// Managers are the ids of the management nodes, by ListNodes.
	Managers(cluster string) ([]string, error)
	InvokeShellCommand(cluster, node, command string) (id string, err error)
	// CommandResult is what ListInvocationResults says of a command on one node.
	CommandResult(cluster, command string) (status string, exitCode int, output string, err error)
}

// Account is whom a job runs as.
type Account struct{ Name, Password string }

// Job is what is submitted.
type Job struct {
	Name, CommandLine, Dir string
	Nodes                  int
}

// input is a Lennard-Jones melt small enough to take a second.
const input = `units lj
atom_style atomic
lattice fcc 0.8442
region box block 0 6 0 6 0 6
create_box 1 box
create_atoms 1 box
mass 1 1.0
velocity all create 1.44 87287 loop geom
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0 2.5
fix 1 all nve
thermo 50
run 100
`

// script has characters that clients encode in different ways.
const script = `#!/bin/bash
set -e # "quotes" + plus * star ~ tilde & ampersand = equals % percent 中文
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
echo on $(scontrol show hostnames "$SLURM_JOB_NODELIST" | sort)
srun --mpi=pmix lmp -in in.melt -log none
`

// Do does the whole main job with a client and fails the test where anything of
// it did not truly happen. While the cluster still runs, after its job has
// ended, then are called.
func Do(ctx context.Context, t *testing.T, c Client, name string, then ...func(t *testing.T, cluster, job string)) {
	t.Helper()
	cluster, err := c.CreateCluster(name, 2)
	must(t, "create the cluster", err)
	await(ctx, t, "the cluster to run", 4*time.Minute, func() (bool, error) {
		status, message, err := c.ClusterStatus(cluster)
		if status == "exception" {
			return false, fmt.Errorf("it is in trouble: %s", message)
		}
		return status == "running", err
	})
	account := Account{"lovelace", "Melt+100%*~=&"}
	must(t, "add the account", c.AddUser(cluster, account.Name, account.Password))
	dir := "/home/" + account.Name + "/melt"
	must(t, "put the input", c.CreateJobFile(cluster, dir+"/in.melt", input, account))
	must(t, "put the script", c.CreateJobFile(cluster, dir+"/melt.sh", script, account))

	job, err := c.SubmitJob(cluster, Job{Name: "melt", CommandLine: "bash ./melt.sh", Dir: dir, Nodes: 2}, account)
	must(t, "submit the job", err)
	var stdout string
	await(ctx, t, "the job to complete", 3*time.Minute, func() (bool, error) {
		state, path, err := c.Job(cluster, job)
		stdout = path
		switch state {
		case "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY":
			return false, fmt.Errorf("it ended %s", state)
		}
		return state == "COMPLETED", err
	})
	output := shell(ctx, t, c, cluster, "cat "+stdout)
	for _, want := range []string{"on compute000 compute001", "for 100 steps with 864 atoms"} {
		if !strings.Contains(output, want) {
			t.Errorf("the output lacks %q:\n%s", want, output)
		}
	}
	if got := shell(ctx, t, c, cluster, "cat "+dir+"/melt.sh"); got != script {
		t.Errorf("the script did not arrive as it was sent:\n%q\n%q", got, script)
	}

	for _, more := range then {
		more(t, cluster, job)
	}

	must(t, "delete the cluster", c.DeleteCluster(cluster))
	await(ctx, t, "the cluster to go", 2*time.Minute, func() (bool, error) {
		status, _, err := c.ClusterStatus(cluster)
		return status == "" && err == nil, err
	})
}

// shell runs a command on the manager and returns its output.
func shell(ctx context.Context, t *testing.T, c Client, cluster, command string) string {
	t.Helper()
	managers, err := c.Managers(cluster)
	must(t, "list the managers", err)
	if len(managers) == 0 {
		t.Fatal("the cluster has no manager")
	}
	id, err := c.InvokeShellCommand(cluster, managers[0], command)
	must(t, "run "+command, err)
	var output string
	await(ctx, t, "the command to end", time.Minute, func() (bool, error) {
		status, exitCode, text, err := c.CommandResult(cluster, id)
		if status == "Failed" || status == "Stopped" || exitCode != 0 {
			return false, fmt.Errorf("%s: it was %s with exit status %d: %s", command, status, exitCode, text)
		}
		output = text
		return status == "Finished", err
	})
	return output
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("cannot %s: %v", what, err)
	}
}

// await looks until it is so.
func await(ctx context.Context, t *testing.T, what string, limit time.Duration, so func() (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		is, err := so()
		must(t, "wait for "+what, err)
		if is {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("cannot wait for %s: it took longer than %s", what, limit)
		case <-tick.C:
		}
	}
}
