package console

import (
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"noecho/proxy/alert"
)

// How evidence is made.
//
// It is made of the alert files and of nothing else: the lines of a period, each once, by
// instance and number, as they were written. A period that is over stays as it was: no later line
// counts, not even a tally that begins in the period. So the time from
// the last line to the end of the period counts as one in which nothing ran. Nothing in the ZIP depends on the console: no time
// of making, no name of the one who asked, no compression. So the same files give the same bytes,
// wherever they lie and whatever they are called.

// scope is what evidence is about.
type scope struct {
	period
	About, ID string
}

// readScope reads the period, in days of UTC, and the subject of evidence.
func readScope(q url.Values) (scope, error) {
	s := scope{About: cmp.Or(q.Get("about"), "all"), ID: q.Get("id")}
	var err, err2 error
	s.from, err = time.Parse(time.DateOnly, q.Get("from"))
	s.to, err2 = time.Parse(time.DateOnly, q.Get("to"))
	s.to = s.to.AddDate(0, 0, 1)
	switch {
	case err != nil || err2 != nil:
		return s, errors.New("name the days from and to, such as from=2026-10-01 and to=2026-10-31")
	case !s.from.Before(s.to):
		return s, errors.New("the period ends before it begins")
	case s.from.Year() < 1970 || s.to.AddDate(0, 0, -1).Year() > 2261: // their nanoseconds fit into an int64
		return s, errors.New("name days of the years 1970 to 2261")
	case !slices.Contains([]string{"all", "person", "record", "dataset"}, s.About):
		return s, errors.New("about: want all, person, record or dataset")
	case s.About != "all" && s.ID == "":
		return s, errors.New("name the id of the " + s.About)
	}
	return s, nil
}

// wants reports whether a finding belongs to the evidence.
func (s *scope) wants(ev *alert.Event) bool {
	return s.About == "all" || slices.ContainsFunc(ev.Records, func(r alert.Record) bool {
		switch s.About {
		case "person":
			return r.Dataset == subjects && r.ID == s.ID
		case "record":
			return r.ID == s.ID
		default:
			return r.Dataset == s.ID
		}
	})
}

// part is a file with the length that was read when the evidence began.
type part struct {
	path        string
	bytes       int64
	first, last time.Time
	boot        string
	seq         uint64
}

// parts returns the files in an order that depends on their lines only.
func parts(c *Console) (out []*part) {
	c.store.mu.RLock()
	defer c.store.mu.RUnlock()
	for _, s := range c.reader.sources {
		if s.path != "" {
			out = append(out, &part{s.path, s.read, s.first, s.last, s.boot, s.seq})
		}
	}
	slices.SortFunc(out, func(a, b *part) int {
		return cmp.Or(strings.Compare(a.boot, b.boot), cmp.Compare(a.seq, b.seq), cmp.Compare(b.bytes, a.bytes))
	})
	return out
}

// eachAlert calls each for every alert before the end of the period once, in the order of the
// files. Later lines are as if they were not there, so that they change nothing. The store that it
// fills on the way knows boots and sums, and no rows. A line that is no alert has no time: it counts
// with the next alert of its file.
func (s *scope) eachAlert(ctx context.Context, parts []*part, each func(ev *alert.Event, line []byte) error) (*store, error) {
	st := newStore("")
	for _, p := range parts {
		in, err := openAt(p.path, 0)
		if err != nil {
			return nil, err
		}
		other := 0
		err = eachLine(io.LimitReader(in, p.bytes), func(line []byte) error {
			ev, ok := parse(line)
			if !ok {
				if len(bytes.TrimSpace(line)) > 0 {
					other++
				}
				return nil
			}
			before := other
			other = 0
			if !ev.Time.Before(s.to) {
				return nil
			}
			if ev.Instance == alert.TestInstance {
				if s.has(&ev) {
					st.tests++
				}
				return nil
			}
			if _, fresh := st.boot(&ev); !fresh {
				return nil
			}
			if s.has(&ev) {
				st.other += before
			}
			if err := each(&ev, line); err != nil {
				return err
			}
			return ctx.Err()
		})
		_ = in.Close()
		if err != nil {
			return nil, err
		}
	}
	return st, nil
}

// has reports whether an alert is of the period.
func (s *scope) has(ev *alert.Event) bool { return !ev.Time.Before(s.from) && ev.Time.Before(s.to) }

