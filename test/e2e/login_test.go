package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// TestPeopleLogIn makes a cluster with a post-install script and a password for
// root, and goes in by every way there is.
func TestPeopleLogIn(t *testing.T) {
	t.Parallel()
	s := rig.StartWith(t, "--config", configWith(t, "input_files: {allow: [127.0.0.0/8]}\n"))
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "pgrep slurmd && exit 9\necho \"$HOSTNAME got $1 and $2\" | tee /root/prepared\n")
	}))
	t.Cleanup(web.Close)
	one := 1
	q := &api.CreateClusterRequest{Name: "doors", Password: rig.Password,
		PostInstallScript: []api.CreateClusterRequestPostInstallScript{{Url: web.URL + "/prepare.sh", Args: "one 'two words'"}}}
	q.EcsOrder.Manager.Count, q.EcsOrder.Login.Count, q.EcsOrder.Compute.Count = &one, &one, &one
	q.EcsOrder.Manager.InstanceType, q.EcsOrder.Login.InstanceType, q.EcsOrder.Compute.InstanceType = "ecs.n1.tiny", "ecs.n1.tiny", "ecs.n1.tiny"
	var a api.CreateClusterResponse
	s.Do(t, q, &a)
	c := &rig.Cluster{Server: s, ID: a.ClusterId}
	rig.Until(t, "the cluster runs", rig.ComeUp, func() bool { return c.Running(t) })

	t.Run("a post-install script ran on every node, later ones too, and is in the log", func(t *testing.T) {
		c.Add(t, 1)
		for host, r := range c.Everywhere(t, "cat /root/prepared") {
			if want := host + " got one and two words\n"; r.Output != want || r.ExitCode != 0 {
				t.Errorf("%s: %+v, want %q", host, r, want)
			}
			if line := "post-install scripts on " + host + " ended with exit status 0"; !logged(t, c, line, host+" got one and two words") {
				t.Errorf("the log has no %q with its output", line)
			}
		}
	})
	ada := c.AddAccount(t, "lovelace", "users")
	in := &visitor{c: c, account: ada.Name, password: ada.Password}
	t.Run("a command's output and exit status come back", func(t *testing.T) {
		out, status := in.ehpc(t, "id -un; hostname; pwd; exit 7")
		if out != "lovelace\nlogin0\n/home/lovelace\n" || status != 7 {
			t.Errorf("%q, exit status %d", out, status)
		}
		if !logged(t, c, "lovelace logged in on login0 from 127.0.0.1 with a password", "") {
			t.Error("the log does not say so")
		}
	})
	t.Run("a wrong password stays outside", func(t *testing.T) {
		other := *in
		other.password = "Wrong-Horse-7"
		if out, status := other.ehpc(t, "id"); status != 255 {
			t.Errorf("%q, exit status %d", out, status)
		}
	})
	t.Run("a terminal has its size, and hears when that changes", func(t *testing.T) { testTerminal(t, in) })
	t.Run("scp and sftp carry files", func(t *testing.T) { testCopies(t, in) })
	t.Run("a key of the account's own lets it in", func(t *testing.T) { testOwnKey(t, in) })
	t.Run("root comes in on the login node and nowhere else", func(t *testing.T) {
		root := &visitor{c: c, account: "root", password: rig.Password}
		if out, status := root.ehpc(t, "id -un; hostname"); out != "root\nlogin0\n" || status != 0 {
			t.Errorf("%q, exit status %d", out, status)
		}
		for host, want := range map[string]string{"login0": "yes", "manager": "no", "compute000": "no"} {
			if got := c.Shell(t, host, "sshd -T | grep -i '^permitrootlogin'"); got != "permitrootlogin "+want {
				t.Errorf("%s: %s", host, got)
			}
			if got := c.Shell(t, host, "grep -c '^root:[$]y[$]' /etc/shadow || true"); (got == "1") != (want == "yes") {
				t.Errorf("%s has %s passwords of root", host, got)
			}
		}
	})
	t.Run("the cluster's nodes know each other", func(t *testing.T) {
		r := c.Try(t, "login0", "su - lovelace -c 'ssh -o StrictHostKeyChecking=yes -o BatchMode=yes compute000 true' 2>&1")
		if !strings.Contains(r.Output, "Permission denied") { // and not that the key is unknown
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a deleted account leaves nothing that it started as root", func(t *testing.T) {
		sophie := c.AddAccount(t, "germain", "wheel")
		wheel := &visitor{c: c, account: sophie.Name, password: sophie.Password}
		if out, status := wheel.ehpc(t, "sudo -n sh -c 'setsid sleep 4242 >/dev/null 2>&1 </dev/null &'"); status != 0 {
			t.Fatalf("%q, exit status %d", out, status)
		}
		const count = "ps -eo user,args | grep -c '^root .*[s]leep 4242' || true"
		if got := c.Shell(t, "login0", count); got == "0" {
			t.Fatal("nothing was started")
		}
		c.Do(t, &api.DeleteUsersRequest{ClusterId: c.ID, User: []api.DeleteUsersRequestUser{{Name: sophie.Name}}}, nil)
		rig.Until(t, "it has ended", time.Minute, func() bool { return c.Shell(t, "login0", count) == "0" })
		if _, status := in.ehpc(t, "true"); status != 0 {
			t.Errorf("another account is outside: exit status %d", status)
		}
	})
	c.Delete(t)
}

