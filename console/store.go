package console

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"noecho/proxy/alert"
)

// The bounds of the store.
const (
	maxRows    = 500_000
	maxRowAge  = 30 * 24 * time.Hour
	maxSumAge  = 90 * 24 * time.Hour
	blockRows  = 4096
	maxRequest = 64       // bytes of a request id that a row has
	maxNames   = 24 << 20 // bytes of different texts, before those that no row has are dropped
	arenaChunk = 1 << 20
)

// store has the rows of the newest alert lines, and sums by the hour of older ones. The alert
// files are the source; the store can be made of them at any time. Its lock guards all of it.
type store struct {
	mu sync.RWMutex

	recordURL string
	limit     int // rows at most

	blocks    [][]row // all but the last have blockRows
	skip      int     // rows of the first block that are dropped
	n         int     // rows
	forgotten uint64  // rows that the bounds dropped

	names   names
	shapes  []shape
	byShape map[shape]uint32
	callers []caller
	byKey   map[string]uint32 // callers by their key
	lists   [][]alert.Record
	byList  map[string]uint32    // lists of records by their texts
	members [][]uint32           // numbers of the records of each list
	records map[[2]string]uint32 // numbers of records by dataset and id
	arena   [][]byte             // request ids

	boots  []*boot
	byBoot map[string]uint32
	hours  map[int64]*hourSum // by the hour since 1970

	until   int64 // time of the newest line
	other   int   // lines that are no alerts
	tests   int   // lines of alerts test
	loading bool  // the files are read for the first time
	loaded  int   // how much of them, in per cent
	news    chan struct{}
}

// boot is one life of a process of noecho. While it has lines, the process ran.
type boot struct {
	id, instance   string
	first, last    int64  // time of the first and of the last line; of a tally, when it began
	start, stopped int64  // time of these lines; 0: none
	seen           []span // numbers of the lines that were read
	gaps           []span // numbers that gap lines report as lost
	lost           uint64
	tallied        []tallied // in order and without overlap
	version, mode  string
	index          alert.Index
	indexes        []indexUse
	configs        []configUse
}

// span is a range of numbers, both ends included.
type span struct{ first, last uint64 }

// indexUse says since when a boot used an index.
type indexUse struct {
	BuildID string
	Since   int64
}

// configUse is a start or reload.
type configUse struct {
	at                          int64
	typ                         alert.Type
	action                      alert.Action
	mode, version, why, buildID string
}

// hourSum counts the answers and findings of an hour.
type hourSum struct {
	routes   map[string]*endings
	fates    [3]int64 // bytes scanned, passed, refused
	findings [6]uint32
	tallied  bool
}

// endings counts the answers of a route by their ending, in the order of endingNames.
type endings [8]uint64

// endingNames are the endings of answers as tallies name them.
var endingNames = []string{"clean", "observed", "redacted", "blocked", "broken", "gone", "refused", "forwarded"}

// The places of endings.
const (
	endClean = iota
	endObserved
	endRedacted
	endBlocked
	endBroken
	endGone
	endRefused
	endForwarded
)

// judged is the number of answers that were scanned.
func (e *endings) judged() (n uint64) {
	for _, count := range e[:endRefused] {
		n += count
	}
	return n
}

var fateNames = []string{"scanned", "passed", "refused"}

func newStore(recordURL string) *store {
	s := &store{
		recordURL: recordURL, limit: maxRows, byBoot: map[string]uint32{}, hours: map[int64]*hourSum{},
		loading: true, news: make(chan struct{}),
	}
	s.clearNames()
	return s
}

// clearNames empties the tables of texts. The number 0 is the empty text, the caller without a
// name and the list without records.
func (s *store) clearNames() {
	s.names = names{numbers: map[string]uint32{"": 0}, texts: []string{""}}
	s.shapes, s.byShape = []shape{{}}, map[shape]uint32{{}: 0}
	s.callers, s.byKey = []caller{{}}, map[string]uint32{}
	s.lists, s.byList = [][]alert.Record{nil}, map[string]uint32{"": 0}
	s.members, s.records = [][]uint32{nil}, map[[2]string]uint32{}
	s.arena = nil
}

// names gives texts numbers.
type names struct {
	numbers map[string]uint32
	texts   []string
	bytes   int
}

