package proxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"noecho/detect"
	"noecho/internal/fakellm"
	"noecho/internal/raced"
	"noecho/proxy/wire"
)

// resident returns the memory of this process in bytes, after a garbage collection.
func resident(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory()
	return residentNow(t)
}

// residentNow returns the memory of this process in bytes, without a collection.
func residentNow(t *testing.T) int64 {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("needs /proc/self/statm")
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(statm), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestGiantAnswer: a streamed answer of 24 MB without a space, of 100 MB with -tags slow, takes
// no more memory than one of 1 MB. The test is not parallel, so that no other allocates
// meanwhile.
func TestGiantAnswer(t *testing.T) {
	unit := int64(1 << 20)
	if raced.On { // memory is not compared
		unit = 1 << 16
	}
	sizes := map[detect.Action]int64{detect.Redact: giantAnswer * unit, detect.Block: 8 * unit, detect.Observe: 8 * unit}
	if testing.Short() || raced.On {
		sizes[detect.Redact] = 8 * unit
	}
	llm := fakellm.Config{Models: map[string]fakellm.Script{}}
	for name, n := range map[string]int64{"small": unit, "large": sizes[detect.Block], "giant": sizes[detect.Redact]} {
		s := fakellm.Say("")
		s.Giant = n
		llm.Models[name] = s
	}
	url := recite(t, llm).URL()
	for mode, size := range sizes {
		cfg := bedConfig(t, url)
		cfg.Mode = mode
		b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
		read := func(model string) (int64, int64) {
			ask := fmt.Sprintf(`{"model":%q,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, model)
			resp, err := b.client.Post("http://"+b.data+chatPath, "application/json", strings.NewReader(ask))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			n, err := io.Copy(io.Discard, resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return n, resident(t)
		}
		_, small := read("small")
		model := "large"
		if mode == detect.Redact {
			model = "giant"
		}
		n, large := read(model)
		if large > small+8*unit && !raced.On { // the race detector needs memory for every byte that was ever used
			t.Errorf("%s: %d KiB resident after %d MB, %d KiB after 1 MB", mode, large>>10, size>>20, small>>10)
		}
		if mode == detect.Observe && n < size {
			t.Errorf("%s: %d bytes arrived of %d", mode, n, size)
		}
		t.Logf("%s: %d KiB resident after 1 MB, %d KiB after %d MB; %d bytes arrived", mode, small>>10, large>>10, size>>20, n)
		b.stop()
	}
}

// TestGiantPieceIsForgotten: after an answer of 100 MB in one piece, streamed or not, the
// process has no more memory than after one of 1 MB. The test is not parallel, so that no
// other allocates meanwhile.
func TestGiantPieceIsForgotten(t *testing.T) {
	const mega = 1 << 20
	giant := 100
	if testing.Short() || raced.On {
		giant = 20
	}
	piece := strings.Repeat("word ", mega/5) + "x"
	frame := fmt.Appendf(nil, "%x\r\n%s\r\n", len(piece), piece) // made once, so that the script makes no garbage
	for _, stream := range []bool{false, true} {
		for _, mode := range []detect.Action{detect.Redact, detect.Block, detect.Observe} {
			head, begin, end := headChunked, `{"choices":[{"index":0,"message":{"content":"`, `"}}]}`
			if stream {
				head, begin, end = headSSE, `data: {"choices":[{"index":0,"delta":{"content":"`, "\"}}]}\n\n"
			}
			up := newScripted(t, func(c *scene) {
				n := 1
				if strings.Contains(c.body, "giant") {
					n = giant
				}
				c.say("%s", head)
				c.chunk(begin)
				c.over = true // else it is closed before the end
				for range n {
					if _, err := c.Write(frame); err != nil {
						return
					}
				}
				c.chunk(end)
				c.say(endChunked)
			})
			cfg := bedConfig(t, up.url())
			cfg.Mode = mode
			cfg.Limits.Answer = 16 * mega
			reclaimed := make(chan struct{}, 8)
			b := newBed(t, Options{Config: cfg, Open: secretOpen(t), reclaimed: func() { reclaimed <- struct{}{} }})
			read := func(model string) int64 {
				ask := fmt.Sprintf(`{"model":%q,"stream":%t,"messages":[{"role":"user","content":"hi"}]}`, model, stream)
				resp, err := b.client.Post("http://"+b.data+chatPath, "application/json", strings.NewReader(ask))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = resp.Body.Close() }()
				n, err := io.Copy(io.Discard, resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			read("small")
			small := resident(t)
			n := read("giant")
			wait(t, reclaimed, "the memory to be given back")
			large := residentNow(t)
			if large > small+8*mega && !raced.On { // the race detector needs memory for every byte that was ever used
				t.Errorf("%s, stream %t: %d KiB resident after %d MB, %d KiB after 1 MB", mode, stream, large>>10, giant, small>>10)
			}
			if whole := int64(giant*len(piece) + len(begin) + len(end)); (mode == detect.Observe) != (n == whole) {
				t.Errorf("%s, stream %t: %d bytes arrived of %d", mode, stream, n, whole)
			}
			fate := "refused"
			if mode == detect.Observe {
				fate = "passed"
			}
			if got := b.metric("noecho_body_bytes_total", `{fate="`+fate+`"}`); got < 8*mega {
				t.Errorf("%s, stream %t: %d bytes %s", mode, stream, got, fate)
			}
			t.Logf("%s, stream %t: %d KiB resident after 1 MB, %d KiB after %d MB; %d bytes arrived", mode, stream, small>>10, large>>10, giant, n)
			b.stop()
		}
	}
}

// certificate makes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "model"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestTLSUpstream: the certificate of the upstream must come from an authority that the
// configuration trusts, and connections are used again.
func TestTLSUpstream(t *testing.T) {
	t.Parallel()
	cert, ca := certificate(t)
	_, otherCA := certificate(t)
	conns := make(chan net.Conn, 100)
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }))
	up.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	up.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns <- c
		}
	}
	up.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	up.StartTLS()
	t.Cleanup(up.Close)
	for _, tt := range []struct {
		name, url string
		pem       []byte
		status    int
	}{
		{"right authority", up.URL, ca, 200},
		{"other authority", up.URL, otherCA, 502},
		{"system's authorities", up.URL, nil, 502},
		{"other name", strings.Replace(up.URL, "127.0.0.1", "localhost", 1), ca, 502},
		{"plain to a TLS port", strings.Replace(up.URL, "https", "http", 1), ca, 400},
	} {
		cfg := bedConfig(t, tt.url)
		if tt.pem != nil {
			cfg.Upstream.CAFile = filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(cfg.Upstream.CAFile, tt.pem, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		b := newBed(t, Options{Config: cfg})
		for len(conns) > 0 {
			<-conns
		}
		for range 3 {
			if status, _, text, err := b.do("GET", "/v1/models", ""); err != nil || status != tt.status {
				t.Errorf("%s: %d %q %v, want %d", tt.name, status, text, err, tt.status)
			}
		}
		if tt.status == 200 && len(conns) != 1 {
			t.Errorf("%s: %d connections for 3 requests", tt.name, len(conns))
		}
	}
	bad := bedConfig(t, up.URL)
	bad.Upstream.CAFile = filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(bad.Upstream.CAFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(bad, secretOpen(t)); err == nil || !strings.Contains(err.Error(), "contains no PEM certificate") {
		t.Errorf("%v", err)
	}
}

// TestPromptCache: a message is scanned once. Another text, another generation and another
// process have other keys.
func TestPromptCache(t *testing.T) {
	t.Parallel()
	c, err := newPromptCache(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	other, err := newPromptCache(0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	one := &snapshot{generation: 1, indexes: Indexes{Set: noSet{}, Spec: testSpec(t)}}
	two := &snapshot{generation: 2, indexes: one.indexes}
	text := []byte("a message that every turn sends again")
	message := func(c *promptCache, snap *snapshot, text []byte) *detect.Message {
		return c.message(snap, c.digest(snap.generation, text), text)
	}
	first := message(c, one, text)
	c.store.Wait()
	if message(c, one, bytes.Clone(text)) != first {
		t.Error("scanned twice")
	}
	if message(c, two, text) == first || message(c, one, text[1:]) == first {
		t.Error("found under another key")
	}
	if c.digest(1, text) == other.digest(1, text) {
		t.Error("two processes share a key")
	}
	if first, second := message(other, one, text), message(other, one, text); first == second {
		t.Error("kept although the size is 0")
	}
	twice := wire.Request{Messages: [][]byte{text, text[1:], text}}
	if p := other.prompt(one, twice, nil); len(p.Messages) != 3 || p.Messages[0] != p.Messages[2] || p.Messages[0] == p.Messages[1] {
		t.Errorf("%d messages, want 3, two of them scanned", len(p.Messages))
	}
	done := make(chan struct{})
	close(done)
	if p := c.prompt(one, twice, done); len(p.Messages) != 0 {
		t.Error("scanned for a caller that has gone")
	}
}
