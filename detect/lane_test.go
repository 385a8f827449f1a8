package detect

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

// laneRecord is forty words of ordinary English.
const laneRecord = "The committee agreed that every report should state where the money came from, who had " +
	"approved it, and when the next payment was due; nobody could remember who first asked for this, but the " +
	"habit was older than the building"

const (
	laneBefore = "Here is what you wanted to see, as well as I can give it: "
	laneAfter  = "\nThat is the whole of it, and there is nothing more that I would add to this answer now."
)

// spellings returns a record in every lane.
func spellings(record string) map[string]string {
	each := func(format string) string {
		var b strings.Builder
		for i := range len(record) {
			fmt.Fprintf(&b, format, record[i])
		}
		return strings.TrimSpace(b.String())
	}
	lines := func(s string, n int) string {
		var b strings.Builder
		for len(s) > n {
			b.WriteString(s[:n] + "\n")
			s = s[n:]
		}
		return b.String() + s
	}
	turn := func(s string) string {
		r := []rune(s)
		slices.Reverse(r)
		return string(r)
	}
	words := strings.Fields(record)
	turnedWords := make([]string, len(words))
	for i, w := range words {
		turnedWords[i] = turn(w)
	}
	backward := slices.Clone(words)
	slices.Reverse(backward)
	moved := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return 'a' + (r-'a'+13)%26
		case r >= 'A' && r <= 'Z':
			return 'A' + (r-'A'+13)%26
		}
		return r
	}, record)
	std := base64.StdEncoding.EncodeToString([]byte(record))
	var hyphens strings.Builder
	for i, w := range words {
		if i%3 == 1 && len(w) > 3 {
			w = w[:2] + "-\n" + w[2:]
		}
		hyphens.WriteString(w + " ")
	}
	return map[string]string{
		"base64":         std,
		"base64 url":     base64.RawURLEncoding.EncodeToString([]byte(record)),
		"base64 lines":   lines(std, 76),
		"base64+base64":  base64.StdEncoding.EncodeToString([]byte(std)),
		"base32":         base32.StdEncoding.EncodeToString([]byte(record)),
		"hex":            hex.EncodeToString([]byte(record)),
		"hex spaced":     each("%02x "),
		"hex 0x":         each("0x%02X, "),
		`hex \x`:         each(`\x%02x`),
		"percent":        each("%%%02X"),
		"percent url":    url.QueryEscape(record),
		"decimal":        each("%d "),
		"decimal commas": each("%d, "),
		"binary":         each("%08b "),
		"rot13":          moved,
		"reversed":       turn(record),
		"reversed-words": strings.Join(backward, " "),
		"mirrored":       strings.Join(turnedWords, " "),
		"leet":           strings.NewReplacer("a", "4", "e", "3", "i", "1", "o", "0", "s", "5", "t", "7").Replace(record),
		"hyphenated":     hyphens.String(),
		"base64+rot13":   base64.StdEncoding.EncodeToString([]byte(moved)),
		"hex+reversed":   hex.EncodeToString([]byte(turn(record))),
	}
}

// readLanes reads a text in pieces and returns the released bytes, with a mark for each
// span that is withheld, and the findings.
func readLanes(d *Detector, set Index, cfg Config, pieces ...string) (string, []*Finding) {
	d.Reset(set, spec(10), cfg)
	return drive(d, pieces...)
}

// TestLanesFind: a recitation in any lane is withheld from its first letter to its last,
// and the finding names the lane.
func TestLanesFind(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, laneRecord)
	for name, s := range spellings(laneRecord) {
		d := &Detector{}
		got, findings := readLanes(d, set, Config{Lanes: AllLanes}, laneBefore+s+laneAfter)
		left, ok := strings.CutPrefix(got, laneBefore)
		if !ok {
			t.Errorf("%s: %q", name, got)
			continue
		}
		left, ok = strings.CutSuffix(left, laneAfter)
		if left = strings.ReplaceAll(left, "¤", ""); !ok || !slices.Contains([]string{"", " ", ",", "%2C+", "0x,", `\x`}, left) {
			t.Errorf("%s: %q leaves", name, got)
		}
		lane, _, _ := strings.Cut(name, " ")
		found := false
		for _, f := range findings {
			found = found || f.Lane.String() == lane
			if f.Lane.String() != lane && lane != "percent" && lane != "hyphenated" {
				t.Errorf("%s: also found in lane %s", name, f.Lane)
			}
		}
		if !found {
			t.Errorf("%s: not found in its lane", name)
		}
		if got, findings = readLanes(d, set, Config{}, laneBefore+s+laneAfter); len(findings) > 0 && name != "percent url" && name != "hyphenated" {
			t.Errorf("%s: without lanes %q", name, got)
		}
	}
}

// TestPlainOnce: text in the plain lane is found once, also if no white space divides its
// words.
func TestPlainOnce(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	for name, text := range map[string]string{
		"as it stands": record,
		"entities":     strings.ReplaceAll(record, " ", "&#32;"),
		"escapes":      strings.ReplaceAll(record, " ", `\u0020`),
		"underscores":  strings.ReplaceAll(record, " ", "_"),
	} {
		d := New(set, spec(10), Config{Lanes: AllLanes})
		got, findings := drive(d, "So: "+text+" it is.")
		if len(findings) != 1 || findings[0].Lane != Plain || got != "So: ¤ it is." {
			t.Errorf("%s: %q", name, got)
			for _, f := range findings {
				t.Logf("  %v %v %v %d words", f.Kind, f.Lane, f.Span, f.Words)
			}
		}
	}
}