func (t *names) number(s string) uint32 {
	if n, ok := t.numbers[s]; ok {
		return n
	}
	s = strings.Clone(s)
	n := uint32(len(t.texts))
	t.numbers[s], t.texts = n, append(t.texts, s)
	t.bytes += len(s) + nameCost
	return n
}

// nameCost is about the memory that a text takes besides its bytes.
const nameCost = 64

func (t *names) text(n uint32) string { return t.texts[n] }

// shape returns the number of a shape.
func (s *store) shape(of shape) uint32 {
	n, ok := s.byShape[of]
	if !ok {
		for _, text := range []*string{&of.route, &of.lane, &of.identifier, &of.instance, &of.rule, &of.mode, &of.why} {
			*text = s.shared(*text)
		}
		n = uint32(len(s.shapes))
		s.byShape[of], s.shapes = n, append(s.shapes, of)
		s.names.bytes += 5 * nameCost
	}
	return n
}

// caller returns the number of a caller.
func (s *store) caller(c caller) uint32 {
	n, ok := s.byKey[c.Key]
	if !ok {
		c.Key, c.Name, c.User = strings.Clone(c.Key), strings.Clone(c.Name), strings.Clone(c.User)
		c.Principal, c.Client = strings.Clone(c.Principal), strings.Clone(c.Client)
		n = uint32(len(s.callers))
		s.byKey[c.Key], s.callers = n, append(s.callers, c)
		s.names.bytes += 2*len(c.Key) + 2*nameCost
	}
	return n
}

// list returns the number of a list of records.
func (s *store) list(records []alert.Record) uint32 {
	if len(records) == 0 {
		return 0
	}
	var b strings.Builder
	for _, r := range records {
		for _, text := range append([]string{r.Dataset, r.ID}, r.Labels...) {
			b.WriteString(text)
			b.WriteByte(0)
		}
		b.WriteByte(1)
	}
	n, ok := s.byList[b.String()]
	if !ok {
		n = uint32(len(s.lists))
		own, numbers := make([]alert.Record, len(records)), make([]uint32, len(records))
		for i, r := range records {
			own[i] = alert.Record{ID: s.shared(r.ID), Dataset: s.shared(r.Dataset)}
			for _, l := range r.Labels {
				own[i].Labels = append(own[i].Labels, s.shared(l))
			}
			key := [2]string{own[i].Dataset, own[i].ID}
			if _, known := s.records[key]; !known {
				s.records[key] = uint32(len(s.records))
			}
			numbers[i] = s.records[key]
		}
		s.byList[b.String()], s.lists, s.members = n, append(s.lists, own), append(s.members, numbers)
		s.names.bytes += b.Len() + len(records)*nameCost
	}
	return n
}

// shared returns the copy of a text in the table.
func (s *store) shared(text string) string { return s.names.text(s.names.number(text)) }

// keep puts a request id into the arena.
func (s *store) keep(id string) (at uint32, length uint8) {
	id = id[:min(len(id), maxRequest)]
	last := len(s.arena) - 1
	if last < 0 || len(s.arena[last])+len(id) > arenaChunk {
		s.arena = append(s.arena, make([]byte, 0, arenaChunk))
		last++
	}
	at = uint32(last*arenaChunk + len(s.arena[last]))
	s.arena[last] = append(s.arena[last], id...)
	return at, uint8(len(id))
}

func (s *store) requestID(r *row) string {
	if r.requestLen == 0 {
		return ""
	}
	from := r.request % arenaChunk
	return string(s.arena[r.request/arenaChunk][from : from+uint32(r.requestLen)])
}

// key names a row: boot and number.
func (s *store) key(r *row) string {
	return s.boots[r.boot].id + ":" + strconv.FormatUint(r.seq, 10)
}

// place says where a line is.
type place struct {
	source uint32
	offset int64
}

// add takes a line of an alert file. It does not keep rows in order: settle does.
func (s *store) add(ev *alert.Event, at place, now time.Time) {
	if ev.Instance == alert.TestInstance {
		s.tests++
		return
	}
	number, fresh := s.boot(ev)
	if !fresh {
		return
	}
	t := ev.Time.UnixNano()
	s.until = max(s.until, t)
	if now.Sub(ev.Time) > maxSumAge {
		return
	}
	s.sum(ev)
	if ev.Type == alert.TypeTally || ev.Type == alert.TypeDigest {
		return
	}
	if now.Sub(ev.Time) > maxRowAge {
		s.forgotten++
		return
	}
	s.push(s.row(ev, at, number))
}

