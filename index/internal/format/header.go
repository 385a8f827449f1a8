package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"noecho/ngram"
)

// Castagnoli is the polynomial of every checksum in the file.
var Castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Section is one entry of the section table.
type Section struct {
	Kind     Kind
	Flags    uint32
	Offset   uint64
	Length   uint64
	TableCRC uint32
	Gram     uint32
	Capacity uint64
	Ones     uint64
	K        uint32
	Block    uint32
}

// String returns the name of the section for messages.
func (s Section) String() string {
	name, ok := KindNames[s.Kind]
	if !ok {
		return fmt.Sprintf("section of kind %d", uint32(s.Kind))
	}
	if s.Kind == KindGates {
		return fmt.Sprintf("section %s/%d", name, s.Gram)
	}
	return "section " + name
}

// TableAt returns the offset of the section's checksum table in the file.
func (s Section) TableAt() uint64 { return s.Offset + padded(s.Length) }

// End returns the offset of the first byte behind the section.
func (s Section) End() uint64 { return s.Offset + Extent(s.Length) }

// Header is the decoded header of an index file.
type Header struct {
	FileLen  uint64
	N        uint32
	Norm     uint32
	Unicode  string
	Suite    Suite
	KeyID    [KeyIDLen]byte
	Capacity uint64
	Records  uint64
	Segments uint64
	Words    uint64
	Windows  uint64
	BuildID  [buildIDLen]byte
	Sections []Section
}

// Find returns the number of the section of that kind and gram, or -1.
func (h *Header) Find(kind Kind, gram uint32) int {
	for i, s := range h.Sections {
		if s.Kind == kind && s.Gram == gram {
			return i
		}
	}
	return -1
}

// Encode returns the 4096 bytes of the header with its checksum.
func (h *Header) Encode() []byte {
	b := make([]byte, HeaderLen)
	le := binary.LittleEndian
	copy(b[offMagic:], Magic)
	le.PutUint32(b[OffVersion:], Version)
	le.PutUint32(b[OffHeaderLen:], HeaderLen)
	le.PutUint64(b[OffFileLen:], h.FileLen)
	le.PutUint32(b[OffN:], h.N)
	le.PutUint32(b[OffNorm:], h.Norm)
	copy(b[OffUnicode:OffUnicode+unicodeLen], h.Unicode)
	le.PutUint32(b[OffSuite:], uint32(h.Suite))
	le.PutUint32(b[OffSections:], uint32(len(h.Sections)))
	copy(b[OffKeyID:], h.KeyID[:])
	le.PutUint64(b[offCapacity:], h.Capacity)
	le.PutUint64(b[offRecords:], h.Records)
	le.PutUint64(b[offSegments:], h.Segments)
	le.PutUint64(b[offWords:], h.Words)
	le.PutUint64(b[OffWindows:], h.Windows)
	copy(b[OffBuildID:], h.BuildID[:])
	for i, s := range h.Sections {
		e := b[OffEntries+i*EntryLen:]
		le.PutUint32(e[EntKind:], uint32(s.Kind))
		le.PutUint32(e[EntFlags:], s.Flags)
		le.PutUint64(e[EntOffset:], s.Offset)
		le.PutUint64(e[EntLength:], s.Length)
		le.PutUint32(e[EntTableCRC:], s.TableCRC)
		le.PutUint32(e[EntGram:], s.Gram)
		le.PutUint64(e[EntCapacity:], s.Capacity)
		le.PutUint64(e[EntOnes:], s.Ones)
		le.PutUint32(e[EntK:], s.K)
		le.PutUint32(e[EntBlock:], s.Block)
	}
	copy(b[offMagicAgain:], Magic)
	le.PutUint32(b[OffHeaderCRC:], crc32.Checksum(b[:OffHeaderCRC], Castagnoli))
	return b
}

