package decode

// Leet reads digits and signs among letters as the letters that they look like.
// A word may have several readings: "1" is i or l, and "1945" may be a year.
type Leet struct {
	// Choose returns the number of the reading that a word has; nil takes the first.
	// There are two to four, and Choose must not keep them.
	Choose func(readings [][]byte) int

	at    int64
	n     int // bytes of the open word
	signs int // how many of them are digits or signs that look like letters
	raw   [maxLeet]byte
	as    [4][maxLeet]byte
	list  [4][]byte
}

// maxLeet is the longest word that is read, in bytes. A longer one is not changed.
const maxLeet = 48

// leetLetters is the letters that characters look like, in the first reading and in the
// second.
var leetLetters = [2][256]byte{
	leetTable("0o1i2z3e4a5s6g7t8b9g@a$s!i"),
	leetTable("0o1l2z3e4a5s6b7t8b9g@a$s!l"),
}

// leetTable returns a table of a list of a character and its letter.
func leetTable(list string) (t [256]byte) {
	for i := 0; i < len(list); i += 2 {
		t[list[i]] = list[i+1]
	}
	return t
}

// NewLeet returns a decoder that takes the first reading of every word.
func NewLeet() *Leet { return &Leet{} }

// Reset implements Decoder.
func (d *Leet) Reset(at int64) { d.at, d.n, d.signs = at, 0, 0 }

// Append implements Decoder.
func (d *Leet) Append(dst []Byte, p []byte) []Byte {
	for _, c := range p {
		sign := leetLetters[0][c] != 0
		if (sign || isLetter(c) || c == '\'') && d.n < maxLeet {
			if sign {
				d.signs++
			}
			d.raw[d.n] = c
			d.n++
			d.at++
			continue
		}
		dst = d.word(dst)
		dst = append(dst, Byte{Value: c, Lo: d.at, Hi: d.at + 1})
		d.at++
	}
	return dst
}

// word appends the open word.
func (d *Leet) word(dst []Byte) []Byte {
	word := d.raw[:d.n]
	lo := d.at - int64(d.n)
	if d.signs > 0 {
		word = d.read(word)
	}
	for i, c := range word {
		at := lo + int64(i)
		dst = append(dst, Byte{Value: c, Coded: c != d.raw[i], Lo: at, Hi: at + 1})
	}
	d.n, d.signs = 0, 0
	return dst
}

// read returns the reading of a word.
func (d *Leet) read(word []byte) []byte {
	end := len(word)
	for end > 0 && word[end-1] == '!' {
		end-- // it ends a sentence
	}
	letters, plain := d.as[0][:len(word)], false
	for i, c := range word {
		letters[i] = c
		if l := leetLetters[0][c]; l != 0 && i < end {
			letters[i] = l
		}
		plain = plain || isLetter(c)
	}
	other := d.as[1][:len(word)]
	copy(other, letters)
	differ := false
	for i, c := range word[:end] {
		if l := leetLetters[1][c]; l != 0 && l != letters[i] {
			other[i], differ = l, true
		}
	}
	list := append(d.list[:0], letters)
	if differ {
		list = append(list, other)
	}
	signs := d.as[3][:len(word)]
	copy(signs, letters)
	for i, c := range word {
		if !isDigit(c) {
			signs[i] = c // as in an address
		}
	}
	list = append(list, signs)
	stays := d.as[2][:len(word)]
	copy(stays, word)
	list = append(list, stays)
	if !plain && unlike(word) {
		list[0], list[len(list)-1] = list[len(list)-1], list[0]
	}
	if d.Choose == nil {
		return list[0]
	}
	return list[d.Choose(list)]
}

// unlike reports whether a number has digits that are seldom written for letters.
func unlike(word []byte) bool {
	for _, c := range word {
		if c == '2' || c == '6' || c == '8' || c == '9' {
			return true
		}
	}
	return false
}

// Finish implements Decoder.
func (d *Leet) Finish(dst []Byte) []Byte { return d.word(dst) }

// Frontier implements Decoder.
func (d *Leet) Frontier() int64 { return d.at - int64(d.n) }
