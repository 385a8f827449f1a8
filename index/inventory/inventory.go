// Package inventory writes and reads inventories: files that say which rows of the training
// files contain an identifier or a name. An index names a few records of an identifier, an
// inventory all of them.
//
// It knows identifiers (package identify), words (package ngram) and its own file format. It
// knows nothing of training files or of how an answer is shown. An inventory contains keyed
// hashes, names of files and ids of rows, and no text. Who has it and its key can ask it
// about any person: keep both as the training files are kept.
//
// # Inventory format v1
//
// All integers are little endian and unsigned; a uvarint is one of package encoding/binary.
// Every byte is covered by a checksum or must be zero. The layout:
//
//	header                                1024 bytes
//	section 0: payload, zero padding to a multiple of 64 bytes,
//	           checksum table, zero padding to a multiple of 64 bytes
//	section 1: …                          each begins where the one before ends
//
// The header. Bytes that the table does not name are zero.
//
//	offset size
//	     0    8  magic: 89 4E 49 4E 56 0D 0A 1A
//	     8    4  format version: 1
//	    12    4  number of sections: 9
//	    16    8  file length in bytes
//	    24   16  key id: the first 16 bytes of HMAC-SHA256(key, "inventory key id")
//	    40   32  inventory id
//	   128   40  section entry 0, the others follow
//	  1020    4  CRC32C of bytes 0 to 1019
//
// A section entry:
//
//	offset size
//	     0    4  kind
//	     4    4  CRC32C of the section's checksum table
//	     8    8  offset of the payload in the file, a multiple of 64
//	    16    8  length of the payload in bytes
//	    24    8  number of records; zero in META and in directories
//
// The checksum table has the CRC32C (Castagnoli) of every 16 KiB of the payload, the last
// piece being shorter, 4 bytes each. The inventory id is the SHA-256 of all bytes behind the
// header, and then of the header with the id and its CRC taken as zero.
//
// The sections, in this order. Records follow each other, each as a uvarint of its length and
// its bytes. A directory has the offset of every 64th record in the payload, 8 bytes each.
//
//	1 ROWS     and 11, its directory: a record for each row of the training files
//	2 VALUES   and 12: a record for each identifier or name
//	3 SOURCES  and 13: a record for each input: a file, or a member of an archive
//	4 FILES    and 14: a record for each file on disk
//	5 META     JSON: the kinds, datasets, counts and limits of the build
//
// A row: 16 bytes of HMAC-SHA256(key, "row" 0 id 0 and its texts with FF behind each), or of
// HMAC-SHA256(key, "text" 0 and the SHA-256 of the text) if the source is one record; the uvarints of its source and its
// line (0: the source is one record), a byte of flags and one of sensitivity (see [Flags] and
// [Sensitivity]), its id as a uvarint of its length and its bytes, and the counts of identifiers in it:
// their number, and for each kind its number in META and its count, as uvarints. Rows are in
// the order of their sources and lines, numbered from 0.
//
// A value: 16 bytes of HMAC-SHA256(key, "value" 0 kind 0 form), and its rows: their number,
// and for each the distance d from the row before (from -1 for the first) as the uvarint of
// 2d, or of 2d+1 and then its count, if that is not 1. Values are in ascending order. One of
// more than 65,536 rows takes several records.
//
// A source: the uvarints of its file, its dataset in META and its number of rows, the counts
// of identifiers as in a row, and its name. A file: the uvarints of its length in bytes and
// of 1 if the digest is over the text that was read and not over the file (standard input
// that is compressed), its SHA-256, and its name.
package inventory

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"time"
)

// Magic is at the beginning of every inventory.
const Magic = "\x89NINV\r\n\x1a"

// Version is the only format version.
const Version = 1

// Sizes and offsets of format v1; the package comment is their specification.
const (
	headerLen = 1024
	entryLen  = 40
	chunkLen  = 16 << 10
	align     = 64
	perBlock  = 64 // records between two entries of a directory
	sumLen    = 16 // bytes of a keyed hash
	listMost  = 1 << 16

	offVersion  = 8
	offSections = 12
	offLength   = 16
	offKeyID    = 24
	offID       = 40
	offEntries  = 128
	offCRC      = 1020
)

// kind is the kind of a section.
type kind uint32

const (
	rowsKind    kind = 1
	valuesKind  kind = 2
	sourcesKind kind = 3
	filesKind   kind = 4
	metaKind    kind = 5
	directory   kind = 10 // is added to the kind of a table
)

// layout lists the sections in the order of the file.
var layout = [...]kind{
	rowsKind, rowsKind + directory, valuesKind, valuesKind + directory,
	sourcesKind, sourcesKind + directory, filesKind, filesKind + directory, metaKind,
}

func (k kind) String() string {
	if k > directory {
		return "the directory of " + (k - directory).String()
	}
	return [...]string{"", "ROWS", "VALUES", "SOURCES", "FILES", "META"}[k]
}

// ErrDamaged matches every error about the bytes of an inventory that are not as they were
// written.
var ErrDamaged = errors.New("the inventory is damaged")

// ErrKey matches the error of a key that is not that of the inventory.
var ErrKey = errors.New("the inventory was built with another key")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Sum is a keyed hash.
type Sum [sumLen]byte

// Key is the secret without which an inventory answers nothing.
type Key struct{ secret [32]byte }

// ParseKey reads the text of a key file: 64 hexadecimal digits on one line. Lines that begin
// with # are comments. No error quotes the text.
func ParseKey(text []byte) (*Key, error) {
	var digits []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			digits = append(digits, line)
		}
	}
	k := new(Key)
	if len(digits) == 1 {
		if raw, err := hex.DecodeString(digits[0]); err == nil && len(raw) == len(k.secret) {
			copy(k.secret[:], raw)
			return k, nil
		}
	}
	return nil, errors.New("want one line of 64 hexadecimal digits, as noecho index newkey writes it")
}

