package relay

import (
	"sync"

	"noecho/ngram"
	"noecho/proxy/wire"
)

// Pool keeps relays that have ended, so that the next answer need not make detectors and
// their storage anew. Nothing of an answer or of its prompt stays in them, and the garbage
// collector takes those that are not used. The zero value is ready. Safe for concurrent use.
type Pool struct{ kinds sync.Map } // by relayKind: *sync.Pool of *Relay

// relayKind says for which answers a relay can be used again.
type relayKind struct {
	family  *wire.Family
	framing wire.Framing
	spec    ngram.Spec
}

// The most that a relay in a pool keeps.
const (
	mostSpare  = 32       // detectors, of 40 KB each
	keepPooled = 32 << 10 // bytes of a slice of bytes
	minPooled  = 64       // elements of another slice
)

// New returns a relay for one answer. Close it after its last use.
func (p *Pool) New(cfg Config) *Relay {
	kind := relayKind{cfg.Family, cfg.Framing, cfg.Spec}
	relays, ok := p.kinds.Load(kind)
	if !ok {
		relays, _ = p.kinds.LoadOrStore(kind, &sync.Pool{})
	}
	pool := relays.(*sync.Pool)
	r, ok := pool.Get().(*Relay)
	if !ok {
		r = &Relay{pool: pool}
	}
	r.start(cfg)
	return r
}

// emptied returns a slice without elements for another answer: that of s, cleared, unless it
// has room for more than so many.
func emptied[T any](s []T, most int) []T {
	if s = s[:cap(s)]; len(s) > most {
		return nil
	}
	clear(s)
	return s[:0]
}
