package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"noecho/audit"
	"noecho/govern"
	"noecho/internal/report"
)

// requestLedger is the flag for the ledger of requests, and the audit log that gets an entry
// about each step.
type requestLedger struct {
	dir   string
	audit auditTarget
}

func (l *requestLedger) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.dir, "ledger", "", "`DIR` of the requests, with personal data (NOECHO_LEDGER)")
}

// named reports whether a ledger is named.
func (l *requestLedger) named(a *app) bool {
	return cmp.Or(l.dir, a.getenv("NOECHO_LEDGER")) != ""
}

func (l *requestLedger) open(a *app) (*govern.Ledger, error) {
	dir := cmp.Or(l.dir, a.getenv("NOECHO_LEDGER"))
	if dir == "" {
		return nil, usageError("name the folder of the requests with --ledger DIR")
	}
	return govern.OpenLedger(dir)
}

// read opens the ledger and reads a request.
func (l *requestLedger) read(a *app, id string) (*govern.Ledger, *govern.Request, error) {
	ledger, err := l.open(a)
	if err != nil {
		return nil, nil, err
	}
	r, err := ledger.Read(id)
	if err != nil {
		return nil, nil, &exitError{Code: exitUsage, Err: err}
	}
	return ledger, r, nil
}

// write writes a request, and then the entries of the audit log about its steps that the log lacks:
// a command may have been killed between the two.
func (l *requestLedger) write(ctx context.Context, a *app, to *govern.Ledger, r *govern.Request) error {
	if err := l.audit.ready(ctx, a); err != nil {
		return err
	}
	if err := to.Write(r); err != nil || l.audit.dir == "" {
		return err
	}
	return l.log(ctx, a, to, r)
}

// log adds the missing entries.
func (l *requestLedger) log(ctx context.Context, a *app, to *govern.Ledger, r *govern.Request) error {
	log, err := openAudit(ctx, l.audit.dir, l.audit.key.file(a, l.audit.dir))
	if err != nil {
		return err
	}
	known := map[string]int{} // how many entries have a type and a time; a step taken twice in a second has two
	err = log.Entries(func(_ int64, record []byte) error {
		e, err := audit.Decode(record)
		if e.ID == r.ID {
			known[e.Type+e.Time.String()]++
		}
		return err
	})
	var entries []audit.Entry
	for i := range r.Events {
		step := &r.Events[i]
		e := requestEntry(r, step)
		name := e.Type + e.Time.String()
		if known[name]--; !step.Logged && known[name] < 0 {
			entries = append(entries, e)
		}
		step.Logged = true
	}
	if err == nil {
		err = log.Append(entries...)
	}
	if err = errors.Join(err, log.Close()); err != nil {
		return fmt.Errorf("the ledger has the step, and the audit log has no entry about it; run the command again: %w", auditError(err))
	}
	return to.Write(r)
}

// requestEntry returns the entry of the audit log about a step.
func requestEntry(r *govern.Request, step *govern.Event) audit.Entry {
	e := audit.Entry{
		Type: "request." + step.Type, ID: r.ID, Time: step.Time, Version: versionForAudit(readBuildInfo().Version),
		States: map[string]string{"law": r.Law, "kind": r.Kind}, Counts: step.Counts, Digests: map[string]string{},
	}
	if step.Reason != "" {
		sum := sha256.Sum256([]byte(step.Reason))
		e.Digests["reason"] = hex.EncodeToString(sum[:])
	}
	if step.Type == "purged" {
		e.Digests["build"], e.Digests["model"] = r.Purge.Index, r.Purge.Model
		for i, c := range r.Purge.C {
			e.Digests["c"+strconv.Itoa(i+1)] = c
		}
	}
	return e
}

// newEraseRequestCommands returns the commands that keep requests and their dates.
func newEraseRequestCommands(a *app) []*cobra.Command {
	return []*cobra.Command{
		newEraseOpenCommand(a), newEraseExtendCommand(a), newEraseRefuseCommand(a), newEraseStatusCommand(a),
		newEraseExcludeCommand(a), newErasePurgeCommand(a), newEraseReceiptCommand(a), newEraseVerifyCommand(a),
	}
}

