package detect

import (
	"math"
	"math/bits"
	"slices"

	"noecho/detect/internal/track"
	"noecho/ngram"
)

// Strand is one of the sorts of text that an answer consists of.
type Strand uint8

// The strands. Text beside the answer has those before Aside too, see [Config].Beside.
const (
	Texts  Strand             = iota // sentences: the text of the model, its thoughts, the strings that it gives to a tool
	Labels                           // the names around them, such as those of tools
	Keys                             // the names of the members of objects
	Minor                            // added to one of these: text of that sort that counts for less
	Aside  = Minor + Keys + 1        // none of these: the model did not write it, or wrote it before
	beside = Aside + 1               // from here on those of text beside the answer
	tokens = beside + Aside          // see [Config].Tokens
)

// The strands of text that counts for less.
const (
	numbers   = Texts + Minor  // numbers among the strings of a tool
	oldLabels = Labels + Minor // labels that came before, or short strings beside the answer
	oldKeys   = Keys + Minor   // names of members that came before, or that APIs use
)

// Answer reads the channels of one answer as one text, in the order in which their words
// come, beside the reading of each channel: a record that is cut over the channels is
// found like one that is not. The detectors of the channels tell it their words, so that
// no text is read twice. Set it in [Config].Answer of each. It may be used for the channels of
// another answer once [Detector.Reset] without an index was called for one of this answer. It
// is not safe for concurrent use.
//
// Names and numbers come between texts and break a record that goes on behind them, and so
// does text beside the answer. So there are several readings, which differ in the strands
// that they follow, and each has a thread or more. Names that come again and again between
// texts that change are strands of their own, which threads of several strands pass over.
//
// A turn is the moment when another channel or strand goes on with a reading. The words
// before it have been decided by their channel alone, and may have left. So at most the
// words of a run that does not count yet have left when its last word comes; that word,
// and all bytes of the run that have not left, are withheld.
type Answer struct {
	readings [ofPieces]*reading  // nil: not needed yet, see has
	speakers [ofPieces]*Detector // that went on with a reading last
	awake    uint8               // readings that have to know the next words, a bit for each
	speaker  *Detector           // that went on last
	strand   Strand
	cuts     bool      // words were cut at the ends of texts
	tries    int       // see maxTries
	spare    []*thread // readings beside threads that have ended
	speller  speller

	told   [4]*Finding // the newest ones that are complete
	late   []Part
	closed []*Finding
}

// The readings of an answer, and one of a channel.
const (
	ofAnswer = iota // its strands
	ofBeside        // those of the text beside it
	ofAll           // both, and tokens without text
	ofPieces        // of one channel: each piece begins a word
)

// scope is the strands that a reading follows and its threads.
type scope struct {
	follows strands
	threads [threadsEach]ofStrands
}

// strands is a set of strands, a bit for each.
type strands uint16

// ofStrands is the strands that a thread reads. The words of a finding are of strands that one
// of the sets in but does not have: else the thread of that set finds it. They may be of one
// strand of also, though, if that of its own thread came before in between. Words of passes
// that do not go on with the words before them may be between those that do.
type ofStrands struct {
	reads  strands
	but    [3]strands
	also   strands
	passes strands
}

// threadsEach is the number of threads that a reading has at most.
const threadsEach = 6

// The sets that threads read, without and with strands that came before.
const (
	textSet   strands = 1 << Texts
	keySet    strands = textSet | 1<<Keys
	labelSet  strands = keySet | 1<<Labels
	besideSet strands = textSet | textSet<<beside | 1<<tokens
	bothSet   strands = besideSet | keySet<<beside | keySet
	everySet  strands = 1<<Aside - 1
	nameSet   strands = 1<<Labels | 1<<Keys
)

