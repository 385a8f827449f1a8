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
