package wire

// Form is the way in which a message writes a text.
type Form uint8

// The forms.
const (
	Plain    Form = iota // the text of a JSON string
	Reply                // the same; the text is JSON if the request asked for JSON
	Nested               // the text of a JSON string; that text is JSON
	Document             // a JSON value: the text is its bytes
	Raw                  // bytes outside of JSON
	Bytes                // a JSON array with the bytes of the text; never cut
	Number               // a JSON number: the text is its bytes; cut to 0
)

// Cut is a range of a channel's text that must not leave: the bytes Lo to Hi, Hi
// excluded. Cuts with equal Seq are parts of one span, which gets one mask.
type Cut struct {
	Lo, Hi int64
	Seq    uint64
	Bare   bool // without a mask in its place
}

// Cutter writes the pieces of one channel, in order, without its cuts. It copies every
// byte that is not cut exactly as the message has it, escapes included, and writes a
// mask at the start of every span.
//
// In JSON text a span covers syntax too. There the contents of strings and keys are
// masked, once for each string; a number becomes 0; punctuation, true, false and null
// stay. So valid JSON stays valid:
//
//	text   {"to":"Sarah Hale","no":4711,"ok":true}     span: Sarah … true
//	out    {"to":"[redacted]","[redacted]":0,"[redacted]":true}
//
// A lexer that keeps its state between pieces tells strings, numbers, words and
// punctuation apart. Text that turns out not to be JSON is cut as plain text from that
// byte on.
//
// The zero value is not usable: see [NewCutter]. A Cutter is copied by assignment; the
// copy continues from the same state.
type Cutter struct {
	mask, nested []byte // the mask as text, and as text inside a JSON string
	seq          uint64 // the span that was masked last
	lex          lexer
}

// NewCutter returns the cutter of one channel.
func NewCutter(mask []byte) Cutter {
	return Cutter{mask: mask, nested: AppendEscaped(nil, mask)}
}

// Restart prepares the cutter for another place that shares the channel: a span that
// covers both places is masked in both, and JSON text begins anew.
func (c *Cutter) Restart() { c.seq, c.lex = 0, lexer{} }

// Append appends literal without the cuts. literal is one piece of the channel in the
// given form, and its text begins at offset at of the channel. Cuts are in ascending
// order.
func (c *Cutter) Append(dst, literal []byte, form Form, at int64, cuts []Cut) []byte {
	if form == Number && len(cuts) > 0 && cuts[0].Lo < at+int64(len(literal)) {
		return append(dst, '0')
	}
	quoted := form == Plain || form == Nested || form == Reply
	s := literal
	if quoted {
		dst = append(dst, '"')
		s = literal[1 : len(literal)-1]
	}
	var text [utf8Max]byte
	for len(s) > 0 {
		unit, n := append(text[:0], s[0]), 1
		if quoted && s[0] == '\\' {
			unit, n = appendEscape(text[:0], s)
		}
		end := at + int64(len(unit))
		for len(cuts) > 0 && cuts[0].Hi <= at {
			cuts = cuts[1:]
		}
		var cut *Cut
		if len(cuts) > 0 && cuts[0].Lo < end {
			cut = &cuts[0]
		}
		var out []byte
		var keep verdict
		if form == Nested || form == Document {
			out, keep = c.structured(unit, cut)
		} else {
			out, keep = c.plain(cut)
		}
		switch {
		case len(out) > 0 && quoted:
			dst = AppendEscaped(dst, out)
		case len(out) > 0:
			dst = append(dst, out...)
		}
		if keep == stays {
			dst = append(dst, s[:n]...)
		}
		s, at = s[n:], end
	}
	if quoted {
		dst = append(dst, '"')
	}
	return dst
}

// utf8Max is the number of text bytes that one escape can spell.
const utf8Max = 4

// verdict says whether a unit of text stays.
type verdict uint8

const (
	goes verdict = iota
	stays
)

// plain cuts plain text.
func (c *Cutter) plain(cut *Cut) ([]byte, verdict) {
	switch {
	case cut == nil:
		return nil, stays
	case cut.Seq == c.seq, cut.Bare:
		return nil, goes
	}
	c.seq = cut.Seq
	return c.mask, goes
}
