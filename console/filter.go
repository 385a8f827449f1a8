package console

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/policy"
)

// filter selects rows. It remembers
// decisions about texts by their number, so it is of one query and not safe for concurrent use.
type filter struct {
	types, actions, kinds, signals              uint32 // bits by code; 0: all
	severity                                    uint8
	identifiers, lanes, routes, models          []string
	instances, records, datasets, labels, texts []string
	callers                                     []string
	request, query                              string

	shapeless bool // no text of a shape is wanted
	known     map[memo]bool
}

// memo is a decision about a number of one table.
type memo struct {
	table uint8
	n     uint32
}

// The tables of a memo.
const (
	memoShape uint8 = iota
	memoModel
	memoList
	memoCaller
	memoQueryCaller
	memoQueryList
)

// newFilter reads the filters of a query. Without types it selects those of otherwise.
func newFilter(q url.Values, otherwise ...alert.Type) (*filter, error) {
	q = maps.Clone(q)
	for name, words := range q { // a field of a form that was left empty
		q[name] = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" })
	}
	f := &filter{
		identifiers: q["identifier"], lanes: q["lane"], routes: q["route"], models: q["model"], instances: q["instance"],
		records: q["record"], datasets: q["dataset"], labels: q["label"], callers: q["caller"], texts: q["text"],
		request: q.Get("request"), query: strings.ToLower(strings.TrimSpace(q.Get("q"))), known: map[memo]bool{},
	}
	f.shapeless = len(f.identifiers)+len(f.lanes)+len(f.routes)+len(f.instances) == 0
	var errs [5]error
	f.actions, errs[0] = codes(rowActions, "action", q["action"])
	f.kinds, errs[1] = codes(rowKinds, "kind", q["kind"])
	types := q["type"]
	if len(types) == 0 {
		for _, t := range otherwise {
			types = append(types, string(t))
		}
	}
	if !slices.Contains(types, allTypes) {
		f.types, errs[2] = codes(rowTypes, "type", types)
	}
	f.signals, errs[3] = codes(append([]alert.Signal{""}, rowSignals...), "signal", q["signal"])
	if s := q.Get("severity"); s != "" {
		if f.severity = code(rowSeverities, alert.Severity(s)); f.severity == 0 {
			errs[4] = fmt.Errorf("severity %q: want low, medium, high or critical", s)
		}
	}
	return f, errors.Join(errs[:]...)
}

// allTypes selects rows of all types.
const allTypes = "all"

// codes returns the set of codes of words.
func codes[T ~string](list []T, name string, words []string) (set uint32, err error) {
	for _, w := range words {
		n := code(list, T(w))
		if n == 0 {
			return 0, fmt.Errorf("%s %q is not known", name, w)
		}
		set |= 1 << n
	}
	return set, nil
}

// lacks reports whether a set that is not empty lacks a code.
func lacks(set uint32, n uint8) bool { return set != 0 && set&(1<<n) == 0 }

// shows reports whether the filter lets a row pass.
func (f *filter) shows(s *store, r *row) bool {
	return !lacks(f.types, r.typ) && !lacks(f.actions, r.action) && !lacks(f.kinds, r.kind) && r.severity >= f.severity &&
		(f.signals == 0 || f.signals>>1&uint32(r.sign) != 0) &&
		(f.request == "" || r.answer != 0 && s.requestID(r) == f.request) &&
		(len(f.texts) == 0 || r.isFinding() && r.text != 0 && slices.Contains(f.texts, hex16(r.text))) &&
		(f.shapeless || f.once(memoShape, r.shape, func() bool { return f.shaped(&s.shapes[r.shape]) })) &&
		(len(f.models) == 0 || f.once(memoModel, r.model, func() bool { return meets(f.models, s.names.text(r.model), config.MatchModel) })) &&
		(len(f.callers) == 0 || f.once(memoCaller, r.caller, func() bool { return slices.Contains(f.callers, s.callers[r.caller].Key) })) &&
		(len(f.records)+len(f.datasets)+len(f.labels) == 0 || f.once(memoList, r.records, func() bool { return slices.ContainsFunc(s.lists[r.records], f.wants) })) &&
		(f.query == "" || f.mentions(s, r))
}

