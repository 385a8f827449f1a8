package detect

import (
	"math"

	"noecho/detect/internal/lane"
	"noecho/detect/internal/track"
	"noecho/internal/gram"
	"noecho/ngram"
)

// pieceBytes is how much text is read at once. It bounds scratch memory and changes no
// result.
const pieceBytes = 1 << 10

// openBytes is how much text without a word is read in pieces. Finders keep the newest
// bytes, twice a piece. If no word comes the channel is read byte by byte, so that they
// have the same bytes however the caller cut it.
const openBytes = 512

// goneBytes is so much text without a word that no finder keeps the bytes before it.
const goneBytes = 8 << 10

// seamBytes is how much of the prompt's end is read together with the channel, so that
// a word that begins in the prompt and ends in the channel is one word. So many bytes
// have more words than the shortest run that is usually asked for.
const seamBytes = 8 << 10

// longChannel is how many words a streamed channel has when it gives back the storage of the
// prompt's end. A shorter one leaves it for the next channel.
const longChannel = 32

// Detector decides about the bytes of one channel. It is not safe for concurrent use.
// Reset makes it ready for another channel. It allocates nothing until it finds
// something.
//
// A word is released when no run through it can be completed any more:
//
//   - every window over it that is complete has been looked up, and
//   - every window over it that is not complete would contain a 2- or 4-gram that is
//     known to be absent from the index (adaptive), or the weight of the words behind
//     the word rules such windows out (strict), and
//   - the word belongs to no run of indexed windows that is still too light to count.
//
// Worked example, n = 10, nothing indexed but "a b c d e f g h i j": of the text
// "x a b c d e f g h i k", x is released when "x a" is found absent, a to i wait while
// each newer gram is present, and are released when "i k" is absent.
type Detector struct {
	cfg   Config
	index Index
	spec  ngram.Spec
	least ngram.Weight

	ledger track.Ledger    // nil: there is none
	words  lane.Vocabulary // nil: there is none

	host  host
	runs  verbatim
	main  reader        // the channel
	seam  *reader       // the end of the prompt and the channel as one text; nil: main finds everything that it would
	forks []lane.Finder // of the finders, while a channel is parked
	lanes *lane.Reader  // nil: no lane is read

	hasPhrases bool
	guessable  bool           // a message has words that a caller may have guessed
	stems      map[uint64]int // endings by the words before them
	endings    int64
	speller    speller
	peeked     []ngram.Word // scratch

	reading bool  // Append runs, or has panicked
	asked   uint8 // counts pieces, see stop
	stopped bool  // Done was closed: nothing more is read or decided

	strand Strand // of the next word
	turns  []turn // the strands behind it, in order, from turned on
	turned int
	ended  int   // the next one of turns where a text may end that goes on now
	begins int64 // offset where the newest text begins

	// While a word may be cut over the texts of the answer:
	head    []byte              // normalised bytes of a word that the channel's newest bytes go on with
	newest  []byte              // these bytes
	from    int64               // their offset
	first   firstLetter         // of the newest text
	told    [ofPieces + 1]int64 // each reading knows all words before its offset
	pointed int64               // the oldest source of a thread ends there; math.MaxInt64: there is none
	pieces  *reading            // of the channel in pieces that may begin words; nil: none was within a word

	// Kept for another channel or another pause.
	edges      *edges // nil: not needed yet
	fork       reader // the channel as if it ended here
	laneReader *lane.Reader
	near       *near
	phrases    *phraseFinder
	values     *values // the strings of JSON text; nil: not needed yet
}

// edges read the texts around a completion together with the channel.
type edges struct {
	seam, back reader       // the end of the prompt before the channel, and the text that follows behind it
	spaced     reader       // the end of the prompt and the channel, with a space between
	seamFinder phraseFinder // of seam
	forkFinder phraseFinder // of seam, while the channel is parked
	backFinder phraseFinder // of back
}

