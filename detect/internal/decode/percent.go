package decode

// percent decodes text as in a URL.
type percent struct {
	at   int64
	n    int // bytes of an open code: a percent sign and a digit
	open [2]byte
}

// NewPercent returns a decoder of text in which bytes may be percent codes, and a plus
// sign is a space.
func NewPercent() Decoder { return &percent{} }

// Reset implements Decoder.
func (d *percent) Reset(at int64) { *d = percent{at: at} }

// Append implements Decoder.
func (d *percent) Append(dst []Byte, p []byte) []Byte {
	for _, c := range p {
		dst = d.next(dst, c)
		d.at++
	}
	return dst
}

func (d *percent) next(dst []Byte, c byte) []Byte {
	digit := hexTable[c]
	switch {
	case d.n == 0 && c == '%', d.n == 1 && digit < 16:
		d.open[d.n] = c
		d.n++
		return dst
	case d.n == 2 && digit < 16:
		d.n = 0
		return append(dst, Byte{Value: hexTable[d.open[1]]<<4 | digit, Coded: true, Lo: d.at - 2, Hi: d.at + 1})
	case d.n > 0:
		dst = d.Finish(dst)
		return d.next(dst, c)
	case c == '+':
		c = ' '
	}
	return append(dst, Byte{Value: c, Lo: d.at, Hi: d.at + 1})
}

// Finish implements Decoder.
func (d *percent) Finish(dst []Byte) []Byte {
	for i, c := range d.open[:d.n] {
		at := d.Frontier() + int64(i)
		dst = append(dst, Byte{Value: c, Lo: at, Hi: at + 1})
	}
	d.n = 0
	return dst
}

// Frontier implements Decoder.
func (d *percent) Frontier() int64 { return d.at - int64(d.n) }

// hyphen joins words that were broken at the end of a line.
type hyphen struct {
	at    int64
	state hyphenState
	lo    int64  // of the hyphen
	open  []byte // from the hyphen on
	space [maxHyphen]byte
}

type hyphenState uint8

const (
	hyphenText   hyphenState = iota
	hyphenLetter             // behind a letter
	hyphenSign               // behind a hyphen that follows one
	hyphenLine               // behind the line break
)

// maxHyphen is the most bytes from a hyphen to the word's second part.
const maxHyphen = 16

// NewHyphenated returns a decoder that joins words broken by a hyphen at the end
// of a line.
func NewHyphenated() Decoder { return &hyphen{} }

// Reset implements Decoder.
func (d *hyphen) Reset(at int64) { *d = hyphen{at: at} }

// Append implements Decoder.
func (d *hyphen) Append(dst []Byte, p []byte) []Byte {
	for _, c := range p {
		dst = d.next(dst, c)
		d.at++
	}
	return dst
}

func (d *hyphen) next(dst []Byte, c byte) []Byte {
	letter := isLetter(c) || c >= 0x80
	blank := c == ' ' || c == '\t' || c == '\r'
	switch {
	case d.state == hyphenLetter && c == '-':
		d.state, d.lo = hyphenSign, d.at
		d.open = append(d.space[:0], c)
		return dst
	case d.state == hyphenSign && (blank || c == '\n') && len(d.open) < maxHyphen:
		d.open = append(d.open, c)
		if c == '\n' {
			d.state = hyphenLine
		}
		return dst
	case d.state == hyphenLine && blank && len(d.open) < maxHyphen:
		d.open = append(d.open, c)
		return dst
	case d.state == hyphenLine && letter:
		d.open = d.open[:0]
		d.state = hyphenLetter
		return append(dst, Byte{Value: c, Coded: true, Lo: d.at, Hi: d.at + 1})
	default:
		dst = d.Finish(dst)
	}
	d.state = hyphenText
	if letter {
		d.state = hyphenLetter
	}
	return append(dst, Byte{Value: c, Lo: d.at, Hi: d.at + 1})
}

// Finish implements Decoder.
func (d *hyphen) Finish(dst []Byte) []Byte {
	for i, c := range d.open {
		at := d.lo + int64(i)
		dst = append(dst, Byte{Value: c, Lo: at, Hi: at + 1})
	}
	d.open = d.open[:0]
	return dst
}

// Frontier implements Decoder.
func (d *hyphen) Frontier() int64 {
	if len(d.open) > 0 {
		return d.lo
	}
	return d.at
}