func configWith(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ehpc.yaml")
	rig.Must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// logged tells whether the cluster's log has a line with both texts.
func logged(t *testing.T, c *rig.Cluster, text, also string) bool {
	t.Helper()
	for _, l := range c.Logs(t) {
		if strings.Contains(l.Message, text) && strings.Contains(l.Message, also) {
			return true
		}
	}
	return false
}

// visitor is somebody who logs in.
type visitor struct {
	c                 *rig.Cluster
	account, password string
}

func (v *visitor) run(t *testing.T, cmd *exec.Cmd) (output string, status int) {
	t.Helper()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	failed := cmd.Run()
	var exit *exec.ExitError
	if failed != nil && !errors.As(failed, &exit) {
		t.Fatalf("%s: %v", cmd, failed)
	}
	if err.Len() > 0 {
		t.Logf("%s says: %s", filepath.Base(cmd.Path), err.String())
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// ehpc runs a command on a login node through ehpc ssh.
func (v *visitor) ehpc(t *testing.T, command string) (output string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, rig.Program(t, "ehpc"), "ssh", v.c.ID, "-l", v.account, "--", command)
	cmd.Env = append(os.Environ(), "EHPC_CREDENTIALS="+filepath.Join(v.c.Dir, "credentials.env"), "EHPC_PASSWORD="+v.password)
	return v.run(t, cmd)
}

// gateway is what the credentials say of it.
func (v *visitor) gateway(t *testing.T) (host, port, key string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(v.c.Dir, "credentials.env"))
	rig.Must(t, err)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch value = strings.Trim(value, "'"); name {
		case "EHPC_SSH":
			host, port, err = net.SplitHostPort(value)
			rig.Must(t, err)
		case "EHPC_SSH_HOST_KEY":
			key = value
		}
	}
	return host, port, key
}

