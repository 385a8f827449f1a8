package alert

// MaxPerAnswer is the number of lines one answer may cause.
const MaxPerAnswer = 64

// Answer offers the findings of one answer to a log, at most [MaxPerAnswer] of
// them: the last of those waits for Close, which says in its Suppressed how
// many more there were. The zero value is not usable; see [Log.Answer]. Not
// safe for concurrent use.
type Answer struct {
	log  *Log
	sent int
	last Event
}

// Answer begins an answer.
func (l *Log) Answer() Answer { return Answer{log: l} }

// Offer offers one finding.
func (a *Answer) Offer(ev Event) {
	a.sent++
	switch {
	case a.sent < MaxPerAnswer:
		a.log.Offer(ev)
	case a.sent == MaxPerAnswer:
		a.last = ev
	default:
		a.last.Suppressed++
	}
}

// Close offers what still waits. More findings may follow only if none was
// suppressed, so call it once the answer has ended.
func (a *Answer) Close() {
	if a.sent >= MaxPerAnswer {
		a.log.Offer(a.last)
	}
	*a = Answer{log: a.log}
}
