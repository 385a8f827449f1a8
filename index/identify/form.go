package identify

import "strings"

// Forms. An identifier can be written in many ways. A table of identifiers keeps each under
// its forms, texts that are equal for every usual way to write it, and a search asks for all
// the forms that the same identifier may have in the table.
//
// A telephone number is the difficult case: "+44 20 7946 0958" is "020 7946 0958" inside of
// its country, and a text with the latter does not say which country. So the table has both
// a form with the country code and one without, and they are marked by their first byte.

// Form is one form of an identifier.
type Form struct {
	Kind, Text string
	// Sure is false for a form that other identifiers may have, too: a telephone number
	// without its country code.
	Sure bool
}

// The first bytes of the forms of a telephone number.
const (
	formWhole    = "+" // country code and national number
	formNational = "0" // a national number whose text has no country code
	formPart     = "~" // the national number of one with a country code
)

// Forms returns the forms under which a table keeps an identifier that was found in a text.
func Forms(kind, text string) []Form {
	if kind != Phone {
		return []Form{plainForm(kind, text)}
	}
	code, national := phoneDigits(text)
	if code == "" {
		return []Form{{Phone, formNational + national, true}}
	}
	return []Form{{Phone, formWhole + code + national, true}, {Phone, formPart + national, false}}
}

// Asked returns the forms under which a table may have an identifier that somebody asks for.
// Numbers are also asked for as the other kinds of numbers, because a text may group its
// digits as those do.
func Asked(kind, text string) []Form {
	d := digitsOf(text)
	var all []Form
	switch kind {
	case Phone:
		code, national := phoneDigits(text)
		if code == "" {
			all = []Form{{Phone, formNational + national, true}, {Phone, formPart + national, false}, {Phone, formWhole + d, false}}
		} else {
			all = []Form{{Phone, formWhole + code + national, true}, {Phone, formNational + code + national, true}, {Phone, formNational + national, false}}
		}
		all = append(all, Form{SSN, d, false}, Form{Card, d, false})
	case SSN, Card:
		all = []Form{plainForm(kind, text), {Phone, formNational + strings.TrimLeft(d, "0"), false}}
	default:
		all = []Form{plainForm(kind, text)}
	}
	return all
}

// plainForm returns the only form of an identifier that is no telephone number.
func plainForm(kind, text string) Form {
	if kind == Email {
		return Form{kind, strings.ToLower(strings.TrimSpace(text)), true}
	}
	return Form{kind, strings.ToUpper(joined(text)), true}
}

// phoneDigits returns the country code of a telephone number, empty if it has none, and the
// digits of its national number without the 0 that is dialled inside of the country.
func phoneDigits(text string) (code, national string) {
	code, groups := splitPhone(text)
	return code, strings.TrimLeft(strings.Join(groups, ""), "0")
}