// stretch is a period in an answer.
type stretch struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// indexStretch says when an index was in force in an instance.
type indexStretch struct {
	Instance string    `json:"instance"`
	BuildID  string    `json:"build_id"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
}

// missingLines are lines of a boot that no file has.
type missingLines struct {
	Instance string `json:"instance"`
	Boot     string `json:"boot"`
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
	Why      string `json:"why"`
}

// account is the summary of evidence.
type account struct {
	Known    *known         `json:"known,omitempty"`
	From     time.Time      `json:"from"`
	To       time.Time      `json:"to"`
	About    string         `json:"about"`
	ID       string         `json:"id"`
	Running  int64          `json:"running_seconds"`
	Period   int64          `json:"period_seconds"`
	Not      []stretch      `json:"not_running"`
	Indexes  []indexStretch `json:"indexes"`
	Answers  *uint64        `json:"answers"`
	AtLeast  bool           `json:"answers_at_least"` // lines of the period do not tell of all answers
	Found    uint64         `json:"with_findings"`
	Withheld uint64         `json:"withheld"`
	Passed   uint64         `json:"passed"`
	Findings int            `json:"findings"`
	Bytes    int64          `json:"unscanned_passed_bytes"`
	Refused  int            `json:"unscanned_refused"`
	Missing  uint64         `json:"lines_missing"`
	Lost     uint64         `json:"lines_lost"`
	Other    int            `json:"other_lines"`
	Tests    int            `json:"test_lines"`
	Contents []string       `json:"contents"`
	holes    []missingLines
	configs  []string
	earlier  map[string]uint64 // number of the last line before the period, by boot
}

var contents = []string{"summary.html", "findings.jsonl", "findings.csv", "config-history.txt", "index-history.json", "gaps.json", "SHA256SUMS"}

// account reads the files and counts.
func (s *scope) account(ctx context.Context, parts []*part) (*account, error) {
	out := &account{
		From: s.from, To: s.to, About: s.About, ID: s.ID, Period: int64(s.to.Sub(s.from) / time.Second),
		Not: []stretch{}, Indexes: []indexStretch{}, Contents: contents, holes: []missingLines{}, earlier: map[string]uint64{},
	}
	c := newCount(s)
	st, err := s.eachAlert(ctx, parts, func(ev *alert.Event, _ []byte) error {
		if !s.has(ev) {
			out.earlier[ev.Boot] = max(out.earlier[ev.Boot], ev.Seq)
			return nil
		}
		switch ev.Type {
		case alert.TypeTally:
			c.tally(ev)
		case alert.TypeUnscanned:
			if ev.Action == alert.Passed {
				out.Bytes += ev.Bytes
			} else {
				out.Refused++
			}
		case alert.TypeFinding:
			c.finding(ev)
			if s.wants(ev) {
				out.Findings++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	counts := c.fill(out, st)
	out.Found, out.Withheld, out.Passed, out.Other, out.Tests = counts.found(), counts.withheld(), counts.observed, st.other, st.tests
	out.history(s.period, st)
	return out, nil
}

// answerCount counts the answers of evidence.
type answerCount struct {
	*scope
	sums        *store // of the tallies
	all, wanted strictest
	findings    []foundAt
	partTallies bool // a tally begins before the period
}

// foundAt says when an answer had a finding.
type foundAt struct {
	answer uint64
	at     int64
	boot   uint32
}

func newCount(s *scope) *answerCount {
	return &answerCount{scope: s, sums: newStore(""), all: strictest{}, wanted: strictest{}}
}

// tally takes a tally that ends in the period. One that begins before it counts answers of
// another period too, so it is left out: findings tell of its answers.
func (c *answerCount) tally(ev *alert.Event) {
	if ev.Since.Before(c.from) && !ev.Since.IsZero() {
		c.partTallies = true
		return
	}
	c.sums.boot(ev)
	c.sums.sum(ev)
}

// finding takes a finding of the period.
func (c *answerCount) finding(ev *alert.Event) {
	r := row{typ: code(rowTypes, ev.Type), action: code(rowActions, ev.Action), answer: hashOf(ev.Boot, ev.RequestID)}
	number, _ := c.sums.boot(ev)
	c.findings = append(c.findings, foundAt{r.answer, ev.Time.UnixNano(), number})
	c.all.add(&r)
	if c.wants(ev) {
		c.wanted.add(&r)
	}
}

// fill says how many answers were judged, and returns the counts of those that are wanted. The
// lines of st are those before the end of the period: it may be that a process which did not stop
// in it judged more.
func (c *answerCount) fill(out *account, st *store) answersOf {
	untallied := strictest{}
	for _, f := range c.findings {
		if action, ok := c.all[f.answer]; ok && !c.sums.boots[f.boot].covers(f.at) {
			untallied[f.answer] = action
		}
	}
	all, _, tallied := tallies(c.sums, c.period)
	all.plus(untallied.counts())
	if tallied {
		out.Answers = &all.judged
		out.AtLeast = all.rows > 0 || c.partTallies || slices.ContainsFunc(st.boots, func(b *boot) bool {
			return b.last >= c.from.UnixNano() && b.stopped == 0
		})
	}
	if c.About == "all" {
		return all
	}
	return c.wanted.counts()
}

// history describes the lives of the instances in a period. The store has no line behind it.
func (a *account) history(p period, st *store) {
	for _, gap := range without(p, st.running(time.Unix(0, 0))) { // no process counts as running beyond its last line
		a.Not = append(a.Not, stretch{gap.from.UTC(), gap.to.UTC()})
		a.Running -= int64(gap.to.Sub(gap.from) / time.Second)
	}
	a.Running += a.Period
	boots := slices.Clone(st.boots)
	slices.SortFunc(boots, func(x, y *boot) int { return strings.Compare(x.id, y.id) })
	from := p.from.UnixNano()
	for _, b := range boots {
		if b.last < from {
			continue
		}
		for i, use := range b.indexes {
			end := b.last
			if i+1 < len(b.indexes) {
				end = b.indexes[i+1].Since
			}
			if end >= from {
				a.Indexes = append(a.Indexes, indexStretch{b.instance, use.BuildID, *moment(max(use.Since, from)), *moment(end)})
			}
		}
		for _, c := range b.configs {
			line := fmt.Sprintf("%s %s %s %s mode=%s version=%s index=%s", moment(c.at).Format(time.RFC3339Nano), b.instance, c.typ, c.action, c.mode, c.version, c.buildID)
			a.configs = append(a.configs, strings.Join(strings.Fields(line), " ")+reasonOf(c.why))
		}
		a.lines(b)
	}
	slices.Sort(a.configs)
}

// lines adds the lines of a boot that are missing or lost. They are of the period of the line that
// follows them.
func (a *account) lines(b *boot) {
	for _, h := range b.holes() {
		if h.last > a.earlier[b.id] {
			a.Missing += h.last - h.first + 1
			a.holes = append(a.holes, missingLines{b.instance, b.id, h.first, h.last, "missing in the files"})
		}
	}
	for _, g := range b.gaps {
		if g.last > a.earlier[b.id] {
			a.Lost += g.last - g.first + 1
			a.holes = append(a.holes, missingLines{b.instance, b.id, g.first, g.last, "lost by a slow or broken file"})
		}
	}
}

func reasonOf(why string) string {
	if why == "" {
		return ""
	}
	return " reason=" + strconv.Quote(why)
}

// answerEvidenceSummary answers with the summary of evidence.
func answerEvidenceSummary(c *Console, _ http.ResponseWriter, r *request) (any, error) {
	s, err := readScope(r.URL.Query())
	if err != nil {
		return nil, err
	}
	out, err := s.account(r.Context(), parts(c))
	if err != nil {
		return nil, &fault{http.StatusInternalServerError, err}
	}
	c.store.mu.RLock()
	defer c.store.mu.RUnlock()
	k := c.known()
	out.Known = &k
	return out, nil
}

// answerEvidence answers with the ZIP.
func answerEvidence(c *Console, w http.ResponseWriter, r *request) (any, error) {
	s, err := readScope(r.URL.Query())
	if err != nil {
		return nil, err
	}
	parts := parts(c)
	a, err := s.account(r.Context(), parts)
	if err != nil {
		return nil, &fault{http.StatusInternalServerError, err}
	}
	c.recordAccess(r, alert.Exported, "evidence about "+s.About)
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="evidence-%s-%s.zip"`, s.from.Format(time.DateOnly), s.to.AddDate(0, 0, -1).Format(time.DateOnly)))
	if err := s.pack(r.Context(), w, a, parts); err != nil {
		panic(http.ErrAbortHandler) // the browser sees a download that failed
	}
	return nil, nil
}

