package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"noecho/index"
	"noecho/index/corpus"
)

// Splitting. A long text is cut behind line feeds into blocks, so that all cores can
// work on it. The scanner of words keeps no state across a line feed, so the blocks
// have the same words as the whole text. The windows across a cut consist of the last
// n-1 words before it and the first n-1 words behind it. They are added when both
// blocks are done.

const (
	splitLen  = 1 << 20      // size of a block, up to the last line feed in it
	splitFrom = 4 * splitLen // one worker reads shorter texts alone
	splitMost = 16 * splitLen
)

// splitText joins the blocks of one text.
type splitText struct {
	mu      sync.Mutex
	waiting map[int]splitBlock
	next    int      // number of the block to be joined next
	carry   []uint64 // the last words before that block, at most n-1
	words   uint64
	windows uint64
}

// splitBlock is the result of one block: its first and its last words, at most n-1 of
// each. In a short block they overlap.
type splitBlock struct {
	head, tail []uint64
	words      uint64
	last       bool
}

// splits reports whether the text of a source is cut into blocks. It is not if the
// sinks count records, because then one worker has to see the whole record.
func (p *pass) splits(s *source) bool {
	_, whole := p.sinks[0].(recordSink)
	return s.Format == corpus.Text && !whole && len(p.sinks) > 1 && (s.Size < 0 || s.Size >= splitFrom)
}

// feedText creates the tasks of a long text. If there is no line feed for long, one
// worker takes all of the rest. The last task closes r.
func (p *pass) feedText(ctx context.Context, s *source, r io.ReadCloser) error {
	text := &splitText{waiting: map[int]splitBlock{}}
	var rest []byte
	for at := 0; ; at++ {
		buf := append(make([]byte, 0, max(splitLen, len(rest))+splitLen), rest...)
		n := len(buf)
		end := 0
		for end == 0 && n < splitMost {
			buf = slices.Grow(buf[:n], splitLen)[:n+splitLen]
			m, err := io.ReadFull(r, buf[n:])
			n += m
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					r.Close()
					return fmt.Errorf("read %s: %w", s.Path, err)
				}
				return p.hand(ctx, task{src: s, split: text, at: at, text: &joined{bytes.NewReader(buf[:n]), r}})
			}
			end = bytes.LastIndexByte(buf[:n], '\n') + 1
		}
		if end == 0 {
			return p.hand(ctx, task{src: s, split: text, at: at, text: &joined{io.MultiReader(bytes.NewReader(buf[:n]), r), r}})
		}
		if err := p.hand(ctx, task{src: s, split: text, at: at, block: corpus.Block{Data: buf[:end]}}); err != nil {
			r.Close()
			return err
		}
		rest = buf[end:n]
	}
}

// joined reads from one reader and closes another.
type joined struct {
	io.Reader
	io.Closer
}

// split processes a block of a text. The last block comes as a reader.
func (w *worker) split(t task) error {
	d := w.stats.dataset(t.src.Arg)
	last := t.text != nil
	w.beginRecord(recordPart{task: t.seq, source: t.src.at, block: t.at, last: last})
	var words uint64
	var err error
	before := d.Bytes
	if last {
		words, err = w.read(t, d)
	} else {
		d.Bytes += uint64(len(t.block.Data))
		words, err = w.cut.whole(t.block.Data, w.keep)
	}
	if err != nil {
		return err
	}
	w.stats.account(t.src.Arg).Whole(d.Bytes - before)
	// Only when all blocks are done it is known whether the whole text has an indexed
	// window. A block says yes if it has n words.
	if err := w.endSegment(words >= uint64(w.cut.n)); err != nil {
		return err
	}
	w.endPart()
	b := splitBlock{head: slices.Clone(w.cut.head), words: words, last: last}
	b.tail = slices.Clone(w.cut.run[max(0, len(w.cut.run)-w.cut.n+1):])
	return w.join(t, b, d)
}

// join adds the windows across the cuts between completed blocks. With the last block
// it counts the whole text as one record.
func (w *worker) join(t task, b splitBlock, d *index.Dataset) error {
	s := t.split
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.waiting[t.at] = b; ; s.next++ {
		b, ok := s.waiting[s.next]
		if !ok {
			break
		}
		delete(s.waiting, s.next)
		seam := slices.Concat(s.carry, b.head)
		if len(seam) >= w.cut.n {
			if err := w.keep(seam); err != nil {
				return err
			}
		}
		if s.carry = b.tail; len(b.tail) < w.cut.n-1 {
			s.carry = seam[max(0, len(seam)-w.cut.n+1):]
		}
		s.words += b.words
		if b.last {
			s.windows += w.windows
			w.windows = s.windows
			w.count(d, w.segment(d, s.words))
			w.windows = 0
			return nil
		}
	}
	s.windows += w.windows
	w.windows = 0
	return nil
}
