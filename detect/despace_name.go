package detect

import "noecho/ngram"

// letterNames says where in the corpus the words of a finding of the despaced lane
// stand, as namer does for those of a track.
type letterNames struct {
	of    *Finding
	next  int // word of the finding that no seed was asked for yet to end with
	chain chains
	found []ngram.Place
	words [ngram.MaxN]*path
}

// name adds the newest words of a path, of which f has that many, to what is known
// of its places.
func (s *despace) name(f *Finding, q *path, claimed int) {
	ledger := s.d.cfg.Ledger
	if ledger == nil {
		return
	}
	if s.names == nil {
		s.names = new(letterNames)
	}
	m := s.names
	if m.of != f || claimed < m.next { // another way to read the letters counts anew
		m.of, m.next = f, 0
		m.chain.reset(ngram.PlaceGap, 0)
	}
	words := m.words[:min(claimed, s.mesh.n)] // the newest ones, in order
	for i := len(words) - 1; i >= 0; i-- {
		if words[i] = q; q == nil {
			return
		}
		q = s.mesh.path(q.prev)
	}
	first := claimed - len(words)
	for i := max(ngram.SeedWords-1, m.next-first); i < len(words); i++ {
		seed, h := seedOf(words[i-ngram.SeedWords+1 : i+1])
		seed.word = int64(first + i - ngram.SeedWords + 1)
		m.found = ledger.Seeds(m.found[:0], h)
		seed.rare = rarity(len(m.found))
		for _, p := range m.found {
			seed.place = p
			m.chain.add(&seed)
		}
	}
	m.next = claimed
	f.Places = m.chain.best(f.Places[:0], &s.d.main, func(*chain) bool { return true })
}

// seedOf prepares the seed of words of a path.
func seedOf(words []*path) (seed, ngram.Hash) {
	first, last := words[0], words[len(words)-1]
	h := ngram.Gram(first.before[0], last.prefix, ngram.SeedWords)
	s := seed{span: ngram.Span{Lo: first.lo, Hi: last.lo + 1}, newest: last.lo, hash: h.Lo}
	for k := 1; k <= ngram.SeedWords; k++ {
		s.weight[k] = s.weight[k-1] + words[len(words)-k].weight
	}
	return s, h
}
