package decode

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// decoders are all decoders.
func decoders() map[string]Decoder {
	return map[string]Decoder{
		"base64": NewBase64(), "base32": NewBase32(), "hex": NewHex(), "binary": NewBinary(), "decimal": NewDecimal(),
		"percent": NewPercent(), "rot13": NewRot13(), "mirrored": NewMirrored(), "turned": NewTurned(),
		"leet": NewLeet(), "hyphenated": NewHyphenated(),
	}
}

// all decodes a text in pieces and checks the ranges.
func all(t *testing.T, d Decoder, pieces ...string) []Byte {
	t.Helper()
	const at = 1000
	d.Reset(at)
	var out []Byte
	read := int64(at)
	low := int64(at)
	for _, p := range pieces {
		out = d.Append(out, []byte(p))
		read += int64(len(p))
		f := d.Frontier()
		if f > read || f < low {
			t.Fatalf("frontier %d behind %d bytes, it was %d", f, read, low)
		}
		low = f
		if n := len(out); n > 0 && out[n-1].Hi > read {
			t.Fatalf("a byte up to %d out of %d", out[n-1].Hi, read)
		}
	}
	out = d.Finish(out)
	last := int64(at)
	for i, b := range out {
		if b.Lo > b.Hi || b.Lo < last || b.Hi > read {
			t.Fatalf("byte %d stands at %d to %d behind one at %d, of %d", i, b.Lo, b.Hi, last, read)
		}
		last = b.Lo
	}
	return out
}

func values(out []Byte) string {
	var b strings.Builder
	for _, c := range out {
		b.WriteByte(c.Value)
	}
	return b.String()
}

const sentence = "Café 21: the \"quick\" brown fox - naïve, isn't it? 日本語も。"

// eachCode writes every byte of a text in a format.
func eachCode(format, s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

// TestDecode: text that encoders of the standard library wrote is decoded between other
// text, and the ranges of its bytes are those of the code.
func TestDecode(t *testing.T) {
	t.Parallel()
	std := base64.StdEncoding.EncodeToString([]byte(sentence))
	tests := []struct {
		name, decoder, code string
	}{
		{"standard", "base64", std},
		{"unpadded", "base64", base64.RawStdEncoding.EncodeToString([]byte(sentence))},
		{"url", "base64", base64.RawURLEncoding.EncodeToString([]byte(sentence))},
		{"lines of 20", "base64", brokenLines(std, 20)},
		{"lines of 76 and carriage returns", "base64", strings.ReplaceAll(brokenLines(std, 76), "\n", "\r\n")},
		{"standard", "base32", base32.StdEncoding.EncodeToString([]byte(sentence))},
		{"small and unpadded", "base32", strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(sentence)))},
		{"plain", "hex", hex.EncodeToString([]byte(sentence))},
		{"large", "hex", strings.ToUpper(hex.EncodeToString([]byte(sentence)))},
		{"spaced", "hex", strings.TrimSpace(eachCode("%02x ", sentence))},
		{"0x", "hex", strings.TrimSuffix(eachCode("0x%02x, ", sentence), ", ")},
		{`\x`, "hex", eachCode(`\x%02X`, sentence)},
		{"spaced", "binary", strings.TrimSpace(eachCode("%08b ", sentence))},
		{"plain", "binary", eachCode("%08b", sentence)},
		{"spaced", "decimal", strings.TrimSpace(eachCode("%d ", sentence))},
		{"commas", "decimal", strings.TrimSuffix(eachCode("%d, ", sentence), ", ")},
	}
	for _, tt := range tests {
		for _, around := range [][2]string{{"", ""}, {"so: ", ". And on."}, {"so:\n", "\nand on it goes"}} {
			text := around[0] + tt.code + around[1]
			out := all(t, decoders()[tt.decoder], text)
			i := strings.Index(values(out), sentence)
			if i < 0 {
				t.Errorf("%s %s: %q in %q", tt.decoder, tt.name, values(out), around)
				continue
			}
			lo, hi := out[i].Lo-1000, out[i+len(sentence)-1].Hi-1000
			if want := int64(len(around[0])); lo < want || lo > want+2 || hi != want+int64(len(tt.code)) {
				t.Errorf("%s %s: stands at %d to %d, want %d to %d", tt.decoder, tt.name, lo, hi, want, want+int64(len(tt.code)))
			}
		}
	}
}

