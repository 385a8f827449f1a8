// Package transport keeps the TLS configuration of one side of noecho equal to PEM files, and
// opens the sockets on which noecho listens.
//
// It knows files of certificates, addresses, and when a socket file may be replaced. It knows no
// HTTP, writes no log, and lets callers in by the certificates in its files alone.
package transport

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Clients says whether a server wants certificates of its clients.
type Clients uint8

const (
	ClientsNeed Clients = iota // each connection needs one
	ClientsMay                 // a client may show one; it must be valid then
)

// Files are the PEM files of one side of TLS.
type Files struct {
	Key     string // of the configuration, which errors name: "tls" and "admin.tls" are those of servers
	Cert    string // the certificate, with those of the authorities between it and the root; empty: none
	Private string // its private key
	CA      string // the authorities whose certificates are accepted; of a client, empty: those of the system
	CRL     string // lists of revoked certificates of clients; empty: none
	Clients Clients
	Min     uint16 // lowest version, as in package tls; 0: TLS 1.2
}

// maxFile is the length of the longest file, in bytes.
const maxFile = 4 << 20

// Keeper has the TLS configuration of files. A new one takes its place when the files change and
// are valid. Connections that exist are not touched. Safe for concurrent use.
type Keeper struct {
	files Files
	now   atomic.Pointer[state]

	mu   sync.Mutex // of Look
	seen [sha256.Size]byte
	told [sha256.Size]byte
}

// state is the configuration of files that were valid.
type state struct {
	digest  [sha256.Size]byte // of the files
	config  *tls.Config
	expires time.Time // of the certificate; zero: there is none
}

// Open reads the files. An error names the key of the configuration, the file and the reason.
func Open(f Files) (*Keeper, error) {
	k := &Keeper{files: f}
	use, err := k.Renew()
	if err != nil {
		return nil, err
	}
	use()
	return k, nil
}

// Renew reads the files again. Connections that begin after the call of use have them.
func (k *Keeper) Renew() (use func(), err error) {
	contents, digest, err := k.read()
	if err != nil {
		return nil, err
	}
	s, err := k.load(contents, digest)
	if err != nil {
		return nil, err
	}
	return func() { k.now.Store(s) }, nil
}

// Look uses the files if they have changed, and reports whether it did. Certificate and key are
// two files that cannot be replaced at once, so files that do not fit are an error only if two
// looks see them. One and the same content is an error once.
func (k *Keeper) Look() (changed bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	contents, digest, err := k.read()
	s := k.now.Load()
	changed = err != nil || digest != s.digest
	if changed && err == nil {
		s, err = k.load(contents, digest)
	}
	if err == nil {
		k.now.Store(s)
		k.seen, k.told = digest, [sha256.Size]byte{}
		return changed, nil
	}
	again := k.seen == digest
	k.seen = digest
	if !again || k.told == digest {
		return false, nil
	}
	k.told = digest
	return false, err
}

// Digest returns that of the files in force.
func (k *Keeper) Digest() [sha256.Size]byte { return k.now.Load().digest }

// Expires returns the time at which the certificate ends; zero if there is none.
func (k *Keeper) Expires() time.Time { return k.now.Load().expires }

// Server returns a configuration for connections of clients. Each has the files in force when it
// begins.
func (k *Keeper) Server() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12, // that of the files is compared too
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return k.now.Load().config, nil },
	}
}

// Client returns the configuration for a connection to the server of a name that begins now.
func (k *Keeper) Client(name string) *tls.Config {
	c := k.now.Load().config.Clone()
	c.ServerName = name
	return c
}

// contents are the bytes of the files.
type contents struct{ cert, private, ca, crl []byte }

// read reads the files. The digest is that of the contents, or of the error.
func (k *Keeper) read() (c contents, digest [sha256.Size]byte, err error) {
	h := sha256.New()
	for _, f := range [...]struct {
		key, name string
		dst       *[]byte
	}{
		{"cert_file", k.files.Cert, &c.cert},
		{"key_file", k.files.Private, &c.private},
		{k.caKey(), k.files.CA, &c.ca},
		{"client_crl_file", k.files.CRL, &c.crl},
	} {
		if f.name == "" {
			continue
		}
		if *f.dst, err = readFile(f.name); err != nil {
			err = fmt.Errorf("read %s.%s: %w", k.files.Key, f.key, err)
			return c, sha256.Sum256([]byte(err.Error())), err
		}
		sum := sha256.Sum256(*f.dst)
		h.Write(sum[:])
	}
	h.Sum(digest[:0])
	return c, digest, nil
}

// caKey returns the last part of the key of the authorities.
func (k *Keeper) caKey() string {
	switch k.files.Key {
	case "tls", "admin.tls":
		return "client_ca_file"
	}
	return "ca_file"
}

func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is longer than %d bytes", name, maxFile)
	}
	return data, err
}

