package inventory

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"noecho/index"
	"noecho/index/identify"
)

// Answer is the result of a search.
type Answer struct {
	Complete bool       `json:"complete"` // all that was named was searched, and can be searched for these items
	Asked    []string   `json:"asked"`    // the kinds of the items
	Searched []Searched `json:"searched"`
	Findings []Finding  `json:"findings"`
}

// Searched is something that was searched.
type Searched struct {
	What     string   `json:"what"` // "inventory", "index" or "files"
	Name     string   `json:"name"`
	ID       string   `json:"id,omitempty"` // of an inventory or an index
	Rows     uint64   `json:"rows"`
	Complete bool     `json:"complete"`
	Why      []string `json:"why,omitempty"`  // the search is not complete
	Note     []string `json:"note,omitempty"` // limits that do not make the answer incomplete

	build   string // build id of the index that belongs to it
	covered bool   // something else that was searched has all of its rows
}

// because says why a search is not complete, once.
func (s *Searched) because(format string, args ...any) {
	s.Complete = false
	if why := fmt.Sprintf(format, args...); !slices.Contains(s.Why, why) {
		s.Why = append(s.Why, why)
	}
}

// Finding is a row that has an item of the query, or a record of an index.
type Finding struct {
	Record  string   `json:"record"` // as alerts name it
	Dataset string   `json:"dataset"`
	Labels  []string `json:"labels"`
	File    string   `json:"file,omitempty"`
	Line    uint64   `json:"line,omitempty"` // 0: all of the file
	Row     string   `json:"row,omitempty"`  // keyed hash of the row
	Matched []Match  `json:"matched"`
	Others  []KindN  `json:"others"` // identifiers in the row that were not asked for
	Flags   []string `json:"flags"`
	Class   string   `json:"sensitivity,omitempty"` // empty: none
	Models  []string `json:"models"`
	Sure    bool     `json:"sure"` // at least one match is no other person's

	Texts []string `json:"texts,omitempty"` // of the row, if they were asked for
	Path  string   `json:"-"`               // of the training file in which it was found; empty: in none

	source int // of the search that found it, to sort
	row    uint64
}

// Certain reports whether an identifier, and not only a name, says that the row is about the
// person.
func (f *Finding) Certain() bool {
	return slices.ContainsFunc(f.Matched, func(m Match) bool { return m.Sure && m.Kind != NameKind && m.Kind != AttributeKind })
}

// Match says which kind of item is in a row.
type Match struct {
	Kind  string `json:"kind"`
	By    string `json:"by"` // "inventory", "index" or "files"
	Count uint64 `json:"count"`
	Sure  bool   `json:"sure"`
}

// KindN is a number of identifiers of a kind.
type KindN struct {
	Kind  string `json:"kind"`
	Count uint64 `json:"count"`
}

// hit are the matches of a row while it is not read.
type hit struct {
	n    []uint64 // by item
	kind []string // by item
	sure []bool   // by item
}

func newHit(items int) *hit {
	return &hit{make([]uint64, items), make([]string, items), make([]bool, items)}
}

// counts reports whether an item matched that is not weak, and whether one surely did.
func (h *hit) counts(q *Query) (any, sure bool) {
	for i, n := range h.n {
		if n > 0 && !q.Items[i].Weak {
			any, sure = true, sure || h.sure[i]
		}
	}
	return any, sure
}

// fill adds the matches to a finding, and the identifiers of the row that were not asked for.
func (h *hit) fill(f *Finding, q *Query, by string, counts []KindN) {
	mine := map[string]uint64{}
	for i, n := range h.n {
		if n > 0 {
			f.match(Match{Kind: h.kind[i], By: by, Count: n, Sure: h.sure[i] && !q.Items[i].Weak})
			mine[h.kind[i]] += n
		}
	}
	for _, c := range counts {
		if n := c.Count - min(c.Count, mine[c.Kind]); n > 0 {
			f.Others = append(f.Others, KindN{c.Kind, n})
		}
	}
	slices.SortFunc(f.Others, func(x, y KindN) int { return cmp.Compare(x.Kind, y.Kind) })
	_, f.Sure = h.counts(q)
}

// Search is a search for one query.
type Search struct {
	Query       *Query
	Inventories []Named[*File] // unlocked
	Indexes     []Named[*index.Index]
	Files       *Sources // nil: training files are not searched
}

// Named is something to search with the name that the caller gave it.
type Named[T any] struct {
	Name string
	In   T
}

