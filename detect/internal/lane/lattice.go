package lane

import (
	"math"
	"math/bits"
	"unicode/utf8"

	"noecho/internal/gram"
	"noecho/ngram"
)

// lattice finds the words in a sequence of letters. Behind each letter it keeps the paths
// that end there. A path is words in a row, each of which may be part of an indexed
// window, and whose 2-grams and 4-grams may be indexed, as far as the filters tell. If the
// newest 4-gram of a path is absent, the path goes on with its last three words; if its
// newest 2-gram is absent, with the last word alone. So no window is missed, and each way
// to read the letters is kept once. A path of n words is looked up as a window.
//
// Only paths that the filters refute are dropped, within two bounds: each letter earns
// credit for meanProbes look-ups, of which some may be saved up, and no more than
// mostPaths end at a letter. Beyond a bound paths of shorter words, behind shorter paths,
// are left out. Ordinary text reaches neither bound.
type lattice struct {
	n      int
	begun  int64 // letters before the first one
	count  int64 // letters read
	made   uint64
	credit int   // look-ups that may be made
	unread int64 // letters at which a bound was reached
	*room        // while it is awake
}

// room is the storage that respace needs while it is awake.
type room struct {
	paths []path             // a ring, length a power of two; a fork writes where the next paths go
	slots [latticeSlots]slot // the newest letters
	tail  [tailBytes + 16]byte
	words [maxLetters]latticeWord

	// Scratch of candidates: calls through interfaces would allocate arrays.
	from          [maxLetters]uint8
	hashes, lower [maxLetters]uint64

	letters ngram.Letters     // reads them
	located [ngram.MaxN]*path // scratch of locate
}

// slot is one letter.
type slot struct {
	span        ngram.Span
	first, last uint64 // the paths that end here
	bytes       uint8
	begins      bool // a word of the channel begins here
	alone       bool // it is a word of its own, in a script without spaces
}

// path is words in a row that end at one letter.
type path struct {
	made    uint64    // number of the path
	key     uint64    // of the last n-1 words, if there are as many
	prev    uint64    // the path without the newest word; 0: none
	prefix  uint64    // prefix hash behind the newest word
	before  [3]uint64 // prefix hashes before the newest one, two and three words
	lo      int64     // of the newest word
	letters int32     // of the newest word
	depth   int32     // words
	plain   int32     // how many of the newest words are words of the channel too
	odd     uint8     // a bit for each of the newest words, the newest in bit 0: it is none of the channel
	weight  ngram.Weight
	run     ngram.Weight // of the run of indexed windows that ends here; 0: none
	claim   int64        // where the claimed part of the run begins; -1: none is claimed
	claimed int32        // words from there on
	windows int32
}

// latticeWord is a word that ends at the newest letter.
type latticeWord struct {
	hash    uint64
	letters int32
}

const (
	maxLetters   = 24             // in a word
	tailBytes    = 4 * maxLetters // of the newest letters
	latticeSlots = 32             // more than maxLetters, a power of two
	meanProbes   = 128            // look-ups earned with a letter
	mostProbes   = 1 << 14        // look-ups that may be saved up
	mostPaths    = 64             // that end at a letter
	pathsPerWord = 256            // in the ring, for each word of a window
)

// ringSize is the number of paths that are kept, for windows of n words.
func ringSize(n int) int {
	size := 1
	for size < pathsPerWord*n {
		size *= 2
	}
	return size
}

// begin makes the lattice ready for letters that do not follow the ones before.
func (m *lattice) begin(n int, room *room) {
	m.n, m.room = n, room
	m.begun, m.credit = m.count, mostProbes
	m.made = max(m.made, 1) // 0 is no path
}

func (m *lattice) slot(i int64) *slot { return &m.slots[i%latticeSlots] }

// path returns a path by its number, nil if it is no longer kept.
func (m *lattice) path(number uint64) *path {
	p := &m.paths[number&uint64(len(m.paths)-1)]
	if number == 0 || p.made != number {
		return nil
	}
	return p
}

