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
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noecho/govern"
	"noecho/index"
	"noecho/index/inventory"
	"noecho/index/key"
	"noecho/internal/report"
	"noecho/ngram"
)

const erasePurgeHelp = `Check that the rows of a request are gone from the next model, and end the request: the
erase set and the person's part of the suppression index are deleted. Before that, these
points have to be shown. One that is not shown is named, nothing is deleted, and the exit
code is 5.

  P1  the inventory of the new index has no row, identifier or file that erase exclude listed
  P2  the new index has no window of the rows, but for those that --accept-shared accepts
  P3  --model is none of the models that were trained on the rows
  P4  the audit log has no other model in use (deploy without retire), and no proxy that
      served an index of the rows in the last 24 hours
  P5  --probe, the output of noecho scan --json over answers of the new model with the
      suppression index, has no finding of the request and nothing that was not scanned
  P6  nothing is left of the erase set and of the person in the suppression index, and every
      proxy has loaded an index without the person

The person is taken out of the suppression index by uniting the others anew, whose parts
the ledger has. If somebody was suppressed without --ledger, that cannot be done here, and
P6 says so. If nobody else is in it, the file is deleted: take it out of the configuration
of the proxies.

A window of P2 is one that rows of other people have too, if P1 is shown: such as a
sentence of a template. Look at them, and decide. P6 needs a reload of the proxies, so run
the command again after it; the points that were shown stay shown.

The points support a record of the erasure. They do not prove that the training used the
inputs of the index, and say nothing of base models, paraphrases, backups and copies at
providers; the answer lists these as not shown.`

// notShown are the facts that a purge cannot show.
func notShown() []string {
	return []string{
		"that the training of the new model used exactly the inputs of the index",
		"that the model from which the training began does not know the data",
		"paraphrases, and facts without the words of the rows",
		"backups, caches, copies at providers, retrieval stores, adapters and deployments that nobody logged",
	}
}

// erasePurge contains the flags of erase purge.
type erasePurge struct {
	ledger       requestLedger
	index        string
	indexKeys    keyFiles
	model        string
	inventory    string
	keys         []string
	suppress     string
	sign         indexSign
	probe        string
	unrelated    []string
	acceptShared bool
	vkey         string
	out          outputFormat

	r      *govern.Request
	set    string // path of the erase set
	log    *stepLog
	new    *index.Index
	build  string // of the new index
	checks []govern.Check
}

func newErasePurgeCommand(a *app) *cobra.Command {
	p := new(erasePurge)
	cmd := &cobra.Command{
		Use:     "purge REQUEST --ledger DIR --index NEW --model DIGEST --inventory FILE --key FILE --log DIR",
		Short:   "Show that the rows are gone from the next model, and end the request",
		Long:    erasePurgeHelp,
		Example: "  noecho erase purge 01JDVZ3T0G5Q7X9A1B2C3D4E5F --ledger requests --log audit --index next.nidx --model $(sha256sum next.safetensors | cut -c1-64) --inventory next.ninv --key inventory.key --suppress suppress.nidx --html",
		Args:    exactArgs(1, "one request"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.run(cmd.Context(), a, args[0])
		},
	}
	p.ledger.add(cmd)
	f := cmd.Flags()
	f.StringVar(&p.index, "index", "", "index of the inputs of the new model (required)")
	p.indexKeys.add(cmd)
	f.StringVar(&p.model, "model", "", "`DIGEST` of the new model (required)")
	f.StringVar(&p.inventory, "inventory", "", "inventory of the build of the new index")
	f.StringArrayVar(&p.keys, "key", nil, "`FILE` with the key of the inventory")
	f.StringVar(&p.suppress, "suppress", "", "suppression index that has the person, or had, if it is not where erase suppress wrote it")
	f.StringVar(&p.sign.keyFile, "sign-key", "", "`FILE` with a secret key of noecho index keygen, to sign the suppression index anew")
	f.StringVar(&p.probe, "probe", "", "`REPORT` of noecho scan --json over answers of the new model")
	f.StringArrayVar(&p.unrelated, "unrelated", nil, "`DIGEST` of a model in use that was not trained on the rows; may be repeated")
	f.BoolVar(&p.acceptShared, "accept-shared", false, "the windows that other rows share were looked at, and stay")
	f.StringVar(&p.ledger.audit.dir, "log", "", "`DIR` of the audit log (NOECHO_AUDIT; required)")
	f.StringVar(&p.vkey, "log-key", "", "public `KEY` of the audit log (default: the one in its folder)")
	p.ledger.audit.key.add(cmd, "audit-key-file")
	p.out.add(cmd)
	return cmd
}

