package identify

// group is a run of digits, and the separator between it and the group before.
type group struct {
	lo, hi int
	sep    byte // ' ', '-', '.', '/', '(' for anything with a parenthesis, 0 for the first
}

func (g group) len() int { return g.hi - g.lo }

// maxGroups bounds the groups of one number.
const maxGroups = 12

// run is a sequence of groups of digits with separators between them. The first group
// begins at the digit at which the scan stopped.
type run struct {
	line   []byte
	groups [maxGroups]group
	n      int
	plus   int // place of a + before the first group, -1 if there is none
}

// number returns the card, social security number or telephone number that begins
// with the run of digits at i. Its first group begins there, or behind a country
// code's "+" or an opening parenthesis.
func number(line []byte, i int) (kind string, lo, hi int, ok bool) {
	r := readRun(line, i)
	first := r.groups[0].lo
	if n := r.card(); n > 0 {
		return Card, first, r.groups[n-1].hi, true
	}
	if r.ssn() {
		return SSN, first, r.groups[2].hi, true
	}
	if n := r.phone(); n > 0 {
		lo = first
		if r.plus >= 0 {
			lo = r.plus
		}
		return Phone, lo, r.groups[n-1].hi, true
	}
	return "", 0, 0, false
}

// readRun reads the groups from i on.
func readRun(line []byte, i int) (r run) {
	r.line, r.plus = line, -1
	before := i - 1
	if before >= 0 && line[before] == '(' {
		before--
	}
	if before >= 0 && line[before] == '+' && begins(line, before) {
		r.plus = before
	}
	sep := byte(0)
	for at := i; r.n < maxGroups; {
		end := at
		for end < len(line) && isDigit(line[end]) {
			end++
		}
		if !ends(line, end) || end+1 < len(line) && line[end] == ':' && isDigit(line[end+1]) {
			return r // part of a word, or of a time
		}
		r.groups[r.n] = group{lo: at, hi: end, sep: sep}
		r.n++
		at, sep = between(line, end)
		if sep == 0 {
			return r
		}
	}
	return r
}

// between returns the start of the next group behind the digits that end at i, and the
// separator between; 0 if no group follows.
func between(line []byte, i int) (next int, sep byte) {
	for next = i; next < len(line) && next-i <= 4; {
		c := line[next]
		switch {
		case isDigit(c):
			return next, sep
		case c == '(' || c == ')':
			sep = '('
			next++
		case (c == '.' || c == '/') && (sep == 0 || sep == ' '):
			sep = c
			next++
		default:
			w := blank(line[next:])
			if w == 0 {
				return next, 0
			}
			if sep == 0 || sep == ' ' {
				if sep = ' '; line[next] == '-' || w == 3 {
					sep = '-'
				}
			}
			next += w
		}
	}
	return next, 0
}

// digits returns the number of digits in groups lo to hi-1.
func (r *run) digits(lo, hi int) (n int) {
	for _, g := range r.groups[lo:hi] {
		n += g.len()
	}
	return n
}

// uniform reports whether the first n groups have the same separator, a space, a dash
// or a dot.
func (r *run) uniform(n int) bool {
	for _, g := range r.groups[1:n] {
		if g.sep != r.groups[1].sep || g.sep == '(' || g.sep == '/' {
			return false
		}
	}
	return true
}

// value is the number that the first digits of group g make.
func (r *run) value(g, digits int) (v int) {
	for _, c := range r.line[r.groups[g].lo:min(r.groups[g].hi, r.groups[g].lo+digits)] {
		v = 10*v + int(c-'0')
	}
	return v
}

// ssn reports whether the first three groups are a US social security number: 3-2-4
// digits of a range that is in use (20 CFR 422.103).
func (r *run) ssn() bool {
	if r.n < 3 || r.plus >= 0 || r.groups[0].len() != 3 || r.groups[1].len() != 2 || r.groups[2].len() != 4 {
		return false
	}
	if !r.uniform(3) || r.groups[1].sep == '.' || r.n > 3 && r.groups[3].sep == r.groups[1].sep {
		return false
	}
	area, group, serial := r.value(0, 3), r.value(1, 2), r.value(2, 4)
	if area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0 {
		return false
	}
	return !(area == 78 && group == 5 && serial == 1120) // printed on a sample card and used by thousands
}

// card returns how many groups, from the first on, are the number of a payment card: 13
// to 19 digits under a known prefix, in one group or in the groups that are printed on
// cards, with a check digit after Luhn (ISO/IEC 7812-1). It returns 0 if there is no
// card number.
func (r *run) card() int {
	if r.plus >= 0 {
		return 0
	}
	for n := r.n; n > 0; n-- {
		total := r.digits(0, n)
		if total < 13 || total > 19 || !r.cardGroups(n) || n > 1 && !r.uniform(n) {
			continue
		}
		var all []byte
		for _, g := range r.groups[:n] {
			all = append(all, r.line[g.lo:g.hi]...)
		}
		if cardPrefix(all) && luhn(all) {
			return n
		}
	}
	return 0
}

// cardGroups reports whether n groups are grouped as on a card: 4-4-4-4 with a shorter
// or no rest, 4-6-5 or 4-6-4, or one group.
func (r *run) cardGroups(n int) bool {
	if n == 1 {
		return true
	}
	g := r.groups[:n]
	if n == 3 && g[0].len() == 4 && g[1].len() == 6 && (g[2].len() == 5 || g[2].len() == 4) {
		return true
	}
	for _, one := range g[:n-1] {
		if one.len() != 4 {
			return false
		}
	}
	return g[n-1].len() <= 4
}

// cardPrefixes are the ranges of first digits that networks issue, and the lengths
// of their numbers.
var cardPrefixes = []struct{ digits, from, to, least, most int }{
	{1, 4, 4, 13, 19},       // Visa
	{2, 51, 55, 16, 16},     // Mastercard
	{4, 2221, 2720, 16, 16}, // Mastercard
	{2, 34, 34, 15, 15},     // American Express
	{2, 37, 37, 15, 15},
	{3, 300, 305, 14, 19}, // Diners Club
	{2, 36, 36, 14, 19},
	{2, 38, 39, 14, 19},
	{4, 3528, 3589, 16, 19}, // JCB
	{4, 6011, 6011, 16, 19}, // Discover
	{3, 644, 659, 16, 19},
	{2, 62, 62, 16, 19}, // UnionPay
	{2, 81, 81, 16, 19},
	{4, 2200, 2204, 16, 19}, // Mir
	{2, 50, 50, 13, 19},     // Maestro
	{2, 56, 61, 13, 19},
	{2, 63, 69, 13, 19},
}

// cardPrefix reports whether a network issues such numbers.
func cardPrefix(number []byte) bool {
	for _, p := range cardPrefixes {
		v := 0
		for _, c := range number[:p.digits] {
			v = 10*v + int(c-'0')
		}
		if v >= p.from && v <= p.to && len(number) >= p.least && len(number) <= p.most {
			return true
		}
	}
	return false
}

// luhn reports whether the check digit is right. A number of one repeated digit does
// not count.
func luhn(number []byte) bool {
	sum, same := 0, true
	for i, c := range number {
		d := int(c - '0')
		if (len(number)-i)%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		same = same && c == number[0]
	}
	return sum%10 == 0 && !same
}