// load makes the configuration of files.
func (k *Keeper) load(c contents, digest [sha256.Size]byte) (*state, error) {
	f := &k.files
	s := &state{digest: digest, config: &tls.Config{MinVersion: max(f.Min, tls.VersionTLS12), NextProtos: []string{"http/1.1"}}}
	if f.Cert != "" {
		pair, err := f.pair(c.cert, c.private, time.Now())
		if err != nil {
			return nil, err
		}
		s.config.Certificates, s.expires = []tls.Certificate{pair}, pair.Leaf.NotAfter
	}
	if f.CA == "" {
		return s, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.ca) {
		return nil, fmt.Errorf("%s.%s: %s contains no PEM certificate", f.Key, k.caKey(), f.CA)
	}
	s.config.RootCAs, s.config.ClientCAs = pool, pool
	s.config.ClientAuth = [...]tls.ClientAuthType{ClientsNeed: tls.RequireAndVerifyClientCert, ClientsMay: tls.VerifyClientCertIfGiven}[f.Clients]
	s.config.SessionTicketsDisabled = true // a ticket would outlive the authority of its certificate
	if f.CRL != "" {
		r, err := f.revocations(c.crl, c.ca, time.Now())
		if err != nil {
			return nil, err
		}
		s.config.VerifyConnection = r.check
	}
	return s, nil
}

// pair makes a certificate of its files.
func (f *Files) pair(cert, private []byte, now time.Time) (tls.Certificate, error) {
	if block, _ := pem.Decode(private); block != nil && strings.Contains(block.Type, "ENCRYPTED") || bytes.Contains(private, []byte("Proc-Type: 4,ENCRYPTED")) {
		return tls.Certificate{}, fmt.Errorf("%s.key_file: %s is encrypted: store the key without a password, readable by noecho alone", f.Key, f.Private)
	}
	pair, err := tls.X509KeyPair(cert, private)
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "private key does not match public key"), strings.Contains(err.Error(), "private key type does not match public key type"):
		return pair, fmt.Errorf("%s: the key in %s does not belong to the certificate in %s", f.Key, f.Private, f.Cert)
	case !hasBlock(cert, "CERTIFICATE"):
		return pair, fmt.Errorf("%s.cert_file: %s contains no PEM certificate", f.Key, f.Cert)
	case !hasBlock(private, "PRIVATE KEY"):
		return pair, fmt.Errorf("%s.key_file: %s contains no PEM private key", f.Key, f.Private)
	default:
		return pair, fmt.Errorf("%s: %s and %s are no certificate and key: %s", f.Key, f.Cert, f.Private, strings.TrimPrefix(err.Error(), "tls: "))
	}
	switch {
	case now.After(pair.Leaf.NotAfter):
		return pair, fmt.Errorf("%s.cert_file: the certificate in %s expired at %s", f.Key, f.Cert, pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(pair.Leaf.NotBefore):
		return pair, fmt.Errorf("%s.cert_file: the certificate in %s is valid only from %s", f.Key, f.Cert, pair.Leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return pair, nil
}

// hasBlock reports whether a file has a PEM block whose type ends so.
func hasBlock(data []byte, kind string) bool {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return false
		}
		if strings.HasSuffix(block.Type, kind) {
			return true
		}
		data = rest
	}
}

// revocations are the serial numbers of revoked certificates, by issuer and number.
type revocations map[[2]string]struct{}

// ErrRevoked is the error of a client whose certificate was revoked.
var ErrRevoked = errors.New("the certificate of the client was revoked")

// revocations reads lists of revoked certificates. Each must be of one of the authorities.
func (f *Files) revocations(data, ca []byte, now time.Time) (revocations, error) {
	key, out, lists := f.Key+".client_crl_file", revocations{}, 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			continue
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", key, f.CRL, err)
		}
		if !signedBy(list, ca) {
			return nil, fmt.Errorf("%s: a list in %s is of no authority in %s", key, f.CRL, f.CA)
		}
		if !list.NextUpdate.IsZero() && now.After(list.NextUpdate) {
			return nil, fmt.Errorf("%s: a list in %s ended at %s", key, f.CRL, list.NextUpdate.UTC().Format(time.RFC3339))
		}
		lists++
		for _, e := range list.RevokedCertificateEntries {
			out[[2]string{string(list.RawIssuer), hex.EncodeToString(e.SerialNumber.Bytes())}] = struct{}{}
		}
	}
	if lists == 0 {
		return nil, fmt.Errorf("%s: %s contains no PEM list of revoked certificates (X509 CRL)", key, f.CRL)
	}
	return out, nil
}

// signedBy reports whether one of the certificates in a file has signed a list.
func signedBy(list *x509.RevocationList, ca []byte) bool {
	for block, rest := pem.Decode(ca); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && list.CheckSignatureFrom(cert) == nil {
			return true
		}
	}
	return false
}

// check returns an error for a connection each of whose chains has a revoked certificate.
func (r revocations) check(cs tls.ConnectionState) error {
	for _, chain := range cs.VerifiedChains {
		revoked := false
		for _, cert := range chain {
			_, ok := r[[2]string{string(cert.RawIssuer), hex.EncodeToString(cert.SerialNumber.Bytes())}]
			revoked = revoked || ok
		}
		if !revoked {
			return nil
		}
	}
	if len(cs.VerifiedChains) == 0 {
		return nil
	}
	return ErrRevoked
}
