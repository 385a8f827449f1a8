// Package govern keeps requests of people about their data: which law they are made under,
// when an answer is due, and the steps that were taken. Dates and times are passed in.
//
// It knows laws as rows of one dated table, and its own files. It knows nothing of indexes,
// inventories or logs. It supports the one who answers; it judges nothing.
package govern

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule is a row of the table of laws: the clock of a kind of request. Terms are counted from
// the day behind the one on which the request was received.
type Rule struct {
	Law, Kind string
	Confirm   Term   // to confirm that the request has come; zero: none
	Answer    Term   // to answer; zero: at once
	Extended  Term   // to answer if the term was extended; zero: it cannot be
	Tell      Term   // to say that the term is extended
	Source    string // of the terms
	Checked   string // date on which the row was compared with its source
}

// Term is a length of time. Only one of its members is not zero.
type Term struct{ Months, Days, BusinessDays int }

// Rules is the table of laws. A request under a contract has no row: its date is given.
func Rules() []Rule {
	const checked = "2026-11-29"
	month, later := Term{Months: 1}, Term{Months: 3}
	gdpr := func(kind, articles string) Rule {
		return Rule{"gdpr", kind, Term{}, month, later, month, articles + ", 12(3) GDPR", checked}
	}
	ccpa := func(kind string) Rule {
		return Rule{"ccpa", kind, Term{BusinessDays: 10}, Term{Days: 45}, Term{Days: 90}, Term{Days: 45}, "11 CCR § 7021", checked}
	}
	return []Rule{
		gdpr("access", "Art. 15"),
		gdpr("erasure", "Art. 17"),
		gdpr("objection", "Art. 21"),
		gdpr("withdrawal", "Art. 7(3), 17(1)(b)"),
		ccpa("access"),
		ccpa("erasure"),
		{"ccpa", "objection", Term{}, Term{BusinessDays: 15}, Term{}, Term{}, "11 CCR § 7026(f)", checked},
		{"hipaa", "access", Term{}, Term{Days: 30}, Term{Days: 60}, Term{Days: 30}, "45 CFR 164.524(b)(2)", checked},
		{"hipaa", "withdrawal", Term{}, Term{}, Term{}, Term{}, "45 CFR 164.508(b)(5)", checked},
	}
}

// Contract is the law of a request whose date is agreed upon.
const Contract = "contract"

// Kinds are the kinds of requests.
func Kinds() []string { return []string{"access", "erasure", "objection", "withdrawal"} }

// RuleOf returns the rule of a law for a kind of request.
func RuleOf(law, kind string) (Rule, error) {
	if !slices.Contains(Kinds(), kind) {
		return Rule{}, fmt.Errorf("kind %q of a request: use one of %s", kind, strings.Join(Kinds(), ", "))
	}
	var laws []string
	for _, r := range Rules() {
		if r.Law == law && r.Kind == kind {
			return r, nil
		}
		if !slices.Contains(laws, r.Law) {
			laws = append(laws, r.Law)
		}
	}
	if law == Contract {
		return Rule{Law: law, Kind: kind, Source: "the contract"}, nil
	}
	if slices.Contains(laws, law) {
		return Rule{}, fmt.Errorf("the table of laws has no clock for %s under %s: use --law %s and a date", kind, law, Contract)
	}
	return Rule{}, fmt.Errorf("law %q: use one of %s, %s", law, strings.Join(laws, ", "), Contract)
}

// Date is a day without a time, as YYYY-MM-DD.
type Date string

// ParseDate reads a date.
func ParseDate(text string) (Date, error) {
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return "", fmt.Errorf("%q is no date: write YYYY-MM-DD", text)
	}
	return Date(text), nil
}

// DateOf returns the day of a time in its own zone.
func DateOf(t time.Time) Date { return Date(t.Format(time.DateOnly)) }

// After returns the last day of a term that begins with the day behind d. A month ends on the
// same day number, or else on its last day. Business days are Monday to Friday: holidays are
// not known, so that a date is rather too early. No date is moved to a later one because it
// is on a weekend.
func (t Term) After(d Date) Date {
	day, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return d
	}
	day = day.AddDate(0, 0, t.Days)
	if t.Months > 0 {
		first := time.Date(day.Year(), day.Month()+time.Month(t.Months), 1, 0, 0, 0, 0, time.UTC)
		last := first.AddDate(0, 1, -1)
		day = first.AddDate(0, 0, min(day.Day(), last.Day())-1)
	}
	for left := t.BusinessDays; left > 0; {
		day = day.AddDate(0, 0, 1)
		if wd := day.Weekday(); wd != time.Saturday && wd != time.Sunday {
			left--
		}
	}
	return DateOf(day)
}

// Clock has the dates of a request.
type Clock struct {
	Confirm Date `json:"confirm,omitempty"` // last day to confirm that the request has come
	Due     Date `json:"due"`               // last day to answer
	Tell    Date `json:"tell,omitempty"`    // last day to extend the term
}

// Clock returns the dates of a request that was received on a day.
func (r Rule) Clock(received Date) Clock {
	c := Clock{Due: r.Answer.After(received)}
	if r.Confirm != (Term{}) {
		c.Confirm = r.Confirm.After(received)
	}
	if r.Extended != (Term{}) {
		c.Tell = r.Tell.After(received)
	}
	return c
}
