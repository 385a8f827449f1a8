package index

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Merging. Filters of equal size are united by OR, piece by piece: memory does
// not grow with the filters, and shards that were built with one capacity give
// the filters of one build over everything. Every byte that is read is held
// against its checksum first.

// MergeOptions says what to merge. Out and Inputs are required.
type MergeOptions struct {
	Out      string
	Inputs   []string  // indexes; one that comes twice counts once
	Builder  string    // the version of the program
	Progress *Progress // may be nil
}

// A MergeError says why two indexes cannot be merged, and how to build them so
// that they can.
type MergeError struct {
	Path, Other string // the files
	Field       string // what differs
	Have, Want  string // in Path, and in Other
	Rebuild     string // what to do
}

func (e *MergeError) Error() string {
	return fmt.Sprintf("cannot merge %s: its %s is %s, that of %s is %s: %s", e.Path, e.Field, e.Have, e.Other, e.Want, e.Rebuild)
}

// member is one index that is merged.
type member struct {
	path     string
	f        *os.File
	h        *header
	manifest *Manifest
	phrases  *phraseMember // nil: it has none
	filters  []int         // by filter of the plan: place in h.sections
	sums     [][]byte      // by filter: checksums, already checked
	tables   *memberTables // LEDGER and RECORDS; nil: there are none
}

// Merge writes the union of indexes to o.Out. The file appears there complete
// and durable, or not at all. Indexes of different recipes give a [*MergeError],
// a damaged one an error that matches [ErrDamaged].
func Merge(ctx context.Context, o MergeOptions) (*Result, error) {
	if len(o.Inputs) == 0 {
		return nil, errors.New("no index to merge")
	}
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	out, err := newPending(o.Out)
	if err != nil {
		return nil, err
	}
	defer out.abort()
	var members []*member
	defer func() {
		for _, m := range members {
			m.f.Close()
		}
	}()
	for _, path := range o.Inputs {
		m, err := openMember(path)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	distinct, err := withoutRepeats(members)
	if err != nil {
		return nil, err
	}
	var windows uint64 // enough room for all of them
	for _, m := range distinct {
		windows += m.h.capacity
	}
	for _, m := range distinct[1:] {
		if err := distinct[0].accepts(m, windows); err != nil {
			return nil, err
		}
	}
	return merge(ctx, out, distinct, o)
}

// withoutRepeats leaves out members that are contained in others, whose records
// would be counted twice. Those that were merged of the most come first.
func withoutRepeats(members []*member) ([]*member, error) {
	members = slices.Clone(members)
	slices.SortStableFunc(members, func(a, b *member) int { return len(b.leaves()) - len(a.leaves()) })
	seen := map[string]string{} // by build id: the file
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
			return nil, fmt.Errorf("cannot merge %s and %s: both were merged from one shard, which would count twice: merge the shards themselves", m.path, other)
		}
	}
	return distinct, nil
}

// leaves returns the build ids of what the member was merged from, or its own.
func (m *member) leaves() []string {
	if len(m.manifest.Merged) > 0 {
		return m.manifest.Merged
	}
	return []string{hex.EncodeToString(m.h.buildID[:])}
}

// merge writes the union of members that accept each other.
func merge(ctx context.Context, out *pending, members []*member, o MergeOptions) (*Result, error) {
	first := members[0]
	sizes := capacities{
		windows: first.section(planWindows).capacity, fours: first.section(planGate4).capacity, twos: first.section(planGate2).capacity,
	}
	if first.hasWords() {
		sizes.words = first.section(planWords).capacity
	}
	p, err := newPlan(int(first.h.n), sizes)
	if err != nil {
		return nil, err
	}
	for i, s := range p.sections {
		if have := first.section(i); s.length != have.length || s.k != have.k || s.block != have.block {
			return nil, fmt.Errorf("cannot merge %s: its %v is of another size than this noecho makes: rebuild it", first.path, s)
		}
	}
	o.Progress.Passes.Store(1)
	total := uint64(0)
	for _, s := range p.sections {
		total += s.length
	}
	o.Progress.Total.Store(int64(total))
	o.Progress.Pass.Store(1)
	if err := p.unite(ctx, out, members, o.Progress); err != nil {
		return nil, err
	}
	if err := p.checkFill(); err != nil {
		return nil, err
	}
	manifest, err := uniteManifests(members, o.Builder)
	if err != nil {
		return nil, err
	}
	if err := p.addUnion(ctx, out, members, manifest); err != nil {
		return nil, err
	}
	h := &header{n: first.h.n, norm: first.h.norm, unicode: first.h.unicode, suite: first.h.suite, keyID: first.h.keyID, capacity: first.h.capacity}
	for _, m := range members {
		h.records += m.h.records
		h.segments += m.h.segments
		h.words += m.h.words
		h.windows += m.h.windows
	}
	info, err := p.finish(ctx, out, h, manifest)
	if err != nil {
		return nil, err
	}
	return &Result{Info: info, Manifest: manifest, Passes: 1}, nil
}

// openMember opens an index and checks everything but its filters.
func openMember(path string) (*member, error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	m := &member{path: path, f: f}
	if err := m.load(size); err != nil {
		f.Close()
		return nil, fmt.Errorf("merge index %q: %w", path, err)
	}
	return m, nil
}

