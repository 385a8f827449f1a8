package detect

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/detect/internal/lane"
)

// TestLaneNames: the names are a contract.
func TestLaneNames(t *testing.T) {
	t.Parallel()
	var names []string
	for l := range lane.Hyphenated + 1 {
		names = append(names, l.String())
	}
	want := "plain despaced base64 base32 hex percent decimal binary rot13 reversed reversed-words mirrored leet hyphenated"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("%q", got)
	}
	for i, name := range names {
		if got, err := ParseLanes(name); err != nil || got != lane.LanesOf(Lane(i)) {
			t.Errorf("%s: %b, %v", name, got, err)
		}
	}
	if got, err := ParseLanes("hex", "hax", "leet"); err == nil || got != lane.LanesOf(lane.Hex, lane.Leet) {
		t.Errorf("with an unknown name: %b, %v", got, err)
	}
	if got := lane.Nest(lane.Base64, lane.Rot13).String(); got != "base64+rot13" {
		t.Errorf("%q", got)
	}
	if hex := lane.LanesOf(lane.Hex); AllLanes&lane.LanesOf(Plain) != 0 || AllLanes&lane.LanesOf(lane.Hyphenated) == 0 || hex == 0 || hex&lane.LanesOf(lane.Leet) != 0 {
		t.Error("the sets are wrong")
	}
}

// TestLaneSpans: a finding spans the code of its words and no more than the groups of
// characters in which the words begin and end.
func TestLaneSpans(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, shortRecord)
	code := hex.EncodeToString([]byte("Zebras, " + shortRecord + ". Zebras"))
	d := &Detector{}
	_, findings := readLanes(d, set, Config{Lanes: lane.LanesOf(lane.Hex)}, "so "+code+" end")
	if len(findings) != 1 {
		t.Fatalf("%d findings", len(findings))
	}
	f := findings[0]
	lo := int64(len("so ") + 2*len("Zebras, "))
	if f.Span.Lo != lo || f.Span.Hi != lo+2*int64(len(shortRecord)) || f.Lane != lane.Hex || f.Kind != Verbatim || f.Words != 13 {
		t.Errorf("%+v, want %d to %d", f, lo, lo+2*int64(len(shortRecord)))
	}
}

// TestLaneEcho: a text that the client sent in clear may come back in any lane.
func TestLaneEcho(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, shortRecord)
	p := &Prompt{Messages: []*Message{NewMessage(set, spec(10), []byte("encode this: "+shortRecord))}}
	d := &Detector{}
	for name, s := range spellings(shortRecord) {
		text := "Here: " + s + "\nThat is all."
		if got, findings := readLanes(d, set, Config{Lanes: AllLanes, Prompt: p}, text); got != text {
			t.Errorf("%s: %q, %d findings", name, got, len(findings))
		}
	}
}

// TestLanePark: a channel that is parked inside encoded text is decided up to there, and
// the text that goes on is withheld.
func TestLanePark(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, laneRecord)
	for name, s := range spellings(laneRecord) {
		d := &Detector{}
		half := len(s) / 2
		got, findings := readLanes(d, set, Config{Lanes: AllLanes}, "Here: "+s[:half], "|", s[half:]+"\nThat is all.")
		if len(findings) == 0 || !strings.Contains(got, "¤") || len(got) > len("Here: ¤\nThat is all.")+200 {
			t.Errorf("%s: %q, %d findings", name, got, len(findings))
		}
	}
}

// TestLaneDepth: text that was encoded three times is not read, and counted.
func TestLaneDepth(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, laneRecord)
	code := laneRecord
	for depth := 1; depth <= 3; depth++ {
		code = base64.StdEncoding.EncodeToString([]byte(code))
		d := &Detector{}
		_, findings := readLanes(d, set, Config{Lanes: AllLanes}, laneBefore+code+laneAfter)
		if found := len(findings) > 0; found != (depth <= 2) || (d.unscanned() > 0) != (depth == 3) {
			t.Errorf("depth %d: %d findings, %d unscanned", depth, len(findings), d.unscanned())
		}
	}
}

// TestLaneBudget: bytes that are not read because the budget is spent are counted, and the
// plain lane is read all the same.
func TestLaneBudget(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, laneRecord)
	long := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("words that nobody has ever indexed here, ", 200)))
	text := long + "\n" + base64.StdEncoding.EncodeToString([]byte(laneRecord)) + "\n" + laneRecord + " end"
	d := &Detector{}
	_, findings := readLanes(d, set, Config{Lanes: AllLanes}, text)
	if len(findings) != 2 || d.unscanned() != 0 {
		t.Fatalf("%d findings, %d unscanned", len(findings), d.unscanned())
	}
	_, findings = readLanes(d, set, Config{Lanes: AllLanes, LaneBudget: 5000}, text)
	if len(findings) != 1 || findings[0].Lane != Plain || d.unscanned() < int64(len(text))-5000 {
		t.Errorf("%d findings, %d unscanned of %d", len(findings), d.unscanned(), len(text))
	}
}

