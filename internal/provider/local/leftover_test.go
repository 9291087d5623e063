package local_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ehpc/internal/provider/local"
)

func addrOf(ip net.IP) netip.Addr {
	addr, _ := netip.AddrFromSlice(ip.To4())
	return addr
}

// traces are what a provider's machine and cluster left on the host, each
// found by a name that is this provider's alone: other tests may be at work.
func traces(t *testing.T, p *local.Provider, dir string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	bridge, hostEnd := p.Links("ehpc-hz-one", "i-a")
	for kind, name := range map[string]string{"bridge": bridge, "interface": hostEnd} {
		if _, err := net.InterfaceByName(name); err == nil {
			found[kind] = true
		}
	}
	_, roots, _ := p.Controllers()
	for _, root := range roots {
		if _, err := os.Stat(filepath.Join(root, "ehpc", p.Instance())); err == nil {
			found["control group"] = true
		}
	}
	tables, err := exec.CommandContext(t.Context(), "nft", "list", "tables").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(tables), p.Instance()) {
		found["firewall table"] = true
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range processes {
		groups, _ := os.ReadFile(filepath.Join(process, "cgroup")) // it may have ended meanwhile
		if strings.Contains(string(groups), "/ehpc/"+p.Instance()+"/") {
			found["process"] = true
		}
	}
	for _, name := range []string{"machines/i-a", "clusters/ehpc-hz-one", "runc/i-a"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			found[name] = true
		}
	}
	if strings.Contains(readFile(t, "/proc/self/mountinfo"), dir) {
		found["mount"] = true
	}
	return found
}

func TestNothingOfAMachineRemains(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newProvider(t, dir)
	t.Cleanup(func() { removeAllClusters(t, p) })
	startMachine(t, p, "ehpc-hz-one", "i-a")
	if out, err := inNode(t, p, "i-a", "mkdir /sys/fs/cgroup/pids/deep /sys/fs/cgroup/pids/deep/er 2>/dev/null; (setsid sleep 1000 >/dev/null 2>&1 &)"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The host never sees the machine's mounts, the rest it must, else this test shows nothing.
	before := traces(t, p, dir)
	for _, kind := range []string{"bridge", "interface", "control group", "firewall table", "process", "machines/i-a", "clusters/ehpc-hz-one", "runc/i-a"} {
		if !before[kind] {
			t.Errorf("a running machine shows no %s", kind)
		}
	}
	if before["mount"] {
		t.Error("the machine's mounts show on the host")
	}
	if err := p.DeleteCluster(t.Context(), "ehpc-hz-one"); err != nil {
		t.Fatal(err)
	}
	if left := traces(t, p, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Root in a machine makes control groups below its own as deep as it likes,
// deeper than any path can name.
func TestAMachineCannotMakeItselfUndeletable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newProvider(t, dir)
	t.Cleanup(func() { removeAllClusters(t, p) })
	startMachine(t, p, "ehpc-hz-one", "i-a")
	const deep = `perl -e 'my $name = "x" x 250;
sub move { open(my $file, ">", "cgroup.procs") or return; print $file $_[0]; close $file }
for my $root (grep { -d } map { "/sys/fs/cgroup/$_" } "pids", "memory", "cpu", "freezer", "") {
	chdir $root or die;
	for (1..30) { mkdir $name and chdir $name or last }
	my $child = fork;
	if (!$child) { setpgrp; exec "exec sleep 1000 >/dev/null 2>&1" }
	move($child); move(1);
} print "deep"' </dev/null`
	out, err := inNode(t, p, "i-a", deep)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := p.DeleteCluster(t.Context(), "ehpc-hz-one"); err != nil {
		t.Fatal(err)
	}
	if left := traces(t, p, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Root in a machine stops control groups below its own, and its own with all
// that is in it: what is stopped does not end, whoever kills it.
func TestAMachineThatStoppedItselfIsDeleted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newProvider(t, dir)
	t.Cleanup(func() { removeAllClusters(t, p) })
	startMachine(t, p, "ehpc-hz-one", "i-a")
	mounts, _, unified := p.Controllers()
	own := filepath.Join(mounts["freezer"], p.Group("i-a"), "in")
	hierarchy, file, stopped, going := "/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED"
	if unified {
		hierarchy, file, stopped, going = "/sys/fs/cgroup", "cgroup.freeze", "1", "0"
	}
	t.Cleanup(func() { // what a failure leaves
		exec.Command("find", own, "-depth", "-name", file, "-execdir", "sh", "-c", "echo "+going+" > "+file, ";").Run()
	})
	const nested = `perl -e 'use autodie; my ($root, $file, $stopped) = @ARGV; my $name = "x" x 250;
sub put { open(my $to, ">", $_[0]); print $to $_[1]; close $to }
chdir $root;
for (1..20) {
	mkdir $name; chdir $name;
	my $child = fork;
	if (!$child) { setpgrp; exec "exec sleep 1000 >/dev/null 2>&1" }
	put("cgroup.procs", $child); put($file, $stopped);
} print "stopped"' `
	out, err := inNode(t, p, "i-a", nested+strings.Join([]string{hierarchy, file, stopped}, " ")+" </dev/null >/tmp/out 2>&1; cat /tmp/out")
	if err != nil || out != "stopped" {
		t.Fatalf("%v: %s", err, out)
	}
	// It stops itself with this: nothing is heard of it again.
	whole := exec.Command("runc", "--root", p.RuncRoot(), "exec", "i-a", "/bin/sh", "-c", "echo "+stopped+" > "+hierarchy+"/"+file)
	if err := whole.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { whole.Wait() })
	for strings.TrimSpace(readFile(t, filepath.Join(own, file))) != stopped {
		if t.Context().Err() != nil {
			t.Fatal("it is not stopped")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := p.DeleteCluster(t.Context(), "ehpc-hz-one"); err != nil {
		t.Fatal(err)
	}
	if left := traces(t, p, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