// edge returns the readers of the texts around the completion.
func (d *Detector) edge() *edges {
	if d.edges == nil {
		d.edges = &edges{}
	}
	return d.edges
}

// New returns a detector for one channel.
func New(ix Index, spec ngram.Spec, cfg Config) *Detector {
	d := &Detector{}
	d.Reset(ix, spec, cfg)
	return d
}

// Reset makes the detector ready for a new channel under cfg. Without an index it drops
// every byte and word of the last channel, of its prompt and its [Answer] instead, so that they
// can be kept for another answer.
func (d *Detector) Reset(ix Index, spec ngram.Spec, cfg Config) {
	if ix == nil {
		d.forget()
		return
	}
	cfg.Prompt.prepare(ix, spec, cfg.MinWords)
	if cfg.MaxHeld <= 0 {
		cfg.MaxHeld = defaultMaxHeld
	}
	d.cfg, d.index, d.spec = cfg, ix, spec
	d.reading, d.asked, d.stopped, d.endings = false, 0, false, 0
	clear(d.stems)
	d.guessable = cfg.Prompt.joined() && cfg.Prompt.all().longest >= spec.N-1
	d.ledger, d.words = nil, nil
	var ledger, words bool
	ledger, d.hasPhrases, words = ix.Has()
	if ledger {
		d.ledger = ix
	}
	if words {
		d.words = ix
	}
	d.pieces = nil
	d.turns, d.turned, d.ended, d.begins, d.told = track.Emptied(d.turns), 0, 0, 0, [ofPieces + 1]int64{}
	d.first.forget()
	d.strand, d.pointed = d.of(Texts), math.MaxInt64
	d.least = ngram.Weight(max(spec.N, cfg.MinWords)) * ngram.WordWeight
	d.main.init(d)
	d.main.Mark = uint8(d.strand)
	d.main.Backward = cfg.decoded == lane.Reversed
	d.main.joins.reset(cfg.Prompt)
	d.host.reset(d)
	d.runs = verbatim{h: &d.host, places: d.runs.places}
	d.startFinders()
	d.startSeam()
	startValues(d)
}

// forget drops the channel and keeps storage of the usual size.
func (d *Detector) forget() {
	if d.cfg.Answer != nil {
		d.cfg.Answer.reset()
	}
	suite := d.spec.Suite // all storage is for texts of the same spec
	d.main.forget(suite)
	d.host.forget()
	if e := d.edges; e != nil {
		e.seam.forget(suite)
		e.back.forget(suite)
		e.spaced.forget(suite)
		*e = edges{seam: e.seam, back: e.back, spaced: e.spaced}
	}
	if r := d.laneReader; r != nil {
		r.Forget(suite)
	}
	if n := d.near; n != nil {
		n.chain.Forget()
		*n = near{h: n.h, chain: n.chain}
	}
	if p := d.phrases; p != nil {
		p.drop()
	}
	if v := d.values; v != nil {
		v.drop()
	}
	// A literal of two kilobytes would be built on the stack first.
	spec, main, host, words, forks, peeked, turns, head := d.spec, d.main, d.host, d.fork.Words, d.forks, d.peeked, d.turns, d.head
	edges, lanes, near, phrases, values := d.edges, d.laneReader, d.near, d.phrases, d.values
	*d = Detector{}
	d.spec, d.main, d.host, d.fork.Words, d.forks, d.peeked = spec, main, host, track.Emptied(words), track.Emptied(forks), track.Emptied(peeked)
	d.turns, d.head = track.Emptied(turns), track.Emptied(head)
	d.edges, d.laneReader, d.near, d.phrases, d.values = edges, lanes, near, phrases, values
}

