package slurm

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

func spec() hpc.JobSpec {
	return hpc.JobSpec{Token: "ehpctok", Name: "-x", Account: "ann", UID: 20001, Script: "#!/bin/sh\ntrue\n", Dir: "/home/ann"}
}

// sbatching is a client whose sbatch answers with ids from 41 on, or fails.
func sbatching(t *testing.T, queue string) (c *client, submitted *[]string, fail *error) {
	t.Helper()
	c = logged(t, queue)
	inner := c.exec
	submitted, fail = new([]string), new(error)
	c.exec = func(ctx context.Context, what call) ([]byte, string, error) {
		if what.argv[0] != "sbatch" {
			return inner(ctx, what)
		}
		environ, err := io.ReadAll(what.file)
		if err != nil {
			t.Error(err)
		}
		*submitted = append(*submitted, strings.Join(append(what.env, what.argv...), " ")+" < "+string(what.stdin)+" & "+string(environ))
		return []byte("41\n"), "sbatch: error: it says why", *fail
	}
	return c, submitted, fail
}

func TestSubmissions(t *testing.T) {
	t.Parallel()
	t.Run("a token's jobs are found, ended or queued, the account's alone", func(t *testing.T) {
		t.Parallel()
		line := func(id, uid string) string {
			return queued(id, id, "1-5", "ehpctok2", "0", "2026-11-23T21:15:03", "N/A", "PENDING", "JobHeldUser",
				uid, "", "1", "workq", "0", "x", "/home/ann", "/o", "/o", "", "OK", "")
		}
		c, _, _ := sbatching(t, line("55", "20001")+line("56", "20666"))
		if ids, err := c.Find(t.Context(), "ehpctok2", 20001); err != nil || !slices.Equal(ids, []string{"2", "55"}) {
			t.Errorf("got %q, %v", ids, err)
		}
	})
	t.Run("a submission that fails is rejected with the scheduler's words", func(t *testing.T) {
		t.Parallel()
		c, _, fail := sbatching(t, "")
		*fail = errors.New("exit status 1")
		if _, err := c.Submit(t.Context(), spec()); !errors.Is(err, scheduler.ErrRejected) || !strings.Contains(err.Error(), "it says why") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a controller that is away is unavailable", func(t *testing.T) {
		t.Parallel()
		c, _, _ := sbatching(t, "")
		c.exec = func(context.Context, call) ([]byte, string, error) { return nil, "", errors.New("exit status 1") }
		if _, err := c.Submit(t.Context(), spec()); !errors.Is(err, scheduler.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the command says all of the job, and the environment none of it", func(t *testing.T) {
		t.Parallel()
		c, submitted, _ := sbatching(t, "")
		s := spec()
		s.Nodes, s.Tasks, s.Threads, s.MemoryMB, s.GPUs, s.Walltime = 2, 3, 4, 512, 1, 3723e9
		s.Array, s.Rerunable, s.Priority, s.Queue, s.Stdout, s.Stderr = "1-9:2", true, 5, "night", "/o u t", "/e"
		s.Env = []hpc.EnvVar{{Name: "LD_PRELOAD", Value: "a\nb=c"}}
		if _, err := c.Submit(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		want := "SBATCH_WCKEY=ehpctok sbatch --parsable --hold --ignore-pbs --export-file=3 --uid=20001 --gid=20001 --nodes=2 " +
			"--ntasks-per-node=3 --cpus-per-task=4 --job-name=-x --chdir=/home/ann --output=/o u t --error=/e --partition=night " +
			"--mem=512M --gres=gpu:1 --time=62:03 --nice=-5 --array=1-9:2 --requeue < #!/bin/sh\ntrue\n & "
		got := (*submitted)[0]
		if !strings.HasPrefix(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if vars := strings.Split(got, "\x00"); !slices.Contains(vars, "LD_PRELOAD=a\nb=c") || !slices.Contains(vars, "SLURM_NTASKS=6") {
			t.Errorf("the environment is %q", vars)
		}
		if slices.ContainsFunc(environment, func(v string) bool { return strings.HasPrefix(v, "LD_") }) {
			t.Error("sbatch itself has the job's environment")
		}
	})
	bad := map[string]func(*hpc.JobSpec){
		"a token with a slash":        func(s *hpc.JobSpec) { s.Token = "../x" },
		"no token":                    func(s *hpc.JobSpec) { s.Token = "" },
		"a script without its line":   func(s *hpc.JobSpec) { s.Script = "true" },
		"a script with NUL":           func(s *hpc.JobSpec) { s.Script += "\x00" },
		"a name with a newline":       func(s *hpc.JobSpec) { s.Name = "a\nb" },
		"a directory with a unit":     func(s *hpc.JobSpec) { s.Dir = "/a" + unit },
		"a variable named like 'a b'": func(s *hpc.JobSpec) { s.Env = []hpc.EnvVar{{Name: "a b"}} },
		"a variable's value with NUL": func(s *hpc.JobSpec) { s.Env = []hpc.EnvVar{{Name: "A", Value: "\x00"}} },
		"an empty array":              func(s *hpc.JobSpec) { s.Array = "5-1" },
	}
	for name, spoil := range bad {
		t.Run("is refused: "+name, func(t *testing.T) {
			t.Parallel()
			c, submitted, _ := sbatching(t, "")
			s := spec()
			spoil(&s)
			if _, err := c.Submit(t.Context(), s); !errors.Is(err, scheduler.ErrRejected) || len(*submitted) != 0 {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDirectivesBecomeComments(t *testing.T) {
	t.Parallel()
	got := withoutDirectives("#!/bin/sh\n\n#SBATCH --uid=0\n \r\n  # x\n#SBATCH\t--gid=0\ncat <<E\n#SBATCH -N 2\nE")
	if want := "#!/bin/sh\n\n# SBATCH --uid=0\n \r\n  # x\n# SBATCH\t--gid=0\ncat <<E\n#SBATCH -N 2\nE"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestIDsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	c := logged(t, "")
	for _, id := range []string{"", "-f", "1,2", "1 2", "--state=R", "x"} {
		if err := c.Cancel(t.Context(), id); !errors.Is(err, scheduler.ErrRejected) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestOutputMayBeADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, want := range map[string]string{"": "", dir: dir + "/slurm-%j.out", dir + "/": dir + "/slurm-%j.out", dir + "/out": dir + "/out"} {
		if got := outputFile(path, false); got != want {
			t.Errorf("%q goes to %q, want %q", path, got, want)
		}
	}
	if got, want := outputFile(dir, true), dir+"/slurm-%A_%a.out"; got != want {
		t.Errorf("an array's output goes to %q, want %q", got, want)
	}
}
