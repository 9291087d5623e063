package config

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
)

// checkListen refuses to serve in the clear what others can listen to.
func (c *Config) checkListen() error {
	var faults []error
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		faults = append(faults, fmt.Errorf("listen %q is not of the form HOST:PORT", c.Listen))
	} else if !c.TLS.On() && !loopbackAddress(c.Listen) {
		faults = append(faults, fmt.Errorf("listen %s is no loopback address, which needs tls", c.Listen))
	}
	if err == nil && Wildcard(host) && c.Advertise == "" {
		faults = append(faults, fmt.Errorf("listen %s is every address of this machine and names none: set advertise to the name or the address that others reach it by", c.Listen))
	}
	if c.Advertise != "" {
		if _, _, err := splitAdvertised(c.Advertise); err != nil {
			faults = append(faults, err)
		}
	}
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		faults = append(faults, errors.New("tls.certificate and tls.key go together"))
	}
	if c.TLS.SelfSigned && c.TLS.Certificate != "" {
		faults = append(faults, errors.New("tls.self_signed and tls.certificate exclude each other"))
	}
	return errors.Join(faults...)
}

// Wildcard tells whether a host stands for every address of the machine.
func Wildcard(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// At is where others reach what listens at an address: as it is advertised, with the
// address's port unless another is said.
func (c *Config) At(address string) string {
	host, port, err := splitAdvertised(c.Advertise)
	if err != nil {
		return address
	}
	if port == "" {
		_, port, _ = net.SplitHostPort(address)
	}
	return net.JoinHostPort(host, port)
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)

func splitAdvertised(text string) (host, port string, err error) {
	host = text
	if net.ParseIP(text) == nil {
		if h, p, err := net.SplitHostPort(text); err == nil {
			host, port = h, p
		}
	}
	ip := net.ParseIP(host)
	n, notNumber := strconv.ParseUint(port, 10, 16)
	badPort := host != text && (notNumber != nil || n == 0)
	if ip == nil && (len(host) > 253 || !hostName.MatchString(host)) || Wildcard(host) || badPort {
		return "", "", fmt.Errorf("advertise %.300q is no name or address of a host, with a port behind it or without", text)
	}
	return host, port, nil
}

func loopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopback(host)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
