package relay

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"noecho/detect"
	"noecho/proxy/wire"
)

// errForeign says that an event stream has a line that its format does not know.
var errForeign = errors.New("a line of the stream is no line of an event stream")

// errChannels says that an answer has more channels or choices than an honest one.
var errChannels = errors.New("too many text channels")

// channelSet has the channels and choices of an answer, and their findings until they
// are taken.
type channelSet struct {
	cfg            *Config
	message        uint64
	noChoice       *choice
	choices        []*choice
	list           []*channel
	text           []byte       // all texts of the message being read
	fields         []wire.Field // its places
	payload        []byte       // in which they are
	said           []byte       // scratch
	latest         stretch      // channel nil: none of the message
	segments       []detect.Segment
	lanes          detect.LaneMemory // of all channels
	closed         []*detect.Finding
	cutter         wire.Cutter
	newline        [1]byte
	metadataPrompt *detect.Prompt // for channels beside the answer, which do not go on from the prompt; nil: there was none
	withheld       bool           // some text of the answer did not leave
	finished       bool
	over           bool               // no text follows
	marked         bool               // the stream has had its last message
	failed         bool               // a message told of an error
	record         int                // number of the answer, in a body with many
	speakers       int                // channels that are read as one text with others
	spare          []*detect.Detector // of the channels of answers before
	spareAnswer    *detect.Answer     // of an answer before; nil: there is none
	unused         []*channel         // empty ones, of answers before
	mask           string             // of cutter
	firstRef       int                // index of the first place of the message being read
	found          []Finding          // not taken yet
	late           []detect.Part      // scratch
	blocked        *detect.Answer     // one that is read no further: a finding over its channels is blocked; nil: none
	unread         int64              // see Counts
	endings        int64              // see Counts
}

// start begins an answer.
func (s *channelSet) start(cfg *Config) {
	if s.cfg, s.newline = cfg, [1]byte{'\n'}; s.noChoice == nil {
		s.noChoice = &choice{}
	}
	*s.noChoice = choice{number: -1}
	if s.mask != cfg.Mask {
		s.mask, s.cutter = cfg.Mask, wire.NewCutter([]byte(cfg.Mask))
	}
}

// forget drops the answer and keeps little storage for another one.
func (s *channelSet) forget() {
	for _, ch := range s.list {
		if s.spare = append(s.spare, ch.det); ch.answer != nil {
			s.spareAnswer = ch.answer
		}
		if *ch = (channel{}); len(s.unused) < mostSpare {
			s.unused = append(s.unused, ch)
		}
	}
	*s.noChoice = choice{}
	for _, d := range s.spare {
		d.Reset(nil, s.cfg.Spec, detect.Config{})
	}
	clear(s.spare[min(len(s.spare), mostSpare):])
	*s = channelSet{
		spare: s.spare[:min(len(s.spare), mostSpare)], spareAnswer: s.spareAnswer, unused: s.unused,
		noChoice: s.noChoice, mask: s.mask, cutter: s.cutter,
		list: emptied(s.list, minPooled), choices: emptied(s.choices, minPooled), text: emptied(s.text, keepPooled),
		segments: emptied(s.segments, minPooled), closed: emptied(s.closed, minPooled), found: emptied(s.found, minPooled), late: emptied(s.late, minPooled),
	}
}

// read gives the texts of the message raw to their channels, parks the channels that
// fell silent, and appends the places of the message to dst. With an error it returns
// the places before it, which the caller has to release.
func (s *channelSet) read(dst []ref, raw []byte, m wire.Message, fields []wire.Field) ([]ref, error) {
	s.message++
	s.firstRef = len(dst)
	s.text, s.latest, s.fields, s.payload = s.text[:0], stretch{}, fields, m.Payload
	defer s.trim()
	extras, at := m.Extras, max(m.At, 0)
	var err error
	for i := range fields {
		for len(extras) > 0 && m.At >= 0 && extras[0].Lo < at {
			if dst, err = s.field(dst, raw, &extras[0], 0); err != nil {
				return dst, err
			}
			extras = extras[1:]
		}
		if dst, err = s.field(dst, m.Payload, &fields[i], at); err != nil {
			return dst, err
		}
	}
	for i := range extras {
		if dst, err = s.field(dst, raw, &extras[i], 0); err != nil {
			return dst, err
		}
	}
	s.park(fields)
	if m.Foreign {
		return dst, errForeign
	}
	return dst, nil
}

