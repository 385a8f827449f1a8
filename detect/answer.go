package detect

import (
	"math"

	"noecho/ngram"
)

// Strand is one of the sorts of text that an answer consists of.
type Strand uint8

// The strands.
const (
	Texts   Strand = iota // sentences: the text of the model, its thoughts, the strings that it gives to a tool
	Labels                // the names around them, of tools and members, and citations
	Numbers               // numbers among the strings of a tool
	Aside                 // none of these: the model did not write it, or wrote it before
)

// Answer reads the channels of one answer as one text, in the order in which their words
// come, beside the reading of each channel: a record that is cut over the channels is
// found like one that is not. The detectors of the channels tell it their words, so that
// no text is read twice. Set it in [Config].Answer of each. It is not safe for concurrent
// use.
//
// Names and numbers come between texts and break a record that goes on behind them. So
// there are three threads: one of the texts, one of the labels, and one of all strands.
//
// A turn is the moment when another channel or strand goes on with the answer. The words
// before it have been decided by their channel alone, and may have left. So at most the
// words of a run that does not count yet have left when its last word comes; that word,
// and all bytes of the run that have not left, are withheld.
type Answer struct {
	threads [3]thread
	speaker *Detector
	strand  Strand
	asleep  bool         // no thread has to know the next words, and the channel does not go on within one
	words   []ngram.Word // scratch
	gram    ngram.Hash   // the 2-gram that was looked up last: two threads ask for most
	indexed bool         // whether it may be

	// A channel that goes on within a word goes on with another word for the answer, which
	// had words of another channel in between. Its text is scanned anew up to the next word.
	within  bool
	anew    int   // how many of the words told are none of the channel's
	from    int64 // offset in the channel where the text goes on
	begin   int64 // first word of the channel that begins there or behind
	scanner *ngram.Scanner

	turned int64      // words of the speaker before it went on with the answer
	newest [3]wordEnd // before that: the newest word of each strand

	late   []Part
	closed []*Finding
}

// Part is a segment of a channel that belongs to a finding over several channels.
type Part struct {
	Segment
	Channel int // as the Config of the channel says
}

// reset makes the answer ready for the channels of another one.
func (a *Answer) reset() {
	for i := range a.threads {
		a.threads[i].reset()
	}
	clear(a.late)
	clear(a.closed)
	a.within, a.asleep, a.gram = false, false, ngram.Hash{}
	a.speaker, a.strand, a.late, a.closed = nil, Texts, a.late[:0], a.closed[:0]
	a.turned, a.newest = 0, [3]wordEnd{}
}

// Take appends the segments that were decided as clean before a finding over several
// channels covered them, and the findings that became complete since the last call. The
// Span of a finding is that of the first of its Parts.
func (a *Answer) Take(late []Part, closed []*Finding) ([]Part, []*Finding) {
	if len(a.late)+len(a.closed) == 0 {
		return late, closed
	}
	late, closed = append(late, a.late...), append(closed, a.closed...)
	clear(a.late)
	clear(a.closed)
	a.late, a.closed = a.late[:0], a.closed[:0]
	return late, closed
}

// Finish completes the findings: every channel is finished.
func (a *Answer) Finish() {
	for i := range a.threads {
		a.threads[i].finish(a)
	}
}

// allStrands is the number of the thread that reads all strands. The others read the
// strand of their number.
const allStrands = 2

// has reports whether thread i reads a strand.
func (s Strand) has(i int) bool { return i == int(s) || i == allStrands }

// speak is told that a channel goes on at an offset.
func (a *Answer) speak(d *Detector, at int64) {
	if d.strand == Aside || a.speaker == d && a.strand == d.strand {
		return
	}
	same := a.speaker == d
	if old := a.speaker; old != nil {
		if !same {
			old.turnTo(old.main.Scanner.Frontier())
		}
		if a.words, a.anew = a.words[:0], 0; !same {
			a.words = a.peek(old)
		}
		for i := range a.threads {
			if t := &a.threads[i]; a.strand.has(i) && !(same && d.strand.has(i)) {
				t.leave(a, old, a.words)
			}
		}
		if !same {
			old.told = old.main.Offset()
			a.leave(old)
		}
		if !a.within {
			old.tryTurn(a.words)
		}
	}
	if a.begin = d.main.Count; !same {
		a.turned = a.begin
		a.goOn(d)
	}
	for i := range a.threads {
		if d.strand.has(i) && !(same && a.strand.has(i)) {
			t := &a.threads[i]
			t.all = i == allStrands
			t.enter(a.begin, at)
		}
	}
	a.speaker, a.strand = d, d.strand
	a.rest()
}

// rest notes whether the answer sleeps.
func (a *Answer) rest() {
	a.asleep = !a.within
	for i := range a.threads {
		a.asleep = a.asleep && a.threads[i].state == threadSleeps
	}
}

// gate2 reports whether a 2-gram may be indexed.
func (a *Answer) gate2(d *Detector, h ngram.Hash) bool {
	if h != a.gram {
		a.gram, a.indexed = h, d.index.Gate2(h)
	}
	return a.indexed
}

// leaveWords is how many words of a channel are looked at for the newest of each strand.
const leaveWords = 64