// ParseHeader decodes and checks the header of a file of size bytes. b holds
// the first 4096 bytes of the file, or all of it if it is shorter.
func ParseHeader(b []byte, size uint64) (*Header, error) {
	if err := checkEnvelope(b, size); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if v := le.Uint32(b[OffVersion:]); v != Version {
		return nil, &MismatchError{Field: "format version", Have: fmt.Sprint(v), Want: fmt.Sprint(Version)}
	}
	if v := le.Uint32(b[OffHeaderLen:]); v != HeaderLen {
		return nil, Damaged("the header is %d bytes long instead of %d", v, HeaderLen)
	}
	h := &Header{
		FileLen:  le.Uint64(b[OffFileLen:]),
		N:        le.Uint32(b[OffN:]),
		Norm:     le.Uint32(b[OffNorm:]),
		Unicode:  string(bytes.TrimRight(b[OffUnicode:OffUnicode+unicodeLen], "\x00")),
		KeyID:    [KeyIDLen]byte(b[OffKeyID:]),
		Capacity: le.Uint64(b[offCapacity:]),
		Records:  le.Uint64(b[offRecords:]),
		Segments: le.Uint64(b[offSegments:]),
		Words:    le.Uint64(b[offWords:]),
		Windows:  le.Uint64(b[OffWindows:]),
		BuildID:  [buildIDLen]byte(b[OffBuildID:]),
	}
	if h.FileLen != size {
		return nil, Damaged("the file is %d bytes long, but its header says %d", size, h.FileLen)
	}
	if err := h.checkRecipe(le.Uint32(b[OffSuite:])); err != nil {
		return nil, err
	}
	count := le.Uint32(b[OffSections:])
	if count > MaxSections {
		return nil, Damaged("the header counts %d sections, but has room for %d", count, MaxSections)
	}
	if err := checkReserved(b, int(count)); err != nil {
		return nil, err
	}
	for i := range int(count) {
		h.Sections = append(h.Sections, ParseEntry(b[OffEntries+i*EntryLen:]))
	}
	return h, h.checkSections()
}

// checkEnvelope distinguishes a damaged index from another file, and checks the
// checksum of the header.
func checkEnvelope(b []byte, size uint64) error {
	if len(b) < HeaderLen {
		if bytes.HasPrefix(b, []byte(Magic[:min(len(b), len(Magic))])) {
			return Damaged("the file ends after %d bytes, inside the header", len(b))
		}
		return ErrForeign
	}
	first := string(b[offMagic:offMagic+len(Magic)]) == Magic
	again := string(b[offMagicAgain:offMagicAgain+len(Magic)]) == Magic
	if !first && !again {
		return ErrForeign
	}
	if crc32.Checksum(b[:OffHeaderCRC], Castagnoli) != binary.LittleEndian.Uint32(b[OffHeaderCRC:]) {
		return Damaged("the checksum of the header does not match")
	}
	if !first || !again || size > maxFileLen {
		return Damaged("the magic number of the header is damaged, or the file is too long")
	}
	return nil
}

// checkRecipe refuses an index if this build would split or hash its words differently.
func (h *Header) checkRecipe(suite uint32) error {
	h.Suite = Suite(suite)
	if h.Suite != XXH64 && h.Suite != SipHash {
		return &MismatchError{Field: "hash suite", Have: h.Suite.String(), Want: XXH64.String() + " or " + SipHash.String()}
	}
	if SuiteOf(h.KeyID) != h.Suite {
		return &MismatchError{Field: "key id", Have: fmt.Sprintf("%x", h.KeyID), Want: [...]string{XXH64: "zero", SipHash: "that of a key"}[h.Suite]}
	}
	if h.Norm != ngram.NormVersion {
		return &MismatchError{Field: "normalisation version", Have: fmt.Sprint(h.Norm), Want: fmt.Sprint(ngram.NormVersion)}
	}
	if h.Unicode != ngram.UnicodeVersion {
		return &MismatchError{Field: "Unicode version", Have: fmt.Sprintf("%q", h.Unicode), Want: ngram.UnicodeVersion}
	}
	if h.N < ngram.MinN || h.N > ngram.MaxN {
		return &MismatchError{Field: "n", Have: fmt.Sprint(h.N), Want: fmt.Sprintf("%d to %d", ngram.MinN, ngram.MaxN)}
	}
	return nil
}

// checkReserved refuses a header in which bytes that v1 leaves zero are set.
func checkReserved(b []byte, count int) error {
	for _, r := range [...][2]int{
		{OffWindows + 8, OffBuildID},
		{OffBuildID + buildIDLen, OffEntries},
		{OffEntries + count*EntryLen, offMagicAgain},
		{offMagicAgain + len(Magic), OffHeaderCRC},
	} {
		if !allZero(b[r[0]:r[1]]) {
			return &MismatchError{Field: "header", Have: "bytes that format v1 leaves zero", Want: "zero"}
		}
	}
	return nil
}

