package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ehpc/api"
	"ehpc/client"
)

func TestARefusalSpeaksOfWhatWasTyped(t *testing.T) {
	t.Parallel()
	refused := &client.Error{Code: "InvalidParams", Message: "EcsOrder.Compute.Count 1000 is above 99; OsTag: there is no CentOS.", RequestID: "R"}
	err := &failure{"create cluster lab", asTyped("CreateCluster", errors.Join(refused, context.DeadlineExceeded))}
	if got, want := err.Error(), "cannot create cluster lab: --compute 1000 is above 99; --os: there is no CentOS (InvalidParams, request R)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, refused) {
		t.Error("what else the error is was lost")
	}
	for _, as := range []error{asTyped("ListRegions", refused), asTyped("SubmitJob", errors.New("Name"))} {
		if strings.Contains(as.Error(), "--") {
			t.Errorf("%v was changed", as)
		}
	}
}

// notTyped are parameters that commands send and nobody types.
var notTyped = []string{"ClusterId", "UniqueName", "RunasUserPassword"}

func TestWhatIsTypedIsNamed(t *testing.T) {
	t.Parallel()
	flags := map[string]bool{}
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) { flags["--"+f.Name] = true })
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(&cli{}))
	for action, names := range typed {
		known, ok := api.Lookup(action)
		if !ok {
			t.Errorf("there is no action %s", action)
		}
		for name, word := range names {
			if !slices.ContainsFunc(known.Params, func(p api.Param) bool {
				return p.Name == strings.ReplaceAll(name, ".1.", ".N.")
			}) {
				t.Errorf("%s has no parameter %s", action, name)
			}
			if strings.HasPrefix(word, "--") && !flags[word] {
				t.Errorf("no command has a flag %s", word)
			}
		}
	}
	job := submission{as: "a", name: "a", queue: "a", dir: "a", stdout: "a", stderr: "a", array: "a", walltime: "a", memory: "a",
		inputURL: "a", unzip: "a", post: "a", nodes: 1, tasks: 1, threads: 1, gpus: 1, env: []string{"A=a"}, rerunable: true}
	cluster := clusterWish{description: "a", scheduler: "a", os: "a", deploy: "a", managerType: "a", loginType: "a", computeType: "a"}
	for name := range job.params("a", "a", "a") {
		if !slices.Contains(notTyped, name) && typed["SubmitJob"][name] == "" {
			t.Errorf("what was typed for %s of SubmitJob has no name", name)
		}
	}
	for name := range cluster.params("a") {
		if !slices.Contains(notTyped, name) && typed["CreateCluster"][name] == "" {
			t.Errorf("what was typed for %s of CreateCluster has no name", name)
		}
	}
}
