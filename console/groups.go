package console

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"noecho/proxy/alert"
)

// recordRow counts the findings of one record.
type recordRow struct {
	recordView
	Findings    int        `json:"findings"`
	Withheld    int        `json:"withheld"`
	Passed      int        `json:"passed"`
	Callers     int        `json:"callers"`
	Answers     int        `json:"answers"`
	Words       uint32     `json:"words"`
	Share       *float64   `json:"share"`
	ShareWords  *uint32    `json:"share_words"`
	RecordWords *int64     `json:"record_words"`
	Person      bool       `json:"person"`
	First       *time.Time `json:"first"`
	Last        *time.Time `json:"last"`
	As          []*manner  `json:"as"`

	number      uint64 // counts the records of a page
	first, last int64
	runs        int            // findings of words
	as          map[string]int // those of identifiers and short texts
}

// manner counts the findings that are described alike.
type manner struct {
	What  string `json:"what"`
	Count int    `json:"count"`
}

// answerRecords answers with the records that came out.
func answerRecords(c *Console, _ http.ResponseWriter, r *request) (any, error) {
	p, f, err := selection(c, r, "7d", alert.TypeFinding, alert.TypeDrip)
	limit, offset, lerr := portionOf(r.URL.Query())
	if err := errors.Join(err, lerr); err != nil {
		return nil, err
	}
	s := c.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	byList := map[uint32][]*recordRow{}
	byName, seen := map[[2]string]*recordRow{}, new([2]distinct)
	for x := range s.each(p, f) {
		of, ok := byList[x.records]
		if !ok {
			of = recordRows(s, byName, x.records, f)
			byList[x.records] = of
		}
		for _, row := range of {
			row.add(s, x, seen)
		}
	}
	rows := slices.Collect(maps.Values(byName))
	rows = slices.DeleteFunc(rows, func(r *recordRow) bool { return r.Findings == 0 })
	by := r.URL.Query().Get("sort")
	slices.SortFunc(rows, func(a, b *recordRow) int {
		first := 0
		switch by {
		case "passed":
			first = cmp.Compare(b.Passed, a.Passed)
		case "callers":
			first = cmp.Compare(b.Callers, a.Callers)
		case "share":
			first = cmp.Compare(b.Words, a.Words)
		}
		return cmp.Or(first, cmp.Compare(b.Findings, a.Findings), cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.ID, b.ID))
	})
	out := struct {
		common
		Total int          `json:"total"`
		Rows  []*recordRow `json:"rows"`
	}{common{c.known(), p.from, p.to}, len(rows), portionFrom(rows, limit, offset)}
	for _, row := range out.Rows {
		row.finish()
	}
	return out, nil
}

// portionOf reads limit and offset of a query.
func portionOf(q url.Values) (limit, offset int, err error) {
	limit, err = whole(q, "limit", 50, 500)
	offset, oerr := whole(q, "offset", 0, 1<<30)
	return limit, offset, errors.Join(err, oerr)
}

// portionFrom returns the rows of one page.
func portionFrom[T any](rows []T, limit, offset int) []T {
	offset = min(offset, len(rows))
	return append([]T{}, rows[offset:min(len(rows), offset+limit)]...)
}

// recordRows returns the rows of the records in a list, those apart that the filter excludes.
func recordRows(s *store, byName map[[2]string]*recordRow, list uint32, f *filter) (out []*recordRow) {
	for _, record := range s.lists[list] {
		if !f.wants(record) {
			continue
		}
		key := [2]string{record.Dataset, record.ID}
		row := byName[key]
		if row == nil {
			row = &recordRow{
				recordView: recordView{record.ID, record.Dataset, notNil(record.Labels), recordURL(s.recordURL, record.Dataset, record.ID)},
				Person:     record.Dataset == subjects, as: map[string]int{}, number: uint64(len(byName)),
			}
			byName[key] = row
		}
		out = append(out, row)
	}
	return out
}