// row makes the row of a line.
func (s *store) row(ev *alert.Event, at place, number uint32) row {
	r := row{
		time: ev.Time.UnixNano(), seq: ev.Seq, offset: at.offset, source: at.source, boot: number,
		shape: s.shape(shape{ev.Route, ev.Lane, ev.Identifier, ev.Instance, ev.Rule, ev.Mode, ev.Reason}),
		model: s.names.number(ev.Model), principal: s.names.number(ev.Principal), records: s.list(ev.Records),
		words: uint32(min(max(ev.Words, 0), 1<<31)), suppressed: uint16(min(ev.Suppressed, 1<<16-1)), text: textOf(ev.Digests),
		kind: code(rowKinds, ev.Kind), action: code(rowActions, ev.Action), typ: code(rowTypes, ev.Type), severity: code(rowSeverities, ev.Severity),
		recordCount: uint8(min(max(ev.RecordCount, len(ev.Records)), 255)),
	}
	switch ev.Type {
	case alert.TypeUnscanned:
		r.text = uint64(max(ev.Bytes, 0))
	case alert.TypeGap:
		r.text = ev.Lost
	case alert.TypeDrip:
		r.text = uint64(max(ev.RecordWords, 0))
	}
	if ev.RequestID != "" {
		r.request, r.requestLen = s.keep(ev.RequestID)
		r.answer = hashOf(ev.Boot, ev.RequestID)
	}
	if c := callerOf(ev); c.Key != "a:" {
		r.caller = s.caller(c)
	}
	for _, signal := range ev.Signal {
		if i := slices.Index(rowSignals, signal); i >= 0 {
			r.sign |= 1 << i
		}
	}
	if ev.Kind == alert.Verbatim && ev.Windows > len(ev.Digests) || len(ev.Digests) >= alert.MaxDigests {
		r.flags |= flagManyWindows
	}
	if ev.RecordCount > len(ev.Records) {
		r.flags |= flagCutRecords
	}
	return r
}

// boot finds the boot of a line and takes the line's facts about it. It returns false if the
// line was read before, from a copy of the file.
func (s *store) boot(ev *alert.Event) (number uint32, fresh bool) {
	number, known := s.byBoot[ev.Boot]
	if !known {
		number = uint32(len(s.boots))
		b := &boot{id: strings.Clone(ev.Boot), first: ev.Time.UnixNano()}
		s.byBoot[b.id], s.boots = number, append(s.boots, b)
	}
	b := s.boots[number]
	if !b.take(ev.Seq) {
		return number, false
	}
	t := ev.Time.UnixNano()
	from := t
	if ev.Type == alert.TypeTally && !ev.Since.IsZero() {
		from = min(t, ev.Since.UnixNano())
		b.cover(from, t)
	}
	b.first, b.last = min(b.first, from), max(b.last, t)
	if ev.Instance != "" {
		b.instance = s.shared(ev.Instance)
	}
	b.note(ev, t)
	return number, true
}

// note takes the facts that lines of some types have about their boot.
func (b *boot) note(ev *alert.Event, t int64) {
	switch ev.Type {
	case alert.TypeStart, alert.TypeReload:
		if ev.Type == alert.TypeStart {
			b.start = t
		}
		b.version = cmp.Or(strings.Clone(ev.Build), b.version)
		b.configs = append(b.configs, configUse{t, ev.Type, ev.Action, ev.Mode, strings.Clone(ev.Build), strings.Clone(ev.Reason), ev.Index.BuildID})
	case alert.TypeStop:
		b.stopped = t
	case alert.TypeGap:
		b.lost += ev.Lost
		b.gaps = append(b.gaps, span{ev.Seq - min(ev.Seq, ev.Lost) + 1, ev.Seq})
	}
	if t < b.last {
		return
	}
	switch ev.Type {
	case alert.TypeStart, alert.TypeReload, alert.TypeTally, alert.TypeStop:
		b.mode = cmp.Or(strings.Clone(ev.Mode), b.mode)
	}
	if id := ev.Index.BuildID; id != "" && ev.Action != alert.Failed {
		if b.index.BuildID != id {
			b.indexes = append(b.indexes, indexUse{strings.Clone(id), t})
		}
		b.index = alert.Index{BuildID: b.indexes[len(b.indexes)-1].BuildID, Generation: ev.Index.Generation}
	}
}

