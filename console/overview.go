package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"time"

	"noecho/proxy/alert"
)

// answersOf counts the answers of one route or of all of them. Those of rows are known by their
// findings only, since no tally counts them.
type answersOf struct{ judged, observed, redacted, blocked, rows uint64 }

func (a answersOf) withheld() uint64 { return a.redacted + a.blocked }
func (a answersOf) found() uint64    { return a.observed + a.withheld() }

func (a *answersOf) add(e *endings) {
	a.judged += e.judged()
	a.observed += e[endObserved]
	a.redacted += e[endRedacted]
	a.blocked += e[endBlocked]
}

// plus adds the counts of other answers.
func (a *answersOf) plus(b answersOf) {
	a.judged += b.judged
	a.observed += b.observed
	a.redacted += b.redacted
	a.blocked += b.blocked
	a.rows += b.rows
}

// strictest has the outcome of each answer that rows are about.
type strictest map[uint64]uint8

// add takes a row. The actions of findings are in the order of rowActions, mildest first.
func (a strictest) add(r *row) {
	if r.isFinding() && r.answer != 0 && r.action >= 1 && r.action <= 3 {
		a[r.answer] = max(a[r.answer], r.action)
	}
}

// counts counts the answers.
func (a strictest) counts() (out answersOf) {
	for _, action := range a {
		switch rowActions[action] {
		case alert.Observed:
			out.observed++
		case alert.Redacted:
			out.redacted++
		case alert.Blocked:
			out.blocked++
		}
	}
	out.judged, out.rows = out.found(), out.found()
	return out
}

// tallied is a time whose answers tallies count, in Unix nanoseconds, both ends included.
type tallied struct{ from, to int64 }

// cover notes the time of a tally. A tally that begins where another one ends makes it longer.
func (b *boot) cover(from, to int64) {
	first := sort.Search(len(b.tallied), func(i int) bool { return b.tallied[i].to >= from })
	end := first
	for ; end < len(b.tallied) && b.tallied[end].from <= to; end++ {
		from, to = min(from, b.tallied[end].from), max(to, b.tallied[end].to)
	}
	b.tallied = slices.Replace(b.tallied, first, end, tallied{from, to})
}

// covers reports whether a tally counts the answers of a moment. None does after a crash, in the
// minute that runs, and in files of older versions.
func (b *boot) covers(at int64) bool {
	i := sort.Search(len(b.tallied), func(i int) bool { return b.tallied[i].to >= at })
	return i < len(b.tallied) && b.tallied[i].from <= at
}

// hourView is a bar of the chart. Counts are nil in a time without data.
type hourView struct {
	From     time.Time `json:"from"`
	State    string    `json:"state"`
	Redacted *uint64   `json:"redacted"`
	Blocked  *uint64   `json:"blocked"`
	Passed   *uint64   `json:"passed"`
	Answers  *uint64   `json:"answers"`
	NoData   int64     `json:"no_data_seconds"`
}

// labelled counts the records of a label.
type labelled struct {
	Label   string `json:"label"`
	Records int    `json:"records"`
}

// routeAnswers counts answers of a route.
type routeAnswers struct {
	Route   string `json:"route"`
	Answers uint64 `json:"answers"`
}

// task is a matter that needs a person.
type task struct {
	Kind     string     `json:"kind"`
	Severity string     `json:"severity"`
	Time     *time.Time `json:"time"`
	Caller   string     `json:"caller"`
	Name     string     `json:"name"`
	Route    string     `json:"route"`
	Record   string     `json:"record"`
	Count    int        `json:"count"`
	Text     string     `json:"text"`
	Page     string     `json:"page"`
	Query    string     `json:"query"`
}

type overviewView struct {
	common
	Answers   *uint64        `json:"answers"`
	AtLeast   bool           `json:"answers_at_least"` // some are known by their findings only
	Found     uint64         `json:"with_training_data"`
	Withheld  uint64         `json:"withheld"`
	Passed    uint64         `json:"passed"`
	CountedBy string         `json:"counted_by"`
	Findings  int            `json:"findings"`
	Echo      int            `json:"echo"`
	Ignored   int            `json:"ignored"`
	Records   int            `json:"records"`
	Labelled  []labelled     `json:"records_labelled"`
	Persons   int            `json:"persons"`
	NoData    int64          `json:"no_data_seconds"`
	Routes    []routeAnswers `json:"passed_routes"`
	Hours     []hourView     `json:"hours"`
	Step      int64          `json:"step_seconds"`
	Todo      []*task        `json:"todo"`
}

