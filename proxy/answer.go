package proxy

import (
	"errors"
	"io"
	"runtime/debug"
	"time"

	"noecho/proxy/relay"
)

// errTruncated ends a body without its terminator, so that the caller sees that the answer
// is not complete.
var errTruncated = errors.New("answer is not complete")

// source makes the bytes of an answer, piece by piece. next returns the bytes that may leave
// now, valid until the next call. The last piece comes with an error: io.EOF if the answer
// is complete for the caller, any other if the caller has to see that it is cut.
type source interface {
	next() ([]byte, error)
	fail() // called after a panic in next; only close may follow
	close()
}

// body is the [io.Reader] by which fasthttp reads a source: every piece becomes one chunk
// and is flushed at once. It is the last owner of the exchange.
type body struct {
	ex    *exchange
	src   source // nil: closed
	piece []byte // from src, and not yet read
	err   error  // sticky
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
	b.ex.bytes += int64(n)
	return n, nil
}

// WriteTo implements [io.WriterTo].
func (b *body) WriteTo(w io.Writer) (int64, error) {
	var sent int64
	for {
		if len(b.piece) > 0 {
			n, err := w.Write(b.piece)
			sent += int64(n)
			b.ex.bytes += int64(n)
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

// SupportsBodyWriteTo tells fasthttp that it may call WriteTo in place of Read.
func (b *body) SupportsBodyWriteTo() bool { return true }

// advance makes the next piece. A panic cuts the answer, so that the caller sees it; bytes
// that were not judged do not leave.
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

// CloseWithError ends the exchange. fasthttp calls it when the body was sent, or with the
// error that kept it from being sent.
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
	src := b.src
	if b.src = nil; src == nil {
		return
	}
	defer b.ex.finish()
	defer func() {
		if r := recover(); r != nil {
			b.ex.srv.panicked(r, debug.Stack())
		}
	}()
	src.close()
}

// scanState is how far the scan of an answer has come.
type scanState uint8

const (
	scanning   scanState = iota
	scanDone             // the relay has seen the end
	scanFailed           // the relay panicked and is not called again
	overLimit            // the answer is longer than the bytes that may be kept for the scan
)

// scanned is an answer that leaves through the relay.
type scanned struct {
	ex    *exchange
	body  *upstreamBody
	in    *decoder
	buf   *[]byte // while bytes are read and judged; nil: none is in use
	out   *[]byte // the bytes that leave
	state scanState
}

// next implements [source]. While it waits for the model, the answer has no buffer.
func (s *scanned) next() ([]byte, error) {
	s.rest()
	if s.in.isPlain() {
		s.body.await()
	}
	s.buf, s.out = s.ex.srv.buffer(), s.ex.srv.buffer()
	s.ex.startRelay(s.in, *s.buf)
	n, err := s.in.Read(*s.buf)
	ended := s.relayPiece((*s.buf)[:n], err)
	switch {
	case errors.Is(ended, relay.ErrRefused) && errors.Is(s.ex.why(nil), errClientGone):
		s.ex.broken(ended)
		return nil, errTruncated
	case ended != nil: // the relay has completed it for the caller; the rest is not read
		s.ex.ending = endingBlocked
		if errors.Is(ended, relay.ErrRefused) {
			s.ex.ending = endingRefused
		}
		err = io.EOF
	case err != nil && err != io.EOF:
		why := relay.FailUpstream
		if errors.Is(s.ex.why(err), errDraining) {
			why = relay.FailStopping
		}
		*s.out = s.ex.relay.Abort(*s.out, why)
		s.ex.reportFindings()
		s.ex.broken(err)
		return *s.out, errTruncated
	}
	if err == io.EOF {
		s.body.close() // so that the next request can use its connection
	}
	return *s.out, err
}

// rest gives the buffers back.
func (s *scanned) rest() {
	s.ex.srv.reuse(s.buf)
	s.ex.srv.reuse(s.out)
	s.buf, s.out = nil, nil
}

// relayPiece gives the relay p, the next piece of the answer, which was read with err, and reports
// its findings, also those made before a panic. The error is that of the relay.
func (s *scanned) relayPiece(p []byte, err error) (ended error) {
	defer s.ex.reportFindings()
	*s.out, ended = s.ex.relay.Append((*s.out)[:0], p)
	if ended == nil && err == io.EOF {
		*s.out, ended = s.ex.relay.Finish(*s.out)
	}
	return ended
}

// fail implements [source].
func (s *scanned) fail() { s.state = scanFailed }

// close implements [source].
func (s *scanned) close() {
	defer s.body.close()
	defer s.in.close()
	var c relay.Counts
	if s.ex.relay != nil {
		if s.state != scanFailed {
			s.ex.relay.Abort(nil, relay.FailUpstream) // has an effect only if the caller has gone before the end
			s.ex.reportFindings()
		}
		c = s.ex.relay.Counts()
	}
	// Bytes that the relay has not counted because of a panic or a bound of the decoder.
	c.Refused += max(0, s.in.received()-c.Scanned-c.Passed-c.Refused)
	s.ex.settle(c)
	s.ex.reportUnscanned(c)
	s.rest()
}

// forwarded is an answer that leaves unchanged.
type forwarded struct {
	ex    *exchange
	first []byte // bytes that were read before in
	in    io.Reader
	dec   *decoder // in, if the body is decoded; else nil
	body  *upstreamBody
	tee   *tee // scans the bytes that have left; nil: none
	buf   *[]byte
	sent  int64 // bytes
	err   error // of in, sticky
}

// next implements [source]. With a tee, the last piece and the error come from two calls, so
// that the caller has all of the answer before its end is scanned.
func (f *forwarded) next() ([]byte, error) {
	if f.tee != nil {
		if f.body.waits != nil {
			f.body.waits() // the bytes to scan leave before
		}
		if f.tee.limit == 0 {
			f.ex.startRelay(f.dec, *f.buf)
		}
		f.tee.scan(f.err)
	}
	if f.err != nil {
		return nil, f.last()
	}
	piece := f.first
	if f.first = nil; len(piece) == 0 {
		var n int
		n, f.err = f.in.Read(*f.buf)
		piece = (*f.buf)[:n]
	}
	f.sent += int64(len(piece))
	switch {
	case f.tee != nil:
		f.tee.keep(piece)
	case f.err != nil:
		return piece, f.last()
	}
	return piece, nil
}

// last returns the error that ends the answer.
func (f *forwarded) last() error {
	if f.err == io.EOF {
		f.body.close() // so that the next request can use its connection
		return io.EOF
	}
	f.ex.broken(f.err)
	return errTruncated
}

// fail implements [source].
func (f *forwarded) fail() {
	if f.tee != nil {
		f.tee.state = scanFailed
	}
}

// close implements [source].
func (f *forwarded) close() {
	defer f.body.close()
	var c relay.Counts
	if f.tee != nil {
		f.tee.scan(errClientGone)
		if f.ex.relay != nil {
			c = f.ex.relay.Counts()
		}
	}
	c.Passed += max(0, f.sent-c.Scanned-c.Passed-c.Refused)
	if f.dec != nil {
		if f.err != nil && f.err != io.EOF { // bytes that came and cannot be decoded
			c.Refused += max(0, f.dec.received()-f.sent)
		}
		f.dec.close()
	}
	f.ex.settle(c)
	if f.ex.route.family != nil { // else nobody expects a scan
		f.ex.reportUnscanned(c)
	}
	f.ex.srv.reuse(f.buf)
}

// tee scans the bytes of an answer that have left, for the reports only. Its failures do not
// change the answer.
type tee struct {
	ex    *exchange
	state scanState
	limit int    // bytes of an unstreamed answer, which is scanned at its end; 0: of a stream, which is scanned piece by piece
	kept  []byte // bytes that have left and are not yet scanned
	out   []byte
}

// keep keeps a piece that is about to leave.
func (t *tee) keep(piece []byte) {
	switch {
	case t.limit == 0:
		t.kept = piece
	case len(t.kept)+len(piece) > t.limit:
		t.kept, t.state = nil, overLimit
	case t.state == scanning:
		t.kept = append(t.kept, piece...)
	}
}

// scan gives the kept bytes to the relay. err is the error that ended the answer, or nil. An
// unstreamed answer that is not complete is never scanned.
func (t *tee) scan(err error) {
	if t.state != scanning || t.limit > 0 && err == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			t.ex.srv.panicked(r, debug.Stack())
			t.state = scanFailed
		}
		t.kept = nil
	}()
	defer t.ex.reportFindings() // also those made before a panic
	if err != nil {
		t.state = scanDone
	}
	if t.limit > 0 {
		if err == io.EOF {
			_, _, _ = t.ex.judgeWhole(t.kept)
		}
		return
	}
	if t.ex.relay == nil { // nothing has come
		return
	}
	t.out, _ = t.ex.relay.Append(t.out[:0], t.kept)
	switch {
	case err == io.EOF:
		t.out, _ = t.ex.relay.Finish(t.out)
	case err != nil:
		t.ex.relay.Abort(nil, relay.FailUpstream)
	}
}
