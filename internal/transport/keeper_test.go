package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noecho/internal/testca"
)

// folder has the files of one side of TLS.
type folder struct {
	t   *testing.T
	dir string
	ca  *testca.Authority
}

func newFolder(t *testing.T) *folder { return &folder{t, t.TempDir(), testca.New(t)} }

func (f *folder) put(name string, data []byte) string { return testca.Write(f.t, f.dir, name, data) }

// server writes the files of a server and returns their names.
func (f *folder) server(p testca.Pair) Files {
	return Files{Key: "tls", Cert: f.put("tls.crt", p.Cert), Private: f.put("tls.key", p.Key)}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	good, other := f.ca.Issue("good"), f.ca.Issue("other")
	stranger := testca.New(t)
	later := time.Now().Add(time.Hour)
	for name, tt := range map[string]struct {
		change func(files *Files)
		want   string
	}{
		"missing":     {func(x *Files) { x.Cert = filepath.Join(f.dir, "none") }, "read tls.cert_file: open "},
		"no key":      {func(x *Files) { x.Private = filepath.Join(f.dir, "none") }, "read tls.key_file: open "},
		"not PEM":     {func(x *Files) { x.Cert = f.put("1", []byte("text")) }, "contains no PEM certificate"},
		"key not PEM": {func(x *Files) { x.Private = f.put("2", []byte("text")) }, "contains no PEM private key"},
		"mismatch":    {func(x *Files) { x.Private = f.put("3", other.Key) }, "does not belong to the certificate in"},
		"expired": {func(x *Files) {
			p := f.ca.Issue("x", testca.Expired)
			x.Cert, x.Private = f.put("4", p.Cert), f.put("5", p.Key)
		}, "expired at"},
		"early": {func(x *Files) {
			p := f.ca.Issue("x", testca.Early)
			x.Cert, x.Private = f.put("6", p.Cert), f.put("7", p.Key)
		}, "is valid only from"},
		"password": {func(x *Files) {
			x.Private = f.put("8", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"))
		}, "is encrypted"},
		"damaged": {func(x *Files) {
			x.Cert = f.put("9", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
		}, "are no certificate and key"},
		"no authority":  {func(x *Files) { x.CA = f.put("10", []byte("text")) }, "tls.client_ca_file: "},
		"no list":       {func(x *Files) { x.CRL = f.put("11", []byte("text")) }, "contains no PEM list of revoked certificates"},
		"strange list":  {func(x *Files) { x.CRL = f.put("12", stranger.Revoke(later)) }, "is of no authority in"},
		"old list":      {func(x *Files) { x.CRL = f.put("13", f.ca.Revoke(time.Now().Add(-time.Minute))) }, "ended at"},
		"long":          {func(x *Files) { x.Cert = f.put("14", make([]byte, maxFile+1)) }, "is longer than"},
		"upstream's CA": {func(x *Files) { x.Key, x.CA = "upstream.tls", f.put("15", nil) }, "upstream.tls.ca_file: "},
	} {
		files := f.server(good)
		files.CA = f.put("ca.crt", f.ca.PEM)
		tt.change(&files)
		_, err := Open(files)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if missing := strings.HasPrefix(tt.want, "read "); missing != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v does not say whether the file exists", name, err)
		}
	}
}

// FuzzFiles: no content of the files makes Open panic, and what Open accepts can be used.
func FuzzFiles(f *testing.F) {
	ca := testca.New(f)
	p := ca.Issue("x")
	f.Add(p.Cert, p.Key, ca.PEM, ca.Revoke(time.Now().Add(time.Hour), p))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), []byte("x"), []byte{}, []byte("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"))
	f.Fuzz(func(t *testing.T, cert, key, authority, list []byte) {
		k := &Keeper{files: Files{Key: "tls", Cert: "cert", Private: "key", CA: "ca", CRL: "crl"}}
		s, err := k.load(contents{cert, key, authority, list}, [32]byte{})
		if (s == nil) == (err == nil) {
			t.Fatalf("%v %v", s, err)
		}
		if s != nil && (s.expires.IsZero() || len(s.config.Certificates) != 1 || s.config.ClientAuth != tls.RequireAndVerifyClientCert) {
			t.Fatalf("%+v", s)
		}
	})
}

