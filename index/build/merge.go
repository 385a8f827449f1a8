package build

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"noecho/index"
	"noecho/index/internal/format"
)

// Merging. The bits of filters of equal size are combined by OR, piece by piece, so
// memory does not grow with the filters. Shards that were built with the same capacity
// give the same filters as one build of the whole corpus. Every byte is compared with
// its checksum before it is used.

// MergeOptions are the parameters of a merge. Out and at least one index are required.
type MergeOptions struct {
	Out      string
	Mode     fs.FileMode         // of the file Out; 0: as Options.Mode
	Inputs   []string            // files; an index that is given twice counts once
	Readers  []*io.SectionReader // more indexes; errors call them reader 1, reader 2, …
	Builder  string              // version of the program, for the manifest
	Progress *Progress           // may be nil
	Notice   func(note string)   // may be nil
}

// member is one of the indexes that are merged.
type member struct {
	path     string // of the file, or the name of the reader
	r        io.ReaderAt
	h        *format.Header
	manifest *index.Manifest
	phrases  *phraseMember // nil: the index has no phrases
	filters  []int         // by filter of the plan: number of its section
	sums     [][]byte      // by filter: its checksums, already checked themselves
	tables   *memberTables // LEDGER and RECORDS; nil: the index has neither
}

// Merge writes the union of indexes to o.Out. The file appears there complete and
// durable, or not at all. The error for indexes of different recipes wraps an
// [*index.MismatchError], and its text says how to rebuild them. The error for a damaged
// index matches [index.ErrDamaged].
func Merge(ctx context.Context, o MergeOptions) (*Result, error) {
	if len(o.Inputs)+len(o.Readers) == 0 {
		return nil, errors.New("no index to merge: name at least one")
	}
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	out, err := newPending(o.Out, o.Mode)
	if err != nil {
		return nil, err
	}
	defer out.abort()
	members, files, err := openMembers(o)
	closeFiles := func() {
		for _, f := range files {
			f.Close()
		}
	}
	defer closeFiles()
	if err != nil {
		return nil, err
	}
	distinct, err := withoutRepeats(members)
	if err != nil {
		return nil, err
	}
	var windows uint64 // sum of the capacities
	for _, m := range distinct {
		windows += m.h.Capacity
	}
	for _, m := range distinct[1:] {
		if err := distinct[0].accepts(m, windows); err != nil {
			return nil, err
		}
	}
	if err := sameShared(distinct); err != nil {
		return nil, err
	}
	res, err := merge(ctx, out, distinct, o)
	if err != nil {
		return nil, err
	}
	closeFiles() // Out may be one of the files, and Windows does not replace an open file
	if err := out.commit(); err != nil {
		return nil, err
	}
	return res, nil
}

// openMembers opens the files and the readers. The caller closes the files, even after
// an error.
func openMembers(o MergeOptions) (members []*member, files []*os.File, err error) {
	add := func(name string, r io.ReaderAt, size int64) error {
		m, err := newMember(name, r, size)
		members = append(members, m)
		return err
	}
	for _, path := range o.Inputs {
		f, size, err := format.OpenFile(path)
		if err != nil {
			return nil, files, err
		}
		files = append(files, f)
		if err := add(path, f, size); err != nil {
			return nil, files, err
		}
	}
	for i, r := range o.Readers {
		if err := add(fmt.Sprintf("reader %d", i+1), r, r.Size()); err != nil {
			return nil, files, err
		}
	}
	return members, files, nil
}

// withoutRepeats removes the members that are contained in other members, because their
// records would count twice. Members that were merged from many indexes take
// precedence.
func withoutRepeats(members []*member) ([]*member, error) {
	members = slices.Clone(members)
	slices.SortStableFunc(members, func(a, b *member) int { return len(b.leaves()) - len(a.leaves()) })
	seen := map[string]string{} // by build id: path of the member that contains it
	var distinct []*member
	for _, m := range members {
		known, other := 0, ""
		for _, id := range m.leaves() {
			if in, ok := seen[id]; ok {
				known++
				other = in
			} else {
				seen[id] = m.path
			}
		}
		switch known {
		case 0:
			distinct = append(distinct, m)
		case len(m.leaves()):
		default:
			return nil, fmt.Errorf("cannot merge %s and %s: both contain the same shard, whose records would count twice: merge the shards themselves", m.path, other)
		}
	}
	return distinct, nil
}

// leaves returns the build ids of the indexes that the member was merged from, or its
// own build id.
func (m *member) leaves() []string {
	if len(m.manifest.Merged) > 0 {
		return m.manifest.Merged
	}
	return []string{hex.EncodeToString(m.h.BuildID[:])}
}

