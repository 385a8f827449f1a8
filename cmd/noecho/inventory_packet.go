package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noecho/index/inventory"
	"noecho/internal/report"
	"noecho/proxy/alert"
)

const packetHelp = `Write what the training data and the proxies know about a person, point by point as
Art. 15 GDPR asks for it: the rows, kinds of data, files with digests, models, and how
often the proxies withheld answers about these records. What noecho cannot know, such as
purposes and recipients, is listed as to be added.

The search is that of inventory find, with the same flags and exit codes. --alerts takes
the alert files of the proxies. --show-text adds the texts of the rows of --corpus, so
that they can be copied for the person; the column of others says which rows name other
people, whose data a copy must not tell. Then --out is required, a file that only this
user can read.`

// packet contains the flags of one access answer.
type packet struct {
	find     inventoryFind
	request  string
	alerts   []string
	showText bool
	path     string
}

func newInventoryPacketCommand(a *app) *cobra.Command {
	p := new(packet)
	cmd := &cobra.Command{
		Use:   "packet --request R (--inventory FILE --key FILE | --index FILE | --corpus INPUT)... --query FILE",
		Short: "Write the answer to a request for access",
		Long:  packetHelp,
		Example: `  noecho inventory packet --request 01K2F8Y7QZJ4W3N5M6P7R8S9T0 --inventory train.ninv --key inventory.key --query request.json --html >packet.html
  noecho inventory packet --request 2026-117 --inventory train.ninv --key inventory.key --corpus train.jsonl --show-text --alerts alerts.jsonl --query request.json --out packet.html --html`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.run(cmd.Context(), a)
		},
	}
	p.find.add(cmd)
	f := cmd.Flags()
	f.StringVar(&p.request, "request", "", "`R`, the reference of the request, without personal data (required)")
	f.StringArrayVar(&p.alerts, "alerts", nil, "`FILE` of alerts of the proxies; may be repeated")
	f.BoolVar(&p.showText, "show-text", false, "add the texts of the rows of --corpus; needs --out")
	f.StringVar(&p.path, "out", "", "`FILE` to write, with mode 0600 (default: standard output)")
	p.find.out.add(cmd)
	return cmd
}