// leave notes the newest words of a channel when the answer goes on elsewhere. Its last
// words, which may not be complete, are in a.words.
func (a *Answer) leave(old *Detector) {
	r, seen := &old.main, [3]bool{}
	if n := len(a.words); n > 0 {
		a.newest[a.strand], seen[a.strand] = wordEnd{old, a.words[n-1].Span.Hi - 1}, true
	}
	for i := r.Count - 1; i >= max(a.turned, r.Count-leaveWords); i-- {
		if s := Strand(r.MarkOf(i)); s < Aside && !seen[s] {
			a.newest[s], seen[s] = wordEnd{old, r.Span(i).Hi - 1}, true
		}
	}
}

// lastWord adds to the last word of the channel that speaks: the word
// before it in the answer, and whether it goes on a run over several channels.
func (a *Answer) lastWord(d *Detector, l *lastWord) {
	if a.within || d.strand == Aside {
		return
	}
	r := &d.main
	l.after[1] = a.newest[d.strand]
	for i := r.Count - 1; i >= max(a.turned, r.Count-leaveWords); i-- {
		if Strand(r.MarkOf(i)) == d.strand {
			l.after[1] = wordEnd{d, r.Span(i).Hi - 1}
			break
		}
	}
	for i := range a.threads {
		t := &a.threads[i]
		if l.run != nil || !a.strand.has(i) {
			continue
		}
		if t.state == threadWaits && len(t.kept) >= max(d.spec.N-2, 4) {
			t.wake(a, d)
		}
		if t.state == threadReads && t.det.host.blocked == nil {
			l.run = closeToRun(t.det, &t.det.main, d.peeked[0].Hash)
		}
	}
}

// goOn prepares for the next bytes of a channel.
func (a *Answer) goOn(d *Detector) {
	a.from, a.begin = d.main.Offset(), d.main.Count
	if a.within = d.main.Scanner.Frontier() < a.from; !a.within {
		return
	}
	if a.scanner == nil {
		a.scanner = ngram.NewScanner(d.spec.Suite)
	}
	a.scanner.Reset()
	a.words = d.main.Scanner.Peek(a.words[:0])
	a.begin += int64(len(a.words))
}

// rescan returns the words that are complete with p, the next bytes of a channel that went
// on within a word. words are those that the channel found.
func (a *Answer) rescan(p []byte, words []ngram.Word) []ngram.Word {
	a.words = a.scanner.Append(a.words[:0], p)
	a.move()
	a.anew = len(a.words)
	for i, w := range words {
		if w.Span.Lo >= a.from {
			for len(a.words) > 0 && a.words[len(a.words)-1].Span.Hi > w.Span.Lo {
				a.words = a.words[:len(a.words)-1]
			}
			a.anew = len(a.words)
			a.words = append(a.words, words[i:]...)
			a.within = false // the words are the same from here on
			break
		}
	}
	return a.words
}

// move turns the offsets of the scanner into those of the channel.
func (a *Answer) move() {
	for i := range a.words {
		a.words[i].Span.Lo += a.from
		a.words[i].Span.Hi += a.from
	}
}

// peek returns the words that a channel would have if it ended here.
func (a *Answer) peek(d *Detector) []ngram.Word {
	a.anew = 0
	switch {
	case a.within:
	case d.main.Scanner.Frontier() == d.main.Offset():
		return a.words[:0]
	default:
		return d.main.Scanner.Peek(a.words[:0])
	}
	a.words = a.scanner.Peek(a.words[:0])
	a.move()
	a.anew = len(a.words)
	return a.words
}

// hear is told words that are complete with p, the next bytes of a channel. While the
// channel goes on within a word they are all of them.
func (a *Answer) hear(d *Detector, p []byte, words []ngram.Word) {
	if a.speaker != d || d.strand == Aside {
		return
	}
	if a.anew = 0; a.within {
		words = a.rescan(p, words)
	}
	a.tell(d, words)
}

// end is told that a channel is finished.
func (a *Answer) end(d *Detector) {
	if a.speaker != d || d.strand == Aside {
		return
	}
	d.turnTo(d.main.Scanner.Offset())
	if a.asleep {
		return
	}
	words := d.main.Words
	if a.anew = 0; a.within {
		words = a.peek(d)
	}
	a.tell(d, words)
}

// tell tells the threads the next words of a channel.
func (a *Answer) tell(d *Detector, words []ngram.Word) {
	if len(words) == 0 {
		return
	}
	for i := range a.threads {
		if t := &a.threads[i]; a.strand.has(i) && t.state != threadSleeps {
			t.hear(a, d, words)
		}
	}
	a.rest()
}

// pause is told that all bytes of a channel are decided as if the channel ended.
func (a *Answer) pause(d *Detector) {
	if a.speaker != d || d.strand == Aside {
		return
	}
	d.turnTo(d.main.Scanner.Frontier())
	if a.asleep {
		return
	}
	a.words = a.peek(d)
	for i := range a.threads {
		if t := &a.threads[i]; a.strand.has(i) && t.state != threadSleeps {
			t.try(a, d, a.words)
		}
	}
}

// open returns the offset of the first byte of a channel that may yet become part of a
// finding over several channels, math.MaxInt64 if there is none.
func (a *Answer) open(d *Detector) int64 {
	free := int64(math.MaxInt64)
	if a.asleep || a.speaker != d {
		return free
	}
	for i := range a.threads {
		if t := &a.threads[i]; a.strand.has(i) && t.state == threadReads {
			free = min(free, t.open())
		}
	}
	return free
}
