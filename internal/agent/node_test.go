package agent_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/auth"
	"ehpc/internal/hpc"
	"ehpc/internal/link"
)

// command starts a command on the manager and waits for its result.
func (c *cluster) command(t *testing.T, cmd hpc.Command) hpc.CommandResult {
	t.Helper()
	node := c.hub.Node("i-manager")
	if err := node.StartCommand(t.Context(), cmd); err != nil {
		t.Fatalf("cannot start %s: %v", cmd.ID, err)
	}
	var result hpc.CommandResult
	c.until("command "+cmd.ID+" has ended", func() bool {
		var err error
		result, err = node.CommandResult(t.Context(), cmd.ID)
		if err != nil {
			t.Fatalf("cannot ask for %s: %v", cmd.ID, err)
		}
		return result.Status != hpc.CommandRunning
	})
	return result
}

// pid is a service's process on the manager.
func (c *cluster) pid(service string) string {
	return c.in("manager", "0:0", "s6-svstat -o pid /service/"+service)
}

func TestNode(t *testing.T) {
	c := openCluster(t, 0)
	// An earlier set-up was cut off after it put these in place and before s6 was told.
	c.in("manager", "0:0", `cd /service && for s in munged left; do
		mkdir -p $s/log /var/log/ehpc/$s && touch $s/ehpc && printf '#!/bin/sh\nexec sleep 1000\n' > $s/run &&
		printf '#!/bin/sh\nexec s6-log n3 s1000000 /var/log/ehpc/'$s'\n' > $s/log/run && chmod 755 $s/run $s/log/run; done;
		# s6 holds a service, for a moment longer here, before it can tell how it is.
		mkdir left/supervise && { s6-setlock left/supervise/lock sleep 3 >/dev/null 2>&1 & }`)
	t.Run("a node that is prepared has all but the scheduler's daemons", func(t *testing.T) {
		plan := c.planOf(c.plan.Members[0])
		plan.Prepare = true
		c.must("prepare", c.hub.Node("i-manager").Apply(t.Context(), plan))
		state, err := c.hub.Node("i-manager").State(t.Context())
		if err != nil || len(state.Services) != 2 || state.Services["munged"] != "up" || state.Services["sshd"] != "up" {
			t.Errorf("the services are %v, %v", state.Services, err)
		}
		if out := c.in("manager", "0:0", "id -un 20001"); out != "ann" {
			t.Errorf("an account is %q", out)
		}
	})
	c.apply()
	t.Run("accounts are known, with their groups", func(t *testing.T) {
		for command, want := range map[string]string{
			"id -un 20001":              "ann",
			"id -gn ann":                "ann",
			"id -Gn bob":                "bob wheel",
			"stat -c '%a %U' /home/ann": "700 ann",
			"getent hosts manager | awk '{print $2}'":         "manager",
			"stat -c '%a %U %G' /var/lib/extrausers/shadow":   "640 root shadow",
			"stat -c '%a %U %G' /etc/munge/munge.key":         "400 munge munge",
			"runuser -u bob -- sudo -n id -un":                "root",
			"runuser -u ann -- sudo -n id -un 2>&1 || true":   "sudo: a password is required",
			"runuser -u ann -- cat /home/bob/x 2>&1 || true":  "cat: /home/bob/x: Permission denied",
			"runuser -u ann -- ls /var/lib/ehpc 2>&1 || true": "ls: cannot open directory '/var/lib/ehpc': Permission denied",
		} {
			if out := c.in("manager", "0:0", command); out != want {
				t.Errorf("%s: %q, want %q", command, out, want)
			}
		}
	})
	t.Run("a plan applied again changes nothing", func(t *testing.T) {
		before := c.pid("munged") + c.pid("slurmctld") + c.pid("sshd")
		c.apply()
		if after := c.pid("munged") + c.pid("slurmctld") + c.pid("sshd"); after != before {
			t.Errorf("processes %s became %s", before, after)
		}
	})
	t.Run("people log in with their passwords", func(t *testing.T) {
		hash, err := auth.HashPassword("Right-password1")
		c.must("hash", err)
		c.plan.Accounts[0].PasswordHash = hash
		c.apply()
		login := func(password string) (string, error) {
			return c.try("manager", "0:0", `printf '#!/bin/sh\necho `+password+`\n' > /tmp/ask; chmod 700 /tmp/ask
				SSH_ASKPASS=/tmp/ask SSH_ASKPASS_REQUIRE=force ssh -o StrictHostKeyChecking=no -o NumberOfPasswordPrompts=1 \
				-o LogLevel=ERROR ann@manager 'id -un; pwd'`)
		}
		if out, err := login("Right-password1"); err != nil || out != "ann\n/home/ann" {
			t.Errorf("got %q, %v", out, err)
		}
		if out, err := login("Wrong-password1"); err == nil {
			t.Errorf("a wrong password got %q", out)
		}
	})
	t.Run("a new account restarts nothing, and a new queue only the controller", func(t *testing.T) {
		others := c.pid("munged") + c.pid("sshd")
		before := c.pid("slurmctld")
		c.plan.Accounts = append(c.plan.Accounts, hpc.Account{Name: "eve", UID: 20003, Group: hpc.UsersName, PasswordHash: "*"})
		c.apply()
		if after := c.pid("slurmctld"); after != before {
			t.Errorf("with an account the controller %s became %s", before, after)
		}
		c.plan.Queues = append(c.plan.Queues, hpc.Queue{Name: "night"})
		c.apply()
		if out := c.in("manager", "20003:20003", "sinfo -h -o %P -a | sort | tr '\n' ' '"); out != "elsewhere night workq*" {
			t.Errorf("the partitions are %q", out)
		}
		if after := c.pid("munged") + c.pid("sshd"); after != others {
			t.Errorf("processes %s became %s", others, after)
		}
	})
	t.Run("an account that has gone loses its processes, and nobody else does", func(t *testing.T) {
		const counted = "pgrep -u 20003 | wc -l; pgrep -u 20001,65534 | wc -l"
		for _, user := range []string{"20003", "20001", "65534"} {
			c.in("manager", user+":"+user, "setsid sleep 1000 >/dev/null 2>&1 & setsid sleep 1000 >/dev/null 2>&1 &")
		}
		if out := c.in("manager", "0:0", counted); out != "2\n4" {
			t.Fatalf("processes before: %q", out)
		}
		c.plan.Accounts = slices.DeleteFunc(slices.Clone(c.plan.Accounts), func(a hpc.Account) bool { return a.UID == 20003 })
		c.apply()
		c.until("its processes have ended", func() bool { return c.in("manager", "0:0", counted) == "0\n4" })
		if out, err := c.try("manager", "0:0", "id eve"); err == nil {
			t.Errorf("the node still knows it: %s", out)
		}
		if out := c.in("manager", "0:0", "stat -c %u /home/eve"); out != "20003" {
			t.Errorf("its home is %q's", out)
		}
		c.in("manager", "0:0", "pkill -u 20001,65534")
	})
	t.Run("what an account of wheel left as root ends with it", func(t *testing.T) {
		accounts := c.plan.Accounts
		c.plan.Accounts = append(slices.Clone(accounts), hpc.Account{Name: "mia", UID: 20004, Group: hpc.WheelName, PasswordHash: "*"})
		c.apply()
		for user, seconds := range map[string]string{"mia": "4343", "bob": "4344"} {
			c.in("manager", "0:0", "runuser -u "+user+" -- sudo -n sh -c 'setsid sleep "+seconds+" >/dev/null 2>&1 </dev/null &'")
		}
		const counted = "pgrep -u 0 -fc '^sleep 4343$'; pgrep -u 0 -fc '^sleep 4344$'"
		c.until("both run as root", func() bool { out, _ := c.try("manager", "0:0", counted); return out == "1\n1" })
		c.plan.Accounts = accounts
		c.apply()
		c.until("mia's has ended, bob's has not", func() bool { out, _ := c.try("manager", "0:0", counted); return out == "0\n1" })
		c.in("manager", "0:0", "pkill -f '^sleep 4344$'")
	})
	t.Run("a new munge key restarts munged", func(t *testing.T) {
		munged, sshd := c.pid("munged"), c.pid("sshd")
		c.plan.Secrets.MungeKey = []byte(strings.Repeat("fedcba9876543210", 64))
		c.apply()
		if c.pid("munged") == munged || c.pid("sshd") != sshd {
			t.Errorf("munged was %s and is %s, sshd was %s and is %s", munged, c.pid("munged"), sshd, c.pid("sshd"))
		}
	})
	t.Run("a service that does not come up ends its error with its log", func(t *testing.T) {
		plan := c.planOf(c.plan.Members[0])
		plan.Secrets.MungeKey = []byte("short")
		err := c.hub.Node("i-manager").Apply(t.Context(), plan)
		if err == nil || !strings.Contains(err.Error(), "cannot bring up munged") || !strings.Contains(err.Error(), "munged: Error:") {
			t.Errorf("got %v", err)
		}
		if state, err := c.hub.Node("i-manager").State(t.Context()); err != nil || state.Services["munged"] != "failing" {
			t.Errorf("munged is %q, %v", state.Services["munged"], err)
		}
		c.apply()
	})
	t.Run("the state tells the plan and the services", func(t *testing.T) {
		state, err := c.hub.Node("i-manager").State(t.Context())
		if err != nil || state.Plan == "" || state.BootID == "" || state.MemoryMB == 0 {
			t.Errorf("the state is %+v, %v", state, err)
		}
		names := []string{"munged", "slurmctld", "slurmrestd", "sshd"}
		if c.plan.Secrets.JWTKey == nil {
			names = slices.Delete(names, 2, 3)
		}
		for _, name := range names {
			if state.Services[name] != "up" {
				t.Errorf("%s is %q", name, state.Services[name])
			}
		}
		if len(state.Services) != len(names) {
			t.Errorf("the services are %v", state.Services)
		}
	})
	t.Run("services that the plan has no more are removed", func(t *testing.T) {
		c.plan.Members[0].Roles = []hpc.Role{hpc.RoleManager, hpc.RoleLogin, hpc.RoleCompute}
		c.apply()
		c.pid("slurmd")
		c.plan.Members[0].Roles = []hpc.Role{hpc.RoleManager, hpc.RoleLogin}
		c.apply()
		if out, err := c.try("manager", "0:0", "pidof slurmd || ls -d /service/slurmd"); err == nil {
			t.Errorf("slurmd is left: %s", out)
		}
	})
	t.Run("the agent is small and its end hurts no daemon", func(t *testing.T) {
		before := c.pid("munged") + c.pid("slurmctld") + c.pid("sshd")
		t.Logf("the agent takes %s", c.in("manager", "0:0", "grep VmRSS /proc/$(s6-svstat -o pid /service/agent)/status"))
		c.in("manager", "0:0", "s6-svc -wR -k /service/agent")
		c.until("the agent is back", func() bool { _, err := c.hub.Node("i-manager").State(t.Context()); return err == nil })
		if after := c.pid("munged") + c.pid("slurmctld") + c.pid("sshd"); after != before {
			t.Errorf("processes %s became %s", before, after)
		}
		state, err := c.hub.Node("i-manager").State(t.Context())
		if err != nil || state.Plan == "" {
			t.Errorf("the agent forgot its plan: %+v, %v", state, err)
		}
	})
	t.Run("commands", func(t *testing.T) { testCommands(t, c) })
	t.Run("files", func(t *testing.T) { testFiles(t, c) })
}

