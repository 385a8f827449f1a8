package format

import (
	"math"
	"math/bits"
)

// Golden is the step of SplitMix64: 2^64 over the golden ratio, odd.
const Golden uint64 = 0x9E3779B97F4A7C15

// SplitMix returns output j, counted from 0, of SplitMix64 seeded with x
// (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
func SplitMix(x, j uint64) uint64 {
	return Mix(x + (j+1)*Golden)
}

// Mix is the finaliser of SplitMix64.
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Blocked is a filter whose k locations of a gram lie in one block of 512
// bits. It holds len(words)/8 blocks; the section was checked, so that no
// lookup can leave it. The zero value holds nothing and must not be asked.
type Blocked struct {
	Words  []uint64
	Blocks uint64
	K      int
}

// newBlocked returns the filter over the words of a checked section.
func newBlocked(words []uint64, s Section) Blocked {
	return Blocked{Words: words, Blocks: uint64(len(words)) / (BlockBits / 64), K: int(s.K)}
}

// Has reports whether the gram with that Lo may have been added.
func (f *Blocked) Has(lo uint64) bool {
	block, _ := bits.Mul64(lo, f.Blocks)
	w := (*[BlockBits / 64]uint64)(f.Words[block*(BlockBits/64):])
	for j := 0; j < f.K; j += 4 {
		s := SplitMix(lo, uint64(j/4))
		all := ^uint64(0)
		for range min(4, f.K-j) {
			all &= w[s>>6&7] >> (s & 63)
			s >>= 16
		}
		if all&1 == 0 {
			return false
		}
	}
	return true
}

// AppendBlocked appends the k locations of the gram with that Lo in a blocked
// filter of that many blocks.
func AppendBlocked(dst []uint64, lo, blocks uint64, k int) []uint64 {
	block, _ := bits.Mul64(lo, blocks)
	for j := range k {
		s := SplitMix(lo, uint64(j/4)) >> (16 * (j % 4))
		dst = append(dst, block*BlockBits+s%BlockBits)
	}
	return dst
}

// spread is a filter whose k locations of a gram lie anywhere in its m bits.
type spread struct {
	Words []uint64
	M     uint64
	K     int
}

// newSpread returns the filter over the words of a checked section.
func newSpread(words []uint64, s Section) spread {
	return spread{Words: words, M: uint64(len(words)) * 64, K: int(s.K)}
}

// Has reports whether the gram with that Hi may have been added.
func (f *spread) Has(hi uint64) bool {
	for j := range f.K {
		loc, _ := bits.Mul64(SplitMix(hi, uint64(j)), f.M)
		if f.Words[loc>>6]>>(loc&63)&1 == 0 {
			return false
		}
	}
	return true
}

// SpreadLocs sets dst to the first locations of the gram with that Hi in a filter
// of m bits. Inlined into a larger loop it would run out of registers.
//
//go:noinline
func SpreadLocs(dst []uint64, hi, m uint64) {
	for j := range dst {
		hi += Golden
		dst[j], _ = bits.Mul64(Mix(hi), m)
	}
}

// BlockedLen returns the bytes of a blocked filter for that many grams.
func BlockedLen(grams uint64, bitsEach uint64) uint64 {
	return max(1, (grams*bitsEach+BlockBits-1)/BlockBits) * (BlockBits / 8)
}

// SpreadLen returns the bytes of a filter without blocks for that many grams.
func SpreadLen(grams uint64, bitsEach uint64) uint64 {
	return max(1, (grams*bitsEach+63)/64) * 8
}

// Distinct estimates how many distinct grams were added to a filter from the
// bits they set: m·ln(1/(1-fill))/k. In a blocked filter it is a little low. Of a
// filter without a zero it is the fewest that are likely to fill it: m·ln(m)/k.
func (s Section) Distinct() uint64 {
	m := float64(8 * s.Length)
	switch {
	case s.K == 0:
		return s.Capacity
	case s.Full():
		return uint64(math.Round(m * math.Log(m) / float64(s.K)))
	}
	return uint64(math.Round(-m * math.Log1p(-float64(s.Ones)/m) / float64(s.K)))
}

// Full reports whether every bit is set.
func (s Section) Full() bool { return s.Ones >= 8*s.Length }

// FPR is the false positive rate to expect. Grams fall into blocks by chance, so
// in a blocked filter it is the mean over blocks of a Poisson number of grams.
func (s Section) FPR() float64 {
	m := float64(8 * s.Length)
	if s.Block == 0 {
		return math.Pow(float64(s.Ones)/m, float64(s.K))
	}
	load := min(float64(s.Distinct())*BlockBits/m, BlockBits) // more cannot be told
	p, mean := math.Exp(-load), 0.0
	for i := 0.0; i < 4*load+64; i++ {
		fill := -math.Expm1(i * float64(s.K) * math.Log1p(-1.0/BlockBits))
		mean += p * math.Pow(fill, float64(s.K))
		p *= load / (i + 1)
	}
	return mean
}
