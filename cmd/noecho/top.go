package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noecho/internal/report"
	"noecho/proxy/alert"
)

func newTopCommand(a *app) *cobra.Command {
	var flags alertFlags
	var most int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "top [FILTER]... [FILE...]",
		Short: "Count findings by record, caller, lane and digest",
		Long: `Count the findings in alert files by record, caller, lane and digest, the most frequent
first. Withheld are those that were redacted or blocked; the others passed. Without FILE,
top reads the file that tail would read; - is the standard input. The filters are those of
tail.`,
		Example: `  noecho top alerts.jsonl alerts.jsonl.1
  noecho top --since 24h --lane base64 -n 3 alerts.jsonl
  noecho top --json -n 0 alerts.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := flags.filter(time.Now())
			if err != nil {
				return err
			}
			if most < 0 {
				return usageError("-n %d: want 0, which is all, or more", most)
			}
			t := newTop()
			if err := eachAlert(cmd.Context(), a, args, func(ev *alert.Event, _ []byte) error {
				switch {
				case ev.Type != alert.TypeFinding || !filter.shows(ev):
				case ev.Instance == alert.TestInstance:
					t.tests++
				default:
					t.add(ev)
				}
				return nil
			}); err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(a.stdout)
				enc.SetIndent("", "  ")
				return enc.Encode(t.result(most))
			}
			return t.result(most).document().Write(a.stdout, "table")
		},
	}
	flags.add(cmd)
	cmd.Flags().IntVarP(&most, "most", "n", 10, "`ROWS` of each table; 0 is all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the counts as JSON")
	return cmd
}

// alertFile returns the file that commands read that are given none.
func (a *app) alertFile() string { return cmp.Or(a.getenv("NOECHO_ALERTS"), defaultAlerts) }

// eachAlert calls each for every alert of the files, with its line; - is the standard input.
// Other lines are counted and reported.
func eachAlert(ctx context.Context, a *app, paths []string, each func(ev *alert.Event, line []byte) error) error {
	if len(paths) == 0 {
		paths = []string{a.alertFile()}
	}
	for _, path := range paths {
		in, name := a.stdin, "standard input"
		if path != "-" {
			f, err := os.Open(path)
			if err != nil {
				return fmt.Errorf("%w; name the file that noecho serve writes with --alerts", err)
			}
			defer f.Close()
			in, name = f, path
		}
		alerts, others := 0, 0
		lines := lineSplitter{line: func(line []byte) error {
			var ev alert.Event
			switch err := json.Unmarshal(line, &ev); {
			case len(line) == 0:
			case err != nil || ev.V < 1 || ev.Type == "":
				others++
			default:
				alerts++
				return each(&ev, line)
			}
			return nil
		}}
		_, err := io.Copy(&lines, &interruptible{ctx: ctx, from: in})
		if err == nil {
			err = lines.end()
		}
		switch {
		case err != nil:
			return fmt.Errorf("read %s: %w", name, err)
		case others > 0 && alerts == 0:
			return fmt.Errorf("%s contains no alerts; name the file that noecho serve writes with --alerts", name)
		case others > 0:
			fmt.Fprintf(a.stderr, "noecho: %s: %s not an alert\n", name, isOrAre(others))
		}
	}
	return nil
}

// isOrAre writes a number of lines with their verb.
func isOrAre(n int) string {
	if n == 1 {
		return "1 line is"
	}
	return count(n, "line") + " are"
}

// topRow counts the findings of one record, caller, lane or digest.
type topRow struct {
	Name     string    `json:"name"`
	Dataset  string    `json:"dataset,omitempty"` // of a record
	Findings int       `json:"findings"`
	Withheld int       `json:"withheld"`
	Passed   int       `json:"passed"`
	Records  int       `json:"records"` // different ones, as far as alerts name them
	Callers  int       `json:"callers"` // different ones
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`

	records, callers map[string]struct{}
}

// add counts a finding.
func (r *topRow) add(ev *alert.Event, caller string) {
	if r.Findings == 0 || ev.Time.Before(r.First) {
		r.First = ev.Time
	}
	if ev.Time.After(r.Last) {
		r.Last = ev.Time
	}
	r.Findings++
	if ev.Action == alert.Redacted || ev.Action == alert.Blocked {
		r.Withheld++
	} else {
		r.Passed++
	}
	r.callers[caller] = struct{}{}
	for _, record := range ev.Records {
		r.records[record.Dataset+"\x00"+record.ID] = struct{}{}
	}
}

// topTable counts findings by name.
type topTable map[string]*topRow

