package format

import (
	"math"
	"math/bits"
)

// Golden is the increment of SplitMix64: 2^64 divided by the golden ratio, made odd.
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

// Blocked is a filter in which the k bits of a gram are in one block of 512 bits. It
// has len(words)/8 blocks. The section was checked, so that no lookup can leave the
// array. The zero value must not be asked.
type Blocked struct {
	Words  []uint64
	Blocks uint64
	K      int
}

// newBlocked returns the filter over the words of a checked section.
func newBlocked(words []uint64, s Section) Blocked {
	return Blocked{Words: words, Blocks: uint64(len(words)) / (BlockBits / 64), K: int(s.K)}
}

// Has reports whether the gram may have been added, given Lo, the lower half of its
// hash.
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

// HasEach answers Has for at most 64 grams: bit i of the result is the answer for gram i. It
// tests as many bits of every gram as a gate has, without a branch, so that the processor
// reads the blocks of several grams at the same time. Then it tests all bits of the few grams
// that remain, if there are more.
func (f *Blocked) HasEach(los []uint64) (has uint64) {
	words, blocks := f.Words, f.Blocks
	for i, lo := range los {
		block, _ := bits.Mul64(lo, blocks)
		w := (*[BlockBits / 64]uint64)(words[block*(BlockBits/64):])
		s := SplitMix(lo, 0)
		all := w[s>>6&7] >> (s & 63) & (w[s>>22&7] >> (s >> 16 & 63)) & (w[s>>38&7] >> (s >> 32 & 63))
		if f.K < GateK { // of no builder
			all = w[s>>6&7] >> (s & 63)
		}
		has |= all & 1 << (i & 63)
	}
	if f.K == GateK {
		return has
	}
	for rest := has; rest != 0; rest &= rest - 1 {
		if i := bits.TrailingZeros64(rest); !f.Has(los[i]) {
			has &^= 1 << i
		}
	}
	return has
}

// AppendBlocked appends the k bit numbers of a gram, given its Lo and the number of
// blocks of the filter.
func AppendBlocked(dst []uint64, lo, blocks uint64, k int) []uint64 {
	block, _ := bits.Mul64(lo, blocks)
	for j := range k {
		s := SplitMix(lo, uint64(j/4)) >> (16 * (j % 4))
		dst = append(dst, block*BlockBits+s%BlockBits)
	}
	return dst
}

// spread is a filter in which the k bits of a gram can be anywhere among its m bits.
type spread struct {
	Words []uint64
	M     uint64
	K     int
}

// newSpread returns the filter over the words of a checked section.
func newSpread(words []uint64, s Section) spread {
	return spread{Words: words, M: uint64(len(words)) * 64, K: int(s.K)}
}

// Has reports whether the gram may have been added, given Hi, the upper half of its
// hash.
func (f *spread) Has(hi uint64) bool {
	for j := range f.K {
		loc, _ := bits.Mul64(SplitMix(hi, uint64(j)), f.M)
		if f.Words[loc>>6]>>(loc&63)&1 == 0 {
			return false
		}
	}
	return true
}

// SpreadLocs sets dst to the first bit numbers of a gram with the given Hi in a filter
// of m bits. If it were inlined into a larger loop, the loop would run out of
// registers.
//
//go:noinline
func SpreadLocs(dst []uint64, hi, m uint64) {
	for j := range dst {
		hi += Golden
		dst[j], _ = bits.Mul64(Mix(hi), m)
	}
}

// BlockedLen returns the size of a blocked filter in bytes.
func BlockedLen(grams uint64, bitsEach uint64) uint64 {
	return max(1, (grams*bitsEach+BlockBits-1)/BlockBits) * (BlockBits / 8)
}

// SpreadLen returns the size of a filter without blocks in bytes.
func SpreadLen(grams uint64, bitsEach uint64) uint64 {
	return max(1, (grams*bitsEach+63)/64) * 8
}

// Distinct estimates the number of distinct grams in a filter from the number of set
// bits: m·ln(1/(1-fill))/k. For a blocked filter the estimate is a little low. If all
// bits are set, Distinct returns the smallest number of grams that is likely to set
// them all: m·ln(m)/k.
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

// FPR is the expected rate of false positives. Grams fall into blocks by chance, so for
// a blocked filter it is the mean over blocks with a Poisson distributed number of
// grams.
func (s Section) FPR() float64 {
	m := float64(8 * s.Length)
	if s.Block == 0 {
		return math.Pow(float64(s.Ones)/m, float64(s.K))
	}
	load := min(float64(s.Distinct())*BlockBits/m, BlockBits) // more grams cannot be told from the set bits
	p, mean := math.Exp(-load), 0.0
	for i := 0.0; i < 4*load+64; i++ {
		fill := -math.Expm1(i * float64(s.K) * math.Log1p(-1.0/BlockBits))
		mean += p * math.Pow(fill, float64(s.K))
		p *= load / (i + 1)
	}
	return mean
}
