package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"noecho/ngram"
)

// castagnoli is the polynomial of every checksum in the file.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// section is one entry of the section table.
type section struct {
	kind     Kind
	flags    uint32
	offset   uint64
	length   uint64
	tableCRC uint32
	gram     uint32
	capacity uint64
	ones     uint64
	k        uint32
	block    uint32
}

// String names the section in messages.
func (s section) String() string {
	name, ok := kindNames[s.kind]
	if !ok {
		return fmt.Sprintf("section of kind %d", uint32(s.kind))
	}
	if s.kind == KindGates {
		return fmt.Sprintf("section %s/%d", name, s.gram)
	}
	return "section " + name
}

// tableAt is the offset of the section's checksum table in the file.
func (s section) tableAt() uint64 { return s.offset + padded(s.length) }

// end is the offset of the first byte after the section.
func (s section) end() uint64 { return s.offset + extent(s.length) }

// header is the decoded header of an index file.
type header struct {
	fileLen  uint64
	n        uint32
	norm     uint32
	unicode  string
	suite    ngram.SuiteID
	keyID    [keyIDLen]byte
	capacity uint64
	records  uint64
	segments uint64
	words    uint64
	windows  uint64
	buildID  [buildIDLen]byte
	sections []section
}

// find returns the place of the section of that kind and gram, or -1.
func (h *header) find(kind Kind, gram uint32) int {
	for i, s := range h.sections {
		if s.kind == kind && s.gram == gram {
			return i
		}
	}
	return -1
}

// encode returns the header's 4096 bytes with the checksum set.
func (h *header) encode() []byte {
	b := make([]byte, headerLen)
	le := binary.LittleEndian
	copy(b[offMagic:], Magic)
	le.PutUint32(b[offVersion:], FormatVersion)
	le.PutUint32(b[offHeaderLen:], headerLen)
	le.PutUint64(b[offFileLen:], h.fileLen)
	le.PutUint32(b[offN:], h.n)
	le.PutUint32(b[offNorm:], h.norm)
	copy(b[offUnicode:offUnicode+unicodeLen], h.unicode)
	le.PutUint32(b[offSuite:], uint32(h.suite))
	le.PutUint32(b[offSections:], uint32(len(h.sections)))
	copy(b[offKeyID:], h.keyID[:])
	le.PutUint64(b[offCapacity:], h.capacity)
	le.PutUint64(b[offRecords:], h.records)
	le.PutUint64(b[offSegments:], h.segments)
	le.PutUint64(b[offWords:], h.words)
	le.PutUint64(b[offWindows:], h.windows)
	copy(b[offBuildID:], h.buildID[:])
	for i, s := range h.sections {
		e := b[offEntries+i*entryLen:]
		le.PutUint32(e[entKind:], uint32(s.kind))
		le.PutUint32(e[entFlags:], s.flags)
		le.PutUint64(e[entOffset:], s.offset)
		le.PutUint64(e[entLength:], s.length)
		le.PutUint32(e[entTableCRC:], s.tableCRC)
		le.PutUint32(e[entGram:], s.gram)
		le.PutUint64(e[entCapacity:], s.capacity)
		le.PutUint64(e[entOnes:], s.ones)
		le.PutUint32(e[entK:], s.k)
		le.PutUint32(e[entBlock:], s.block)
	}
	copy(b[offMagicAgain:], Magic)
	le.PutUint32(b[offHeaderCRC:], crc32.Checksum(b[:offHeaderCRC], castagnoli))
	return b
}