// startFinders sets up the finders that the index and the config allow.
func (d *Detector) startFinders() {
	if d.hasPhrases {
		if d.phrases == nil {
			d.phrases = &phraseFinder{h: &d.host, openPhrase: &openPhrase{}}
		}
		d.phrases.reset()
		d.main.finders = append(d.main.finders, d.phrases)
	}
	if d.looksNear() {
		if d.near == nil {
			d.near = &near{h: &d.host}
		}
		d.near.reset()
		d.main.finders = append(d.main.finders, d.near)
	}
	d.speller.suite = d.spec.Suite
	d.lanes = nil
	if d.cfg.Lanes == 0 && d.cfg.decoded == Plain {
		return
	}
	if d.laneReader == nil {
		d.laneReader = lane.NewReader()
	}
	d.lanes = d.laneReader
	d.main.finders = d.lanes.Start(d.main.finders, lane.Config{
		Host: &d.host, Lanes: d.cfg.Lanes, Budget: d.cfg.LaneBudget, Set: d.index, Words: d.words, Ledger: d.ledger,
		Spec: d.spec, Least: d.least, Strict: d.main.Strict, Backward: d.main.Backward, MaxHeld: d.cfg.MaxHeld,
		Memory: d.cfg.LaneMemory,
	})
}

// looksNear reports whether near matches are looked for.
func (d *Detector) looksNear() bool { return d.ledger != nil && !d.cfg.Near.Off }

// openSeam returns the offset of the first word of the prompt's end and the channel that
// may yet belong to a phrase. It is negative if that is a word of the prompt.
func (d *Detector) openSeam() int64 {
	if d.seam == nil || !d.hasPhrases {
		return math.MaxInt64
	}
	return d.edges.seamFinder.open()
}

// startSeam reads the end of the prompt if the channel continues it.
func (d *Detector) startSeam() {
	d.seam = nil
	p := d.cfg.Prompt
	if p == nil || len(p.Tail) == 0 || p.excuses != nil {
		return
	}
	tail := p.Tail[max(0, len(p.Tail)-d.seamLength()):]
	e := d.edge()
	d.seam = &e.seam
	d.seam.init(d)
	d.seam.Base = -int64(len(tail))
	if d.hasPhrases {
		e.seamFinder.startSeam(d.phrases, &d.seam.Track)
		d.seam.finders = append(d.seam.finders, &e.seamFinder)
	}
	d.seam.readText(tail)
}

// seamLength is how many bytes of the prompt's end, and of the text that follows the
// completion, are read together with the channel.
func (d *Detector) seamLength() int {
	if d.cfg.strings {
		return max(seamBytes/8, 32*d.cfg.MinWords)
	}
	return max(seamBytes, 32*d.cfg.MinWords)
}

// Append reads p, the next bytes of the channel's unescaped text, and appends the
// segments that became final. Clean segments that touch may be merged. Once a finding
// is blocked, and once Done is closed, Append reads and appends nothing more.
func (d *Detector) Append(dst []Segment, p []byte) []Segment {
	d.reading = true
	dst = d.append(dst, p)
	d.reading = false
	return dst
}