// eraseOpen contains the flags of erase open.
type eraseOpen struct {
	ledger            requestLedger
	law, kind         string
	received, due     string
	query             string
	inventories, keys []string
	number            bool
	out               outputFormat
}

func newEraseOpenCommand(a *app) *cobra.Command {
	o := new(eraseOpen)
	cmd := &cobra.Command{
		Use:   "open --ledger DIR --law LAW --kind KIND --received DATE --query FILE",
		Short: "Keep a request of a person and its dates",
		Long: `Keep a request in the ledger, and print its number and the dates on which it is due.

The dates follow from a table of laws: one month under the GDPR, 45 days under the CCPA,
30 days for access under HIPAA, the day of receipt for an authorization that is revoked.
A month ends on the same day number or on its last day. Business days are Monday to Friday.
Under a contract --due names the date. noecho gives no legal advice: check the dates.

The query file, as inventory find reads it, is kept with the request, so that later steps
know the person. With --inventory and --key the rows are counted. The ledger has personal
data and mode 0600; the audit log has only the number of the request, its law and kind,
and counts.`,
		Example: "  noecho erase open --ledger requests --law gdpr --kind erasure --received 2026-11-02 --query request.json --inventory train.ninv --key inventory.key",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), a)
		},
	}
	o.ledger.add(cmd)
	f := cmd.Flags()
	f.StringVar(&o.law, "law", "", "`LAW` of the request: gdpr, ccpa, hipaa, contract (required)")
	f.StringVar(&o.kind, "kind", "erasure", "`KIND` of the request: "+strings.Join(govern.Kinds(), ", "))
	f.StringVar(&o.received, "received", "", "`DATE` on which it was received, as YYYY-MM-DD (required)")
	f.StringVar(&o.due, "due", "", "`DATE` on which it is due under a contract")
	f.StringVar(&o.query, "query", "", "`FILE` of JSON about the person, or - for standard input (required)")
	f.StringArrayVar(&o.inventories, "inventory", nil, "inventory to count the rows in; may be repeated")
	f.StringArrayVar(&o.keys, "key", nil, "`FILE` with the key of the inventories; may be repeated")
	f.BoolVar(&o.number, "number", false, "print the number of the request alone")
	o.ledger.audit.add(cmd)
	o.out.add(cmd)
	return cmd
}

// run keeps a request.
func (o *eraseOpen) run(ctx context.Context, a *app) error {
	if err := o.out.check(); err != nil {
		return err
	}
	var dates [2]govern.Date
	for i, text := range []string{o.received, o.due} {
		if text == "" && i == 1 {
			continue
		}
		d, err := govern.ParseDate(text)
		if err != nil {
			return usageError("%w", err)
		}
		dates[i] = d
	}
	ledger, err := o.ledger.open(a)
	if err != nil {
		return err
	}
	r, err := govern.New(ulid.Make().String(), o.law, o.kind, dates[0], dates[1], time.Now())
	if err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	var counted error
	if r.Query, counted, err = o.count(ctx, a, r); err != nil {
		return err
	}
	if err := o.ledger.write(ctx, a, ledger, r); err != nil {
		return err
	}
	if o.number {
		_, err = fmt.Fprintln(a.stdout, r.ID)
	} else {
		err = printRequests(a, &o.out, r)
	}
	if err != nil {
		return err
	}
	return counted
}

