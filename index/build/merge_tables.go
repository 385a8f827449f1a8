package build

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"noecho/index"
	"noecho/index/internal/format"
	"noecho/internal/gram"
)

// Merging places. The sources of all members (the indexes that are merged) are sorted
// by path, as a single build would have read them, and the places of each source move
// with it. So the result depends neither on the order of the members nor on whether
// they are merged step by step. Only if two members have a source of the same path, the
// one of the first member comes first.

// mergeMemory bounds the memory for the seeds that a merge sorts at a time, in bytes.
const mergeMemory = 256 << 20

// memberTables are the LEDGER and RECORDS of a member. The contents of RECORDS have been
// checked. The rows of LEDGER are checked when they are collected, which saves a pass over
// the file; see checked.
type memberTables struct {
	path    string // of the member
	ledger  format.LedgerShape
	records format.RecordsShape
	names   *format.Payload
	readers sync.Pool // of *ledgerReaders

	distinct, capped atomic.Uint64 // fingerprints that were collected

	sources []memberSource
}

// ledgerReaders are two readers of the payload of LEDGER.
type ledgerReaders struct{ rows, dir *format.Payload }

// memberSource is a source of a member.
type memberSource struct {
	place   uint64 // its first place
	end     uint64 // the place behind its last one
	dataset string
	path    string
	record  uint64 // number of its first record
	records uint64 // number of its records
	byPath  bool   // a record has no id of its own: it is called by path and line
	moved   uint64 // its first place in the merged index
	number  uint64 // its number in the merged index
}

// loadTables checks the RECORDS and the layout of LEDGER of a member and reads its sources. It
// returns nil if the member has neither.
func loadTables(path string, c *format.Checker, m *index.Manifest) (*memberTables, error) {
	t, err := c.OpenTables()
	if err == nil {
		err = t.CheckDatasets(len(m.Datasets))
	}
	if err != nil || !t.There {
		return nil, err
	}
	in := &memberTables{
		path: path, ledger: t.Ledger.LedgerShape, records: t.Records.RecordsShape,
		names: c.Payload(c.H.Find(format.KindRecords, 0)),
	}
	seeds := c.Payload(c.H.Find(format.KindLedger, 0))
	in.readers.New = func() any { return &ledgerReaders{seeds.Another(), seeds.Another()} }
	r, rows, names := &in.records, in.names.Another(), in.names.Another()
	from := uint64(0)
	for i := range r.Sources {
		s := r.Source(rows, i)
		path := make([]byte, min(s.PathEnd-from, format.NameMost))
		names.Read(path, r.PathsAt+from)
		from = s.PathEnd
		if i > 0 {
			in.sources[i-1].end = s.Place
		}
		in.sources = append(in.sources, memberSource{place: s.Place, end: r.End, dataset: m.Datasets[s.Dataset].Name, path: string(path)})
	}
	end := uint64(0) // of the ids so far
	for i := range r.Count {
		row := r.Row(rows, i)
		s := &in.sources[row.Source]
		s.byPath, end = s.byPath || row.IDEnd == end, row.IDEnd
		if s.records == 0 {
			s.record = i
		}
		s.records++
	}
	return in, cmp.Or(rows.Err, names.Err)
}

// mergedTables are the LEDGER and RECORDS of the merged index. It is a [seedSource].
type mergedTables struct {
	members []*memberTables
	order   []*memberSource // the sources by their number in the merged index
	of      []*memberTables // the members that these sources belong to
	taken   uint64
	end     uint64
}

// mergeTables sorts the sources of the members and moves their places.
func mergeTables(members []*memberTables) *mergedTables {
	u := &mergedTables{members: members, end: gram.PlaceGap}
	type entry struct {
		m *memberTables
		s *memberSource
	}
	var all []entry
	for _, m := range members {
		u.taken += m.ledger.Taken
		for i := range m.sources {
			all = append(all, entry{m, &m.sources[i]})
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.s.path, b.s.path) })
	for i, e := range all {
		e.s.number, e.s.moved = uint64(i), u.end
		u.end += e.s.end - e.s.place
		u.order, u.of = append(u.order, e.s), append(u.of, e.m)
	}
	return u
}

// alike returns the paths that several sources have whose records are called by path and
// line, so that two records have one id.
func (u *mergedTables) alike() (paths []string) {
	for i, s := range u.order[1:] {
		if before := u.order[i]; s.path == before.path && s.byPath && before.byPath {
			paths = append(paths, s.path)
		}
	}
	return slices.Compact(paths)
}

// move converts a place of the member into a place of the merged index. from is the
// number of the source that is tried first; move returns the number of the right one.
func (m *memberTables) move(place uint64, from int) (moved uint64, source int) {
	s := &m.sources[from]
	if place < s.place || place >= s.end {
		from, _ = slices.BinarySearchFunc(m.sources, place, func(s memberSource, place uint64) int {
			if s.end <= place {
				return -1
			}
			return 1
		})
		s = &m.sources[from]
	}
	return place - s.place + s.moved, from
}