// answerOverview answers with the figures of a period.
func answerOverview(c *Console, _ http.ResponseWriter, r *request) (any, error) {
	p, f, err := selection(c, r, "24h", allTypes)
	if err != nil {
		return nil, err
	}
	s := c.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := &overviewView{common: common{c.known(), p.from, p.to}, CountedBy: "tally", Labelled: []labelled{}, Routes: []routeAnswers{}}
	t := newTotals(s, p.to.Add(-taskTime))
	for x := range s.each(p, f) {
		t.add(s, x)
	}
	running := s.running(r.now)
	out.NoData = seconds(without(p, running))
	all, routes, tallied := answersIn(s, p)
	switch {
	case !tallied:
		out.CountedBy = "rows"
	case all.rows > 0:
		out.Answers, out.AtLeast, out.CountedBy = &all.judged, true, "tally and rows"
	default:
		out.Answers = &all.judged
	}
	out.Found, out.Withheld, out.Passed = all.found(), all.withheld(), all.observed
	for _, route := range slices.Sorted(maps.Keys(routes)) {
		if n := routes[route].observed; n > 0 {
			out.Routes = append(out.Routes, routeAnswers{route, n})
		}
	}
	t.fill(s, out)
	out.Step = 3600
	if p.to.Sub(p.from) > 72*time.Hour {
		out.Step = 24 * 3600
	}
	out.Hours = chart(s, p, out.Step, running, r.now)
	out.Todo = todo(c, t, routes, r.now)
	return out, nil
}

// tallies adds the tallies of a period, whose first and last hour count whole.
func tallies(s *store, p period) (all answersOf, routes map[string]answersOf, tallied bool) {
	routes = map[string]answersOf{}
	for hour := p.from.Unix() / 3600; hour*3600 < p.to.Unix(); hour++ {
		h := s.hours[hour]
		if h == nil {
			continue
		}
		tallied = tallied || h.tallied
		for route, e := range h.routes {
			all.add(e)
			of := routes[route]
			of.add(e)
			routes[route] = of
		}
	}
	return all, routes, tallied
}

// chart returns the bars of a period.
func chart(s *store, p period, step int64, running []period, now time.Time) []hourView {
	out := []hourView{}
	for at := p.from.Unix() / step * step; at < p.to.Unix(); at += step {
		bar := period{time.Unix(at, 0), time.Unix(at+step, 0)}
		if bar.to.After(now) {
			bar.to = now
		}
		all, _, tallied := answersIn(s, bar)
		v := hourView{From: bar.from.UTC(), State: "data", NoData: seconds(without(bar, running))}
		switch {
		case v.NoData >= int64(bar.to.Sub(bar.from)/time.Second) && all.found() == 0:
			v.State = "none"
		case v.NoData > 0:
			v.State = "part"
		}
		if v.State != "none" {
			v.Redacted, v.Blocked, v.Passed = &all.redacted, &all.blocked, &all.observed
			if tallied {
				v.Answers = &all.judged
			}
		}
		out = append(out, v)
	}
	return out
}

// answersIn counts the answers of a period: those of its tallies, and those that no tally counts
// but findings are about.
func answersIn(s *store, p period) (all answersOf, routes map[string]answersOf, tallied bool) {
	all, routes, tallied = tallies(s, p)
	for route, answers := range untallied(s, p) {
		counts := answers.counts()
		all.plus(counts)
		of := routes[route]
		of.plus(counts)
		routes[route] = of
	}
	return all, routes, tallied
}

// untallied returns by route the answers that have findings which no tally covers.
func untallied(s *store, p period) map[string]strictest {
	routes := map[string]strictest{}
	f, _ := newFilter(nil, alert.TypeFinding) // has no error without a query
	for r := range s.each(p, f) {
		if s.boots[r.boot].covers(r.time) {
			continue
		}
		route := s.shapes[r.shape].route
		if routes[route] == nil {
			routes[route] = strictest{}
		}
		routes[route].add(r)
	}
	return routes
}