// TestLaneWork: for random bytes, lanes read no more than their budget allows, and no more
// than a few dozen bytes for each byte of the channel.
func TestLaneWork(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, laneRecord)
	r := rand.New(rand.NewPCG(1, 2))
	letters := make([]byte, 64<<10)
	for i := range letters {
		letters[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[r.IntN(64)]
	}
	var mixed strings.Builder
	all := spellings("Alternating texts that wake one lane after the other and let it sleep")
	for mixed.Len() < 64<<10 {
		for _, name := range []string{"rot13", "hex spaced", "mirrored", "base64+base64", "leet", "percent", "hyphenated", "decimal"} {
			mixed.WriteString(all[name] + "\n" + strings.Repeat(cleanText, r.IntN(2)))
		}
	}
	for name, text := range map[string]string{
		"letters of base64": string(letters), "alternating": mixed.String(),
		"hyphens": strings.Repeat("a-\n", 20<<10), "digits": strings.Repeat("11 ", 20<<10), "percent": strings.Repeat("%41", 20<<10),
		"one letter": strings.Repeat("q", 64<<10), "leet": strings.Repeat("1a", 32<<10), "empty lines": strings.Repeat("AAAAAAAAAAAAAAAAAAAA\n", 3<<10),
	} {
		d := New(set, spec(10), Config{Lanes: AllLanes})
		var segs []Segment
		for p := range slices.Chunk([]byte(text), 4096) {
			segs = d.Append(segs[:0], p)
		}
		d.Finish(segs[:0])
		if work, most := d.lanes.Load().Read, int64(40*len(text)); work > most {
			t.Errorf("%s: %d bytes read in lanes for %d", name, work, len(text))
		}
		if n := total(retained(d, set)); n > 4<<20 {
			t.Errorf("%s: %d bytes are kept", name, n)
		}
	}
}

// TestLanesQuiet: in clean text no lane finds anything, and nothing is allocated once the
// detector has been used.
func TestLanesQuiet(t *testing.T) {
	set := newPlainSet(10, laneRecord)
	d := New(set, spec(10), Config{Lanes: AllLanes})
	var segs []Segment
	text := []byte(strings.Repeat(cleanText, 10))
	read := func() {
		d.Reset(set, spec(10), Config{Lanes: AllLanes})
		for p := range slices.Chunk(text, 100) {
			segs = d.Append(segs[:0], p)
		}
		segs = d.Finish(segs[:0])
	}
	read()
	if n := testing.AllocsPerRun(5, read); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if d.lanes.Load().Read > int64(len(text)) {
		t.Errorf("%d bytes read in lanes of %d that are clean", d.lanes.Load().Read, len(text))
	}
}

// TestLaneWakes: each sign at which a lane wakes is counted, in whatever pieces the text comes.
func TestLaneWakes(t *testing.T) {
	t.Parallel()
	set := newWordSet(10, laneRecord)
	all := spellings(laneRecord)
	for name, want := range map[string]Lane{"base64": lane.Base64, "rot13": lane.Rot13, "percent": lane.Percent, "spaced letters": lane.Despaced} {
		s := all[name]
		if want == lane.Despaced {
			s = strings.Join(strings.Split(laneRecord, ""), " ")
		}
		text := cleanText + s + "\n" + cleanText
		var whole, single LaneMemory
		readLanes(&Detector{}, set, Config{Lanes: AllLanes, LaneMemory: &whole}, text)
		readLanes(&Detector{}, set, Config{Lanes: AllLanes, LaneMemory: &single}, strings.Split(text, "")...)
		if whole.Wakes[want] == 0 || whole.Wakes != single.Wakes {
			t.Errorf("%s: %v, byte by byte %v", name, whole.Wakes, single.Wakes)
		}
	}
	var m LaneMemory
	if readLanes(&Detector{}, set, Config{Lanes: AllLanes, LaneMemory: &m}, cleanText); m.Wakes != (LaneMemory{}).Wakes {
		t.Errorf("clean text: %v", m.Wakes)
	}
}

// FuzzLanes: for any text, the result does not depend on its pieces, the segments tile it,
// and a finding spans bytes of it.
func FuzzLanes(f *testing.F) {
	for _, s := range spellings(shortRecord) {
		f.Add([]byte("so: "+s+" end"), uint8(7))
	}
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		if len(text) > 4<<10 {
			return
		}
		text = bytes.ReplaceAll(text, []byte("|"), []byte("/")) // a piece "|" is a pause, see drive
		set := newPlainSet(10, shortRecord)
		d := &Detector{}
		cfg := Config{Lanes: AllLanes}
		want := laneOutcome(d, set, cfg, string(text))
		var pieces []string
		for p := range slices.Chunk(text, int(size)%32+1) {
			pieces = append(pieces, string(p))
		}
		if got := laneOutcome(d, set, cfg, pieces...); got != want {
			t.Fatalf("pieces of %d:\n%s\nwhole:\n%s", int(size)%32+1, got, want)
		}
		at := int64(0)
		d.Reset(set, spec(10), cfg)
		for _, s := range d.Finish(d.Append(nil, text)) {
			if s.Span.Lo != at || s.Span.Hi <= at {
				t.Fatalf("%v behind %d", s.Span, at)
			}
			at = s.Span.Hi
		}
		for _, found := range d.Closed(nil) {
			if found.Span.Lo < 0 || found.Span.Hi > int64(len(text)) || found.Span.Hi <= found.Span.Lo {
				t.Fatalf("%v of %d bytes", found.Span, len(text))
			}
		}
		if at != int64(len(text)) {
			t.Fatalf("%d of %d bytes", at, len(text))
		}
	})
}
