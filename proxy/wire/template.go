package wire

import "bytes"

// template is the last message that a locator read, but for its holes: the contents that
// decide nothing about the places of the message, such as the word that an event of a
// stream says. The next message mostly has the same bytes around other contents. Then its
// places are those of the last one, moved, and it is not read again:
//
//	{"id":"c1","choices":[{"delta":{"content":"Hi"}}],"n":7}
//	      ^^ identifier                       ^^ text     ^ number
//
// Only the bytes around the holes are kept, and only if they are few.
type template struct {
	live    bool
	missed  int      // messages in a row that it did not fit
	loose   bool     // holes may be identifiers and numbers
	fixed   []byte   // the bytes around the holes
	holes   []hole   // ascending
	next    []place  // scratch: the holes of the message that is compared
	objects []uint32 // that the message begins, by depth
}

// place is the bytes lo to hi of a payload.
type place struct{ lo, hi int }

// hole is one content that may change.
type hole struct {
	place // in the last payload
	kind  kind
	until int // the bytes before the hole end here in template.fixed
}

// kind says which contents a hole may have.
type kind uint8

const (
	ofText       kind = iota // a string: not empty
	ofIdentifier             // a string: an identifier, or empty
	ofNumber                 // a whole number of at most nine digits
)

// Identifiers and numbers mostly stay the same. They become holes once so many messages in a
// row had to be read.
const looseAfter = 3

const (
	maxHoles     = 32      // holes of a template
	keepTemplate = 8 << 10 // bytes of a payload with a template
	shortNumber  = 9       // digits of a number that is a hole: a longer one may be an identifier
)

// again reports whether a payload has the last message's template, and moves the places.
func (l *Locator) again(payload []byte) bool {
	t := &l.template
	if !t.live || len(payload) > keepTemplate || !t.fits(payload) {
		t.missed++
		return false
	}
	t.missed = 0
	for i := range l.fields {
		f := &l.fields[i]
		f.Lo, f.Hi = t.moved(f.Lo), t.moved(f.Hi)
	}
	for i := range t.holes {
		t.holes[i].place = t.next[i]
	}
	for depth, n := range t.objects {
		l.objects[depth] += n
	}
	l.messages++
	return true
}

// fits compares a payload with the template and finds its holes.
func (t *template) fits(p []byte) bool {
	at, from := 0, 0
	t.next = t.next[:0]
	for i := range t.holes {
		h := &t.holes[i]
		before := t.fixed[from:h.until]
		if !bytes.HasPrefix(p[at:], before) {
			return false
		}
		at, from = at+len(before), h.until
		n := h.kind.length(p[at:])
		if n < 0 {
			return false
		}
		t.next = append(t.next, place{at, at + n})
		at += n
	}
	return string(p[at:]) == string(t.fixed[from:])
}

// moved returns where an offset in the last payload is in the new one.
func (t *template) moved(at int) int {
	for i := len(t.holes) - 1; i >= 0; i-- {
		if t.holes[i].hi <= at {
			return at + t.next[i].hi - t.holes[i].hi
		}
	}
	return at
}

// length returns the length of the content that p begins with, -1 if it is not one of its
// kind. The byte behind the content is for the caller to compare.
func (k kind) length(p []byte) int {
	switch k {
	case ofText:
		return textLength(p)
	case ofNumber:
		n := 0
		for n < len(p) && p[n] >= '0' && p[n] <= '9' {
			n++
		}
		if n == 0 || n > shortNumber || n > 1 && p[0] == '0' {
			return -1
		}
		return n
	}
	n := bytes.IndexByte(p[:min(len(p), maxIdentifier+1)], '"')
	if n < 0 || !IsIdentifier(p[:n]) {
		return -1
	}
	return n
}

// textLength returns the length of the inside of a string at the beginning of p, -1 if it
// is empty or not valid.
func textLength(p []byte) int {
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '"' && i > 0:
			return i
		case c == '"', c < ' ':
			return -1
		case c != '\\':
		case i+1 < len(p) && bytes.IndexByte([]byte(`"\/bfnrt`), p[i+1]) >= 0:
			i++
		case i+5 < len(p) && p[i+1] == 'u' && isHex(p[i+2]) && isHex(p[i+3]) && isHex(p[i+4]) && isHex(p[i+5]):
			i += 5
		default:
			return -1
		}
	}
	return -1
}

// open adds a hole of the message that is being read: the literal of the given size that was
// just read, without its quotes.
func (l *Locator) open(k kind, size int) {
	hi := int(l.dec.InputOffset())
	h := hole{place: place{hi - size, hi}, kind: k}
	if k != ofNumber {
		h.lo, h.hi = h.lo+1, h.hi-1
	}
	t := &l.template
	t.loose = t.loose || t.missed > looseAfter
	if len(t.holes) <= maxHoles && hi != l.kindEnd && (k == ofText || t.loose) {
		t.holes = append(t.holes, h)
	}
}

// openText adds the string that was just read as a hole, unless its text is a reason.
func (l *Locator) openText(rule int32, role Role, size int) {
	if rule < 0 || role != End && !l.paths.rules[rule].reason {
		l.open(ofText, size)
	}
}

// learn makes the template of a message that was read, in which the objects before had begun
// until then. A message with names that no API has gets none: those depend on the messages
// before.
func (l *Locator) learn(payload []byte, before *[maxDepth]uint32) {
	t := &l.template
	if l.positions == 0 || l.named || len(t.holes) == 0 || len(t.holes) > maxHoles || len(payload) > keepTemplate {
		return
	}
	t.live, t.fixed, t.objects = true, t.fixed[:0], t.objects[:0]
	at := 0
	for i := range t.holes {
		h := &t.holes[i]
		t.fixed = append(t.fixed, payload[at:h.lo]...)
		h.until, at = len(t.fixed), h.hi
	}
	t.fixed = append(t.fixed, payload[at:]...)
	for depth := range before {
		t.objects = append(t.objects, l.objects[depth]-before[depth])
	}
	for n := len(t.objects); n > 0 && t.objects[n-1] == 0; n-- {
		t.objects = t.objects[:n-1]
	}
	if l.strange { // its names depend on the number of messages between them
		return
	}
	for i := range t.holes {
		for k := range l.fields {
			if f := &l.fields[k]; t.holes[i].kind == ofText && f.Lo == t.holes[i].lo-1 && f.Hi == t.holes[i].hi+1 {
				f.Open = true
			}
		}
	}
}
