package meter

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// watch tells when directories come and go.
type watch struct {
	fd   int
	file *os.File
	// news has something in it when something has come or gone.
	news chan struct{}
}

// newWatch makes a watch that ends with ctx; it is an error where the host's
// limits leave none.
func newWatch(ctx context.Context) (*watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	w := &watch{fd: fd, file: os.NewFile(uintptr(fd), "watch over control groups"), news: make(chan struct{}, 1)}
	context.AfterFunc(ctx, func() { w.file.Close() })
	go w.read()
	return w, nil
}

func (w *watch) read() {
	events := make([]byte, 4096) // what they say is found by looking
	for {
		if _, err := w.file.Read(events); err != nil {
			return
		}
		select {
		case w.news <- struct{}{}:
		default:
		}
	}
}

// add has a directory watched until it is gone. Repeating it changes nothing.
func (w *watch) add(dir string) error {
	_, err := unix.InotifyAddWatch(w.fd, dir, unix.IN_CREATE|unix.IN_DELETE|unix.IN_ONLYDIR)
	if err == unix.ENOENT {
		return nil
	}
	return err
}
