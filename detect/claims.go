package detect

import (
	"cmp"
	"math"
	"slices"

	"noecho/ngram"
)

// claims keeps the findings of one channel and decides which bytes they withhold. A
// claim is the span of a finding, which may still grow.
type claims struct {
	judge     func(*Finding) Action
	extent    Extent
	sentences sentences // of the channel, if the extent asks for them

	list     []claim    // the claims that reach beyond emitted, or are open
	closed   []*Finding // complete and not yet taken
	blocked  *Finding   // the finding that ends the channel
	emitted  int64      // every byte below is part of a segment
	parked   int64      // every byte below was decided when the channel was parked
	overflow int64      // every byte below was decided when there was no room for more
	gone     Segment    // the newest one that was withheld
}

// claim is a span of the channel that a finding covers.
type claim struct {
	span    ngram.Span // grows while open
	finding *Finding
	open    bool
	let     bool // observed, and released before it closes
	shared  bool // the finding is one of several channels: the answer reports it
	ended   bool // of a thread: the answer has it
}

// withheld reports whether the bytes of a claim must not be released.
func (c *claim) withheld() bool { return c.finding.Action > Observe }

func (c *claims) reset(cfg *Config) {
	c.judge, c.extent = cfg.Judge, cfg.Extent
	c.sentences.reset()
	clear(c.list)
	clear(c.closed)
	c.list, c.closed, c.blocked = c.list[:0], c.closed[:0], nil
	c.emitted, c.parked, c.overflow, c.gone = 0, 0, 0, Segment{}
}

// claim makes span the span of a finding, or extends it, and decides the finding's
// action. Bytes that were released before are part of the finding, but can no longer be
// withheld. The finding is open until it is settled.
func (c *claims) claim(f *Finding, span ngram.Span) {
	x := c.of(f)
	if x == nil {
		c.list = append(c.list, claim{span: span, finding: f, open: true})
		x = &c.list[len(c.list)-1]
	}
	x.span.Lo = min(x.span.Lo, span.Lo)
	x.span.Hi = max(x.span.Hi, span.Hi)
	f.Span = x.span
	c.decide(f)
}

// of returns the claim of a finding, nil if it was dropped.
func (c *claims) of(f *Finding) *claim {
	for i := len(c.list) - 1; i >= 0; i-- {
		if c.list[i].finding == f {
			return &c.list[i]
		}
	}
	return nil
}

// decide sets the action of a finding that is new or has grown. It can only rise: bytes
// that were withheld stay withheld.
func (c *claims) decide(f *Finding) {
	action := Redact
	if c.judge != nil {
		action = c.judge(f)
	}
	if f.Kind == Overflow {
		action = max(action, Redact) // there is no room for its bytes to wait
	}
	f.Action = max(f.Action, action)
	if f.Action == Block && c.blocked == nil {
		c.blocked = f
	}
}

// settle closes a finding: it is complete.
func (c *claims) settle(f *Finding) {
	if x := c.of(f); x != nil {
		x.open = false
	}
	if f.Kind == Verbatim && f.Lane == Plain && c.told(f) {
		return
	}
	c.closed = append(c.closed, f)
}

// share makes span a span of a finding of several channels, or extends the newest one
// that begins there.
func (c *claims) share(f *Finding, span ngram.Span) {
	x := c.of(f)
	if x == nil || x.span.Lo != span.Lo {
		c.list = append(c.list, claim{finding: f, span: span, open: true, shared: true})
		x = &c.list[len(c.list)-1]
	}
	x.span.Hi = span.Hi
	if f.Action == Block && c.blocked == nil {
		c.blocked = f
	}
}

// unshare closes a finding of several channels.
func (c *claims) unshare(f *Finding) {
	for i := range c.list {
		if c.list[i].finding == f {
			c.list[i].open = false
		}
	}
}

// told reports whether a finding of several channels covers a finding and acts no less.
func (c *claims) told(f *Finding) bool {
	return f != c.blocked && slices.ContainsFunc(c.list, func(x claim) bool {
		return x.shared && x.finding.Action >= f.Action && x.span.Lo <= f.Span.Lo && f.Span.Hi <= x.span.Hi
	})
}

// settleAll closes every open finding: nothing more is read.
func (c *claims) settleAll() {
	for i := range c.list {
		x := &c.list[i]
		if x.open && !x.shared {
			c.closed = append(c.closed, x.finding)
		}
		x.open = false
	}
}

// take appends the complete findings in order of their start and forgets them.
func (c *claims) take(dst []*Finding) []*Finding {
	slices.SortStableFunc(c.closed, func(a, b *Finding) int {
		return cmp.Or(cmp.Compare(a.Span.Lo, b.Span.Lo), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Span.Hi, b.Span.Hi))
	})
	dst = append(dst, c.closed...)
	clear(c.closed)
	c.closed = c.closed[:0]
	return dst
}

// plain reports whether a run in the plain lane covers a span. A lane that reads the
// same bytes as other words would only report them again.
func (c *claims) plain(span ngram.Span) bool {
	for i := range c.list {
		x := &c.list[i]
		if x.finding.Kind == Verbatim && x.finding.Lane == Plain && x.span.Lo <= span.Lo && span.Hi <= x.span.Hi {
			return true
		}
	}
	return false
}

