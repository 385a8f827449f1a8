package wire

// Form is how a text stands in its message.
type Form uint8

// The forms.
const (
	Plain    Form = iota // the text of a JSON string
	Reply                // the same; JSON text when the request asked for JSON
	Nested               // the text of a JSON string, itself JSON text
	Document             // a JSON value: the text is its bytes
	Raw                  // bytes outside of any JSON
	Bytes                // a JSON array of the text's bytes; it is never cut
)

// Cut is a piece of a channel's text that must not leave: half-open byte
// offsets. Cuts with equal Seq belong to one span.
type Cut struct {
	Lo, Hi int64
	Seq    uint64
	Bare   bool // nothing is put in its place
}

// Cutter writes the pieces of one channel, in order, without its cuts. It
// copies every byte that is not cut as it stands in the message, escapes
// included, and puts a mask at the start of every span.
//
// In JSON text a span covers syntax too. There string contents and keys are
// masked, once for each string; a number becomes 0; punctuation, true, false
// and null stay. So what was valid JSON stays valid:
//
//	text   {"to":"Sarah Hale","no":4711,"ok":true}     span: Sarah … true
//	out    {"to":"[redacted]","[redacted]":0,"[redacted]":true}
//
// A lexer that lives across pieces tells the four apart. Text that turns out
// not to be JSON is cut as plain text from there on.
//
// The zero value is not usable: see [NewCutter]. A Cutter is copied by
// assignment; a copy goes on from the same state.
type Cutter struct {
	mask, nested []byte // as text, and as text within a JSON string
	seq          uint64 // span that was masked last
	lex          lexer
}

// NewCutter returns the cutter of one channel.
func NewCutter(mask []byte) Cutter {
	return Cutter{mask: mask, nested: AppendEscaped(nil, mask)}
}

// Restart goes on in another place that shares the channel: a span that reaches
// into it is masked there too, and JSON text begins anew.
func (c *Cutter) Restart() { c.seq, c.lex = 0, lexer{} }

// Append appends the piece that stands at literal in the given form, whose
// text begins at offset at of the channel, without the cuts. Cuts ascend.
func (c *Cutter) Append(dst, literal []byte, form Form, at int64, cuts []Cut) []byte {
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

// utf8Max is the number of text bytes that one escape or byte can stand for.
const utf8Max = 4

// verdict is what becomes of a unit of text.
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
