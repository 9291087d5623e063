package config

import (
	"errors"
	"fmt"
	"net"
)

// checkListen refuses to serve in the clear what others can listen to.
func (c *Config) checkListen() error {
	var faults []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		faults = append(faults, fmt.Errorf("listen %q is not of the form HOST:PORT", c.Listen))
	} else if !c.TLS.On() && !loopbackAddress(c.Listen) {
		faults = append(faults, fmt.Errorf("listen %s is no loopback address, which needs tls", c.Listen))
	}
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		faults = append(faults, errors.New("tls.certificate and tls.key go together"))
	}
	if c.TLS.SelfSigned && c.TLS.Certificate != "" {
		faults = append(faults, errors.New("tls.self_signed and tls.certificate exclude each other"))
	}
	return errors.Join(faults...)
}

func loopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopback(host)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
