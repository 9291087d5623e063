package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
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

// SelfSigned loads the certificate for localhost and the loopback addresses from
// dir. It makes a new one when there is none, or none that is good for another
// month. The key file can be read by its owner alone.
func SelfSigned(dir string) (tls.Certificate, error) {
	return selfSigned(dir, time.Now())
}

func selfSigned(dir string, now time.Time) (tls.Certificate, error) {
	crt, key := filepath.Join(dir, CertificateFile), filepath.Join(dir, keyFile)
	have, err := tls.LoadX509KeyPair(crt, key)
	if err == nil && have.Leaf.NotAfter.After(now.Add(renewBefore)) {
		return have, nil
	}
	if err := makeSelfSigned(crt, key, now); err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot make a certificate in %s: %w", dir, err)
	}
	return tls.LoadX509KeyPair(crt, key)
}

func makeSelfSigned(crt, key string, now time.Time) error {
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
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:             now.Add(-time.Hour), // clocks differ
		NotAfter:              now.Add(certificateLife),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true, // so that it can be named as an authority to trust
		MaxPathLenZero:        true,
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