// trim gives back the storage that a large message made.
func (s *channelSet) trim() {
	s.latest, s.fields, s.payload = stretch{}, nil, nil
	if cap(s.said) > keepStorage {
		s.said = nil
	}
	if cap(s.text) > keepStorage {
		s.text = nil
	}
	if cap(s.segments) > minCompact {
		s.segments = nil
	}
	if cap(s.closed) > minCompact {
		s.closed = nil
	}
}

// field reads one place of a message and appends it. shift is where text begins in the
// message: offsets of f are relative to text.
func (s *channelSet) field(dst []ref, payload []byte, f *wire.Field, shift int) ([]ref, error) {
	c, err := s.choice(f)
	if err != nil {
		return dst, err
	}
	p := ref{role: f.Role, form: s.form(f.Form), item: f.Item, choice: c, at: f.Lo + shift, end: f.Hi + shift, instead: f.With}
	switch f.Role {
	case wire.Done:
		return dst, nil
	case wire.End:
		c.ended = s.message
		fallthrough
	case wire.Begin, wire.Drop, wire.DropMessage:
		if !f.InItem {
			p.item = -1
		}
		return append(dst, p), nil
	}
	lo := len(s.text)
	s.text = wire.AppendForm(s.text, payload[f.Lo:f.Hi], f.Form)
	ch, err := s.channel(c, key{f.Item, f.Part, f.Name}, f.Role, p.form, f.Sort, f.Whole)
	if err != nil {
		return dst, err
	}
	if said := s.copied(ch, f, s.text[lo:]); said.channel != nil {
		p.role, p.channel, p.lo, p.hi = wire.Final, said.channel, said.lo, said.hi
		said.channel.repeat.waiting++
		return append(dst, p), nil
	}
	how, from := ch.relate(f, s.text, lo, s.message)
	if f.Role == wire.Final { // pieces that follow belong to the next text
		ch.ended, ch.repeat.complete = s.message, true
	}
	text := s.text[lo:]
	switch how {
	case copied:
		p.lo, text = from, text[ch.length-from:]
		if repeatsAll(f.Role) {
			ch.repeat.waiting++
		}
	case otherPiece, otherText:
		before := ch.repeat.alias(f.Rule)
		if ch, err = s.channel(c, key{f.Item, f.Part, f.Path}, wire.Text, p.form, wire.Beside, false); err != nil {
			return dst, err
		}
		s.goOn(ch, before)
		fallthrough
	default:
		s.startPiece(ch, f, how, lo)
		p.role, p.lo = textRole(f.Role), ch.length
	}
	if how != copied || len(text) > 0 {
		s.say(ch, f, how, text)
	}
	if f.Role == wire.Alias && how != otherPiece {
		ch.repeat.named(f.Rule, ch.length, s.text[lo:])
	}
	s.latest = stretch{ch, p.lo, ch.length, s.text[lo:], f.Item}
	return s.add(dst, ch, p), nil
}

// stretch is a text of a message, as it is in its channel.
type stretch struct {
	channel *channel
	lo, hi  int64
	text    []byte
	item    int32
}

// goOn begins a channel of the text under one name with the tail of the text that the name has said, if
// that was part of another channel. The tail is there for the words behind it only.
func (s *channelSet) goOn(ch *channel, name *alias) {
	if name == nil || ch.length > 0 {
		return
	}
	ch.det.SetStrand(0, detect.Aside)
	s.feed(ch, name.tail)
	ch.tail = ch.length
}

