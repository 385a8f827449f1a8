package detect

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"noecho/internal/residue"
)

// TestForget: a detector that forgets keeps nothing of its channel and of the prompt: neither
// bytes nor hashes of words, messages or findings. Every value that it leads to is looked at.
func TestForget(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record, laneRecord)
	secret := "quebec"
	prompt := "what follows " + strings.Repeat(secret+" ", 3) + strings.Join(strings.Fields(record)[:8], " ")
	words := map[uint64]bool{}
	for _, w := range wordsOf(prompt + " " + record + " " + laneRecord + " " + cleanText) {
		words[w.Hash] = true
	}
	answers := []string{
		record + " and then", cleanText, spaced(record), strings.Repeat(secret+" ", 200), strings.Join(strings.Fields(record)[8:], " ") + " x",
		laneRecord + ".", "d2hhdCBmb2xsb3dzIGlzIGEgcXVlYmVjIGFuZCBhIHF1ZWJlYyBhbmQgYSBxdWViZWM= " + secret,
	}
	banned := []reflect.Type{reflect.TypeFor[*Message](), reflect.TypeFor[*Prompt](), reflect.TypeFor[*Finding](), reflect.TypeFor[*Answer]()}
	for _, release := range []Release{Adaptive, Strict} {
		d := &Detector{}
		for i, text := range answers {
			m := NewMessage(set, spec(10), []byte(prompt))
			answer := &Answer{}
			cfg := Config{
				Lanes: AllLanes, Release: release, Extent: ExtentSentence, Answer: answer, LaneMemory: &LaneMemory{},
				Prompt: &Prompt{Messages: []*Message{m}, Tail: []byte(prompt), Suffix: []byte(prompt), Raw: true},
			}
			d.Reset(set, spec(10), cfg)
			other := New(set, spec(10), cfg)
			for j := 0; j < len(text); j += 7 {
				if j%35 == 0 { // the answer goes on in another channel, a word may be cut
					d.SetStrand(int64(j), Aside)
					d.SetStrand(int64(j), Strand(j/35)%Aside)
					other.Append(nil, []byte(text[j:min(j+7, len(text))]+prompt[:20]))
				}
				d.Append(nil, []byte(text[j:min(j+7, len(text))]))
				if j%3 == 0 {
					d.Park(nil)
				}
			}
			if i%2 == 0 {
				d.Finish(nil)
			}
			d.Reset(nil, spec(10), Config{})
			d.Reset(nil, spec(10), Config{})
			s := residue.Search{Mark: secret, Hashes: words, Banned: func(t reflect.Type) bool { return slices.Contains(banned, t) }}
			if s.In("detector", d); len(s.Found) > 0 {
				t.Errorf("answer %d: %s", i, strings.Join(s.Found, "\n"))
			}
			s = residue.Search{Mark: secret, Hashes: words, Banned: func(t reflect.Type) bool { return slices.Contains(banned[:3], t) }}
			if s.In("joined", answer); len(s.Found) > 0 || s.Size > 1<<20 {
				t.Errorf("answer %d: %d bytes: %s", i, s.Size, strings.Join(s.Found, "\n"))
			}
		}
	}
}

// spaced puts spaces between the letters of a text.
func spaced(s string) string { return strings.Join(strings.Split(s, ""), " ") }
