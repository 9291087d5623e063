package local_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ehpc/internal/provider"
	"ehpc/internal/provider/local"
)

// attempt is something that nobody in a machine may do: its script succeeds
// only if it could be done.
type attempt struct {
	name   string
	script string
}

var attempts = []attempt{
	{"set the core pattern", `echo '|/tmp/x' > /proc/sys/kernel/core_pattern`},
	{"set the core pattern after making it writable", `mount -o remount,rw /proc/sys && echo x > /proc/sys/kernel/core_pattern`},
	{"uncover the core pattern", `umount /proc/sys`},
	{"mount another proc", `mkdir -p /tmp/p && mount -t proc proc /tmp/p`},
	{"use sysrq", `echo h > /proc/sysrq-trigger`},
	{"make a device on its disk", `mknod /root/device b 8 0`},
	{"make a device in memory", `mknod /tmp/device c 1 1`},
	{"make a device on the share", `mknod /home/device b 8 0`},
	{"open the memory", `head -c 1 /dev/mem`},
	{"read the kernel's log", `dmesg`},
	{"allow itself devices", `echo a > /sys/fs/cgroup/devices/devices.allow`},
	{"set a release agent", `for d in /sys/fs/cgroup /sys/fs/cgroup/*; do test -e $d/release_agent && echo /tmp/x > $d/release_agent && exit 0; done; exit 1`},
	{"mount a control group hierarchy", `mkdir -p /tmp/c && { mount -t cgroup -o memory none /tmp/c || mount -t cgroup2 none /tmp/c; }`},
	{"mount a file system", `mount -t tmpfs none /mnt`},
	{"bind the share without its restrictions", `mount --bind /home /mnt`},
	{"make the share's programs gain rights", `mount -o remount,suid,dev /home`},
	{"make a user namespace", `unshare --user true`},
	{"make a mount namespace", `unshare --mount true`},
	{"make a network namespace", `unshare --net true`},
	{"enter another namespace", `nsenter --target 1 --mount --net true`},
	{"take another address", `ip address add 10.255.255.1/24 dev eth0`},
	{"add a route", `ip route add default dev eth0`},
	{"open a raw socket", `perl -e 'socket(my $s, 2, 3, 1) or exit 1'`},
	{"open a packet socket", `perl -e 'socket(my $s, 17, 3, 768) or exit 1'`},
	{"open a socket to the hypervisor", `perl -e 'socket(my $s, 40, 1, 0) or exit 1'`},
	{"open a socket to the kernel's ciphers", `perl -e 'socket(my $s, 38, 5, 0) or exit 1'`},
	{"speak IPv6", `perl -e 'use Socket; socket(my $s, AF_INET6, SOCK_STREAM, 0) or exit 1; bind($s, pack_sockaddr_in6(0, IN6ADDR_LOOPBACK)) or exit 1'`},
	{"turn IPv6 on", `echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6`},
	{"rename itself", `hostname other`},
	{"set the clock", `date -s '2001-01-01'`},
	{"write kernel settings", `echo 0 > /sys/class/net/eth0/tx_queue_len || touch /sys/kernel/x`},
	{"load a module", `modprobe dummy || insmod /x`},
	{"replace its agent's program", `echo x > /ehpc/bin/ehpc-agent || rm /ehpc/bin/ehpc-agent`},
	{"write where its link is", `touch /ehpc/link/x`},
	{"raise its limit of open files", `ulimit -Hn unlimited`},
	{"see another process' host", `name=$(cat /proc/1/comm) && test "$name" != s6-svscan`},
}

// systemCalls that nobody in a machine may make, by number.
var systemCalls = map[string]map[string]int{
	"amd64": {"add_key": 248, "bpf": 321, "io_uring_setup": 425, "keyctl": 250, "open_by_handle_at": 304, "perf_event_open": 298, "userfaultfd": 323, "finit_module": 313},
	"arm64": {"add_key": 217, "bpf": 280, "io_uring_setup": 425, "keyctl": 219, "open_by_handle_at": 265, "perf_event_open": 241, "userfaultfd": 282, "finit_module": 273},
}

// identity is how somebody in a machine runs a script.
type identity struct {
	name string
	user string
	wrap func(script string) string
}

const wheelUser = "20000:100"

