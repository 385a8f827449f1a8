package detect

import (
	"errors"
	"io"
	"slices"
)

// ErrBlocked says that a finding was judged [Block]: nothing from its first byte on
// was written.
var ErrBlocked = errors.New("detect: the text repeats indexed text and was cut")

var errClosed = errors.New("detect: write to a closed Redactor")

// redactorMasked is how many findings that overlap are told apart: each gets one mask
// although its bytes may come in turns with those of another.
const redactorMasked = 16

// redactorBytes is how much of one Write is read at a time, which bounds the memory
// of a Redactor to so much and the bytes that may wait in the detector.
const redactorBytes = 32 << 10

// Redactor is an [io.WriteCloser] that writes text on without the findings in it.
// One mask takes the place of each finding; findings of different kinds that touch
// share one. A byte is written as soon as it is certain that no finding covers it,
// so the newest words wait until more text or Close follows. The output depends on
// the text alone and not on how calls of Write divide it, as long as no more than
// [Config.MaxHeld] bytes wait.
//
// Findings whose action is [Observe] are written as they are. Behind a finding whose
// action is [Block] nothing is written and every call returns [ErrBlocked].
//
// The first error is returned by every later call. A Redactor is not safe for
// concurrent use. It allocates nothing for text without findings.
type Redactor struct {
	w    io.Writer
	d    *Detector
	mask string
	err  error

	text []byte // that was read and is not decided; it begins at offset base
	base int64
	segs []Segment
	out  []byte

	masked []*Finding // the newest ones since the last byte that was written
}

// NewRedactor returns a Redactor that writes to w the text that d decides about, with
// a mask such as "[redacted]" for each finding. The detector must be new or reset, and
// is the Redactor's until it is closed.
func NewRedactor(w io.Writer, d *Detector, mask string) *Redactor {
	return &Redactor{w: w, d: d, mask: mask}
}

// Write reads the next bytes of the text, which may end within a word or a character,
// and writes the bytes that are certain. It returns how many bytes of p were read.
func (r *Redactor) Write(p []byte) (n int, err error) {
	for n < len(p) && r.err == nil {
		piece := p[n:min(len(p), n+redactorBytes)]
		n += len(piece)
		r.text = append(r.text, piece...)
		r.segs = r.d.Append(r.segs[:0], piece)
		r.write()
	}
	return n, r.err
}

// Close decides and writes the bytes that still wait. It does not close the
// underlying writer.
func (r *Redactor) Close() error {
	if errors.Is(r.err, errClosed) {
		return nil
	}
	r.segs = r.d.Finish(r.segs[:0])
	if r.err != nil {
		return r.err
	}
	if r.write(); r.err == nil {
		r.err = errClosed
		return nil
	}
	return r.err
}

// Findings appends the findings that are complete and were not returned before, in
// order of their start. Their spans are bytes of the text given to Write. After Close
// every finding is complete.
func (r *Redactor) Findings(dst []*Finding) []*Finding { return r.d.Closed(dst) }

// write writes the segments that became final.
func (r *Redactor) write() {
	r.out = r.out[:0]
	blocked := false
	for _, s := range r.segs {
		f := s.Finding
		if blocked = f != nil && f.Action == Block; blocked {
			break
		}
		if f != nil {
			r.cover(f)
			continue
		}
		r.out = append(r.out, r.text[s.Span.Lo-r.base:s.Span.Hi-r.base]...)
		r.masked = r.masked[:0]
	}
	if decided := r.d.Frontier() - r.base; decided > 0 {
		r.text = r.text[:copy(r.text, r.text[decided:])]
		r.base += decided
	}
	if len(r.out) > 0 {
		n, err := r.w.Write(r.out)
		if err == nil && n < len(r.out) {
			err = io.ErrShortWrite
		}
		r.err = err
	}
	if r.err == nil && blocked {
		r.err = ErrBlocked
	}
}

// cover writes the mask of a finding, unless it has one.
func (r *Redactor) cover(f *Finding) {
	n := len(r.masked)
	if slices.Contains(r.masked, f) {
		return
	}
	if n == 0 || r.masked[n-1].Kind == f.Kind {
		r.out = append(r.out, r.mask...)
	}
	if n == redactorMasked {
		r.masked = slices.Delete(r.masked, 0, 1)
	}
	r.masked = append(r.masked, f)
}
