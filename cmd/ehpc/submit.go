package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ehpc/api"
)

// submission is what job submit asks for; zero values are left to the service.
type submission struct {
	as, name, queue, dir, stdout, stderr string
	array, walltime, memory              string
	inputURL, unzip, post                string
	nodes, tasks, threads, gpus          int
	env                                  []string
	rerunable                            bool
}

func (s *submission) addFlags(f *pflag.FlagSet) {
	f.StringVar(&s.name, "name", "", "the job's name")
	f.StringVar(&s.post, "post", "", "command that the job runs after it, in the same directory")
	s.addJobFlags(f)
}

// addJobFlags adds the flags of all but the name.
func (s *submission) addJobFlags(f *pflag.FlagSet) {
	f.StringVar(&s.as, "as", "", "account that the job runs as")
	f.IntVar(&s.nodes, "nodes", 0, "number of nodes")
	f.IntVar(&s.tasks, "tasks", 0, "tasks on each node")
	f.IntVar(&s.threads, "threads", 0, "cores of each task")
	f.IntVar(&s.gpus, "gpus", 0, "GPUs on each node")
	f.StringVar(&s.memory, "memory", "", "memory on each node, as 2GB")
	f.StringVar(&s.walltime, "time", "", "longest run time, hh:mm:ss")
	f.StringVar(&s.queue, "queue", "", "queue")
	f.StringVar(&s.dir, "dir", "", "directory to run in, below the account's home unless absolute")
	f.StringVar(&s.stdout, "stdout", "", "file for the output, likewise")
	f.StringVar(&s.stderr, "stderr", "", "file for errors, likewise (default: with the output)")
	f.StringVar(&s.array, "array", "", "run it once for each index, as 1-10 or 1-10:2")
	f.StringVar(&s.inputURL, "input-url", "", "URL of a file that the service fetches into the job's directory")
	f.StringVar(&s.unzip, "unzip", "", "command that the job runs first, to unpack it")
	f.StringArrayVar(&s.env, "env", nil, "NAME=VALUE for its environment; may be repeated")
	f.BoolVar(&s.rerunable, "rerunable", false, "may be run again when its node is lost")
}

func (s *submission) params(cluster, password, command string) url.Values {
	in := values("ClusterId", cluster, "CommandLine", command, "RunasUser", s.as, "RunasUserPassword", password,
		"Name", s.name, "JobQueue", s.queue, "Mem", s.memory, "ClockTime", s.walltime, "ArrayRequest", s.array,
		"InputFileUrl", s.inputURL, "UnzipCmd", s.unzip, "PostCmdLine", s.post,
		"Node", number(s.nodes), "Task", number(s.tasks), "Thread", number(s.threads), "Gpu", number(s.gpus))
	for name, path := range s.paths() {
		in.Set(name, inHome(s.as, path))
	}
	if s.rerunable {
		in.Set("ReRunable", "true")
	}
	if len(s.env) > 0 {
		in.Set("Variables", s.variables())
	}
	return in
}

// paths are the parameters with paths that were given.
func (s *submission) paths() map[string]string {
	all := map[string]string{"PackagePath": s.dir, "StdoutRedirectPath": s.stdout, "StderrRedirectPath": s.stderr}
	maps.DeleteFunc(all, func(_, path string) bool { return path == "" })
	return all
}

func (s *submission) variables() string {
	type variable struct{ Name, Value string }
	all := make([]variable, len(s.env))
	for i, pair := range s.env {
		all[i].Name, all[i].Value, _ = strings.Cut(pair, "=")
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(text)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (c *cli) newJobSubmitCommand() *cobra.Command {
	var s submission
	var secret passwordSource
	var follow bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "submit CLUSTER --as ACCOUNT -- COMMAND [ARG...]",
		Short: "Submit a command or a job script that is on the cluster",
		Example: `  ehpc job submit lab --as lovelace --nodes 2 --dir runs -- ./job.sh
  ehpc job submit lab --as lovelace --array 1-10 -- './step.sh $SLURM_ARRAY_TASK_ID'`,
		Args: argsFrom("COMMAND", "CLUSTER"),
	}
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if s.as == "" {
			return &usageError{cmd.CommandPath(), "missing --as ACCOUNT"}
		}
		return nil
	}
	cmd.RunE = c.with(func(ctx context.Context, r *remote, args []string) error {
		cluster, err := r.cluster(ctx, args[0])
		if err != nil {
			return err
		}
		password, err := secret.ask(cmd, c.env, s.as)
		if err != nil {
			return err
		}
		answer, err := call[api.SubmitJobResponse](ctx, r, "submit the job to cluster "+args[0], "SubmitJob",
			s.params(cluster, password, shellLine(args[1:])))
		if err != nil {
			return err
		}
		if !follow {
			return r.done(answer, answer.JobId, "job %s submitted", answer.JobId)
		}
		if err := r.aside(answer, answer.JobId, "job %s submitted", answer.JobId); err != nil {
			return err
		}
		return r.follow(ctx, timeout, cluster, answer.JobId)
	})
	s.addFlags(cmd.Flags())
	c.addRaw(cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "wait for its end, and show what it prints and how it goes")
	cmd.Flags().DurationVar(&timeout, "timeout", followLimit, "with --follow, wait no longer than this")
	secret.addFlag(cmd.Flags())
	return cmd
}
