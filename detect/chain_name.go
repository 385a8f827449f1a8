package detect

import "noecho/ngram"

// namer says where in the corpus the words of one finding stand. It asks for
// every short gram of the finding, whatever else looks for them.
type namer struct {
	of    *Finding
	track *track // whose words it reads
	next  int64  // first word that no seed was asked for yet to end with
	chain chains
	found []ngram.Place
}

// name adds words first to last of a track to what is known of a finding's places.
func (d *Detector) name(f *Finding, t *track, first, last int64) {
	if d.cfg.Ledger == nil {
		return
	}
	m := d.names
	if m.of != f || m.track != t && len(f.Places) == 0 {
		m.of, m.track, m.next = f, t, 0
		m.chain.reset(ngram.PlaceGap, 0)
	}
	if m.track != t {
		return // the other track has named it
	}
	oldest := t.count - int64(len(t.ring)) + 1 // before it the prefix is gone
	for i := max(m.next, max(first, oldest)+ngram.SeedWords-1); i <= last; i++ {
		s, h := t.seedEnding(i)
		m.found = d.cfg.Ledger.Seeds(m.found[:0], h)
		s.rare = rarity(len(m.found))
		for _, p := range m.found {
			s.place = t.forward(p)
			m.chain.add(&s)
		}
	}
	m.next = last + 1
	f.Places = m.chain.best(f.Places[:0], t, func(*chain) bool { return true })
}
