package build

// recent remembers grams that passed by, so that those that are repeated soon, as most
// words are, cost no access to a large table again. A gram can be forgotten at any time.
// Not safe for concurrent use.
type recent [1 << recentLog]uint64

// recentLog is chosen so that the tables of a worker fit the cache beside its other data.
const recentLog = 13

func newRecent() *recent {
	r := new(recent)
	for i := range r {
		r[i] = ^uint64(i) << (64 - recentLog) // a gram of another slot, which is never asked here
	}
	return r
}

// fresh removes grams that were seen before, given Lo, the lower halves of their hashes.
// It changes the slice. Whether a gram is fresh is chance, so there is no branch for it.
func (r *recent) fresh(grams []uint64) []uint64 {
	n := 0
	for _, lo := range grams {
		slot := &r[lo>>(64-recentLog)]
		d := *slot ^ lo
		*slot = lo
		grams[n] = lo
		n += int((d | -d) >> 63)
	}
	return grams[:n]
}
