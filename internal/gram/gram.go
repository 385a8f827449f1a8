// Package gram has the sums and the bounds that the builder of an index and the detector
// share. It cuts and joins the prefix hashes of words, reads words from the last to the
// first, and chooses seeds. It knows nothing of texts, files or findings.
//
// A prefix hash is the value of a polynomial over word hashes, modulo 2^64. [ngram.Roll]
// multiplies it by a constant, here M, and adds the next word.
package gram

import (
	"slices"

	"noecho/ngram"
)

// MaxPhraseWords is the number of words that an indexed phrase has at most.
const MaxPhraseWords = 16

// SeedWords is the number of words in a seed: a gram of the corpus that an index keeps
// together with its places.
const SeedWords = 5

// PlaceGap is the least distance between the last word of a segment and the first word of
// the next, so that no near match reaches from one into the other.
const PlaceGap = 64

// powers[k] is M^k modulo 2^64.
var powers = func() (p [ngram.MaxN + 1]uint64) {
	p[0] = 1
	for k := 1; k <= ngram.MaxN; k++ {
		p[k] = ngram.Roll(p[k-1], 0)
	}
	return p
}()

// Between returns the prefix hash that the k words between two prefix hashes have on their
// own, as if no word came before them.
func Between(before, after uint64, k int) uint64 { return after - before*powers[k] }

// All appends the hashes of all k words in a row, given the prefix hashes P(0) to P(m) of m
// words: m-k+1 hashes, none if m is less than k.
func All(dst []ngram.Hash, prefix []uint64, k int) []ngram.Hash {
	before, after := ends(prefix, k)
	power := powers[k]
	dst = slices.Grow(dst, len(before))
	out := dst[len(dst) : len(dst)+len(before)]
	after = after[:len(out)] // so that the loop checks no bounds
	for i, p := range before[:len(out)] {
		out[i] = ngram.Gram(0, after[i]-p*power, k)
	}
	return dst[:len(dst)+len(out)]
}

// AllLo is [All] for the lower halves alone.
func AllLo(dst, prefix []uint64, k int) []uint64 {
	before, after := ends(prefix, k)
	power := powers[k]
	dst = slices.Grow(dst, len(before))
	out := dst[len(dst) : len(dst)+len(before)]
	after = after[:len(out)] // so that the loop checks no bounds
	for i, p := range before[:len(out)] {
		out[i] = ngram.Gram(0, after[i]-p*power, k).Lo
	}
	return dst[:len(dst)+len(out)]
}

// ends returns the prefix hashes before and behind all k words in a row.
func ends(prefix []uint64, k int) (before, after []uint64) {
	n := max(0, len(prefix)-k)
	return prefix[:n], prefix[len(prefix)-n:]
}

// Join returns the prefix hash of a text followed by k words, given the text's
// prefix hash and that of the words on their own.
func Join(prefix, words uint64, k int) uint64 { return prefix*powers[k] + words }

// Words can be read from the last to the first, and their grams still have the hashes
// that they have in the other order. For this the polynomial uses the inverse of M, which
// every odd number has modulo 2^64, and is scaled back.

// inverse times M is 1 modulo 2^64.
var inverse = func() uint64 {
	m := powers[1]
	x := m // right in the lowest 3 bits; each step doubles them
	for range 5 {
		x *= 2 - m*x
	}
	return x
}()

// inverses[k] is inverse^k modulo 2^64.
var inverses = func() (p [ngram.MaxN + 1]uint64) {
	p[0] = 1
	for k := 1; k <= ngram.MaxN; k++ {
		p[k] = p[k-1] * inverse
	}
	return p
}()

// RollBack extends a prefix hash of words that are read from the last to the first:
// P(i+1) = P(i)/M + w(i) modulo 2^64.
func RollBack(prefix, word uint64) uint64 { return prefix*inverse + word }

// Back returns the hash of the k words between two prefix hashes of RollBack, in the order
// of the text: for the words c, b, a it is the hash that [ngram.Gram] returns for a, b, c.
func Back(before, after uint64, k int) ngram.Hash {
	return ngram.Gram(0, BetweenBack(before, after, k), k)
}

// BetweenBack is [Between] for prefix hashes of RollBack: the prefix hash of the k words in
// the order of the text.
func BetweenBack(before, after uint64, k int) uint64 {
	return (after - before*inverses[k]) * powers[k-1]
}

// IsSeed reports whether gram i is a seed, given the hashes of all grams of
// [SeedWords] words of a segment in a row, or of gram i and its neighbours. A gram is
// a seed if the lower half of its hash is smaller than that of one of its neighbours, where
// of two equal ones the right one counts as smaller, or if it has no neighbour. So of any
// two consecutive grams at least one is a seed, two thirds are on average, and whether a
// gram is one depends only on its words and the word on either side.
//
// Local minimisers of window 2: Roberts et al., Reducing storage requirements
// for biological sequence comparison, Bioinformatics 20 (2004).
func IsSeed(grams []ngram.Hash, i int) bool {
	own := grams[i].Lo
	return len(grams) == 1 || i > 0 && own <= grams[i-1].Lo || i+1 < len(grams) && own < grams[i+1].Lo
}
