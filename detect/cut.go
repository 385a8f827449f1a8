package detect

import (
	"slices"

	"noecho/detect/internal/track"
	"noecho/internal/gram"
	"noecho/ngram"
)

// A text that a limit of length or a stop sequence ends may end inside a word. The index
// has whole words only, so "geisis" of "geisismann" is in no window, and a caller who asks
// for one token more each time would read every word of a record but its last letters. So
// the last word is withheld if nothing separates it from the end and it follows
//
//   - a span that is withheld, or
//   - words that would be a run that counts with two words more, all of one record.
//
// Worked example, n = 10, the words a to l indexed: of the cut text "a b c d e f g h i j kl"
// the word "kl" follows a withheld run, and of "a b c d e f g h ij" the word "ij" follows
// eight words of the record. Both are withheld; of "x y z ab" nothing is.

// lastWord is the word with which a channel may end, and the words before it. The zero value is
// none.
type lastWord struct {
	span  ngram.Span // empty: there is none, or it is complete
	known bool       // the end of the channel is known
	after [2]wordEnd // the word before it: in its channel, and in the answer
	run   *Finding   // withholds it, because it follows words that are close to a run; nil: it does not
}

// wordEnd is the last byte of a word of an answer.
type wordEnd struct {
	det *Detector // nil: there is none
	at  int64
}

// lastWordOf returns the word with which a channel ends, unless that is complete.
func lastWordOf(d *Detector) (l lastWord) {
	r := &d.main
	if d.cfg.Cut == nil || r.Scanner.Frontier() == r.Scanner.Offset() {
		return l
	}
	cut, known := d.cfg.Cut()
	d.peeked, _ = r.Scanner.Peek(d.peeked[:0])
	if known && !cut || len(d.peeked) == 0 {
		return l
	}
	l.known = known
	l.span = ngram.Span{Lo: d.peeked[0].Span.Lo, Hi: d.peeked[len(d.peeked)-1].Span.Hi}
	if r.Count > 0 {
		l.after[0] = wordEnd{d, r.Span(r.Count-1).Hi - 1}
	}
	next := d.peeked[0].Hash
	l.run = closeToRun(d, r, next)
	if l.run == nil && d.seam != nil {
		l.run = closeAtSeam(d, next)
	}
	if l.run == nil {
		l.run = closeBehindPrompt(d, next)
	}
	if d.cfg.Answer != nil {
		d.cfg.Answer.lastWord(d, &l)
	}
	return l
}

// decide decides about the last word of a channel, whose other bytes are decided. It
// returns the offset below which bytes may leave.
func (l *lastWord) decide(d *Detector) int64 {
	h, end := &d.host, d.main.Scanner.Offset()
	if l.span.Hi <= h.emitted || h.blocked != nil {
		return end
	}
	f, lo := l.run, max(l.span.Lo, h.emitted)
	for _, w := range l.after {
		if w.det == nil {
			continue
		}
		if o := w.det.host.withholder(w.at); o != nil {
			f, lo = o, max(l.span.Lo, h.emitted)
			if c := h.of(o); c != nil {
				lo = max(c.span.Hi, h.emitted)
			}
			break
		}
	}
	switch {
	case f == nil && d.main.Strict && !l.known:
		return lo // as if the index knew the words before
	case f == nil || lo >= l.span.Hi:
	case !l.known:
		return lo
	case f == l.run && h.withholder(lo) != nil && h.withholder(l.span.Hi-1) != nil:
		// The word completed a finding whose other words have left.
	case f != l.run:
		h.lengthen(f, ngram.Span{Lo: lo, Hi: l.span.Hi})
	default:
		if h.claim(f, ngram.Span{Lo: lo, Hi: l.span.Hi}); f.Action > Observe {
			h.settle(f)
			break
		}
		h.of(f).open = false // it is no finding of its own
	}
	return end
}

// closeToRun returns a finding for a word behind the newest words of a reader, if those are
// close to a run that counts and stand in one record. next is the hash of the word, as far
// as it goes. If a message of the client goes on behind the same words, the client knows
// the word.
func closeToRun(d *Detector, r *reader, next uint64) *Finding {
	first, ok := r.CloseToRun()
	if !ok || r.Run.Active && r.Run.Hot && !bool(r.Run.Parts[len(r.Run.Parts)-1].Echo) {
		return nil // a finding covers the newest words, or was let go
	}
	places, ok := inOneRecord(d, r, first)
	if !ok {
		return nil
	}
	k := min(int(r.Count-first), max(r.N-2, 4))
	words := gram.Between(r.Prefix(r.Count-int64(k)), r.Prefix(r.Count), k)
	if d.cfg.Prompt.goesOn(words, k, next) {
		return nil
	}
	return &Finding{Kind: Verbatim, Words: 1, Places: places}
}

