package identify

import (
	"bytes"
	"slices"
)

// Telephone numbers. A number with a country code is recognized by its "+" or "00" and
// its length (ITU-T E.164: at most 15 digits); a number of North America by its groups
// of three, three and four digits; any other national number by the leading 0 that most
// countries dial. Digits without any of these signs are a telephone number only behind
// a word such as "phone".

// phone returns how many groups, from the first on, are a telephone number; 0: none.
func (r *run) phone() int {
	n := r.beforeDate()
	if n == 0 {
		return 0
	}
	switch {
	case r.plus >= 0:
		return r.international(n, 0)
	case r.groups[0].len() >= 3 && bytes.HasPrefix(r.line[r.groups[0].lo:], []byte("00")) && r.line[r.groups[0].lo+2] != '0':
		return r.international(n, 2)
	}
	if g := r.northAmerican(n); g > 0 {
		return g
	}
	if g := r.national(n); g > 0 {
		return g
	}
	if g := r.upTo(n, phoneLeast, 15); g > 0 && cued(r.line, r.groups[0].lo) {
		return g
	}
	return 0
}

// beforeDate returns the number of groups before the first three that are a date.
func (r *run) beforeDate() int {
	for i := 0; i+2 < r.n; i++ {
		a, b, c := r.groups[i], r.groups[i+1], r.groups[i+2]
		if b.sep != c.sep || b.sep != '.' && b.sep != '/' && b.sep != '-' {
			continue
		}
		dayFirst := a.len() <= 2 && b.len() <= 2 && (c.len() == 4 && c.year(r) || c.len() == 2 && i > 0 && b.sep != a.sep)
		yearFirst := a.len() == 4 && a.year(r) && b.len() == 2 && c.len() == 2
		if dayFirst || yearFirst {
			return i
		}
	}
	return r.n
}

// year reports whether a group of four digits is a year as in dates, 19.. or 20..
func (g group) year(r *run) bool {
	century := string(r.line[g.lo : g.lo+2])
	return century == "19" || century == "20"
}

// upTo returns the largest number of groups, at most n, that have least to most digits
// together; 0 if there is none.
func (r *run) upTo(n, least, most int) int {
	for ; n > 0; n-- {
		if d := r.digits(0, n); d >= least && d <= most {
			return n
		}
	}
	return 0
}

// international checks a number that begins with a country code, behind skip digits
// of its first group.
func (r *run) international(n, skip int) int {
	first := r.groups[0]
	if callingCode(r.line[first.lo+skip:first.hi]) == 0 {
		return 0
	}
	if r.line[first.lo+skip] == '1' {
		return r.upTo(n, 11+skip, 11+skip) // North America
	}
	return r.upTo(n, 8+skip, 15+skip)
}

// northAmerican checks a number of the North American plan: area code and exchange
// begin with 2 to 9, and the groups are 3-3-4, with a 1 before or not.
func (r *run) northAmerican(n int) int {
	g := r.groups[:n]
	i := 0
	if n > 3 && g[0].len() == 1 && r.line[g[0].lo] == '1' {
		i = 1
	}
	if n < i+3 || g[i].len() != 3 || g[i+1].len() != 3 || g[i+2].len() != 4 {
		return 0
	}
	if r.line[g[i].lo] < '2' || r.line[g[i+1].lo] < '2' || n > i+3 && g[i+3].sep == g[i+2].sep {
		return 0
	}
	return i + 3
}

// national checks a number that begins with 0 and then another digit.
func (r *run) national(n int) int {
	first := r.groups[0]
	if r.line[first.lo] != '0' || first.len() < 2 || r.line[first.lo+1] == '0' {
		return 0
	}
	if n == 1 || first.len() > 6 {
		return r.oneGroup(first)
	}
	g := r.upTo(n, 9, 12)
	if g == 1 {
		return r.oneGroup(first)
	}
	if g > 5 || g == 3 && first.len() == 3 && r.groups[1].len() == 2 && r.groups[2].len() == 4 {
		return 0 // too many groups, or grouped as a social security number
	}
	return g
}

// oneGroup checks a national number that is written without spaces.
func (r *run) oneGroup(g group) int {
	if g.len() >= 10 && g.len() <= 12 && string(r.line[g.lo:g.hi]) != "0123456789" {
		return 1
	}
	return 0
}

// cues are words in front of a number that announce a telephone number.
var cues = [][]byte{
	[]byte("phone"), []byte("tel"), []byte("mobile"), []byte("cell"), []byte("fax"), []byte("whatsapp"), []byte("call"),
	[]byte("handy"), []byte("telefon"), []byte("mobil"), []byte("portable"), []byte("móvil"), []byte("teléfono"), []byte("téléphone"),
}

// cued reports whether one of the cues is right before byte i, with at most " number",
// "no." or "me at" and a few punctuation marks between.
func cued(line []byte, i int) bool {
	before := bytes.ToLower(line[max(0, i-32):i])
	before = bytes.TrimRight(before, " :.=#(-\"'\t")
	for _, filler := range []string{"number", "no", "nr", "me at", "us at", "at", "on", "is"} {
		if rest, ok := bytes.CutSuffix(before, []byte(" "+filler)); ok {
			before = bytes.TrimRight(rest, " :.=")
		}
	}
	return slices.ContainsFunc(cues, func(c []byte) bool {
		return bytes.HasSuffix(before, c) && begins(before, len(before)-len(c))
	})
}

// callingCode returns how many of the digits are the country's calling code: 1 for 1
// and 7, 2 for the codes below, 3 for all others; 0 if there is none. The list is that
// of Recommendation ITU-T E.164, assigned country codes.
func callingCode(digits []byte) int {
	switch {
	case len(digits) == 0 || digits[0] == '0':
		return 0
	case digits[0] == '1' || digits[0] == '7':
		return 1
	case len(digits) < 2:
		return 0
	case slices.Contains(twoDigitCodes, string(digits[:2])):
		return 2
	case len(digits) < 3:
		return 0
	default:
		return 3
	}
}

var twoDigitCodes = []string{
	"20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
	"51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66",
	"81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
}
