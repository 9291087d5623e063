package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ehpc/internal/hpc"
)

// rooted is the agent of a node whose file system is a directory, with these
// mounted.
func rooted(t *testing.T, mounted ...string) *Agent {
	t.Helper()
	root := t.TempDir()
	info := "20 1 0:20 / / rw - overlay overlay rw\nnonsense\n"
	for _, path := range append(slices.Clone(shares), stateShare, "/tmp", "/proc/self") {
		if err := os.MkdirAll(root+path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range mounted {
		info += "21 20 8:1 /volume" + path + " " + path + " rw,nosuid shared:7 - ext4 /dev/sda1 rw\n"
	}
	if err := os.WriteFile(root+"/proc/self/mountinfo", []byte(info), 0o644); err != nil {
		t.Fatal(err)
	}
	return &Agent{opts: Options{Root: root}}
}

func (a *Agent) faults(t *testing.T) map[string]string {
	t.Helper()
	h, err := a.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]string{}
	for _, s := range h.Shares {
		faults[s.Path] = s.Fault
	}
	return faults
}

func TestASoundNode(t *testing.T) {
	t.Parallel()
	a := rooted(t, shares...)
	before := time.Now()
	h, err := a.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Shares) != len(shares) || slices.ContainsFunc(h.Shares, func(s hpc.Share) bool { return s.Fault != "" }) {
		t.Errorf("its shares are %+v", h.Shares)
	}
	if len(h.Disks) != 2 || h.Disks[0].Path != "/" || h.Disks[1].Path != "/tmp" {
		t.Errorf("its disks are %+v", h.Disks)
	}
	for _, d := range h.Disks {
		if d.Fault != "" || d.Size <= 0 || d.Free <= 0 || d.Free > d.Size {
			t.Errorf("a disk is %+v", d)
		}
	}
	if h.Clock.Before(before) || h.Clock.After(time.Now()) {
		t.Errorf("its clock is %s", h.Clock)
	}
	left, err := filepath.Glob(a.opts.Root + "/home/.*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAManagerHasOneShareMore(t *testing.T) {
	t.Parallel()
	a := rooted(t, shares...)
	a.last.Manager = true
	if faults := a.faults(t); faults[stateShare] != "is not mounted" {
		t.Errorf("faults: %v", faults)
	}
}

func TestAShareThatIsNotMountedIsToldThoughItsDirectoryIsThere(t *testing.T) {
	t.Parallel()
	faults := rooted(t, "/opt", "/ehpc/claims", "/home/ada").faults(t)
	if faults["/home"] != "is not mounted" || faults["/opt"] != "" {
		t.Errorf("faults: %v", faults)
	}
}

func TestAShareThatIsGoneDoesNotAnswer(t *testing.T) {
	t.Parallel()
	a := rooted(t, shares...)
	if err := os.Remove(a.opts.Root + "/opt"); err != nil {
		t.Fatal(err)
	}
	if faults := a.faults(t); !strings.HasPrefix(faults["/opt"], "does not answer: ") {
		t.Errorf("faults: %v", faults)
	}
}

func TestAShareThatCannotBeWrittenIsTold(t *testing.T) {
	t.Parallel()
	if fault := shareFault("/proc"); !strings.HasPrefix(fault, "cannot be written: ") {
		t.Errorf("of one that nobody may write: %q", fault)
	}
}

func TestADiskThatErrsIsToldAndOneThatIsFullIsNot(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		unix.EIO: "cannot be written: input/output error", unix.EROFS: "cannot be written: read-only file system",
		unix.ENOSPC: "", unix.EDQUOT: "", unix.EACCES: "", nil: "",
	} {
		if err != nil {
			err = &os.PathError{Op: "open", Path: "/tmp", Err: err}
		}
		got := diskFault(err)
		if (got != "") != (want != "") || !strings.HasSuffix(got, strings.TrimPrefix(want, "cannot be written: ")) {
			t.Errorf("%v: %q", err, got)
		}
	}
}

func TestAFileSystemThatHangsIsNotAskedTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l looks
		hang, asked := make(chan struct{}), 0
		look := func() string { asked++; <-hang; return "sound" }
		begin := time.Now()
		if _, answered := inTime(&l, "/home", look); answered || time.Since(begin) != lookLimit {
			t.Errorf("answered %v after %s", answered, time.Since(begin))
		}
		if _, answered := inTime(&l, "/home", look); answered || asked != 1 {
			t.Errorf("answered %v, asked %d times", answered, asked)
		}
		if found, answered := inTime(&l, "/opt", func() string { return "well" }); !answered || found != "well" {
			t.Errorf("another one: %q, %v", found, answered)
		}
		close(hang)
		synctest.Wait()
		if found, answered := inTime(&l, "/home", look); !answered || found != "sound" {
			t.Errorf("once it is back: %q, %v", found, answered)
		}
	})
}
