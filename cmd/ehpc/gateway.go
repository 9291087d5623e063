package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"ehpc/internal/gateway"
)

// gatewayAddress is where people log in over ssh, unless something else is said.
const gatewayAddress = "127.0.0.1:8422"

// sshAddress is where to serve ssh: what was asked for, else a free port beside
// an API on a free port, so that several services stand side by side.
func sshAddress(asked, api string) string {
	if asked != "" {
		return asked
	}
	if _, port, err := net.SplitHostPort(api); err == nil && port == "0" {
		return "127.0.0.1:0"
	}
	return gatewayAddress
}

// login is a gateway that listens.
type login struct {
	gateway  *gateway.Gateway
	listener net.Listener
}

// openLogin listens for people; nil if they are not to be let in.
func openLogin(address string, o gateway.Options) (*login, error) {
	if address == "off" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve ssh (another --ssh address, or off, would do): %w", err)
	}
	return &login{gateway.New(o), listener}, nil
}

// credentials are the lines of the credentials file with which ehpc ssh finds
// the gateway and knows it.
func (l *login) credentials() string {
	if l == nil {
		return ""
	}
	key := strings.TrimSpace(l.gateway.HostKey())
	return fmt.Sprintf("%s=%s\n%s='%s'\n", envSSH, l.listener.Addr(), envSSHHostKey, key)
}

// serve lets people in until ctx ends.
func (l *login) serve(ctx context.Context, log *slog.Logger) {
	if l == nil {
		return
	}
	log.Info("serving ssh", "address", l.listener.Addr().String())
	if err := l.gateway.Serve(ctx, l.listener); err != nil {
		log.Error("the ssh gateway has ended", "err", err)
	}
}