// pending returns the first byte of open findings that are only observed so far: they
// may yet have to be withheld. It returns free if there is none below.
func (c *claims) pending(free int64) int64 {
	for i := range c.list {
		if x := &c.list[i]; x.open && !x.let && !x.withheld() {
			free = min(free, c.begin(x.span.Lo))
		}
	}
	return free
}

// beyond returns the first byte at or behind an offset that is not withheld. A finder
// need not let withheld bytes wait.
func (c *claims) beyond(at int64) int64 {
	for i := 0; i < len(c.list); i++ {
		if x := &c.list[i]; x.withheld() && x.span.Lo <= at && at < x.span.Hi {
			at, i = x.span.Hi, -1
		}
	}
	return at
}

// let releases the bytes of all findings that are only observed so far.
func (c *claims) let() {
	for i := range c.list {
		c.list[i].let = true
	}
}

// begin returns the first byte that is withheld for a span that begins at lo.
func (c *claims) begin(lo int64) int64 {
	if c.extent == ExtentSentence {
		return c.sentences.begin(lo)
	}
	return lo
}

// end returns the end of the bytes that are withheld for a span that ends at hi.
func (c *claims) end(hi int64) int64 {
	switch c.extent {
	case ExtentSentence:
		return c.sentences.end(hi)
	case ExtentRest:
		return math.MaxInt64
	}
	return hi
}

// emit appends segments up to offset free.
func (c *claims) emit(dst []Segment, free int64) []Segment {
	for c.emitted < free {
		f, end := c.cover(c.emitted, free)
		s := Segment{Span: ngram.Span{Lo: c.emitted, Hi: end}, Finding: f}
		if f != nil {
			c.gone = s
		}
		dst = append(dst, s)
		c.emitted = end
	}
	if len(c.list) > 0 {
		c.drop()
	}
	if c.extent == ExtentSentence {
		c.sentences.forget(c.emitted)
	}
	return dst
}

// cover returns the finding that withholds the byte at an offset, nil if the byte is
// clean, and the next offset, at most free, for which the answer may differ.
func (c *claims) cover(at, free int64) (f *Finding, end int64) {
	end = free
	var best *claim
	for i := range c.list {
		x := &c.list[i]
		if !x.withheld() {
			continue
		}
		lo, hi := c.begin(x.span.Lo), c.end(x.span.Hi)
		switch {
		case hi <= at:
		case lo > at:
			end = min(end, lo)
		case best == nil || x.before(best):
			best = x
		}
	}
	if best == nil {
		return nil, end
	}
	return best.finding, min(end, c.end(best.span.Hi))
}

// withholder returns the finding that withholds the byte at an offset, nil if there is
// none. Of the bytes below emitted it knows those of the newest finding.
func (c *claims) withholder(at int64) *Finding {
	if at >= c.emitted {
		f, _ := c.cover(at, at+1)
		return f
	}
	if c.gone.Span.Lo <= at && at < c.gone.Span.Hi {
		return c.gone.Finding
	}
	return nil
}

// lengthen withholds the bytes of a span with a finding that withholds the bytes before it.
// The finding does not grow: the bytes are none of the training data.
func (c *claims) lengthen(f *Finding, span ngram.Span) {
	if x := c.of(f); x != nil {
		x.span.Hi = max(x.span.Hi, span.Hi)
		return
	}
	c.list = append(c.list, claim{finding: f, span: span})
}

// before reports whether c is named for bytes that c and o withhold: a finding of several
// channels goes first where the findings are alike.
func (c *claim) before(o *claim) bool {
	if c.finding.Action == o.finding.Action && c.finding.Kind == o.finding.Kind {
		return c.shared && !o.shared
	}
	return c.finding.before(o.finding)
}

// before reports whether f is named for bytes that f and o withhold: the stronger
// action goes first, then a certain finding before a likely one.
func (f *Finding) before(o *Finding) bool {
	if f.Action != o.Action {
		return f.Action > o.Action
	}
	return f.Kind < o.Kind
}

// replaced reports whether a claim of a finding of several channels is emitted and no
// longer needed, because the finding has a newer one here.
func (c *claims) replaced(x *claim) bool {
	newest := c.of(x.finding)
	end := c.end(x.span.Hi)
	return x != newest && x.span.Hi <= c.emitted && (end <= c.emitted || end == c.end(newest.span.Hi))
}

// drop forgets the closed claims that end below emitted. Of those that withhold the
// rest of the channel, only the one that is named for it is kept.
func (c *claims) drop() {
	n, rest := 0, -1
	for i := range c.list {
		x := c.list[i]
		if x.shared && c.replaced(&c.list[i]) {
			continue
		}
		if !x.open && (!x.withheld() || c.end(x.span.Hi) <= c.emitted) {
			continue
		}
		if !x.open && x.span.Hi <= c.emitted && c.extent == ExtentRest {
			if rest >= 0 {
				if !x.finding.before(c.list[rest].finding) {
					continue
				}
				n = rest + copy(c.list[rest:], c.list[rest+1:n])
			}
			rest = n
		}
		c.list[n] = x
		n++
	}
	clear(c.list[n:])
	c.list = c.list[:n]
}
