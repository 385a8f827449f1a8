package console

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"noecho/proxy/alert"
)

// common are the members of every answer about a period.
type common struct {
	Known known     `json:"known"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
}

// refuseFault answers with an error and its status.
func refuseFault(w http.ResponseWriter, err error) {
	var f *fault
	if errors.As(err, &f) {
		refuse(w, f.status, f.Error())
		return
	}
	refuse(w, http.StatusBadRequest, err.Error())
}

// tooMany answers somebody who has to wait.
func tooMany(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	refuse(w, http.StatusTooManyRequests, "too many attempts: wait a minute")
}

// answerSession says who uses the console and what the person may do.
func answerSession(c *Console, w http.ResponseWriter, r *http.Request) {
	who := c.access.person(r)
	out := map[string]any{
		"signed_in": who.Role > Nobody, "via": who.Via, "user": who.User, "role": who.Role.String(), "now": c.opts.Now().UTC(),
		"roles": []string{Viewer.String(), Analyst.String(), Privacy.String()}, "record_url": c.opts.RecordURL != "",
		"can": map[string]bool{"export": who.Role >= Analyst, "whatif": who.Role >= Analyst, "lookup": who.Role >= Privacy && c.opts.Look != nil},
	}
	if why := c.access.closed(); why != "" {
		out["closed"] = why
	}
	if who.Role > Nobody {
		c.store.mu.RLock()
		defer c.store.mu.RUnlock()
		out["version"], out["instances"] = c.opts.Version, len(instances(c.store, c.opts.Now()))
		out["lookup"] = map[string]any{"index": c.opts.Look != nil, "per_minute": lookups}
		out["whatif"] = choices(c)
	}
	reply(w, out)
}

// selection reads period and filters of a query.
func selection(c *Console, r *request, since string, types ...alert.Type) (period, *filter, error) {
	q := r.URL.Query()
	p, err := readPeriod(q, r.now, since)
	f, ferr := newFilter(q, types...)
	return p, f, errors.Join(err, ferr)
}

// whole reads a whole number of a query.
func whole(q url.Values, name string, standard, most int) (int, error) {
	s := q.Get(name)
	if s == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > most {
		return 0, errors.New(name + " " + strconv.Quote(s) + " is no number from 0 to " + strconv.Itoa(most))
	}
	return n, nil
}

// answerFindings answers with a page of rows, newest first.
func answerFindings(c *Console, _ http.ResponseWriter, r *request) (any, error) {
	p, f, err := selection(c, r, "7d", alert.TypeFinding)
	if err != nil {
		return nil, err
	}
	limit, err := whole(r.URL.Query(), "limit", 50, 500)
	if err != nil {
		return nil, err
	}
	s := c.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	var before *row
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		if before, err = readCursor(s, cursor); err != nil {
			return nil, err
		}
	}
	out := struct {
		common
		Rows  []rowView `json:"rows"`
		Next  string    `json:"next"`
		Total int       `json:"total"`
		Live  string    `json:"live"`
	}{common: common{c.known(), p.from, p.to}, Rows: []rowView{}, Live: newest(s).id(s)}
	page := make([]*row, 0, limit+1) // a ring would save little: rows are compared by pointer
	for x := range s.each(p, f) {
		out.Total++
		if before != nil && !x.before(before) {
			continue
		}
		if len(page) > 4*(limit+1) {
			page = append(page[:0], page[len(page)-limit-1:]...)
		}
		page = append(page, x)
	}
	page = page[max(0, len(page)-limit-1):]
	if len(page) > limit {
		page = page[1:]
		out.Next = "more"
	}
	slices.Reverse(page)
	for _, x := range page {
		out.Rows = append(out.Rows, s.view(x))
	}
	if out.Next != "" && len(page) > 0 {
		out.Next = cursor(s, page[len(page)-1])
	}
	return out, nil
}

// answerFinding answers with one row and its whole line.
func answerFinding(c *Console, _ http.ResponseWriter, r *request) (any, error) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		return nil, errors.New("the number of the alert is no number")
	}
	s := c.store
	s.mu.RLock()
	x := s.find(r.PathValue("boot"), seq)
	if x == nil {
		s.mu.RUnlock()
		return nil, &fault{http.StatusNotFound, errors.New("this alert is not known: it may be older than the rows in memory")}
	}
	at := place{x.source, x.offset}
	out := struct {
		Known known           `json:"known"`
		Row   rowView         `json:"row"`
		Line  json.RawMessage `json:"line"`
		Gone  bool            `json:"gone"`
	}{Known: c.known(), Row: s.view(x)}
	s.mu.RUnlock()
	out.Line, err = c.reader.line(at)
	if out.Gone = err != nil || !json.Valid(out.Line); out.Gone {
		out.Line = json.RawMessage("null")
	}
	return out, nil
}

// columns are the head of a table of findings.
var columns = []string{
	"time", "severity", "action", "kind", "identifier", "words", "lane", "route", "model", "instance", "request_id",
	"user", "principal", "client", "records", "record_count", "signal", "rule", "boot", "seq",
}

// cells are the columns of a row. A text that a table program would take for a formula gets a
// quotation mark before it: callers choose some of them.
func cells(v *rowView) []string {
	var ids []string
	for _, r := range v.Records {
		ids = append(ids, r.ID)
	}
	boot, seq, _ := strings.Cut(v.Key, ":")
	out := []string{
		v.Time.Format(time.RFC3339Nano), v.Severity, v.Action, v.Kind, v.Identifier, strconv.Itoa(int(v.Words)), v.Lane, v.Route, v.Model,
		v.Instance, v.RequestID, v.Caller.User, v.Caller.Principal, v.Caller.Client, strings.Join(ids, " "), strconv.Itoa(int(v.RecordCount)),
		strings.Join(v.Signal, " "), v.Rule, boot, seq,
	}
	for i, s := range out {
		if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
			out[i] = "'" + s
		}
	}
	return out
}

// answerTable answers with all rows of a query as CSV.
func answerTable(c *Console, w http.ResponseWriter, r *request) (any, error) {
	p, f, err := selection(c, r, "7d", alert.TypeFinding)
	if err != nil {
		return nil, err
	}
	c.recordAccess(r, alert.Exported, "findings as CSV")
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="findings.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write(columns)
	for from := p; ; {
		rows, next := portion(c, from, f)
		for i := range rows {
			if out.Write(cells(&rows[i])) != nil {
				return nil, nil
			}
		}
		if next.IsZero() {
			break
		}
		from.from = next
	}
	out.Flush()
	return nil, nil
}

// portionRows is the number of rows that are described while the store is locked. A slow reader
// of a table so keeps nobody from reading the files.
const portionRows = 1000

// portion describes the next rows of a period, oldest first, and returns the time from which to
// go on; zero at the end.
func portion(c *Console, p period, f *filter) (out []rowView, next time.Time) {
	s := c.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	clear(f.known) // numbers of texts may have changed
	for x := range s.each(p, f) {
		if at := time.Unix(0, x.time); len(out) >= portionRows && at.After(out[len(out)-1].Time) {
			return out, at
		}
		out = append(out, s.view(x))
	}
	return out, time.Time{}
}
