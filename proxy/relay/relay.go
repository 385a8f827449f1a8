// Package relay sends the answer of a model on, message by message. A message waits
// until detection has decided each of its texts; the bytes of a text that must not
// leave are cut out of it.
//
// The package knows messages, the channels that their texts belong to, and the
// messages that end an answer early. Package wire tells it where a message keeps text,
// package detect which text is a leak. It knows nothing of HTTP, of policies or of
// alerts.
//
// A few words are used throughout. A message is the smallest unit that leaves: an event
// of a stream, a line, or a whole body. A choice is one of the answers that a response
// gives side by side. A channel is one text of a choice, such as its content or the
// arguments of one tool call, whose pieces may come in many messages. A place is where
// a message has a piece of a channel, or a value that depends on one. The frontier of a
// channel is the offset up to which its text is decided.
package relay

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"noecho/detect"
	"noecho/ngram"
	"noecho/proxy/wire"
)

// ErrEnded is matched by the errors that say that noecho itself ended the answer. The
// bytes appended to dst end the body as its protocol demands: send them, close the
// upstream with an error and end the client's body cleanly.
var ErrEnded = errors.New("answer ended by noecho")

// The reasons for which noecho ends an answer.
var (
	ErrBlocked = fmt.Errorf("%w: it would repeat training data", ErrEnded)
	ErrRefused = fmt.Errorf("%w: it cannot be scanned", ErrEnded)
)

// The failures that a relay writes into an answer, besides [wire.Withheld].
var (
	failRefused  = wire.Failure{Message: "withheld: the answer cannot be scanned", Code: "unscannable_content"}
	FailStopping = wire.Failure{Message: "noecho is stopping: the answer is not complete, ask again", Code: "proxy_stopping"}
	FailUpstream = wire.Failure{Message: "the upstream broke off: the answer is not complete", Code: "upstream_error"}
)

// Decision says how far an answer may be changed. Without Hold nothing changes: the
// answer leaves as it comes, and its findings are only reported.
type Decision struct {
	Judge Judge // of the answer's findings
	Hold  bool  // a message waits until its texts are decided; else it leaves first and is read afterwards
	Block bool  // Judge may block
	Pass  bool  // a message that cannot be scanned leaves; else it ends the answer. Implied without Hold
}

// Judge decides the actions of the findings of one answer. It must not call the relay.
type Judge interface {
	// Judge returns the action of a finding, as the Judge of [detect.Config].
	Judge(f *detect.Finding) detect.Action
	// Closed tells of a finding that is complete; [Relay.Take] returns it too.
	Closed(f *detect.Finding)
}

// Finding is one closed finding of an answer.
type Finding struct {
	Channel  string   // "choices.0.content"
	Channels []string // of a finding over several channels: all of them, Channel first; else nil
	Finding  *detect.Finding
	Action   detect.Action // taken: Observe for an echo, and for all findings without Hold
}

// Config tells how to judge one answer. Family, Judge, Set and Spec are required.
type Config struct {
	Family  *wire.Family
	Request wire.Request
	Framing wire.Framing // of the answer, from its content type
	Status  int          // of the answer; 0 means 200
	Decision
	Set    detect.Index
	Spec   ngram.Spec
	Detect detect.Config // its Judge is that of Decision
	Late   bool          // nothing leaves before some text is decided: if that is blocked, nothing leaves at all
	Mask   string        // put in the place of each span of a finding; may be empty
}

// Counts counts the bytes of an answer by their fate. Once the relay has ended, Scanned
// + Passed + Refused is the number of bytes that it was given.
type Counts struct {
	Scanned int64 // bytes of messages whose text was judged
	Passed  int64 // bytes forwarded unscanned, as the route allows
	Refused int64 // bytes neither scanned nor forwarded
	Held    int   // messages that wait for a decision now
	Endings int64 // endings that the answer tries for words of the prompt, see [detect.Detector.Counts]
	Unread  int64 // bytes that were judged as plain text only and not decoded: too many, or too deep

	Wakes [len(detect.LaneMemory{}.Wakes)]int64 // how often each lane woke, by its number
}

// relayState is how far a relay has come.
type relayState uint8

const (
	relayRuns  relayState = iota
	relaySkips            // forwards the rest of a message that is too large
	relayEnded
)

