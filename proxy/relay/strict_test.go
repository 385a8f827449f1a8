package relay

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/internal/raced"
	"noecho/ngram"
)

// sentBehind returns how many bytes have left behind each piece of a stream, in pieces of at
// most so many bytes, and whether something was found.
func sentBehind(t *testing.T, cfg Config, body string, size int) (sent []int, found bool) {
	t.Helper()
	r := New(cfg)
	var out []byte
	var err error
	for p := range slices.Chunk([]byte(body), size) {
		if out, err = r.Append(out, p); err != nil {
			return sent, true
		}
		sent = append(sent, len(out))
	}
	out, err = r.Finish(out)
	return append(sent, len(out)), err != nil || len(r.Take(nil)) > 0
}

// named is an index that also has a phrase.
type named struct {
	memory
	starts map[ngram.Hash]bool
	phrase ngram.Hash
}

func (n *named) Has() (ledger, phrases, words bool)             { return false, true, false }
func (n *named) Start(h ngram.Hash) bool                        { return n.starts[h] }
func (n *named) Phrase(h ngram.Hash) (p ngram.Phrase, has bool) { return p, h == n.phrase }

// newNamed returns an index of a record and a phrase.
func newNamed(spec ngram.Spec, record, phrase string) *named {
	n := &named{memory: newMemory(spec, record), starts: map[ngram.Hash]bool{}}
	s := ngram.NewScanner(spec.Suite)
	prefix := uint64(0)
	for k, w := range s.Finish(s.Append(nil, []byte(phrase))) {
		prefix = ngram.Roll(prefix, w.Hash)
		n.phrase = ngram.Gram(0, prefix, k+1)
		n.starts[n.phrase] = k < 4
	}
	return n
}

// TestStrictTellsNothing: in strict release as many bytes leave behind each piece of a stream
// whether the index knows the beginning of a record, or of a phrase, that is cut over the
// places of an answer, or does not.
func TestStrictTellsNothing(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(19, 47))
	record, phrase := answerRecord[:10], answerRecord[10:18]
	const other = "there is nothing of the record in this text at all"
	for i, s := range answerShapes() {
		if !s.stream || raced.Skips(i) {
			continue
		}
		for _, mode := range []Decision{redacting, blocking} {
			known := s.config(t, mode)
			known.Detect.Release, known.Late = detect.Strict, rnd.IntN(2) == 0
			known.Set = newNamed(known.Spec, strings.Join(record, " "), strings.Join(phrase, " "))
			unknown := known
			unknown.Set = newNamed(known.Spec, other, other)
			for k := range len(phrase) {
				begin := phrase[:k]
				if k < known.Spec.N && rnd.IntN(2) == 0 {
					begin = record[:k]
				}
				for _, size := range []int{1, 3, 50, 1 << 20} {
					pieces := slices.Concat([]string{"before one", "before two"}, cutWords(rnd, begin, 3), strings.SplitAfter("and then no more of it in very many words", " "))
					body := s.body(pieces)
					a, found := sentBehind(t, known, body, size)
					b, _ := sentBehind(t, unknown, body, size)
					if found || !slices.Equal(a, b) {
						t.Fatalf("%s: %q in pieces of %d bytes: found %v, %v bytes left, and %v if the index does not know it\nof %s", s.name, begin, size, found, a, b, body)
					}
				}
			}
		}
	}
}

// TestStrictTellsNothingOfEnds: nor does the word with which a text ends tell anything, until the
// answer says why it ended.
func TestStrictTellsNothingOfEnds(t *testing.T) {
	t.Parallel()
	words := strings.Fields(recited)
	for _, f := range cutFormats {
		for _, mode := range []Decision{redacting, blocking} {
			known := cutConfig(t, f.family, f.framing, mode)
			known.Detect.Release = detect.Strict
			unknown := known
			unknown.Set = newMemory(known.Spec, "there is nothing of the record in this text at all")
			for k := range known.Spec.N {
				for _, reason := range slices.Concat(f.ends, f.stops) {
					body := strings.NewReplacer("%1", "so it says ", "%2", strings.Join(words[:k], " "), "REASON", reason).Replace(f.stream)
					a, found := sentBehind(t, known, body, 1)
					if b, _ := sentBehind(t, unknown, body, 1); found || !slices.Equal(a, b) {
						t.Fatalf("%s, %s, %d words: found %v, %v bytes left, and %v if the index does not know them\nof %s", f.family, reason, k, found, a, b, body)
					}
				}
			}
		}
	}
}