// run checks the points, and deletes.
func (p *erasePurge) run(ctx context.Context, a *app, id string) error {
	p.ledger.audit.dir = cmp.Or(p.ledger.audit.dir, a.getenv("NOECHO_AUDIT"))
	switch err := p.out.check(); {
	case err != nil:
		return err
	case p.index == "":
		return usageError("name the index of the new model with --index NEW")
	case !modelDigest.MatchString(p.model):
		return usageError("name the new model with --model: a digest of hexadecimal digits in lower case, such as sha256sum prints")
	case p.ledger.audit.dir == "":
		return usageError("name the audit log with --log DIR")
	}
	ledger, r, err := p.ledger.read(a, id)
	if err != nil {
		return err
	}
	p.set = ledger.SetPath(id)
	if p.r = r; r.State != govern.Open && r.State != govern.Purged {
		return fmt.Errorf("the request is %s", r.State)
	}
	keys, err := p.indexKeys.read(a)
	if err != nil {
		return err
	}
	if p.new, err = index.OpenKeyed(p.index, keys); err != nil {
		return indexError(keyError(err, keys))
	}
	defer p.new.Close()
	p.build = p.new.Files()[0].Info.BuildID
	if p.log, err = readStepLog(p.ledger.audit.dir, p.vkey, r); err != nil {
		return err
	}
	if r.Purge == nil {
		if err := p.look(keys); err != nil {
			return err
		}
	} else if r.Purge.Index != p.build || r.Purge.Model != p.model {
		return usageError("the purge began with index %.12s and model %.12s: name these", r.Purge.Index, r.Purge.Model)
	} else {
		p.checks = r.Purge.Checks[:5:5]
	}
	if govern.AllShown(p.checks) {
		err = p.delete(ctx, a, ledger)
	} else {
		p.add("P6", "nothing is left of the erase set and the suppression", govern.NotShown, "nothing was deleted, because another point is not shown")
	}
	if err != nil {
		return err
	}
	return p.print(a)
}

// add adds the result of a point.
func (p *erasePurge) add(id, asks, state, format string, args ...any) {
	p.checks = append(p.checks, govern.Check{ID: id, Asks: asks, State: state, Found: fmt.Sprintf(format, args...)})
}

// look checks P1 to P5.
func (p *erasePurge) look(keys []*key.Key) error {
	if err := p.rows(); err != nil {
		return err
	}
	if err := p.windows(keys); err != nil {
		return err
	}
	p.models()
	p.uses()
	return p.probed()
}

// rows checks P1.
func (p *erasePurge) rows() error {
	bad := func(format string, args ...any) error {
		p.add("P1", "no row of the request is in the new build", govern.NotShown, format, args...)
		return nil
	}
	switch {
	case len(p.r.Excluded) == 0:
		return bad("the rows were not listed: run erase exclude")
	case slices.Contains(p.r.Builds, p.build):
		return bad("the index is the one that has the rows: build a new one")
	case p.inventory == "" || len(p.keys) == 0:
		return bad("the inventory of the new build was not given: --inventory FILE --key FILE")
	}
	list, err := excludedRows(p.r)
	if err != nil {
		return err
	}
	files, err := openInventories([]string{p.inventory}, p.keys)
	if err != nil {
		return inventoryError(err)
	}
	f := files[0]
	defer f.Close()
	if f.Meta.IndexBuild != p.build {
		return bad("the inventory is of the index %.12s, and --index is %.12s", f.Meta.IndexBuild, p.build)
	}
	if !f.Opens(list) {
		return bad("the inventory has another key than the one in which the rows were listed")
	}
	rows := list.Requests[p.r.ID]
	left, err := f.Left(rows)
	switch {
	case err != nil:
		return inventoryError(err)
	case len(left.Rows) > 0:
		return bad("%s of the request: %s", count(len(left.Rows), "row"), firstOf(left.Rows))
	case len(left.Files) > 0:
		return bad("files that had rows of the request are as they were: %s", firstOf(left.Files))
	case left.Values > 0:
		return bad("rows have %s of the request: find them with inventory find", count(left.Values, "identifier"))
	}
	p.add("P1", "no row of the request is in the new build", govern.Shown, "none of %s and %s in %s of inventory %.12s",
		count(len(rows.Rows), "row"), count(len(rows.Values), "identifier"), count(f.Meta.Counts.Rows, "row"), f.ID)
	return nil
}

// firstOf lists the first few.
func firstOf(all []string) string {
	const most = 5
	if len(all) > most {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", len(all)-most)
	}
	return strings.Join(all, ", ")
}

