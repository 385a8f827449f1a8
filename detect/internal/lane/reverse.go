package lane

import (
	"math"

	"noecho/detect/internal/track"
	"noecho/ngram"
)

// reverse is the finder of text whose words come from the last to the first. The words
// themselves give no sign of it, so it reads all of them: a second track of the same words
// whose grams are those of the other order. It looks up as little as the main track does.
// Words without white space between them are a token, and a token keeps its order:
// "now well-known is this" is read as "this is well known now".
type reverse struct {
	r     *Reader
	t     track.Track
	token []ngram.Word // words of the open token
	found *reverseFinding
	calm  calmState
	fork  *reverse // scratch of Fork
}

// calmState tells whether the finder reads words up to the first window, see pass.
type calmState uint8

const (
	calmOff  calmState = iota // no: a window is a finding
	calmOn                    // yes, and no window came
	calmOver                  // yes, and one came
)

// reverseFinding is the newest finding, which forks share.
type reverseFinding struct {
	claim  *Claim // nil: none is open
	at     int64  // first word of the track behind those of the finding
	places track.Locator
}

// A token has at most maxToken words, and no word begins more than pastBytes behind the
// first one.
const maxToken = 16

func (v *reverse) reset() {
	cfg := &v.r.cfg
	v.t.Init(cfg.Set, cfg.Spec, cfg.Least)
	v.t.Strict, v.t.Backward = cfg.Strict, !cfg.Backward
	v.token = v.token[:0]
	if v.found == nil {
		v.found = &reverseFinding{}
	}
	v.found.claim, v.found.at = nil, 0
}

// Text implements Finder.
func (v *reverse) Text([]byte) {}

// Word implements Finder.
func (v *reverse) Word(_ int64, w ngram.Word) {
	alone := w.Weight < ngram.WordWeight // of a script without spaces
	n := len(v.token)
	if n > 0 && (n == maxToken || alone || w.Span.Lo-v.token[0].Span.Lo > pastBytes || v.r.codes.parted(v.token[n-1].Span.Hi, w.Span.Lo)) {
		v.turn()
		n = 0
	}
	if ends := alone || v.r.codes.parted(w.Span.Hi, w.Span.Hi+1); ends && n == 0 {
		v.push(w) // nearly every word is a token
		return
	} else if v.token = append(v.token, w); ends {
		v.turn()
	}
}

// turn reads the words of a token.
func (v *reverse) turn() {
	for i := len(v.token) - 1; i >= 0; i-- {
		v.push(v.token[i])
	}
	v.token = v.token[:0]
}

// push reads a word.
func (v *reverse) push(w ngram.Word) {
	t := &v.t
	if t.Push(w) {
		if v.calm != calmOff {
			v.calm = calmOver
			return
		}
		v.hit(t.Count - 1)
	}
	if t.Run.Active && t.Run.Last < t.Count-1 {
		t.Run.Reset()
		v.close()
	}
}

// pass reads the first of several words, as Word does, up to one behind which it would find
// a window, and returns how many it has read.
func (v *reverse) pass(words []ngram.Word) int {
	if v.found.claim != nil || v.t.Run.Active {
		return 0
	}
	count, absent := v.t.Count, v.t.Absent
	var room [maxToken]ngram.Word
	token := append(room[:0], v.token...)
	v.calm = calmOn
	for n := range words {
		if v.Word(0, words[n]); v.calm == calmOver {
			v.calm = calmOff
			v.t.Rewind(count, absent)
			v.token = append(v.token[:0], token...)
			for i := range words[:n] {
				v.Word(0, words[i])
			}
			return n
		}
	}
	v.calm = calmOff
	return len(words)
}

// hit enters the indexed window that ends with word i.
func (v *reverse) hit(i int64) {
	t := &v.t
	first := i - int64(t.N) + 1
	h := t.Window(i)
	t.Enter(first, i, min(t.Span(first).Lo, t.Span(i).Lo), 0, track.Echo(v.r.cfg.Host.Sent(h)), h.Lo)
	if !t.Run.Hot {
		return
	}
	for k := range t.Run.Parts {
		if p := &t.Run.Parts[k]; !p.Echo {
			v.claim(p)
		}
	}
	t.Run.Newest()
}

// claim claims a part of a run.
func (v *reverse) claim(p *track.Part) {
	t, f := &v.t, v.found
	from := max(p.First, t.Oldest())
	if f.claim != nil {
		from = max(from, p.Last-int64(t.N)+1)
	}
	span := t.Span(from)
	for i := from; i <= p.Last; i++ {
		span.Lo, span.Hi = min(span.Lo, t.Span(i).Lo), max(span.Hi, t.Span(i).Hi)
	}
	if v.r.cfg.Host.Plain(span) {
		return // one long token, whose words are in their own order
	}
	if f.claim == nil || span.Lo >= f.claim.Span.Hi {
		v.close()
		f.claim, f.at = &Claim{Lane: ReversedWords, Span: span}, p.First
		if v.r.cfg.Ledger != nil {
			f.places.Backward = t.Backward
			f.places.Start(v.r.cfg.Ledger)
		}
	}
	t.Acted = p.Last
	c := f.claim
	c.Words += int(max(0, p.Last+1-max(p.First, f.at)))
	f.at = max(f.at, p.Last+1)
	c.Windows = p.Windows
	c.Digests = track.AddDigests(c.Digests, p.Digests...)
	if v.r.cfg.Ledger != nil {
		f.places.Follow(t, p.First, p.Last)
		c.Places = f.places.Places(c.Places[:0])
	}
	v.r.cfg.Host.Claim(c, span)
}

// close settles the open finding.
func (v *reverse) close() {
	if v.found.claim != nil {
		v.r.cfg.Host.Settle(v.found.claim)
		v.found.claim = nil
	}
}

// Waits implements Finder.
func (v *reverse) Waits() int64 {
	t := &v.t
	free := int64(math.MaxInt64)
	if len(v.token) > 0 && v.r.codes.at-v.token[0].Span.Lo <= pastBytes {
		free = v.token[0].Span.Lo
	}
	for i := t.FirstOpen(); i < t.Count; i++ {
		free = min(free, t.Span(i).Lo)
	}
	if c := v.found.claim; c != nil {
		free = min(free, c.Span.Hi)
	}
	return free
}

// Fork implements Finder.
func (v *reverse) Fork() Finder {
	if v.fork == nil {
		v.fork = &reverse{r: v.r}
	}
	f := v.fork
	f.t.Fork(&v.t)
	f.token, f.found = append(f.token[:0], v.token...), v.found
	return f
}

// End implements Finder. A finding that is open at the end of a fork stays open: the same
// words may come again behind the pause.
func (v *reverse) End() {
	v.turn()
	if !v.r.cfg.Host.Now().Tried {
		v.close()
	}
}

var _ Finder = (*reverse)(nil)
