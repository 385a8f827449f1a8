package proxy

import (
	"errors"
	"io"
	"runtime/debug"
	"time"
)

// answerBuffer is how much of an answer is read at a time.
const answerBuffer = 8 << 10

// errTruncated ends a body without its terminator, so that the caller sees
// that it is not complete.
var errTruncated = errors.New("answer is not complete")

// source makes the bytes of an answer, piece by piece. next returns what may
// leave now, valid until the next call. The last piece comes with an error:
// io.EOF for an answer that is complete as far as the caller is concerned,
// anything else for one that must be seen to be cut.
type source interface {
	next() ([]byte, error)
	fail() // next panicked: only close may follow
	close()
}

// body gives a source to fasthttp: every piece becomes one chunk and is flushed
// at once. It is the last owner of the exchange.
type body struct {
	ex    *exchange
	src   source
	piece []byte // made, not yet read
	err   error  // sticky
	shut  bool
}

// Read implements [io.Reader]. Zero bytes without an error are never returned.
func (b *body) Read(p []byte) (int, error) {
	for len(b.piece) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.advance()
	}
	n := copy(p, b.piece)
	b.piece = b.piece[n:]
	return n, nil
}

// WriteTo implements [io.WriterTo].
func (b *body) WriteTo(w io.Writer) (int64, error) {
	var sent int64
	for {
		if len(b.piece) > 0 {
			n, err := w.Write(b.piece)
			sent += int64(n)
			b.piece = nil
			if err != nil {
				return sent, err
			}
		}
		if b.err != nil {
			if b.err == io.EOF {
				return sent, nil
			}
			return sent, b.err
		}
		b.advance()
	}
}

// SupportsBodyWriteTo tells fasthttp that WriteTo does all that Read does.
func (b *body) SupportsBodyWriteTo() bool { return true }

// advance makes the next piece. A panic ends the answer visibly cut: what was
// not judged does not leave.
func (b *body) advance() {
	defer func() {
		if r := recover(); r != nil {
			b.ex.srv.panicked(r, debug.Stack())
			b.piece, b.err = nil, errTruncated
			b.ex.ending = endingRefused
			b.src.fail()
		}
	}()
	b.piece, b.err = b.src.next()
	if len(b.piece) > 0 && b.ex.answered.IsZero() {
		b.ex.answered = time.Now()
	}
}

// CloseWithError ends the exchange; fasthttp calls it when the body has been
// sent, or with the error for which it could not be.
func (b *body) CloseWithError(err error) error {
	if err != nil && b.err == nil {
		b.ex.cancel(errClientGone)
		b.ex.srv.metrics.clientGone.Inc()
		b.ex.ending = endingGone
	}
	b.close()
	return nil
}

func (b *body) close() {
	if b.shut {
		return
	}
	b.shut = true
	defer b.ex.finish()
	defer func() {
		if r := recover(); r != nil {
			b.ex.srv.panicked(r, debug.Stack())
		}
	}()
	b.src.close()
}

// streamed is a streamed answer on its way through the relay.
type streamed struct {
	ex    *exchange
	body  *upstreamBody
	in    *decoder
	relay *relay
	buf   []byte
	out   []byte
	over  bool // the relay has ended
	deaf  bool // judging failed in observe mode: the rest is passed on
}

// next implements [source].
func (s *streamed) next() ([]byte, error) {
	n, err := s.in.Read(s.buf)
	s.out = s.out[:0]
	if n > 0 {
		var ended error
		if s.out, ended = s.relay.Append(s.out, s.buf[:n]); ended != nil {
			return s.out, s.ended(ended)
		}
	}
	switch {
	case err == nil:
		return s.out, nil
	case err == io.EOF:
		var ended error
		if s.out, ended = s.relay.Finish(s.out); ended != nil {
			return s.out, s.ended(ended)
		}
		s.over = true
		s.body.close() // its connection is ready for the next request
		return s.out, io.EOF
	default:
		s.over = true
		why := failUpstream
		if errors.Is(s.ex.why(err), errDraining) {
			why = failStopping
		}
		s.out = s.relay.AbortWith(s.out, why)
		s.ex.broken(err)
		return s.out, errTruncated
	}
}

// ended is called when noecho itself has ended the answer: to the caller it is
// complete, to the upstream it is over.
func (s *streamed) ended(why error) error {
	s.over = true
	if errors.Is(why, errRefused) {
		s.ex.ending = endingRefused
	} else {
		s.ex.ending = endingBlocked
	}
	s.body.close()
	return io.EOF
}

// fail implements [source].
func (s *streamed) fail() { s.over = true }

