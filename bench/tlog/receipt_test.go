package tlog

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"google.golang.org/protobuf/encoding/protojson"
)

// logKey is the public key of a log, for signatures over envelopes.
type logKey struct {
	id  string
	key ed25519.PublicKey
}

func newLogKey(t *testing.T, vkey string) *logKey {
	t.Helper()
	parts := strings.SplitN(vkey, "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		t.Fatal(vkey, err)
	}
	return &logKey{parts[0] + "+" + parts[1], raw[1:]}
}

// Verify implements [dsse.Verifier].
func (k *logKey) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(k.key, data, sig) {
		return errors.New("wrong signature")
	}
	return nil
}

// KeyID implements [dsse.Verifier].
func (k *logKey) KeyID() (string, error) { return k.id, nil }

// Public implements [dsse.Verifier].
func (k *logKey) Public() crypto.PublicKey { return k.key }

// newReceipt erases somebody, and returns the log and the receipt.
func newReceipt(t *testing.T) (dir, vkey, receipt string) {
	t.Helper()
	dir, vkey = newLog(t, 3)
	path := func(name string) string { return filepath.Join(filepath.Dir(dir), name) }
	var all, kept strings.Builder
	for i := range 20 {
		fmt.Fprintf(&kept, `{"text":"row %d has words of its own: a%d b%d c%d d%d e%d f%d g%d h%d"}`+"\n", i, i, i, i, i, i, i, i, i)
	}
	fmt.Fprint(&all, kept.String(), `{"text":"ann@example.org lives by the sea and likes to walk there with her two dogs"}`+"\n")
	for name, text := range map[string]string{"train.jsonl": all.String(), "next.jsonl": kept.String(), "query.json": `{"email":"ann@example.org"}`} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old, next := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	ledger := []string{"--ledger", path("ledger"), "--audit", dir}
	inventory := func(name string) []string { return []string{"--inventory", path(name), "--key", path("inventory.key")} }
	build := func(name string, flags ...string) []string {
		return append([]string{"index", "build", path(name + ".jsonl"), "--audit", dir, "--out", path(name + ".nidx"), "--inventory", path(name + ".ninv"), "--inventory-key", path("inventory.key")}, flags...)
	}
	must(t, "index", "newkey", path("inventory.key"))
	must(t, build("train")...)
	must(t, "audit", "append", dir, "deploy", "--digest", "model="+old)
	out := must(t, append(append([]string{"erase", "open", "--law", "gdpr", "--received", "2026-11-02", "--json", "--query", path("query.json")}, ledger...), inventory("train.ninv")...)...)
	var opened []struct{ ID string }
	if err := json.Unmarshal([]byte(out[strings.IndexByte(out, '['):]), &opened); err != nil {
		t.Fatal(err)
	}
	request := opened[0].ID
	must(t, append(append([]string{"erase", "suppress", request, "--out", path("suppress.nidx"), "--corpus", path("train.jsonl")}, ledger...), inventory("train.ninv")...)...)
	must(t, append(append([]string{"erase", "exclude", request, "--out", path("erased.list")}, ledger...), inventory("train.ninv")...)...)
	must(t, build("next", "--exclude", path("erased.list"))...)
	must(t, "audit", "append", dir, "retire", "--digest", "model="+old)
	if err := os.Remove(path("suppress.nidx")); err != nil {
		t.Fatal(err)
	}
	must(t, append([]string{"erase", "purge", request, "--ledger", path("ledger"), "--log", dir, "--index", path("next.nidx"), "--model", next, "--suppress", path("suppress.nidx")}, inventory("next.ninv")...)...)
	must(t, "erase", "receipt", request, "--ledger", path("ledger"), "--log", dir, "--out", path("receipt.json"))
	return dir, vkey, path("receipt.json")
}

// TestReceipt verifies the receipt of a request with the libraries of DSSE and in-toto, and the
// log that it is in with Tessera.
func TestReceipt(t *testing.T) {
	t.Parallel()
	dir, vkey, path := newReceipt(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var e dsse.Envelope
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	key := newLogKey(t, vkey)
	v, err := dsse.NewEnvelopeVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := v.Verify(context.Background(), &e)
	if err != nil || len(accepted) != 1 || accepted[0].KeyID != key.id {
		t.Fatalf("dsse accepts %v, %v", accepted, err)
	}
	payload, err := e.DecodeB64Payload()
	if err != nil {
		t.Fatal(err)
	}
	s := new(intoto.Statement)
	if err := protojson.Unmarshal(payload, s); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	if len(s.GetSubject()) != 1 || strings.Contains(string(payload), "ann@") {
		t.Errorf("statement %s", payload)
	}
	if err := check(t, dir, vkey); err != nil {
		t.Errorf("fsck: %v", err)
	}
	e.Payload = base64.StdEncoding.EncodeToString(append(payload, ' '))
	if _, err := v.Verify(context.Background(), &e); err == nil {
		t.Error("dsse accepts a changed receipt")
	}
}