// isLane reports whether a lane, or one of its steps, is the one that is wanted.
func isLane(want, lane string) bool {
	return slices.Contains(strings.Split(cmp.Or(lane, alert.LanePlain), "+"), want)
}

// shaped reports whether the texts of a shape are those that are wanted.
func (f *filter) shaped(of *shape) bool {
	same := func(want, got string) bool { return want == got }
	return meets(f.identifiers, of.identifier, same) && meets(f.lanes, of.lane, isLane) &&
		meets(f.routes, of.route, policy.OnRoute) && meets(f.instances, of.instance, same)
}

// meets reports whether a text fits one of the wanted ones, of which there may be none.
func meets(want []string, got string, fits func(want, got string) bool) bool {
	return len(want) == 0 || slices.ContainsFunc(want, func(w string) bool { return fits(w, got) })
}

// once decides about a number the first time it occurs.
func (f *filter) once(table uint8, n uint32, decide func() bool) bool {
	m := memo{table, n}
	known, ok := f.known[m]
	if !ok {
		known = decide()
		f.known[m] = known
	}
	return known
}

// wants reports whether a record is one of those that are wanted.
func (f *filter) wants(r alert.Record) bool {
	return (len(f.records) == 0 || slices.Contains(f.records, r.ID)) && (len(f.datasets) == 0 || slices.Contains(f.datasets, r.Dataset)) &&
		(len(f.labels) == 0 || slices.ContainsFunc(r.Labels, func(l string) bool { return slices.Contains(f.labels, l) }))
}

// mentions reports whether caller, records or request of a row have the text that was typed.
func (f *filter) mentions(s *store, r *row) bool {
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), f.query) }
	return f.once(memoQueryCaller, r.caller, func() bool {
		c := &s.callers[r.caller]
		return has(c.User) || has(c.Principal) || has(c.Client)
	}) || f.once(memoQueryList, r.records, func() bool {
		return slices.ContainsFunc(s.lists[r.records], func(rec alert.Record) bool { return has(rec.ID) || has(rec.Dataset) })
	}) || r.answer != 0 && strings.EqualFold(s.requestID(r), f.query)
}

// readPeriod reads since and until of a query. The period lies within the time that sums may be
// known of, and a day from now on for the lines of a clock that is fast.
func readPeriod(q url.Values, now time.Time, standard string) (period, error) {
	p := period{to: now}
	var err error
	if until := q.Get("until"); until != "" {
		if p.to, err = time.Parse(time.RFC3339, until); err != nil {
			return p, fmt.Errorf("until %q is no time: write one such as 2026-01-31T08:00:00Z", until)
		}
	}
	since := cmp.Or(q.Get("since"), standard)
	if p.from, err = ParseSince(since, now); err != nil {
		return p, fmt.Errorf("since %q is no time: write 90m, 24h or 7d, or one such as 2026-01-31T08:00:00Z", since)
	}
	if !p.from.Before(p.to) {
		return p, errors.New("the period ends before it begins")
	}
	if oldest := now.Add(-maxSumAge); p.from.Before(oldest) {
		p.from = oldest
	}
	if newest := now.Add(24 * time.Hour); p.to.After(newest) {
		p.to = newest
	}
	if !p.from.Before(p.to) {
		return p, fmt.Errorf("nothing is known of this period: it is not within the last %d days", maxSumAge/(24*time.Hour))
	}
	return p, nil
}

// ParseSince reads a point in time, or a length of time before now.
func ParseSince(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return now.AddDate(0, 0, -int(n)), err
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		err = errors.New("negative")
	}
	return now.Add(-d), err
}

// cursor names the place behind a row, for the next page.
func cursor(s *store, r *row) string {
	return strconv.FormatInt(r.time, 10) + "." + s.boots[r.boot].id + "." + strconv.FormatUint(r.seq, 10)
}

// readCursor returns a row that is in the place of a cursor, so that rows before it follow.
func readCursor(s *store, text string) (*row, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errors.New("the cursor is not one of this console")
	}
	t, err := strconv.ParseInt(parts[0], 10, 64)
	seq, err2 := strconv.ParseUint(parts[2], 10, 64)
	number, ok := s.byBoot[parts[1]]
	if err != nil || err2 != nil || !ok {
		return nil, errors.New("the cursor is not one of this console, or too old: load the first page")
	}
	return &row{time: t, seq: seq, boot: number}, nil
}