// close implements [source].
func (s *streamed) close() {
	defer s.body.close()
	defer s.in.close()
	if !s.over {
		s.relay.Abort(nil) // the caller has gone: close the relay's books
	}
	c := s.relay.Counts()
	// What a panic or a bound of the decoder has left open.
	if rest := max(0, s.in.received()-c.Scanned-c.Passed-c.Refused); s.deaf {
		c.Passed += rest
	} else {
		c.Refused += rest
	}
	s.ex.settle(c)
	s.ex.reportUnscanned(c)
	s.ex.srv.reuse(s.buf)
}

// forwarded is an answer that nobody looks at.
type forwarded struct {
	ex    *exchange
	first []byte // was read already
	in    io.Reader
	dec   *decoder // to be closed; nil: the body is passed on coded
	body  *upstreamBody
	buf   []byte
}

// next implements [source].
func (f *forwarded) next() ([]byte, error) {
	if len(f.first) > 0 {
		piece := f.first
		f.first = nil
		f.ex.counts.Passed += int64(len(piece))
		return piece, nil
	}
	n, err := f.in.Read(f.buf)
	f.ex.counts.Passed += int64(n)
	if err != nil && err != io.EOF {
		f.ex.broken(err)
		if f.dec != nil { // what came and cannot be read
			f.ex.counts.Refused += max(0, f.dec.received()-f.ex.counts.Passed)
		}
		err = errTruncated
	}
	return f.buf[:n], err
}

// fail implements [source].
func (f *forwarded) fail() {}

// close implements [source].
func (f *forwarded) close() {
	if f.ex.route.family != nil { // it should have been scanned
		f.ex.reportUnscanned(relayCounts{Passed: f.ex.counts.Passed})
	}
	f.body.close()
	f.ex.srv.reuse(f.buf)
}

// overheard is an unstreamed answer in observe mode: it is passed on as it
// comes and judged at its end, for the report only.
type overheard struct {
	forwarded
	relay *relay
	limit int
	heard []byte
	lost  bool // longer than the limit, or not complete
	ended bool // the last piece has left
}

// next implements [source].
func (o *overheard) next() ([]byte, error) {
	if o.ended {
		if !o.lost {
			o.judge()
		}
		return nil, io.EOF
	}
	piece, err := o.forwarded.next()
	if !o.lost {
		if o.lost = len(o.heard)+len(piece) > o.limit; !o.lost {
			o.heard = append(o.heard, piece...)
		} else {
			o.heard = nil
		}
	}
	if err == io.EOF {
		o.ended, err = true, nil // the caller has it all before it is judged
	}
	return piece, err
}

// judge scans what was heard. The caller has the answer already, so nothing
// that goes wrong here may touch it.
func (o *overheard) judge() {
	defer func() {
		if r := recover(); r != nil {
			o.ex.srv.panicked(r, debug.Stack())
		}
	}()
	_, _, _ = o.relay.Whole(nil, o.heard)
	c := o.relay.Counts()
	o.ex.counts.Passed -= int64(len(o.heard))
	o.ex.settle(c)
	o.heard = nil
}

// observedStream is a streamed answer in observe mode: a piece is judged when
// it has left. If judging fails the answer goes on unjudged.
type observedStream struct {
	streamed
	left []byte // not yet judged
	err  error  // of the upstream, sticky
}

// next implements [source].
func (o *observedStream) next() ([]byte, error) {
	o.judge()
	if o.err != nil {
		return nil, o.last()
	}
	var n int
	n, o.err = o.in.Read(o.buf)
	o.left = o.buf[:n]
	return o.left, nil
}

// judge gives the relay what has left.
func (o *observedStream) judge() {
	defer o.survive()
	if !o.deaf && len(o.left) > 0 {
		o.out, _ = o.relay.Append(o.out[:0], o.left)
	}
	o.left = nil
}

// survive contains a panic of the relay.
func (o *observedStream) survive() {
	if r := recover(); r != nil {
		o.ex.srv.panicked(r, debug.Stack())
		o.left, o.deaf, o.over = nil, true, true
	}
}

// last closes the relay's books as the upstream ended and says how.
func (o *observedStream) last() error {
	o.conclude()
	if o.err == io.EOF {
		o.body.close() // its connection is ready for the next request
		return io.EOF
	}
	o.ex.broken(o.err)
	return errTruncated
}

func (o *observedStream) conclude() {
	defer o.survive()
	if o.over {
		return
	}
	o.over = true
	if o.err == io.EOF {
		o.out, _ = o.relay.Finish(o.out[:0])
	} else {
		o.relay.Abort(nil)
	}
}

// close implements [source].
func (o *observedStream) close() {
	o.judge()
	o.streamed.close()
}

// newStreamed returns the source of a streamed answer.
func newStreamed(ex *exchange, body *upstreamBody, in *decoder, r *relay) source {
	s := streamed{ex: ex, body: body, in: in, relay: r, buf: ex.srv.buffer()}
	if ex.observes() {
		return &observedStream{streamed: s}
	}
	return &s
}