// take notes the number of a line. It returns false if the number was read before.
func (b *boot) take(seq uint64) bool {
	i := sort.Search(len(b.seen), func(i int) bool { return b.seen[i].last >= seq })
	if i < len(b.seen) && b.seen[i].first <= seq {
		return false
	}
	before, behind := i > 0 && b.seen[i-1].last+1 == seq, i < len(b.seen) && seq+1 == b.seen[i].first
	switch {
	case before && behind:
		b.seen[i-1].last = b.seen[i].last
		b.seen = slices.Delete(b.seen, i, i+1)
	case before:
		b.seen[i-1].last = seq
	case behind:
		b.seen[i].first = seq
	default:
		b.seen = slices.Insert(b.seen, i, span{seq, seq})
	}
	return true
}

// holes are the numbers between the first line and the last one that no line has and no gap
// line reports as lost.
func (b *boot) holes() (out []span) {
	for i := 1; i < len(b.seen); i++ {
		hole := span{b.seen[i-1].last + 1, b.seen[i].first - 1}
		for _, g := range b.gaps {
			if g.first <= hole.first && hole.first <= g.last {
				hole.first = g.last + 1
			}
			if g.first <= hole.last && hole.last <= g.last {
				hole.last = g.first - 1
			}
		}
		if hole.first <= hole.last {
			out = append(out, hole)
		}
	}
	return out
}

// missing counts the numbers in holes.
func (b *boot) missing() (n uint64) {
	for _, h := range b.holes() {
		n += h.last - h.first + 1
	}
	return n
}

// sum counts a line in its hour.
func (s *store) sum(ev *alert.Event) {
	at := ev.Time
	if ev.Type == alert.TypeTally && !ev.Since.IsZero() {
		at = ev.Since
	}
	hour := at.Unix() / 3600
	h := s.hours[hour]
	if h == nil {
		h = &hourSum{routes: map[string]*endings{}}
		s.hours[hour] = h
	}
	switch ev.Type {
	case alert.TypeFinding:
		if a := code(rowActions, ev.Action); int(a) < len(h.findings) {
			h.findings[a]++
		}
	case alert.TypeTally:
		h.tallied = true
		for i, fate := range fateNames {
			h.fates[i] += ev.Fates[fate]
		}
		for _, a := range ev.Answers {
			e := h.routes[a.Route]
			if e == nil {
				e = new(endings)
				h.routes[s.shared(a.Route)] = e
			}
			for i, name := range endingNames {
				e[i] += a.Actions[name]
			}
		}
	}
}

// push appends a row.
func (s *store) push(r row) {
	last := len(s.blocks) - 1
	if last < 0 || len(s.blocks[last]) == blockRows {
		s.blocks = append(s.blocks, make([]row, 0, blockRows))
		last++
	}
	s.blocks[last] = append(s.blocks[last], r)
	s.n++
}

// at returns the i-th oldest row.
func (s *store) at(i int) *row {
	i += s.skip
	return &s.blocks[i/blockRows][i%blockRows]
}

// drop drops the n oldest rows.
func (s *store) drop(n int) {
	s.n -= n
	s.skip += n
	s.forgotten += uint64(n)
	for s.skip >= blockRows {
		s.blocks[0] = nil
		s.blocks, s.skip = s.blocks[1:], s.skip-blockRows
	}
}

// tail are the rows from one on, for sorting.
type tail struct {
	s    *store
	from int
}

func (t tail) Len() int           { return t.s.n - t.from }
func (t tail) Less(i, j int) bool { return t.s.at(t.from + i).before(t.s.at(t.from + j)) }
func (t tail) Swap(i, j int) {
	a, b := t.s.at(t.from+i), t.s.at(t.from+j)
	*a, *b = *b, *a
}

