package relay

import (
	"errors"
	"hash/maphash"
	"math"
	"strings"

	"noecho/detect"
	"noecho/proxy/config"
	"noecho/proxy/wire"
)

// errForeign says that a line of a stream is none.
var errForeign = errors.New("a line of the stream is no line of an event stream")

// errChannels says that an answer has more channels than an honest one.
var errChannels = errors.New("too many text channels")

// book keeps the channels and choices of an answer.
type book struct {
	relay    *Relay
	message  uint64
	none     *choice
	choices  []*choice
	channels []*channel
	text     []byte // of the message being read
	segments []detect.Segment
	closed   []*detect.Finding
	cutter   wire.Cutter
	newline  [1]byte
	beside   *detect.Prompt // for channels beside the answer
	repeats  bool           // texts may come more than once
	seed     maphash.Seed   // of the channels' sums
	withheld bool           // something of the answer did not leave
	finished bool
	record   int                // answer being read, where there are many in a body
	spare    []*detect.Detector // of channels that are done with
}

func (b *book) open(r *Relay) {
	b.relay = r
	b.none = &choice{number: -1}
	b.repeats = r.cfg.Family.Paths().Repeats()
	b.seed = maphash.MakeSeed()
	b.cutter = wire.NewCutter([]byte(r.cfg.Mask))
	b.newline[0] = '\n'
	b.beside = r.cfg.Detect.Prompt.ExcuseOnly()
}

// read gives the texts of a message to their channels, parks the channels that
// fell silent, and adds the message's places to the queue.
func (b *book) read(m wire.Message, fields []wire.Field) error {
	b.message++
	b.text = b.text[:0]
	defer b.trim()
	q := &b.relay.queue
	raw := q.rest()
	asides, at := m.Extras, max(m.At, 0)
	for i := range fields {
		for len(asides) > 0 && m.At >= 0 && asides[0].Lo < at {
			if err := b.aside(raw, asides[0]); err != nil {
				return err
			}
			asides = asides[1:]
		}
		if err := b.field(m.Payload, &fields[i], at); err != nil {
			return err
		}
	}
	for _, a := range asides {
		if err := b.aside(raw, a); err != nil {
			return err
		}
	}
	b.park(fields)
	if m.Foreign {
		return errForeign
	}
	return nil
}

// trim gives back storage that a large message made.
func (b *book) trim() {
	if cap(b.text) > keepStorage {
		b.text = nil
	}
	if cap(b.segments) > minCompact {
		b.segments = nil
	}
	if cap(b.closed) > minCompact {
		b.closed = nil
	}
}

// aside reads text outside the payload: a comment, the name of an event.
func (b *book) aside(raw []byte, n wire.Extra) error {
	ch, err := b.channel(b.none, place{-1, -1, n.Name}, n.Role)
	if err != nil {
		return err
	}
	if n.Role == wire.Metadata {
		b.separate(ch)
	}
	b.feed(ch, raw[n.Lo:n.Hi])
	b.add(ch, ref{role: n.Role, form: wire.Raw, item: -1, choice: b.none, lo: ch.length - int64(n.Hi-n.Lo), at: n.Lo, end: n.Hi})
	return nil
}

// field reads one place of a message. shift is added to its position.
func (b *book) field(payload []byte, f *wire.Field, shift int) error {
	c, err := b.choice(f.Choice)
	if err != nil {
		return err
	}
	p := ref{role: f.Role, form: b.form(f.Form), item: f.Item, choice: c, at: f.Lo + shift, end: f.Hi + shift, with: f.With}
	switch f.Role {
	case wire.Done:
		return nil
	case wire.End:
		c.ended = b.message
		fallthrough
	case wire.Begin, wire.Drop:
		if f.Name == "" {
			p.item = -1
		}
		b.relay.queue.refs = append(b.relay.queue.refs, p)
		return nil
	}
	lo := len(b.text)
	b.text = wire.AppendForm(b.text, payload[f.Lo:f.Hi], f.Form)
	if f.Role == wire.Final || f.Role == wire.Cumulative {
		return b.again(c, f, p, b.text[lo:])
	}
	ch, err := b.channelOf(c, f, lo)
	if err != nil || ch == nil {
		return err
	}
	p.lo = ch.length
	switch {
	case f.Role == wire.Alias && ch.fed == b.message && ch.rule != f.Rule:
		p.lo = ch.start // the same text once more
		ch.held(f.Rule)
		b.add(ch, p)
		return nil
	case ch.fed != b.message:
		ch.lo, ch.start, ch.rule = lo, ch.length, f.Rule
	}
	b.seam(ch, f)
	p.lo = ch.length
	ch.origin = f.Item
	ch.hi = len(b.text)
	same := f.Rule < 0 && f.Role == wire.Text && b.repeated(ch, b.text[lo:])
	b.feed(ch, b.text[lo:])
	if f.Role == wire.Alias {
		ch.held(f.Rule)
	}
	if same {
		ch.ended = b.message
	} else if ch.role == wire.Text || ch.role == wire.Metadata && f.Rule >= 0 {
		c.spoke = b.message // a tool's name speaks, a string nobody knows does not
	}
	b.add(ch, p)
	return nil
}

// seam ends the text of a channel where a piece belongs to another one.
func (b *book) seam(ch *channel, f *wire.Field) {
	ch.pieced = true
	switch {
	case ch.latest.whole:
		ch.next(b)
	case f.Apart == wire.Separate || ch.another(f, b.message):
		b.separate(ch)
	}
}

