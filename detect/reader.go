package detect

import (
	"noecho/detect/internal/lane"
	"noecho/detect/internal/track"
	"noecho/ngram"
)

// reader is one reading of the channel: alone, behind the prompt's end, before the
// text that follows, or as if a parked channel ended. It follows the words, looks for
// windows that reach into the prompt's messages, and tells finders of each word.
type reader struct {
	track.Track
	d       *Detector
	origin  *reader // the reader that this one was forked from; itself if from none
	joins   joins   // none but for the channel alone
	finders []lane.Finder
}

// init prepares for a new channel.
func (r *reader) init(d *Detector) {
	r.d, r.origin = d, r
	r.Track.Init(d.index, d.spec, d.least)
	r.Strict = d.cfg.Release == Strict
	r.joins.reset(nil)
	r.finders = r.finders[:0]
}

// fork makes r the reader that o is, with other finders, for words that are only
// tried.
func (r *reader) fork(o *reader, finders []lane.Finder) {
	r.Track.Fork(&o.Track)
	r.joins.copyFrom(&o.joins)
	r.d, r.origin, r.finders = o.d, o, finders
}

// read enters words.
func (r *reader) read(words []ngram.Word) {
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
		case last < int64(r.N)-1 && r.joins.alive():
			r.joinStart(last)
		}
		if r.Run.Active && r.Run.Last < last {
			runs.endRun(r)
		}
		for _, f := range r.finders {
			f.Word(last)
		}
	}
}

// readText enters the words of a text, of which more may come.
func (r *reader) readText(text []byte) {
	for len(text) > 0 {
		n := min(len(text), pieceBytes)
		r.Words = r.Scanner.Append(r.Words[:0], text[:n])
		r.read(r.Words)
		text = text[n:]
	}
}

// finish enters the words that end with the text.
func (r *reader) finish() {
	r.Words = r.Scanner.Finish(r.Words[:0])
	r.read(r.Words)
}

// open returns the offset of the first byte whose fate is open, and that of the last
// word before it, -1 if there is none.
func (r *reader) open() (free, last int64) {
	first := r.FirstOpen()
	free, last = r.Scanner.Frontier()+r.Base, -1
	if first < r.Count {
		free = r.Span(first).Lo
	}
	if first > 0 {
		last = r.Span(first - 1).Lo
	}
	return free, last
}

// says reports whether a reading of the prompt's end and the channel says more than
// the channel alone. It does not once its newest windows lie in the channel and are
// those of the channel.
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