// scopes are the scopes of the readings. The third begins when text beside the answer or tokens
// come, and goes on with the first threads of the first. The last one begins when its channel
// goes on within a word with a piece that may begin one.
var scopes = [...]scope{
	ofAnswer: {everySet, [threadsEach]ofStrands{
		{reads: textSet},
		{reads: keySet, but: [3]strands{textSet}, also: 1 << Keys, passes: 1 << Keys},
		{reads: labelSet, but: [3]strands{keySet}, also: 1 << Labels, passes: nameSet},
		{reads: 1<<Labels | 1<<oldLabels},
		{reads: 1<<Keys | 1<<oldKeys},
		{reads: everySet, but: [3]strands{labelSet}},
	}},
	ofBeside: {everySet << beside, [threadsEach]ofStrands{
		{reads: (1<<Texts | 1<<oldLabels) << beside},
		{reads: keySet << beside, but: [3]strands{textSet << beside}, also: keySet << beside, passes: keySet << beside},
		{reads: (1<<Keys | 1<<oldKeys) << beside},
		{reads: everySet << beside, but: [3]strands{keySet << beside}},
	}},
	ofAll: {everySet | everySet<<beside | 1<<tokens, [threadsEach]ofStrands{
		{reads: besideSet, but: [3]strands{textSet, textSet << beside}, also: textSet << beside, passes: textSet << beside},
		{reads: bothSet, but: [3]strands{keySet, keySet << beside, besideSet}, passes: keySet<<beside | 1<<Keys},
		{reads: bothSet | labelSet, but: [3]strands{labelSet, bothSet}, passes: keySet<<beside | nameSet},
	}},
	ofPieces: {math.MaxUint16, [threadsEach]ofStrands{{reads: math.MaxUint16}}},
}

// reading is a reading of an answer or of a channel.
type reading struct {
	scope   scope
	answer  *Answer // nil: it has not begun
	number  int
	readers [1 << 4]uint8 // the threads that read each strand, a bit for each
	passers [1 << 4]uint8 // and those that pass over it
	awake   bool          // a thread has to know the next words, or the channel goes on within one
	busy    uint8         // the threads that have to
	*ways                 // nil: the channel that began the reading is the only one so far
	stubbed uint8         // the threads that have a stub
	strand  Strand        // of the speaker
	olds    int32         // how often text came that came before
	words   []ngram.Word  // scratch
	tail    []byte        // of the last of them, see [ngram.Scanner.Peek]
	letters []byte        // scratch
	first   []byte        // normalised bytes of a word that the scanner goes on with, while a word may be cut
	gram    ngram.Hash    // the 2-gram that was looked up last: two threads ask for most
	indexed bool          // whether it may be

	// A channel that goes on within a word goes on with another word for the answer, which
	// had words of another channel in between, or a piece that may begin a word. Its text is
	// scanned anew up to the next word.
	within  bool
	piece   bool  // because of a piece, or because text beside the answer came between
	anew    int   // how many of the words told are none of the channel's
	from    int64 // offset in the channel where the text goes on
	begin   int64 // first word of the channel that begins there or behind
	scanner *ngram.Scanner

	turned int64          // words of the speaker before it went on with the answer
	newest [Aside]wordEnd // of the answer alone: before that, the newest word of each strand
}

// ways is the threads of a reading and the words that are cut beside them. Most answers have
// one channel, and need none.
type ways struct {
	threads [threadsEach]thread
	stubs   [stubsEach]stub
}

// Part is a segment of a channel that belongs to a finding over several channels.
type Part struct {
	Segment
	Channel int // as the Config of the channel says
}

// reset drops everything that the answer knows of its channels, and keeps storage of the usual
// size for those of another one.
func (a *Answer) reset() {
	if a.speaker == nil {
		return // nothing was said
	}
	for i, r := range a.readings {
		if a.has(i) {
			r.reset()
		}
	}
	for _, q := range a.spare {
		q.det, q.origins = nil, nil
		q.reset()
	}
	spare := a.spare[:min(len(a.spare), mostSpare)]
	clear(a.spare[len(spare):])
	*a = Answer{readings: a.readings, spare: spare, late: track.Emptied(a.late), closed: track.Emptied(a.closed)}
}

// mostSpare is how many readings beside threads are kept for another answer.
const mostSpare = 8

// has reports whether a reading has begun.
func (a *Answer) has(i int) bool { return a.readings[i] != nil && a.readings[i].answer != nil }

func (r *reading) reset() {
	if w := r.ways; w != nil {
		for k := range w.threads {
			t := &w.threads[k]
			r.answer.spare = append(r.answer.spare, t.glued...)
			t.reset()
		}
		for k := range w.stubs {
			w.stubs[k] = stub{open: track.Emptied(w.stubs[k].open), parts: track.Emptied(w.stubs[k].parts)}
		}
	}
	*r = reading{scope: r.scope, readers: r.readers, passers: r.passers, ways: r.ways, words: track.Emptied(r.words), letters: track.Emptied(r.letters), first: track.Emptied(r.first)}
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
	for i, r := range a.readings {
		if a.has(i) {
			r.finish()
		}
	}
}

