// Package relay lets an answer out message by message, only as far as detection
// has judged its texts, and cuts out of a message what must not leave.
//
// It knows messages, the channels that their texts belong to, and what is sent
// when an answer ends early. Where a message keeps text it asks of package wire,
// and what is a leak of package detect. It knows nothing of HTTP, of policies or
// of alerts.
package relay

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"noecho/detect"
	"noecho/ngram"
	"noecho/proxy/wire"
)

// ErrEnded is matched by the errors that say that noecho itself ended the
// answer. What was appended to dst ends the body legally: send it, close the
// upstream with an error and end the client's body cleanly.
var ErrEnded = errors.New("answer ended by noecho")

// Why noecho ended an answer.
var (
	ErrBlocked = fmt.Errorf("%w: it would repeat training data", ErrEnded)
	ErrRefused = fmt.Errorf("%w: it cannot be scanned", ErrEnded)
)

// The failures a relay puts into an answer, besides [wire.Withheld].
var (
	failRefused  = wire.Failure{Message: "withheld: the answer cannot be scanned", Code: "unscannable_content"}
	FailStopping = wire.Failure{Message: "noecho is stopping: the answer is not complete, ask again", Code: "proxy_stopping"}
	FailUpstream = wire.Failure{Message: "the upstream broke off: the answer is not complete", Code: "upstream_error"}
)

// Decision is what may be done about an answer. The zero value does nothing: the
// answer leaves as it comes, and its findings are only reported.
type Decision struct {
	Act   detect.Action // about each finding, where Detect.Judge is nil
	Hold  bool          // a message waits until its texts are decided; else it leaves first and is read after
	Block bool          // a finding may be blocked; Act may be enough to say so
	Pass  bool          // a message that cannot be scanned leaves; else it ends the answer. Without Hold it has left
}

// Finding is one closed finding of an answer.
type Finding struct {
	Channel string // "choices.0.content"
	Finding *detect.Finding
	Action  detect.Action // what was done about it: Observe for an echo, and without Hold
}

// Config is how one answer is judged. Family, Set and Spec are required.
type Config struct {
	Family  *wire.Family
	Request wire.Request
	Framing wire.Framing // of the answer, from its content type
	Status  int          // of the answer; 0 means 200
	Decision
	Set    detect.Index
	Spec   ngram.Spec
	Detect detect.Config
	Mask   string // empty means nothing is put in the place of a span
}

// Counts says what became of the bytes of an answer. Once the relay has
// ended, Scanned + Passed + Refused is exactly what it was given.
type Counts struct {
	Scanned int64 // bytes of messages whose text was judged
	Passed  int64 // bytes forwarded unscanned, as the route allows
	Refused int64 // bytes neither scanned nor forwarded
	Held    int   // messages that wait for a decision now
	Unread  int64 // bytes that were judged as they stand and not in every lane
}

// relayState is where a relay stands.
type relayState uint8

const (
	relayRuns  relayState = iota
	relaySkips            // passes the rest of a message that is too large
	relayEnded
)

// Relay reads an answer as it arrives and yields what may leave. A message
// leaves whole, in order, when every text in it lies below the frontier of its
// channel; where a span stands, the message is spliced. It is made for one
// answer and is not safe for concurrent use.
//
// Without Hold, bytes leave first and are read after.
type Relay struct {
	cfg       Config
	counts    Counts
	state     relayState
	err       error // why it ended
	framer    wire.Framer
	ending    wire.Ending // what ends the stream if it is blocked; nil: it cannot be
	begun     bool        // whether a message has left
	documents int64       // documents that have left
	locator   *wire.Locator
	queue     queue
	channels  channelSet
}

// New returns a relay for one answer.
func New(cfg Config) *Relay {
	r := &Relay{
		cfg:     cfg,
		framer:  wire.NewFramer(cfg.Framing, cfg.Family),
		locator: wire.NewLocator(cfg.Family, cfg.Framing),
	}
	r.cfg.Mask = strings.Map(func(c rune) rune {
		if c < ' ' { // a mask never ends a line
			return ' '
		}
		return c
	}, cfg.Mask)
	if cfg.Detect.Judge == nil && cfg.Act != detect.Redact {
		r.cfg.Block = cfg.Block || cfg.Act == detect.Block
		r.cfg.Detect.Judge = func(*detect.Finding) detect.Action { return cfg.Act }
	}
	if r.cfg.Block && cfg.Framing != wire.JSON {
		r.ending = cfg.Family.Ending()
	}
	r.channels = newChannelSet(&r.cfg)
	return r
}