func (d *Detector) append(dst []Segment, p []byte) []Segment {
	answer := d.cfg.Answer
	if d.cfg.Streamed && d.edges != nil && d.seam == nil && d.main.Count >= longChannel && (d.cfg.Prompt == nil || len(d.cfg.Prompt.Suffix) == 0) {
		d.edges = nil
	}
	if answer != nil && len(p) > 0 && (answer.speaker != d || d.turned < len(d.turns)) {
		d.turnIn(p)
		answer.speak(d, d.main.Scanner.Offset())
	}
	if answer != nil && d.cfg.Pieces && len(p) > 0 && p[0] > ' ' && d.main.Scanner.Frontier() < d.main.Scanner.Offset() {
		answer.piece(d)
	}
	if d.host.blocked != nil {
		return d.release(dst)
	}
	for len(p) > 0 && d.host.blocked == nil {
		if d.asked++; d.asked%askPieces == 0 && d.stop() {
			return dst
		}
		n := min(len(p), pieceBytes, d.cfg.MaxHeld-d.held())
		if d.seam != nil {
			// Both readers go byte by byte, so that their findings come in order.
			n = 1
			d.seam.readText(p[:n])
		}
		if open := d.main.Open(); len(d.main.finders) > 0 && open > openBytes && open < goneBytes {
			n = 1
		}
		if d.lanes != nil {
			n = d.lanes.Cut(p[:n])
		}
		if d.cfg.Extent == ExtentSentence {
			d.host.sentences.read(p[:n])
		}
		for _, f := range d.main.finders {
			f.Text(p[:n])
		}
		if v := d.values; v != nil && (v.state != valuesOff || v.fresh >= 0) {
			v.read(p[:n])
		}
		if answer == nil || answer.awake == 0 && d.turned == len(d.turns) && (d.pieces == nil || !d.pieces.awake) {
			d.main.readText(p[:n])
		} else {
			d.readStrands(p[:n])
		}
		if d.seam != nil && !d.seam.says(&d.main) && d.openSeam() >= 0 {
			d.seam = nil
		}
		p = p[n:]
		dst = d.release(dst)
		if d.host.blocked == nil && d.held() >= d.cfg.MaxHeld {
			d.host.let()
			if dst = d.release(dst); d.held() >= d.cfg.MaxHeld {
				dst = d.overflow(dst)
			}
		}
	}
	return dst
}

// askPieces is how many pieces are read before Done is looked at.
const askPieces = 32

// stop reports whether Done is closed.
func (d *Detector) stop() bool {
	select {
	case <-d.cfg.Done:
		d.stopped = true
	default:
	}
	return d.stopped
}

// spend takes look-ups from those that the joins of the answer may spend, and reports
// whether there were enough. There are none once Done is closed.
func (d *Detector) spend(n int64) bool { return d.cfg.Prompt.spend(n) && !d.stop() }

// read is the number of bytes that were read. A thread has as many bytes as words.
func (d *Detector) read() int64 {
	if d.main.Numbered {
		return d.host.words.Count
	}
	return d.main.Scanner.Offset()
}

// held is the number of bytes that wait.
func (d *Detector) held() int { return int(d.read() - d.host.emitted) }

// Park decides every byte read so far as if the text ended here, so that Frontier
// reaches the end, but for a last word of which [Config].Cut does not know yet. It is for a pause: the channel may go on with Append. A window that
// reaches across the pause still counts: its words behind the pause are then withheld,
// and the finding is marked Resumed.
func (d *Detector) Park(dst []Segment) []Segment {
	if d.host.blocked != nil {
		return d.release(dst)
	}
	if d.held() == 0 || d.stop() {
		return dst
	}
	last := lastWordOf(d)
	d.forks = d.forks[:0]
	for _, f := range d.main.finders {
		if fork := f.Fork(); fork != nil {
			d.forks = append(d.forks, fork)
		}
	}
	if d.seam != nil {
		var forks []lane.Finder
		if d.hasPhrases {
			e := d.edges
			e.forkFinder.copyFrom(&e.seamFinder, &d.fork.Track)
			forks = []lane.Finder{&e.forkFinder}
		}
		d.try(d.seam, forks)
	}
	d.host.words = &d.fork.Track
	d.try(&d.main, d.forks)
	d.host.words = &d.main.Track
	if d.values != nil {
		d.values.park()
	}
	if d.cfg.Answer != nil {
		d.cfg.Answer.pause(d)
	}
	free := last.decide(d)
	if d.host.blocked != nil || d.stopped {
		return d.release(dst)
	}
	free = min(free, d.values.undecided())
	dst = d.host.emit(dst, free)
	d.host.parked = d.host.emitted
	return dst
}

