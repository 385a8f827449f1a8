package detect

import (
	"noecho/detect/internal/lane"
	"noecho/detect/internal/track"
	"noecho/ngram"
)

// host is the part of a detector that its finders use: the channel's words, the prompt
// and the claims. For lanes it is a [lane.Host].
type host struct {
	claims
	d     *Detector
	words *track.Track // the channel's words; while it is parked, those of the fork
	lanes []laneClaim  // open
}

// laneClaim is an open claim of a lane and its finding.
type laneClaim struct {
	claim   *lane.Claim
	finding *Finding
}

func (h *host) reset(d *Detector) {
	h.claims.reset(&d.cfg)
	h.d, h.words = d, &d.main.Track
	clear(h.lanes)
	h.lanes = h.lanes[:0]
}

// forget drops the channel.
func (h *host) forget() {
	c := &h.claims
	*h = host{lanes: track.Emptied(h.lanes), claims: claims{
		list: track.Emptied(c.list), closed: track.Emptied(c.closed), sentences: sentences{starts: track.Emptied(c.sentences.starts)},
	}}
}

// Word implements lane.Host.
func (h *host) Word(i int64) ngram.Word { return h.words.Word(i) }

// Sent implements lane.Host.
func (h *host) Sent(window ngram.Hash) bool { return h.d.cfg.Prompt.sent(window) }

// Plain implements lane.Host.
func (h *host) Plain(span ngram.Span) bool { return h.plain(span) }

// Now implements lane.Host.
func (h *host) Now() lane.Now {
	return lane.Now{Tried: h.tried(), Blocked: h.blocked != nil, Parked: h.parked, Overflow: h.overflow}
}

// tried reports whether the words are those of a fork: the channel may go on with
// another word than the fork read, so nothing is settled.
func (h *host) tried() bool { return h.words != &h.d.main.Track }

// withhold claims a span of so many words that could not be looked up.
func (h *host) withhold(f *Finding, span ngram.Span, words int) {
	span.Lo = max(span.Lo, h.overflow)
	f.Words, f.Resumed = words, f.Resumed || span.Lo < h.parked
	h.claim(f, span)
}

// Claim implements lane.Host.
func (h *host) Claim(c *lane.Claim, span ngram.Span) {
	i := 0
	for i < len(h.lanes) && h.lanes[i].claim != c {
		i++
	}
	if i == len(h.lanes) {
		h.lanes = append(h.lanes, laneClaim{c, &Finding{Kind: Verbatim, Lane: c.Lane}})
	}
	f := h.lanes[i].finding
	f.Words, f.Windows, f.Resumed, f.Digests, f.Places = c.Words, c.Windows, c.Resumed, c.Digests, c.Places
	h.claim(f, span)
	c.Span = f.Span
}

// Settle implements lane.Host.
func (h *host) Settle(c *lane.Claim) {
	for i := range h.lanes {
		if h.lanes[i].claim == c {
			h.settle(h.lanes[i].finding)
			h.lanes = append(h.lanes[:i], h.lanes[i+1:]...)
			return
		}
	}
}

// Nest implements lane.Host.
func (h *host) Nest(l lane.Lane, within *lane.Reader, old lane.Nested) lane.Nested {
	n, ok := old.(*nested)
	if !ok {
		n = &nested{}
		n.inner.laneReader = within
	}
	n.outer, n.lane = h, l
	return n
}

var _ lane.Host = (*host)(nil)
