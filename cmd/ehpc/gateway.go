package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"ehpc/internal/config"
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
	address  string // where people reach it
}

// openLogin listens for people; nil if they are not to be let in.
func openLogin(address string, conf config.Config, o gateway.Options) (*login, error) {
	if address == "off" {
		return nil, nil
	}
	if host, _, err := net.SplitHostPort(address); err == nil && config.Wildcard(host) && conf.Advertise == "" {
		return nil, fmt.Errorf("cannot serve ssh: --ssh %s is every address of this machine and names none: set advertise to the name or the address that others reach it by", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, takenAddress("ssh", address, "--ssh ADDRESS or --ssh off", "SSH", err)
	}
	return &login{gateway.New(o), listener, loginAddress(listener.Addr(), conf)}, nil
}

// loginAddress is where people reach the gateway: at the advertised host, unless it
// listens to this machine alone.
func loginAddress(at net.Addr, conf config.Config) string {
	tcp, ok := at.(*net.TCPAddr)
	if !ok || tcp.IP.IsLoopback() || conf.Advertise == "" {
		return at.String()
	}
	host, _, err := net.SplitHostPort(conf.At(at.String()))
	if err != nil {
		return at.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(tcp.Port)) // the advertised port is the API's
}

// credentials are the lines of the credentials file with which ehpc ssh finds
// the gateway and knows it.
func (l *login) credentials() string {
	if l == nil {
		return ""
	}
	key := strings.TrimSpace(l.gateway.HostKey())
	return fmt.Sprintf("%s=%s\n%s='%s'\n", envSSH, l.address, envSSHHostKey, key)
}

// serve lets people in until ctx ends.
func (l *login) serve(ctx context.Context, log *slog.Logger) {
	if l == nil {
		return
	}
	log.Info("serving ssh", "address", l.address)
	if err := l.gateway.Serve(ctx, l.listener); err != nil {
		log.Error("the ssh gateway has ended", "err", err)
	}
}