// push reads the next letter and reports whether a path that ends there looks like indexed
// text in other words than those of the channel.
func (m *lattice) push(s *respace, l ngram.Letter) (likely bool) {
	at := m.slot(m.count)
	*at = slot{span: l.Span, first: m.made, last: m.made, begins: l.First, alone: l.Weight < ngram.WordWeight}
	m.count++
	n := utf8.RuneLen(l.Rune)
	at.bytes = uint8(n)
	copy(m.tail[:tailBytes-n], m.tail[n:tailBytes])
	utf8.EncodeRune(m.tail[tailBytes-n:tailBytes], l.Rune)
	m.credit = min(m.credit+meanProbes, mostProbes)
	words := m.candidates(s)
	for i := len(words) - 1; i >= 0; i-- {
		w := &words[i]
		own := at.last
		likely = m.extend(s, w, l) || likely
		if at.last == own {
			m.fresh(w, l)
		}
	}
	if m.credit <= 0 || at.last-at.first >= mostPaths {
		m.unread++
	}
	return likely
}

// candidates returns the words that end at the newest letter, the shortest first.
func (m *lattice) candidates(s *respace) []latticeWord {
	n, lo := 0, uint8(tailBytes)
	for most := int(min(maxLetters, m.count-m.begun)); n < most; n++ {
		at := m.slot(m.count - int64(n) - 1)
		if at.alone && n > 0 {
			break
		}
		lo -= at.bytes
		m.from[n] = lo
		if at.alone {
			n++
			break
		}
	}
	s.r.cfg.Spec.Suite.Ends(m.hashes[:n], m.tail[:tailBytes], m.from[:n])
	words := m.words[:0]
	for known := m.known(s, n); known != 0; known &= known - 1 {
		k := bits.TrailingZeros64(known)
		words = append(words, latticeWord{m.hashes[k], int32(k) + 1})
	}
	return words
}

// known returns which of the first n of the hashes may be those of words of an indexed window:
// bit i is the answer for hash i.
func (m *lattice) known(s *respace, n int) (known uint64) {
	if s.batch == nil {
		for i, h := range m.hashes[:n] {
			if s.r.cfg.Words.Word(ngram.Gram(0, h, 1)) {
				known |= 1 << i
			}
		}
		return known
	}
	for i, h := range m.hashes[:n] {
		m.lower[i] = ngram.Gram(0, h, 1).Lo
	}
	return s.batch.Known(1, m.lower[:n])
}

// extend adds a word to the paths that end where it begins, first to those of at least
// four words.
func (m *lattice) extend(s *respace, w *latticeWord, l ngram.Letter) (likely bool) {
	begin := m.count - int64(w.letters)
	if begin <= m.begun {
		return false
	}
	ends := m.slot(begin - 1)
	for _, long := range [...]bool{true, false} {
		pair, asked := false, int32(0) // whether the word may follow a word of so many letters
		for number := ends.first; number < ends.last; number++ {
			p := m.path(number)
			if p == nil || p.depth > 3 != long {
				continue
			}
			if p.letters != asked {
				if m.credit <= 0 {
					return likely
				}
				m.credit--
				asked = p.letters
				pair = s.r.cfg.Set.Gate2(ngram.Gram(p.before[0], ngram.Roll(p.prefix, w.hash), 2))
			}
			if pair {
				likely = m.follow(s, p, w, l) || likely
			}
		}
	}
	return likely
}

// follow adds a word to a path and reports whether it looks like indexed text.
func (m *lattice) follow(s *respace, p *path, w *latticeWord, l ngram.Letter) bool {
	prefix := ngram.Roll(p.prefix, w.hash)
	depth := p.depth + 1
	if depth > 3 {
		m.credit--
		if !s.r.cfg.Set.Gate4(ngram.Gram(p.before[2], prefix, 4)) {
			depth = 3
		}
	}
	at := m.slot(m.count - 1)
	if depth == 3 && m.again(at, w, gram.Between(p.before[1], prefix, 3)) || at.last-at.first >= mostPaths {
		return false
	}
	q := m.add(at, w, l)
	q.prev, q.prefix, q.depth = p.made, prefix, depth
	q.before = [3]uint64{p.prefix, p.before[0], p.before[1]}
	if q.plain > 0 {
		q.plain += p.plain
	}
	q.odd |= p.odd << 1
	if int(depth) >= m.n {
		m.window(s, q, p, l)
	}
	odd := q.odd
	if int(depth) >= m.n-1 {
		m.merge(at, q)
	}
	return depth >= deep && bits.OnesCount8(odd&(1<<deep-1)) >= deep/2
}