// merge writes the union of members that accept each other. The caller commits the
// file.
func merge(ctx context.Context, out *pending, members []*member, o MergeOptions) (*Result, error) {
	first := members[0]
	sizes := capacities{
		windows: first.section(planWindows).Capacity, fours: first.section(planGate4).Capacity, twos: first.section(planGate2).Capacity,
	}
	if first.hasWords() {
		sizes.words = first.section(planWords).Capacity
	}
	p, err := newPlan(out, int(first.h.N), sizes)
	if err != nil {
		return nil, err
	}
	for i, s := range p.sections {
		if have := first.section(i); s.Length != have.Length || s.K != have.K || s.Block != have.Block {
			return nil, fmt.Errorf("cannot merge %s: its %v has another size than this version of noecho writes: rebuild it", first.path, s)
		}
	}
	o.Progress.Passes.Store(1)
	total := uint64(0)
	for _, s := range p.sections {
		total += s.Length
	}
	o.Progress.Total.Store(int64(total))
	o.Progress.Pass.Store(1)
	if err := mergeFilters(ctx, p, members, o.Progress); err != nil {
		return nil, err
	}
	if err := p.checkFill(); err != nil {
		return nil, err
	}
	manifest, err := mergeManifests(members, o.Builder)
	if err != nil {
		return nil, err
	}
	if err := addMerged(ctx, p, o, members, manifest); err != nil {
		return nil, err
	}
	h := &format.Header{N: first.h.N, Norm: first.h.Norm, Unicode: first.h.Unicode, Suite: first.h.Suite, KeyID: first.h.KeyID, Capacity: first.h.Capacity}
	for _, m := range members {
		h.Records += m.h.Records
		h.Segments += m.h.Segments
		h.Words += m.h.Words
		h.Windows += m.h.Windows
	}
	info, err := p.finish(ctx, h, manifest)
	if err != nil {
		return nil, err
	}
	return &Result{Info: info, Manifest: manifest, Passes: 1}, nil
}

// newMember checks all parts of an index of size bytes except its filters.
func newMember(path string, r io.ReaderAt, size int64) (*member, error) {
	m := &member{path: path, r: r}
	err := m.load(size)
	if other, ok := errors.AsType[*format.MismatchError](err); ok {
		err = (*index.MismatchError)(other)
	}
	if err != nil {
		return nil, fmt.Errorf("merge index %q: %w", path, err)
	}
	return m, nil
}

// load reads the header, the manifest, the checksum tables and the tables of records.
func (m *member) load(size int64) (err error) {
	if m.h, err = format.ReadHeader(m.r, size); err != nil {
		return err
	}
	c := format.NewChecker(m.r, m.h, make([][]byte, len(m.h.Sections)))
	for i, s := range m.h.Sections {
		if !s.Known() {
			return &index.MismatchError{Field: "a section", Have: s.String(), Want: "a kind that this version of noecho knows"}
		}
		if err := c.ReadTail(i); err != nil {
			return err
		}
	}
	for _, want := range [planFilters]format.Section{
		planGate4:   {Kind: format.KindGates, Gram: format.GateLong},
		planGate2:   {Kind: format.KindGates, Gram: format.GateShort},
		planWindows: {Kind: format.KindWindows, Gram: m.h.N},
		planConfirm: {Kind: format.KindConfirm, Gram: m.h.N},
		planWords:   {Kind: format.KindWords, Gram: format.WordGram},
	} {
		at := m.h.Find(want.Kind, want.Gram)
		if at < 0 { // only WORDS may be missing
			break
		}
		s := m.h.Sections[at]
		m.filters, m.sums = append(m.filters, at), append(m.sums, c.Tails[at][s.TableAt()-s.Offset-s.Length:])
	}
	mi := m.h.Find(format.KindManifest, 0)
	payload, err := readSection(c, mi)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(payload, &m.manifest); err != nil || m.manifest == nil {
		return format.Damaged("MANIFEST is not valid JSON")
	}
	if m.tables, err = loadTables(m.path, c, m.manifest); err != nil {
		return err
	}
	return m.loadPhrases(c)
}

// hasWords reports whether the member has a section WORDS.
func (m *member) hasWords() bool { return len(m.filters) > planWords }

// section returns the section of a filter of the plan.
func (m *member) section(filter int) format.Section { return m.h.Sections[m.filters[filter]] }