// Append reads p, the next bytes of a streamed body after content decoding,
// and appends to dst what may leave. An error matches ErrEnded; afterwards
// every byte counts as refused.
func (r *Relay) Append(dst, p []byte) ([]byte, error) {
	if r.state == relayEnded {
		r.counts.Refused += int64(len(p))
		return dst, r.err
	}
	if !r.cfg.Hold {
		dst = append(dst, p...)
	}
	for len(p) > 0 {
		n, ends := r.framer.Scan(p)
		dst = r.readPiece(dst, p[:n], ends)
		p = p[n:]
		if r.state == relayEnded {
			r.counts.Refused += int64(len(p))
			return dst, r.err
		}
	}
	return dst, nil
}

// readPiece reads a piece of the current message; ends says whether it is the last one.
func (r *Relay) readPiece(dst, p []byte, ends bool) []byte {
	q := &r.queue
	if r.state == relaySkips {
		r.counts.Passed += int64(len(p))
		if r.cfg.Hold {
			dst = append(dst, p...)
		}
		if ends {
			r.state = relayRuns
		}
		return dst
	}
	q.buf = append(q.buf, p...)
	switch {
	case q.partial() > wire.MaxMessage:
		if !r.passes() {
			return r.refuse(dst)
		}
		r.channels.parkAll()
		if dst = r.release(dst); r.state == relayEnded {
			return dst
		}
		if r.cfg.Hold {
			dst = append(dst, q.rest()...)
			r.begun = true
		}
		r.counts.Passed += int64(q.partial())
		q.drop()
		if !ends {
			r.state = relaySkips
		}
	case ends:
		dst = r.readMessage(dst)
	}
	return dst
}

// readMessage reads the message that has just become whole.
func (r *Relay) readMessage(dst []byte) []byte {
	q := &r.queue
	raw := q.rest()
	m := r.framer.Parse(raw)
	if r.cfg.Framing == wire.Records {
		return r.readRecord(dst, m)
	}
	if err := r.readTexts(raw, m); err != nil {
		if !r.passes() {
			return r.refuse(dst)
		}
		releaseRepeats(q.refs[q.restRef:])
		q.forget()
		r.counts.Passed += int64(len(raw))
	} else {
		r.counts.Scanned += int64(len(raw))
	}
	if !r.cfg.Hold {
		q.reset()
		return dst
	}
	followed := 0
	if r.ending != nil {
		followed = len(m.Payload)
	}
	q.push(m.At, followed)
	dst = r.release(dst)
	if r.state == relayEnded || !q.full() {
		return dst
	}
	if !r.passes() {
		return r.refuse(dst)
	}
	r.channels.parkAll()
	return r.release(dst)
}

// readTexts finds the texts of the message raw and gives them to their channels.
func (r *Relay) readTexts(raw []byte, m wire.Message) error {
	var fields []wire.Field
	if len(bytes.TrimSpace(m.Payload)) > 0 {
		var err error
		if fields, err = r.locator.Locate(m.Payload); err != nil {
			r.locator.Release()
			return err
		}
	}
	var err error
	r.queue.refs, err = r.channels.read(r.queue.refs, raw, m, fields)
	r.locator.Release()
	return err
}

// readRecord judges a message that is an answer of its own, as Whole judges
// a body, and forgets it: texts of different records never join, and the memory
// of a record is that of the next one. One that is withheld leaves as the
// family's record of a request that failed.
func (r *Relay) readRecord(dst []byte, m wire.Message) []byte {
	q := &r.queue
	raw := q.rest()
	dst, err := r.answer(dst, raw, r.readTexts(raw, m))
	if err != nil {
		dst = r.cfg.Family.Record(dst, m.Payload, failureOf(err))
		dst = append(dst, raw[m.At+len(m.Payload):]...) // it ends as the real one
	}
	r.begun = true
	q.reset()
	r.channels.next()
	r.locator.Forget()
	return dst
}

// passes reports whether what cannot be scanned is passed on.
func (r *Relay) passes() bool {
	return !r.cfg.Hold || r.cfg.Pass
}

// answer appends raw, an answer in one message that was read with the given error, as
// its texts allow, unless it has left before it was read. An error matches ErrEnded and
// says that another message has to leave in its place.
func (r *Relay) answer(dst, raw []byte, err error) ([]byte, error) {
	r.channels.finish()
	fate := untouched
	switch {
	case err == nil:
		r.counts.Scanned += int64(len(raw))
		fate = r.channels.judge(r.queue.refs)
	case r.passes():
		r.counts.Passed += int64(len(raw))
	default:
		r.counts.Refused += int64(len(raw))
		return dst, ErrRefused
	}
	switch {
	case !r.cfg.Hold:
		return dst, nil
	case fate == blockHere:
		return dst, ErrBlocked
	case fate == untouched:
		return append(dst, raw...), nil
	}
	return r.spliceInto(dst, raw, r.queue.refs, inText), nil
}

