package identify

// ibanLengths is the number of characters of an IBAN by country: SWIFT, IBAN
// Registry, release 99.
var ibanLengths = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28,
	"CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
	"FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
	"IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
	"LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28,
	"NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
	"SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26,
	"UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}

// iban returns the IBAN whose third character is the digit at i.
func iban(line []byte, i int) (lo, hi int, ok bool) {
	lo = i - 2
	if lo < 0 || i+1 >= len(line) || !isLetter(line[lo]) || !isLetter(line[lo+1]) || !isDigit(line[i+1]) || !begins(line, lo) {
		return 0, 0, false
	}
	want := ibanLengths[string([]byte{line[lo] &^ 0x20, line[lo+1] &^ 0x20})]
	if want == 0 {
		return 0, 0, false
	}
	rest, first := 0, 0 // modulo 97: of the characters behind the first four, and of those
	n := 0
	for hi = lo; hi < len(line) && n < want; {
		c := line[hi]
		if !isAlnum(c) {
			w := blank(line[hi:])
			if w == 0 || n == 0 {
				return 0, 0, false
			}
			hi += w
			if hi < len(line) && !isAlnum(line[hi]) {
				return 0, 0, false
			}
			continue
		}
		v := &rest
		if n < 4 {
			v = &first
		}
		if isDigit(c) {
			*v = (*v*10 + int(c-'0')) % 97
		} else {
			*v = (*v*100 + int(c&^0x20-'A') + 10) % 97
		}
		n++
		hi++
	}
	if n < want || !ends(line, hi) {
		return 0, 0, false
	}
	// The first four characters go to the end: two letters, each counted as two digits,
	// and two digits.
	return lo, hi, (rest*1_000_000+first)%97 == 1
}

// blank returns the length of the space or dash that text begins with, 0 if it
// begins with neither.
func blank(text []byte) int {
	switch {
	case len(text) == 0:
		return 0
	case text[0] == ' ' || text[0] == '-':
		return 1
	case len(text) > 1 && text[0] == 0xC2 && text[1] == 0xA0: // no-break space
		return 2
	case len(text) > 2 && text[0] == 0xE2 && text[1] == 0x80 && (text[2] >= 0x90 && text[2] <= 0x93 || text[2] == 0xAF): // hyphens, narrow space
		return 3
	default:
		return 0
	}
}