// count reads the query, and counts the rows if inventories are named. counted is the error
// of a search that is not complete.
func (o *eraseOpen) count(ctx context.Context, a *app, r *govern.Request) (query json.RawMessage, counted, err error) {
	in := a.stdin
	if o.query == "" {
		return nil, nil, usageError("say whom the request is about with --query FILE")
	}
	if o.query != "-" {
		f, err := os.Open(o.query)
		if err != nil {
			return nil, nil, fmt.Errorf("read the query: %w", err)
		}
		defer f.Close()
		in = f
	}
	if query, err = io.ReadAll(io.LimitReader(in, maxStatement)); err != nil {
		return nil, nil, errors.New("the query cannot be read")
	}
	// The search reads the query again, so that a mistake in it is found here.
	again := *a
	again.stdin = bytes.NewReader(query)
	find := inventoryFind{inventories: o.inventories, keys: o.keys, query: queryFlags{file: "-"}}
	if len(o.inventories) == 0 {
		_, err = find.query.read(&again)
		return query, nil, err
	}
	answer, err := find.search(ctx, &again)
	if err != nil {
		return nil, nil, err
	}
	r.Events[0].Counts = map[string]uint64{"rows": uint64(len(answer.Findings)), "complete": asCount(answer.Complete)}
	for _, f := range answer.Findings {
		for _, model := range f.Models {
			r.Trained(model, "")
		}
	}
	r.Query = query
	if len(o.keys) == 1 { // rows under several keys are listed one key after the other, by erase exclude
		if err := listRows(r, &find, answer, false); err != nil {
			return nil, nil, err
		}
	}
	if counted = answerError(a.stderr, answer); answer.Complete {
		counted = nil
	}
	return query, counted, nil
}

func newEraseExtendCommand(a *app) *cobra.Command {
	var l requestLedger
	var reason string
	var out outputFormat
	cmd := &cobra.Command{
		Use:   "extend REQUEST --ledger DIR --reason FILE",
		Short: "Extend the term of a request, once",
		Long: `Extend the term of a request: to three months under the GDPR, 90 days under the CCPA, 60
days for access under HIPAA, all from the receipt. The person has to be told within the
first term, so a later extension is refused. The reason is kept in the ledger, and its
SHA-256 in the audit log.`,
		Example: "  noecho erase extend 01JDVZ3T0G5Q7X9A1B2C3D4E5F --ledger requests --reason reason.txt",
		Args:    exactArgs(1, "one request"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.step(cmd.Context(), a, &out, args[0], reason, func(r *govern.Request, reason string) error {
				return r.Extend(reason, time.Now())
			})
		},
	}
	l.add(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "`FILE` with the reason (required)")
	l.audit.add(cmd)
	out.add(cmd)
	return cmd
}

func newEraseRefuseCommand(a *app) *cobra.Command {
	var l requestLedger
	var reason, ground string
	var out outputFormat
	cmd := &cobra.Command{
		Use:   "refuse REQUEST --ledger DIR --ground ARTICLE --reason FILE",
		Short: "End a request without erasure",
		Long: `End a request without the step that it asks for. --ground names the article, such as
17(3)(b) for a legal obligation. noecho does not judge it. The reason is kept in the
ledger, and its SHA-256 in the audit log.`,
		Example: "  noecho erase refuse 01JDVZ3T0G5Q7X9A1B2C3D4E5F --ledger requests --ground '17(3)(b)' --reason reason.txt",
		Args:    exactArgs(1, "one request"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if ground == "" {
				return usageError("name the article with --ground, such as 17(3)(b)")
			}
			return l.step(cmd.Context(), a, &out, args[0], reason, func(r *govern.Request, reason string) error {
				return r.Refuse(ground, reason, time.Now())
			})
		},
	}
	l.add(cmd)
	cmd.Flags().StringVar(&ground, "ground", "", "`ARTICLE` that allows the refusal (required)")
	cmd.Flags().StringVar(&reason, "reason", "", "`FILE` with the reason (required)")
	l.audit.add(cmd)
	out.add(cmd)
	return cmd
}

// printRequests prints requests.
func printRequests(a *app, out *outputFormat, all ...*govern.Request) error {
	return out.write(a.stdout, shownRequests(all), requestsDocument(all))
}

