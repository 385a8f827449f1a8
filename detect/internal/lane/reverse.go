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
	order []ngram.Word // scratch: words in the order of the track
	fork  *reverse     // scratch of Fork
}

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
	v.order = v.turn(v.order[:0], w)
	for _, w := range v.order {
		v.push(w)
	}
}

// turn reads a word and appends the words of the tokens that have ended.
func (v *reverse) turn(dst []ngram.Word, w ngram.Word) []ngram.Word {
	alone := w.Weight < ngram.WordWeight // of a script without spaces
	n := len(v.token)
	if n > 0 && (n == maxToken || alone || w.Span.Lo-v.token[0].Span.Lo > pastBytes || v.r.past.parted(v.token[n-1].Span.Hi, w.Span.Lo)) {
		dst = v.endToken(dst)
	}
	v.token = append(v.token, w)
	if alone || v.r.past.white(w.Span.Hi) {
		dst = v.endToken(dst)
	}
	return dst
}

// endToken appends the words of the token, from the last to the first.
func (v *reverse) endToken(dst []ngram.Word) []ngram.Word {
	for i := len(v.token) - 1; i >= 0; i-- {
		dst = append(dst, v.token[i])
	}
	v.token = v.token[:0]
	return dst
}

// push reads the next word of the track.
func (v *reverse) push(w ngram.Word) {
	t := &v.t
	if t.Push(w) {
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
	t := &v.t
	if v.found.claim != nil || t.Run.Active || t.Count < 3 {
		return 0
	}
	before, past := len(v.token), v.r.past.view()
	order := append(v.order[:0], v.token...)
	for i := range words {
		w := &words[i]
		if len(v.token) == 0 && i+1 < len(words) && past.apart(w.Span.Hi, words[i+1].Span.Lo) { // nearly every word is a token
			order = append(order, *w)
		} else {
			order = v.turn(order, *w)
		}
	}
	v.order = order
	count, absent := t.Count, t.Absent
	read := t.Pass(order[before:], track.Windows, nil)
	if read == len(order)-before {
		return len(words)
	}
	t.Rewind(count, absent)
	again := func() { v.token = append(v.token[:0], order[:before]...) }
	again()
	n := 0
	for turned := 0; ; n++ { // up to the word that ends the token with the window
		if turned += len(v.turn(order[before:before], words[n])); turned > read {
			break
		}
	}
	again()
	for i := range words[:n] {
		v.Word(0, words[i])
	}
	return n
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
	if len(v.token) > 0 && v.r.past.end-v.token[0].Span.Lo <= pastBytes {
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
	for _, w := range v.endToken(v.order[:0]) {
		v.push(w)
	}
	if !v.r.cfg.Host.Now().Tried {
		v.close()
	}
}

var _ Finder = (*reverse)(nil)