var identities = []identity{
	{"root", "0:0", func(s string) string { return s }},
	{"an account of wheel", wheelUser, func(s string) string { return s }},
	{"an account of wheel with sudo", wheelUser, func(s string) string { return "sudo -n /bin/sh -c " + quote(s) }},
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// addWheel gives a machine an account of wheel, as the agent would.
func addWheel(t testing.TB, p *local.Provider, id string) {
	t.Helper()
	out, err := inNode(t, p, id, `set -e
hostname -I | tr -d '\n' >> /etc/hosts; echo " $(hostname)" >> /etc/hosts
cd /var/lib/extrausers
echo 'alice:x:20000:100::/home/alice:/bin/bash' > passwd
echo 'wheel:x:19999:alice' > group
echo 'alice:*:19000:0:99999:7:::' > shadow
chown root:shadow shadow; chmod 0640 shadow
install -d -o 20000 -g 100 /home/alice
id alice`)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func isolatedMachine(t *testing.T) (*local.Provider, string, provider.Machine) {
	dir := t.TempDir()
	p := newProvider(t, dir)
	t.Cleanup(func() { removeAllClusters(t, p) })
	m := startMachine(t, p, "ehpc-hz-one", "i-a")
	addWheel(t, p, "i-a")
	return p, dir, m
}

func TestNobodyInAMachineGetsAtTheHost(t *testing.T) {
	t.Parallel()
	p, _, _ := isolatedMachine(t)
	corePattern := readFile(t, "/proc/sys/kernel/core_pattern")
	all := slices.Clone(attempts)
	for name, number := range systemCalls[runtime.GOARCH] {
		call := "perl -e 'exit(syscall(" + strconv.Itoa(number) + ", 0, 0, 0, 0, 0) == -1 && $!{EPERM} ? 1 : 0)'"
		all = append(all, attempt{"call " + name, call})
	}
	for _, who := range identities {
		done := tryAll(t, p, who, append(all, attempt{"fail to do what anybody may", "true"}))
		for i, a := range all {
			t.Run(who.name+" cannot "+a.name, func(t *testing.T) {
				if done[i] {
					t.Error("it was done")
				}
			})
		}
		if !done[len(all)] {
			t.Errorf("%s could do nothing at all, that shows nothing", who.name)
		}
	}
	if now := readFile(t, "/proc/sys/kernel/core_pattern"); now != corePattern {
		t.Errorf("the host's core pattern is now %q", now)
	}
}

// tryAll makes all attempts in one go and returns the indexes of those that
// succeeded.
func tryAll(t *testing.T, p *local.Provider, who identity, all []attempt) map[int]bool {
	t.Helper()
	var script strings.Builder
	for i, a := range all {
		fmt.Fprintf(&script, "( %s\n) </dev/null >/dev/null 2>&1 && echo done %d\n", a.script, i)
	}
	out, err := inNodeAs(t, p, "i-a", who.user, who.wrap(script.String()+"true"))
	if err != nil {
		t.Fatalf("%s: %v: %s", who.name, err, out)
	}
	done := map[int]bool{}
	for line := range strings.Lines(out) {
		if number, ok := strings.CutPrefix(strings.TrimSpace(line), "done "); ok {
			i, err := strconv.Atoi(number)
			if err != nil {
				t.Fatal(err)
			}
			done[i] = true
		}
	}
	return done
}

func TestSudoWorksInAMachineForWheel(t *testing.T) {
	t.Parallel()
	p, _, _ := isolatedMachine(t)
	if out, err := inNodeAs(t, p, "i-a", wheelUser, "sudo -n id -u"); err != nil || out != "0" {
		t.Errorf("sudo answered %q, %v", out, err)
	}
	if out, err := inNodeAs(t, p, "i-a", "20001:100", "sudo -n id -u"); err == nil {
		t.Errorf("sudo works for everybody: %q", out)
	}
}

func TestASetUserIDFileOnAShareGainsNothing(t *testing.T) {
	t.Parallel()
	p, _, _ := isolatedMachine(t)
	for _, dir := range []string{"/home", "/opt", "/tmp", "/run", "/dev/shm", "/usr/local/bin"} {
		if out, err := inNode(t, p, "i-a", "cp /usr/bin/id "+dir+"/become && chmod 4755 "+dir+"/become"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want := "20000"
		if dir == "/usr/local/bin" { // the machine's own disk: there it works, else the test shows nothing
			want = "0"
		}
		if out, err := inNodeAs(t, p, "i-a", wheelUser, dir+"/become -u"); err != nil || out != want {
			t.Errorf("in %s it ran as %q (%v), want %s", dir, out, err, want)
		}
	}
}

func TestADeviceFileOnAShareOpensNothing(t *testing.T) {
	t.Parallel()
	p, dir, _ := isolatedMachine(t)
	device := filepath.Join(dir, "clusters", "ehpc-hz-one", "vol", "home", "zero")
	if err := unix.Mknod(device, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
		t.Fatal(err)
	}
	if out, err := inNode(t, p, "i-a", "head -c 1 /dev/zero && ls -l /home/zero"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, who := range identities {
		if out, err := inNodeAs(t, p, "i-a", who.user, who.wrap("head -c 1 /home/zero")); err == nil {
			t.Errorf("%s opened it: %q", who.name, out)
		}
	}
}

func TestTheHostsFilesAreOutOfReach(t *testing.T) {
	t.Parallel()
	p, dir, _ := isolatedMachine(t)
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("the server's secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	ways := map[string]string{
		"by its path":                   "cat " + secret,
		"through its data directory":    "ls " + dir,
		"through another process":       "cat /proc/*/root" + secret,
		"through the working directory": "cd /; cat ../../../../../.." + secret,
		"out of a second root": `perl -e 'mkdir "/root/c"; chroot "/root/c"; for (1..50) { chdir ".." } chroot "."; open(my $f, "<", "` +
			secret + `") or exit 1; print <$f>'`,
	}
	for _, who := range identities {
		for way, script := range ways {
			if out, err := inNodeAs(t, p, "i-a", who.user, who.wrap(script)); err == nil || strings.Contains(out, "the server's secret") {
				t.Errorf("%s got at it %s: %s", who.name, way, out)
			}
		}
	}
}

func TestOnlyTheManagerSeesTheClustersState(t *testing.T) {
	t.Parallel()
	p, dir, _ := isolatedMachine(t)
	state := filepath.Join(dir, "clusters", "ehpc-hz-one", "vol", "state", "file")
	if err := os.WriteFile(state, []byte("state"), 0o600); err != nil {
		t.Fatal(err)
	}
	manager := provider.Spec{ID: "i-m", ClusterID: "ehpc-hz-one", Hostname: "manager", Type: smallType, Image: imageID, Manager: true}
	if _, err := p.Create(t.Context(), manager); err != nil {
		t.Fatal(err)
	}
	if out, err := inNode(t, p, "i-m", "cat /ehpc/state/file"); err != nil || out != "state" {
		t.Errorf("the manager read %q, %v", out, err)
	}
	if out, err := inNode(t, p, "i-a", "cat /ehpc/state/file"); err == nil {
		t.Errorf("another machine read %q", out)
	}
}

func TestAMachineCannotRaiseItsLimits(t *testing.T) {
	t.Parallel()
	p, _, _ := isolatedMachine(t)
	// Root may write the file of its own group; the limit stands above it.
	raise := `echo -1 > /sys/fs/cgroup/memory/memory.limit_in_bytes; echo -1 > /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes
echo max > /sys/fs/cgroup/memory.max; true; `
	if out, err := inNode(t, p, "i-a", raise+hold(100)); err != nil || !strings.HasSuffix(out, "held") {
		t.Fatalf("100 MB are not to be had: %q, %v", out, err)
	}
	out, err := inNode(t, p, "i-a", raise+hold(700))
	if err == nil || strings.HasSuffix(out, "held") {
		t.Error("a machine of 512 MB held 700 MB")
	}
	// What ran out of memory was the program, not the machine.
	if state := listed(t, p, "i-a").State; state != provider.Running {
		t.Errorf("the machine is %s", state)
	}
	mounts, _, unified := p.Controllers()
	memory, tasks := "memory.limit_in_bytes", "pids.max"
	if unified {
		memory = "memory.max"
	}
	for file, want := range map[string]string{
		filepath.Join(mounts["memory"], p.Group("i-a"), memory): "536870912",
		filepath.Join(mounts["pids"], p.Group("i-a"), tasks):    "4096",
	} {
		if got := strings.TrimSpace(readFile(t, file)); got != want {
			t.Errorf("%s is %s, want %s", file, got, want)
		}
	}
}

// hold is a script that fills memory and says so.
func hold(megabytes int) string {
	return fmt.Sprintf(`perl -e 'my $x = "x" x (%d << 20); print "held"'`, megabytes)
}

func listed(t testing.TB, p *local.Provider, id string) provider.Machine {
	t.Helper()
	machines, err := p.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range machines {
		if m.ID == id {
			return m
		}
	}
	return provider.Machine{}
}

func TestTheHostsAddressesAreOutOfReach(t *testing.T) {
	t.Parallel()
	p, _, m := isolatedMachine(t)
	bridge, _ := p.Links("ehpc-hz-one", "i-a")
	gateway := m.Address[:strings.LastIndex(m.Address, ".")] + ".1"
	// Even if the host had an address on the bridge.
	if out, err := exec.CommandContext(t.Context(), "ip", "address", "add", gateway+"/24", "dev", bridge).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+bridge+"/arp_ignore", []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", gateway+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	packets, err := net.ListenPacket("udp", gateway+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	port := strconv.Itoa(packets.LocalAddr().(*net.UDPAddr).Port)
	if out, err := inNode(t, p, "i-a", "bash -c 'echo hello > /dev/udp/"+gateway+"/"+port+"'"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if connects(t, p, "i-a", gateway, listener.Addr().(*net.TCPAddr).Port) {
		t.Error("a machine reached the host")
	}
	// The connection took its time to fail: a packet sent before it is here by now.
	if err := packets.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, _, err := packets.ReadFrom(make([]byte, 100)); err == nil {
		t.Errorf("a packet of %d bytes reached the host", n)
	}
	for _, address := range hostAddresses(t) {
		if connects(t, p, "i-a", address, listenPort) {
			t.Errorf("a machine reached the host at %s", address)
		}
	}
}

// hostAddresses are the host's IPv4 addresses other than loopback.
func hostAddresses(t *testing.T) []string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() && !local.DefaultPool.Contains(addrOf(ip.IP)) {
			list = append(list, ip.IP.String())
		}
	}
	return list
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