// bundle is a ZIP whose bytes depend on its contents only.
type bundle struct {
	zip  *zip.Writer
	sums []string
	open *bundleFile
}

// bundleFile is the file that is being written.
type bundleFile struct {
	name string
	sum  hash.Hash
}

// file begins the next file.
func (b *bundle) file(name string) (io.Writer, error) {
	b.end()
	w, err := b.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
	b.open = &bundleFile{name, sha256.New()}
	return io.MultiWriter(w, b.open.sum), err
}

// end notes the hash of the file that was written.
func (b *bundle) end() {
	if b.open != nil {
		b.sums = append(b.sums, fmt.Sprintf("%x  %s\n", b.open.sum.Sum(nil), b.open.name))
		b.open = nil
	}
}

// pack writes the ZIP.
func (s *scope) pack(ctx context.Context, w io.Writer, a *account, parts []*part) error {
	b := &bundle{zip: zip.NewWriter(w)}
	history, _ := json.MarshalIndent(a.Indexes, "", "  ")
	gaps, _ := json.MarshalIndent(map[string]any{"not_running": a.Not, "lines": a.holes}, "", "  ")
	configs := strings.Join(append(a.configs, ""), "\n")
	for _, f := range []struct {
		name  string
		write func(w io.Writer) error
	}{
		{contents[0], text(a.page())},
		{contents[1], func(w io.Writer) error {
			return s.each(ctx, parts, func(_ *alert.Event, line []byte) error {
				_, err := w.Write(line)
				return err
			})
		}},
		{contents[2], func(w io.Writer) error { return s.csv(ctx, parts, w) }},
		{contents[3], text(configs)},
		{contents[4], text(string(history) + "\n")},
		{contents[5], text(string(gaps) + "\n")},
		{contents[6], func(w io.Writer) error {
			_, err := io.WriteString(w, strings.Join(b.sums, ""))
			return err
		}},
	} {
		out, err := b.file(f.name)
		if err == nil {
			buffered := bufio.NewWriterSize(out, 64<<10)
			err = errors.Join(f.write(buffered), buffered.Flush())
		}
		if err != nil {
			return err
		}
	}
	return b.zip.Close()
}

