package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"noecho/audit"
	"noecho/govern"
	"noecho/internal/report"
)

// eraseReceipt contains the flags of erase receipt.
type eraseReceipt struct {
	ledger requestLedger
	out    string
	html   bool
	json   bool
}

func newEraseReceiptCommand(a *app) *cobra.Command {
	e := new(eraseReceipt)
	cmd := &cobra.Command{
		Use:   "receipt REQUEST --ledger DIR --log DIR [--out FILE] [--html]",
		Short: "Write the receipt of a request that was purged, once",
		Long: `Write the receipt of a request for which erase purge has shown all points, and close the
request. The receipt is for the person: nobody is named in it, and with their address or
name it shows that it is theirs. It has what was shown and what was not, commitments to
the identifiers of the request, their salt, and the proof that the audit log has the
entry about the purge. It is an in-toto Statement v1 in a DSSE envelope, signed with the
key of the audit log; other programs can verify it, and erase verify does.

The salt is in the receipt only. Once it is written, the ledger forgets the salt, the
query and the hashes of the rows, so a receipt can be written once: keep no copy, and
send it on a way that nobody else reads. --html writes a page to read and to print, with
the receipt in it.`,
		Example: "  noecho erase receipt 01JDVZ3T0G5Q7X9A1B2C3D4E5F --ledger requests --log audit --html --out receipt.html",
		Args:    exactArgs(1, "one request"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.run(cmd.Context(), a, args[0])
		},
	}
	e.ledger.add(cmd)
	f := cmd.Flags()
	f.StringVar(&e.ledger.audit.dir, "log", "", "`DIR` of the audit log (NOECHO_AUDIT; required)")
	e.ledger.audit.key.add(cmd, "audit-key-file")
	f.StringVar(&e.out, "out", "", "`FILE` to write, with mode 0600 (default: standard output)")
	f.BoolVar(&e.html, "html", false, "write a page to read and to print")
	f.BoolVar(&e.json, "json", false, "write the envelope alone (default)")
	return cmd
}

