package alert

// MaxPerAnswer is the number of lines one answer may cause.
const MaxPerAnswer = 64

// Answer offers the findings of one answer to a log, at most [MaxPerAnswer] of them. The
// last of these waits for Close, which counts all further ones in its Suppressed. The
// zero value is not usable; see [Log.Answer]. Not safe for concurrent use.
type Answer struct {
	log  *Log
	sent int
	last *Event // the finding that waits for Close; nil: none
}

// Answer returns the Answer through which the findings of a new answer are offered.
func (l *Log) Answer() Answer { return Answer{log: l} }

// Offer offers one finding.
func (a *Answer) Offer(ev Event) {
	a.sent++
	switch {
	case a.sent < MaxPerAnswer:
		a.log.Offer(ev)
	case a.sent == MaxPerAnswer:
		a.last = &ev
	default:
		a.last.Suppressed++
	}
}

// Close offers the finding that waits, if there is one. Call it when the answer has ended.
func (a *Answer) Close() {
	if a.last != nil {
		a.log.Offer(*a.last)
	}
	*a = Answer{log: a.log}
}
