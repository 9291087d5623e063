package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// Submit implements scheduler.Driver. What slurmrestd did not submit, for it is
// away or for any other reason that is certain, sbatch does, or says why not.
func (c *client) Submit(ctx context.Context, job hpc.JobSpec) (string, error) {
	array := job.Array != ""
	job.Stdout, job.Stderr = outputFile(job.Stdout, array), outputFile(job.Stderr, array)
	if err := checkJob(job); err != nil {
		return "", err
	}
	id, err := c.submit(ctx, job)
	if err != nil {
		return "", err
	}
	return id, c.ids.note(id)
}

func (c *client) submit(ctx context.Context, job hpc.JobSpec) (string, error) {
	if c.rest != nil {
		id, err := c.rest.submit(ctx, job)
		if !errors.Is(err, errNotSubmitted) && !errors.Is(err, errInexpressible) {
			return id, err
		}
	}
	argv, err := sbatchArgs(job)
	if err != nil {
		return "", err
	}
	environ, err := jobEnvironment(job)
	if err != nil {
		return "", err
	}
	return c.sbatch(ctx, call{argv: argv, env: []string{"SBATCH_WCKEY=" + job.Token}, stdin: []byte(withoutDirectives(job.Script))}, environ)
}

// outputFile is the file for the output at path, which may be a directory.
func outputFile(path string, array bool) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		name := map[bool]string{false: "/slurm-%j.out", true: "/slurm-%A_%a.out"}[array]
		return strings.TrimSuffix(path, "/") + name
	}
	return path
}

// sbatch runs the command and reads the id that it prints.
func (c *client) sbatch(ctx context.Context, what call, environ []byte) (string, error) {
	// A file that has no name any more: the environment may hold secrets.
	file, err := os.CreateTemp("", "ehpc-environment-*")
	if err != nil {
		return "", err
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil {
		return "", err
	}
	if _, err := file.Write(environ); err != nil {
		return "", err
	}
	if _, err := file.Seek(0, 0); err != nil {
		return "", err
	}
	what.file = file
	out, err := c.run(ctx, what)
	if err != nil {
		return "", err
	}
	id, _, _ := strings.Cut(strings.TrimSpace(string(out)), ";")
	if _, err := strconv.ParseUint(id, 10, 32); err != nil {
		return "", fmt.Errorf("sbatch answered %.80q", out)
	}
	return id, nil
}

var (
	tokenPattern = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)
	namePattern  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// checkJob refuses what no way of submitting may be asked for.
func checkJob(job hpc.JobSpec) error {
	if !tokenPattern.MatchString(job.Token) {
		return fmt.Errorf("%w: %.80q is not a token", scheduler.ErrRejected, job.Token)
	}
	if !strings.HasPrefix(job.Script, "#!") || strings.ContainsRune(job.Script, 0) {
		return fmt.Errorf(`%w: a script begins with "#!" and holds no NUL`, scheduler.ErrRejected)
	}
	for _, text := range []string{job.Name, job.Dir, job.Stdout, job.Stderr, job.Queue} {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("%w: %.80q holds a control character", scheduler.ErrRejected, text)
		}
	}
	return nil
}

// sbatchArgs is the command for the job, held, as its account, but for the token:
// arguments are everybody's to read. What it says, restBody says too.
func sbatchArgs(job hpc.JobSpec) ([]string, error) {
	array, err := arrayOption(job)
	if err != nil {
		return nil, err
	}
	uid := strconv.Itoa(job.UID)
	argv := []string{
		"sbatch", "--parsable", "--hold", "--ignore-pbs", "--export-file=3",
		"--uid=" + uid, "--gid=" + uid,
		"--nodes=" + strconv.Itoa(max(job.Nodes, 1)),
		"--ntasks-per-node=" + strconv.Itoa(max(job.Tasks, 1)),
		"--cpus-per-task=" + strconv.Itoa(max(job.Threads, 1)),
	}
	given := func(option, value string) {
		if value != "" {
			argv = append(argv, option+"="+value)
		}
	}
	given("--job-name", job.Name)
	given("--chdir", job.Dir)
	given("--output", job.Stdout)
	given("--error", job.Stderr)
	given("--partition", job.Queue)
	given("--mem", memoryOption(job))
	given("--gres", gresOption(job))
	given("--time", timeOption(job))
	if job.Priority != 0 {
		given("--nice", strconv.Itoa(-job.Priority)) // a lower one is served earlier
	}
	given("--array", array)
	if job.Rerunable {
		return append(argv, "--requeue"), nil
	}
	return append(argv, "--no-requeue"), nil
}

