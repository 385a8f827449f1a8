package identify

import (
	"slices"
	"strings"
	"unicode"
)

// Spellings. A lookup folds case and punctuation, so that "4111-1111" is "4111 1111";
// the grouping of digits is not folded, because it decides where words end. So every
// usual grouping is a spelling of its own.

// Spellings returns the usual ways to write an identifier: first the given one, and each
// once. A spelling that differs in case or punctuation only is left out.
//
//	email   as written; " at " for the "@"; " dot " for the dots of the domain, or of all, too
//	card    in one word; 4-4-4-4 with a rest, 4-6-5, 4-6-4
//	iban    in one word; in groups of four; country and check digits apart
//	ssn     3-2-4; in one word
//	phone   see phoneSpellings
//	others  in one word
func Spellings(kind, text string) []string {
	all := []string{text}
	switch kind {
	case Email:
		all = append(all, emailSpellings(text)...)
	case Card:
		all = append(all, cardSpellings(digitsOf(text))...)
	case IBAN:
		joined := joined(text)
		all = append(all, joined, inFours(joined), joined[:min(4, len(joined))]+" "+joined[min(4, len(joined)):])
	case SSN:
		d := digitsOf(text)
		all = append(all, d)
		if len(d) == 9 {
			all = append(all, d[:3]+" "+d[3:5]+" "+d[5:])
		}
	case Phone:
		all = append(all, phoneSpellings(text)...)
	default:
		all = append(all, joined(text))
	}
	var once []string
	for _, s := range all {
		if s != "" && !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}

// joined drops everything but letters and digits.
func joined(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			return r
		}
		return -1
	}, text)
}

// digitsOf drops everything but ASCII digits.
func digitsOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
}

// inFours puts a space behind every four bytes.
func inFours(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i += 4 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s[i:min(i+4, len(s))])
	}
	return b.String()
}

// emailSpellings are the spellings that hide an address from programs that collect
// addresses.
func emailSpellings(text string) []string {
	local, domain, ok := strings.Cut(text, "@")
	if !ok {
		return nil
	}
	dots := strings.ReplaceAll(domain, ".", " dot ")
	return []string{local + " at " + domain, local + " at " + dots, strings.ReplaceAll(local, ".", " dot ") + " at " + dots}
}

// cardSpellings groups the digits of a card.
func cardSpellings(d string) []string {
	all := []string{d, inFours(d)}
	if len(d) == 14 || len(d) == 15 {
		all = append(all, d[:4]+" "+d[4:10]+" "+d[10:])
	}
	return all
}

// phoneSpellings returns the usual ways to write a telephone number. It splits the
// number into a country code, if there is one, and the national number in its groups.
// The national number is written in those groups, in one word, and as its first group
// and the rest in one word; a number of North America in 3-3-4 too. Each of these forms
// follows the country code, 00 and the country code, or a 0, or has no prefix; the
// prefix is a word of its own or is joined to the digits behind it. If the number has
// no country code, none is guessed: then the spellings have none either.
func phoneSpellings(text string) []string {
	code, groups := splitPhone(text)
	if len(groups) == 0 {
		return nil
	}
	var all []string
	for _, g := range nationalGroups(code, groups) {
		rest := strings.Join(g, " ")
		all = append(all, rest)
		switch code {
		case "1":
			all = append(all, "1 "+rest, "1"+rest, "001 "+rest, "001"+rest)
			continue
		case "":
		default:
			all = append(all, code+" "+rest, code+rest, "00"+code+" "+rest, "00"+code+rest, code+" 0"+rest, code+" 0 "+rest)
		}
		all = append(all, "0"+rest)
	}
	return slices.DeleteFunc(all, func(s string) bool { return len(digitsOf(s)) < phoneLeast })
}

// phoneLeast is the fewest digits of a spelling of a telephone number: shorter numbers
// have too many other meanings.
const phoneLeast = 7

// splitPhone returns the country code, empty if there is none, and the national
// number without its leading 0 in groups.
func splitPhone(text string) (code string, groups []string) {
	groups = strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if len(groups) == 0 {
		return "", nil
	}
	first := groups[0]
	switch {
	case strings.HasPrefix(strings.TrimSpace(text), "+"):
	case strings.HasPrefix(first, "00") && len(first) > 2:
		first = first[2:]
	case len(groups) == 4 && first == "1" && len(groups[1]) == 3 && len(groups[2]) == 3,
		len(groups) == 3 && len(first) == 3 && first[0] >= '2' && len(groups[1]) == 3 && len(groups[2]) == 4:
		return "1", groups[len(groups)-3:]
	default:
		groups[0] = strings.TrimPrefix(first, "0")
		return "", slices.DeleteFunc(groups, func(g string) bool { return g == "" })
	}
	n := callingCode([]byte(first))
	code, groups[0] = first[:n], first[n:]
	groups = slices.DeleteFunc(groups, func(g string) bool { return g == "" })
	// +44 (0)20 …: the 0 is dialled only inside the country.
	if len(groups) > 1 && groups[0] == "0" {
		groups = groups[1:]
	} else if len(groups) > 0 && code != "1" && code != "39" {
		groups[0] = strings.TrimPrefix(groups[0], "0")
	}
	return code, slices.DeleteFunc(groups, func(g string) bool { return g == "" })
}

// nationalGroups returns the groupings of a national number.
func nationalGroups(code string, groups []string) [][]string {
	joined := strings.Join(groups, "")
	all := [][]string{groups, {joined}}
	if len(groups) > 2 {
		all = append(all, []string{groups[0], strings.Join(groups[1:], "")})
	}
	if code == "1" && len(joined) == 10 {
		all = append(all, []string{joined[:3], joined[3:6], joined[6:]})
	}
	return all
}
