package ngram

// SeedWords is the number of words in the short grams of which some, the seeds,
// are kept with the place where they stand.
const SeedWords = 5

// Place is a word's position in an indexed corpus, over all of its records:
// consecutive words of a segment have consecutive places, and segments are
// PlaceGap or more apart. Places of several indexes that answer as one differ in
// their upper bits.
type Place uint64

// PlaceGap is the least distance between the last word of a segment and the
// first of the next: no match that is a few words off reaches over it.
const PlaceGap = 64

// IsSeed reports whether a gram is a seed, given the lower halves of its own
// hash and of the grams that begin one word before and one word behind it; ok
// says which of them there are. A gram is a seed if it is the smaller of any two
// neighbours, the right one of two equal ones, or has none: so of any two
// consecutive grams at least one is a seed, two thirds are on average, and
// whether one is depends on nothing but six words around it.
//
// Local minimisers of window 2: Roberts et al., Reducing storage requirements
// for biological sequence comparison, Bioinformatics 20 (2004).
func IsSeed(before, own, after uint64, hasBefore, hasAfter bool) bool {
	return hasBefore && own <= before || hasAfter && own < after || !hasBefore && !hasAfter
}
