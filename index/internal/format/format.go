// Package format is the file format of an index: its layout, the filters and packed
// tables in it, and the checks that a file must pass before it is asked anything.
//
// It knows words and windows (package ngram). It knows nothing of training files, of
// where records come from, or of how an index is described to people: packages index
// and build are on top of it.
//
// # Index format v1
//
// An index is one immutable file. All integers are little endian and unsigned.
// Every byte is covered by a checksum or must be zero, so any flipped bit and
// any truncation is found before the first lookup. The layout:
//
//	header                                4096 bytes
//	section 0: payload, zero padding to a multiple of 64 bytes,
//	           checksum table, zero padding to a multiple of 64 bytes
//	section 1: …                          each begins where the one before ends
//	…                                     the last one ends where the file ends
//
// The header. Bytes that the table does not name are zero.
//
//	offset size
//	     0    8  magic: 89 4E 49 44 58 0D 0A 1A
//	     8    4  format version: 1
//	    12    4  header length: 4096
//	    16    8  file length in bytes
//	    24    4  n: words in a window
//	    28    4  version of the normalisation rules
//	    32   16  Unicode version of their tables, ASCII, zero padded
//	    48    4  hash suite: 1 = xxh64, 2 = siphash
//	    52    4  number of sections, at most 55
//	    56   16  key id of siphash; xxh64 takes no key: zero
//	    72    8  capacity: distinct windows the filters are sized for
//	    80    8  records of which at least one window is indexed
//	    88    8  segments of which at least one window is indexed
//	    96    8  words in those segments
//	   104    8  window positions indexed, repeated windows counted each time
//	   128   32  build id
//	   512   64  section entry 0, the others follow
//	  4080    8  magic again: damage to the first one is told from a foreign file
//	  4092    4  CRC32C of bytes 0 to 4091
//
// A section entry:
//
//	offset size
//	     0    4  kind
//	     4    4  flags: bit 0 = required, a reader that does not know it refuses
//	     8    8  offset of the payload in the file, a multiple of 64
//	    16    8  length of the payload in bytes
//	    24    4  CRC32C of the section's checksum table
//	    28    4  gram: words in the grams of the filter
//	    32    8  capacity: distinct grams the filter is sized for
//	    40    8  bits that are set: the fill ratio is this over 8 × length
//	    48    4  k: locations of a gram
//	    52    4  block: 512, or 0 for a filter without blocks
//
// gram to block are zero in a section that is no filter. The checksum table
// holds the CRC32C (Castagnoli) of every 1 MiB of the payload, the last piece
// being shorter, 4 bytes each.
//
// Kinds. A reader skips an unknown section unless it is required, so kinds can
// join without a new format version.
//
//	1 MANIFEST  JSON: what the index was made of. Exactly one.
//	2 GATES     blocked filter of short grams. Exactly two: gram 4 and gram 2.
//	3 WINDOWS   blocked filter of the windows, gram n. Exactly one.
//	4 CONFIRM   filter without blocks of the same windows. Exactly one.
//	5 PHRASES   rows of phrases, see below. At most one; not required
//	6 START     blocked filter of the beginnings of the phrases, gram 4: there if
//	            PHRASES is, and only then
//	7 LEDGER    places of short grams. At most one; not required, and there only
//	            with RECORDS: without the two no finding names its record
//	8 RECORDS   names of the records at these places. At most one
//	9 WORDS     blocked filter of single words, gram 1. At most one; not required:
//	            without it texts are not searched for words that lost their gaps
//	10 SHARED   further datasets and subjects of phrases, see below. At most one, and
//	            only with PHRASES; not required: without it a phrase has one of each
//
// Filters. A filter is an array of m = 8 × length bits; bit i is bit i mod 64
// of the 64-bit word i / 64, which makes it a filter of bits-and-blooms/bloom/v3
// of m bits and k locations. Locations come from the 128-bit hash of a gram
// (Hi and Lo of package ngram) and two functions of 64-bit values:
//
//	range(x, b) = the high 64 bits of the 128-bit product x × b, so below b
//	s(x, j)     = output j, counted from 0, of SplitMix64 seeded with x
//
// A blocked filter has all k locations of a gram in one block of 512 bits,
// that is in one cache line:
//
//	location j = 512 × range(Lo, m/512) + (s(Lo, j/4) >> 16×(j mod 4)) mod 512
//
// A filter without blocks:
//
//	location j = range(s(Hi, j), m)
//
// Every location is independent of the others: stepping through a block by a
// second hash of 9 bits would leave only 2¹⁸ patterns, a floor under the false
// positives that no number of bits lowers. The two filters of the windows take
// different halves of the hash, so their false positives multiply.
//
// Which grams. A window is n consecutive words of one segment, and is indexed
// unless it was excluded. WINDOWS and CONFIRM contain every indexed window, GATES
// contain every 4-gram and 2-gram inside an indexed window, and WORDS every word
// of one. A reader says "indexed" only if WINDOWS and then CONFIRM say so.
//
// Phrases. A phrase is 1 to 16 words that count although they are shorter than a
// window: a spelling of an identifier, an attribute of a data subject, a short text.
// PHRASES is a head of 32 bytes, rows, beginnings, and names, one behind the other:
//
//	offset size
//	     0    8  R: rows, at least 1
//	     8    8  B: beginnings, at least 1
//	    16    8  J: bytes of the names
//	    24    8  zero
//	    32  24R  rows, in ascending order of their fingerprints, no two equal
//	   …     4B  beginnings, in ascending order, no two equal
//	   …      J  names, as JSON
//
// A row:
//
//	offset size
//	     0    8  fingerprint: Hi of the gram of all its words
//	     8    8  place of its first occurrence; 0: it has none
//	    16    4  number of records that contain it; stops at the largest value
//	    20    4  bits 0 to 7: kind, counted from 0 in the names; bit 8: weak; bits 9
//	             to 31: subject, counted from 1 in the names, 0: none
//
// The names are {"kinds":["email",…],"subjects":[{"id":"…","labels":["…"]},…]}. A
// weak phrase counts only near another one of its subject; a weak one of subject 0
// belongs to several. A beginning is the upper 32 bits of Lo of the gram of the
// first 1, 2, 3 or 4 words of a phrase, as far as it has so many. START contains every
// beginning, its Lo being those 32 bits and then 32 zeros. It follows from the list,
// so phrases can be merged without the text they came from; and it contains all that
// a reader has to ask, so GATES know nothing of phrases.
//
// SHARED. A row of PHRASES has room for one place and one subject. If a phrase occurs in
// several datasets, SHARED has its first place in each of the others; if several subjects
// have it and it is not weak, SHARED has the others. The payload is the number of rows (8
// bytes), 8 zeros, and the rows, in ascending order, no two equal:
//
//	offset size
//	     0    8  fingerprint of the phrase
//	     8    8  a place; or, with bit 63 set, a subject, counted from 1 in the names
//
// An index with PHRASES has the section if it has places of two datasets or more, or two
// subjects or more, even if no phrase is shared. So a reader knows of an older index that
// it lacks the section. Without it only the row's place and subject are known.
//
// Places. Every word of the corpus has a place, a number; consecutive words of a
// segment have consecutive places. The sources, which are mostly files, follow each
// other in the order of their paths, and the first begins at place 64. The segments
// of a source keep their order, including those that are too short for a window, and
// behind each of them 64 places belong to no word. A place leads to a record, and the
// distance of two places shows whether the words are close together.
//
// Packed tables. A table of numbers takes as few bits as they need: bit i of the
// table is bit i mod 8 of byte i/8, a number takes the next bits, its lowest one
// first, and zeros fill the table up to a multiple of 8 bytes. bits(x) is the number
// of bits in x: 0 for 0, 8 for 255.
//
// LEDGER. The fingerprint of a 5-gram is the upper 40 bits of its Hi. A 5-gram of a
// segment is a seed if its Lo is not above that of the previous 5-gram or below that
// of the next one, or if it is the only one; package ngram has the details. Each seed
// that lies in indexed windows and in no excluded one has a row: its fingerprint, and
// the place of its first word. Rows are sorted by both. Of a fingerprint with more
// than 16 places only 16 have rows: the first in each dataset, then the lowest. The
// payload:
//
//	rows       packed: the fingerprint without its bucket, then the place
//	directory  packed: for each bucket the number of rows before it, then the
//	           number of rows
//	trailer    64 bytes; those that the table does not name are zero
//
//	offset size
//	     0    8  taken: seeds in indexed windows, before common ones were cut
//	     8    8  rows
//	    16    8  distinct: fingerprints
//	    24    8  capped: fingerprints of 16 rows
//	    32    8  end: the place behind the last 64 that belong to no word
//
// The bucket of a fingerprint is its upper b bits, b = bits(taken) - 5, but at
// least 0 and at most 32; so there are 16 to 32 seeds to a bucket. A place takes
// bits(end-1) bits, an entry of the directory bits(taken).
//
// RECORDS. A row for each record of which a window or a phrase is indexed, in the
// order of their places. The payload:
//
//	rows       packed: place of the record's first word, source, line, and where
//	           its id ends
//	ids        bytes, zeros up to a multiple of 8
//	sources    packed: first place, dataset, and where its path ends
//	paths      bytes, zeros up to a multiple of 8
//	trailer    64 bytes; those that the table does not name are zero
//
//	offset size
//	     0    8  records
//	     8    8  end, as in LEDGER
//	    16    8  id bytes
//	    24    8  sources
//	    32    8  path bytes
//	    40    4  datasets
//	    44    4  line bits
//
// An id begins where that of the row before ends; without one the record is called
// by the path of its source, a colon and the line, or by the path alone if the
// line is 0: the source is the record. A dataset is the number, from 0 on, of one
// in the MANIFEST. Names are UTF-8 and at most 1024 bytes long. A place takes
// bits(end-1) bits, a source bits(sources-1), an end bits(id bytes) or bits(path
// bytes), a dataset bits(datasets-1).
//
// Build id. SHA-256 over the header with the build id and the CRC of the header
// taken as zero, and then for each section in order: the SHA-256 of each 1 MiB
// of the payload, then the bytes from the end of the payload to the end of the
// section. So it is a digest of all other bytes that all cores can share.
//
// Worked example: 1,000 distinct windows at 16 bits are ⌈16000/512⌉ = 32 blocks,
// 2,048 bytes, in one piece: its table is 4 bytes, and the section takes
// 2048 + 64 bytes. A window with Lo = 2⁶³ lies in block range(2⁶³, 32) = 16,
// that is in bytes 1024 to 1087 of the payload.
//
// docs/index-format.md repeats the tables for readers in other languages; a
// test compares them with the constants below.
package format

