package rig

import (
	"os/exec"
	"syscall"
	"testing"
)

// busyLimit ends a loop by itself, in seconds of processor time.
const busyLimit = "3600"

// KeepBusy runs so many endless loops beside a test and its subtests.
func KeepBusy(t testing.TB, loops int) {
	t.Helper()
	for range loops {
		cmd := exec.Command("sh", "-c", "ulimit -t "+busyLimit+"; while :; do :; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		Must(t, cmd.Start())
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed: that is no failure
		})
	}
}
