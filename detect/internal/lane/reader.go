package lane

import (
	"noecho/detect/internal/track"
	"noecho/ngram"
)

// DefaultBudget is the number of bytes that the lanes of a channel may read.
const DefaultBudget = 4 << 20

// Config says which lanes of a channel are read, and how.
type Config struct {
	Host    Host
	Lanes   Lanes
	Budget  int64        // bytes that they may read; 0 means DefaultBudget
	Set     track.Set    // the index
	Words   Vocabulary   // nil: letters that are spaced out or run together are not read
	Ledger  track.Ledger // nil: findings have no places
	Spec    ngram.Spec
	Least   ngram.Weight // of a run that counts
	Strict  bool         // a word waits until the words behind it weigh as much as a run must
	MaxHeld int          // bytes of the channel that may wait
	Memory  *Memory      // of the answer; nil: of the channel alone

	Backward bool // the words of the channel itself come from the last to the first
}

// Reader reads the lanes of one channel. It alone switches lanes on: a lane whose finder
// Start does not return costs nothing.
type Reader struct {
	cfg     Config
	depth   int  // how often this channel was decoded
	inBytes bool // by lanes that are codes of bytes
	work    *work
	own     Memory // unless the channels of an answer share one

	past    past     // the newest bytes of the channel
	chain   *chain   // scratch of respace; nil: not needed yet
	codes   *codes   // nil: no lane of these is read
	reverse *reverse // nil: not read
	respace *respace // nil: not read
	spare   struct { // finders of an earlier channel, used again
		codes   *codes
		reverse *reverse
		respace *respace
	}
}

// work counts the work of the lanes of a channel, those of decoded text included.
type work struct {
	read      int64 // bytes
	pieces    int64 // in which they and the channel were read
	letters   int64 // of which words were formed
	budget    int64
	unscanned int64

	memory *Memory
	nests  int // borrowed
	rooms  int
}

// spent reports whether no lane may read on.
func (w *work) spent() bool { return w.read >= w.budget }

// NewReader returns a reader.
func NewReader() *Reader { return &Reader{inBytes: true, work: &work{}} }

// giveBack gives back the bytes that the lanes of the last channel used.
func (r *Reader) giveBack() {
	if c := r.spare.codes; c != nil {
		c.giveBack()
	}
	if s := r.spare.respace; s != nil {
		s.giveBack()
	}
}

// Forget drops every byte and word of the last channel and keeps storage for another one of
// the same suite.
func (r *Reader) Forget(suite ngram.Suite) {
	r.giveBack()
	*r.work = work{}
	clear(r.past.buf)
	if r.chain != nil {
		*r.chain = chain{}
	}
	*r = Reader{inBytes: true, work: r.work, past: past{buf: r.past.buf}, chain: r.chain, spare: r.spare}
	if c := r.spare.codes; c != nil {
		*c = codes{r: r}
	}
	if v := r.spare.reverse; v != nil {
		v.t.Forget(suite)
		*v.found = reverseFinding{}
		if f := v.fork; f != nil {
			*f = reverse{r: r, token: track.Emptied(f.token), order: track.Emptied(f.order)}
		}
		*v = reverse{r: r, t: v.t, token: track.Emptied(v.token), order: track.Emptied(v.order), found: v.found, fork: v.fork}
	}
	if s := r.spare.respace; s != nil {
		*s.respaced = respaced{}
		if s.fork != nil {
			*s.fork = respace{}
		}
		*s = respace{r: r, respaced: s.respaced, fork: s.fork}
	}
}

// Start prepares for a new channel and appends the finders that cfg asks for.
func (r *Reader) Start(dst []Finder, cfg Config) []Finder {
	r.giveBack()
	r.cfg, r.past, r.codes, r.reverse, r.respace = cfg, past{buf: r.past.buf}, nil, nil, nil
	if r.depth == 0 {
		*r.work = work{budget: cfg.Budget, memory: cfg.Memory}
		if cfg.Budget <= 0 {
			r.work.budget = DefaultBudget
		}
		if cfg.Memory == nil {
			r.work.memory = &r.own
		}
	}
	if cfg.Lanes&^LanesOf(Despaced) != 0 || r.depth > 0 {
		if r.spare.codes == nil {
			r.spare.codes = &codes{r: r}
		}
		r.codes = r.spare.codes
		r.codes.reset()
		dst = append(dst, r.codes)
	}
	if cfg.Lanes.has(ReversedWords) {
		if r.spare.reverse == nil {
			r.spare.reverse = &reverse{r: r}
		}
		r.reverse = r.spare.reverse
		r.reverse.reset()
		dst = append(dst, r.reverse)
	}
	if cfg.Words != nil && cfg.Lanes.has(Despaced) {
		if r.spare.respace == nil {
			r.spare.respace = &respace{r: r}
		}
		r.respace = r.spare.respace
		r.respace.reset()
		dst = append(dst, r.respace)
	}
	return dst
}

// Pass lets all finders read the first of several words, of which the first has number i, up
// to one that concerns a lane, and returns how many they have read.
func (r *Reader) Pass(i int64, words []ngram.Word) int {
	n, s := len(words), r.respace
	var before wordGapDetector
	if s != nil {
		if s.awake || r.cfg.Strict || s.tired != (patience{}) {
			return 0
		}
		before = s.gaps
		n = s.gaps.pass(s, i, words)
	}
	if r.reverse == nil {
		return n
	}
	read := r.reverse.pass(words[:n])
	if read < n && s != nil {
		s.gaps = before
		s.gaps.pass(s, i, words[:read])
	}
	return read
}

// Cut returns how many of the next bytes may be read at once, at least one.
func (r *Reader) Cut(p []byte) int {
	r.work.pieces++
	if r.codes == nil {
		return len(p)
	}
	return r.codes.cut(p)
}

// Suspects reports whether bytes wait because of indexed words in decoded text. Other bytes
// wait only until it is certain that they are no code.
func (r *Reader) Suspects() bool {
	if r.codes == nil {
		return false
	}
	for i := range r.codes.slots {
		if o := &r.codes.slots[i]; o.state == laneAwake && o.reader.nest.nested.Suspects() {
			return true
		}
	}
	return false
}

// Load counts the work of the lanes of a channel.
type Load struct {
	Read      int64 // bytes, those of decoded text included
	Pieces    int64 // in which they and the channel were read
	Formed    int64 // letters of which words were formed
	Unscanned int64 // bytes beyond the budget or decoded too often, and letters with too many ways to read them
	Awake     int   // lanes that are reading
	Letters   int   // waiting for the end of their word
	Paths     int   // ways to read the letters up to the newest one
}

// Load returns the work so far.
func (r *Reader) Load() Load {
	l := Load{Pieces: r.work.pieces, Formed: r.work.letters}
	if r.codes != nil {
		l.Read, l.Unscanned, l.Awake = r.work.read, r.work.unscanned, r.codes.awake
	}
	if s := r.respace; s != nil {
		l.Unscanned += s.lattice.unread
		l.Letters = len(s.queue)
		if s.awake {
			l.Awake++
		}
		if n := s.lattice.count; n > 0 && s.lattice.room != nil {
			at := s.lattice.slot(n - 1)
			l.Paths = int(at.last - at.first)
		}
	}
	return l
}