import (
	"fmt"
	"math"

	"noecho/index/key"
)

// Magic is at the beginning and at the end of the header. Like the magic number of PNG
// it has a byte that is not ASCII, both kinds of line ends and an end-of-file byte, so
// that a transfer in text mode breaks it.
const Magic = "\x89NIDX\r\n\x1a"

// Version is the only format version.
const Version = 1

// Suite says how the grams of an index are hashed. Zero is no suite.
type Suite uint32

// The known suites. A number is never given to another suite.
const (
	XXH64   Suite = 1 // as package ngram hashes them
	SipHash Suite = 2 // and then under the key that the header names, as package key does
)

// String returns the name of the suite.
func (s Suite) String() string {
	switch s {
	case XXH64:
		return "xxh64"
	case SipHash:
		return "siphash"
	}
	return fmt.Sprintf("suite %d", uint32(s))
}

// SuiteOf returns the suite of an index with that key id.
func SuiteOf(id [KeyIDLen]byte) Suite {
	if id == ([KeyIDLen]byte{}) {
		return XXH64
	}
	return SipHash
}

// Sizes and offsets of format v1; the package comment is their specification.
const (
	HeaderLen   = 4096
	EntryLen    = 64
	MaxSections = 55
	ChunkLen    = 1 << 20
	align       = 64

	offMagic      = 0
	OffVersion    = 8
	OffHeaderLen  = 12
	OffFileLen    = 16
	OffN          = 24
	OffNorm       = 28
	OffUnicode    = 32
	OffSuite      = 48
	OffSections   = 52
	OffKeyID      = 56
	offCapacity   = 72
	offRecords    = 80
	offSegments   = 88
	offWords      = 96
	OffWindows    = 104
	OffBuildID    = 128
	OffEntries    = 512
	offMagicAgain = 4080
	OffHeaderCRC  = 4092

	EntKind     = 0
	EntFlags    = 4
	EntOffset   = 8
	EntLength   = 16
	EntTableCRC = 24
	EntGram     = 28
	EntCapacity = 32
	EntOnes     = 40
	EntK        = 48
	EntBlock    = 52

	unicodeLen = 16
	KeyIDLen   = key.IDLen
	buildIDLen = 32
)