// rareWords is in how many places of the corpus words stand at most that are no template.
const rareWords = 2

// closeAtSeam is closeToRun for words that begin in the prompt's end. If they all stand
// there, nothing says that their record goes on: a template may end there, and the channel
// may be the answer "yes". Then the channel counts as their continuation only if the model
// goes on with the prompt's text, and if it does so inside a word or few records have the
// words.
func closeAtSeam(d *Detector, next uint64) *Finding {
	s := d.seam
	inside := false
	if words, _ := s.Scanner.Peek(s.Words[:0]); len(words) > 0 {
		inside, next = words[0].Span.Lo+s.Base < 0, words[0].Hash
	}
	return closeToSeam(d, s, next, s.Count > 0 && s.Span(s.Count-1).Hi > 0, inside)
}

// closeToSeam is closeToRun for a reader of words of the prompt and the channel. The channel has
// words of its own, or goes on inside a word of the prompt.
func closeToSeam(d *Detector, s *reader, next uint64, own, inside bool) *Finding {
	if !own && !d.cfg.Prompt.Raw {
		return nil
	}
	f := closeToRun(d, s, next)
	if f != nil && !own && !inside && (len(f.Places) == 0 || len(f.Places) > rareWords) {
		return nil
	}
	return f
}

// closeBehindPrompt is closeAtSeam for a channel that begins a word where the prompt ends one,
// without a space: as turns of a chat do. The prompt's end is its tail, or the bridge of its
// messages if that goes to the end.
func closeBehindPrompt(d *Detector, next uint64) *Finding {
	p, n := d.cfg.Prompt, d.main.Count
	if !p.joined() || n >= int64(d.spec.N) {
		return nil
	}
	s := &d.edge().spaced
	if len(p.Tail) > 0 {
		s.init(d)
		s.readText(p.Tail[max(0, len(p.Tail)-wordsBytes*d.spec.N):])
		s.finish()
		if f := closeBehind(d, s, next); f != nil {
			return f
		}
	}
	if b := p.all().end; b != nil {
		s.init(d)
		for i := max(0, b.size()-d.spec.N); i < b.size(); i++ {
			s.Push(ngram.Word{Hash: b.word(i), Weight: b.weights[i]})
		}
		return closeBehind(d, s, next)
	}
	return nil
}

// wordsBytes is as many bytes as hardly any word has.
const wordsBytes = 64

// closeBehind lets the channel's words follow those of a reader.
func closeBehind(d *Detector, s *reader, next uint64) *Finding {
	for i := range d.main.Count {
		s.Push(d.main.Word(i))
	}
	return closeToSeam(d, s, next, d.main.Count > 0, false)
}

// commonSeed is how many places a seed has at least if an index may have left out some.
const commonSeed = 16

// inOneRecord reports whether the words of a reader from first on may stand in a row in one
// record, and returns where the last of them is. Of two seeds in a row an index has at least one. Without a
// ledger the short grams of the words have to do.
func inOneRecord(d *Detector, r *reader, first int64) (places []ngram.Place, ok bool) {
	seeds := int(r.Count-first) - gram.SeedWords + 1
	if d.ledger == nil || seeds < 2 {
		return nil, true
	}
	var found, all []ngram.Place
	least := seeds / 2
	for i := first + gram.SeedWords - 1; i < r.Count; i++ {
		s := r.Seed(i)
		all = d.ledger.Seeds(all[:0], s.Hash)
		if len(all) >= commonSeed {
			least--
			continue
		}
		for _, p := range all {
			found = append(found, p+ngram.Place(r.Count-1-s.Word))
		}
	}
	slices.Sort(found)
	for lo, hi := 0, 0; lo < len(found); lo = hi {
		for hi = lo; hi < len(found) && found[hi] == found[lo]; hi++ {
		}
		if hi-lo >= least && len(places) < track.MaxPlaces {
			places = append(places, found[lo])
		}
	}
	return places, len(places) > 0 || least <= 0
}