// totals counts the rows of a period.
type totals struct {
	lists   map[uint32]struct{}
	actions [16]int
	types   map[alert.Type][]*row
	recent  int64 // since when callers and texts are counted
	callers *callerRows
	texts   *textRows
}

// taskTime is the time before the end of a period in which callers and texts make tasks.
const taskTime = 7 * 24 * time.Hour

func newTotals(s *store, recent time.Time) *totals {
	return &totals{recent: recent.UnixNano(), lists: map[uint32]struct{}{}, types: map[alert.Type][]*row{}, callers: newCallerRows(s), texts: newTextRows()}
}

func (t *totals) add(s *store, r *row) {
	if !r.isFinding() {
		t.types[rowTypes[r.typ]] = append(t.types[rowTypes[r.typ]], r)
		return
	}
	t.actions[r.action]++
	t.lists[r.records] = struct{}{}
	if r.time >= t.recent {
		t.callers.add(s, r)
		t.texts.add(s, r)
	}
}

// fill takes the counts over into the view.
func (t *totals) fill(s *store, out *overviewView) {
	for _, n := range t.actions {
		out.Findings += n
	}
	out.Echo, out.Ignored = t.actions[code(rowActions, alert.Echo)], t.actions[code(rowActions, alert.Ignored)]
	records, labels := map[[2]string]struct{}{}, map[string]int{}
	for list := range t.lists {
		for _, record := range s.lists[list] {
			key := [2]string{record.Dataset, record.ID}
			if _, known := records[key]; known {
				continue
			}
			records[key] = struct{}{}
			if record.Dataset == subjects {
				out.Persons++
				continue
			}
			out.Records++
			for _, l := range record.Labels {
				labels[l]++
			}
		}
	}
	for _, l := range slices.Sorted(maps.Keys(labels)) {
		out.Labelled = append(out.Labelled, labelled{l, labels[l]})
	}
}

// todo lists the matters that need a person, the worst first.
func todo(c *Console, t *totals, routes map[string]answersOf, now time.Time) []*task {
	s := c.store
	out := append([]*task{}, callerTasks(s, t)...)
	for _, route := range slices.Sorted(maps.Keys(routes)) {
		if n := routes[route].observed; n > 0 {
			out = append(out, &task{
				Kind: "passes", Severity: string(alert.High), Route: route, Count: int(n), Page: "whatif", Query: "route=" + url.QueryEscape(route),
				Text: counted(int64(n), "answer") + " with training data left on " + route + ", which only observes",
			})
		}
	}
	out = append(out, textTask(s, t)...)
	if differ, text := indexesDiffer(s, now); differ {
		out = append(out, &task{Kind: "indexes", Severity: string(alert.Medium), Page: "coverage", Text: text})
	}
	for _, kind := range []struct {
		typ        alert.Type
		name, page string
		text       string
	}{
		{alert.TypeGap, "lost", "coverage", "alert lines were lost: they may have been anything"},
		{alert.TypeMismatch, "mismatch", "coverage", "an index is of another model than the configuration names"},
		{alert.TypeUnscanned, "unscanned", "coverage", "answers could not be scanned, or not all of them"},
		{alert.TypeProbing, "budget", "findings", "callers had more findings than the budget allows"},
		{alert.TypeDrip, "drip", "findings", "much of one record came out over several requests"},
	} {
		rows := t.types[kind.typ]
		if len(rows) == 0 {
			continue
		}
		last := rows[len(rows)-1]
		out = append(out, &task{
			Kind: kind.name, Severity: string(rowSeverities[last.severity]), Time: moment(last.time), Count: len(rows), Page: kind.page,
			Query: "type=" + string(kind.typ), Text: fmt.Sprintf("%s (%s)", kind.text, counted(int64(len(rows)), "alert")),
		})
	}
	for _, r := range t.types[alert.TypeReload] {
		if rowActions[r.action] == alert.Failed {
			out = append(out, &task{Kind: "reload", Severity: string(alert.Medium), Time: moment(r.time), Count: 1, Page: "coverage", Text: "a new configuration was refused: the old one is in force"})
		}
	}
	slices.SortStableFunc(out, func(a, b *task) int {
		return cmp.Compare(alert.Severity(b.Severity).Rank(), alert.Severity(a.Severity).Rank())
	})
	return out
}