// ParseEntry decodes one section entry.
func ParseEntry(e []byte) Section {
	le := binary.LittleEndian
	return Section{
		Kind:     Kind(le.Uint32(e[EntKind:])),
		Flags:    le.Uint32(e[EntFlags:]),
		Offset:   le.Uint64(e[EntOffset:]),
		Length:   le.Uint64(e[EntLength:]),
		TableCRC: le.Uint32(e[EntTableCRC:]),
		Gram:     le.Uint32(e[EntGram:]),
		Capacity: le.Uint64(e[EntCapacity:]),
		Ones:     le.Uint64(e[EntOnes:]),
		K:        le.Uint32(e[EntK:]),
		Block:    le.Uint32(e[EntBlock:]),
	}
}

// checkSections checks that the sections fill the file without gaps, that every section
// of v1 is present once, and that lookups in filters cannot leave their bounds.
func (h *Header) checkSections() error {
	at := uint64(HeaderLen)
	for i, s := range h.Sections {
		if s.Flags&^FlagRequired != 0 {
			return &MismatchError{Field: s.String() + " flags", Have: fmt.Sprintf("%#x", s.Flags), Want: "0 or 1"}
		}
		if s.Offset != at {
			return Damaged("%v begins at byte %d instead of %d", s, s.Offset, at)
		}
		if s.Length == 0 || s.Length > h.FileLen || s.End() > h.FileLen {
			return Damaged("%v is longer than the file", s)
		}
		at = s.End()
		if h.Find(s.Kind, s.Gram) != i {
			return Damaged("%v occurs twice", s)
		}
		if err := s.check(h.N); err != nil {
			return err
		}
	}
	if at != h.FileLen {
		return Damaged("the sections end at byte %d, but the file at %d", at, h.FileLen)
	}
	for _, want := range []Section{
		{Kind: KindManifest},
		{Kind: KindGates, Gram: GateLong},
		{Kind: KindGates, Gram: GateShort},
		{Kind: KindWindows, Gram: h.N},
		{Kind: KindConfirm, Gram: h.N},
	} {
		if h.Find(want.Kind, want.Gram) < 0 {
			return Damaged("%v is missing", want)
		}
	}
	if (h.Find(KindPhrases, 0) < 0) != (h.Find(KindStart, PhraseStarts) < 0) {
		return Damaged("one of the sections PHRASES and START is missing")
	}
	if h.Find(KindShared, 0) >= 0 && h.Find(KindPhrases, 0) < 0 {
		return Damaged("section SHARED belongs to no section PHRASES")
	}
	return nil
}

// check checks the parameters of one section. After it no lookup can fail.
func (s Section) check(n uint32) error {
	var gramOK bool
	blocked := true
	switch s.Kind {
	case KindManifest, KindPhrases, KindShared:
		if s.Gram|s.K|s.Block != 0 || s.Capacity|s.Ones != 0 {
			return Damaged("%v is not a filter, but has the parameters of one", s)
		}
		return nil
	case KindLedger, KindRecords:
		if s.Gram|s.K|s.Block != 0 || s.Capacity|s.Ones != 0 || s.Length%8 != 0 {
			return Damaged("%v has parameters out of range", s)
		}
		return nil
	case KindGates:
		gramOK = s.Gram == GateLong || s.Gram == GateShort
	case KindStart:
		gramOK = s.Gram == PhraseStarts
	case KindWords:
		gramOK = s.Gram == WordGram
	case KindWindows:
		gramOK = s.Gram == n
	case KindConfirm:
		gramOK, blocked = s.Gram == n, false
	default:
		if s.Flags&FlagRequired != 0 {
			return &MismatchError{Field: s.String(), Have: "required", Want: "a newer noecho"}
		}
		return nil
	}
	if !gramOK {
		return Damaged("%v has grams of %d words, which its kind does not allow", s, s.Gram)
	}
	if blocked && (s.Block != BlockBits || s.Length%(BlockBits/8) != 0 || s.K == 0 || s.K > maxBlockedK) ||
		!blocked && (s.Block != 0 || s.Length%8 != 0 || s.K == 0 || s.K > maxK) {
		return Damaged("%v has filter parameters out of range", s)
	}
	if s.Ones > 8*s.Length {
		return Damaged("%v counts more set bits than it has bits", s)
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