// text returns a function that writes a text.
func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// each calls each for every finding of the evidence.
func (s *scope) each(ctx context.Context, parts []*part, each func(ev *alert.Event, line []byte) error) error {
	_, err := s.eachAlert(ctx, parts, func(ev *alert.Event, line []byte) error {
		if ev.Type != alert.TypeFinding || !s.has(ev) || !s.wants(ev) {
			return nil
		}
		return each(ev, line)
	})
	return err
}

// csv writes the findings as a table.
func (s *scope) csv(ctx context.Context, parts []*part, w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	one := newStore("")
	err := s.each(ctx, parts, func(ev *alert.Event, _ []byte) error {
		one.clearNames()
		number, _ := one.boot(ev)
		r := one.row(ev, place{}, number)
		v := one.view(&r)
		return out.Write(cells(&v))
	})
	out.Flush()
	return errors.Join(err, out.Error())
}

// page writes the summary as a page that can be printed. It has no script and loads nothing.
func (a *account) page() string {
	about := "everything"
	if a.About != "all" {
		about = a.About + " " + a.ID
	}
	answers := "not known: the files have no tallies"
	if a.Answers != nil {
		answers = fmt.Sprint(*a.Answers)
		if a.AtLeast {
			answers = "at least " + answers
		}
	}
	rows := [][2]string{
		{"About", about},
		{"Period (UTC)", a.From.Format(time.DateOnly) + " to " + a.To.AddDate(0, 0, -1).Format(time.DateOnly)},
		{"noecho was running", fmt.Sprintf("%d of %d seconds", a.Running, a.Period)},
		{"Answers judged", answers},
		{"Answers with training data", fmt.Sprintf("%d: %d withheld, %d passed", a.Found, a.Withheld, a.Passed)},
		{"Findings", strconv.Itoa(a.Findings)},
		{"Not scanned", fmt.Sprintf("%d bytes passed, %s refused", a.Bytes, counted(int64(a.Refused), "answer"))},
		{"Alert lines missing", strconv.FormatUint(a.Missing, 10)},
		{"Alert lines reported as lost", strconv.FormatUint(a.Lost, 10)},
		{"Lines that are no alerts", strconv.Itoa(a.Other)},
		{"Lines of noecho alerts test, left out", strconv.Itoa(a.Tests)},
	}
	for _, s := range a.Not {
		rows = append(rows, [2]string{"Not running, or not known", s.From.Format(time.RFC3339) + " to " + s.To.Format(time.RFC3339)})
	}
	for _, x := range a.Indexes {
		rows = append(rows, [2]string{"Index", fmt.Sprintf("%s, %s, %s to %s", x.BuildID, x.Instance, x.From.Format(time.RFC3339), x.To.Format(time.RFC3339))})
	}
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>noecho evidence</title></head><body>\n<h1>Evidence</h1>\n" +
		"<p>This file says when noecho was running, with which index, and what it found. It has no text of answers or of training data. " +
		"Times are those of the clock of each instance. SHA256SUMS has the hashes of the other files.</p>\n<table>\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "<tr><th scope=\"row\">%s</th><td>%s</td></tr>\n", html.EscapeString(r[0]), html.EscapeString(r[1]))
	}
	b.WriteString("</table>\n</body></html>\n")
	return b.String()
}