// copied returns the text that the text of a place is a copy of: the one right before it in its
// item, or an id, label or string. Without a channel there is none.
func (s *channelSet) copied(ch *channel, f *wire.Field, text []byte) stretch {
	id, ok := saidID{}, false
	switch {
	case f.Again && s.latest.item == f.Item && bytes.Equal(s.latest.text, text):
		return s.latest
	case f.Rule >= 0 && (f.Sort == wire.Apart || f.Separate && f.Role == wire.Metadata), f.Sort == wire.Label && f.Separate:
		id, ok = ch.copyOf(f.Rule, text)
	case repeated(f):
		id, ok = ch.copyInItem(f.Item, text, s.message)
	}
	if !ok {
		return stretch{}
	}
	return stretch{channel: ch, lo: id.lo, hi: id.hi}
}

// repeated reports whether a place has a string without a rule, which the server may send once
// more.
func repeated(f *wire.Field) bool { return f.Role == wire.Metadata && f.Sort == wire.Beside }

// textRole returns the role of a piece whose place could have had a copy.
func textRole(role wire.Role) wire.Role {
	if role == wire.Alias || repeatsAll(role) {
		return wire.Text
	}
	return role
}

// startPiece writes a separator before a piece that does not go on with the text of its
// channel. The message's text starts at the separator: no copy equals a text with one.
func (s *channelSet) startPiece(ch *channel, f *wire.Field, how relation, lo int) {
	r := &ch.repeat
	if ch.fed != s.message {
		r.lo, r.start, r.rule = lo, ch.length, f.Rule
	}
	r.hi = len(s.text)
	switch {
	case how == otherText:
		s.addSeparator(ch)
	case repeatsAll(f.Role):
	case r.complete:
		s.addSeparator(ch)
		r.startSegment(ch.length)
	case ch.startsText(f, s.message), how == nextPiece && ch.startsName(f, s.text[lo:]):
		s.addSeparator(ch)
	}
	r.pieced = r.pieced || !repeatsAll(f.Role)
	ch.origin = f.Item
}

// say gives the text of a place to its channel and notes whether the stream may wait for
// more of it. A known place, such as the name of a tool, shows that its choice speaks;
// a string that the family has no rule for does not.
func (s *channelSet) say(ch *channel, f *wire.Field, how relation, text []byte) {
	if repeated(f) {
		ch.saidInItem(f.Item, text, s.message)
	}
	constant := f.Rule < 0 && f.Role == wire.Text && f.Form != wire.Raw && ch.repeat.constant(text)
	switch {
	case how == otherText, constant:
		ch.ended = s.message
	case ch.role == wire.Text, ch.role == wire.Metadata && f.Rule >= 0 && f.Sort != wire.Apart:
		ch.choice.spoke = s.message
	}
	form, strand := s.form(f.Form), ch.strand
	if ch.role == wire.Metadata && form < wire.Nested && (strand == detect.Labels || f.Sort == wire.Beside && wire.IsIdentifier(text)) && ch.choice.again(fingerprint(unsaid, text)) {
		strand += detect.Minor
	}
	switch {
	case ch.answer == nil:
	case constant, ch.role == wire.Metadata && (ch.repeat.again(text) || ch.frames(f, text)), ch.role == wire.Token && !s.alone(ch, f):
		ch.det.SetStrand(ch.length, detect.Aside) // the answer has it already, or the server wrote it
	case form == wire.Nested, form == wire.Document:
		s.feedJSON(ch, text)
		return
	default:
		if f.Rule < 0 && f.Role == wire.Text && ch.length > 0 && ch.fed < s.message-1 {
			ch.det.SetStrand(ch.length, detect.Aside) // a message without text may have ended one
		}
		ch.det.SetStrand(ch.length, strand)
	}
	s.feed(ch, text)
}