// distinct has the hashes of pairs of a group and a member, so that the different members are
// counted: a table whose free places are 0, half of them at least. A map takes five times as
// long. Two of a million pairs have the same hash once in ten million such pages.
type distinct struct {
	table []uint64
	n     int
}

// add returns 1 if the member is new in the group, else 0.
func (d *distinct) add(group, member uint64) int {
	const odd, other = 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9
	if 2*d.n >= len(d.table) {
		old := d.table
		d.table = make([]uint64, max(256, 4*len(old)))
		for _, hash := range old {
			if hash != 0 {
				d.table[d.place(hash)] = hash
			}
		}
	}
	hash := max(1, (bits.RotateLeft64((group+1)*odd, 29)^member*other)*odd)
	at := d.place(hash)
	if d.table[at] == hash {
		return 0
	}
	d.table[at] = hash
	d.n++
	return 1
}

// place returns the place of a hash, or the free one that it would get.
func (d *distinct) place(hash uint64) int {
	last := len(d.table) - 1
	at := int(hash>>20) & last
	for d.table[at] != 0 && d.table[at] != hash {
		at = (at + 1) & last
	}
	return at
}

// add takes a row. seen has the callers and the answers of all records.
func (r *recordRow) add(s *store, x *row, seen *[2]distinct) {
	if rowTypes[x.typ] == alert.TypeDrip {
		if x.text > 0 && (r.ShareWords == nil || *r.ShareWords < x.words) {
			share := min(1, float64(x.words)/float64(x.text))
			words, all := x.words, x.amount()
			r.Share, r.ShareWords, r.RecordWords = &share, &words, &all
		}
		return
	}
	if r.Findings == 0 {
		r.first = x.time
	}
	r.last = x.time
	r.Findings++
	switch x.outcome() {
	case outcomeWithheld:
		r.Withheld++
	case outcomePassed:
		r.Passed++
	}
	r.Callers += seen[0].add(r.number, uint64(x.caller))
	r.Answers += seen[1].add(r.number, x.answer)
	if rowKinds[x.kind] == alert.Phrase {
		r.as[s.gist(x)]++
	} else {
		r.runs++
		r.Words = max(r.Words, x.words)
	}
}

// finish writes the members that are counted otherwise.
func (r *recordRow) finish() {
	r.First, r.Last = moment(r.first), moment(r.last)
	r.As = []*manner{}
	for _, kind := range slices.Sorted(maps.Keys(r.as)) {
		r.As = append(r.As, &manner{kind, r.as[kind]})
	}
	if r.runs > 0 {
		r.As = append(r.As, &manner{fmt.Sprintf("up to %d words", r.Words), r.runs})
	}
	slices.SortStableFunc(r.As, func(a, b *manner) int { return cmp.Compare(b.Count, a.Count) })
}

// callerRow counts the findings of one caller.
type callerRow struct {
	caller
	Answers   int           `json:"answers"`
	Findings  int           `json:"findings"`
	Records   int           `json:"records"`
	Disguised int           `json:"disguised"`
	Withheld  int           `json:"withheld"`
	Passed    int           `json:"passed"`
	Signals   []signalCount `json:"signals"`
	Judgement string        `json:"judgement"`
	Why       string        `json:"why"`
	First     *time.Time    `json:"first"`
	Last      *time.Time    `json:"last"`

	first, last int64
	signals     [4]int
}

type signalCount struct {
	Signal string `json:"signal"`
	Count  int    `json:"count"`
}

// callerRows counts findings by caller.
type callerRows struct {
	rows                    []*callerRow // by the number of the caller; nil: it has none
	answers, lists, records distinct
}

func newCallerRows(s *store) *callerRows {
	return &callerRows{rows: make([]*callerRow, len(s.callers))}
}

