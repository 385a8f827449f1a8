// Package testca makes authorities and certificates for tests of TLS. Product code must not use
// it.
package testca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// Authority signs certificates. Safe for concurrent use.
type Authority struct {
	t      testing.TB
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial atomic.Int64

	PEM []byte // the certificate of the authority
}

// New returns a new authority.
func New(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a.key = newKey(t)
	a.cert = a.sign(template, template, a.key, a.key)
	a.PEM = block("CERTIFICATE", a.cert.Raw)
	a.serial.Store(1)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *Authority) sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

func block(kind string, raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw})
}

// Pair is a certificate and its key.
type Pair struct {
	Cert, Key []byte // PEM
	Serial    *big.Int
}

// Change changes the template of a certificate.
type Change func(*x509.Certificate)

// Expired makes a certificate that has ended.
func Expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

// Early makes a certificate that is not valid yet.
func Early(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }

// Issue returns a certificate for 127.0.0.1 and localhost with a common name, an e-mail address
// and a URI made of the name.
func (a *Authority) Issue(name string, changes ...Change) Pair {
	a.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial.Add(1)), Subject: pkix.Name{CommonName: name, Organization: []string{"Test"}},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(12 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		EmailAddresses: []string{name + "@test.example"}, URIs: []*url.URL{{Scheme: "spiffe", Host: "test.example", Path: "/" + name}},
	}
	for _, change := range changes {
		change(template)
	}
	key := newKey(a.t)
	cert := a.sign(template, a.cert, key, a.key)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return Pair{Cert: block("CERTIFICATE", cert.Raw), Key: block("PRIVATE KEY", raw), Serial: template.SerialNumber}
}

// TLS returns the pair for package tls.
func (p Pair) TLS(t testing.TB) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Pool returns the authority as a pool.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// Revoke returns a list of revoked certificates, valid until next.
func (a *Authority) Revoke(next time.Time, pairs ...Pair) []byte {
	a.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(a.serial.Add(1)), ThisUpdate: time.Now().Add(-2 * time.Hour), NextUpdate: next}
	for _, p := range pairs {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: p.Serial, RevocationTime: time.Now().Add(-time.Hour)})
	}
	raw, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return block("X509 CRL", raw)
}

// Write replaces a file in a folder by renaming, and returns its path.
func Write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}
