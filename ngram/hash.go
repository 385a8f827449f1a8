package ngram

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// Hash is the 128-bit hash of a gram: k consecutive words, k mixed in.
// The halves come from different mixers, so that one filter can take its
// locations from Lo and a second one from Hi.
type Hash struct{ Hi, Lo uint64 }

// SuiteID names a word-hash suite in an index header. Zero is no suite.
type SuiteID uint8

// The known suites. An identifier is never given to another suite.
const (
	XXH64 SuiteID = 1
)

// String returns the suite's name as the manifest and `index info` print it.
func (id SuiteID) String() string {
	switch id {
	case XXH64:
		return "xxh64"
	default:
		return fmt.Sprintf("suite(%d)", uint8(id))
	}
}

// Suite hashes one normalised word of 1 to 256 bytes. Suites are
// stateless values, safe for concurrent use, and never allocate.
type Suite interface {
	ID() SuiteID
	Sum(word []byte) uint64
	// Ends sets dst[i] to the hash of the text from byte from[i] on, a word each.
	Ends(dst []uint64, text []byte, from []uint8)
}

// newSuite returns the suite with the given identifier.
func newSuite(id SuiteID) (Suite, error) {
	switch id {
	case XXH64:
		return xxh64Suite{}, nil
	default:
		return nil, fmt.Errorf("hash suite %d is not known to this build", uint8(id))
	}
}

// xxh64Seed is the fixed seed of the xxh64 suite. It is part of index format
// v1. It is no key: it hides nothing from a person who has the index.
const xxh64Seed uint64 = 0x6e6f6563686f2d31 // "noecho-1"

// The primes of XXH64, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md.
const (
	prime1 uint64 = 0x9E3779B185EBCA87
	prime2 uint64 = 0xC2B2AE3D27D4EB4F
	prime3 uint64 = 0x165667B19E3779F9
	prime4 uint64 = 0x85EBCA77C2B2AE63
	prime5 uint64 = 0x27D4EB2F165667C5
)

// xxh64Suite hashes the word zero-padded to 16 bytes, or as it is when it is
// longer, with XXH64 under xxh64Seed. No normalised word has a zero byte, so
// padding maps no two words to one block. Nearly every word takes the branch
// free 16-byte path; both paths are bit-exact with cespare/xxhash.
type xxh64Suite struct{}

func (xxh64Suite) ID() SuiteID { return XXH64 }

func (xxh64Suite) Sum(word []byte) uint64 {
	if len(word) > 16 {
		if len(word) < 32 {
			return xxh64Short(word)
		}
		var d xxhash.Digest
		d.ResetWithSeed(xxh64Seed)
		_, _ = d.Write(word) // a Digest never fails
		return d.Sum64()
	}
	if cap(word) >= 16 {
		// Masking the bytes behind the word is cheaper than a copy.
		w, m := word[:16], &padding[len(word)]
		return xxh64Block16(binary.LittleEndian.Uint64(w[:8])&m[0], binary.LittleEndian.Uint64(w[8:])&m[1])
	}
	var block [16]byte
	copy(block[:], word)
	return xxh64Block16(binary.LittleEndian.Uint64(block[:8]), binary.LittleEndian.Uint64(block[8:]))
}

func (s xxh64Suite) Ends(dst []uint64, text []byte, from []uint8) {
	for i, lo := range from {
		word := text[lo:]
		if len(word) > 16 || cap(word) < 16 {
			dst[i] = s.Sum(word)
			continue
		}
		w, m := word[:16], &padding[len(word)]
		dst[i] = xxh64Block16(binary.LittleEndian.Uint64(w[:8])&m[0], binary.LittleEndian.Uint64(w[8:])&m[1])
	}
}

// padding[n] masks all but the first n bytes of a block.
var padding = func() (m [17][2]uint64) {
	for n := range m {
		for i := range n {
			m[n][i/8] |= 0xff << (8 * (i % 8))
		}
	}
	return m
}()

// xxh64Block16 is XXH64 of the 16 bytes a, b (little endian) under xxh64Seed.
func xxh64Block16(a, b uint64) uint64 {
	h := xxh64Seed + prime5 + 16
	h ^= bits.RotateLeft64(a*prime2, 31) * prime1
	h = bits.RotateLeft64(h, 27)*prime1 + prime4
	h ^= bits.RotateLeft64(b*prime2, 31) * prime1
	h = bits.RotateLeft64(h, 27)*prime1 + prime4
	return avalanche(h)
}

// avalanche is the last step of XXH64.
func avalanche(h uint64) uint64 {
	h ^= h >> 33
	h *= prime2
	h ^= h >> 29
	h *= prime3
	return h ^ h>>32
}

// xxh64Short is XXH64 of 8 to 31 bytes under xxh64Seed. A digest takes three times as long.
func xxh64Short(b []byte) uint64 {
	h := xxh64Seed + prime5 + uint64(len(b))
	for ; len(b) >= 8; b = b[8:] {
		h ^= bits.RotateLeft64(binary.LittleEndian.Uint64(b)*prime2, 31) * prime1
		h = bits.RotateLeft64(h, 27)*prime1 + prime4
	}
	if len(b) >= 4 {
		h ^= uint64(binary.LittleEndian.Uint32(b)) * prime1
		h = bits.RotateLeft64(h, 23)*prime2 + prime3
		b = b[4:]
	}
	for _, c := range b {
		h ^= uint64(c) * prime5
		h = bits.RotateLeft64(h, 11) * prime1
	}
	return avalanche(h)
}

// multiplier is the odd multiplier of the rolling polynomial over word hashes.
const multiplier uint64 = 0x9FB21C651E98DF25

// powers[k] is multiplier^k mod 2^64.
var powers = func() (p [MaxN + 1]uint64) {
	p[0] = 1
	for k := 1; k <= MaxN; k++ {
		p[k] = p[k-1] * multiplier
	}
	return p
}()

// Roll extends a prefix hash by one word: P(i+1) = P(i)·M + w(i) mod 2^64.
// The prefix hash of no words is 0.
func Roll(prefix, word uint64) uint64 { return prefix*multiplier + word }

// Gram returns the hash of the k words between two prefix hashes, that is of
// words i to i+k-1 given P(i) and P(i+k). k is 1 to [MaxN].
//
// The hash of a gram does not depend on the words before it, so the same words have the
// same hash in every text.
func Gram(before, after uint64, k int) Hash {
	d := after - before*powers[k]
	return Hash{
		Hi: mixHi(d ^ uint64(k)*prime3),
		Lo: mixLo(d ^ uint64(k)*prime5),
	}
}

// mixLo is the 64-bit finaliser of MurmurHash3 (public domain, A. Appleby).
func mixLo(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x
}

// mixHi is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable
// Pseudorandom Number Generators, OOPSLA 2014).
func mixHi(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	return x
}

var _ Suite = xxh64Suite{}