// step takes a step of a request, with the reason in a file.
func (l *requestLedger) step(ctx context.Context, a *app, out *outputFormat, id, reasonFile string, take func(r *govern.Request, reason string) error) error {
	if err := out.check(); err != nil {
		return err
	}
	if reasonFile == "" {
		return usageError("name the file with the reason with --reason FILE")
	}
	reason, err := readSmall(reasonFile)
	if err != nil {
		return fmt.Errorf("read the reason: %w", err)
	}
	ledger, r, err := l.read(a, id)
	if err != nil {
		return err
	}
	if err := take(r, string(reason)); err != nil {
		return errors.Join(err, l.write(ctx, a, ledger, r)) // the entry about the step, if a killed command took it
	}
	if err := l.write(ctx, a, ledger, r); err != nil {
		return err
	}
	return printRequests(a, out, r)
}

func newEraseStatusCommand(a *app) *cobra.Command {
	var l requestLedger
	var due string
	var out outputFormat
	cmd := &cobra.Command{
		Use:   "status [REQUEST] --ledger DIR",
		Short: "Print requests and their dates",
		Long: `Print the requests of a ledger, the one that is due first before the others, or one of
them. Names, addresses and reasons are not printed. Exit code 3 means that an open request
is late, or due within the days of --due.`,
		Example: "  noecho erase status --ledger requests --due 7d\n  noecho erase status --ledger requests --html >requests.html",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			days, err := strconv.Atoi(strings.TrimSuffix(due, "d"))
			if err != nil || days < 0 {
				return usageError("--due %q is no number of days, such as 7d", due)
			}
			if err := out.check(); err != nil {
				return err
			}
			return l.status(a, strings.Join(args, ""), days, &out)
		},
	}
	l.add(cmd)
	cmd.Flags().StringVar(&due, "due", "0d", "`DAYS` within which a request counts as due, such as 7d")
	out.add(cmd)
	return cmd
}

// status prints requests.
func (l *requestLedger) status(a *app, id string, days int, out *outputFormat) error {
	ledger, err := l.open(a)
	if err != nil {
		return err
	}
	all, err := ledger.All()
	if id != "" && err == nil {
		var one *govern.Request
		one, err = ledger.Read(id)
		all = []*govern.Request{one}
	}
	if err != nil {
		return err
	}
	if err := printRequests(a, out, all...); err != nil {
		return err
	}
	for _, r := range all {
		if r.Late(govern.DateOf(time.Now()), days) {
			return &exitError{Code: exitFindings}
		}
	}
	return nil
}

// shownRequests returns requests without the person and the reasons.
func shownRequests(all []*govern.Request) []govern.Request {
	shown := []govern.Request{}
	for _, r := range all {
		one := *r
		one.Query, one.Files, one.Excluded, one.Events = nil, nil, nil, nil
		if r.Purge != nil {
			purge := *r.Purge
			purge.Salt = nil
			one.Purge = &purge
		}
		for _, e := range r.Events {
			e.Reason = ""
			one.Events = append(one.Events, e)
		}
		shown = append(shown, one)
	}
	return shown
}

// requestsDocument draws requests.
func requestsDocument(all []*govern.Request) *report.Document {
	d := &report.Document{Title: "Requests of people about their data"}
	t := report.Table{Title: "Requests", Columns: []string{"request", "law", "kind", "received", "confirm by", "due", "extend by", "state", "last step", "rows"}, Empty: "None."}
	for _, r := range all {
		last, rows := r.Events[len(r.Events)-1], ""
		if n, ok := r.Events[0].Counts["rows"]; ok {
			rows = strconv.FormatUint(n, 10)
		}
		tell := string(r.Clock.Tell)
		if r.Extended {
			tell = "extended"
		}
		t.Rows = append(t.Rows, []string{
			r.ID, r.Law, r.Kind, string(r.Received), string(r.Clock.Confirm), string(r.Clock.Due), tell, string(r.State),
			last.Type + " " + last.Time.Format(time.DateOnly), rows,
		})
	}
	d.Tables = []report.Table{t}
	d.Notes = []string{"The dates support the work on requests. They are not legal advice; holidays are not counted."}
	return d
}
