package link

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// SocketName is the socket's name in a node's link directory.
const SocketName = "agent.sock"

// listenUnix listens on SocketName in dir, which it makes if needed, for root
// alone. Whatever socket stood there is replaced in one step, so that there is
// always one to dial. The path may be longer than a socket address can hold.
func listenUnix(dir string) (net.Listener, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the link directory: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open the link directory: %w", err)
	}
	defer d.Close()
	short := filepath.Join("/proc/self/fd", strconv.Itoa(int(d.Fd())))
	fresh := filepath.Join(short, "."+SocketName)
	if err := os.Remove(fresh); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("cannot remove a left socket: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot listen in %s: %w", dir, err)
	}
	// A successor may have bound the name by the time this one closes.
	listener.SetUnlinkOnClose(false)
	if err := os.Chmod(fresh, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("cannot protect the socket: %w", err)
	}
	if err := os.Rename(fresh, filepath.Join(short, SocketName)); err != nil {
		listener.Close()
		return nil, fmt.Errorf("cannot put the socket in place: %w", err)
	}
	return listener, nil
}