// accepts returns an error that names the first property in which another index
// differs. If it is the capacity, the error advises to rebuild both with room for the
// given number of windows.
func (m *member) accepts(o *member, windows uint64) error {
	const sameNoecho = "rebuild it with the noecho that built the other"
	properties := []property{
		{"n", fmt.Sprint(o.h.N), fmt.Sprint(m.h.N), fmt.Sprintf("rebuild it with --n %d", m.h.N)},
		{"normalisation version", fmt.Sprint(o.h.Norm), fmt.Sprint(m.h.Norm), sameNoecho},
		{"Unicode version", o.h.Unicode, m.h.Unicode, sameNoecho},
		{"hash suite", o.h.Suite.String(), m.h.Suite.String(), sameNoecho},
		{"key id", fmt.Sprintf("%x", o.h.KeyID), fmt.Sprintf("%x", m.h.KeyID), "rebuild it with the key of the other"},
		{"capacity", fmt.Sprint(o.h.Capacity), fmt.Sprint(m.h.Capacity), fmt.Sprintf("rebuild all with --capacity %d", windows)},
		{"section WORDS", there(o.hasWords()), there(m.hasWords()), "rebuild the one without it"},
		{"section LEDGER", there(o.tables != nil), there(m.tables != nil), "rebuild the one without it, or the other with --no-ledger"},
	}
	for i := range min(len(o.filters), len(m.filters)) {
		have, want := o.section(i), m.section(i)
		properties = append(properties, property{
			"capacity of " + want.String(), shape(have), shape(want), fmt.Sprintf("rebuild both with --capacity %d", m.h.Capacity),
		})
	}
	properties = append(properties, property{
		"list of exclusions", exclusionsDigest(o.manifest), exclusionsDigest(m.manifest),
		"rebuild both with the same --exclude files and without --max-doc-freq: a report of one build can be the --exclude of all",
	})
	for _, p := range properties {
		if p.have != p.want {
			return m.differs(o, p)
		}
	}
	return nil
}

// property is a property in which two members differ, and how to rebuild them.
type property struct{ field, have, want, rebuild string }

// there says whether a section is there.
func there(ok bool) string {
	if ok {
		return "there"
	}
	return "missing"
}

// differs returns the error for another index that differs in a property.
func (m *member) differs(o *member, p property) error {
	return &mergeError{
		text:  fmt.Sprintf("cannot merge %s: its %s is %s, that of %s is %s: %s", o.path, p.field, p.have, m.path, p.want, p.rebuild),
		cause: &index.MismatchError{Field: p.field, Have: p.have, Want: p.want},
	}
}

// A mergeError names both indexes and the remedy. Its cause is the property alone.
type mergeError struct {
	text  string
	cause *index.MismatchError
}

func (e *mergeError) Error() string { return e.text }

func (e *mergeError) Unwrap() error { return e.cause }

// shape returns the sizes that two filters must have in common.
func shape(s format.Section) string {
	return fmt.Sprintf("%d grams in %d bytes", s.Capacity, s.Length)
}

// mergeFilters writes the union of the filters of the members.
func mergeFilters(ctx context.Context, p *plan, members []*member, progress *Progress) error {
	pieces := make(chan format.Piece, 64)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(pieces)
		for i, s := range p.sections {
			for k := range format.Chunks(s.Length) {
				select {
				case pieces <- format.Piece{Section: i, Chunk: k}:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return nil
	})
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			all, one := make([]byte, format.ChunkLen), make([]byte, format.ChunkLen)
			for c := range pieces {
				n, err := mergeChunk(p, members, c, all, one)
				if err != nil {
					return err
				}
				progress.Bytes.Add(int64(n))
			}
			return nil
		})
	}
	return g.Wait()
}

// mergeChunk writes one piece of a filter. all and one are scratch space.
func mergeChunk(p *plan, members []*member, c format.Piece, all, one []byte) (int, error) {
	s := &p.sections[c.Section]
	lo := c.Chunk * format.ChunkLen
	n := min(format.ChunkLen, s.Length-lo)
	all, one = all[:n], one[:n]
	for i, m := range members {
		to := one
		if i == 0 {
			to = all
		}
		from := m.section(c.Section)
		if err := format.ReadFull(m.r, to, int64(from.Offset+lo)); err != nil {
			return 0, fmt.Errorf("merge index %q: %w", m.path, err)
		}
		if crc32.Checksum(to, format.Castagnoli) != binary.LittleEndian.Uint32(m.sums[c.Section][4*c.Chunk:]) {
			return 0, fmt.Errorf("merge index %q: %w", m.path,
				format.Damaged("%v, bytes %d to %d of the file: checksum does not match", from, from.Offset+lo, from.Offset+lo+n-1))
		}
		if i > 0 {
			or(all, one)
		}
	}
	atomic.AddUint64(&s.Ones, format.PopCount(all))
	binary.LittleEndian.PutUint32(p.tables[c.Section][4*c.Chunk:], crc32.Checksum(all, format.Castagnoli))
	if _, err := p.out.WriteAt(all, int64(s.Offset+lo)); err != nil {
		return 0, fmt.Errorf("write index: %w", err)
	}
	return int(n), nil
}

// or sets in dst every bit that is set in src, of the same length, a multiple
// of 8.
func or(dst, src []byte) {
	for len(dst) >= 8 && len(src) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(dst)|binary.LittleEndian.Uint64(src))
		dst, src = dst[8:], src[8:]
	}
}
