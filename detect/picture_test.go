package detect

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// laneWork returns the work for a text: its bytes, look-ups, bytes that lanes read, letters of which
// they formed words, and pieces.
func laneWork(set *countedSet, text string) int64 {
	set.n = 0
	d := New(set, spec(10), Config{Lanes: AllLanes})
	var segs []Segment
	for p := range slices.Chunk([]byte(text), 4<<10) {
		segs = d.Append(segs[:0], p)
	}
	d.Finish(segs[:0])
	load := d.lanes.Load()
	return int64(len(text)) + set.n + load.Read + load.Formed + load.Pieces
}

// noiseBytes are n bytes without any order.
func noiseBytes(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	return raw
}

// brokenLines breaks a text into lines of n bytes.
func brokenLines(s string, n int) string {
	var b strings.Builder
	for ; len(s) > n; s = s[n:] {
		b.WriteString(s[:n] + "\n")
	}
	return b.String() + s
}

// pictures are bytes that are no text, n of them, written in the ways that answers have.
func pictures(raw []byte) map[string]string {
	std := base64.StdEncoding.EncodeToString(raw)
	return map[string]string{
		"data URL":     "![a chart](data:image/png;base64," + std + ")",
		"base64":       std,
		"base64 URL":   base64.RawURLEncoding.EncodeToString(raw),
		"lines of 76":  brokenLines(std, 76),
		"lines of 64":  "-----BEGIN CERTIFICATE-----\n" + brokenLines(std, 64),
		"base32":       base32.StdEncoding.EncodeToString(raw),
		"hex":          hex.EncodeToString(raw),
		"large hex":    strings.ToUpper(hex.EncodeToString(raw)),
		"lines of hex": brokenLines(hex.EncodeToString(raw), 64),
	}
}

// TestPictureWork: a picture costs the lanes about as much as plain text of the same length.
func TestPictureWork(t *testing.T) {
	t.Parallel()
	const size = 256 << 10
	set := &countedSet{Index: newWordSet(10, record, laneRecord)}
	plain := laneWork(set, strings.Repeat(cleanText, size/len(cleanText)))
	raws := map[string][]byte{
		"noise": noiseBytes(size), "zeros": make([]byte, size), "white": bytes.Repeat([]byte{0xff}, size),
		"gray": bytes.Repeat([]byte{0x80}, size), "one colour": bytes.Repeat([]byte{0x1f, 0x8b, 0x42}, size/3),
		"one colour and alpha": bytes.Repeat([]byte{0x12, 0xd4, 0x7a, 0xff}, size/4), "steps": make([]byte, size),
	}
	for i := range raws["steps"] {
		raws["steps"][i] = byte(i >> 4)
	}
	for of, raw := range raws {
		most := plain * 3 / 2
		if of == "steps" {
			most = plain * 4 // a third of its bytes are ASCII
		}
		for name, text := range pictures(raw) {
			text = text[:size]
			if work := laneWork(set, text); work > most {
				t.Errorf("%s of %s: %.2f times the work for plain text", name, of, float64(work)/float64(plain))
			}
		}
	}
}

// TestWorkGrows: four times the text is four times the work, for text of which words are read
// in a row, for text that ends such a row again and again, and for both in turn.
func TestWorkGrows(t *testing.T) {
	t.Parallel()
	set := &countedSet{Index: newWordSet(10, record, laneRecord)}
	words := strings.Fields(record)
	for name, s := range map[string]string{
		"clean": cleanText, "indexed": record + " and so on ", "nearly indexed": strings.Join(words[:6], " ") + " or " + strings.Join(words[6:12], " ") + ". ",
		"short words": "I am so in it as he is to us ", "long tokens": "well-known-or-not.quite.so.known ", "long words": "incomprehensibilities notwithstanding ",
		"doubts": "Zbqryf siht 12, 17 m4ny responsibilities! ", "letters": "o f t e n ", "noise": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ ",
		"in turn": cleanText + "aGVsbG8gd29ybGQhIGhlbGxv m4ny thatisall " + record + " ",
	} {
		text := strings.Repeat(s, 1+(64<<10)/len(s))
		one, four := laneWork(set, text), laneWork(set, text+text+text+text)
		if four > 4*one+one/10 {
			t.Errorf("%s: work of %d for %d bytes, of %d for four times as many", name, one, len(text), four)
		}
	}
}