// parseHeader decodes and checks the header of a file of size bytes. b holds
// the first 4096 bytes of the file, or all of it if it is shorter.
func parseHeader(b []byte, size uint64) (*header, error) {
	if err := checkEnvelope(b, size); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if v := le.Uint32(b[offVersion:]); v != FormatVersion {
		return nil, &MismatchError{Field: "format version", Have: fmt.Sprint(v), Want: fmt.Sprint(FormatVersion)}
	}
	if v := le.Uint32(b[offHeaderLen:]); v != headerLen {
		return nil, damaged("header length is %d, not %d", v, headerLen)
	}
	h := &header{
		fileLen:  le.Uint64(b[offFileLen:]),
		n:        le.Uint32(b[offN:]),
		norm:     le.Uint32(b[offNorm:]),
		unicode:  string(bytes.TrimRight(b[offUnicode:offUnicode+unicodeLen], "\x00")),
		keyID:    [keyIDLen]byte(b[offKeyID:]),
		capacity: le.Uint64(b[offCapacity:]),
		records:  le.Uint64(b[offRecords:]),
		segments: le.Uint64(b[offSegments:]),
		words:    le.Uint64(b[offWords:]),
		windows:  le.Uint64(b[offWindows:]),
		buildID:  [buildIDLen]byte(b[offBuildID:]),
	}
	if h.fileLen != size {
		return nil, damaged("file is %d bytes long, its header says %d", size, h.fileLen)
	}
	if err := h.checkRecipe(le.Uint32(b[offSuite:])); err != nil {
		return nil, err
	}
	count := le.Uint32(b[offSections:])
	if count > maxSections {
		return nil, damaged("header counts %d sections, at most %d fit", count, maxSections)
	}
	if err := checkReserved(b, int(count)); err != nil {
		return nil, err
	}
	for i := range int(count) {
		h.sections = append(h.sections, parseEntry(b[offEntries+i*entryLen:]))
	}
	return h, h.checkSections()
}

// checkEnvelope tells a damaged index from a file of another sort, and checks
// the header's checksum.
func checkEnvelope(b []byte, size uint64) error {
	if len(b) < headerLen {
		if bytes.HasPrefix(b, []byte(Magic[:min(len(b), len(Magic))])) {
			return damaged("file ends after %d bytes, inside the header", len(b))
		}
		return ErrForeign
	}
	first := string(b[offMagic:offMagic+len(Magic)]) == Magic
	again := string(b[offMagicAgain:offMagicAgain+len(Magic)]) == Magic
	if !first && !again {
		return ErrForeign
	}
	if crc32.Checksum(b[:offHeaderCRC], castagnoli) != binary.LittleEndian.Uint32(b[offHeaderCRC:]) {
		return damaged("header checksum does not match")
	}
	if !first || !again || size > maxFileLen {
		return damaged("header is not consistent")
	}
	return nil
}

// checkRecipe refuses an index whose words this build would make differently.
func (h *header) checkRecipe(suite uint32) error {
	if suite == 0 || suite > 255 {
		return &MismatchError{Field: "hash suite", Have: fmt.Sprint(suite), Want: ngram.XXH64.String()}
	}
	h.suite = ngram.SuiteID(suite)
	if h.suite != ngram.XXH64 {
		return &MismatchError{Field: "hash suite", Have: h.suite.String(), Want: ngram.XXH64.String()}
	}
	if h.keyID != ([keyIDLen]byte{}) {
		return &MismatchError{Field: "key id", Have: fmt.Sprintf("%x", h.keyID), Want: "none"}
	}
	if h.norm != ngram.NormVersion {
		return &MismatchError{Field: "normalisation version", Have: fmt.Sprint(h.norm), Want: fmt.Sprint(ngram.NormVersion)}
	}
	if h.unicode != ngram.UnicodeVersion {
		return &MismatchError{Field: "Unicode version", Have: fmt.Sprintf("%q", h.unicode), Want: ngram.UnicodeVersion}
	}
	if h.n < ngram.MinN || h.n > ngram.MaxN {
		return &MismatchError{Field: "n", Have: fmt.Sprint(h.n), Want: fmt.Sprintf("%d to %d", ngram.MinN, ngram.MaxN)}
	}
	return nil
}

// checkReserved refuses a header that sets bytes of which v1 says nothing.
func checkReserved(b []byte, count int) error {
	for _, r := range [...][2]int{
		{offWindows + 8, offBuildID},
		{offBuildID + buildIDLen, offEntries},
		{offEntries + count*entryLen, offMagicAgain},
		{offMagicAgain + len(Magic), offHeaderCRC},
	} {
		if !allZero(b[r[0]:r[1]]) {
			return &MismatchError{Field: "header", Have: "bytes that format v1 leaves zero", Want: "zero"}
		}
	}
	return nil
}