// load reads header, manifest and checksum tables.
func (m *member) load(size int64) (err error) {
	if m.h, err = readHeader(m.f, size); err != nil {
		return err
	}
	c := newChecker(m.f, m.h, make([][]byte, len(m.h.sections)))
	for i, s := range m.h.sections {
		if !s.known() {
			return mismatch("a section", s.String(), "one that this noecho knows")
		}
		if err := c.readTail(i); err != nil {
			return err
		}
	}
	for _, want := range [planFilters]section{
		planGate4:   {kind: KindGates, gram: gateLong},
		planGate2:   {kind: KindGates, gram: gateShort},
		planWindows: {kind: KindWindows, gram: m.h.n},
		planConfirm: {kind: KindConfirm, gram: m.h.n},
		planWords:   {kind: KindWords, gram: wordGram},
	} {
		at := m.h.find(want.kind, want.gram)
		if at < 0 { // only WORDS may be missing
			break
		}
		s := m.h.sections[at]
		m.filters, m.sums = append(m.filters, at), append(m.sums, c.tails[at][s.tableAt()-s.offset-s.length:])
	}
	mi := m.h.find(KindManifest, 0)
	s := m.h.sections[mi]
	payload := make([]byte, s.length)
	c.dst[mi] = payload
	for k := range chunks(s.length) {
		if err := c.readChunk(piece{section: mi, chunk: k}, nil); err != nil {
			return err
		}
	}
	if err := json.Unmarshal(payload, &m.manifest); err != nil || m.manifest == nil {
		return damaged("MANIFEST is not valid")
	}
	if m.tables, err = loadTables(c, m.manifest); err != nil {
		return err
	}
	return m.loadPhrases(c)
}

// hasWords reports whether the member knows its words.
func (m *member) hasWords() bool { return len(m.filters) > planWords }

// section returns the section of a filter of the plan.
func (m *member) section(filter int) section { return m.h.sections[m.filters[filter]] }

// accepts returns the first property in which another index differs. If it is the
// capacity, both may be rebuilt with room for the given number of windows.
func (m *member) accepts(o *member, windows uint64) error {
	sameNoecho := "rebuild it with the noecho that built the other"
	fields := []struct {
		field, have, want, rebuild string
	}{
		{"n", fmt.Sprint(o.h.n), fmt.Sprint(m.h.n), fmt.Sprintf("rebuild it with --n %d", m.h.n)},
		{"normalisation version", fmt.Sprint(o.h.norm), fmt.Sprint(m.h.norm), sameNoecho},
		{"Unicode version", o.h.unicode, m.h.unicode, sameNoecho},
		{"hash suite", o.h.suite.String(), m.h.suite.String(), sameNoecho},
		{"key id", fmt.Sprintf("%x", o.h.keyID), fmt.Sprintf("%x", m.h.keyID), "rebuild it with the key of the other"},
		{"capacity", fmt.Sprint(o.h.capacity), fmt.Sprint(m.h.capacity), fmt.Sprintf("rebuild all with --capacity %d", windows)},
	}
	there := map[bool]string{true: "there", false: "missing"}
	fields = append(fields, struct{ field, have, want, rebuild string }{
		"section WORDS", there[o.hasWords()], there[m.hasWords()], "rebuild the one without it",
	}, struct{ field, have, want, rebuild string }{
		"section LEDGER", there[o.tables != nil], there[m.tables != nil], "rebuild the one without it, or the other with --no-ledger",
	})
	for i := range min(len(o.filters), len(m.filters)) {
		have, want := o.section(i), m.section(i)
		fields = append(fields, struct{ field, have, want, rebuild string }{
			"capacity of " + want.String(), shape(have), shape(want), fmt.Sprintf("rebuild both with --capacity %d", m.h.capacity),
		})
	}
	have, want := exclusionsDigest(o.manifest), exclusionsDigest(m.manifest)
	fields = append(fields, struct{ field, have, want, rebuild string }{
		"list of exclusions", have, want, "rebuild both with the same --exclude files and without --max-doc-freq: a report of one build can be the --exclude of all",
	})
	for _, f := range fields {
		if f.have != f.want {
			return &MergeError{Path: o.path, Other: m.path, Field: f.field, Have: f.have, Want: f.want, Rebuild: f.rebuild}
		}
	}
	return nil
}

// shape says what two filters must have in common.
func shape(s section) string {
	return fmt.Sprintf("%d grams in %d bytes", s.capacity, s.length)
}

// unite writes the union of the members' filters.
func (p *plan) unite(ctx context.Context, out *pending, members []*member, progress *Progress) error {
	pieces := make(chan piece, 64)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(pieces)
		for i, s := range p.sections {
			for k := range chunks(s.length) {
				select {
				case pieces <- piece{section: i, chunk: k}:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return nil
	})
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			all, one := make([]byte, chunkLen), make([]byte, chunkLen)
			for c := range pieces {
				n, err := p.uniteChunk(out, members, c, all, one)
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

// uniteChunk writes one piece of a filter; all and one are scratch.
func (p *plan) uniteChunk(out *pending, members []*member, c piece, all, one []byte) (int, error) {
	s := &p.sections[c.section]
	lo := c.chunk * chunkLen
	n := min(chunkLen, s.length-lo)
	all, one = all[:n], one[:n]
	for i, m := range members {
		to := one
		if i == 0 {
			to = all
		}
		from := m.section(c.section)
		if err := readFull(m.f, to, int64(from.offset+lo)); err != nil {
			return 0, fmt.Errorf("merge index %q: %w", m.path, err)
		}
		if crc32.Checksum(to, castagnoli) != binary.LittleEndian.Uint32(m.sums[c.section][4*c.chunk:]) {
			return 0, fmt.Errorf("merge index %q: %w", m.path,
				damaged("%v, bytes %d to %d of the file: checksum does not match", from, from.offset+lo, from.offset+lo+n-1))
		}
		if i > 0 {
			or(all, one)
		}
	}
	atomic.AddUint64(&s.ones, popCount(all))
	binary.LittleEndian.PutUint32(p.tables[c.section][4*c.chunk:], crc32.Checksum(all, castagnoli))
	if _, err := out.WriteAt(all, int64(s.offset+lo)); err != nil {
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
