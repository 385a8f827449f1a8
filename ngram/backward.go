package ngram

// Words can be read from the last to the first, and their grams still have the hashes
// that they have in the other order. For this the rolling polynomial uses the inverse of
// the multiplier, which every odd number has modulo 2^64, and is scaled back.

// inverse times multiplier is 1 modulo 2^64.
var inverse = func() uint64 {
	x := multiplier // right in the lowest 3 bits; each step doubles them
	for range 5 {
		x *= 2 - multiplier*x
	}
	return x
}()

// inverses[k] is inverse^k mod 2^64.
var inverses = func() (p [MaxN + 1]uint64) {
	p[0] = 1
	for k := 1; k <= MaxN; k++ {
		p[k] = p[k-1] * inverse
	}
	return p
}()

// RollBack extends a prefix hash of words that are read from the last to the first:
// P(i+1) = P(i)/M + w(i) mod 2^64.
func RollBack(prefix, word uint64) uint64 { return prefix*inverse + word }

// GramBack returns the hash of the k words between two prefix hashes of RollBack, in the
// order of the text: for the words c, b, a it is the hash that [Gram] returns for a, b, c.
func GramBack(before, after uint64, k int) Hash {
	return Gram(0, (after-before*inverses[k])*powers[k-1], k)
}
