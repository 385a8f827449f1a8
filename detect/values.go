package detect

import (
	"math"
	"slices"

	"noecho/detect/internal/decode"
)

// An answer may be JSON: the arguments of a tool call, or a text in JSON mode. Then names of
// members come before the words with which the model goes on with the prompt, and the joins
// would begin with the name. So the strings of a channel that begins with JSON are also read
// as a text of their own, without names, as if that text were the channel: it is joined to the
// prompt like one (join.go, phrase_join.go). Only findings that need words of the prompt come
// from there; the channel has the others.
//
// Worked example: the prompt ends with "ann.ra", the channel is {"to": "y@example.net"}. The
// strings are the text "y@example.net", which goes on with the prompt inside a word.

// A channel may also have several texts, such as the thought and the message of a list, or the
// arguments of calls. Each of them is read so, whether it is JSON or not.

// Bounds of the texts that are read so.
const (
	mostValues = 4  // of the first strings of a JSON text
	mostTexts  = 64 // of a channel
)

// values reads the strings of JSON text.
type values struct {
	host   *host
	state  valueState
	begun  int // texts that have begun since the last one of the channel
	all    int // texts that have begun
	reads  int // how many of them may go on with the prompt
	texts  [mostValues]*valueText
	depth  uint8         // open brackets
	object uint64        // bit by depth: that bracket is a brace
	name   bool          // the next string is the name of a member
	at     int64         // offset of the next byte of the channel
	fresh  int64         // offset where a text of the channel begins; -1: none is known
	plain  bool          // the text that begins need not be JSON: it is not the first
	bytes  []decode.Byte // scratch
}

// valueText is a text of the strings from one on.
type valueText struct {
	nested
	reads bool // it may go on with the prompt
}

// valueState is a place in JSON text.
type valueState uint8

const (
	valuesOff        valueState = iota // the text is the channel's first and not JSON
	valuesStart                        // before the first bracket
	valuesFence                        // in the line of a code fence before it
	valuesPlain                        // in a text that is not JSON
	valuesBetween                      // between strings
	valuesString                       // in a string that is a value
	valuesName                         // in the name of a member
	valuesEscape                       // behind a backslash in a value
	valuesNameEscape                   // behind a backslash in a name
)

// mostDepth is how deep JSON text may be nested.
const mostDepth = 63

// startValues begins to read the channel of a detector.
func startValues(d *Detector) {
	if !d.cfg.Prompt.joined() || d.cfg.decoded != Plain || d.cfg.strings {
		if d.values != nil {
			d.values.state, d.values.fresh = valuesOff, -1
		}
		return
	}
	if d.values == nil {
		d.values = &values{}
	}
	v := d.values
	*v = values{host: &d.host, state: valuesStart, fresh: -1, texts: v.texts, bytes: v.bytes[:0]}
}

// read reads p, the next bytes of the channel.
func (v *values) read(p []byte) {
	v.bytes, v.at = v.bytes[:0], v.host.d.main.Scanner.Offset()
	for _, c := range p {
		if v.at == v.fresh {
			v.fresh = -1
			v.turn()
		}
		v.next(c)
		v.at++
	}
	if v.flush(); v.fresh < v.at {
		v.fresh = -1
	}
}

// turn is told that a text of the channel begins.
func (v *values) turn() {
	if v.depth == 0 {
		v.flush()
		v.endAll()
		v.state, v.plain = valuesStart, true
	}
}

// next reads a byte of the channel.
func (v *values) next(c byte) {
	switch v.state {
	case valuesStart, valuesFence:
		v.open(c)
	case valuesPlain:
		v.add(c)
	case valuesBetween:
		v.between(c)
	case valuesName:
		switch c {
		case '\\':
			v.state = valuesNameEscape
		case '"':
			v.state = valuesBetween
		}
	case valuesNameEscape:
		v.state = valuesName
	case valuesString:
		switch c {
		case '\\':
			v.state = valuesEscape
		case '"':
			v.state, c = valuesBetween, '\n' // no part of a word
		}
		v.add(c)
	case valuesEscape:
		v.state = valuesString
		v.add(c)
	}
}

// open reads a byte before the first bracket.
func (v *values) open(c byte) {
	switch {
	case c == '{', c == '[':
		v.state = valuesBetween
		v.between(c)
	case c == '\n':
		v.state = valuesStart
	case c == '`':
		v.state = valuesFence
	case c == ' ', c == '\t', c == '\r', v.state == valuesFence && c|0x20 >= 'a' && c|0x20 <= 'z':
	case v.plain:
		v.state = valuesPlain
		v.begin()
		v.add(c)
	default:
		v.state = valuesOff
	}
}