// tryTurn looks for windows and phrases that end with the words that wait in the channel:
// when the answer goes on in another channel, the last word may go on as another one.
func (d *Detector) tryTurn(words []ngram.Word) {
	if len(words) == 0 || d.host.blocked != nil || !d.hasPhrases && !d.main.Run.Active && d.main.Count-d.main.FirstLive() < int64(d.spec.N)-1 {
		return
	}
	d.forks = d.forks[:0]
	if d.hasPhrases {
		d.forks = append(d.forks, d.phrases.Fork())
	}
	d.fork.fork(&d.main, d.forks)
	d.host.words = &d.fork.Track
	d.fork.read(words)
	for _, f := range d.forks {
		f.End()
	}
	d.host.words = &d.main.Track
}

// try reads the words that wait in a reader as if the text ended here. The reader is
// not changed: a fork of it reads them.
func (d *Detector) try(r *reader, finders []lane.Finder) {
	d.readSuffix(r)
	f := &d.fork
	if len(r.joins.at) > 0 {
		d.spend(int64(len(r.joins.at))) // they are copied
	}
	f.fork(r, finders)
	f.Words, _ = r.Scanner.Peek(f.Words[:0])
	f.read(f.Words)
	f.joinEnd()
	f.endJoins()
	for _, t := range finders {
		t.End()
	}
}

// readSuffix lets a copy of a reader go on with the text that follows the completion.
func (d *Detector) readSuffix(r *reader) {
	if d.cfg.Prompt == nil || len(d.cfg.Prompt.Suffix) == 0 {
		return
	}
	suffix := d.cfg.Prompt.Suffix
	e := d.edge()
	b := &e.back
	b.d, b.origin, b.finders = d, b, b.finders[:0]
	b.Track.CopyFrom(&r.Track)
	if d.hasPhrases {
		of := d.phrases
		if r == d.seam {
			of = &e.seamFinder
		}
		e.backFinder.copyFrom(of, &b.Track)
		b.finders = append(b.finders, &e.backFinder)
	}
	b.readText(suffix[:min(len(suffix), d.seamLength())])
	b.finish()
}

// Finish decides all bytes: the text is complete. Only Closed, Frontier, Counts and
// Reset may follow.
func (d *Detector) Finish(dst []Segment) []Segment {
	if d.host.blocked != nil {
		return d.release(dst)
	}
	if d.stop() {
		d.host.settleAll() // of findings that are open a part may have left
		return dst
	}
	last := lastWordOf(d)
	if d.seam != nil {
		d.readSuffix(d.seam)
		d.seam.finish()
		d.runs.endRun(d.seam)
		d.seam = nil
	}
	d.readSuffix(&d.main)
	if d.cfg.Answer != nil {
		d.cfg.Answer.readsOn(d, nil)
		d.willRead(track.Provisional)
	}
	d.main.finish()
	if d.cfg.Answer != nil {
		d.cfg.Answer.end(d)
	}
	d.main.joinEnd()
	d.main.endJoins()
	d.runs.endRun(&d.main)
	for _, f := range d.main.finders {
		f.End()
	}
	d.runs.close()
	if d.values != nil {
		d.values.stop()
	}
	last.known = true
	free := last.decide(d)
	if d.host.blocked != nil || d.stopped {
		return d.release(dst)
	}
	return d.host.emit(dst, free)
}

// Frontier is the offset below which every byte is decided and part of a segment.
func (d *Detector) Frontier() int64 { return d.host.emitted }

// Closed appends the findings that became complete since the last call, echoes
// included, in order of their start. After a panic of Append no finding can grow: all are complete.
func (d *Detector) Closed(dst []*Finding) []*Finding {
	if d.reading {
		d.host.settleAll()
		d.reading = false
	}
	return d.host.take(dst)
}

// Counts returns numbers about the channel so far. Words is how many were read. Unscanned is how many of its bytes
// no lane read, because the budget was spent or because they were encoded too often, and
// of its letters for which there were more ways to form words than may be kept. Endings is
// how often n-1 words in a row that a message of the prompt has, and that may be indexed,
// ended with a word that no indexed window has there, each time but the first: a caller
// who has the model try the endings of a text causes many.
func (d *Detector) Counts() (words, unscanned, endings int64) {
	return d.main.Count, d.unscanned(), d.endings
}

