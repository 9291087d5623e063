package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Names of the files of SelfSigned. Clients trust the certificate file.
const (
	CertificateFile = "tls.crt"
	keyFile         = "tls.key"
)

const (
	certificateLife = 397 * 24 * time.Hour
	renewBefore     = 30 * 24 * time.Hour
)

// SelfSigned serve the certificate in dir, which is for localhost, the loopback
// addresses and the hosts. A new one is made when there is none, or none that names
// them all and is good for another month. The key file can be read by its owner alone.
func SelfSigned(dir string, hosts []string, log *slog.Logger) (*Certificates, error) {
	return selfSigned(dir, hosts, log, time.Now())
}

func selfSigned(dir string, hosts []string, log *slog.Logger, now time.Time) (*Certificates, error) {
	crt, key := filepath.Join(dir, CertificateFile), filepath.Join(dir, keyFile)
	hosts = append([]string{"localhost", "127.0.0.1", "::1"}, hosts...)
	renew := func(now time.Time) error {
		why := unfit(crt, key, hosts, now)
		if why == "" {
			return nil
		}
		log.Info("certificate made", "file", crt, "why", why, "names", hosts)
		if err := makeSelfSigned(crt, key, hosts, now); err != nil {
			return fmt.Errorf("cannot make a certificate in %s: %w", dir, err)
		}
		return nil
	}
	return begin(&Certificates{crt: crt, key: key, renew: renew, log: log}, now)
}

// unfit says why a new certificate is needed; "" if it is not.
func unfit(crt, key string, hosts []string, now time.Time) string {
	have, err := tls.LoadX509KeyPair(crt, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is none"
	case err != nil:
		return "there is none that can be used: " + err.Error()
	case ending(&have, now):
		return "the one before ends at " + have.Leaf.NotAfter.Format(time.RFC3339)
	}
	for _, host := range hosts {
		if have.Leaf.VerifyHostname(host) != nil {
			return "the one before does not name " + host
		}
	}
	return ""
}

func makeSelfSigned(crt, key string, hosts []string, now time.Time) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "ehpc on this machine"},
		NotBefore:             now.Add(-time.Hour), // clocks differ
		NotAfter:              now.Add(certificateLife),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true, // so that it can be named as an authority to trust
		MaxPathLenZero:        true,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	if err := replaceFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return err
	}
	return replaceFile(crt, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// replaceFile puts a file in place whole.
func replaceFile(path string, content []byte, mode os.FileMode) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".tls-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	if _, err := temp.Write(content); err != nil {
		return err
	}
	if err := temp.Chmod(mode); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
