package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"noecho/internal/ignore"
	"noecho/proxy/alert"
)

// textRow counts the findings of one text, that is, of the same windows.
type textRow struct {
	Text          string     `json:"text"`
	Digest        string     `json:"digest"`
	Windows       int        `json:"windows"`
	Words         uint32     `json:"words"`
	Kind          string     `json:"kind"`
	Findings      int        `json:"findings"`
	Callers       int        `json:"callers"`
	Records       uint8      `json:"records"`
	RecordsOrMore bool       `json:"records_or_more"`
	Share         float64    `json:"share"`
	Looks         string     `json:"looks"`
	Why           string     `json:"why"`
	Allowed       bool       `json:"allowed"`
	First         *time.Time `json:"first"`
	Last          *time.Time `json:"last"`

	text        uint64
	first, last int64
	at          place // of one of its lines
	flags       uint8
	person      bool // the text is an identifier
}

// textRows counts findings by text.
type textRows struct {
	rows    map[uint64]*textRow
	callers distinct
	all     int // findings, those without a text included
}

func newTextRows() *textRows { return &textRows{rows: map[uint64]*textRow{}} }

func (t *textRows) add(s *store, x *row) {
	t.all++
	if x.text == 0 || rowKinds[x.kind] == alert.Stuffing {
		return
	}
	r := t.rows[x.text]
	if r == nil {
		identifier := s.shapes[x.shape].identifier
		r = &textRow{
			text: x.text, Text: hex16(x.text), Kind: string(rowKinds[x.kind]), first: x.time,
			person: identifier != "" && identifier != alert.PlainPhrase,
		}
		t.rows[x.text] = r
	}
	r.last, r.at = x.time, place{x.source, x.offset}
	r.Findings++
	r.Words, r.Records = max(r.Words, x.words), max(r.Records, x.recordCount)
	r.flags |= x.flags
	r.Callers += t.callers.add(x.text, uint64(x.caller))
}

// The figures from which on a text looks like one that everybody may say.
const (
	boilerRecords  = 10
	boilerCallers  = 3
	boilerFindings = 20
	boilerShare    = 0.2 // of all findings
)

// finish judges the text. all is the number of findings of the period.
func (r *textRow) finish(all int) {
	r.RecordsOrMore = r.Records >= alert.MaxRecords
	r.First, r.Last = moment(r.first), moment(r.last)
	r.Share = float64(r.Findings) / float64(max(1, all))
	r.Allowed = true
	where := fmt.Sprintf("%s, %s", counted(int64(r.Callers), "caller"), counted(int64(r.Records), "record"))
	if r.RecordsOrMore {
		where += " or more"
	}
	switch {
	case r.person:
		r.Allowed, r.Looks, r.Why = false, "leak", "an identifier of a person is never ignored: write a rule about its kind or dataset"
	case r.flags&flagManyWindows != 0:
		r.Allowed, r.Looks, r.Why = false, "unclear", "alerts do not name all windows of it: take it from noecho index build --report"
	case r.Records >= boilerRecords && r.Callers >= boilerCallers:
		r.Looks, r.Why = "boilerplate", where
	case r.Records <= 1 && r.Callers <= boilerCallers:
		r.Looks, r.Why = "leak", where
	default:
		r.Looks, r.Why = "unclear", where
	}
}

// answerTuning answers with the texts that are found most.
func answerTuning(c *Console, _ http.ResponseWriter, r *request) (any, error) {
	p, f, err := selection(c, r, "7d", alert.TypeFinding)
	limit, offset, lerr := portionOf(r.URL.Query())
	if err := errors.Join(err, lerr); err != nil {
		return nil, err
	}
	out := struct {
		common
		Total int        `json:"total"`
		Rows  []*textRow `json:"rows"`
	}{}
	c.store.mu.RLock()
	texts := texts(c.store, p, f)
	out.common = common{c.known(), p.from, p.to}
	c.store.mu.RUnlock()
	rows := slices.SortedFunc(maps.Values(texts.rows), func(a, b *textRow) int {
		return cmp.Or(cmp.Compare(b.Findings, a.Findings), cmp.Compare(a.text, b.text))
	})
	out.Total, out.Rows = len(rows), portionFrom(rows, limit, offset)
	for _, row := range out.Rows {
		row.finish(texts.all)
		if ev, err := readAlert(c, row.at); err == nil && len(ev.Digests) > 0 {
			row.Digest, row.Windows = hex16(uint64(ev.Digests[0])), max(ev.Windows, len(ev.Digests))
		}
	}
	return out, nil
}