// The options below are "" when the job does not ask for them.

func memoryOption(job hpc.JobSpec) string {
	if job.MemoryMB <= 0 {
		return ""
	}
	return strconv.Itoa(job.MemoryMB) + "M"
}

func gresOption(job hpc.JobSpec) string {
	if job.GPUs <= 0 {
		return ""
	}
	return "gpu:" + strconv.Itoa(job.GPUs)
}

func timeOption(job hpc.JobSpec) string {
	s := int(job.Walltime.Seconds())
	if s <= 0 {
		return ""
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func arrayOption(job hpc.JobSpec) (string, error) {
	if job.Array == "" {
		return "", nil
	}
	r, err := hpc.ParseArray(job.Array)
	if err != nil {
		return "", fmt.Errorf("%w: %v", scheduler.ErrRejected, err)
	}
	return fmt.Sprintf("%d-%d:%d", r.First, r.Last, r.Step), nil
}

// jobEnvironment is the job's whole environment, in the form of an export file.
// None of it is in sbatch's own, which runs as root.
func jobEnvironment(job hpc.JobSpec) ([]byte, error) {
	variables, err := jobVariables(job)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, v := range variables {
		b.WriteString(v.Name + "=" + v.Value + "\x00")
	}
	return b.Bytes(), nil
}

// jobVariables is the job's whole environment; of two with one name the later counts.
func jobVariables(job hpc.JobSpec) ([]hpc.EnvVar, error) {
	login := []hpc.EnvVar{
		{Name: "HOME", Value: "/home/" + job.Account}, {Name: "USER", Value: job.Account},
		{Name: "LOGNAME", Value: job.Account}, {Name: "SHELL", Value: "/bin/bash"},
		{Name: "PATH", Value: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}, {Name: "LANG", Value: "C.UTF-8"},
	}
	variables := slices.Concat(login, ownVariables(job), job.Env)
	for _, v := range variables {
		if !namePattern.MatchString(v.Name) || strings.ContainsRune(v.Value, 0) {
			return nil, fmt.Errorf("%w: %.80q cannot be an environment variable", scheduler.ErrRejected, v.Name)
		}
	}
	return variables, nil
}

// ownVariables are those that sbatch sets in its own environment, which an
// export file replaces.
func ownVariables(job hpc.JobSpec) []hpc.EnvVar {
	perNode := max(job.Tasks, 1)
	tasks := strconv.Itoa(perNode * max(job.Nodes, 1))
	return []hpc.EnvVar{
		{Name: "SLURM_JOB_NAME", Value: job.Name}, {Name: "SLURM_SUBMIT_DIR", Value: job.Dir},
		{Name: "SLURM_NTASKS", Value: tasks}, {Name: "SLURM_NPROCS", Value: tasks},
		{Name: "SLURM_NTASKS_PER_NODE", Value: strconv.Itoa(perNode)},
		{Name: "SLURM_CPUS_PER_TASK", Value: strconv.Itoa(max(job.Threads, 1))},
	}
}

// withoutDirectives makes plain comments of the script's "#SBATCH" lines. sbatch
// runs as root and would read any file that they name; the request's own
// fields say what the job needs.
func withoutDirectives(script string) string {
	lines := strings.Split(script, "\n")
	for i, line := range lines {
		if rest, directive := strings.CutPrefix(line, "#SBATCH"); directive {
			lines[i] = "# SBATCH" + rest
			continue
		}
		// sbatch reads up to the first line that is no comment.
		if text := strings.TrimLeft(line, " \t\v\f\r"); text != "" && text[0] != '#' {
			break
		}
	}
	return strings.Join(lines, "\n")
}