func (r *reading) finish() {
	if r.ways == nil {
		return
	}
	for k := range r.threads {
		r.threads[k].finish(r)
	}
}

// speak is told that a channel goes on at an offset.
func (a *Answer) speak(d *Detector, at int64) {
	if d.strand == Aside || a.speaker == d && a.strand == d.strand {
		return
	}
	if old := a.speaker; old != nil && old != d {
		old.turnTo(old.main.Scanner.Frontier())
	}
	if a.speaker = d; d.strand >= beside {
		a.begin()
	}
	a.follow(d, at, false)
}

// follow lets the readings follow a channel from an offset on: all of them, or those that it
// went on with last.
func (a *Answer) follow(d *Detector, at int64, last bool) {
	if a.speaker == d {
		a.strand = d.strand
	}
	for i := range a.readings {
		begun := i < ofAll || a.has(i)
		if begun && (scopes[i].follows>>d.strand&1 != 0 && !last || a.speakers[i] == d) {
			a.speakTo(i, d, at)
		}
	}
}

// speakTo tells a reading that a channel goes on at an offset.
func (a *Answer) speakTo(i int, d *Detector, at int64) {
	r, old := a.begun(i), a.speakers[i]
	if old != d || r.strand != d.strand {
		r.turn(old, d, at, old == d)
		a.speakers[i] = d
	}
}

// begun returns a reading of the answer, which begins now unless it has begun.
func (a *Answer) begun(number int) *reading {
	if a.readings[number] == nil {
		a.readings[number] = &reading{}
	}
	return a.readings[number].begun(a, number)
}

// begun returns the reading, which begins now unless it has begun.
func (r *reading) begun(a *Answer, number int) *reading {
	if r.answer == nil {
		r.answer, r.number = a, number
		if r.scope.follows == 0 {
			r.scope = scopes[number]
		}
		if r.readers == [1 << 4]uint8{} {
			r.sort()
		}
	}
	return r
}

// sort notes which threads read each strand.
func (r *reading) sort() {
	for i, of := range r.scope.threads {
		for s := range r.readers {
			r.readers[s] |= uint8(of.reads>>s&1) << i
			r.passers[s] |= uint8(of.passes>>s&1) << i
		}
	}
}

// begin begins the reading of all, which until now would have followed that of the answer.
func (a *Answer) begin() {
	if a.has(ofAll) {
		return
	}
	r, o, speaker := a.begun(ofAll), a.readings[ofAnswer], a.speakers[ofAnswer]
	if speaker == nil {
		return
	}
	a.speakers[ofAll] = speaker
	o.split()
	o.growAll(o.stubbed)
	if r.ways == nil {
		r.ways = &ways{}
	}
	r.strand, r.begin, r.turned, r.within, r.from = o.strand, o.begin, o.turned, o.within, o.from
	if r.within {
		r.scanner = ngram.NewScanner(speaker.spec.Suite)
		*r.scanner = *o.scanner
	}
	for i := range r.threads {
		if t := &r.threads[i]; r.scope.threads[i].reads != 0 {
			t.of = r.scope.threads[i]
			t.adopt(r, &o.threads[i], speaker)
			r.look(i)
		}
	}
	r.rest()
}

// piece is told that the next bytes of a channel are a piece that may begin a word, although
// they go on within one. Text beside the answer begins one for the reading of all, too.
func (a *Answer) piece(d *Detector) {
	at := d.main.Offset()
	if d.pieces == nil {
		d.pieces = &reading{}
	}
	d.pieces.begun(a, ofPieces).turn(d, d, at, false)
	d.pieces.piece = d.pieces.within
	if d.strand >= beside && d.strand < tokens && a.speaker == d {
		r := a.readings[ofAll]
		r.turn(d, d, at, false)
		r.piece = r.within
	}
}

// speaks reports whether a channel went on last with some reading.
func (a *Answer) speaks(d *Detector) bool {
	return slices.Contains(a.speakers[:], d)
}

