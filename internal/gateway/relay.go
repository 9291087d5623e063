package gateway

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"

	"ehpc/internal/hpc"
)

// host serves a guest: it connects to the node once, calls admitted, and joins
// each session to one there.
func (g *Gateway) host(ctx context.Context, guest *ssh.ServerConn, channels <-chan ssh.NewChannel, source string, admitted func()) {
	node, err := g.admit(ctx, guest.Permissions, source)
	if err != nil {
		g.Log.Warn("cannot let somebody in", "cluster", guest.Permissions.Extensions[provenCluster],
			"account", guest.Permissions.Extensions[provenName], "source", source, "err", err)
		turnAway(channels, sayTo(err))
		return
	}
	defer node.Close()
	admitted()
	stop := context.AfterFunc(ctx, func() { node.Close() })
	defer stop()
	go func() {
		node.Wait() // whatever ends the node's side ends the guest's
		guest.Close()
	}()
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer node.Close()
	free := make(chan struct{}, maxSessions)
	for asked := range channels {
		if asked.ChannelType() != "session" {
			asked.Reject(ssh.Prohibited, "only sessions go through the gateway, no forwarding")
			continue
		}
		select {
		case free <- struct{}{}:
		default:
			asked.Reject(ssh.ResourceShortage, "too many sessions in one connection")
			continue
		}
		sessions.Go(func() {
			defer func() { <-free }()
			join(asked, node)
		})
	}
}

// turnAway refuses all that is asked for, with the reason, until the guest goes.
func turnAway(channels <-chan ssh.NewChannel, reason string) {
	for asked := range channels {
		asked.Reject(ssh.ConnectionFailed, reason)
		return
	}
}

// sayTo is what a guest, who has proven who they are, hears of a failure.
func sayTo(err error) string {
	if errors.Is(err, errNoLogin) || errors.Is(err, errElsewhere) || errors.Is(err, errRefused) {
		return err.Error()
	}
	if errors.Is(err, hpc.ErrUnknownAccount) {
		return "the login node does not know the account yet; try again"
	}
	return "the login node cannot be reached now; try again"
}

// join makes one session of two.
func join(asked ssh.NewChannel, node *ssh.Client) {
	there, fromThere, err := node.OpenChannel("session", nil)
	if err != nil {
		asked.Reject(ssh.ConnectionFailed, "the login node opens no session")
		return
	}
	defer there.Close()
	here, fromHere, err := asked.Accept()
	if err != nil {
		go ssh.DiscardRequests(fromThere)
		return
	}
	var answering sync.Mutex // a quick command has ended before the guest hears that it began
	defer func() {
		answering.Lock()
		defer answering.Unlock()
		here.Close()
	}()
	var ways sync.WaitGroup
	go func() { // ends with the guest's side
		io.Copy(there, here)
		there.CloseWrite()
	}()
	go func() {
		passOn(fromHere, there, askedOfNodes, &answering)
		there.Close() // the guest is gone
	}()
	var output sync.WaitGroup
	output.Go(func() { io.Copy(here, there) })
	output.Go(func() { io.Copy(here.Stderr(), there.Stderr()) })
	ways.Go(func() {
		output.Wait()
		here.CloseWrite()
	})
	ways.Go(func() { passOn(fromThere, here, toldByNodes, new(sync.Mutex)) })
	ways.Wait()
}

// What may be asked of a node's session, and told by one.
var (
	askedOfNodes = []string{"pty-req", "env", "shell", "exec", "subsystem", "window-change", "signal", "eow@openssh.com"}
	toldByNodes  = []string{"exit-status", "exit-signal", "xon-xoff", "eow@openssh.com"}
)

// passOn hands the requests on that are allowed, until their side is closed.
// answering is held from a request until its answer.
func passOn(requests <-chan *ssh.Request, to ssh.Channel, allowed []string, answering *sync.Mutex) {
	for r := range requests {
		answering.Lock()
		ok := false
		if slices.Contains(allowed, r.Type) {
			var err error
			if ok, err = to.SendRequest(r.Type, r.WantReply, r.Payload); err != nil {
				ok = false
			}
		}
		if r.WantReply {
			r.Reply(ok, nil)
		}
		answering.Unlock()
	}
}