// Relay reads an answer as it arrives and yields the bytes that may leave. Messages
// leave whole and in order, each as soon as all of its texts are below the frontiers of
// their channels. A message with a span of a finding is spliced: the span is cut out.
// Without Hold, bytes leave first and are read afterwards.
//
// A relay is made for one answer. It is not safe for concurrent use.
type Relay struct {
	cfg       Config
	counts    Counts
	state     relayState
	err       error // for which the answer was ended; nil: none
	framer    wire.Framer
	ending    wire.Ending // ends the stream if it is blocked; nil: that cannot happen
	begun     bool        // whether a message has left
	documents int64       // messages with places that have left
	locator   *wire.Locator
	queue     queue
	channels  channelSet
	alike     alike
	pool      *sync.Pool // of relays of its kind; nil: none
}

// New returns a relay for one answer.
func New(cfg Config) *Relay {
	r := &Relay{}
	r.start(cfg)
	return r
}

// start begins an answer.
func (r *Relay) start(cfg Config) {
	r.alike.text = -1
	r.cfg, r.framer = cfg, wire.NewFramer(cfg.Framing, cfg.Family)
	if r.locator == nil {
		r.locator = wire.NewLocator(cfg.Family, cfg.Framing)
	}
	r.cfg.Mask = strings.Map(func(c rune) rune {
		if c < ' ' { // a mask never ends a line
			return ' '
		}
		return c
	}, cfg.Mask)
	r.cfg.Detect.Judge = cfg.Judge.Judge
	if cfg.Block && cfg.Framing != wire.JSON {
		r.ending = cfg.Family.Ending()
	}
	r.channels.start(&r.cfg)
}

// Close gives the storage of a relay that has ended back to its pool. Nothing may be called
// afterwards. A relay that has not ended, because of a panic for example, is not used again.
func (r *Relay) Close() {
	if r.pool == nil || r.state != relayEnded {
		return
	}
	pool := r.pool
	r.locator.Forget()
	r.queue.forgetAll()
	r.channels.forget()
	r.alike.forget()
	*r = Relay{pool: pool, locator: r.locator, queue: r.queue, channels: r.channels, alike: r.alike}
	pool.Put(r)
}

// Append reads p, the next bytes of a streamed body after content decoding, and appends
// to dst the bytes that may leave. An error matches ErrEnded; from then on every byte
// counts as refused.
func (r *Relay) Append(dst, p []byte) ([]byte, error) {
	if r.state == relayEnded {
		r.counts.Refused += int64(len(p))
		return dst, r.err
	}
	if !r.cfg.Hold {
		dst = append(dst, p...)
	}
	for len(p) > 0 {
		var n int
		if dst, n = r.alike.read(r, dst, p); n == 0 {
			var ends bool
			n, ends = r.framer.Scan(p)
			dst = r.readPiece(dst, p[:n], ends)
		}
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
		r.cfg.Late = false
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

// readMessage reads the message that has just become complete, and appends the messages
// that may leave now.
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
	return r.leave(dst)
}

// leave appends the messages that may leave now. If too many wait, all are decided.
func (r *Relay) leave(dst []byte) []byte {
	dst = r.release(dst)
	if r.state == relayEnded || !r.queue.full() {
		return dst
	}
	if !r.passes() {
		return r.refuse(dst)
	}
	r.cfg.Late = false
	r.channels.parkAll()
	return r.release(dst)
}

// readTexts finds the texts of the message raw, which m takes apart, and gives them to
// their channels.
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
	if err == nil {
		r.alike.learn(r, raw, m, fields)
	}
	r.locator.Release()
	return err
}

// readRecord judges a message that is an answer for itself, as Whole judges a body, and
// forgets it: texts of different records never join, and all records use the same
// memory. In the place of one that is withheld the family's record of a failed request
// leaves.
func (r *Relay) readRecord(dst []byte, m wire.Message) []byte {
	q := &r.queue
	raw := q.rest()
	dst = slices.Grow(dst, len(raw)) // raw is in the queue, and must not be the output itself
	dst, err := r.answer(dst, raw, r.readTexts(raw, m))
	if err != nil {
		dst = r.cfg.Family.Record(dst, m.Payload, failureOf(err))
		dst = append(dst, raw[m.At+len(m.Payload):]...) // it ends as the real one
	}
	r.begun = true
	q.reset()
	r.channels.next()
	return dst
}

// passes reports whether messages that cannot be scanned leave.
func (r *Relay) passes() bool { return !r.cfg.Hold || r.cfg.Pass }