// brokenLines breaks a text into lines.
func brokenLines(s string, n int) string {
	var b strings.Builder
	for len(s) > n {
		b.WriteString(s[:n] + "\n")
		s = s[n:]
	}
	return b.String() + s
}

// TestDecodeAsItStands: some decoders return text that is not encoded as it is.
func TestDecodeAsItStands(t *testing.T) {
	t.Parallel()
	tests := []struct{ decoder, text, want string }{
		{"percent", "100 % of%20it%2c 5%zz %4", "100 % of it, 5%zz %4"},
		{"percent", url.QueryEscape(sentence), sentence},
		{"rot13", "Uryyb, jbeyq 13!", "Hello, world 13!"},
		{"mirrored", "ehT (nwonk-llew) xof", "The )well-known( fox"},
		{"turned", "xof nworb éfac t'nsi", "fox brown café isn't"},
		{"turned", "nwonk-llew", "known-well"},
		{"leet", "7h3 l33t w0rd5 st4y, 2698 p@$$word!", "the leet words stay, 2698 password!"},
		{"leet", "plain words only", "plain words only"},
		{"hyphenated", "an exam-\nple, a well-known case -\nand a dash-\r\n  ed one, end-", "an example, a well-known case -\nand a dashed one, end-"},
		{"decimal", "72 101 108 108 111 or 233 and 195, 169.", "Hello,é,é,"},
		{"decimal", "a12 b 1234567890", ""},
	}
	for _, tt := range tests {
		if got := values(all(t, decoders()[tt.decoder], tt.text)); got != tt.want {
			t.Errorf("%s of %q: %q, want %q", tt.decoder, tt.text, got, tt.want)
		}
	}
}

// TestLeetChoice: Choose gets the readings of a word.
func TestLeetChoice(t *testing.T) {
	t.Parallel()
	d := NewLeet()
	var seen []string
	d.Choose = func(readings [][]byte) int {
		for _, r := range readings {
			seen = append(seen, string(r))
		}
		return len(readings) - 1
	}
	if got := values(all(t, d, "w0r1d us3r@x plain")); got != "w0r1d us3r@x plain" {
		t.Errorf("%q", got)
	}
	want := []string{"worid", "world", "worid", "w0r1d", "userax", "user@x", "us3r@x"}
	if !slices.Equal(seen, want) {
		t.Errorf("%q, want %q", seen, want)
	}
}

// TestSplits: the result of no decoder depends on the cut.
func TestSplits(t *testing.T) {
	t.Parallel()
	text := "Before: " + base64.StdEncoding.EncodeToString([]byte(sentence)) + "\n" + hex.EncodeToString([]byte("hello there all")) +
		" 72 101 108 195 169 01001000 01101001 01001000 01101001 %41%42 w0r1d exam-\nple don't " + sentence
	for name, d := range decoders() {
		want := all(t, d, text)
		for i := range len(text) + 1 {
			if got := all(t, d, text[:i], text[i:]); !slices.Equal(got, want) {
				t.Fatalf("%s: cut at %d: %q, want %q", name, i, values(got), values(want))
			}
		}
	}
}

// FuzzDecode: any bytes decode to the same in any pieces, with ranges in order, and to at
// most 4 bytes for each.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(sentence), uint8(3))
	f.Add([]byte(base64.StdEncoding.EncodeToString([]byte(sentence))+"=\n=="), uint8(1))
	f.Add([]byte("0x48 \\x65 195 300 1114112 -\n%4%41 @$!1"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		n := int(size)%16 + 1
		var pieces []string
		for p := range slices.Chunk(text, n) {
			pieces = append(pieces, string(p))
		}
		for name, d := range decoders() {
			whole := all(t, d, string(text))
			if got := all(t, d, pieces...); !slices.Equal(got, whole) {
				t.Fatalf("%s: pieces of %d: %q, want %q", name, n, values(got), values(whole))
			}
			if len(whole) > 4*len(text)+1 {
				t.Fatalf("%s: %d bytes of %d", name, len(whole), len(text))
			}
		}
	})
}

// TestNoAllocation: a decoder allocates nothing but to grow dst.
func TestNoAllocation(t *testing.T) {
	text := []byte(strings.Repeat(base64.StdEncoding.EncodeToString([]byte(sentence))+" 72 101 w0rd exam-\nple %41 ", 4))
	for name, d := range decoders() {
		out := make([]Byte, 0, 4*len(text))
		if n := testing.AllocsPerRun(10, func() {
			d.Reset(0)
			out = d.Finish(d.Append(out[:0], text))
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