// TestPictureStays: no bytes of a picture are withheld, also if they are all the same.
func TestPictureStays(t *testing.T) {
	t.Parallel()
	set := newWordSet(10, record, laneRecord)
	check := func(name string, text string) {
		for _, release := range []Release{Adaptive, Strict} {
			d := New(set, spec(10), Config{Lanes: AllLanes, Release: release})
			if got, findings := drive(d, text); len(findings) > 0 || got != text {
				t.Errorf("%s, %v: %d findings, the first %v in lane %v", name, release, len(findings), findings[0].Kind, findings[0].Lane)
			}
		}
	}
	for b := range 256 {
		raw := bytes.Repeat([]byte{byte(b)}, 18<<10)
		check("base64 of "+hex.EncodeToString(raw[:1]), "data:image/bmp;base64,"+base64.StdEncoding.EncodeToString(raw))
		if b%8 == 4 {
			check("hex of "+hex.EncodeToString(raw[:1]), hex.EncodeToString(raw))
		}
	}
	for _, c := range "/+-_=A9.#\\" {
		check("signs "+string(c), "data:image/bmp;base64,"+strings.Repeat(string(c), 192<<10))
	}
	for name, text := range pictures(noiseBytes(96 << 10)) {
		check(name, "Here: "+text+"\nThat is the picture.")
	}
}

// TestTextInPicture: text in code is found, also in a data URL and in the middle of bytes
// that are no text, and text behind a picture is found in every lane.
func TestTextInPicture(t *testing.T) {
	t.Parallel()
	set := newWordSet(10, laneRecord)
	noise := noiseBytes(20 << 10)
	tests := map[string]string{
		"data URL of text":          "data:text/plain;base64," + base64.StdEncoding.EncodeToString([]byte(laneRecord)),
		"data URL with a charset":   "![x](data:text/plain;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte(laneRecord)) + ")",
		"data URL of percent codes": "data:text/plain," + url.PathEscape(laneRecord),
		"data URL of text, twice":   "data:text/plain;base64," + base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(laneRecord)))),
	}
	for shift := range 3 {
		raw := slices.Concat(noise[:len(noise)-shift], []byte("\x00tEXtComment\x00"+laneRecord+"\x00"), noise)
		for name, text := range pictures(raw) {
			tests[name+" around text "+string(rune('0'+shift))] = text
		}
	}
	for name, text := range spellings(laneRecord) {
		tests[name+" behind a picture"] = "data:image/png;base64," + base64.StdEncoding.EncodeToString(noise) + " That was it. Here is the text: " + text
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, name := range slices.Sorted(maps.Keys(letterGaps)) {
		tests["letters "+name+" behind a picture"] = base64.StdEncoding.EncodeToString(noise) + "\nThat was it. Here is the text: " + letterGaps[name](r, strings.Fields(laneRecord))
	}
	for name, text := range tests {
		d := New(set, spec(10), Config{Lanes: AllLanes})
		_, findings := drive(d, text)
		words := 0
		for _, f := range findings {
			words += f.Words
		}
		if words < len(strings.Fields(laneRecord))-2 {
			t.Errorf("%s: %d words in %d findings", name, words, len(findings))
		}
		want := laneOutcome(d, set, Config{Lanes: AllLanes}, text)
		for _, size := range []int{1, 13, 700} {
			var pieces []string
			for p := range slices.Chunk([]byte(text), size) {
				pieces = append(pieces, string(p))
			}
			if got := laneOutcome(d, set, Config{Lanes: AllLanes}, pieces...); got != want {
				t.Errorf("%s: in pieces of %d\n%.2000s\nwhole\n%.2000s", name, size, got[max(0, len(got)-2000):], want[max(0, len(want)-2000):])
			}
		}
	}
}