// texts counts the findings of a period by their text. The caller has locked the store.
func texts(s *store, p period, f *filter) *textRows {
	out := newTextRows()
	for x := range s.each(p, f) {
		out.add(s, x)
	}
	return out
}

// readAlert reads an alert back from its file.
func readAlert(c *Console, at place) (ev alert.Event, err error) {
	line, err := c.reader.line(at)
	if err == nil {
		err = json.Unmarshal(line, &ev)
	}
	return ev, err
}

// maxTexts bounds the texts of one list.
const maxTexts = 1000

// answerTuningFile answers with the entries of texts that answers may repeat.
func answerTuningFile(c *Console, w http.ResponseWriter, r *request) (any, error) {
	var body struct {
		Texts             []string
		Reason, Until, By string
	}
	if err := readBody(w, r.Request, 1<<20, &body); err != nil {
		return nil, err
	}
	_, err := ignore.ParseUntil(body.Until)
	switch {
	case err != nil:
		return nil, err
	case body.Reason == "":
		return nil, errors.New("say why the text may leave")
	case len(body.Texts) == 0 || len(body.Texts) > maxTexts:
		return nil, fmt.Errorf("tick between 1 and %d texts", maxTexts)
	}
	f, _ := newFilter(nil, alert.TypeFinding) // has no error without a query
	c.store.mu.RLock()
	known := texts(c.store, period{r.now.Add(-maxRowAge), r.now.Add(time.Hour)}, f)
	c.store.mu.RUnlock()
	var out bytes.Buffer
	lines, seen := json.NewEncoder(&out), map[uint64]bool{}
	for _, name := range body.Texts {
		n, err := strconv.ParseUint(name, 16, 64)
		row := known.rows[n]
		if err != nil || row == nil {
			return nil, fmt.Errorf("the text %q is not known any more: load the page again", name)
		}
		if row.finish(1); !row.Allowed {
			return nil, errors.New(row.Why)
		}
		line, err := c.reader.line(row.at)
		if err != nil {
			return nil, err
		}
		entries, err := ignore.Parse(line)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if seen[e.Digest] {
				continue
			}
			seen[e.Digest] = true
			if err := lines.Encode(ignore.Line{Digest: hex16(e.Digest), Reason: body.Reason, Until: body.Until, By: cmp.Or(body.By, r.who.User)}); err != nil {
				return nil, err
			}
		}
	}
	c.recordAccess(r, alert.Exported, "list of texts that answers may repeat")
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Content-Disposition", `attachment; filename="ignore.jsonl"`)
	_, _ = w.Write(out.Bytes())
	return nil, nil
}

// textTask names the text that makes up much of all findings.
func textTask(s *store, t *totals) []*task {
	var most *textRow
	for _, n := range slices.Sorted(maps.Keys(t.texts.rows)) {
		r := t.texts.rows[n]
		r.finish(t.texts.all)
		if r.Looks == "boilerplate" && r.Findings >= boilerFindings && r.Share >= boilerShare && (most == nil || r.Findings > most.Findings) {
			most = r
		}
	}
	if most == nil {
		return nil
	}
	return []*task{{
		Kind: "boilerplate", Severity: string(alert.Medium), Time: most.Last, Count: most.Findings, Page: "tuning", Query: "text=" + most.Text,
		Text: fmt.Sprintf("one text makes up %.0f %% of all findings: %s", 100*most.Share, most.Why),
	}}
}
