package decode

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
)

// probeAll returns the signs behind each character of a text.
func probeAll(text string) []Sign {
	var p Probe
	signs := make([]Sign, len(text))
	for i := range len(text) {
		signs[i] = p.Next(text[i])
	}
	return signs
}

// TestProbe: code of text gives its sign with the sixteenth character, wherever it begins,
// and no text gives none.
func TestProbe(t *testing.T) {
	t.Parallel()
	const english, russian = "the quick brown fox jumps", "съешь ещё этих булок"
	for _, text := range []string{english, russian} {
		for _, tt := range []struct {
			name, code string
			sign       Sign
		}{
			{"base64", base64.StdEncoding.EncodeToString([]byte(text)), SignBase64},
			{"base64 url", base64.RawURLEncoding.EncodeToString([]byte(text)), SignBase64},
			{"base32", base32.StdEncoding.EncodeToString([]byte(text)), SignBase32},
			{"base32 small", strings.ToLower(base32.StdEncoding.EncodeToString([]byte(text))), SignBase32},
			{"hex", hex.EncodeToString([]byte(text)), SignHex},
			{"hex large", strings.ToUpper(hex.EncodeToString([]byte(text))), SignHex},
			{"binary", eachCode("%08b", text), SignBinary},
		} {
			for _, before := range []string{"", "so: ", "iVBORw0KGgoAAAANSUhEUgAA/", "//////////////////=", "0000000000000000\n"} {
				signs := probeAll(before + tt.code)
				at := len(before) + ProbeBytes - 1
				if signs[at]&tt.sign == 0 {
					t.Errorf("%s of %q behind %q: no sign", tt.name, text, before)
				}
				at = min(len(signs)-1, len(before)+SureBytes-1)
				if tt.name == "base64" && signs[at].Sure()&tt.sign == 0 && signs[at-1].Sure()&tt.sign == 0 && signs[at-2].Sure()&tt.sign == 0 && signs[at-3].Sure()&tt.sign == 0 {
					t.Errorf("%s of %q behind %q: not sure", tt.name, text, before)
				}
			}
		}
	}
	for _, text := range []string{"iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4", strings.Repeat("A", 100), strings.Repeat("/", 100), "an internationalization of words", "1234567890"} {
		for i, s := range probeAll(text) {
			if s != 0 {
				t.Errorf("%q: sign %b at %d", text, s, i)
			}
		}
	}
}

// TestProbeAgrees: a probe gives the sign of base64 at the same characters at which the
// decoder begins to decode.
func TestProbeAgrees(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	raw := make([]byte, 300<<10)
	for i := range raw {
		raw[i] = byte(r.Uint32())
		if i%1000 < 30 {
			raw[i] = "etaoin shrdlu"[r.IntN(13)]
		}
	}
	code := base64.StdEncoding.EncodeToString(raw)
	d := NewBase64()
	d.Reset(0)
	var p Probe
	var out []Byte
	begun := 0
	for i := range len(code) {
		reads := d.(*radix).state == radixRead
		out = d.Append(out[:0], []byte{code[i]})
		sign := p.Next(code[i])&SignBase64 != 0
		if !reads && d.(*radix).state == radixRead {
			if begun++; !sign {
				t.Fatalf("the decoder begins at %d without a sign", i)
			}
		}
	}
	if begun < 300 {
		t.Errorf("the decoder began %d times", begun)
	}
}

// BenchmarkProbe reads a picture.
func BenchmarkProbe(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	raw := make([]byte, 48<<10)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	for name, code := range map[string]string{"base64": base64.StdEncoding.EncodeToString(raw), "hex": hex.EncodeToString(raw)} {
		b.Run(name, func(b *testing.B) {
			var p Probe
			b.SetBytes(int64(len(code)))
			for b.Loop() {
				for i := range len(code) {
					p.Next(code[i])
				}
			}
		})
	}
}
