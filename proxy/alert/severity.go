package alert

// Severity ranks an event for the people who read it.
type Severity string

// The severities, lowest first.
const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Rank orders severities: low is 1, critical is 4, any other text is 0.
func (s Severity) Rank() int {
	switch s {
	case Low:
		return 1
	case Medium:
		return 2
	case High:
		return 3
	case Critical:
		return 4
	default:
		return 0
	}
}

// The lengths of a run, in words, at which it becomes medium and high.
const (
	mediumWords = 10
	highWords   = 50
)

// SeverityOfFinding rates a finding by its action, its kind, the kind of its identifier and
// its length in words. An echo, which the caller itself had sent, is always low. A phrase
// is critical if it is an identifier, else low. Stuffing has no words and is medium.
func SeverityOfFinding(action Action, kind Kind, identifier string, words int) Severity {
	switch {
	case action == Echo:
		return Low
	case kind == Phrase && identifier != "" && identifier != PlainPhrase:
		return Critical
	case kind == Phrase:
		return Low
	case kind == Stuffing:
		return Medium
	case words >= highWords:
		return High
	case words >= mediumWords:
		return Medium
	default:
		return Low
	}
}

// SeverityOf rates an event. Lost events are high, because they may have been anything. So
// are budgets and records that several requests have used up together, and an index of another
// model. Bytes that left
// unscanned are medium, bytes that were refused low; a reload that failed is medium.
func SeverityOf(ev *Event) Severity {
	switch ev.Type {
	case TypeFinding:
		return SeverityOfFinding(ev.Action, ev.Kind, ev.Identifier, ev.Words)
	case TypeGap, TypeProbing, TypeDrip, TypeMismatch:
		return High
	case TypeUnscanned:
		if ev.Action == Refused {
			return Low
		}
		return Medium
	case TypeReload:
		if ev.Action == Failed {
			return Medium
		}
		return Low
	default:
		return Low
	}
}