// within reports whether a channel goes on within a word for a reading.
func (a *Answer) within(d *Detector) bool {
	if d.pieces != nil && d.pieces.within {
		return true
	}
	for m := a.awake; m != 0; m &= m - 1 {
		if i := bits.TrailingZeros8(m); a.speakers[i] == d && a.readings[i].within {
			return true
		}
	}
	return false
}

// holds is told that a channel reads many words: its ring may not have the older ones any more.
func (a *Answer) holds(d *Detector) {
	for i, r := range a.readings {
		if a.has(i) {
			r.holds(d)
		}
	}
	if d.pieces != nil {
		d.pieces.holds(d)
	}
	d.pointed = math.MaxInt64
}

func (r *reading) holds(d *Detector) {
	if r.stubbed != 0 {
		r.growFrom(d)
	}
	for m := r.busy; m != 0; m &= m - 1 {
		r.threads[bits.TrailingZeros8(m)].holdAll(d)
	}
}

// hear is told words that are complete with p, the next bytes of a channel. While the
// channel goes on within a word they are all of them.
func (a *Answer) hear(d *Detector, p []byte, words []ngram.Word) {
	if d.pieces != nil && d.pieces.awake {
		d.pieces.hear(d, p, words)
	}
	for m := a.awake; m != 0; m &= m - 1 {
		if i := bits.TrailingZeros8(m); a.speakers[i] == d && (d.strand != Aside || a.readings[i].within) {
			a.readings[i].hear(d, p, words)
		}
	}
}

// end is told that a channel is finished.
func (a *Answer) end(d *Detector) {
	if d.pieces != nil && d.pieces.awake {
		d.pieces.end(d)
		d.pieces.finish()
	}
	if d.strand == Aside || !a.speaks(d) {
		return
	}
	d.turnTo(d.main.Scanner.Offset())
	for m := a.awake; m != 0; m &= m - 1 {
		if i := bits.TrailingZeros8(m); a.speakers[i] == d {
			a.readings[i].end(d)
		}
	}
}

// pause is told that all bytes of a channel are decided as if the channel ended.
func (a *Answer) pause(d *Detector) {
	if d.pieces != nil && d.pieces.awake {
		d.pieces.pause(d)
	}
	if d.strand == Aside || !a.speaks(d) {
		return
	}
	d.turnTo(d.main.Scanner.Frontier())
	for m := a.awake; m != 0; m &= m - 1 {
		if i := bits.TrailingZeros8(m); a.speakers[i] == d {
			a.readings[i].pause(d)
		}
	}
}

// open returns the offset of the first byte of a channel that may yet become part of a
// finding over several channels, math.MaxInt64 if there is none.
func (a *Answer) open(d *Detector) int64 {
	free := int64(math.MaxInt64)
	if d.pieces != nil && d.pieces.awake {
		free = d.pieces.open()
	}
	for m := a.awake; m != 0; m &= m - 1 {
		if i := bits.TrailingZeros8(m); a.speakers[i] == d {
			free = min(free, a.readings[i].open())
		}
	}
	return free
}

// lastWord adds to the last word of a channel of the answer: the word before it in the
// answer, and whether it goes on a run over several channels.
func (a *Answer) lastWord(d *Detector, l *lastWord) {
	if a.speakers[ofAnswer] == d {
		d.turnTo(l.span.Lo)
		a.readings[ofAnswer].lastWord(d, l)
	}
}

// turn lets the threads turn from a channel to another one, or to a piece of the same. With
// same they turn to another strand of it.
func (r *reading) turn(old, d *Detector, at int64, same bool) {
	if old != nil {
		r.split()
		if r.words, r.tail, r.anew = r.words[:0], nil, 0; !same {
			r.words = r.peek(old)
		}
		if !same && old != d {
			r.cut(old)
		}
		leave := r.readers[r.strand]
		if same {
			leave &^= r.readers[d.strand]
		}
		for m := leave; m != 0; m &= m - 1 {
			i := bits.TrailingZeros8(m)
			r.threads[i].leave(r, old)
			r.look(i)
		}
		if !same {
			r.leave(old)
		}
	}
	if r.begin = d.main.Count; !same {
		r.turned = r.begin
		r.goOn(d)
		r.piece = r.within && r.number >= ofAll && r.strand/beside != d.strand/beside
	}
	enter := r.readers[d.strand]
	if same {
		enter &^= r.readers[r.strand]
	}
	r.enter(enter, at)
	if r.strand = d.strand; r.number != ofAll && (r.strand%beside == oldLabels || r.strand%beside == oldKeys) {
		r.olds++
	}
	r.rest()
}

