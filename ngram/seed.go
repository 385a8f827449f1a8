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

// IsSeed reports whether gram i is a seed, given the hashes of all grams of
// [SeedWords] words of a segment in a row, or of gram i and those beside it. A gram
// is a seed if the lower half of its hash is the smaller of any two neighbours, the
// right one of two equal ones, or if it has none: so of any two
// consecutive grams at least one is a seed, two thirds are on average, and
// whether one is depends on nothing but six words around it.
//
// Local minimisers of window 2: Roberts et al., Reducing storage requirements
// for biological sequence comparison, Bioinformatics 20 (2004).
func IsSeed(grams []Hash, i int) bool {
	own := grams[i].Lo
	return len(grams) == 1 || i > 0 && own <= grams[i-1].Lo || i+1 < len(grams) && own < grams[i+1].Lo
}