// alone reports whether the tokens of an item in a message are read as text beside the answer:
// the message does not have them as text too. Of several lists of tokens one is read.
func (s *channelSet) alone(ch *channel, f *wire.Field) bool {
	c := ch.choice
	if c == s.noChoice || f.Alternative {
		return false // tokens of the prompt, or alternatives
	}
	if c.tokensIn == s.message && c.tokensOf == f.Item {
		return c.tokens == ch
	}
	c.tokensIn, c.tokensOf, c.tokens = s.message, f.Item, nil
	s.said = s.said[:0]
	for i := range s.fields {
		if o := &s.fields[i]; o.Choice == f.Choice && o.Item == f.Item && textRole(o.Role) == wire.Text {
			s.said = wire.AppendForm(s.said, s.payload[o.Lo:o.Hi], o.Form)
		}
	}
	n := len(s.said)
	for i := range s.fields {
		if o := &s.fields[i]; o.Choice == f.Choice && o.Item == f.Item && o.Role == wire.Token && o.Name == f.Name && !o.Alternative {
			s.said = wire.AppendForm(s.said, s.payload[o.Lo:o.Hi], o.Form)
		}
	}
	if text, tokens := s.said[:n], s.said[n:]; !bytes.Contains(text, tokens) && (2*len(text) < len(tokens) || !bytes.Contains(tokens, text)) {
		c.tokens = ch
	}
	return c.tokens == ch
}

// feedJSON gives JSON text to a channel and its detector, each part as its strand. Each string
// is a text, whose end is told if a word may be cut there.
func (s *channelSet) feedJSON(ch *channel, text []byte) {
	begun := false // a string began in this text
	for at := 0; at < len(text); {
		n, part, edge := ch.parts.Next(text[at:])
		lo, strand := ch.length+int64(at), ch.strand
		name := part == wire.JSONName
		switch {
		case part == wire.JSONNumber:
			strand = detect.Texts + detect.Minor
		case name && edge == 1:
			strand = s.nameStrand(ch, nameIn(text[at+n:]), true)
		case name && edge < 1 && !begun:
			strand = s.nameStrand(ch, nameIn(text[at:at+n]), false)
		case name:
			strand = detect.Keys
		}
		switch edge {
		case 0:
			if !begun {
				ch.det.SetStrand(lo, strand)
			}
		case 1:
			ch.det.SetStrand(lo+int64(n), strand)
		case -1:
			if name && !begun {
				ch.det.SetStrand(lo, strand)
			}
			if s := text[at : at+n-1]; endsInWord(s) && (!name || !isWord(s)) {
				ch.det.SetStrand(lo+int64(n)-1, detect.Aside)
			}
		}
		begun = edge == 1
		at += n
	}
	s.feed(ch, text)
}

// nameStrand returns the strand of a name in JSON text, or of the next piece of one: whether it
// came before in its choice or is one that APIs use.
func (s *channelSet) nameStrand(ch *channel, name []byte, begins bool) detect.Strand {
	if begins {
		ch.member = unsaid
	}
	ch.member = fingerprint(ch.member, name)
	if ch.choice.again(ch.member) || begins && s.cfg.Family.Knows(string(name)) {
		return detect.Keys + detect.Minor
	}
	return detect.Keys
}

// nameIn returns the text before the quote that ends a string.
func nameIn(text []byte) []byte {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return text[:i]
		case '\\':
			i++
		}
	}
	return text
}

// endsInWord reports whether a word that goes on behind a text may be one of the text. If the
// text is empty the bytes before it have come earlier.
func endsInWord(text []byte) bool {
	if len(text) == 0 {
		return true
	}
	c := text[len(text)-1]
	return c >= 0x80 || c == '\'' || isWord(text[len(text)-1:])
}