// enter lets some threads read the channel that goes on at an offset.
func (r *reading) enter(threads uint8, at int64) {
	if r.ways == nil {
		return // split does it
	}
	for m := threads; m != 0; m &= m - 1 {
		i := bits.TrailingZeros8(m)
		t := &r.threads[i]
		t.of, t.pieces = r.scope.threads[i], r.number == ofPieces
		t.enter(r.begin, at)
	}
}

// split makes the threads, unless there are some. They have read as much as the channel that
// began the reading.
func (r *reading) split() {
	if r.ways != nil {
		return
	}
	r.ways = &ways{}
	if r.number != ofPieces { // else no channel has begun it
		r.enter(r.readers[r.strand], r.from)
	}
}

// look notes whether a thread has to know the next words.
func (r *reading) look(i int) {
	r.busy &^= 1 << i
	if t := &r.threads[i]; t.state != threadSleeps || len(t.glued) > 0 {
		r.busy |= 1 << i
	}
}

// rest notes whether the reading sleeps: no thread has to know the next words, and the channel
// does not go on within one.
func (r *reading) rest() {
	r.awake = r.within || r.busy|r.stubbed != 0
	switch bit := uint8(1) << r.number; {
	case r.number == ofPieces:
	case r.awake:
		r.answer.awake |= bit
	default:
		r.answer.awake &^= bit
	}
}

// gate2 reports whether a 2-gram may be indexed.
func (r *reading) gate2(d *Detector, h ngram.Hash) bool {
	if h != r.gram {
		r.gram, r.indexed = h, d.index.Gate2(h)
	}
	return r.indexed
}

// leaveWords is how many words of a channel are looked at for the newest of each strand.
const leaveWords = 64

// leave is told that the reading goes on elsewhere than in a channel, whose last words, which
// may not be complete, are in r.words. It notes the newest word of each strand.
func (r *reading) leave(old *Detector) {
	old.told[r.number] = old.main.Offset()
	switch {
	case r.number >= ofAll:
		return
	case r.number == ofAnswer:
		r.note(old)
		for i := ofAll; i < ofPieces; i++ {
			if !r.answer.has(i) { // it will know the words too
				old.told[i] = old.told[ofAnswer]
			}
		}
	}
	if !r.within {
		old.tryTurn(r.words)
	}
}

// note notes the newest word of each strand of a channel.
func (r *reading) note(old *Detector) {
	m, seen := &old.main, [Aside]bool{}
	if n := len(r.words); n > 0 && r.strand < Aside {
		r.newest[r.strand], seen[r.strand] = wordEnd{old, r.words[n-1].Span.Hi - 1}, true
	}
	for i := m.Count - 1; i >= max(r.turned, m.Count-leaveWords); i-- {
		if s := Strand(m.MarkOf(i)); s < Aside && !seen[s] {
			r.newest[s], seen[s] = wordEnd{old, m.Span(i).Hi - 1}, true
		}
	}
}

// lastWord is the part of [Answer.lastWord] behind the turn.
func (r *reading) lastWord(d *Detector, l *lastWord) {
	if r.within || d.strand >= Aside {
		return
	}
	m := &d.main
	l.after[1] = r.newest[d.strand]
	for i := m.Count - 1; i >= max(r.turned, m.Count-leaveWords); i-- {
		if Strand(m.MarkOf(i)) == d.strand {
			l.after[1] = wordEnd{d, m.Span(i).Hi - 1}
			break
		}
	}
	for m := r.busy & r.readers[r.strand]; m != 0 && l.run == nil; m &= m - 1 {
		t := &r.threads[bits.TrailingZeros8(m)]
		if t.state == threadWaits && t.size() >= max(d.spec.N-2, 4) {
			t.wake(r, d, 0)
		}
		if t.state == threadReads && t.det.host.blocked == nil {
			l.run = closeToRun(t.det, &t.det.main, d.peeked[0].Hash)
		}
	}
}