// client runs one of the system's own ssh programs as anybody would.
func (v *visitor) client(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	host, port, key := v.gateway(t)
	dir := t.TempDir()
	rig.Must(t, os.WriteFile(filepath.Join(dir, "known"), fmt.Appendf(nil, "[%s]:%s %s\n", host, port, key), 0o600))
	rig.Must(t, os.WriteFile(filepath.Join(dir, "ask"), []byte("#!/bin/sh\necho \"$ASKED\"\n"), 0o700))
	options := []string{"-o", "Port=" + port, "-o", "UserKnownHostsFile=" + filepath.Join(dir, "known"), "-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "StrictHostKeyChecking=yes", "-o", "NumberOfPasswordPrompts=1", "-F", "/dev/null"}
	cmd := exec.CommandContext(t.Context(), program, append(options, args...)...)
	cmd.Env = append(os.Environ(), "ASKED="+v.password, "SSH_ASKPASS="+filepath.Join(dir, "ask"), "SSH_ASKPASS_REQUIRE=force")
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func (v *visitor) at(t *testing.T) string {
	host, _, _ := v.gateway(t)
	return v.account + "@doors@" + host
}

func testTerminal(t *testing.T, v *visitor) {
	host, port, key := v.gateway(t)
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key))
	rig.Must(t, err)
	began := time.Now()
	client, err := ssh.Dial("tcp", net.JoinHostPort(host, port), &ssh.ClientConfig{User: v.account + "%doors",
		Auth: []ssh.AuthMethod{ssh.Password(v.password)}, HostKeyCallback: ssh.FixedHostKey(public)})
	rig.Must(t, err)
	defer client.Close()
	session, err := client.NewSession()
	rig.Must(t, err)
	t.Logf("from nothing to a session in %s", time.Since(began).Round(time.Millisecond))
	rig.Must(t, session.RequestPty("xterm", 40, 100, ssh.TerminalModes{ssh.ECHO: 0}))
	in, err := session.StdinPipe()
	rig.Must(t, err)
	var out bytes.Buffer
	session.Stdout = &out
	rig.Must(t, session.Start("tty; stty size; read line; stty size; exit 3"))
	rig.Must(t, session.WindowChange(50, 120))
	io.WriteString(in, "\n")
	var exit *ssh.ExitError
	if err := session.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 3 {
		t.Errorf("it ended with %v", err)
	}
	if text := out.String(); !strings.Contains(text, "/dev/pts/") || !strings.Contains(text, "50 120") {
		t.Errorf("it printed %q", text)
	}
}

func testCopies(t *testing.T, v *visitor) {
	dir := t.TempDir()
	content := make([]byte, 5<<20)
	rand.Read(content)
	rig.Must(t, os.WriteFile(filepath.Join(dir, "there"), content, 0o600))
	for _, way := range [][]string{{"-q"}, {"-q", "-O"}} { // over sftp, and scp's own way
		if _, status := v.run(t, v.client(t, "scp", append(way, filepath.Join(dir, "there"), v.at(t)+":copied")...)); status != 0 {
			t.Errorf("scp %v there: exit status %d", way, status)
		}
		if _, status := v.run(t, v.client(t, "scp", append(way, v.at(t)+":copied", filepath.Join(dir, "back"))...)); status != 0 {
			t.Errorf("scp %v back: exit status %d", way, status)
		}
		if back, err := os.ReadFile(filepath.Join(dir, "back")); err != nil || !bytes.Equal(back, content) {
			t.Errorf("scp %v brought %d bytes back, %v", way, len(back), err)
		}
		rig.Must(t, os.Remove(filepath.Join(dir, "back")))
	}
	if got := v.c.Shell(t, "login0", "stat -c '%U %s' /home/lovelace/copied"); got != fmt.Sprint("lovelace ", len(content)) {
		t.Errorf("on the node it is %s", got)
	}
	sftp := v.client(t, "sftp", "-q", v.at(t))
	sftp.Stdin = strings.NewReader("rename copied moved\nls\n")
	if out, status := v.run(t, sftp); status != 0 || !strings.Contains(out, "moved") {
		t.Errorf("sftp: %q, exit status %d", out, status)
	}
}

func testOwnKey(t *testing.T, v *visitor) {
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	rig.Must(t, err)
	try := func() (string, int) {
		return v.run(t, v.client(t, "ssh", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "PasswordAuthentication=no", v.at(t), "id -un"))
	}
	if out, status := try(); status != 255 {
		t.Errorf("before, the key lets somebody in: %q, exit status %d", out, status)
	}
	v.c.Put(t, rig.Account{Name: v.account, Password: v.password}, ".ssh/authorized_keys", string(public))
	if out, status := try(); out != v.account+"\n" || status != 0 {
		t.Errorf("%q, exit status %d", out, status)
	}
	v.c.Shell(t, "login0", "chmod 777 /home/lovelace/.ssh")
	if out, status := try(); status != 255 {
		t.Errorf("a file that others may replace lets somebody in: %q, exit status %d", out, status)
	}
}
