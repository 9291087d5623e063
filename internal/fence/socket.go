package fence

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ehpc/internal/hpc"
)

// SocketPath is where a node's agent takes claims, from every account.
const SocketPath = "/run/ehpc/claims.sock"

const (
	messageLimit = 4 << 10         // bytes, either way
	answerWithin = 5 * time.Second // a claim and its answer
	claimsAtOnce = 512
	// claimsPerAccount leaves room for others: who asks, asks again.
	claimsPerAccount = 64
)

// question is a script's claim, or tells the end of the run that the process which
// asks stands for. Who asks is told by the kernel.
type question struct {
	Token, Task, ID string
	Restarts        int
	End             *end `json:",omitempty"`
}

// reply is the answer; to an end it is empty, or Stranger.
type reply struct {
	Verdict Verdict
	Code    int
	Why     string
	Error   string
	// Stranger: the process told an end, and stands for no run.
	Stranger bool `json:",omitempty"`
}

// Desk takes claims on a node.
type Desk struct {
	Journal *Journal
	Watch   *Watch
	Host    string
	Boot    string
	// Job tells the scheduler's own id of the job whose batch script a process belongs
	// to, by what no account can change; "" for others, whom nobody answers.
	Job func(pid int) string
	// Knows fails with hpc.ErrUnknownAccount for an account that the node does not
	// know; nil where it needs to know none. A scheduler may start a job of one before
	// the node was told of it, and after it was told that there is no such account.
	Knows func(uid int) error
	// Look is told the process that stands for a run, before the run begins and once
	// its script has ended; nil where nobody looks.
	Look func(pid int)

	room slots
}

// Listen opens the socket at path, for every account of the node.
func Listen(path string) (*net.UnixListener, error) {
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot take claims: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot take claims: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot take claims: %w", err), l.Close())
	}
	return l, nil
}

// Serve answers claims until the listener is closed.
func (d *Desk) Serve(l *net.UnixListener) {
	for {
		conn, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors: do not spin
			time.Sleep(10 * time.Millisecond)
			continue
		}
		who, err := peer(conn)
		if err != nil {
			conn.Close()
			continue
		}
		job := d.Job(int(who.Pid))
		if job == "" || !d.room.take(who.Uid) {
			conn.Close()
			continue
		}
		go func() {
			defer func() { conn.Close(); d.room.leave(who.Uid) }()
			d.answer(conn, who, job)
		}()
	}
}

// slots are the claims that are answered now, by account.
type slots struct {
	mu      sync.Mutex
	all     int
	account map[uint32]int
}

func (s *slots) take(uid uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= claimsAtOnce || s.account[uid] >= claimsPerAccount {
		return false
	}
	if s.account == nil {
		s.account = map[uint32]int{}
	}
	s.all++
	s.account[uid]++
	return true
}

func (s *slots) leave(uid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.account[uid]--; s.account[uid] == 0 {
		delete(s.account, uid)
	}
}

func (d *Desk) answer(conn *net.UnixConn, who *unix.Ucred, job string) {
	if conn.SetDeadline(time.Now().Add(answerWithin)) != nil {
		return
	}
	text, err := json.Marshal(d.decide(conn, who, job))
	if err == nil {
		conn.Write(text) // who asked asks again when the answer is lost
	}
}

func (d *Desk) decide(conn *net.UnixConn, who *unix.Ucred, job string) reply {
	failed := func(err error) reply { return reply{Error: err.Error()} }
	text := make([]byte, messageLimit)
	n, err := conn.Read(text)
	if err != nil {
		return failed(err)
	}
	var q question
	if err := json.Unmarshal(text[:n], &q); err != nil {
		return failed(fmt.Errorf("the claim is malformed"))
	}
	if q.End != nil {
		return d.end(who, *q.End)
	}
	c := hpc.Run{Token: q.Token, Task: q.Task, ID: q.ID, Own: job, Restarts: q.Restarts, Host: d.Host, Boot: d.Boot, PID: int(who.Pid)}
	note := func(run hpc.Run) error {
		if err := d.knows(int(who.Uid)); err != nil {
			return err
		}
		if hungUp(conn) {
			return errors.New("nobody waits for the answer any more")
		}
		return d.Watch.note(run)
	}
	ruling, run, err := d.Journal.Claim(c, int(who.Uid), note)
	if errors.Is(err, hpc.ErrUnknownAccount) {
		return reply{Verdict: Wait, Why: "this node does not know the account"}
	}
	if err != nil {
		return failed(err)
	}
	if ruling.Verdict == Begin {
		d.Watch.follow(run)
		d.look(who)
	}
	return reply{Verdict: ruling.Verdict, Code: ruling.Code, Why: ruling.Why}
}

// end writes down how the run of a process ended, and has the job measured while
// the process is there.
func (d *Desk) end(who *unix.Ucred, how end) reply {
	err := d.Watch.end(int(who.Pid), how)
	if errors.Is(err, errNoRun) {
		return reply{Error: err.Error(), Stranger: true}
	}
	if err != nil {
		return reply{Error: err.Error()}
	}
	d.look(who)
	return reply{}
}

func (d *Desk) knows(uid int) error {
	if d.Knows == nil {
		return nil
	}
	return d.Knows(uid)
}

func (d *Desk) look(who *unix.Ucred) {
	if d.Look != nil {
		d.Look(int(who.Pid))
	}
}

// hungUp tells whether the other end is closed. Who asked and died, or gave up,
// has left its question behind: of a busy node, for as long as it is busy.
func hungUp(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		_, err := unix.Poll(poll, 0)
		gone = err == nil && poll[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil
}

// peer is the process at the other end.
func peer(conn *net.UnixConn) (*unix.Ucred, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var who *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) {
		who, asked = unix.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	return who, errors.Join(err, asked)
}