func (t topTable) row(name, dataset string) *topRow {
	key := dataset + "\x00" + name
	r := t[key]
	if r == nil {
		r = &topRow{Name: name, Dataset: dataset, records: map[string]struct{}{}, callers: map[string]struct{}{}}
		t[key] = r
	}
	return r
}

// rows returns the most frequent rows; 0 means all.
func (t topTable) rows(most int) []*topRow {
	rows := slices.SortedFunc(maps.Values(t), func(a, b *topRow) int {
		return cmp.Or(cmp.Compare(b.Findings, a.Findings), cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Name, b.Name))
	})
	if most > 0 {
		rows = rows[:min(len(rows), most)]
	}
	for _, r := range rows {
		r.Records, r.Callers = len(r.records), len(r.callers)
	}
	return append([]*topRow{}, rows...)
}

// top counts findings in four ways.
type top struct {
	all                              *topRow
	suppressed                       uint64
	tests                            int
	records, callers, lanes, digests topTable
}

func newTop() *top {
	return &top{
		all:     topTable{}.row("", ""),
		records: topTable{}, callers: topTable{}, lanes: topTable{}, digests: topTable{},
	}
}

func (t *top) add(ev *alert.Event) {
	caller := cmp.Or(ev.User, ev.Principal, ev.Forwarded, ev.Client)
	t.suppressed += ev.Suppressed
	t.all.add(ev, caller)
	t.callers.row(caller, "").add(ev, caller)
	t.lanes.row(cmp.Or(ev.Lane, alert.LanePlain), "").add(ev, caller)
	for _, r := range ev.Records {
		t.records.row(r.ID, r.Dataset).add(ev, caller)
	}
	for _, d := range slices.Compact(slices.Sorted(slices.Values(ev.Digests))) {
		text, _ := d.MarshalText() // never fails
		t.digests.row(string(text), "").add(ev, caller)
	}
}

// topResult is the result of top.
type topResult struct {
	Findings   int       `json:"findings"`
	Withheld   int       `json:"withheld"`
	Passed     int       `json:"passed"`
	Suppressed uint64    `json:"suppressed"`      // findings that the alerts count and do not list
	Tests      int       `json:"tests,omitempty"` // findings of alerts test, which are not counted
	First      time.Time `json:"first,omitzero"`
	Last       time.Time `json:"last,omitzero"`
	Records    []*topRow `json:"records"`
	Callers    []*topRow `json:"callers"`
	Lanes      []*topRow `json:"lanes"`
	Digests    []*topRow `json:"digests"`
}

func (t *top) result(most int) *topResult {
	return &topResult{
		Findings: t.all.Findings, Withheld: t.all.Withheld, Passed: t.all.Passed, Suppressed: t.suppressed, Tests: t.tests, First: t.all.First, Last: t.all.Last,
		Records: t.records.rows(most), Callers: t.callers.rows(most), Lanes: t.lanes.rows(most), Digests: t.digests.rows(most),
	}
}

// document returns the counts for people.
func (r *topResult) document() *report.Document {
	d := &report.Document{Title: fmt.Sprintf("%s, %d withheld, %d passed", count(r.Findings, "finding"), r.Withheld, r.Passed)}
	if r.Findings > 0 {
		d.Facts = []report.Fact{{Name: "from", Value: stamp(r.First)}, {Name: "to", Value: stamp(r.Last)}}
	}
	if r.Suppressed > 0 {
		d.Notes = append(d.Notes, count(r.Suppressed, "further finding")+" of the same answers without a line of their own.")
	}
	if r.Tests > 0 {
		d.Notes = append(d.Notes, count(r.Tests, "finding")+" of noecho alerts test left out.")
	}
	for _, table := range []struct {
		name string
		rows []*topRow
	}{{"record", r.Records}, {"caller", r.Callers}, {"lane", r.Lanes}, {"digest", r.Digests}} {
		t := report.Table{Title: "By " + table.name, Columns: []string{table.name, "findings", "withheld", "passed", "records", "callers", "last"}, Empty: "none"}
		for _, row := range table.rows {
			name := cmp.Or(row.Name, "(none)")
			if row.Dataset != "" && !strings.HasPrefix(row.Name, row.Dataset) {
				name = row.Dataset + " " + name
			}
			t.Rows = append(t.Rows, []string{
				name, strconv.Itoa(row.Findings), strconv.Itoa(row.Withheld), strconv.Itoa(row.Passed),
				strconv.Itoa(row.Records), strconv.Itoa(row.Callers), stamp(row.Last),
			})
		}
		d.Tables = append(d.Tables, t)
	}
	return d
}

// stamp writes a time to the second.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