// failureOf is the failure in the place of an answer that ended with an error.
func failureOf(err error) wire.Failure {
	if errors.Is(err, ErrBlocked) {
		return wire.Withheld
	}
	return failRefused
}

// Finish ends a streamed body at a clean end of the upstream and appends what
// was still held. An error matches ErrEnded.
func (r *Relay) Finish(dst []byte) ([]byte, error) {
	if r.state == relayEnded {
		return dst, r.err
	}
	if r.queue.partial() > 0 {
		if dst = r.readMessage(dst); r.state == relayEnded {
			return dst, r.err
		}
	}
	r.channels.finish()
	if dst = r.release(dst); r.state != relayEnded {
		r.end(nil)
	}
	return dst, r.err
}

// Abort ends a streamed body before its end: nothing undecided leaves, and an error
// event that says why is appended where the protocol has one. After the end it does
// nothing.
func (r *Relay) Abort(dst []byte, why wire.Failure) []byte {
	if r.state == relayEnded {
		return dst
	}
	r.counts.Refused += int64(r.queue.partial())
	r.end(nil)
	if !r.cfg.Hold || r.cfg.Framing == wire.JSON {
		return dst
	}
	return r.fail(dst, why)
}

// refuse ends the answer because the message being read cannot be scanned.
func (r *Relay) refuse(dst []byte) []byte {
	r.counts.Refused += int64(r.queue.partial())
	r.end(ErrRefused)
	return r.fail(dst, failRefused)
}

// fail appends the message that says why the answer ends here.
func (r *Relay) fail(dst []byte, why wire.Failure) []byte {
	w := wire.Writer{Framer: r.framer, Begun: r.begun, Next: r.documents, Out: dst}
	r.cfg.Family.StreamFailure(&w, why)
	w.Close()
	return w.Out
}

// end closes the books.
func (r *Relay) end(why error) {
	r.channels.finish()
	r.queue.reset()
	r.state, r.err = relayEnded, why
}

// Whole judges an unstreamed body and appends what the caller gets instead.
// Status 0 keeps the upstream's status; 400 comes with the family's error body
// and an error that matches ErrEnded.
func (r *Relay) Whole(dst, body []byte) (out []byte, status int, err error) {
	r.queue.buf = body
	if !r.cfg.Hold {
		dst = append(dst, body...)
	}
	if err = r.readTexts(body, r.framer.Parse(body)); err != nil && r.readText(body) {
		err = nil
	}
	dst, err = r.answer(dst, body, err)
	r.queue = queue{} // the body belongs to the caller
	if r.state, r.err = relayEnded, err; err != nil {
		return r.cfg.Family.Failure(dst, failureOf(err)), 400, err
	}
	return dst, 0, nil
}

// readText reads the body of an error as plain text if it is no JSON: servers
// and the proxies before them send all kinds of error pages.
func (r *Relay) readText(body []byte) bool {
	if r.cfg.Status < 400 || inPieces(body) {
		return false
	}
	var err error
	page := wire.Field{Name: "body", Role: wire.Metadata, Form: wire.Raw, Separate: true, Choice: -1, Item: -1, Part: -1, Rule: -1, Hi: len(body)}
	r.queue.refs, err = r.channels.field(r.queue.refs[:0], body, &page, 0)
	return err == nil
}

// inPieces reports whether a text looks like a stream with another label: events,
// or a JSON object on each of several lines. Read as it stands it would hide a text
// that its messages carry in pieces.
func inPieces(body []byte) bool {
	objects := 0
	for line := range bytes.FieldsFuncSeq(body, func(c rune) bool { return c == '\r' || c == '\n' }) {
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("data:")) {
			return true
		}
		if bytes.HasPrefix(line, []byte{'{'}) && bytes.HasSuffix(line, []byte{'}'}) {
			objects++
		}
	}
	return objects > 1
}

// Take appends the findings that were closed since the last call, each once, in the
// order in which they were. Call it after every other call, also after one that
// panicked, and from Detect.Judge if that counts findings. Until then the relay keeps
// them: as each covers a word of its own at least, no more than the words of the
// texts that were read since.
func (r *Relay) Take(dst []Finding) []Finding { return r.channels.take(dst) }

// Counts returns the figures so far.
func (r *Relay) Counts() Counts {
	r.counts.Held, r.counts.Unread = r.queue.held(), r.channels.unread
	return r.counts
}