func (d *Detector) unscanned() int64 {
	if d.lanes == nil {
		return 0
	}
	return d.lanes.Load().Unscanned
}

// release appends the segments that have become final.
func (d *Detector) release(dst []Segment) []Segment {
	if d.stopped {
		return dst
	}
	if f := d.host.blocked; f != nil {
		d.runs.cur = nil
		d.host.settleAll()
		if c := d.host.of(f); c != nil {
			dst = d.host.emit(dst, c.span.Hi)
		}
		return dst
	}
	free := d.open()
	free = min(free, d.host.beyond(d.values.waits()))
	if d.main.Strict {
		for _, f := range d.main.finders {
			free = min(free, f.Waits())
		}
		return d.host.emit(dst, d.host.begin(free))
	}
	for _, f := range d.main.finders {
		free = min(free, d.host.beyond(f.Waits()))
	}
	return d.host.emit(dst, d.host.pending(d.host.begin(free)))
}

// open returns the offset of the first byte that waits because of runs, or of phrases at the
// prompt's end. The newest finding is complete once a clean word follows it.
func (d *Detector) open() int64 {
	free, last := d.main.open()
	if d.seam != nil {
		f, _ := d.seam.open()
		free = min(free, f)
	}
	if cur := d.runs.cur; cur != nil {
		if hi := cur.Span.Hi; last >= hi && last < free {
			d.runs.close()
		} else {
			free = min(free, hi)
		}
	}
	if d.main.Strict {
		return d.steadyOffset()
	}
	if a := d.cfg.Answer; a != nil && (a.awake != 0 || d.pieces != nil) {
		free = min(free, a.open(d))
	}
	if d.seam != nil {
		free = min(free, d.host.beyond(d.openSeam()))
	}
	return free
}

// steady returns the first word that waits in strict release, whatever is indexed: as many
// wait as may become part of a run that does not count yet, or of the longest phrase. They
// are enough for runs and phrases that began in the prompt or in another channel.
func (d *Detector) steady() int64 {
	t := d.host.words
	first := t.FirstOpen()
	if d.hasPhrases {
		first = min(first, max(0, t.Count-gram.MaxPhraseWords))
	}
	return first
}

// steadyOffset returns the offset of the first byte that waits in strict release.
func (d *Detector) steadyOffset() int64 {
	if first := d.steady(); first > 0 {
		return d.main.Span(first).Lo
	}
	return 0
}

// suspects reports whether bytes wait because of indexed words or findings.
func (d *Detector) suspects() bool {
	if d.main.Suspects() || d.seam != nil && d.seam.Suspects() || len(d.host.list) > 0 || d.hasPhrases && len(d.phrases.live) > 0 {
		return true
	}
	for _, f := range d.main.finders {
		if near, ok := f.(*near); ok && near.Waits() < math.MaxInt64 {
			return true
		}
	}
	return d.values.suspects() || d.lanes != nil && d.lanes.Suspects()
}

// overflow decides all bytes that wait: there is no room for more. They are withheld if
// indexed words are among them. Otherwise they are released: no word at all comes for so
// long in a picture whose bytes are all the same, for example.
func (d *Detector) overflow(dst []Segment) []Segment {
	h := &d.host
	if !d.suspects() {
		h.overflow = d.main.Scanner.Offset()
		return h.emit(dst, h.overflow)
	}
	d.runs.close()
	f := &Finding{Kind: Overflow, Span: ngram.Span{Lo: h.emitted, Hi: d.main.Scanner.Offset()}}
	for i := d.main.Count - 1; i >= d.main.Oldest() && d.main.Span(i).Hi > f.Span.Lo; i-- {
		f.Words++
	}
	h.decide(f)
	h.closed = append(h.closed, f)
	h.emitted, h.overflow = f.Span.Hi, f.Span.Hi
	h.gone = Segment{Span: f.Span, Finding: f}
	return append(dst, h.gone)
}