// collect adds the seeds in the slice of k.
func (u *mergedTables) collect(k *keys) error {
	for _, m := range u.members {
		if err := m.collect(k); err != nil {
			return fmt.Errorf("merge index %q: %w", m.path, err)
		}
	}
	return nil
}

// collect adds the seeds of one member in the slice of k, and checks their rows.
func (m *memberTables) collect(k *keys) error {
	l := &m.ledger
	low := k.slice << (format.FingerBits - k.sliceBits)
	high := low + 1<<(format.FingerBits-k.sliceBits) - 1
	source, moved := 0, uint64(0)
	r := m.readers.Get().(*ledgerReaders)
	defer m.readers.Put(r)
	distinct, capped, err := l.EachBucket(r.rows, r.dir, low>>l.RestBits, high>>l.RestBits+1, func(bucket uint64, rows []format.LedgerRow) {
		for _, row := range rows {
			moved, source = m.move(row.Place, source)
			k.add(bucket<<l.RestBits|row.Rest, moved)
		}
	})
	// A bucket that is larger than the slices is read for each of them, and counts for its
	// first one.
	if low&(1<<l.RestBits-1) == 0 {
		m.distinct.Add(distinct)
		m.capped.Add(capped)
	}
	return err
}

// checked reports whether the rows of all members, which have been collected, are as many
// as their ledgers count.
func (u *mergedTables) checked() error {
	for _, m := range u.members {
		if err := m.ledger.CheckCounts(m.distinct.Load(), m.capped.Load()); err != nil {
			return fmt.Errorf("merge index %q: %w", m.path, err)
		}
	}
	return nil
}

// recordSet returns the records of the merged index. datasets are the sorted names of
// the datasets in the manifest.
func (u *mergedTables) recordSet(datasets []string) *recordSet {
	set := &recordSet{end: u.end, datasets: uint64(len(datasets))}
	for _, s := range u.order {
		number, _ := slices.BinarySearch(datasets, s.dataset)
		set.sources = append(set.sources, namedSource{place: s.moved, dataset: uint64(number), path: s.path})
	}
	set.each = func(f func(namedRecord) error) error {
		readers := map[*memberTables][2]*format.Payload{}
		for _, m := range u.members {
			readers[m] = [2]*format.Payload{m.names.Another(), m.names.Another()}
		}
		for i, s := range u.order {
			m := u.of[i]
			if err := m.eachRecord(s, readers[m][0], readers[m][1], f); err != nil {
				return err
			}
		}
		return nil
	}
	return set
}

// eachRecord calls f for every record of a source.
func (m *memberTables) eachRecord(s *memberSource, rows, names *format.Payload, f func(namedRecord) error) error {
	var buf [format.NameMost]byte
	r, from := &m.records, uint64(0)
	if s.record > 0 {
		from = r.Row(rows, s.record-1).IDEnd
	}
	for i := s.record; i < s.record+s.records; i++ {
		row := r.Row(rows, i)
		id := buf[:min(row.IDEnd-from, format.NameMost)]
		names.Read(id, r.IDsAt+from)
		from = row.IDEnd
		if err := cmp.Or(rows.Err, names.Err); err != nil {
			return err
		}
		if err := f(namedRecord{place: row.Place - s.place + s.moved, source: s.number, line: row.Line, id: id}); err != nil {
			return err
		}
	}
	return nil
}

// addMerged writes the sections PHRASES, START, LEDGER and RECORDS if the members have
// them.
func addMerged(ctx context.Context, p *plan, o MergeOptions, members []*member, m *index.Manifest) error {
	if err := addPhrases(p, members, m); err != nil {
		return err
	}
	if members[0].tables == nil {
		return nil
	}
	var all []*memberTables
	for _, m := range members {
		all = append(all, m.tables)
	}
	u := mergeTables(all)
	if o.Notice != nil {
		for _, path := range u.alike() {
			o.Notice(fmt.Sprintf("%s: two of the indexes call records so, and findings do not tell them apart: build each with a --name of its own", path))
		}
	}
	if err := checkPlaces(u.end); err != nil {
		return err
	}
	var datasets []string
	for _, d := range m.Datasets {
		datasets = append(datasets, d.Name)
	}
	kept := newTempStore(cacheDir(o.Out))
	defer kept.close()
	shape := format.NewLedgerShape(u.taken, u.end)
	if err := addTables(p, shape, u, u.recordSet(datasets), sorting{ctx: ctx, kept: kept, workers: runtime.GOMAXPROCS(0), memory: mergeMemory}); err != nil {
		return err
	}
	return u.checked()
}