// answer appends raw, a whole answer that was read with the error err, as its texts
// allow. If all of it is allowed and dst is nil, it returns raw. Without Hold it has left already. An error matches ErrEnded: a failure has to
// leave in its place.
func (r *Relay) answer(dst, raw []byte, err error) ([]byte, error) {
	r.channels.finish()
	fate := untouched
	switch {
	case r.cfg.Hold && !r.channels.decided(): // because Detect.Done is closed
		r.counts.Refused += int64(len(raw))
		return dst, ErrRefused
	case err == nil:
		r.counts.Scanned += int64(len(raw))
		fate = r.channels.fateOf(r.queue.refs)
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
	case fate == untouched, fate == rewritten && !r.channels.withheld: // no piece of its JSON text follows
		if dst == nil {
			return raw, nil
		}
		return append(dst, raw...), nil
	}
	return r.spliceInto(dst, raw, r.queue.refs, inText), nil
}

// failureOf returns the failure that replaces an answer for which answer returned err.
func failureOf(err error) wire.Failure {
	if errors.Is(err, ErrBlocked) {
		return wire.Withheld
	}
	return failRefused
}

// Finish ends a streamed body at a clean end of the upstream and appends the messages
// that waited. An error matches ErrEnded.
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
		var why error
		if r.cfg.Hold && r.queue.held() > 0 { // undecided, because Detect.Done is closed
			why = ErrRefused
		}
		r.end(why)
	}
	return dst, r.err
}

// Abort ends a streamed body early, as if all texts ended here: the messages that waited
// leave as they would at the end, the one being read does not. Where the protocol has an
// error message one that says why is appended. After the end Abort does nothing.
func (r *Relay) Abort(dst []byte, why wire.Failure) []byte {
	if r.state == relayEnded {
		return dst
	}
	r.counts.Refused += int64(r.queue.partial())
	r.queue.drop()
	r.channels.finish()
	if dst = r.release(dst); r.state == relayEnded {
		return dst
	}
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

// end decides all texts and ends the relay; why is nil unless noecho ended the answer.
func (r *Relay) end(why error) {
	r.channels.finish()
	r.queue.reset()
	r.state, r.err = relayEnded, why
}

// Whole judges an unstreamed body and appends the body that the caller gets. If nothing of it
// changes and dst is nil, out is body. Status 0
// keeps the upstream's status; 400 comes with the family's error body and an error that
// matches ErrEnded. The body may be that of a stream, which was not sent as one.
func (r *Relay) Whole(dst, body []byte) (out []byte, status int, err error) {
	if r.cfg.Framing != wire.JSON {
		if out, err = r.Append(dst, body); err == nil {
			out, err = r.Finish(out)
		}
		if err != nil {
			return r.cfg.Family.Failure(out[:len(dst)], failureOf(err)), 400, err
		}
		return out, 0, nil
	}
	r.queue.buf = body
	if !r.cfg.Hold {
		dst = append(dst, body...)
	}
	if err = r.readTexts(body, r.framer.Parse(body)); err != nil && r.readText(body) {
		err = nil
	}
	dst, err = r.answer(dst, body, err)
	r.queue.buf = nil // the body belongs to the caller
	r.queue.reset()
	if r.state, r.err = relayEnded, err; err != nil {
		return r.cfg.Family.Failure(dst, failureOf(err)), 400, err
	}
	return dst, 0, nil
}

// readText reads the body of an error as plain text, because servers and the proxies
// before them send error pages that are no JSON. It reports whether it could.
func (r *Relay) readText(body []byte) bool {
	if r.cfg.Status < 400 || inPieces(body) {
		return false
	}
	var err error
	page := wire.Field{Name: "body", Role: wire.Metadata, Form: wire.Raw, Separate: true, Choice: -1, Item: -1, Part: -1, Rule: -1, Hi: len(body)}
	r.queue.refs, err = r.channels.field(r.queue.refs[:0], body, &page, 0)
	return err == nil
}

// inPieces reports whether a body looks like a stream that is labelled as something
// else: events, or a JSON object on each of several lines. Read as plain text it would
// hide a text whose pieces are in different messages.
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

// Take appends the findings that were closed since the last call, in that order. Each
// finding is returned once. Call Take after every other method, also after one that
// panicked. The relay keeps findings until they are taken. Each has a word of its own,
// so there are at most as many as the bytes given to the methods since then have words.
func (r *Relay) Take(dst []Finding) []Finding { return r.channels.take(dst) }

// Counts returns the counts so far.
func (r *Relay) Counts() Counts {
	r.counts.Held, r.counts.Unread, r.counts.Endings = r.queue.held(), r.channels.unread, r.channels.endings
	r.counts.Wakes = r.channels.lanes.Wakes
	return r.counts
}
