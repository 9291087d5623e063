package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificates serve the certificate of two files, and follow them while they
// change. A file that is no good leaves what was served before, and is told.
type Certificates struct {
	crt, key string
	renew    func(now time.Time) error // sees to it that the files are good; nil if they are somebody else's
	log      *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	read    [2]os.FileInfo // the files as they were read last
}

// Given serve the certificate in files of the operator's.
func Given(crt, key string, log *slog.Logger) (*Certificates, error) {
	return begin(&Certificates{crt: crt, key: key, log: log}, time.Now())
}

func begin(c *Certificates, now time.Time) (*Certificates, error) {
	return c, c.load(now)
}

// Get is tls.Config's GetCertificate.
func (c *Certificates) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.at(time.Now()), nil
}

// Reload reads the files again.
func (c *Certificates) Reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow(time.Now())
}

func (c *Certificates) at(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed() || c.renew != nil && ending(c.current, now) {
		c.follow(now)
	}
	return c.current
}

// changed tells whether the files are others than those read last. Files that are
// not there count as the same: whoever replaces them is not done yet.
func (c *Certificates) changed() bool {
	for i, name := range []string{c.crt, c.key} {
		info, err := os.Stat(name)
		if err == nil && !(os.SameFile(info, c.read[i]) && info.ModTime().Equal(c.read[i].ModTime()) && info.Size() == c.read[i].Size()) {
			return true
		}
	}
	return false
}

// follow needs c.mu.
func (c *Certificates) follow(now time.Time) {
	if err := c.load(now); err != nil {
		c.log.Error("certificate not read again: the one before is served on", "err", err)
		return
	}
	c.log.Info("certificate read again", "file", c.crt, "until", c.current.Leaf.NotAfter)
}

// load needs c.mu, once others know of c.
func (c *Certificates) load(now time.Time) error {
	if c.renew != nil {
		if err := c.renew(now); err != nil {
			return err
		}
	}
	for i, name := range []string{c.crt, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("cannot read the certificate: %w", err)
		}
		c.read[i] = info
	}
	have, err := tls.LoadX509KeyPair(c.crt, c.key)
	if err != nil {
		return fmt.Errorf("cannot use the certificate %s with the key %s: %w", c.crt, c.key, err)
	}
	c.current = &have
	return nil
}

func ending(have *tls.Certificate, now time.Time) bool {
	return !have.Leaf.NotAfter.After(now.Add(renewBefore))
}