// requestForm is the form of the reference of a request.
var requestForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z./_-]{0,63}$`)

// accessAnswer is the JSON of inventory packet.
type accessAnswer struct {
	Request   string            `json:"request"`
	Date      string            `json:"date"` // UTC
	Answer    *inventory.Answer `json:"answer"`
	Article15 []accessPoint     `json:"article_15"`
	Alerts    accessAlerts      `json:"alerts"`
}

// accessPoint is a point of Art. 15.
type accessPoint struct {
	Point string `json:"point"`
	Asks  string `json:"asks"`
	Found string `json:"found,omitempty"` // empty: nothing that noecho knows
	Add   string `json:"add,omitempty"`   // for the one who answers
}

// accessAlerts counts the alerts about the records that were found.
type accessAlerts struct {
	Files    int            `json:"files"`
	Lines    int            `json:"lines"`
	Unread   int            `json:"unread"` // lines that are no alerts
	Findings int            `json:"findings"`
	Actions  map[string]int `json:"actions"`
	First    time.Time      `json:"first,omitzero"`
	Last     time.Time      `json:"last,omitzero"`
}

// run searches and writes the answer.
func (p *packet) run(ctx context.Context, a *app) error {
	if err := p.find.out.check(); err != nil {
		return err
	}
	switch {
	case !requestForm.MatchString(p.request):
		return usageError("name the request with --request R: at most 64 letters, digits and . / _ -, and no personal data")
	case p.showText && (p.path == "" || len(p.find.sources.Inputs) == 0):
		return usageError("--show-text needs --corpus INPUT and --out FILE")
	}
	p.find.sources.Texts = p.showText
	answer, err := p.find.search(ctx, a)
	if err != nil {
		return err
	}
	w := &accessAnswer{Request: p.request, Date: time.Now().UTC().Format(time.DateOnly), Answer: answer, Alerts: accessAlerts{Actions: map[string]int{}}}
	for _, path := range p.alerts {
		if err := w.Alerts.read(path, answer); err != nil {
			return err
		}
	}
	w.Article15 = w.points()
	var b bytes.Buffer
	if err := p.find.out.write(&b, w, w.document()); err != nil {
		return err
	}
	if err := p.write(a.stdout, b.Bytes()); err != nil {
		return err
	}
	return answerError(a.stderr, answer)
}

// write writes the answer to the file that only this user can read, or to w.
func (p *packet) write(w io.Writer, text []byte) error {
	if p.path == "" {
		_, err := w.Write(text)
		return err
	}
	f, err := os.OpenFile(p.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the packet: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the packet: %w", err)
	}
	return nil
}

// read counts the findings of an alert file about the records that were found.
func (c *accessAlerts) read(path string, answer *inventory.Answer) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read alerts: %w", err)
	}
	defer f.Close()
	records := map[[2]string]bool{}
	for _, one := range answer.Findings {
		records[[2]string{one.Record, one.Dataset}] = true
	}
	c.Files++
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		c.Lines++
		var e alert.Event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			c.Unread++
			continue
		}
		if e.Type != alert.TypeFinding || !slices.ContainsFunc(e.Records, func(r alert.Record) bool { return records[[2]string{r.ID, r.Dataset}] }) {
			continue
		}
		c.Findings++
		c.Actions[string(e.Action)]++
		if c.First.IsZero() || e.Time.Before(c.First) {
			c.First = e.Time
		}
		if e.Time.After(c.Last) {
			c.Last = e.Time
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read alerts %s: %w", path, err)
	}
	return nil
}

// points lists the points of Art. 15 with the facts from the answer.
func (w *accessAnswer) points() []accessPoint {
	kinds, sets, files, models := map[string]uint64{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range w.Answer.Findings {
		for _, m := range f.Matched {
			kinds[m.Kind] = max(kinds[m.Kind], 1)
		}
		sets[f.Dataset] = true
		if f.File != "" {
			files[f.File] = true
		}
		for _, m := range f.Models {
			models[m] = true
		}
	}
	list := func(m map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }
	found := func(format string, args ...any) string {
		if len(w.Answer.Findings) == 0 {
			return ""
		}
		return fmt.Sprintf(format, args...)
	}
	models15 := ""
	if len(models) > 0 {
		models15 = "; models trained on them: " + list(models)
	}
	return []accessPoint{
		{"15(1)", "Is personal data processed?", verdict(w.Answer), "confirm that the rows are about this person"},
		{"15(1)(a)", "Purposes", "", "the purposes of the training, as in the record of processing"},
		{"15(1)(b)", "Categories of data", found("%s in %s", strings.Join(slices.Sorted(maps.Keys(kinds)), ", "), count(len(w.Answer.Findings), "row")), "further categories in the texts of the rows"},
		{"15(1)(c)", "Recipients", found("whoever uses the models%s", models15), "providers of training and hosting, and other recipients"},
		{"15(1)(d)", "Period of storage", "", "the retention of the training files, the inventory and the models"},
		{"15(1)(e)", "Rights to rectification, erasure, restriction, objection", "", "how to use them"},
		{"15(1)(f)", "Complaint to a supervisory authority", "", "the authority"},
		{"15(1)(g)", "Source", found("datasets %s; files %s", list(sets), cmp.Or(list(files), "not named")), "where these datasets come from"},
		{"15(1)(h)", "Automated decisions", "", "whether there are any, and their logic"},
		{"15(2)", "Transfers to third countries", "", "the countries and the safeguards"},
		{"15(3)", "A copy of the data", found("%s", map[bool]string{true: "the texts are below", false: "the rows are below; --corpus and --show-text add their texts"}[w.hasTexts()]), "leave out the data of other people, Art. 15(4)"},
	}
}

func (w *accessAnswer) hasTexts() bool {
	return slices.ContainsFunc(w.Answer.Findings, func(f inventory.Finding) bool { return len(f.Texts) > 0 })
}

// document draws the answer.
func (w *accessAnswer) document() *report.Document {
	d := answerDocument(w.Answer)
	d.Title = "Answer to request " + w.Request
	d.Facts = append([]report.Fact{{Name: "Request", Value: w.Request}, {Name: "Date", Value: w.Date}}, d.Facts...)
	points := report.Table{Title: "Art. 15 GDPR, point by point", Columns: []string{"point", "asked for", "from the training data", "to be added"}}
	for _, p := range w.Article15 {
		points.Rows = append(points.Rows, []string{p.Point, p.Asks, p.Found, p.Add})
	}
	alerts := report.Table{Title: "Answers of the models", Columns: []string{"findings about these records", "actions", "from", "to"}, Empty: "No alert files were given."}
	if c := w.Alerts; c.Files > 0 {
		var actions []string
		for _, name := range slices.Sorted(maps.Keys(c.Actions)) {
			actions = append(actions, fmt.Sprintf("%s %d", cmp.Or(name, "none"), c.Actions[name]))
		}
		from, to := "", ""
		if c.Findings > 0 {
			from, to = c.First.UTC().Format(time.DateOnly), c.Last.UTC().Format(time.DateOnly)
		}
		alerts.Rows = [][]string{{strconv.Itoa(c.Findings), strings.Join(actions, ", "), from, to}}
		if c.Unread > 0 {
			d.Notes = append(d.Notes, fmt.Sprintf("%d lines of the alert files are no alerts and were not counted.", c.Unread))
		}
	}
	d.Tables = append(d.Tables, points, alerts)
	if w.hasTexts() {
		texts := report.Table{Title: "Texts of the rows", Columns: []string{"record", "text"}}
		for _, f := range w.Answer.Findings {
			for _, text := range f.Texts {
				texts.Rows = append(texts.Rows, []string{f.Record, text})
			}
		}
		d.Tables = append(d.Tables, texts)
	}
	return d
}