// settle brings the rows from old on, which are new, into order, and keeps the bounds.
func (s *store) settle(old int, now time.Time) {
	if s.n > old {
		first := s.at(old)
		for i := old + 1; i < s.n; i++ {
			if r := s.at(i); r.before(first) {
				first = r
			}
		}
		oldest := *first
		sort.Sort(tail{s, sort.Search(old, func(i int) bool { return oldest.before(s.at(i)) })})
	}
	dropped := max(0, s.n-s.limit)
	end := now.Add(-maxRowAge).UnixNano()
	for dropped < s.n && s.at(dropped).time < end {
		dropped++
	}
	s.drop(dropped)
	oldest := now.Add(-maxSumAge)
	for hour := range s.hours {
		if hour < oldest.Unix()/3600 {
			delete(s.hours, hour)
		}
	}
	if s.names.bytes > maxNames || len(s.arena) > 2+2*maxRequest*s.n/arenaChunk {
		s.compact()
	}
	close(s.news)
	s.news = make(chan struct{})
}

// compact makes the tables of texts again from the rows that are left.
func (s *store) compact() {
	texts, shapes, callers, lists, arena := s.names.texts, s.shapes, s.callers, s.lists, s.arena
	s.clearNames()
	for i := range s.n {
		r := s.at(i)
		r.model, r.principal, r.shape = s.names.number(texts[r.model]), s.names.number(texts[r.principal]), s.shape(shapes[r.shape])
		if r.caller != 0 {
			r.caller = s.caller(callers[r.caller])
		}
		r.records = s.list(lists[r.records])
		if r.requestLen > 0 {
			from := r.request % arenaChunk
			r.request, r.requestLen = s.keep(string(arena[r.request/arenaChunk][from : from+uint32(r.requestLen)]))
		}
	}
}

// period is a length of time, from its beginning to before its end.
type period struct{ from, to time.Time }

// each goes through the rows of a period that a filter lets pass, oldest first.
func (s *store) each(p period, f *filter) iter.Seq[*row] {
	return func(yield func(*row) bool) {
		from, to := p.from.UnixNano(), p.to.UnixNano()
		for i := sort.Search(s.n, func(i int) bool { return s.at(i).time >= from }); i < s.n; i++ {
			r := s.at(i)
			if r.time >= to || f.shows(s, r) && !yield(r) {
				return
			}
		}
	}
}

// find returns the row of a key.
func (s *store) find(bootID string, seq uint64) *row {
	number, ok := s.byBoot[bootID]
	if !ok {
		return nil
	}
	for i := s.n - 1; i >= 0; i-- {
		if r := s.at(i); r.boot == number && r.seq == seq {
			return r
		}
	}
	return nil
}

// running returns the times in which an instance ran, in order and without overlap.
func (s *store) running(now time.Time) []period {
	all := slices.Clone(s.boots)
	slices.SortFunc(all, func(a, b *boot) int { return cmp.Compare(a.first, b.first) })
	var out []period
	for _, b := range all {
		p := period{time.Unix(0, b.first), time.Unix(0, b.end(now))}
		if n := len(out); n > 0 && !p.from.After(out[n-1].to) {
			if p.to.After(out[n-1].to) {
				out[n-1].to = p.to
			}
			continue
		}
		out = append(out, p)
	}
	return out
}

// silence is the time after which a process without a line is taken for ended: an idle one
// writes a tally each five minutes.
const silence = 6 * time.Minute

// alive reports whether the process of a boot runs.
func (b *boot) alive(now time.Time) bool {
	return b.stopped == 0 && now.UnixNano()-b.last < int64(silence)
}

// end is the time until which the process is known to have run.
func (b *boot) end(now time.Time) int64 {
	if b.alive(now) {
		return max(b.last, now.UnixNano())
	}
	return b.last
}

// without returns the parts of a period in which no instance ran.
func without(p period, running []period) (out []period) {
	at := p.from
	for _, r := range running {
		if !r.to.After(at) {
			continue
		}
		if !r.from.Before(p.to) {
			break
		}
		if r.from.After(at) {
			out = append(out, period{at, r.from})
		}
		at = r.to
	}
	if at.Before(p.to) {
		out = append(out, period{at, p.to})
	}
	return out
}

// seconds adds the lengths of periods, in whole seconds.
func seconds(all []period) (n int64) {
	var d time.Duration
	for _, p := range all {
		d += p.to.Sub(p.from)
	}
	return int64(d / time.Second)
}