// windows checks P2.
func (p *erasePurge) windows(keys []*key.Key) error {
	const asks = "no text of the rows is in the new index"
	set, err := readEraseSet(p.set, p.r.ID, keys)
	if errors.Is(err, fs.ErrNotExist) {
		p.add("P2", asks, govern.NotShown, "there is no erase set: run erase suppress with --ledger before the rows are deleted")
		return nil
	}
	if err != nil {
		return err
	}
	if in := p.new.Files()[0].Info; in.N != set.N || in.Norm != set.Norm {
		p.add("P2", asks, govern.NotShown, "the erase set has windows of %d words, and the index of %d", set.N, in.N)
		return nil
	}
	shared := 0
	for _, h := range set.windows {
		if p.new.Window(h) {
			shared++
		}
	}
	named, err := p.identifiers()
	if err != nil {
		return err
	}
	switch {
	case named > 0:
		p.add("P2", asks, govern.NotShown, "the index has %s of the request", count(named, "identifier"))
	case shared == 0:
		p.add("P2", asks, govern.Shown, "none of %s", count(len(set.windows), "window"))
	case p.acceptShared:
		p.add("P2", asks, govern.Shown, "%d of %s are also in remaining rows, and were accepted", shared, count(len(set.windows), "window"))
	default:
		p.add("P2", asks, govern.NotShown, "%d of %s are also in remaining rows, probably %s: look at them, and accept them with --accept-shared, or change these rows",
			shared, count(len(set.windows), "window"), firstOf(p.sharing(set)))
	}
	return nil
}

// sharing returns the records of the new index that share five words or more with the rows, those
// that share most first.
func (p *erasePurge) sharing(set *eraseSet) []string {
	n := map[string]int{}
	var places []ngram.Place
	for _, h := range set.seeds {
		places = p.new.Seeds(places[:0], h)
		for _, at := range places {
			if rec, ok := p.new.Record(at); ok {
				n[rec.ID]++
			}
		}
	}
	return slices.SortedFunc(maps.Keys(n), func(a, b string) int { return cmp.Or(n[b]-n[a], strings.Compare(a, b)) })
}

// identifiers returns how many identifiers of the request the new index has.
func (p *erasePurge) identifiers() (n int, err error) {
	query, _, err := inventory.ReadQuery(bytes.NewReader(p.r.Query))
	if err != nil {
		return 0, err
	}
	for _, it := range query.Items {
		if it.Kind == inventory.NameKind || it.Kind == inventory.TextKind {
			continue
		}
		one := inventory.Search{Query: &inventory.Query{Items: []inventory.Item{it}}, Indexes: []inventory.Named[*index.Index]{{Name: p.index, In: p.new}}}
		answer, err := one.Run(context.Background())
		if err != nil {
			return 0, err
		}
		if len(answer.Findings) > 0 {
			n++
		}
	}
	return n, nil
}

// models checks P3.
func (p *erasePurge) models() {
	const asks = "the model is none that was trained on the rows"
	signed := statement{}
	if text, err := readSmall(statementPath(p.index)); err == nil {
		_ = json.Unmarshal(text, &signed) // of a version that is not known: as if there were none
	}
	switch {
	case p.log.models[p.model]:
		p.add("P3", asks, govern.NotShown, "model %.12s was in use before the request, or was trained on its rows", p.model)
	case signed.Model != "" && signed.BuildID == p.build && signed.Model != p.model:
		p.add("P3", asks, govern.NotShown, "the index is signed as that of model %.12s", signed.Model)
	default:
		p.add("P3", asks, govern.Shown, "%.12s is none of %s that the log and the ledger know", p.model, count(len(p.log.models), "older model"))
	}
}

// uses checks P4.
func (p *erasePurge) uses() {
	const asks = "no model that was trained on the rows is in use"
	if open := p.log.deployed(append(p.unrelated, p.model)); len(open) > 0 {
		p.add("P4", asks, govern.NotShown, "deployed and not retired by the log: %s", firstOf(open))
		return
	}
	for _, run := range p.log.serving(time.Now()) {
		if run.has(p.log.builds) {
			p.add("P4", asks, govern.NotShown, "the proxy with boot %s reported an index of the rows at %s", run.boot, run.last.Format(time.RFC3339))
			return
		}
	}
	found := "every deployment in the log but that of the new model was retired, and no proxy reported an index of the rows for 24 hours"
	if len(p.unrelated) > 0 {
		found += "; declared as not trained on the rows: " + firstOf(p.unrelated)
	}
	p.add("P4", asks, govern.Shown, "%s", found)
}