// isWord reports whether a text has only letters and digits of ASCII. Such a name begins no
// word that is cut: nearly all names of members are so.
func isWord(text []byte) bool {
	for _, c := range text {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// form returns the form of a text: a reply is JSON text if the request asked for that.
func (s *channelSet) form(f wire.Form) wire.Form {
	switch {
	case f != wire.Reply:
		return f
	case s.cfg.Request.Schema:
		return wire.Nested
	}
	return wire.Plain
}

// add appends a place whose text in ch ends where ch ends.
func (s *channelSet) add(dst []ref, ch *channel, p ref) []ref {
	p.channel, p.hi = ch, ch.length
	if ch.role == wire.Token {
		if at := ch.token.ref; at >= s.firstRef && at < len(dst) && dst[at].channel == ch {
			dst[at].hi = p.hi // all tokens of a message leave, or none
			return dst
		}
		ch.token.ref = len(dst)
	}
	return append(dst, p)
}

// addSeparator begins a new text in a channel: a newline is no part of a word. For the answer
// a word may be cut there.
func (s *channelSet) addSeparator(ch *channel) {
	ch.parts = wire.JSONSplitter{}
	if ch.answer != nil {
		ch.det.SetStrand(ch.length, detect.Aside)
	}
	s.feed(ch, s.newline[:])
}

// feed gives text to a channel and its detector.
func (s *channelSet) feed(ch *channel, text []byte) {
	ch.fed = s.message
	ch.length += int64(len(text))
	ch.repeat.read(text)
	s.segments = ch.det.Append(s.segments[:0], text)
	s.decide(ch)
}

// decide takes over the decisions and the closed findings of a channel's detector, and
// those of its answer. Tokens repeat a text, so that their findings are those of the text:
// the first is reported at the end, if none of its choice was.
func (s *channelSet) decide(ch *channel) {
	ch.frontier = ch.det.Frontier()
	if s.cfg.Hold {
		for i := range s.segments {
			if s.segments[i].Finding != nil {
				ch.out.cut(&s.segments[i])
			}
		}
		if ch.out.block < math.MaxInt64 {
			ch.frontier = math.MaxInt64 // the text behind is not judged and does not leave
		}
	}
	s.close(ch)
	if ch.answer != nil {
		s.decideAnswer(ch.answer)
	}
}

// close takes over the closed findings of a channel's detector.
func (s *channelSet) close(ch *channel) {
	s.closed = ch.det.Closed(s.closed[:0])
	for _, f := range s.closed {
		switch {
		case ch.role != wire.Token || s.finished:
			s.report(ch, f)
		case ch.token.secret == nil && !f.Echo: // of the text, if that is found too
			ch.token.secret = f
		}
	}
}

// decideAnswer takes over the findings over several channels. Text that waits in the queue
// can be cut, although its channel found it clean.
func (s *channelSet) decideAnswer(a *detect.Answer) {
	if s.late, s.closed = a.Take(s.late[:0], s.closed[:0]); s.cfg.Hold {
		for i := range s.late {
			ch := s.list[s.late[i].Channel]
			ch.out.cutLate(&s.late[i].Segment)
			if ch.out.block < math.MaxInt64 {
				ch.frontier = math.MaxInt64
			}
		}
	}
	for _, f := range s.closed {
		if f.Action == detect.Block {
			s.blocked = a
		}
		s.report(s.list[f.Parts[0].Channel], f)
	}
}

// report keeps a closed finding for take.
func (s *channelSet) report(ch *channel, f *detect.Finding) {
	if f.Span.Hi <= ch.tail {
		return // the other channel reported it
	}
	found := Finding{Channel: s.label(ch), Finding: f}
	for _, p := range f.Parts {
		if name := s.label(s.list[p.Channel]); !slices.Contains(found.Channels, name) {
			found.Channels = append(found.Channels, name)
		}
	}
	if len(found.Channels) == 1 {
		found.Channels = nil // pieces of one
	}
	if s.cfg.Hold {
		found.Action = f.Action
	}
	s.found = append(s.found, found)
	s.cfg.Judge.Closed(f)
	ch.choice.reported = ch.choice.reported || !f.Echo
}

// take appends the findings and forgets them. After a panic some are not taken over yet.
func (s *channelSet) take(dst []Finding) []Finding {
	for _, ch := range s.list {
		s.close(ch)
	}
	dst = append(dst, s.found...)
	if clear(s.found); cap(s.found) > minCompact {
		s.found = nil
	}
	s.found = s.found[:0]
	return dst
}

// choice returns the choice of a place, and notes why it ended.
func (s *channelSet) choice(f *wire.Field) (*choice, error) {
	if f.Choice < 0 {
		return s.noChoice, nil
	}
	for _, c := range s.choices {
		if c.number == f.Choice {
			c.cause = max(c.cause, f.Cause)
			return c, nil
		}
	}
	if len(s.choices) == wire.MaxChoices {
		return nil, errChannels
	}
	c := &choice{number: f.Choice, list: s.cfg.Family.Choices, cause: f.Cause}
	if len(s.choices) == 0 {
		c.answer = s.noChoice.answer
	}
	s.choices = append(s.choices, c)
	return c, nil
}

// channel returns the channel of a choice with the given key. Items share a channel
// whose name has no #. With whole each piece of it may be a text of its own.
func (s *channelSet) channel(c *choice, at key, role wire.Role, form wire.Form, sort wire.Sort, whole bool) (*channel, error) {
	if at.item >= 0 && strings.IndexByte(at.name, '#') < 0 {
		at.item, at.part = -1, -1
	}
	for _, ch := range s.list {
		if ch.choice == c && ch.key == at {
			return ch, nil
		}
	}
	if len(s.list) == wire.MaxChannels {
		return nil, errChannels
	}
	cfg := s.cfg.Detect
	cfg.LaneMemory, cfg.Streamed = &s.lanes, s.cfg.Framing != wire.JSON && s.cfg.Framing != wire.Records
	if role == wire.Metadata && sort != wire.Label {
		if s.metadataPrompt == nil {
			s.metadataPrompt = s.cfg.Detect.Prompt.ExcuseOnly()
		}
		cfg.Prompt = s.metadataPrompt
	}
	if sort == wire.Apart {
		cfg.Lanes = 0 // hashes and the like wake lanes
	}
	role = textRole(role)
	cfg.Channel = len(s.list)
	strand := detect.Texts
	switch {
	case role != wire.Metadata || form >= wire.Nested:
	case sort == wire.Label:
		strand = detect.Labels
	case sort == wire.Key:
		strand = detect.Keys
	}
	cfg.Beside, cfg.Tokens, cfg.Pieces = role == wire.Metadata && sort != wire.Label, role == wire.Token, whole
	if sort != wire.Apart {
		cfg.Answer = s.answerOf(c)
		s.speakers++
	}
	ch := s.unusedChannel() // a literal of a kilobyte would be built on the stack, which each stream has
	ch.choice, ch.key, ch.role, ch.answer, ch.strand = c, at, role, cfg.Answer, strand
	ch.out.cutter, ch.out.block = s.cutter, math.MaxInt64
	ch.repeat.keeps = role == wire.Metadata || role == wire.Text && s.cfg.Family.Repeats()
	if s.cfg.Hold && role == wire.Text && c != s.noChoice {
		cfg.Cut = func() (cut, known bool) { return s.cuts(ch) }
	}
	ch.det = s.detector(cfg)
	ch.det.SetStrand(0, strand)
	s.list = append(s.list, ch)
	s.failed = s.failed || role == wire.Metadata && strings.HasPrefix(at.name, "error")
	return ch, nil
}

// unusedChannel returns an empty channel.
func (s *channelSet) unusedChannel() *channel {
	n := len(s.unused) - 1
	if n < 0 {
		return &channel{}
	}
	ch := s.unused[n]
	s.unused = s.unused[:n]
	return ch
}

// cuts reports whether a channel may end inside a word, and whether that is known.
func (s *channelSet) cuts(ch *channel) (cut, known bool) {
	switch cause := ch.choice.cause; {
	case ch.turned:
		return false, true
	case cause == wire.Unsaid:
		complete := s.marked || s.cfg.Framing == wire.JSON || s.cfg.Framing == wire.Records
		return s.cfg.Family.Silent || !complete || s.failed, s.over
	default:
		return cause.Cuts(&s.cfg.Request), true
	}
}

// answerOf returns the text that the channels of a choice are parts of. Text of no choice is
// beside the first one.
func (s *channelSet) answerOf(c *choice) *detect.Answer {
	if c == s.noChoice && len(s.choices) > 0 {
		c = s.choices[0]
	}
	if c.answer == nil {
		if c.answer, s.spareAnswer = s.spareAnswer, nil; c.answer == nil {
			c.answer = &detect.Answer{}
		}
	}
	return c.answer
}

// park decides the channels that would stall the stream: those beside the answer, those
// of a choice that ended, and those that were silent while their choice spoke in
// another. Their text is judged as if it ended here, but may go on.
func (s *channelSet) park(fields []wire.Field) {
	done := len(fields) == 1 && fields[0].Role == wire.Done
	s.marked = s.marked || done
	s.over = s.over || done
	for _, ch := range s.list {
		silent := ch.fed != s.message
		ch.turned = silent && ch.choice.spoke == s.message
		beside := ch.role == wire.Metadata || ch.role == wire.Token && ch.choice == s.noChoice
		switch {
		case ch.frontier == ch.length:
		case done, beside, ch.ended == s.message, ch.choice.ended == s.message, ch.turned:
			s.segments = ch.det.Park(s.segments[:0])
			s.decide(ch)
		}
	}
}

// parkAll decides all text that was read.
func (s *channelSet) parkAll() {
	for _, ch := range s.list {
		s.segments = ch.det.Park(s.segments[:0])
		s.decide(ch)
	}
}

// finish decides all text because it ends, and reports the findings of tokens.
func (s *channelSet) finish() {
	if s.finished {
		return
	}
	s.over = true
	for _, ch := range s.list {
		s.segments = ch.det.Finish(s.segments[:0])
		s.decide(ch)
		_, unread, endings := ch.det.Counts()
		s.unread += unread
		s.endings += endings
	}
	for _, ch := range s.list {
		if ch.answer != nil {
			ch.answer.Finish()
			s.decideAnswer(ch.answer)
		}
	}
	s.finished = true
	for _, ch := range s.list {
		if ch.token.secret != nil && !ch.choice.reported {
			s.report(ch, ch.token.secret)
		}
	}
}

// beginning reports whether some text of the answer is decided, and whether some is blocked.
func (s *channelSet) beginning() (decided, blocked bool) {
	decided = s.finished
	for _, ch := range s.list {
		decided = decided || ch.role == wire.Text && ch.frontier > 0
		blocked = blocked || ch.out.block < math.MaxInt64
	}
	return decided, blocked
}

// decided reports whether all text is decided.
func (s *channelSet) decided() bool {
	return !slices.ContainsFunc(s.list, func(ch *channel) bool { return ch.frontier < ch.length })
}

// next forgets the answer, so that the next one of the body can be read.
func (s *channelSet) next() {
	for _, ch := range s.list {
		s.spare = append(s.spare, ch.det)
	}
	clear(s.list)
	s.list, s.choices, s.noChoice = s.list[:0], s.choices[:0], &choice{number: -1}
	s.record, s.withheld, s.finished, s.over, s.failed = s.record+1, false, false, false, false
}

// detector returns a detector for a new channel.
func (s *channelSet) detector(cfg detect.Config) *detect.Detector {
	if n := len(s.spare) - 1; n >= 0 {
		d := s.spare[n]
		s.spare = s.spare[:n]
		d.Reset(s.cfg.Set, s.cfg.Spec, cfg)
		return d
	}
	return detect.New(s.cfg.Set, s.cfg.Spec, cfg)
}

// label returns a channel's name in an alert. In a body of many answers it begins with
// the number of the answer.
func (s *channelSet) label(ch *channel) string {
	if s.cfg.Framing == wire.Records {
		return "lines." + strconv.Itoa(s.record) + "." + ch.label()
	}
	return ch.label()
}