// form settles whether a reply is JSON text.
func (b *book) form(f wire.Form) wire.Form {
	switch {
	case f != wire.Reply:
		return f
	case b.relay.cfg.Request.Schema:
		return wire.Nested
	}
	return wire.Plain
}

// add adds a place that holds text of ch up to its end.
func (b *book) add(ch *channel, p ref) {
	q := &b.relay.queue
	p.channel, p.hi = ch, ch.length
	if ch.role == wire.Token {
		if ch.ref >= q.mark && ch.ref < len(q.refs) && q.refs[ch.ref].channel == ch {
			q.refs[ch.ref].hi = p.hi // tokens go or stay together
			return
		}
		ch.ref = len(q.refs)
	}
	q.refs = append(q.refs, p)
}

// separate begins a text of its own in a channel.
func (b *book) separate(ch *channel) { b.feed(ch, b.newline[:]) }

// feed gives text to a channel.
func (b *book) feed(ch *channel, text []byte) {
	ch.fed = b.message
	ch.length += int64(len(text))
	if ch.keeps {
		_, _ = ch.sum.Write(text) // never fails
	}
	if ch.keeps && ch.latest.start > 0 {
		_, _ = ch.latest.sum.Write(text)
	}
	b.segments = ch.det.Append(b.segments[:0], text)
	b.settle(ch)
}

// settle takes in what the detector decided.
func (b *book) settle(ch *channel) {
	ch.frontier = ch.det.Frontier()
	if b.relay.cfg.Mode != config.Observe {
		for i := range b.segments {
			if b.segments[i].Finding != nil {
				ch.cut(&b.segments[i])
			}
		}
		if ch.block < math.MaxInt64 {
			ch.frontier = math.MaxInt64 // nothing behind a block is judged, or leaves
		}
	}
	b.closed = ch.det.Closed(b.closed[:0])
	for _, f := range b.closed {
		b.report(ch, f)
	}
}

// report reports a closed finding. Tokens repeat the text they stand beside:
// what they show is reported at the end, if nothing else of the choice was.
func (b *book) report(ch *channel, f *detect.Finding) {
	if ch.role == wire.Token && !b.finished {
		if ch.secret == nil && !f.Echo {
			ch.secret = f
		}
		return
	}
	b.relay.counts.Findings++
	act := Echoed
	if !f.Echo {
		ch.choice.reported = true
		act = b.action(f)
	}
	if b.relay.cfg.Report != nil {
		b.relay.cfg.Report(Finding{Channel: b.label(ch), Finding: f, Action: act})
	}
}

// action says what is done about a finding that is no echo.
func (b *book) action(f *detect.Finding) Action {
	switch {
	case b.relay.cfg.Mode == config.Observe:
		return Observed
	case f.Action == detect.Block:
		return Blocked
	case f.Action == detect.Redact:
		return Redacted
	}
	return Observed
}

// choice returns the choice with the given number.
func (b *book) choice(number int32) (*choice, error) {
	if number < 0 {
		return b.none, nil
	}
	for _, c := range b.choices {
		if c.number == number {
			return c, nil
		}
	}
	if len(b.choices) == wire.MaxChoices {
		return nil, errChannels
	}
	c := &choice{number: number, list: b.relay.cfg.Family.Paths().Choices()}
	b.choices = append(b.choices, c)
	return c, nil
}

// channel returns the channel at the given place.
func (b *book) channel(c *choice, at place, role wire.Role) (*channel, error) {
	if at.item >= 0 && strings.IndexByte(at.name, '#') < 0 {
		at.item, at.part = -1, -1
	}
	for _, ch := range b.channels {
		if ch.choice == c && ch.item == at.item && ch.part == at.part && ch.name == at.name {
			return ch, nil
		}
	}
	if len(b.channels) == wire.MaxChannels {
		return nil, errChannels
	}
	cfg := b.relay.cfg.Detect
	if role == wire.Metadata {
		cfg.Prompt = b.beside // it goes on from nothing the caller said
	}
	ch := &channel{
		choice: c, item: at.item, part: at.part, name: at.name, role: role,
		det: b.detector(cfg), cutter: b.cutter, fresh: b.cutter, ref: -1, block: math.MaxInt64,
	}
	if b.repeats && role == wire.Text {
		ch.keeps = true
		ch.sum.SetSeed(b.seed)
	}
	b.channels = append(b.channels, ch)
	return ch, nil
}

// park decides the channels that would stall the stream: those that stand
// beside the answer, those of a choice that ended, and those that fell silent
// while their choice spoke in another.
func (b *book) park(fields []wire.Field) {
	done := len(fields) == 1 && fields[0].Role == wire.Done
	for _, ch := range b.channels {
		silent := ch.fed != b.message
		beside := ch.role == wire.Metadata || ch.role == wire.Token && ch.choice == b.none
		switch {
		case ch.frontier == ch.length:
		case done, beside, ch.ended == b.message, ch.choice.ended == b.message, silent && ch.choice.spoke == b.message:
			b.segments = ch.det.Park(b.segments[:0])
			b.settle(ch)
		}
	}
}

// parkAll decides everything read so far.
func (b *book) parkAll() {
	for _, ch := range b.channels {
		b.segments = ch.det.Park(b.segments[:0])
		b.settle(ch)
	}
}

// finish decides everything and reports what is left to report.
func (b *book) finish() {
	if b.finished {
		return
	}
	for _, ch := range b.channels {
		b.segments = ch.det.Finish(b.segments[:0])
		b.settle(ch)
		b.relay.counts.Unread += ch.det.Unscanned()
	}
	b.finished = true
	for _, ch := range b.channels {
		if ch.secret != nil && !ch.choice.reported {
			b.report(ch, ch.secret)
		}
	}
}
