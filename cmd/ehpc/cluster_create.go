package main

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ehpc/api"
)

// clusterWish is what cluster create asks for; what is empty or negative is
// left to the service.
type clusterWish struct {
	description, scheduler, os, deploy  string
	managerType, loginType, computeType string
	login, compute                      int
	duplicate, ifAbsent                 bool
}

func (c *cli) newClusterCreateCommand() *cobra.Command {
	var wish clusterWish
	var wait waiting
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a cluster",
		Long: `Make a cluster. A name that another of your clusters has is refused: commands find
clusters by their names. One that is being deleted does not count.`,
		Example: `  ehpc cluster create lab --login 1 --compute 2 --wait
  ehpc cluster create big --compute 8 --compute-type ecs.c5.large
  id=$(ehpc cluster create ci --if-absent --wait -o id)`,
		Args: argsNamed("NAME"),
	}
	cmd.RunE = c.with(func(ctx context.Context, r *remote, args []string) error {
		if wish.duplicate && wish.ifAbsent {
			return &usageError{cmd.CommandPath(), "--duplicate and --if-absent exclude each other"}
		}
		name, begun := args[0], time.Now()
		created, made, err := r.createCluster(ctx, name, wish)
		if err != nil {
			return err
		}
		id := created.ClusterId
		if wait.wait {
			err = r.awaitCluster(ctx, wait.timeout, name, id)
		}
		switch {
		case err != nil:
			return err
		case !made:
			return r.done(created, id, "cluster %s (%s) is there already", name, id)
		case wait.wait:
			return r.done(created, id, "cluster %s (%s) is running, after %.1f s", name, id, time.Since(begun).Seconds())
		}
		return r.done(created, id, "cluster %s (%s) is being made; see: ehpc cluster show %s", name, id, name)
	})
	f := cmd.Flags()
	f.StringVar(&wish.description, "description", "", "what it is for")
	f.StringVar(&wish.scheduler, "scheduler", "", "batch scheduler, as slurm")
	f.StringVar(&wish.os, "os", "", "node image, as Debian_12_64")
	f.StringVar(&wish.deploy, "deploy-mode", "Simple", "which management roles share a node: Standard, Simple, Tiny or OneBox")
	f.StringVar(&wish.managerType, "manager-type", "", "instance type of the management nodes, as ecs.n1.small")
	f.StringVar(&wish.loginType, "login-type", "", "instance type of the login nodes")
	f.StringVar(&wish.computeType, "compute-type", "", "instance type of the compute nodes")
	f.IntVar(&wish.login, "login", -1, "number of login nodes")
	f.IntVar(&wish.compute, "compute", -1, "number of compute nodes")
	f.BoolVar(&wish.ifAbsent, "if-absent", false, "take the cluster of that name where there is one")
	f.BoolVar(&wish.duplicate, "duplicate", false, "make it even where another has that name")
	wait.addFlags(f, "until the cluster takes jobs")
	for _, name := range []string{"login", "compute"} {
		f.Lookup(name).DefValue = "0" // shows no default: that is the service's
	}
	return cmd
}

func (w clusterWish) params(name string) url.Values {
	in := values("Name", name, "Description", w.description, "SchedulerType", w.scheduler, "OsTag", w.os,
		"DeployMode", w.deploy, "EcsOrder.Manager.InstanceType", w.managerType,
		"EcsOrder.Login.InstanceType", w.loginType, "EcsOrder.Compute.InstanceType", w.computeType)
	if !w.duplicate {
		in.Set("UniqueName", "true")
	}
	if w.login >= 0 {
		in.Set("EcsOrder.Login.Count", strconv.Itoa(w.login))
	}
	if w.compute >= 0 {
		in.Set("EcsOrder.Compute.Count", strconv.Itoa(w.compute))
	}
	return in
}

// createCluster makes a cluster, or finds it where that is wished.
func (r *remote) createCluster(ctx context.Context, name string, wish clusterWish) (created api.CreateClusterResponse, made bool, err error) {
	if wish.ifAbsent {
		created, err = r.presentCluster(ctx, name)
		if err != nil || created.ClusterId != "" {
			return created, false, err
		}
	}
	created, err = call[api.CreateClusterResponse](ctx, r, "create cluster "+name, "CreateCluster", wish.params(name))
	if !refusedWith(err, api.ConflictOpt) {
		return created, err == nil, err
	}
	if wish.ifAbsent { // somebody was faster
		if there, findErr := r.presentCluster(ctx, name); findErr != nil || there.ClusterId != "" {
			return there, false, findErr
		}
	}
	return created, false, &taken{err}
}

// presentCluster is the cluster of that name, as if it had just been made; without
// an id if there is none.
func (r *remote) presentCluster(ctx context.Context, name string) (found api.CreateClusterResponse, err error) {
	all, err := r.clustersNamed(ctx, name)
	switch {
	case err != nil || len(all) == 0 || going(all[0]):
		return found, err
	case len(all) > 1:
		return found, severalNamed(name, all)
	}
	found.ClusterId = all[0].Id
	return found, nil
}

// taken is that another cluster has the name.
type taken struct{ error }

func (t *taken) Unwrap() error { return t.error }