// run writes the receipt, and closes the request.
func (e *eraseReceipt) run(ctx context.Context, a *app, id string) error {
	if e.ledger.audit.dir = cmp.Or(e.ledger.audit.dir, a.getenv("NOECHO_AUDIT")); e.ledger.audit.dir == "" {
		return usageError("name the audit log with --log DIR")
	}
	ledger, r, err := e.ledger.read(a, id)
	if err != nil {
		return err
	}
	switch r.State {
	case govern.Purged:
	case govern.Closed:
		err := errors.New("the receipt was written already: the person has it, and the ledger has forgotten the salt")
		return errors.Join(err, e.ledger.write(ctx, a, ledger, r)) // the entry about the end, if a killed command lacks it
	default:
		return &exitError{Code: exitRefused, Err: fmt.Errorf("the request is %s: run erase purge until all points are shown", r.State)}
	}
	if err := e.ledger.write(ctx, a, ledger, r); err != nil { // the entry about the purge, if it is missing
		return err
	}
	receipt, text, err := e.seal(a, r)
	if err != nil {
		return err
	}
	if e.html {
		var b bytes.Buffer
		if err := receiptDocument(receipt, string(text)).Write(&b, "html"); err != nil {
			return err
		}
		text = b.Bytes()
	}
	if e.out == "" {
		_, err = a.stdout.Write(text)
	} else {
		err = replaceWith(e.out, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	if err := r.Close(time.Now()); err != nil {
		return err
	}
	return e.ledger.write(ctx, a, ledger, r)
}

// seal makes and signs the receipt.
func (e *eraseReceipt) seal(a *app, r *govern.Request) (*govern.Receipt, []byte, error) {
	dir := e.ledger.audit.dir
	signer, err := audit.ReadKey(e.ledger.audit.key.file(a, dir))
	if err != nil {
		return nil, nil, err
	}
	l, err := readStepLog(dir, "", r)
	if err != nil {
		return nil, nil, err
	}
	number := slices.IndexFunc(l.entries, func(e audit.Entry) bool { return e.Type == "request.purged" && e.ID == r.ID })
	if number < 0 {
		return nil, nil, errors.New("the audit log has no entry about the purge: name the log that erase purge wrote to")
	}
	proof, err := audit.Prove(dir, int64(number))
	if err != nil {
		return nil, nil, auditError(err)
	}
	receipt := &govern.Receipt{
		Request: r.ID, Law: r.Law, Kind: r.Kind, Received: r.Received, Purged: l.entries[number].Time,
		Index: r.Purge.Index, Model: r.Purge.Model, Checks: r.Purge.Checks, NotShown: notShown(),
		Salt: hex.EncodeToString(r.Purge.Salt), Commitments: r.Purge.C,
		Log: signer.Name(), Entry: int64(number), Proof: string(proof.Format()),
	}
	text, err := receipt.Seal(fmt.Sprintf("%s+%08x", signer.Name(), signer.KeyHash()), signer.Sign)
	return receipt, text, err
}

// receiptDocument draws a receipt, for the person. text is the envelope; empty: it is left out.
func receiptDocument(r *govern.Receipt, text string) *report.Document {
	d := &report.Document{Title: "Receipt for request " + r.Request, Facts: []report.Fact{
		{Name: "Request", Value: fmt.Sprintf("%s under %s, received on %s", r.Kind, strings.ToUpper(r.Law), r.Received)},
		{Name: "Done", Value: r.Purged.Format(time.DateOnly)},
		{Name: "New model", Value: r.Model},
		{Name: "Its index", Value: r.Index},
		{Name: "Audit log", Value: fmt.Sprintf("%s, entry %d", r.Log, r.Entry)},
		{Name: "Identifiers", Value: fmt.Sprintf("%s, of which this page has keyed hashes only", count(len(r.Commitments), "identifier"))},
	}, Tables: []report.Table{checksTable(r.Checks)}}
	d.Notes = append(d.Notes, "Keep this receipt, and give it to nobody whom you do not want to know that you made the request. With your address or name it shows that it is yours: noecho erase verify RECEIPT --key KEY --query FILE.")
	d.Notes = append(d.Notes, notShownNotes(r.NotShown)...)
	if text != "" {
		d.Facts = append(d.Facts, report.Fact{Name: "For programs", Value: strings.TrimSpace(text)})
	}
	return d
}

// eraseVerify contains the flags of erase verify.
type eraseVerify struct {
	log   string
	vkey  string
	query queryFlags
	out   outputFormat
}

func newEraseVerifyCommand(a *app) *cobra.Command {
	v := new(eraseVerify)
	cmd := &cobra.Command{
		Use:   "verify RECEIPT --key VKEY [--log DIR] [--query FILE]",
		Short: "Check a receipt, and whose it is",
		Long: `Check the signature of a receipt and the proof that the audit log has the entry about
the purge, with VKEY, the public key of the log. With --log, the whole log is verified
too, and that it has this entry. RECEIPT is what erase receipt wrote, also a page of
--html.

--query names a file with an address, a number or a name, as inventory find reads it. The
exit code is 1 if the receipt is not about all of them. Exit code 4 means that the
receipt or the log is not as it was written.`,
		Example: "  noecho erase verify receipt.json --key example.com/noecho+… --query me.json\n  noecho erase verify receipt.html --log audit --key example.com/noecho+…",
		Args:    exactArgs(1, "one receipt"),
		RunE: func(_ *cobra.Command, args []string) error {
			return v.run(a, args[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&v.vkey, "key", "", "public `VKEY` of the audit log (required)")
	f.StringVar(&v.log, "log", "", "`DIR` of the audit log")
	v.query.add(cmd)
	v.out.add(cmd)
	return cmd
}

// verified is the JSON of erase verify.
type verified struct {
	Request string         `json:"request"`
	Valid   bool           `json:"valid"`
	Log     string         `json:"log"` // "proof": the log itself was not given; "verified"
	Yours   string         `json:"yours"`
	Receipt govern.Receipt `json:"receipt"`
}

// run checks a receipt.
func (v *eraseVerify) run(a *app, path string) error {
	if err := v.out.check(); err != nil {
		return err
	}
	if v.vkey == "" {
		return usageError("name the public key of the audit log with --key")
	}
	key, err := audit.NewVerifier(v.vkey)
	if err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	text, err := readReceipt(path)
	if err != nil {
		return err
	}
	r, err := govern.OpenReceipt(text, key.Verify)
	if err == nil {
		err = v.proven(r, key)
	}
	if errors.Is(err, govern.ErrReceipt) || errors.Is(err, audit.ErrDamaged) {
		return &exitError{Code: exitIntegrity, Err: err}
	}
	if err != nil {
		return err
	}
	answer := verified{Request: r.Request, Valid: true, Log: "proof", Yours: "not asked", Receipt: *r}
	if v.log != "" {
		answer.Log = "verified"
	}
	if err := v.whose(a, r, &answer); err != nil {
		return err
	}
	d := receiptDocument(r, "")
	d.Facts = append([]report.Fact{
		{Name: "Receipt", Value: "as it was signed by " + r.Log},
		{Name: "Log", Value: map[string]string{"proof": "has the entry, by the proof in the receipt", "verified": "verified, and has the entry"}[answer.Log]},
		{Name: "Whose", Value: answer.Yours},
	}, d.Facts...)
	if err := v.out.write(a.stdout, answer, d); err != nil {
		return err
	}
	if strings.HasPrefix(answer.Yours, "NOT") {
		return &exitError{Code: exitFailure}
	}
	return nil
}

// readReceipt reads an envelope, or the page that has it.
func readReceipt(path string) ([]byte, error) {
	const most = 4 << 20
	text, err := readAtMost(path, most)
	if err != nil {
		return nil, fmt.Errorf("read the receipt: %w", err)
	}
	if !bytes.HasPrefix(text, []byte("<!DOCTYPE html>")) {
		return text, nil
	}
	_, page, _ := strings.Cut(html.UnescapeString(string(text)), `{"payload":`)
	var one json.RawMessage
	if err := json.NewDecoder(strings.NewReader(`{"payload":` + page)).Decode(&one); err != nil {
		return nil, &exitError{Code: exitIntegrity, Err: errors.New("the page has no receipt")}
	}
	return one, nil
}

// proven checks that the log has the entry about this purge.
func (v *eraseVerify) proven(r *govern.Receipt, key note.Verifier) error {
	proof, err := audit.ParseProof([]byte(r.Proof))
	if err != nil {
		return fmt.Errorf("%w: %w", govern.ErrReceipt, err)
	}
	if _, _, err := proof.Verify(key); err != nil {
		return err
	}
	e, err := audit.Decode(proof.Entry)
	if err != nil || !entryFits(&e, r) || proof.Number != r.Entry {
		return fmt.Errorf("%w: the entry of the log is about something else", govern.ErrReceipt)
	}
	if v.log == "" {
		return nil
	}
	same := false
	report, err := audit.Verify(v.log, audit.VerifyOptions{Key: v.vkey, Entry: func(number int64, record []byte) error {
		same = same || number == r.Entry && bytes.Equal(record, proof.Entry)
		return nil
	}})
	switch {
	case err != nil:
		return err
	case len(report.Problems) > 0:
		return fmt.Errorf("%w: %s", audit.ErrDamaged, strings.Join(report.Problems, "; "))
	case !same:
		return fmt.Errorf("%w: its entry %d is not the one of the receipt", audit.ErrDamaged, r.Entry)
	}
	return nil
}

// entryFits reports whether an entry of the log says the same as a receipt.
func entryFits(e *audit.Entry, r *govern.Receipt) bool {
	for i, c := range r.Commitments {
		if e.Digests["c"+strconv.Itoa(i+1)] != c {
			return false
		}
	}
	return e.Type == "request.purged" && e.ID == r.Request && e.Digests["model"] == r.Model && e.Digests["build"] == r.Index &&
		e.States["law"] == r.Law && e.States["kind"] == r.Kind && e.Time.Equal(r.Purged)
}

// whose compares the receipt with the query.
func (v *eraseVerify) whose(a *app, r *govern.Receipt, answer *verified) error {
	if !v.query.asked() {
		return nil
	}
	query, err := v.query.read(a)
	if err != nil {
		return err
	}
	forms := query.Committed()
	matched := 0
	for _, form := range forms {
		if r.Has(form.Kind, form.Text) {
			matched++
		}
	}
	switch {
	case len(forms) == 0:
		return usageError("name an address, a number or a name: a receipt says nothing of passages")
	case matched == len(forms):
		answer.Yours = fmt.Sprintf("the receipt is about %s of the query", count(matched, "identifier"))
	default:
		answer.Yours = fmt.Sprintf("NOT about %d of %s of the query", len(forms)-matched, count(len(forms), "identifier"))
	}
	return nil
}

// asked reports whether a flag describes somebody.
func (q *queryFlags) asked() bool {
	for _, values := range q.values {
		if len(*values) > 0 {
			return true
		}
	}
	return q.file != "" || q.text != "" || len(q.own)+len(q.ids) > 0
}