// Kind is the kind of a section.
type Kind uint32

// The kinds of section. A number is never given to another kind.
const (
	KindManifest Kind = 1
	KindGates    Kind = 2
	KindWindows  Kind = 3
	KindConfirm  Kind = 4
	KindPhrases  Kind = 5
	KindStart    Kind = 6
	KindLedger   Kind = 7
	KindRecords  Kind = 8
	KindWords    Kind = 9
	KindShared   Kind = 10
)

// KindNames names the kinds, reserved ones included.
var KindNames = map[Kind]string{
	KindManifest: "MANIFEST",
	KindGates:    "GATES",
	KindWindows:  "WINDOWS",
	KindConfirm:  "CONFIRM",
	KindPhrases:  "PHRASES",
	KindStart:    "START",
	KindLedger:   "LEDGER",
	KindRecords:  "RECORDS",
	KindWords:    "WORDS",
	KindShared:   "SHARED",
}

// FlagRequired marks a section without which the index must not be used.
const FlagRequired uint32 = 1

// The parameters that the builder uses. A reader takes them from the section entries.
// TestFalsePositiveRates measures the false positive rates; docs/index-format.md has
// the results.
const (
	BlockBits = 1 << BlockLog
	BlockLog  = 9

	GateBits    = 5 // bits for each distinct gram; 9 % false positives
	GateK       = 3
	WindowBits  = 16 // 8.8e-4
	WindowK     = 8
	ConfirmBits = 28 // 1.4e-6
	ConfirmK    = 19
	WordBits    = 16 // the same rate as WINDOWS
	WordK       = 8

	GateLong  = 4 // words in a gram of the first gate
	GateShort = 2
	WordGram  = 1
)

// Bounds of the reader: it refuses filters outside them.
const (
	maxBlockedK = 16
	maxK        = 32
)

// padded returns n rounded up to a multiple of align. n is at most the length of a
// file, so the sum cannot overflow.
func padded(n uint64) uint64 { return (n + align - 1) &^ (align - 1) }

// Chunks returns the number of checksummed pieces in a payload of n bytes.
func Chunks(n uint64) uint64 { return (n + ChunkLen - 1) / ChunkLen }

// Extent returns the number of bytes that a section with a payload of n bytes takes in
// the file.
func Extent(n uint64) uint64 { return padded(n) + padded(4*Chunks(n)) }

// maxFileLen bounds the lengths of files, so that sums of them never overflow.
const maxFileLen = math.MaxInt64 / 4
