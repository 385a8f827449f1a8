package index

import (
	"math"
	"math/bits"
)

// golden is the step of SplitMix64: 2^64 over the golden ratio, odd.
const golden uint64 = 0x9E3779B97F4A7C15

// splitMix returns output j, counted from 0, of SplitMix64 seeded with x
// (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
func splitMix(x, j uint64) uint64 {
	return mix(x + (j+1)*golden)
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// blocked is a filter whose k locations of a gram lie in one block of 512
// bits. It holds len(words)/8 blocks; the section was checked, so that no
// lookup can leave it. The zero value holds nothing and must not be asked.
type blocked struct {
	words  []uint64
	blocks uint64
	k      int
}

// newBlocked returns the filter over the words of a checked section.
func newBlocked(words []uint64, s section) blocked {
	return blocked{words: words, blocks: uint64(len(words)) / (blockBits / 64), k: int(s.k)}
}

// has reports whether the gram with that Lo may have been added.
func (f *blocked) has(lo uint64) bool {
	block, _ := bits.Mul64(lo, f.blocks)
	w := (*[blockBits / 64]uint64)(f.words[block*(blockBits/64):])
	for j := 0; j < f.k; j += 4 {
		s := splitMix(lo, uint64(j/4))
		all := ^uint64(0)
		for range min(4, f.k-j) {
			all &= w[s>>6&7] >> (s & 63)
			s >>= 16
		}
		if all&1 == 0 {
			return false
		}
	}
	return true
}

// appendBlocked appends the k locations of the gram with that Lo in a blocked
// filter of that many blocks.
func appendBlocked(dst []uint64, lo, blocks uint64, k int) []uint64 {
	block, _ := bits.Mul64(lo, blocks)
	for j := range k {
		s := splitMix(lo, uint64(j/4)) >> (16 * (j % 4))
		dst = append(dst, block*blockBits+s%blockBits)
	}
	return dst
}

// spread is a filter whose k locations of a gram lie anywhere in its m bits.
type spread struct {
	words []uint64
	m     uint64
	k     int
}

// newSpread returns the filter over the words of a checked section.
func newSpread(words []uint64, s section) spread {
	return spread{words: words, m: uint64(len(words)) * 64, k: int(s.k)}
}

// has reports whether the gram with that Hi may have been added.
func (f *spread) has(hi uint64) bool {
	for j := range f.k {
		loc, _ := bits.Mul64(splitMix(hi, uint64(j)), f.m)
		if f.words[loc>>6]>>(loc&63)&1 == 0 {
			return false
		}
	}
	return true
}

// spreadLocs sets dst to the first locations of the gram with that Hi in a filter
// of m bits. Inlined into a larger loop it would run out of registers.
//
//go:noinline
func spreadLocs(dst []uint64, hi, m uint64) {
	for j := range dst {
		hi += golden
		dst[j], _ = bits.Mul64(mix(hi), m)
	}
}

// blockedLen returns the bytes of a blocked filter for that many grams.
func blockedLen(grams uint64, bitsEach uint64) uint64 {
	return max(1, (grams*bitsEach+blockBits-1)/blockBits) * (blockBits / 8)
}

// spreadLen returns the bytes of a filter without blocks for that many grams.
func spreadLen(grams uint64, bitsEach uint64) uint64 {
	return max(1, (grams*bitsEach+63)/64) * 8
}

// distinct estimates how many distinct grams were added to a filter from the
// bits they set: m·ln(1/(1-fill))/k. In a blocked filter it is a little low. Of a
// filter without a zero it is the fewest that are likely to fill it: m·ln(m)/k.
func (s section) distinct() uint64 {
	m := float64(8 * s.length)
	switch {
	case s.k == 0:
		return s.capacity
	case s.full():
		return uint64(math.Round(m * math.Log(m) / float64(s.k)))
	}
	return uint64(math.Round(-m * math.Log1p(-float64(s.ones)/m) / float64(s.k)))
}

// full reports whether every bit is set.
func (s section) full() bool { return s.ones >= 8*s.length }

// fpr is the false positive rate to expect. Grams fall into blocks by chance, so
// in a blocked filter it is the mean over blocks of a Poisson number of grams.
func (s section) fpr() float64 {
	m := float64(8 * s.length)
	if s.block == 0 {
		return math.Pow(float64(s.ones)/m, float64(s.k))
	}
	load := min(float64(s.distinct())*blockBits/m, blockBits) // more cannot be told
	p, mean := math.Exp(-load), 0.0
	for i := 0.0; i < 4*load+64; i++ {
		fill := -math.Expm1(i * float64(s.k) * math.Log1p(-1.0/blockBits))
		mean += p * math.Pow(fill, float64(s.k))
		p *= load / (i + 1)
	}
	return mean
}
