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

// Splitting. A long text is cut behind line feeds, so that all cores work on it.
// There the scanner holds nothing, whatever stood before, so the words are those
// of the whole text. The windows over a cut are made of the last n-1 words before
// it and the first n-1 behind it, once both blocks are done.

const (
	splitLen  = 1 << 20      // a block of text, to the last line feed in it
	splitFrom = 4 * splitLen // texts below this are read by one worker
	splitMost = 16 * splitLen
)

// splitText joins the blocks of one text.
type splitText struct {
	mu      sync.Mutex
	waiting map[int]splitBlock
	next    int      // the block whose turn it is
	carry   []uint64 // the last words before it, at most n-1
	words   uint64
	windows uint64
}

// splitBlock is what joining needs of a block: its first and last words, at
// most n-1 each, the same ones if it has no more.
type splitBlock struct {
	head, tail []uint64
	words      uint64
	last       bool
}

// splits reports whether a text is cut into blocks. A sink that is told about
// records gets each from one worker.
func (p *pass) splits(s *source) bool {
	_, whole := p.sinks[0].(recordSink)
	return s.Format == corpus.Text && !whole && len(p.sinks) > 1 && (s.Size < 0 || s.Size >= splitFrom)
}

// feedText hands out the blocks of a text. One without line feeds goes to one
// worker from there on. The last task closes r.
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

// split works on a block of a text; the last one comes as a reader.
func (w *worker) split(t task) error {
	d := w.stats.dataset(t.src.Arg)
	last := t.text != nil
	w.beginRecord(recordPart{task: t.seq, source: t.src.at, block: t.at, last: last})
	var words uint64
	var err error
	if last {
		words, err = w.read(t, d)
	} else {
		d.Bytes += uint64(len(t.block.Data))
		words, err = w.cut.whole(t.block.Data, w.keep)
	}
	if err != nil {
		return err
	}
	// Whether the text has a window is known once all blocks are done. A block of fewer
	// than n words says no.
	if err := w.endSegment(words >= uint64(w.cut.n)); err != nil {
		return err
	}
	w.endPart()
	b := splitBlock{head: slices.Clone(w.cut.head), words: words, last: last}
	b.tail = slices.Clone(w.cut.run[max(0, len(w.cut.run)-w.cut.n+1):])
	return w.join(t, b, d)
}

// join makes the windows over the cuts to the blocks before, as far as those are
// done, and counts the text with the last one.
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