func testCommands(t *testing.T, c *cluster) {
	node := c.hub.Node("i-manager")
	for _, tc := range []struct {
		name string
		cmd  hpc.Command
		want hpc.CommandResult
	}{
		{"a command runs as root, in a shell, with its output in order",
			hpc.Command{ID: "c-root", Content: "id -un; echo $HOME >&2; exit 3"},
			hpc.CommandResult{Status: hpc.CommandFinished, ExitCode: 3, Output: "root\n/root\n"}},
		{"a command runs as a user, in a directory",
			hpc.Command{ID: "c-user", Content: "id -un; id -gn; pwd; echo $USER $HOME; touch /root/x 2>&1", User: "bob", Dir: "/tmp"},
			hpc.CommandResult{Status: hpc.CommandFinished, ExitCode: 1, Output: "bob\nbob\n/tmp\nbob /home/bob\ntouch: cannot touch '/root/x': Permission denied\n"}},
		{"an unknown user is told",
			hpc.Command{ID: "c-nobody", Content: "true", User: "nosuch"},
			hpc.CommandResult{Status: hpc.CommandFailed, ExitCode: -1, Output: `no such user on this node: "nosuch"`}},
		{"a missing directory is told",
			hpc.Command{ID: "c-nodir", Content: "true", Dir: "/nosuch"},
			hpc.CommandResult{Status: hpc.CommandFailed, ExitCode: -1, Output: "cannot run the command in /nosuch: no such file or directory"}},
		{"a killed command tells its signal",
			hpc.Command{ID: "c-killed", Content: "kill -9 $$"},
			hpc.CommandResult{Status: hpc.CommandFinished, ExitCode: 137}},
		{"what is left in the background holds nobody up",
			hpc.Command{ID: "c-background", Content: "sleep 1000 & echo done"},
			hpc.CommandResult{Status: hpc.CommandFinished, Output: "done\n"}},
		{"the time limit stops the whole group",
			hpc.Command{ID: "c-limit", Content: "echo begun; sleep 777 & sleep 777", Timeout: 300 * time.Millisecond},
			hpc.CommandResult{Status: hpc.CommandStopped, ExitCode: 137, Output: "begun\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := c.command(t, tc.cmd)
			if got.Finished.IsZero() {
				t.Error("the result has no time")
			}
			got.Finished = time.Time{}
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
	t.Run("nothing of a stopped command is left", func(t *testing.T) {
		if out, err := c.try("manager", "0:0", "pgrep -f 'sleep 777'"); err == nil && len(strings.Fields(out)) > 1 {
			t.Errorf("processes %s are left", out)
		}
	})
	t.Run("a long output is cut with a mark", func(t *testing.T) {
		got := c.command(t, hpc.Command{ID: "c-long", Content: "yes | head -c 1000000"})
		if !got.Truncated || len(got.Output) != hpc.CommandOutputLimit || !strings.HasSuffix(got.Output, "cut here]\n") {
			t.Errorf("%d bytes, truncated %v", len(got.Output), got.Truncated)
		}
	})
	t.Run("a command runs once per id", func(t *testing.T) {
		cmd := hpc.Command{ID: "c-once", Content: "echo x >> /tmp/once; wc -l < /tmp/once"}
		for range 3 {
			if got := c.command(t, cmd); got.Output != "1\n" {
				t.Errorf("it ran again: %+v", got)
			}
		}
	})
	t.Run("a command outlives the agent", func(t *testing.T) {
		cmd := hpc.Command{ID: "c-outlives", Content: "echo begun; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo ended; exit 4"}
		if err := node.StartCommand(t.Context(), cmd); err != nil {
			t.Fatal(err)
		}
		c.in("manager", "0:0", "s6-svc -wR -k /service/agent")
		c.until("the agent is back", func() bool { _, err := node.State(t.Context()); return err == nil })
		if got, err := node.CommandResult(t.Context(), cmd.ID); err != nil || got.Status != hpc.CommandRunning || got.Output != "begun\n" {
			t.Errorf("after the restart: %+v, %v", got, err)
		}
		c.in("manager", "0:0", "touch /tmp/go")
		if got := c.command(t, cmd); got.ExitCode != 4 || got.Output != "begun\nended\n" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a command whose runner was killed is told as failed", func(t *testing.T) {
		cmd := hpc.Command{ID: "c-lost", Content: "sleep 1000"}
		if err := node.StartCommand(t.Context(), cmd); err != nil {
			t.Fatal(err)
		}
		c.in("manager", "0:0", "pkill -9 -f '[r]un-command .* c-lost'")
		if got := c.command(t, cmd); got.Status != hpc.CommandFailed || got.Output == "" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("an unknown command is told", func(t *testing.T) {
		for _, id := range []string{"c-nosuch", "../../../etc/passwd", ""} {
			if _, err := node.CommandResult(t.Context(), id); !errors.Is(err, link.ErrUnknownCommand) {
				t.Errorf("%q: %v", id, err)
			}
		}
	})
}

func testFiles(t *testing.T, c *cluster) {
	node := c.hub.Node("i-manager")
	write := func(path, content string) error {
		return node.WriteFile(t.Context(), link.AccountFile{Account: "ann", UID: 20001, Path: path, Content: []byte(content)})
	}
	t.Run("a file is written as the account", func(t *testing.T) {
		for path, file := range map[string]string{
			"job.sh": "/home/ann/job.sh", "/home/ann/a/b/in.lj": "/home/ann/a/b/in.lj", "./x/./y": "/home/ann/x/y",
			"ünï 中文 'q\" $x": "/home/ann/ünï 中文 'q\" $x",
		} {
			if err := write(path, "#!/bin/sh\necho "+path); err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			quoted := "'" + strings.ReplaceAll(file, "'", `'\''`) + "'"
			if out := c.in("manager", "0:0", "stat -c '%a %U %G' "+quoted+"; tail -n1 "+quoted); out != "700 ann ann\necho "+path {
				t.Errorf("%s: %s", path, out)
			}
		}
	})
	t.Run("a file is replaced, links to it stay with the old one", func(t *testing.T) {
		c.must("write", write("replaced", "one"))
		c.in("manager", "0:0", "ln /home/ann/replaced /home/ann/other")
		c.must("write", write("replaced", "two"))
		if out := c.in("manager", "0:0", "cat /home/ann/replaced /home/ann/other; stat -c %a /home/ann/replaced"); out != "twoone600" {
			t.Errorf("got %q", out)
		}
	})
	c.in("manager", "20001:20001", `cd /home/ann; ln -s /etc etc; ln -s /etc/passwd file; ln -s ../bob bob; ln -s /nosuch dangling; mkdir sub; ln -s / sub/root; mkfifo pipe; mkdir dir`)
	for _, path := range []string{
		"", "/", ".", "/home/ann", "/home/ann/", "dir", "dir/", "..", "../bob/x", "a/../../bob/x", "/home/ann/../bob/x", "a/../b",
		"/etc/passwd", "/home/bob/x", "/home/annx", "/tmp/x", "etc/x", "file", "bob/x", "dangling", "sub/root/tmp/x", "pipe", "job.sh/x",
		"a\x00b", strings.Repeat("n", 300),
	} {
		t.Run("the path "+strings.ReplaceAll(strings.ToValidUTF8(path, "?"), "/", "|")[:min(len(path), 40)]+" is refused", func(t *testing.T) {
			if err := write(path, "x"); !errors.Is(err, link.ErrDenied) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("nothing was written elsewhere and nothing half", func(t *testing.T) {
		if out := c.in("manager", "0:0", "ls -A /home/bob /tmp/x 2>/dev/null | grep -v :; find /home -name '*.ehpc-*'; ls -l /etc/x 2>/dev/null || true"); out != "" {
			t.Errorf("found %s", out)
		}
	})
	t.Run("a home without permission is refused", func(t *testing.T) {
		c.in("manager", "0:0", "mkdir /home/ann/locked; chmod 500 /home/ann/locked; chown root /home/ann/locked")
		if err := write("locked/x", "x"); !errors.Is(err, link.ErrDenied) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a file is read as the account, and no other", func(t *testing.T) {
		read := func(path string) (string, error) {
			text, err := node.ReadFile(t.Context(), link.AccountPart{Account: "ann", UID: 20001, Path: path, Offset: 1, Size: 3})
			return string(text), err
		}
		c.must("write", write("printed", "12345"))
		for path, want := range map[string]string{"printed": "234", "/home/ann/printed": "234", "not-there": ""} {
			if got, err := read(path); got != want || err != nil {
				t.Errorf("%s: %q, %v", path, got, err)
			}
		}
		for _, path := range []string{"file", "etc/passwd", "/etc/passwd", "../bob/x", "sub/root/etc/passwd", "pipe", "dir"} {
			if got, err := read(path); !errors.Is(err, link.ErrDenied) || got != "" {
				t.Errorf("%s: %q, %v", path, got, err)
			}
		}
	})
	t.Run("what a job names is looked at as its account", func(t *testing.T) {
		c.in("manager", "0:0", "mkdir -p /home/ann/runs /home/ann/roots && chmod 700 /home/ann/roots /home/bob && printf '#!/bin/sh\\r\\ntrue\\r\\n' >/home/ann/dos.sh && chown 20001 /home/ann/runs /home/ann/dos.sh")
		f, err := node.JobPaths(t.Context(), link.JobPaths{Account: "ann", UID: 20001, Script: "/home/ann/dos.sh", Dir: "/home/ann/none",
			Outputs: []string{"/home/ann/runs", "/home/ann/roots", "/home/bob/x", "/tmp/none"}})
		c.must("look", err)
		if want := (link.JobFaults{DOSScript: true, Missing: []string{"/home/ann/none"}, Closed: []string{"/home/ann/roots", "/home/bob/x"}}); !reflect.DeepEqual(f, want) {
			t.Errorf("found %+v, want %+v", f, want)
		}
	})
	t.Run("an unknown account is told", func(t *testing.T) {
		err := node.WriteFile(t.Context(), link.AccountFile{Account: "nosuch", Path: "x"})
		if !errors.Is(err, hpc.ErrUnknownAccount) {
			t.Errorf("got %v", err)
		}
	})
}
