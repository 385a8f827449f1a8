package govern

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// testSalt is 00 01 02 … 1f.
func testSalt() (salt []byte) {
	for i := range 32 {
		salt = append(salt, byte(i))
	}
	return salt
}

// TestCommitment has a value that Python's hmac made.
func TestCommitment(t *testing.T) {
	t.Parallel()
	const want = "22ffa2ccf985d26996604a9160c003ff881bc1176c7bd506fb599e4eebf1acaf"
	if got := Commitment(testSalt(), "gdpr", "erasure", "email", "ann@example.org"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, other := range [][4]string{
		{"ccpa", "erasure", "email", "ann@example.org"},
		{"gdpr", "objection", "email", "ann@example.org"},
		{"gdpr", "erasure", "name", "ann@example.org"},
		{"gdpr", "erasure", "email", "ann@example.or"},
		{"gdpr", "erasureemail", "", "ann@example.org"},
	} {
		if Commitment(testSalt(), other[0], other[1], other[2], other[3]) == want {
			t.Errorf("%v has the same commitment", other)
		}
	}
}

// sign is a signature for tests: the text itself, backwards.
func sign(text []byte) ([]byte, error) {
	sig := bytes.Clone(text)
	slices.Reverse(sig)
	return sig, nil
}

func verify(text, sig []byte) bool {
	want, _ := sign(text)
	return bytes.Equal(sig, want)
}

func testReceipt() *Receipt {
	return &Receipt{
		Request: "01JD0000000000000000000000", Law: "gdpr", Kind: "erasure", Received: "2026-11-02", Purged: time.Unix(0, 0).UTC(),
		Salt: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", Commitments: []string{"22ffa2ccf985d26996604a9160c003ff881bc1176c7bd506fb599e4eebf1acaf"},
		Checks: []Check{{"P1", "no row", Shown, "none"}}, NotShown: []string{"paraphrases"},
	}
}

// TestReceiptSeal seals a receipt, opens it, and changes each byte.
func TestReceiptSeal(t *testing.T) {
	t.Parallel()
	text, err := testReceipt().Seal("k", sign)
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenReceipt(text, verify)
	if err != nil || !r.Has("email", "ann@example.org") || r.Has("email", "bo@example.org") {
		t.Fatal(r, err)
	}
	var e Envelope
	if got := string(e.pae()); got != "DSSEv1 0  0 " {
		t.Errorf("%q", got)
	}
	e = Envelope{Payload: []byte("hello world"), PayloadType: "http://example.com/HelloWorld"} // the example of DSSE's protocol.md
	if got := string(e.pae()); got != "DSSEv1 29 http://example.com/HelloWorld 11 hello world" {
		t.Errorf("%q", got)
	}
	payload := bytes.Index(text, []byte(`"payload":"`)) + len(`"payload":"`)
	for i := payload; text[i] != '"'; i++ {
		changed := bytes.Clone(text)
		changed[i] = "AB"[map[bool]int{true: 1}[changed[i] == 'A']]
		if _, err := OpenReceipt(changed, verify); err == nil {
			t.Fatalf("byte %d can be changed", i)
		} else if !errors.Is(err, ErrReceipt) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}

// FuzzReceipt opens receipts of which every signature is right. Nothing may panic.
func FuzzReceipt(f *testing.F) {
	text, err := testReceipt().Seal("k", sign)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := OpenReceipt(text, func(_, _ []byte) bool { return true })
		if err == nil {
			r.Has("email", "ann@example.org")
		}
	})
}

// TestClosedRequest wants nothing of the person in a request that is closed, and no receipt before.
func TestClosedRequest(t *testing.T) {
	t.Parallel()
	l, err := OpenLedger(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r, err := New("01JD0000000000000000000000", "gdpr", "erasure", "2026-11-02", "", time.Unix(1_800_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	r.Query, r.Excluded, r.Purge = []byte(`{"email":"ann@example.org"}`), []byte(`{"rows":["5a0f"]}`), &Purge{Salt: testSalt()}
	r.Suppressed("/s/ann.nidx")
	if err := r.Close(time.Unix(1_800_000_000, 0)); err == nil {
		t.Error("a request was closed that is not purged")
	}
	r.State = Purged
	if err := r.Close(time.Unix(1_800_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(r); err != nil {
		t.Fatal(err)
	}
	again, err := l.Read(r.ID)
	if err != nil || again.State != Closed {
		t.Fatal(again, err)
	}
	for _, gone := range []string{"ann", "5a0f", "salt"} {
		if strings.Contains(string(again.before), gone) {
			t.Errorf("the ledger still has %q", gone)
		}
	}
}
