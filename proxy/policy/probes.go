package policy

import (
	"time"

	"noecho/detect"
	"noecho/proxy/config"
)

// guessWords is the most new words of a finding that may be an answer to a guess: a caller
// who asks whether a text is in the training data needs one.
const guessWords = 2

// endingsEach is how many endings of one text count as one probe: honest lists and tables
// begin many lines with the same words.
const endingsEach = 8

// Probes counts what looks like a question whether a text is in the training data:
//
//   - a finding of one new word or two that goes on with words of the prompt counts as one
//     probe, and as two if the caller probed the record before
//   - eight endings that one answer tries for the same words of the prompt count as one
//
// Safe for concurrent use.
type Probes struct {
	callers *Meter
	records *Meter // of pairs of caller and record
}

// NewProbes returns the probes of a budget; nil if it does not count them. now may be nil,
// which means [time.Now].
func NewProbes(b config.Budget, now func() time.Time) *Probes {
	if b.Probes == 0 {
		return nil
	}
	b.Findings, b.Probes = b.Probes, 0
	return &Probes{callers: NewMeter(b, now), records: NewMeter(b, now)}
}

// Renew returns p if it counts for this budget, else new probes.
func (p *Probes) Renew(b config.Budget) *Probes {
	if p == nil {
		return NewProbes(b, nil)
	}
	was := p.callers.budget
	if was.Findings == b.Probes && was.Per == b.Per && was.Then == b.Then {
		return p
	}
	return NewProbes(b, nil)
}

// Finding counts a finding of a caller in a record, whose name may be empty, if it may be a
// probe. It returns the probes of the caller in the period that ends now; raise is that of
// [Meter.Count]. Nil probes count nothing.
func (p *Probes) Finding(caller, record string, f *detect.Finding) (probes int, raise bool) {
	words := f.Windows
	if f.Kind == detect.Phrase {
		words = f.Words
	}
	if p == nil || !f.Guessed || words > guessWords {
		return 0, false
	}
	n := 1
	if record != "" {
		if before, _ := p.records.Count(caller + "\x00" + record); before > 1 {
			n = 2
		}
	}
	return p.callers.add(caller, n)
}

// Endings counts the endings that one answer to a caller tried.
func (p *Probes) Endings(caller string, endings int64) (probes int, raise bool) {
	n := int(min(endings/endingsEach, 1<<20))
	if p == nil || n == 0 {
		return 0, false
	}
	return p.callers.add(caller, n)
}

// mayBlock reports whether too many probes block.
func (p *Probes) mayBlock() bool { return p != nil && p.callers.mayBlock() }

// Blocks reports whether findings of a caller are blocked because of its probes.
func (p *Probes) Blocks(caller string) bool { return p != nil && p.callers.Blocks(caller, 0) }
