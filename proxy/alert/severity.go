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

// Rank orders severities: low is 1, critical 4. What is not a severity ranks 0.
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

// SeverityOfFinding rates a finding by what was done, how it was found, what it
// identifies and how long it is. What the caller had sent itself is low whatever
// it is; a phrase is critical if it identifies somebody or something, else low;
// stuffing has no words of its own and is medium.
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

// SeverityOf rates any event that has no severity of its own. Lost events are
// high: they may have been anything. So is what several requests show together. Bytes that left unscanned are medium, bytes
// that were refused low; a reload that failed is medium.
func SeverityOf(ev *Event) Severity {
	switch ev.Type {
	case TypeFinding:
		return SeverityOfFinding(ev.Action, ev.Kind, ev.Identifier, ev.Words)
	case TypeGap, TypeProbing, TypeDrip:
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