// between reads a byte between strings.
func (v *values) between(c byte) {
	switch c {
	case '{', '[':
		if v.depth++; v.depth > mostDepth {
			v.stop()
			v.state, v.depth = valuesOff, 0
			return
		}
		v.object &^= 1 << v.depth
		if v.name = c == '{'; v.name {
			v.object |= 1 << v.depth
		}
	case '}', ']':
		v.name = false
		if v.depth--; v.depth == 0 {
			v.stop()
		}
	case ':':
		v.name = false
	case ',':
		v.name = v.object>>v.depth&1 != 0
	case '"':
		if v.state = valuesName; !v.name {
			v.state = valuesString
			v.begin()
		}
	}
}

// begin begins a text with a string.
func (v *values) begin() {
	v.flush()
	if v.begun == mostValues || v.all == mostTexts {
		return
	}
	v.all++
	if v.texts[v.begun] == nil {
		v.texts[v.begun] = &valueText{}
	}
	t := v.texts[v.begun]
	v.begun, v.reads = v.begun+1, v.reads+1
	t.outer, t.reads, t.base = v.host, true, 0
	t.forget()
	d := v.host.d
	cfg := d.cfg
	cfg.Judge, cfg.Extent, cfg.Answer, cfg.strings = nil, ExtentSpan, nil, true
	cfg.Lanes, cfg.Near.Off, cfg.Pieces = 0, true, false
	t.inner.Reset(d.index, d.spec, cfg)
}

// add adds a byte to the texts.
func (v *values) add(c byte) {
	if v.reads > 0 {
		v.bytes = append(v.bytes, decode.Byte{Value: c, Coded: true, Lo: v.at, Hi: v.at + 1})
	}
}

// flush reads the bytes that were added, and ends the texts that cannot go on with the prompt
// any more.
func (v *values) flush() {
	if len(v.bytes) == 0 {
		return
	}
	for _, t := range v.texts[:v.begun] {
		if t.reads {
			t.Read(v.bytes)
			if !t.goesOn() {
				v.end(t)
			}
		}
	}
	v.bytes = v.bytes[:0]
}

// goesOn reports whether the text may be a part of a window or phrase that has words of the
// prompt.
func (t *valueText) goesOn() bool {
	d := &t.inner
	return d.seam != nil || d.main.joins.open || d.hasPhrases && d.phrases.joins.open || d.main.Run.Active || len(d.host.list) > 0
}

// end ends a text.
func (v *values) end(t *valueText) {
	t.reads, v.reads = false, v.reads-1
	t.End()
}

// stop ends a text of the channel. Another one may follow.
func (v *values) stop() {
	v.flush()
	v.endAll()
	v.state, v.plain = valuesStart, false
}

// endAll ends all texts.
func (v *values) endAll() {
	for _, t := range v.texts[:v.begun] {
		if t.reads {
			v.end(t)
		}
	}
	v.begun = 0
}

// park decides the texts as if they ended here.
func (v *values) park() {
	if v.reads == 0 {
		return
	}
	for _, t := range v.texts[:v.begun] {
		if t.reads {
			t.Park()
		}
	}
}

// waits returns the offset of the first byte that may yet become part of a finding.
func (v *values) waits() int64 {
	free := int64(math.MaxInt64)
	if v == nil || v.reads == 0 {
		return free
	}
	for _, t := range v.texts[:v.begun] {
		if t.reads {
			free = min(free, t.Waits())
		}
	}
	return free
}

// undecided returns the offset of a last word of which nobody knows yet whether the channel is
// cut there.
func (v *values) undecided() int64 {
	free := int64(math.MaxInt64)
	if v == nil || v.reads == 0 {
		return free
	}
	for _, t := range v.texts[:v.begun] {
		if i := t.inner.Frontier() - t.base; t.reads && i < int64(len(t.marks)) {
			free = min(free, t.span(t.marks[i]).Lo)
		}
	}
	return free
}

// suspects reports whether bytes wait because of indexed words.
func (v *values) suspects() bool {
	return v != nil && v.reads > 0 && slices.ContainsFunc(v.texts[:v.begun], func(t *valueText) bool { return t.reads && t.Suspects() })
}

// drop forgets the channel.
func (v *values) drop() {
	kept := values{texts: v.texts, bytes: v.bytes[:0]}
	clear(v.bytes[:cap(v.bytes)])
	for _, t := range v.texts {
		if t != nil {
			t.forget()
			t.inner.forget()
			clear(t.found[:cap(t.found)])
			clear(t.segs[:cap(t.segs)])
			clear(t.text[:cap(t.text)])
			t.outer, t.reads = nil, false
		}
	}
	*v = kept
}