// merge drops the newest path if another path with the same last n-1 words ends there too,
// since no later word can tell them apart. The path whose run is claimed from further back
// is kept.
func (m *lattice) merge(at *slot, q *path) {
	first := q
	for range m.n - 2 {
		if first = m.path(first.prev); first == nil {
			return
		}
	}
	q.key = gram.Between(first.before[0], q.prefix, m.n-1)
	for number := at.first; number < q.made; number++ {
		p := m.path(number)
		if p == nil || int(p.depth) < m.n-1 || p.letters != q.letters || p.key != q.key {
			continue
		}
		if q.claim >= 0 && (p.claim < 0 || q.claim < p.claim) || p.run == 0 && q.run > 0 {
			made := p.made
			*p = *q
			p.made = made
		}
		m.made--
		at.last = m.made
		return
	}
}

// again reports whether a path with these last three words ends at the newest letter.
func (m *lattice) again(at *slot, w *latticeWord, three uint64) bool {
	for number := at.first; number < at.last; number++ {
		if p := m.path(number); p != nil && p.depth > 2 && p.letters == w.letters && gram.Between(p.before[2], p.prefix, 3) == three {
			return true
		}
	}
	return false
}

// fresh begins a path.
func (m *lattice) fresh(w *latticeWord, l ngram.Letter) {
	at := m.slot(m.count - 1)
	if at.last-at.first >= mostPaths {
		return
	}
	q := m.add(at, w, l)
	q.prefix, q.depth = w.hash, 1
}

// add makes a path that ends at the newest letter.
func (m *lattice) add(at *slot, w *latticeWord, l ngram.Letter) *path {
	begins := m.slot(m.count - int64(w.letters))
	q := &m.paths[m.made&uint64(len(m.paths)-1)]
	*q = path{made: m.made, lo: begins.span.Lo, letters: w.letters, weight: l.Weight, claim: -1, odd: 1}
	if begins.begins && l.Last && m.whole(w) {
		q.plain, q.odd = 1, 0
	}
	m.made++
	at.last = m.made
	return q
}

// whole reports whether no word of the channel begins inside a word.
func (m *lattice) whole(w *latticeWord) bool {
	for k := int64(1); k < int64(w.letters); k++ {
		if m.slot(m.count - k).begins {
			return false
		}
	}
	return true
}

// window looks up the window at the end of path q; p is q without its last word.
func (m *lattice) window(s *respace, q, p *path, l ngram.Letter) {
	first, weight := q, q.weight
	for range m.n - 1 {
		if first = m.path(first.prev); first == nil {
			return // its first words are no longer kept
		}
		weight += first.weight
	}
	h := ngram.Gram(first.before[0], q.prefix, m.n)
	if !s.r.cfg.Set.Window(h) {
		return
	}
	q.run, q.claim = weight, -1
	if p.run > 0 {
		q.run = min(p.run+q.weight, math.MaxInt32/2)
	}
	if int(q.plain) >= m.n || s.r.cfg.Host.Sent(h) {
		return // words of the channel, which the plain lane finds, or of the client
	}
	q.claim, q.claimed, q.windows = first.lo, int32(m.n), 1
	if p.claim >= 0 {
		q.claim, q.claimed, q.windows = p.claim, p.claimed+1, p.windows+1
	}
	if q.run >= s.r.cfg.Least {
		s.hit(ngram.Span{Lo: q.claim, Hi: l.Span.Hi}, q, h.Lo)
	}
}

// waits returns the first byte that may belong to a window with the next letters.
func (m *lattice) waits() int64 {
	lo := int64(math.MaxInt64)
	for i := max(m.begun, m.count-maxLetters); i < m.count; i++ {
		at := m.slot(i)
		if i > m.count-maxLetters {
			lo = min(lo, at.span.Lo) // a word may have begun
		}
		for number := at.first; number < at.last; number++ {
			lo = min(lo, m.origin(number))
		}
	}
	return lo
}

// origin returns where a path's part of a window with the next word may begin.
func (m *lattice) origin(number uint64) int64 {
	lo := int64(math.MaxInt64)
	p := m.path(number)
	if p == nil {
		return lo
	}
	words := min(int(p.depth), m.n-1)
	for ; p != nil && words > 0; words-- {
		lo = p.lo
		p = m.path(p.prev)
	}
	return lo
}
