package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// claimFrom claims the run that its arguments name, as a process of the account
// that runs it, and prints the answer; "closed" when there is none.
const claimFrom = `use strict; use Socket;
my ($token, $id) = @ARGV;
my $s;
socket($s, AF_UNIX, SOCK_STREAM, 0) && connect($s, pack_sockaddr_un("/run/ehpc/claims.sock")) or die "cannot connect: $!";
$SIG{PIPE} = "IGNORE"; $SIG{ALRM} = sub { print "silent\n"; exit };
syswrite($s, qq({"Token":"$token","ID":"$id","Own":"$id"}));
alarm 20;
my $answer = "";
my $n = sysread($s, $answer, 4096);
print $n ? "$answer\n" : "closed\n";
sysread($s, $answer, 1);
`

// TestNoJobIsOutsideTheBill has an account, and the root of its cluster, try to run
// what no listing and no bill shows, or what costs nothing.
func TestNoJobIsOutsideTheBill(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	c := s.Create(t, "billed", rig.Order{Computes: 1})
	who := c.AddAccount(t, "lovelace", "users")
	manager, node := c.Node(t, "manager").Id, c.Node(t, "compute000").Id
	c.Put(t, who, "/home/lovelace/claim.pl", claimFrom)
	runs := c.Submit(t, who, &api.SubmitJobRequest{Name: "runs", CommandLine: "until test -e other; do sleep 0.1; done; perl claim.pl $(cat other); exec sleep 3600"})
	c.AwaitJob(t, runs, "RUNNING")
	waits := c.Submit(t, who, &api.SubmitJobRequest{CommandLine: "echo ran", Name: "waits"})
	c.AwaitJob(t, waits, "PENDING")
	tokenOf := func(id string) string {
		return strings.TrimSpace(s.Inside(t, manager, "runuser -u lovelace -- squeue -h -j "+id+" -O wckey:80"))
	}
	token := tokenOf(runs)
	if !strings.HasPrefix(token, "ehpc") {
		t.Fatalf("the running job has the key %q, so what follows shows nothing", token)
	}

	t.Run("no argument list shows a token", func(t *testing.T) {
		for _, id := range []string{manager, node} {
			if out, err := s.TryInside(t, id, "grep -alE 'ehpc[a-z0-9]{20}' /proc/[0-9]*/cmdline"); err == nil {
				t.Errorf("these do: %s", out)
			}
		}
	})
	t.Run("an account takes no token", func(t *testing.T) {
		for _, key := range []string{token, "*" + token, "*", "*x"} {
			if out, err := s.TryInside(t, manager, "cd /home/lovelace && runuser -u lovelace -- sbatch --wckey='"+key+"' --wrap true"); err == nil {
				t.Errorf("with the key %q: %s", key, out)
			}
		}
	})
	t.Run("an account claims no job of its own that waits", func(t *testing.T) {
		claim := tokenOf(waits) + " " + waits
		if out := c.Shell(t, "compute000", "runuser -u lovelace -- perl /home/lovelace/claim.pl "+claim); out != "closed" {
			t.Errorf("from a shell: %s", out)
		}
		c.Put(t, who, "/home/lovelace/other.new", claim)
		s.Inside(t, node, "mv /home/lovelace/other.new /home/lovelace/other")
		var log api.GetJobLogResponse
		rig.Until(t, "the claim from another job is answered", rig.ComeUp, func() bool {
			c.Do(t, &api.GetJobLogRequest{ClusterId: c.ID, JobId: runs}, &log)
			return strings.Contains(log.OutputLog, "\n")
		})
		if !strings.Contains(log.OutputLog, `"Verdict":"end"`) {
			t.Errorf("from another job: %s", log.OutputLog)
		}
	})
	t.Run("what root submits with a stolen token is listed and billed", func(t *testing.T) {
		var stolen []string
		for _, key := range []string{token, "*" + token} {
			id := s.Inside(t, manager, "cd /tmp && sbatch --parsable --wckey='"+key+"' --uid=lovelace --gid=lovelace --wrap 'sleep 2'")
			stolen = append(stolen, strings.TrimSpace(id))
		}
		for _, id := range stolen {
			rig.Until(t, "job "+id+" is listed", rig.ComeUp, func() bool {
				return slices.ContainsFunc(c.Jobs(t), func(j api.ListJobsJobInfo) bool { return j.Id == id })
			})
		}
		c.Do(t, &api.StopJobsRequest{ClusterId: c.ID, Jobs: `[{"Id":"` + runs + `"}]`}, nil)
		for _, id := range stolen {
			c.AwaitJob(t, id, "COMPLETED")
			if n := billedRuns(t, c, id); n != 1 {
				t.Errorf("the bill has %d runs of job %s", n, id)
			}
		}
	})
	c.AwaitJob(t, waits, "COMPLETED")
	if n := billedRuns(t, c, waits); n != 1 {
		t.Errorf("the bill has %d runs of the job that others claimed", n)
	}
	c.Delete(t)
}