// parseEntry decodes one section entry.
func parseEntry(e []byte) section {
	le := binary.LittleEndian
	return section{
		kind:     Kind(le.Uint32(e[entKind:])),
		flags:    le.Uint32(e[entFlags:]),
		offset:   le.Uint64(e[entOffset:]),
		length:   le.Uint64(e[entLength:]),
		tableCRC: le.Uint32(e[entTableCRC:]),
		gram:     le.Uint32(e[entGram:]),
		capacity: le.Uint64(e[entCapacity:]),
		ones:     le.Uint64(e[entOnes:]),
		k:        le.Uint32(e[entK:]),
		block:    le.Uint32(e[entBlock:]),
	}
}

// checkSections checks that the sections tile the file, that every section of
// v1 is there once, and that no filter can be read out of its bounds.
func (h *header) checkSections() error {
	at := uint64(headerLen)
	for i, s := range h.sections {
		if s.flags&^flagRequired != 0 {
			return &MismatchError{Field: s.String() + " flags", Have: fmt.Sprintf("%#x", s.flags), Want: "0 or 1"}
		}
		if s.offset != at {
			return damaged("%v begins at %d, not at %d", s, s.offset, at)
		}
		if s.length == 0 || s.length > h.fileLen || s.end() > h.fileLen {
			return damaged("%v does not fit into the file", s)
		}
		at = s.end()
		if h.find(s.kind, s.gram) != i {
			return damaged("%v is there twice", s)
		}
		if err := s.check(h.n); err != nil {
			return err
		}
	}
	if at != h.fileLen {
		return damaged("sections end at %d, the file at %d", at, h.fileLen)
	}
	for _, want := range []section{
		{kind: KindManifest},
		{kind: KindGates, gram: gateLong},
		{kind: KindGates, gram: gateShort},
		{kind: KindWindows, gram: h.n},
		{kind: KindConfirm, gram: h.n},
	} {
		if h.find(want.kind, want.gram) < 0 {
			return damaged("%v is missing", want)
		}
	}
	if (h.find(KindPhrases, 0) < 0) != (h.find(KindStart, phraseStarts) < 0) {
		return damaged("of PHRASES and START one is missing")
	}
	return nil
}

// check validates one section's parameters; after it no lookup can fail.
func (s section) check(n uint32) error {
	var gramOK bool
	blocked := true
	switch s.kind {
	case KindManifest, KindPhrases:
		if s.gram|s.k|s.block != 0 || s.capacity|s.ones != 0 {
			return damaged("%v has filter parameters", s)
		}
		return nil
	case KindLedger, KindRecords:
		if s.gram|s.k|s.block != 0 || s.capacity|s.ones != 0 || s.length%8 != 0 {
			return damaged("%v has parameters out of range", s)
		}
		return nil
	case KindGates:
		gramOK = s.gram == gateLong || s.gram == gateShort
	case KindStart:
		gramOK = s.gram == phraseStarts
	case KindWords:
		gramOK = s.gram == wordGram
	case KindWindows:
		gramOK = s.gram == n
	case KindConfirm:
		gramOK, blocked = s.gram == n, false
	default:
		if s.flags&flagRequired != 0 {
			return &MismatchError{Field: s.String(), Have: "required", Want: "a newer noecho"}
		}
		return nil
	}
	if !gramOK {
		return damaged("%v holds %d-grams", s, s.gram)
	}
	if blocked && (s.block != blockBits || s.length%(blockBits/8) != 0 || s.k == 0 || s.k > maxBlockedK) ||
		!blocked && (s.block != 0 || s.length%8 != 0 || s.k == 0 || s.k > maxK) {
		return damaged("%v has filter parameters out of range", s)
	}
	if s.ones > 8*s.length {
		return damaged("%v counts more bits than it has", s)
	}
	return nil
}

// allZero reports whether every byte of b is zero.
func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
