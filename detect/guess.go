package detect

import "noecho/ngram"

// A caller who knows n-1 words of a record can guess the next one: a finding tells that the
// guess was right. The detector cannot know a guess from a question. It marks the findings
// that go on with words of a message, and counts the endings that the channel tries.
// Package policy of the proxy decides how many are too many.
//
// A stem is n-1 words in a row that a message has and that may be part of an indexed
// window.

// maxStems is how many stems of a channel are told apart.
const maxStems = 1 << 10

// stem returns the hash of the n-1 words before word last.
func (r *reader) stem(last int64) uint64 {
	return ngram.Gram(r.Prefix(last-int64(r.N)+1), r.Prefix(last), r.N-1).Lo
}

// ending counts word last if it is an ending of a stem, and no window.
func (r *reader) ending(last int64) {
	d, first := r.d, last-int64(r.N)+1
	if first < 0 || !r.Known4(last-1) || !r.Known(first, last-1) {
		return
	}
	stem := r.stem(last)
	if _, ok := d.stems[stem]; !ok && (len(d.stems) == maxStems || !d.cfg.Prompt.stem(d, stem)) {
		return
	}
	if d.stems == nil {
		d.stems = map[uint64]int{}
	}
	if d.stems[stem]++; d.stems[stem] > 1 {
		d.endings++
	}
}

// stem reports whether a message has the words of a stem.
func (p *Prompt) stem(d *Detector, stem uint64) bool {
	p.stemming.Do(func() { p.findStems(d) })
	_, ok := p.stems[stem]
	return ok
}

// findStems enters the stems of all messages.
func (p *Prompt) findStems(d *Detector) {
	p.stems = map[uint64]struct{}{}
	n := d.spec.N - 1
	for _, m := range p.all().messages {
		for _, s := range m.known {
			if !d.spend(int64(s.last-s.from) + 4) {
				return
			}
			for pos := int(s.from); pos+n <= int(s.last)+4; pos++ {
				p.stems[ngram.Gram(m.prefix[pos], m.prefix[pos+n], n).Lo] = struct{}{}
			}
		}
	}
}
