package build

import (
	"errors"
	"io"

	"noecho/index/internal/format"
	"noecho/index/key"
	"noecho/internal/gram"
	"noecho/ngram"
)

// runWords is the number of words in a run, the batch of words that is processed at a
// time. The runs of a longer segment overlap by n-1 words, so that every window is in
// exactly one run.
const runWords = 4096

// grams are the grams of one run, by kind of filter. The short ones are given by Lo,
// the lower half of their hash.
type grams struct {
	windows  []ngram.Hash
	fours    []uint64
	twos     []uint64
	words    []uint64
	excluded uint64 // number of windows that are not indexed

	prefix []uint64
}

// fill computes the grams of a run of at least n word hashes. It leaves out the windows
// whose Lo is in exclude, and the short grams that occur only in such windows. The windows
// are hashed under the key k; the others are not yet.
func (g *grams) fill(words []uint64, n int, exclude map[uint64]struct{}, k *key.Key) {
	g.windows, g.fours, g.twos, g.words, g.excluded = g.windows[:0], g.fours[:0], g.twos[:0], g.words[:0], 0
	g.prefix = append(g.prefix[:0], 0)
	last := uint64(0)
	for _, w := range words {
		last = ngram.Roll(last, w)
		g.prefix = append(g.prefix, last)
	}
	if len(exclude) > 0 {
		g.fillBut(n, exclude, k)
		return
	}
	g.windows = gram.All(g.windows, g.prefix, n)
	keyHashes(k, g.windows)
	g.fours = gram.AllLo(g.fours, g.prefix, format.GateLong)
	g.twos = gram.AllLo(g.twos, g.prefix, format.GateShort)
	g.words = gram.AllLo(g.words, g.prefix, format.WordGram)
}

// fillBut computes the grams of the run when some windows may be excluded.
func (g *grams) fillBut(n int, exclude map[uint64]struct{}, k *key.Key) {
	four, two, one := 0, 0, 0 // position of the next gram of each length that was not added
	for i := range len(g.prefix) - n {
		h := keyHash(k, ngram.Gram(g.prefix[i], g.prefix[i+n], n))
		if _, out := exclude[h.Lo]; out {
			g.excluded++
			continue
		}
		g.windows = append(g.windows, h)
		four, two, one = max(four, i), max(two, i), max(one, i)
		g.fours = gram.AllLo(g.fours, g.prefix[four:i+n+1], format.GateLong)
		g.twos = gram.AllLo(g.twos, g.prefix[two:i+n+1], format.GateShort)
		g.words = gram.AllLo(g.words, g.prefix[one:i+n+1], format.WordGram)
		four, two, one = i+n+1-format.GateLong, i+n+1-format.GateShort, i+n+1-format.WordGram
	}
}

// keyHash returns the hash of a gram under a key.
func keyHash(k *key.Key, h ngram.Hash) ngram.Hash {
	return ngram.Hash{Hi: k.Hi(h.Hi, h.Lo), Lo: k.Lo(h.Lo)}
}

// keyHashes replaces the hashes of grams by those under a key.
func keyHashes(k *key.Key, list []ngram.Hash) {
	if k == nil {
		return
	}
	for i, h := range list {
		list[i] = keyHash(k, h)
	}
}

// A cutter cuts the text of segments into runs. Not safe for concurrent use.
type cutter struct {
	n          int
	scan       *ngram.Scanner
	words      []ngram.Word
	run        []uint64
	head       []uint64    // the first n-1 words of the segment
	total      uint64      // number of words in the segment so far
	collectors []collector // receive the text and the words
	buf        []byte      // of read; most files are short
}

func newCutter(spec ngram.Spec) *cutter {
	return &cutter{n: spec.N, scan: ngram.NewScanner(spec.Suite)}
}

// begin starts a segment.
func (c *cutter) begin() {
	c.scan.Reset()
	c.run, c.head, c.total = c.run[:0], c.head[:0], 0
	for _, n := range c.collectors {
		n.beginSegment()
	}
}

// add reads the next bytes of the segment and passes on the runs that are full.
func (c *cutter) add(p []byte, emit func(run []uint64) error) error {
	// The scanner returns at most one word for each byte, so short pieces bound its
	// output.
	const piece = 32 << 10
	for len(p) > 0 {
		k := min(len(p), piece)
		c.words = c.scan.Append(c.words[:0], p[:k])
		if err := c.take(p[:k], emit); err != nil {
			return err
		}
		p = p[k:]
	}
	return nil
}

// end ends the segment, passes on its last run and returns its number of words.
func (c *cutter) end(emit func(run []uint64) error) (words uint64, err error) {
	c.words = c.scan.Finish(c.words[:0])
	if err := c.take(nil, emit); err != nil {
		return 0, err
	}
	if len(c.run) >= c.n {
		err = emit(c.run)
	}
	return c.total, err
}

// read cuts a segment whose text is read from r.
func (c *cutter) read(r io.Reader, emit func(run []uint64) error) (words uint64, err error) {
	c.begin()
	if c.buf == nil {
		c.buf = make([]byte, 256<<10)
	}
	for {
		n, err := r.Read(c.buf)
		if err := c.add(c.buf[:n], emit); err != nil {
			return 0, err
		}
		if errors.Is(err, io.EOF) {
			return c.end(emit)
		}
		if err != nil {
			return 0, err
		}
	}
}

// whole cuts a segment whose text is in memory.
func (c *cutter) whole(text []byte, emit func(run []uint64) error) (words uint64, err error) {
	c.begin()
	if err := c.add(text, emit); err != nil {
		return 0, err
	}
	return c.end(emit)
}

// take appends the scanner's words to the run. text is the piece that completed them.
func (c *cutter) take(text []byte, emit func(run []uint64) error) error {
	c.total += uint64(len(c.words))
	for _, n := range c.collectors {
		if err := n.add(text, c.words); err != nil {
			return err
		}
	}
	for _, w := range c.words[:min(len(c.words), c.n-1-len(c.head))] {
		c.head = append(c.head, w.Hash)
	}
	for _, w := range c.words {
		c.run = append(c.run, w.Hash)
		if len(c.run) == runWords {
			if err := emit(c.run); err != nil {
				return err
			}
			c.run = append(c.run[:0], c.run[runWords-c.n+1:]...)
		}
	}
	return nil
}