func (c *callerRows) add(s *store, x *row) {
	r := c.rows[x.caller]
	if r == nil {
		r = &callerRow{}
		c.rows[x.caller] = r
	}
	r.Answers += c.answers.add(uint64(x.caller), x.answer)
	if c.lists.add(uint64(x.caller), uint64(x.records)) > 0 {
		for _, record := range s.members[x.records] {
			r.Records += c.records.add(uint64(x.caller), uint64(record))
		}
	}
	if r.Findings == 0 {
		r.caller, r.first = s.callers[x.caller], x.time
	}
	r.last = x.time
	r.Findings++
	switch x.outcome() {
	case outcomeWithheld:
		r.Withheld++
	case outcomePassed:
		r.Passed++
	}
	if x.disguised() {
		r.Disguised++
	}
	for i := range rowSignals {
		if x.has(i) {
			r.signals[i]++
		}
	}
}

// The figures from which on they speak for a search for training data. Two of four signs make
// one likely.
const (
	manyDisguised = 3
	manyRecords   = 10
	manyRate      = 3
)

// judgements are those of a caller, the least suspicious first.
var judgements = []string{"ordinary", "watch", "search"}

// finish judges the caller.
func (r *callerRow) finish() {
	r.First, r.Last = moment(r.first), moment(r.last)
	r.Signals = []signalCount{}
	for i, signal := range rowSignals {
		r.Signals = append(r.Signals, signalCount{string(signal), r.signals[i]})
	}
	var why []string
	if r.Disguised >= manyDisguised {
		why = append(why, fmt.Sprintf("%d of %d findings are in disguise", r.Disguised, r.Findings))
	}
	if r.Records >= manyRecords || r.signals[1] > 0 {
		why = append(why, counted(int64(r.Records), "different record"))
	}
	if r.signals[2] >= manyRate {
		why = append(why, fmt.Sprintf("%d findings came faster than the caller's own past", r.signals[2]))
	}
	if r.signals[3] > 0 {
		why = append(why, "its budget of findings is used up")
	}
	r.Why = strings.Join(why, "; ")
	switch len(why) {
	case 0:
		r.Judgement, r.Why = "ordinary", "no sign of a search"
	case 1:
		r.Judgement = "watch"
	default:
		r.Judgement = "search"
	}
}

// answerCallers answers with the callers that got training data.
func answerCallers(c *Console, _ http.ResponseWriter, r *request) (any, error) {
	p, f, err := selection(c, r, "24h", alert.TypeFinding)
	limit, offset, lerr := portionOf(r.URL.Query())
	if err := errors.Join(err, lerr); err != nil {
		return nil, err
	}
	s := c.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	by := newCallerRows(s)
	for x := range s.each(p, f) {
		by.add(s, x)
	}
	rows := slices.DeleteFunc(by.rows, func(r *callerRow) bool { return r == nil })
	for _, row := range rows {
		row.finish()
	}
	order := r.URL.Query().Get("sort")
	slices.SortFunc(rows, func(a, b *callerRow) int {
		first := 0
		switch order {
		case "", "search":
			first = cmp.Compare(slices.Index(judgements, b.Judgement), slices.Index(judgements, a.Judgement))
		case "records":
			first = cmp.Compare(b.Records, a.Records)
		case "disguised":
			first = cmp.Compare(b.Disguised, a.Disguised)
		case "passed":
			first = cmp.Compare(b.Passed, a.Passed)
		}
		return cmp.Or(first, cmp.Compare(b.Findings, a.Findings), cmp.Compare(a.Key, b.Key))
	})
	return struct {
		common
		Total int          `json:"total"`
		Rows  []*callerRow `json:"rows"`
	}{common{c.known(), p.from, p.to}, len(rows), portionFrom(rows, limit, offset)}, nil
}

// callerTasks names the callers that look like a search.
func callerTasks(s *store, t *totals) (out []*task) {
	for _, r := range t.callers.rows {
		if r == nil {
			continue
		}
		if r.finish(); r.Judgement != "search" {
			continue
		}
		out = append(out, &task{
			Kind: "search", Severity: string(alert.Critical), Time: r.Last, Caller: r.Key, Name: r.Name, Count: r.Records, Page: "callers",
			Query: "caller=" + url.QueryEscape(r.Key), Text: "caller " + r.Name + " looks like a search for training data: " + r.Why,
		})
	}
	return out
}
