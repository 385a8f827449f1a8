package key

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// secretText is the key file of the secret 00 01 … 1f.
const secretText = "# a comment\n\n000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\r\n"

func parsed(t testing.TB, text string) *Key {
	t.Helper()
	k, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The vector of 8 bytes is that of the reference implementation of SipHash-2-4.
func TestSipHash(t *testing.T) {
	t.Parallel()
	if got := (half{0x0706050403020100, 0x0f0e0d0c0b0a0908}).hash(0x0706050403020100); got != 0x93f5f5799a932462 {
		t.Errorf("got %#x", got)
	}
}

// The values were computed by a Python program of HKDF and SipHash.
func TestKey(t *testing.T) {
	t.Parallel()
	k := parsed(t, secretText)
	if got := fmt.Sprintf("%x", k.ID()); got != "c83b3cc78abf45fe5cc11c2e015eff9c" {
		t.Errorf("id %s", got)
	}
	const lo = 0x0123456789abcdef
	if got := [2]uint64{k.Hi(1, lo), k.Lo(lo)}; got != ([2]uint64{0x9e73cb8852aa06d9, 0x214ac425d72ef19}) {
		t.Errorf("hash %x", got)
	}
	if got := hex.EncodeToString(k.Digest([]byte("digest"))); got != "3dd12ae4b15cd640a5b3c42cdd98bf7df8be2b7e59dd4a35c11a8d8055e8c21b" {
		t.Errorf("digest %s", got)
	}
	los := []uint64{lo, 7}
	if k.Los(los); los[0] != k.Lo(lo) || los[1] != k.Lo(7) {
		t.Errorf("%x", los)
	}
}

func TestNoKey(t *testing.T) {
	t.Parallel()
	var k *Key
	los := []uint64{2}
	k.Los(los)
	if k.Hi(1, 2) != 1 || k.Lo(2) != 2 || los[0] != 2 || k.ID() != ([IDLen]byte{}) || string(k.Digest([]byte("d"))) != "d" || fmt.Sprint(k) != "no key" {
		t.Error("no key changes a hash")
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	seen := map[[IDLen]byte]bool{}
	for range 3 {
		text, err := Generate()
		if err != nil {
			t.Fatal(err)
		}
		k := parsed(t, string(text))
		if id := k.ID(); seen[id] || !strings.Contains(string(text), hex.EncodeToString(id[:])) {
			t.Errorf("key %q", text)
		}
		seen[k.ID()] = true
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# only\n", "secret", "00", secretText + "00", "zz" + secretText[14:], strings.Repeat("ab", 33), strings.Repeat("ab", 31)} {
		if k, err := Parse([]byte(text)); err == nil || k != nil || len(text) > 4 && strings.Contains(err.Error(), text[:5]) {
			t.Errorf("%q: %v, %v", text, k, err)
		}
	}
}

// A key that is printed or logged shows its id only.
func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	k := parsed(t, secretText)
	var out bytes.Buffer
	type holder struct {
		K *Key
		L []*Key
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		for _, value := range []any{k, []*Key{k}, holder{k, []*Key{k}}} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("key", "key", k)
	slog.New(slog.NewTextHandler(&out, nil)).Info("key", "key", k)
	if err := json.NewEncoder(&out).Encode(holder{K: k}); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []uint64{k.lo.k0, k.lo.k1, k.hi.k0, k.hi.k1} {
		for _, form := range []string{"%d", "%x"} {
			if strings.Contains(out.String(), fmt.Sprintf(form, secret)) {
				t.Errorf("%s", out.String())
			}
		}
	}
	if fmt.Sprint(k) != "key c83b3cc78abf45fe5cc11c2e015eff9c" {
		t.Errorf("%v", k)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	a, b := parsed(t, secretText), parsed(t, strings.Repeat("00", secretLen))
	if k, err := Find([]*Key{a, nil, b}, b.ID()); k != b || err != nil {
		t.Errorf("%v, %v", k, err)
	}
	if k, err := Find(nil, [IDLen]byte{}); k != nil || err != nil {
		t.Errorf("%v, %v", k, err)
	}
	_, err := Find([]*Key{a}, b.ID())
	if missing, ok := errors.AsType[*MissingError](err); !ok || missing.ID != b.ID() || !strings.Contains(err.Error(), hex.EncodeToString(missing.ID[:])) {
		t.Error(err)
	}
}

func TestKeyAllocatesNothing(t *testing.T) {
	k := parsed(t, secretText)
	los := make([]uint64, 100)
	if n := testing.AllocsPerRun(10, func() {
		k.Los(los)
		los[0] = k.Hi(los[1], los[2])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLo(b *testing.B) {
	k, x := parsed(b, secretText), uint64(0)
	b.ReportAllocs()
	for range b.N {
		x = k.Lo(x)
	}
	_ = x
}
