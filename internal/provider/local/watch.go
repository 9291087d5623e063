package local

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// registry holds the first process of every machine that was made whole, by
// boot id, and wakes those who watch them.
type registry struct {
	mu       sync.Mutex
	inits    map[string]watched
	watchers map[int]struct{} // eventfds
}

// watched is a machine's first process and when it is to end, if it is.
type watched struct {
	process
	id      string // of the machine
	reclaim time.Time
}

// add takes a machine up, or its notice.
func (r *registry) add(rec record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inits == nil {
		r.inits = map[string]watched{}
	}
	r.inits[rec.BootID] = watched{rec.Init, rec.Spec.ID, rec.Reclaim}
	r.wake()
}

func (r *registry) remove(bootID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.inits, bootID)
	r.wake()
}

func (r *registry) wake() {
	for fd := range r.watchers {
		signalEvent(fd)
	}
}

func (r *registry) snapshot() map[string]watched {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.inits)
}

// subscribe opens an eventfd that is signalled at every change until cancel.
func (r *registry) subscribe() (fd int, cancel func(), err error) {
	fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return -1, nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watchers == nil {
		r.watchers = map[int]struct{}{}
	}
	r.watchers[fd] = struct{}{}
	return fd, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watchers, fd)
		unix.Close(fd)
	}, nil
}

func signalEvent(fd int) {
	unix.Write(fd, binary.NativeEndian.AppendUint64(nil, 1)) // a full counter has woken it already
}

// guardInterval is how long a firewall that somebody flushed stays away at most.
const guardInterval = 30 * time.Second

// Watch waits for ends in the kernel, and ends machines that had notice when
// their time has come. Now and then it looks whether the firewall still stands.
func (p *Provider) Watch(ctx context.Context, changed func()) {
	wake, cancel, err := p.inits.subscribe()
	if err != nil {
		p.log.Error("cannot watch machines", "err", err)
		return
	}
	defer cancel()
	defer context.AfterFunc(ctx, func() { p.inits.wakeAll() })()
	w := watcher{open: map[string]int{}, ended: map[string]bool{}, noticed: map[string]time.Time{}}
	defer w.close()
	guarded := time.Now()
	for ctx.Err() == nil {
		inits := p.inits.snapshot()
		news, retry := w.follow(inits)
		if news {
			changed()
		}
		limit := min(guardInterval, p.takeBack(&w, inits))
		if retry {
			limit = min(limit, retryInterval)
		}
		if w.wait(wake, limit) {
			changed()
		}
		if ctx.Err() == nil && time.Since(guarded) >= guardInterval {
			guarded = time.Now()
			if err := p.guardFirewall(ctx); err != nil {
				p.log.Error("firewall is down", "err", err)
			}
		}
	}
}

// retryInterval is how soon a process that could not be watched is looked at again.
const retryInterval = 500 * time.Millisecond

func (r *registry) wakeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wake()
}

// watcher holds a descriptor for every process that it saw alive.
type watcher struct {
	open    map[string]int       // boot id -> pidfd
	ended   map[string]bool      // boot ids whose end was told
	noticed map[string]time.Time // boot id -> the notice that was told
}

// follow takes up what is new and drops what is gone. news: one had ended
// already, or has notice. retry: one could not be opened and must be looked at
// again soon.
func (w *watcher) follow(inits map[string]watched) (news, retry bool) {
	for id, fd := range w.open {
		if _, ok := inits[id]; !ok {
			unix.Close(fd)
			delete(w.open, id)
		}
	}
	for id := range w.ended {
		if _, ok := inits[id]; !ok {
			delete(w.ended, id)
		}
	}
	for id := range w.noticed {
		if _, ok := inits[id]; !ok {
			delete(w.noticed, id)
		}
	}
	for id, init := range inits {
		if !init.reclaim.Equal(w.noticed[id]) {
			w.noticed[id] = init.reclaim
			news = true
		}
		if _, ok := w.open[id]; ok || w.ended[id] {
			continue
		}
		fd, alive, err := init.open()
		switch {
		case err != nil:
			retry = true
		case !alive:
			w.ended[id] = true
			news = true
		default:
			w.open[id] = fd
		}
	}
	return news, retry
}

// wait returns true if a process ended, false if something else is to be done.
func (w *watcher) wait(wake int, limit time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(wake), Events: unix.POLLIN}}
	ids := []string{""}
	for id, fd := range w.open {
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		ids = append(ids, id)
	}
	if _, err := unix.Poll(fds, int(limit.Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
		return false
	}
	if fds[0].Revents != 0 {
		unix.Read(wake, make([]byte, 8))
	}
	died := false
	for i, fd := range fds[1:] {
		if fd.Revents != 0 {
			id := ids[i+1]
			unix.Close(w.open[id])
			delete(w.open, id)
			w.ended[id] = true
			died = true
		}
	}
	return died
}

func (w *watcher) close() {
	for _, fd := range w.open {
		unix.Close(fd)
	}
}