// goOn prepares for the next bytes of a channel.
func (r *reading) goOn(d *Detector) {
	r.from, r.begin = d.main.Offset(), d.main.Count
	if r.within = d.main.Scanner.Frontier() < r.from; !r.within {
		return
	}
	if r.scanner == nil {
		r.scanner = ngram.NewScanner(d.spec.Suite)
	}
	r.scanner.Reset()
	r.words, _ = d.main.Scanner.Peek(r.words[:0])
	r.begin += int64(len(r.words))
}

// rescan returns the words that are complete with p, the next bytes of a channel that went
// on within a word. words are those that the channel found.
func (r *reading) rescan(p []byte, words []ngram.Word) []ngram.Word {
	if r.answer.cuts {
		var open []byte
		r.words, open = r.scanner.Peek(r.words[:0])
		r.first = append(r.first[:0], open...)
	}
	r.words = r.scanner.Append(r.words[:0], p)
	r.move()
	r.anew = len(r.words)
	for i, w := range words {
		if w.Span.Lo >= r.from {
			for len(r.words) > 0 && r.words[len(r.words)-1].Span.Hi > w.Span.Lo {
				r.words = r.words[:len(r.words)-1]
			}
			r.anew = len(r.words)
			r.words = append(r.words, words[i:]...)
			r.within = false // the words are the same from here on
			break
		}
	}
	return r.words
}

// move turns the offsets of the scanner into those of the channel.
func (r *reading) move() {
	for i := range r.words {
		r.words[i].Span.Lo += r.from
		r.words[i].Span.Hi += r.from
	}
}

// peek returns the words that a channel would have if it ended here, and sets tail.
func (r *reading) peek(d *Detector) []ngram.Word {
	r.anew, r.tail = 0, nil
	switch {
	case r.within:
	case d.main.Scanner.Frontier() == d.main.Offset():
		return r.words[:0]
	default:
		r.words, r.tail = d.main.Scanner.Peek(r.words[:0])
		return r.words
	}
	r.words, r.tail = r.scanner.Peek(r.words[:0])
	r.move()
	r.anew = len(r.words)
	return r.words
}

// hear is told words that are complete with p, as [Answer.hear] is.
func (r *reading) hear(d *Detector, p []byte, words []ngram.Word) {
	if r.anew = 0; r.within {
		words = r.rescan(p, words)
	}
	r.tell(d, words)
}

// end is told that a channel is finished.
func (r *reading) end(d *Detector) {
	words := d.main.Words
	if r.anew = 0; r.within {
		words = r.peek(d)
		r.first = append(r.first[:0], r.tail...)
	}
	r.tell(d, words)
}

// tell tells the threads the next words of a channel.
func (r *reading) tell(d *Detector, words []ngram.Word) {
	if len(words) == 0 {
		return
	}
	if r.stubbed&r.readers[r.strand] != 0 {
		for k := range r.stubs {
			r.hearStub(&r.stubs[k], d, words)
		}
		r.count()
	}
	for m := r.busy & r.readers[r.strand]; m != 0; m &= m - 1 {
		i := bits.TrailingZeros8(m)
		t := &r.threads[i]
		if t.state != threadSleeps {
			t.hear(r, d, words, 0)
		}
		t.hearGlued(r, d, words)
		r.look(i)
	}
	r.rest()
}

// pause is told that all bytes of a channel are decided as if the channel ended.
func (r *reading) pause(d *Detector) {
	r.words = r.peek(d)
	if r.stubbed != 0 && len(r.words) == 1 && len(r.tail) > 0 && r.begins(d, &r.words[0]) {
		r.growAll(r.readers[r.strand])
	}
	for m := r.busy & r.readers[r.strand]; m != 0; m &= m - 1 {
		t := &r.threads[bits.TrailingZeros8(m)]
		if t.state != threadSleeps {
			t.try(r, d, r.words)
		}
		t.tryGlued(r, d)
	}
}

// open returns the offset of the first byte of the speaker that may yet become part of a
// finding.
func (r *reading) open() int64 {
	free := int64(math.MaxInt64)
	for m := r.busy & r.readers[r.strand]; m != 0; m &= m - 1 {
		free = min(free, r.threads[bits.TrailingZeros8(m)].waits())
	}
	return free
}
