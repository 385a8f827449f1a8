package ngram

// SeedWords is the number of words in a seed: a gram of the corpus that an index keeps
// together with its places.
const SeedWords = 5

// Place is the position of a word in an indexed corpus, counted over all of its records. A
// segment is one text of a record: its words have consecutive places, and segments are
// PlaceGap or more apart. Places of several indexes that answer as one differ in their
// upper bits.
type Place uint64

// PlaceGap is the least distance between the last word of a segment and the first word of
// the next, so that no near match reaches from one into the other.
const PlaceGap = 64

// IsSeed reports whether gram i is a seed, given the hashes of all grams of [SeedWords]
// words of a segment in a row, or of gram i and its neighbours. A gram is a seed if the
// lower half of its hash is smaller than that of one of its neighbours, where of two equal
// ones the right one counts as smaller, or if it has no neighbour. So of any two
// consecutive grams at least one is a seed, two thirds are on average, and whether a gram
// is one depends only on its words and the word on either side.
//
// Local minimisers of window 2: Roberts et al., Reducing storage requirements
// for biological sequence comparison, Bioinformatics 20 (2004).
func IsSeed(grams []Hash, i int) bool {
	own := grams[i].Lo
	return len(grams) == 1 || i > 0 && own <= grams[i-1].Lo || i+1 < len(grams) && own < grams[i+1].Lo
}