// ID tells one key from another. It is no secret.
func (k *Key) ID() Sum {
	h := k.Hasher()
	_, _ = h.Write([]byte("inventory key id"))
	return h.sum()
}

// Hasher computes keyed hashes. Not safe for concurrent use.
type Hasher struct {
	mac hash.Hash
	buf []byte
}

// Hasher returns a hasher of rows and values.
func (k *Key) Hasher() *Hasher { return &Hasher{mac: hmac.New(sha256.New, k.secret[:])} }

// sum returns the hash of all that was written, and begins anew.
func (h *Hasher) sum() Sum {
	h.buf = h.mac.Sum(h.buf[:0])
	h.mac.Reset()
	return Sum(h.buf)
}

// Value returns the hash of a form of an identifier or a name.
func (h *Hasher) Value(kind, form string) Sum {
	h.buf = append(append(append(h.buf[:0], "value\x00"...), kind...), 0)
	h.buf = append(h.buf, form...)
	h.mac.Write(h.buf)
	return h.sum()
}

// BeginRow begins the hash of a row of that id.
func (h *Hasher) BeginRow(id string) {
	h.buf = append(append(append(h.buf[:0], "row\x00"...), id...), 0)
	h.mac.Write(h.buf)
}

// Write adds a part of a text of the row. It never fails.
func (h *Hasher) Write(text []byte) (int, error) { return h.mac.Write(text) }

// EndText ends a text of the row: two texts are not one.
func (h *Hasher) EndText() { h.mac.Write([]byte{0xff}) }

// EndRow returns the hash of the row.
func (h *Hasher) EndRow() Sum { return h.sum() }

// Text returns the hash of a row that is a whole text, given its SHA-256.
func (h *Hasher) Text(digest []byte) Sum {
	h.mac.Write(append([]byte("text\x00"), digest...))
	return h.sum()
}

// same reports whether two hashes are equal, in a time that does not depend on them.
func same(a, b Sum) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }

// Meta describes the build of an inventory.
type Meta struct {
	IndexBuild string    `json:"index_build,omitempty"` // build id of the index of the same build
	Model      string    `json:"model,omitempty"`
	Builder    string    `json:"builder"`
	Time       time.Time `json:"time,omitzero"` // modification time of the newest input
	Datasets   []Dataset `json:"datasets"`
	Kinds      []string  `json:"kinds"`              // all that were looked for
	Patterns   []string  `json:"patterns,omitempty"` // NAME=REGEX
	Subjects   string    `json:"subjects,omitempty"` // hex SHA-256 of the list of people whose names were looked for
	OptOut     string    `json:"opt_out,omitempty"`  // hex, 32 digits: keyed hash of the list of people who opted out
	Classes    string    `json:"classes,omitempty"`  // the member of a row that has its sensitivity
	Roles      []string  `json:"roles"`              // whose messages were read
	Counts     Counts    `json:"counts"`
	Unread     Unread    `json:"unread"`
}

// Dataset is a dataset of the index.
type Dataset struct {
	Name   string   `json:"name"`
	Labels []string `json:"labels"`
}

// Counts are the sizes of the tables.
type Counts struct {
	Rows     uint64            `json:"rows"`
	Values   uint64            `json:"values"`            // distinct
	Postings uint64            `json:"postings"`          // pairs of a value and a row
	Distinct map[string]uint64 `json:"distinct"`          // values by kind
	OptOut   uint64            `json:"opt_out,omitempty"` // rows that are flagged so
}

// Flags are marks of a row.
type Flags uint8

// OptOut marks a row about somebody who opted out.
const OptOut Flags = 1

// names lists the marks for people.
func (f Flags) names() []string {
	if f&OptOut != 0 {
		return []string{"opt-out"}
	}
	return []string{}
}

// Sensitivity is the class of a row.
type Sensitivity uint8

// The classes, and rows with none or with a word that is no class.
const (
	Unclassified Sensitivity = iota
	Public
	Internal
	Confidential
	Restricted
	OtherClass
)

// ParseSensitivity returns the class of that name, in letters of any case. An empty name is no
// class.
func ParseSensitivity(name string) Sensitivity {
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case "":
		return Unclassified
	case "PUBLIC":
		return Public
	case "INTERNAL":
		return Internal
	case "CONFIDENTIAL":
		return Confidential
	case "RESTRICTED":
		return Restricted
	default:
		return OtherClass
	}
}

func (s Sensitivity) String() string {
	if s > OtherClass {
		s = OtherClass
	}
	return [...]string{"(not classified)", "PUBLIC", "INTERNAL", "CONFIDENTIAL", "RESTRICTED", "(another word)"}[s]
}

// Unread counts the text that the build did not read, so that an identifier in it is not in
// the inventory.
type Unread struct {
	BadRecords   uint64 `json:"bad_records,omitempty"`
	SkippedFiles uint64 `json:"skipped_files,omitempty"` // files of text; not those that the caller left out
	Bytes        uint64 `json:"bytes,omitempty"`         // of text elsewhere: attachments, attributes, text that is not UTF-8
	LeftOut      uint64 `json:"left_out,omitempty"`      // the same by a rule of the documents
}

// Any reports whether anything was not read for another reason than the caller's options.
func (u Unread) Any() bool { return u.BadRecords+u.SkippedFiles+u.Bytes > 0 }

// Count is a number of identifiers of a kind, given by its number in Meta.Kinds.
type Count struct {
	Kind int
	N    uint64
}
