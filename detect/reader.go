package detect

import (
	"noecho/detect/internal/lane"
	"noecho/detect/internal/track"
	"noecho/internal/gram"
	"noecho/ngram"
)

// reader reads the channel in one of four ways: alone, behind the prompt's end, with
// the text that follows the completion, or as if the channel ended at a pause. It
// follows the words, looks for windows that reach into the prompt's messages, and tells
// the finders of each word.
type reader struct {
	track.Track
	d       *Detector
	origin  *reader // the reader that this one is a fork of; itself if it is none
	joins   joins   // empty unless the channel is read alone
	finders []lane.Finder
}

// init prepares for a new channel.
func (r *reader) init(d *Detector) {
	r.d, r.origin = d, r
	r.Track.Init(d.index, d.spec, d.least)
	r.Scan(d.spec.Suite)
	r.Strict = d.cfg.Release == Strict
	r.joins.reset(nil)
	r.finders = r.finders[:0]
	if r.Words == nil {
		r.Words = make([]ngram.Word, 0, 8)
	}
}

// forget drops the text that was read.
func (r *reader) forget(suite ngram.Suite) {
	r.Track.Forget(suite)
	r.joins.end()
	*r = reader{Track: r.Track, joins: joins{at: track.Emptied(r.joins.at), seen: r.joins.seen}, finders: track.Emptied(r.finders)}
}

// fork makes r a copy of o with other finders.
func (r *reader) fork(o *reader, finders []lane.Finder) {
	r.Track.Fork(&o.Track)
	r.joins.copyFrom(&o.joins)
	r.d, r.origin, r.finders = o.d, o, finders
}

// read enters words.
func (r *reader) read(words []ngram.Word) {
	for len(words) > 0 {
		next := min(len(words), calmMost)
		if next >= calmLeast && r == &r.d.main {
			n := r.calm(words[:next])
			words = words[n:]
			if next -= n; n >= next {
				next = min(next, 1) // the others are probably calm again
			}
		}
		r.readEach(words[:next])
		words = words[next:]
	}
}

// Words are read as calm ones if so many come at once; Track.Rewind may take as many back.
const (
	calmLeast = 4
	calmMost  = track.Provisional / 2
)

// calm enters the first of several words, up to one that concerns a finder, and returns how
// many it has entered. The others neither end an indexed window nor are part of a seed, a
// phrase or a sign of a lane, as nearly all words of clean text: they are read in loops of
// their own, and no finder acts on them.
func (r *reader) calm(words []ngram.Word) (n int) {
	d := r.d
	if !r.isCalm() {
		return 0
	}
	if d.hasPhrases {
		words = words[:d.phrases.pass(words)]
	}
	look := track.Windows
	if d.guessable {
		look = track.Seeds
	} else if d.looksNear() {
		look = track.Known
	}
	first, absent := r.Count, r.Absent
	n = r.Pass(words, look, d.ledger)
	if d.lanes == nil || n == 0 {
		return n
	}
	read := d.lanes.Pass(first, words[:n])
	if read < n {
		r.Rewind(first+int64(read), absent)
	}
	return read
}

// isCalm reports whether no run, near match, phrase or joint is open that the next words may
// go on with.
func (r *reader) isCalm() bool {
	d := r.d
	if r.N <= gram.SeedWords || r.Count < int64(r.N) || r.Strict || r.Numbered || r.Run.Active || r.joins.open || d.host.blocked != nil {
		return false
	}
	if d.guessable && !r.Seedless(r.Count-1) {
		return false // the next word may be an ending
	}
	if n := d.near; d.looksNear() && (n.cur != nil || n.from >= r.Count) {
		return false
	}
	return !d.hasPhrases || d.phrases.isCalm()
}

// readEach enters words one by one.
func (r *reader) readEach(words []ngram.Word) {
	runs := &r.d.runs
	for _, w := range words {
		if r.d.host.blocked != nil {
			return
		}
		hit := r.Push(w)
		last := r.Count - 1
		switch {
		case hit:
			runs.hit(r, last-int64(r.N)+1, last, 0, r.Window(last))
		case last < int64(r.N)-1 && r.joins.open:
			r.joinStart(last)
		}
		if r.d.guessable && !hit && r == &r.d.main {
			r.ending(last)
		}
		if r.Run.Active && r.Run.Last < last {
			runs.endRun(r)
		}
		w.Span.Lo, w.Span.Hi = w.Span.Lo+r.Base, w.Span.Hi+r.Base
		for _, f := range r.finders {
			f.Word(last, w)
		}
	}
}

// readText enters the words of a text that may go on.
func (r *reader) readText(text []byte) {
	for len(text) > 0 {
		n := min(len(text), pieceBytes)
		r.Words = r.Scanner.Append(r.Words[:0], text[:n])
		r.read(r.Words)
		text = text[n:]
	}
}

// finish enters the last words: the text is complete.
func (r *reader) finish() {
	r.Words = r.Scanner.Finish(r.Words[:0])
	r.read(r.Words)
}

// open returns the offset of the first byte that may yet become part of a run, and that
// of the last word before it, -1 if there is none.
func (r *reader) open() (free, last int64) {
	first := r.FirstOpen()
	free, last = r.Frontier(), -1
	if first < r.Count {
		free = r.Span(first).Lo
	}
	if first > 0 {
		last = r.Span(first - 1).Lo
	}
	return free, last
}

// says reports whether reading the channel behind the prompt's end may find more than
// reading the channel alone. It cannot once its newest windows are the channel's.
func (r *reader) says(channel *reader) bool {
	n := int64(r.N)
	if r.Run.Active || channel.Run.Active || channel.Count < n || r.Count < n || channel.Scanner.Frontier() != r.Scanner.Frontier()+r.Base {
		return true
	}
	for i := int64(1); i <= n; i++ {
		if channel.Span(channel.Count-i) != r.Span(r.Count-i) || r.Span(r.Count-i).Lo < 0 {
			return true
		}
	}
	return false
}
