package config

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
)

// checkStore never repeats the address: it may hold a password.
func (c *Config) checkStore() error {
	if c.Store == "" {
		if c.StorePasswordFile != "" {
			return errors.New("store_password_file is for a store that is named by its address")
		}
		return nil
	}
	u, err := url.Parse(c.Store)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("store is not of the form postgres://USER@HOST/DATABASE")
	}
	options := u.Query()
	if _, there := u.User.Password(); there || options.Has("password") {
		return errors.New("store holds a password; it belongs in store_password_file or EHPC_STORE_PASSWORD")
	}
	if options.Has("service") || options.Has("servicefile") {
		return errors.New("store names a service; its address belongs here")
	}
	host := u.Hostname()
	if options.Has("host") { // it counts, whatever stands before
		host = options.Get("host")
	}
	remote := func(host string) bool { return !strings.HasPrefix(host, "/") && !loopback(host) }
	mode := options.Get("sslmode")
	if slices.ContainsFunc(strings.Split(host, ","), remote) && mode != "verify-full" && mode != "verify-ca" {
		return fmt.Errorf("store is on host %q: add sslmode=verify-full to its address (and sslrootcert=FILE, if no public authority signed its certificate)", host)
	}
	return nil
}

// maxPassword bounds a password's file.
const maxPassword = 4096

// StorePassword reads the password for Store, "" if none is configured.
func (c *Config) StorePassword(env func(string) string) (string, error) {
	if c.StorePasswordFile == "" {
		return env("EHPC_STORE_PASSWORD"), nil
	}
	f, err := os.Open(c.StorePasswordFile)
	if err != nil {
		return "", fmt.Errorf("cannot read store_password_file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("cannot read store_password_file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("cannot use store_password_file %s: its mode is %04o: others must not read it (chmod 600)", c.StorePasswordFile, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPassword))
	if err != nil {
		return "", fmt.Errorf("cannot read store_password_file: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