// TestLook: changed files are used. A pair of which one file is replaced is no error until a
// second look, and then one error.
func TestLook(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	first, second := f.ca.Issue("first"), f.ca.Issue("second", func(c *x509.Certificate) { c.NotAfter = c.NotAfter.Add(time.Hour) })
	k, err := Open(f.server(first))
	if err != nil {
		t.Fatal(err)
	}
	before := k.Expires()
	look := func(changed bool, problem string) {
		t.Helper()
		got, err := k.Look()
		if got != changed || (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%t %v, want %t %q", got, err, changed, problem)
		}
	}
	look(false, "")
	f.put("tls.crt", second.Cert)
	look(false, "")
	f.put("tls.key", second.Key)
	look(true, "")
	look(false, "")
	if !k.Expires().After(before) {
		t.Errorf("ends at %s, want after %s", k.Expires(), before)
	}
	f.put("tls.key", first.Key)
	look(false, "")
	look(false, "does not belong")
	look(false, "")
	f.put("tls.key", second.Key)
	look(false, "")
	f.put("tls.key", first.Key)
	look(false, "")
	look(false, "does not belong")
	if err := os.Remove(filepath.Join(f.dir, "tls.crt")); err != nil {
		t.Fatal(err)
	}
	look(false, "")
	look(false, "no such file")
	look(false, "")
	if _, err := k.Renew(); err == nil {
		t.Error("files that are not there were read")
	}
	f.put("tls.crt", first.Cert)
	look(true, "")
}

// shake connects a client to a server, and returns the errors of both.
func shake(t *testing.T, server, client *tls.Config) (atServer, atClient error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			s := tls.Server(conn, server)
			if err = s.Handshake(); err == nil {
				_, err = s.Write([]byte("x"))
			}
			_ = conn.Close()
		}
		done <- err
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := tls.Client(conn, client)
	if atClient = c.Handshake(); atClient == nil {
		_, atClient = c.Read(make([]byte, 1))
	}
	return <-done, atClient
}

// TestClients: with an authority a server takes only its certificates, in force and not revoked.
func TestClients(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	revoked := f.ca.Issue("revoked")
	files := f.server(f.ca.Issue("server"))
	files.CA = f.put("ca.crt", f.ca.PEM)
	files.CRL = f.put("ca.crl", f.ca.Revoke(time.Now().Add(time.Hour), revoked))
	need, err := Open(files)
	if err != nil {
		t.Fatal(err)
	}
	files.Clients, files.Min = ClientsMay, tls.VersionTLS13
	may, err := Open(files)
	if err != nil {
		t.Fatal(err)
	}
	stranger := testca.New(t)
	for name, tt := range map[string]struct {
		pair testca.Pair
		want string
	}{
		"good":    {f.ca.Issue("good"), ""},
		"none":    {testca.Pair{}, "didn't provide a certificate"},
		"strange": {stranger.Issue("good"), "unknown authority"},
		"expired": {f.ca.Issue("good", testca.Expired), "has expired"},
		"early":   {f.ca.Issue("good", testca.Early), "not yet valid"},
		"server": {f.ca.Issue("good", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}), "incompatible key usage"},
		"revoked": {revoked, ErrRevoked.Error()},
	} {
		client := &tls.Config{RootCAs: f.ca.Pool(), ServerName: "localhost"}
		if tt.pair.Cert != nil {
			client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // also if the server would not take it
				c := tt.pair.TLS(t)
				return &c, nil
			}
		}
		for version := uint16(tls.VersionTLS12); version <= tls.VersionTLS13; version++ {
			client.MaxVersion = version
			atServer, atClient := shake(t, need.Server(), client)
			if (atClient == nil) != (tt.want == "") || tt.want != "" && (atServer == nil || !strings.Contains(atServer.Error(), tt.want)) {
				t.Errorf("%s, TLS %x: server %v, client %v, want %q", name, version, atServer, atClient, tt.want)
			}
		}
		atServer, _ := shake(t, may.Server(), client)
		if (atServer == nil) != (tt.want == "" || tt.pair.Cert == nil) {
			t.Errorf("%s, not needed: %v", name, atServer)
		}
		client.MaxVersion = tls.VersionTLS12
		if atServer, _ := shake(t, may.Server(), client); atServer == nil || !strings.Contains(atServer.Error(), "unsupported versions") {
			t.Errorf("%s: TLS 1.2 where 1.3 is the least: %v", name, atServer)
		}
	}
}

// TestClient: a client shows its certificate and trusts only its authorities.
func TestClient(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	p := f.ca.Issue("client")
	k, err := Open(Files{Key: "upstream.tls", Cert: f.put("c.crt", p.Cert), Private: f.put("c.key", p.Key), CA: f.put("ca.crt", f.ca.PEM)})
	if err != nil {
		t.Fatal(err)
	}
	none, err := Open(Files{Key: "upstream.tls"})
	if err != nil {
		t.Fatal(err)
	}
	server := &tls.Config{Certificates: []tls.Certificate{f.ca.Issue("server").TLS(t)}, ClientCAs: f.ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert}
	if atServer, atClient := shake(t, server, k.Client("localhost")); atServer != nil || atClient != nil {
		t.Errorf("%v %v", atServer, atClient)
	}
	if _, err := shake(t, server, k.Client("other.example")); err == nil || !strings.Contains(err.Error(), "other.example") {
		t.Errorf("a certificate of another name: %v", err)
	}
	if _, err := shake(t, server, none.Client("localhost")); err == nil {
		t.Error("an unknown authority is trusted")
	}
	if !none.Expires().IsZero() {
		t.Error("no certificate ends")
	}
}