// billedRuns is how many runs of a job the report of the last hour has.
func billedRuns(t *testing.T, c *rig.Cluster, id string) int {
	t.Helper()
	now := int(time.Now().Unix())
	var a api.GetAccountingReportResponse
	c.Do(t, &api.GetAccountingReportRequest{ClusterId: c.ID, ReportType: "job_report", JobId: id, StartTime: now - 3600, EndTime: now + 1}, &a)
	return a.TotalCount
}

// fillDescriptors sends descriptors through sockets, and receives none, until the
// kernel refuses more; then it waits. The kernel counts them for a uid of the host.
const fillDescriptors = `use strict; use Socket;
open(my $file, "<", "/dev/null") or die;
my (@pairs, $sent);
SOCKET: while (1) {
  socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or last;
  push @pairs, $a, $b;
  $a->blocking(0) if $a->can("blocking");
  for (1..100) {
    my $rights = pack("Q i i", 16 + 4 * 250, 1, 1) . pack("i*", (fileno($file)) x 250);
    my $byte = "x"; my $vector = pack("P Q", $byte, 1);
    my $message = pack("Q Q P Q P Q Q", 0, 0, $vector, 1, $rights, length $rights, 0);
    if (syscall(46, fileno($a), $message, 0x40) < 0) { last SOCKET if $! == 109; last }
    $sent += 250;
  }
}
print "$sent sent: $!\n"; $| = 1; print "";
close STDOUT; sleep 600;
`

// TestRootOfANodeStopsNoOtherClustersJobs fills what the kernel has for root of all
// nodes together.
func TestRootOfANodeStopsNoOtherClustersJobs(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	bad := s.Create(t, "bad", rig.Order{Computes: 1})
	good := s.Create(t, "good", rig.Order{Computes: 1})
	who := good.AddAccount(t, "lovelace", "users")
	bad.Put(t, bad.AddAccount(t, "mallory", "users"), "/home/mallory/fill.pl", fillDescriptors)
	bad.Invoke(t, &api.InvokeShellCommandRequest{Command: "ulimit -n $(ulimit -Hn); perl /home/mallory/fill.pl >/home/mallory/filled 2>&1",
		Instance: []api.InvokeShellCommandRequestInstance{{Id: bad.Node(t, "compute000").Id}}})
	var filled string
	rig.Until(t, "the kernel takes no more", rig.ComeUp, func() bool {
		filled = bad.Try(t, "manager", "cat /home/mallory/filled").Output
		return strings.Contains(filled, "sent")
	})
	if !strings.Contains(filled, "Too many references") {
		t.Errorf("it was refused for another reason, so what follows shows nothing: %s", filled)
	}
	id := good.Submit(t, who, &api.SubmitJobRequest{Name: "goes-on", CommandLine: "echo ran"})
	good.AwaitJob(t, id, "COMPLETED")
	bad.Delete(t)
	good.Delete(t)
}