// Run searches everything.
func (s *Search) Run(ctx context.Context) (*Answer, error) {
	a := &Answer{Searched: []Searched{}, Findings: []Finding{}}
	for _, it := range s.Query.Items {
		a.Asked = append(a.Asked, it.Kind)
	}
	for _, n := range s.Inventories {
		if err := a.inventory(s.Query, n.In, n.Name); err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	for _, n := range s.Indexes {
		a.index(s.Query, n.In, n.Name)
	}
	if s.Files != nil {
		if err := s.searchFiles(ctx, a); err != nil {
			return nil, err
		}
	}
	a.finish()
	return a, nil
}

// finish sorts the findings, the surest first, and judges the answer.
func (a *Answer) finish() {
	a.join()
	slices.SortStableFunc(a.Findings, func(x, y Finding) int {
		if x.Sure != y.Sure {
			return map[bool]int{true: -1, false: 1}[x.Sure]
		}
		return cmp.Or(cmp.Compare(x.source, y.source), cmp.Compare(x.row, y.row))
	})
	for i := range a.Searched {
		a.Searched[i].cover()
	}
	a.Complete = len(a.Searched) > 0
	for i := range a.Searched {
		s := &a.Searched[i]
		// An inventory of the same build knows all that an index knows.
		s.covered = s.What == "index" && slices.ContainsFunc(a.Searched, func(o Searched) bool {
			return o.What == "inventory" && o.build == s.ID && o.Complete
		})
		s.cover()
		a.Complete = a.Complete && s.Complete
	}
}

// cover makes a search complete if something else that was searched has all of its rows.
func (s *Searched) cover() {
	if s.covered && !s.Complete {
		s.Complete, s.Why, s.Note = true, nil, append(s.Note, s.Why...)
	}
}

// join makes one finding of those of one row.
func (a *Answer) join() {
	var all []Finding
	at := map[[2]string]int{}   // by the record and the dataset
	line := map[[3]string]int{} // by the record, the file and the line
	for _, f := range a.Findings {
		place := [3]string{f.Record, f.File, strconv.FormatUint(f.Line, 10)}
		i, again := line[place]
		if f.File == "" || !again {
			if k, known := at[[2]string{f.Record, f.Dataset}]; known && (f.File == "" || all[k].File == "") {
				i, again = k, true
			}
		}
		if !again {
			at[[2]string{f.Record, f.Dataset}], line[place] = len(all), len(all)
			all = append(all, f)
			continue
		}
		o := &all[i]
		o.Matched = append(o.Matched, f.Matched...)
		o.Sure = o.Sure || f.Sure
		o.Texts, o.Path = append(o.Texts, f.Texts...), cmp.Or(o.Path, f.Path)
		if o.File == "" {
			o.File, o.Line, o.Row = f.File, f.Line, f.Row
			line[place] = i
		}
	}
	a.Findings = append([]Finding{}, all...)
}

// inventory searches one inventory.
func (a *Answer) inventory(q *Query, f *File, name string) error {
	s := Searched{What: "inventory", Name: name, ID: f.ID, Rows: f.Meta.Counts.Rows, Complete: true, build: f.Meta.IndexBuild}
	f.limits(&s)
	hits := map[uint64]*hit{}
	for i, it := range q.Items {
		if err := f.item(&s, hits, len(q.Items), i, it); err != nil {
			return err
		}
	}
	for _, row := range slices.Sorted(maps.Keys(hits)) {
		h := hits[row]
		if any, _ := h.counts(q); !any {
			continue
		}
		one, err := f.finding(q, row, h)
		if err != nil {
			return err
		}
		one.source = len(a.Searched)
		a.Findings = append(a.Findings, *one)
	}
	a.Searched = append(a.Searched, s)
	return nil
}

// limits adds the text that the build did not read.
func (f *File) limits(s *Searched) {
	u := f.Meta.Unread
	if u.BadRecords > 0 {
		s.because("%d rows could not be read when the inventory was built", u.BadRecords)
	}
	if u.SkippedFiles > 0 {
		s.because("%d files with text could not be read when the inventory was built", u.SkippedFiles)
	}
	if u.Bytes > 0 {
		s.because("%d bytes of text were not read when the inventory was built", u.Bytes)
	}
	if u.LeftOut > 0 {
		s.Note = append(s.Note, fmt.Sprintf("%d bytes of scripts, comments and the like were left out when the inventory was built", u.LeftOut))
	}
}

// item searches for one item of the query.
func (f *File) item(s *Searched, hits map[uint64]*hit, items, i int, it Item) error {
	if it.Kind == TextKind {
		s.because("an inventory contains no text: name the training files with --corpus")
		return nil
	}
	looked := slices.Contains(f.Meta.Kinds, it.Kind)
	any := false
	for _, form := range it.forms {
		rows, known, err := f.find(form.Kind, form.Text)
		if err != nil {
			return err
		}
		any = any || known
		for _, r := range rows {
			h := hits[r.row]
			if h == nil {
				h = newHit(items)
				hits[r.row] = h
			}
			h.n[i] += r.n
			h.kind[i] = form.Kind
			h.sure[i] = h.sure[i] || form.Sure
		}
	}
	switch {
	case !looked:
		s.because("the build did not look for identifiers of the kind %s", it.Kind)
	case any:
	case it.Kind == NameKind || it.Kind == AttributeKind:
		s.because("a %s that is asked for is not in the list of people that the build looked for (--subjects)", it.Kind)
	case !it.usual || !f.recognised(it):
		s.because("a value that is asked for does not have the form of the kind %s that a build recognises", it.Kind)
	}
	return nil
}

// recognised reports whether an identifier of a caller's own kind is one that the patterns of
// the build find.
func (f *File) recognised(it Item) bool {
	for _, text := range f.Meta.Patterns {
		p, err := identify.ParsePattern(text)
		if err != nil || p.Name != it.Kind {
			continue
		}
		finder := identify.NewPatterns([]identify.Pattern{p})
		return slices.ContainsFunc(finder.Finish(finder.Append(nil, []byte(it.Text))), func(m identify.Match) bool {
			return slices.Equal(identify.Forms(m.Kind, m.Text), it.forms)
		})
	}
	return true
}

// finding describes a row.
func (f *File) finding(q *Query, row uint64, h *hit) (*Finding, error) {
	r, err := f.row(row)
	if err != nil {
		return nil, err
	}
	src, err := f.source(uint64(r.Source))
	if err != nil {
		return nil, err
	}
	d := f.Meta.Datasets[src.Dataset]
	one := &Finding{
		Record: recordName(r.ID, src.Name, r.Line), Dataset: d.Name, Labels: append([]string{}, d.Labels...), File: src.Name, Line: r.Line,
		Row: hex.EncodeToString(r.Sum[:]), Flags: r.Flags.names(), Models: []string{}, Others: []KindN{}, row: row,
	}
	if r.Sensitivity != Unclassified {
		one.Class = r.Sensitivity.String()
	}
	if f.Meta.Model != "" {
		one.Models = append(one.Models, f.Meta.Model)
	}
	var counts []KindN
	for _, c := range r.Counts {
		counts = append(counts, KindN{f.Meta.Kinds[c.Kind], c.N})
	}
	h.fill(one, q, "inventory", counts)
	return one, nil
}

// match adds a match, to one of its kind if there is one.
func (f *Finding) match(m Match) {
	for i := range f.Matched {
		if o := &f.Matched[i]; o.Kind == m.Kind && o.By == m.By {
			o.Count += m.Count
			o.Sure = o.Sure || m.Sure
			return
		}
	}
	f.Matched = append(f.Matched, m)
}

// recordName returns the name of a record as alerts have it.
func recordName(id, source string, line uint64) string {
	switch {
	case id != "":
		return id
	case line > 0:
		return source + ":" + strconv.FormatUint(line, 10)
	default:
		return source
	}
}

// Group is a line of a table of counts.
type Group struct {
	Name        string  `json:"name"`
	Rows        uint64  `json:"rows"`
	Identifiers uint64  `json:"identifiers"`
	Kinds       []KindN `json:"kinds"`
}

// Groupings are the tables of counts that an inventory has.
func Groupings() []string { return []string{"dataset", "label", "kind", "sensitivity", "source"} }

// Groups counts rows and identifiers by one of the Groupings. By sensitivity it reads every row.
func (f *File) Groups(by string) ([]Group, error) {
	if by == "sensitivity" {
		return f.classes()
	}
	groups := map[string]*Group{}
	sums := map[string][]uint64{}
	err := f.eachSource(func(_ uint64, s Source) error {
		var names []string
		switch d := f.Meta.Datasets[s.Dataset]; by {
		case "dataset":
			names = []string{d.Name}
		case "label":
			if names = d.Labels; len(names) == 0 {
				names = []string{"(no label)"}
			}
		case "source":
			names = []string{s.Name}
		default:
			names = f.Meta.Kinds
		}
		for i, name := range names {
			if groups[name] == nil {
				groups[name], sums[name] = &Group{Name: name, Kinds: []KindN{}}, make([]uint64, len(s.counts))
			}
			g := groups[name]
			if by == "kind" {
				g.Identifiers += s.counts[i]
				continue
			}
			g.Rows += s.rows
			for k, n := range s.counts {
				g.Identifiers += n
				sums[name][k] += n
			}
		}
		return nil
	})
	var all []Group
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		groups[name].add(f.Meta.Kinds, sums[name])
		all = append(all, *groups[name])
	}
	return all, err
}

// add adds the identifiers by kind.
func (g *Group) add(kinds []string, sums []uint64) {
	for k, n := range sums {
		if n > 0 {
			g.Kinds = append(g.Kinds, KindN{kinds[k], n})
		}
	}
}

// classes counts rows and identifiers by sensitivity, the most sensitive last.
func (f *File) classes() (all []Group, err error) {
	var groups [OtherClass + 1]Group
	var sums [OtherClass + 1][]uint64
	err = f.parts[rowsKind].each(func(i uint64, b []byte) error {
		row, err := f.parseRow(b, i)
		if err != nil {
			return err
		}
		s := min(row.Sensitivity, OtherClass)
		groups[s].Rows++
		if sums[s] == nil {
			sums[s] = make([]uint64, len(f.Meta.Kinds))
		}
		for _, c := range row.Counts {
			groups[s].Identifiers += c.N
			sums[s][c.Kind] += c.N
		}
		return nil
	})
	for s, g := range groups {
		if g.Rows > 0 {
			g.Name, g.Kinds = Sensitivity(s).String(), []KindN{}
			g.add(f.Meta.Kinds, sums[s])
			all = append(all, g)
		}
	}
	return all, err
}