// probed checks P5.
func (p *erasePurge) probed() error {
	const asks = "the new model does not repeat the person's data"
	if p.probe == "" {
		p.add("P5", asks, govern.NotAsked, "no probe was given")
		return nil
	}
	f, err := os.Open(p.probe)
	if err != nil {
		return fmt.Errorf("read the probe: %w", err)
	}
	defer f.Close()
	found, scanned, err := countProbe(f, p.r.ID)
	switch {
	case err != nil || scanned == nil:
		p.add("P5", asks, govern.NotShown, "the probe is no complete output of noecho scan --json")
	case scanned.Unscanned > 0 || scanned.Words == 0:
		p.add("P5", asks, govern.NotShown, "the probe scanned %s and left out %s", count(int(scanned.Words), "word"), count(scanned.Unscanned, "file or record"))
	case found > 0:
		p.add("P5", asks, govern.NotShown, "%s of the request", count(found, "finding"))
	default:
		p.add("P5", asks, govern.Shown, "0 findings of the request in %s", count(int(scanned.Words), "word"))
	}
	return nil
}

// countProbe counts the findings of a request in the output of noecho scan --json. The summary is
// nil if the output has no end.
func countProbe(r io.Reader, request string) (found int, summary *scanSummary, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct {
			scanFinding
			Summary *scanSummary `json:"summary"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return 0, nil, err
		}
		for _, rec := range line.Records {
			if rec.ID == request {
				found++
				break
			}
		}
		if line.Summary != nil {
			summary = line.Summary
		}
	}
	return found, summary, lines.Err()
}

// delete begins the deletion, deletes, and checks P6. Each run goes on where one before ended.
func (p *erasePurge) delete(ctx context.Context, a *app, ledger *govern.Ledger) error {
	r := p.r
	if r.State == govern.Purged {
		p.checks = r.Purge.Checks
		return p.ledger.write(ctx, a, ledger, r)
	}
	if r.Purge == nil {
		if err := p.begin(); err != nil {
			return err
		}
	}
	for _, path := range p.suppressions() {
		names, build, err := suppressionOf(path, r.ID)
		if err != nil {
			return err
		}
		if names && !slices.Contains(r.Purge.Suppressed, build) {
			r.Purge.Suppressed = append(r.Purge.Suppressed, build)
		}
	}
	if err := p.ledger.write(ctx, a, ledger, r); err != nil { // before anything is deleted
		return err
	}
	still, err := p.takeOut(ctx, a, ledger)
	if err != nil {
		return err
	}
	if err := ledger.DeleteSet(r.ID); err != nil {
		return err
	}
	if err := p.left(still); err != nil {
		return err
	}
	if !govern.AllShown(p.checks) {
		return nil
	}
	if err := ledger.DeletePart(r.ID); err != nil {
		return err
	}
	r.State, r.Purge.Checks = govern.Purged, p.checks
	r.Record("purged", p.counts(), time.Now())
	return p.ledger.write(ctx, a, ledger, r)
}

// suppressions returns the suppression indexes that have or had the person: those that the ledger
// knows, and that of --suppress.
func (p *erasePurge) suppressions() []string {
	all := slices.Clone(p.r.Files)
	if path, err := filepath.Abs(p.suppress); p.suppress != "" && err == nil && !slices.Contains(all, path) {
		all = append(all, path)
	}
	return all
}

// takeOut takes the person out of the suppression indexes, and says why one still has them.
func (p *erasePurge) takeOut(ctx context.Context, a *app, ledger *govern.Ledger) (still string, err error) {
	for _, path := range p.suppressions() {
		if names, _, err := suppressionOf(path, p.r.ID); err != nil || !names {
			if err != nil {
				return "", err
			}
			continue
		}
		why, err := takeOut(ctx, ledger, path, p.r.ID)
		if err == nil {
			err = p.resign(ctx, a, path)
		}
		if err != nil {
			return "", err
		}
		if why != "" {
			still = path + " still has the person: " + why
		}
	}
	return still, nil
}

// resign signs a suppression index that was made anew.
func (p *erasePurge) resign(ctx context.Context, a *app, path string) error {
	if _, err := os.Stat(path); p.sign.keyFile == "" || err != nil {
		return nil
	}
	return p.sign.run(ctx, &app{stdin: a.stdin, stdout: a.stderr, stderr: a.stderr, getenv: a.getenv}, path)
}

// begin notes the passed checks in the request, and commits to the person that it is about.
func (p *erasePurge) begin() error {
	query, _, err := inventory.ReadQuery(bytes.NewReader(p.r.Query))
	if err != nil {
		return err
	}
	purge := &govern.Purge{Index: p.build, Model: p.model, Checks: p.checks, Salt: govern.NewSalt()}
	for _, form := range query.Committed() {
		purge.C = append(purge.C, govern.Commitment(purge.Salt, p.r.Law, p.r.Kind, form.Kind, form.Text))
	}
	slices.Sort(purge.C) // so that their order does not tell the kinds
	p.r.Purge = purge
	p.r.Record("purging", p.counts(), time.Now())
	return nil
}

// counts returns which points are shown, as an entry of the audit log has it.
func (p *erasePurge) counts() map[string]uint64 {
	counts := map[string]uint64{}
	for _, c := range p.checks {
		counts[strings.ToLower(c.ID)] = asCount(c.State == govern.Shown)
	}
	return counts
}

// left checks P6. still says why a suppression index still has the person.
func (p *erasePurge) left(still string) error {
	const asks = "nothing is left of the erase set and the suppression"
	had := map[string]bool{}
	p.log.suppressed(p.r.ID, had)
	for _, b := range p.r.Purge.Suppressed {
		had[b] = true
	}
	switch {
	case still != "":
		p.add("P6", asks, govern.NotShown, "%s", still)
		return nil
	case len(p.suppressions()) == 0 && (p.r.Has("suppressed") || len(had) > 0):
		p.add("P6", asks, govern.NotShown, "the suppression index was not given: --suppress FILE")
		return nil
	}
	for _, path := range p.suppressions() {
		_, build, err := suppressionOf(path, p.r.ID)
		if err != nil {
			return err
		}
		delete(had, build)
	}
	for _, run := range p.log.serving(time.Now()) {
		if run.has(had) {
			p.add("P6", asks, govern.NotShown, "the proxy with boot %s still has the person in a suppression index: reload it, collect its alerts into the log, and run this command again", run.boot)
			return nil
		}
	}
	p.add("P6", asks, govern.Shown, "the erase set is deleted, no suppression index of the log is in use with the person, and the salt goes with the receipt")
	return nil
}

// suppressionOf reports whether a suppression index has a request, and returns its build id. A
// file that is not there has nobody. The index has the numbers of its requests in clear.
func suppressionOf(path, request string) (names bool, build string, err error) {
	if path == "" {
		return false, "", nil
	}
	info, err := statIndex(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, "", nil
	}
	if err != nil {
		return false, "", indexError(err)
	}
	f, err := os.Open(path)
	if err != nil {
		return false, "", err
	}
	defer f.Close()
	names, err = mentions(f, request)
	return names, info.BuildID, err
}

// mentions reports whether a text is in a stream.
func mentions(r io.Reader, text string) (bool, error) {
	b, n := make([]byte, 1<<20), 0
	for {
		k, err := r.Read(b[n:])
		n += k
		if bytes.Contains(b[:n], []byte(text)) {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		n = copy(b, b[max(0, n-len(text)):n])
	}
}

// print prints the points, and returns the exit code.
func (p *erasePurge) print(a *app) error {
	answer := struct {
		Request  string         `json:"request"`
		Index    string         `json:"index"`
		Model    string         `json:"model"`
		Complete bool           `json:"complete"`
		Checks   []govern.Check `json:"checks"`
		NotShown []string       `json:"not_shown"`
	}{p.r.ID, p.build, p.model, govern.AllShown(p.checks), p.checks, notShown()}
	d := &report.Document{Title: "End of request " + p.r.ID, Facts: []report.Fact{
		{Name: "Result", Value: map[bool]string{true: "All points that were asked for are shown.", false: "NOT all points are shown. The request stays open."}[answer.Complete]},
		{Name: "Index", Value: p.build},
		{Name: "Model", Value: p.model},
	}, Tables: []report.Table{checksTable(p.checks)}, Notes: notShownNotes(answer.NotShown)}
	if err := p.out.write(a.stdout, answer, d); err != nil {
		return err
	}
	if !answer.Complete {
		return &exitError{Code: exitRefused}
	}
	return nil
}

// checksTable draws points.
func checksTable(checks []govern.Check) report.Table {
	t := report.Table{Title: "Points", Columns: []string{"point", "asks that", "result", "found"}}
	for _, c := range checks {
		t.Rows = append(t.Rows, []string{c.ID, c.Asks, c.State, c.Found})
	}
	return t
}

// notShownNotes are the notes about facts that are not shown.
func notShownNotes(facts []string) (notes []string) {
	for _, f := range facts {
		notes = append(notes, "Not shown: "+f+".")
	}
	return append(notes, "This page supports a record of the erasure. It gives no legal advice.")
}
