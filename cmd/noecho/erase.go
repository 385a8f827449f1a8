package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"noecho/audit"
	"noecho/index"
	"noecho/index/build"
	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/index/inventory"
	"noecho/internal/report"
	"noecho/proxy/policy"
)

func newEraseCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "erase",
		Short: "Stop answers about a person",
		Long: `These commands support requests for erasure. A model that was trained on somebody's data
keeps them until another model is in its place; until then a suppression index stops its
answers about them.`,
		Example: "  noecho erase suppress --out suppress.nidx --query request.json --records rows.jsonl --corpus train.jsonl",
		Args:    knownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newEraseSuppressCommand(a))
	cmd.AddCommand(newEraseRequestCommands(a)...)
	return cmd
}

const eraseSuppressHelp = `Add a person to a suppression index: one small index file with the people of all requests.
noecho serve blocks whatever it finds in this index, in every mode and before all rules.
Name it beside the other indexes of noecho serve, and reload.

REQUEST is the number of the request, a ULID. Alerts name it. Without one a new number is
made and printed.

The person is described by the request in the ledger of --ledger, by --query, or by
--subjects LIST and --subject ID: names, addresses, numbers. Texts of ten words or more in
the rows about the person are blocked as well. These rows are found in the training files
of --corpus, as inventory find does it, or named with --records. Sentences that other rows
of --corpus have too, such as those of templates, stay allowed.

Only rows that an identifier belongs to are taken, and not those that only have the name;
--possible takes all matches, once a person has confirmed them. Exit code 1 means that the
search was not complete: the rows that were found are suppressed.

With --ledger the windows of the rows are kept there as the erase set, for erase purge.

The file of --out is replaced once the new one is complete, and keeps the people that it
has. It has room for --capacity windows in all; begin another file when it is full. With a
key of noecho index newkey nobody can guess who is in it.`

// The size of a suppression index, in windows of ten words. It takes 1 MB.
const suppressCapacity = 1 << 17

// suppression contains the flags of one run.
type suppression struct {
	query    queryFlags
	records  []string
	corpus   []string
	format   string
	keyFile  string
	capacity uint64
	sign     indexSign
	ledger   requestLedger
	find     inventoryFind
	possible bool
	out      string
	print    outputFormat
}

func newEraseSuppressCommand(a *app) *cobra.Command {
	s := new(suppression)
	cmd := &cobra.Command{
		Use:   "suppress [REQUEST] --out FILE --query FILE",
		Short: "Block a person's text and identifiers",
		Long:  eraseSuppressHelp,
		Example: `  noecho erase suppress --out suppress.nidx --key-file suppress.key --query request.json
  noecho erase suppress 01JDVZ3T0G5Q7X9A1B2C3D4E5F --out suppress.nidx --query - --records rows.jsonl --corpus train.jsonl <request.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError("name one request")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.run(cmd.Context(), a, strings.Join(args, ""))
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.out, "out", "", "the suppression index to write or to add to (required)")
	s.query.add(cmd)
	f.StringArrayVar(&s.records, "records", nil, "`INPUT` with the rows about the person; may be repeated")
	f.StringArrayVar(&s.corpus, "corpus", nil, "training `INPUT` whose other rows may have the same sentences; may be repeated")
	f.StringVar(&s.format, "input-format", string(corpus.Auto), "how these files are read: "+corpus.FormatNames())
	f.StringVar(&s.keyFile, "key-file", "", "`FILE` with the key of the suppression index (NOECHO_KEY_FILE)")
	f.Uint64Var(&s.capacity, "capacity", suppressCapacity, "windows that a new file has room for")
	f.StringVar(&s.sign.keyFile, "sign-key", "", "`FILE` with a secret key of noecho index keygen, to sign the index")
	s.ledger.add(cmd)
	f.StringArrayVar(&s.find.inventories, "inventory", nil, "inventory of --corpus, to find rows and to compare the files; may be repeated")
	f.StringArrayVar(&s.find.keys, "key", nil, "`FILE` with the key of the inventories; may be repeated")
	f.BoolVar(&s.possible, "possible", false, "take the possible matches too")
	s.ledger.audit.add(cmd)
	s.print.add(cmd)
	return cmd
}

// check checks the flags.
func (s *suppression) check(request string) error {
	_, badRequest := ulid.ParseStrict(request)
	_, badFormat := corpus.ParseFormat(s.format)
	switch {
	case s.out == "":
		return usageError("name the suppression index with --out FILE")
	case badRequest != nil:
		return usageError("the number of a request is a ULID, such as %s, so that it is nobody's name", ulid.Make())
	case badFormat != nil:
		return &exitError{Code: exitUsage, Err: badFormat}
	case len(s.records) > 0 && len(s.corpus) == 0:
		return usageError("--records needs --corpus, or sentences that other people's rows have too would be blocked")
	case len(s.find.inventories) > 0 && len(s.corpus) == 0:
		return usageError("--inventory needs --corpus: an inventory has no texts that could be suppressed")
	case holdsSomethingElse(s.out, indexHead):
		return usageError("%s exists and is not an index, so it is not overwritten; choose another --out", s.out)
	}
	return nil
}

// run adds a person to the index.
func (s *suppression) run(ctx context.Context, a *app, request string) error {
	if request == "" && s.ledger.named(a) {
		return usageError("name the request in the ledger: erase open printed its number, and erase status prints it")
	}
	request = cmp.Or(request, ulid.Make().String())
	if err := cmp.Or(s.print.check(), s.check(request)); err != nil {
		return err
	}
	var step eraseStep
	asker := a // who has the query on standard input
	if s.ledger.named(a) {
		if err := step.open(a, &s.ledger, request); err != nil {
			return err
		}
		if !s.query.asked() {
			again := *a
			again.stdin = bytes.NewReader(step.r.Query)
			asker, s.query = &again, queryFlags{file: "-"}
		}
	}
	query, err := s.query.read(asker)
	if err != nil {
		return err
	}
	o, err := s.options(a, query, request)
	if err != nil {
		return err
	}
	rows, err := s.rows(ctx, query, &o)
	if err != nil {
		return err
	}
	if err := s.ledger.audit.ready(ctx, a); err != nil {
		return err
	}
	if err := step.begin(ctx, a, &o, s.out); err != nil {
		return err
	}
	res, err := s.write(ctx, o, rows, &step)
	if err != nil {
		return buildError(ctx, err)
	}
	entry := indexEntry(audit.IndexMerged, &res.Info, res.Manifest)
	entry.IDs = map[string]string{"request": request}
	if err := s.ledger.audit.write(ctx, a, entry); err != nil {
		return err
	}
	if s.sign.keyFile != "" {
		if err := s.sign.run(ctx, &app{stdin: a.stdin, stdout: a.stderr, stderr: a.stderr, getenv: a.getenv}, s.out); err != nil {
			return err
		}
	}
	if err := step.end(ctx, a); err != nil {
		return err
	}
	if err := s.report(a, request, res, rows); err != nil {
		return err
	}
	return rows.incomplete(a)
}

// options returns the options of the build.
func (s *suppression) options(a *app, query *inventory.Query, request string) (build.Options, error) {
	format, err := corpus.ParseFormat(s.format)
	if err != nil {
		return build.Options{}, &exitError{Code: exitUsage, Err: err}
	}
	person, err := s.person(query, request)
	if err != nil {
		return build.Options{}, err
	}
	o := build.Options{
		Inputs: s.records, Others: s.corpus, Corpus: corpus.Options{Format: format},
		Dataset: policy.Erased, Labels: []string{policy.Erased}, RecordID: request, People: []corpus.Subject{person},
		NoIdentifiers: true, // those of other people in the rows
		Capacity:      s.capacity, AcceptUnread: true, Builder: readBuildInfo().Version,
	}
	if path := cmp.Or(s.keyFile, a.getenv("NOECHO_KEY_FILE")); path != "" {
		o.Key, err = readKey(path)
	}
	return o, err
}

// person returns the names and identifiers of the query.
func (s *suppression) person(query *inventory.Query, request string) (corpus.Subject, error) {
	p := corpus.Subject{ID: request, Labels: []string{policy.Erased}}
	for _, it := range query.Items {
		column := it.Kind
		switch it.Kind {
		case inventory.TextKind:
			if len(s.corpus) > 0 {
				continue // rows that have it are found
			}
			return p, usageError("a passage is suppressed as a row: write it into a file of --records")
		case inventory.NameKind, identify.Phone:
		default:
			column = inventory.AttributeKind
		}
		p.Attributes = append(p.Attributes, corpus.Attribute{Column: column, Value: it.Text})
	}
	return p, nil
}

// write builds the index of the person and unites it with the file, which is then replaced. Before
// that, the ledger gets the person's part of the index and the erase set.
func (s *suppression) write(ctx context.Context, o build.Options, rows *foundRows, step *eraseStep) (*build.Result, error) {
	lock, err := audit.Lock(ctx, s.out+".lock") // of two runs at a time, one would undo the other
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", s.out, err)
	}
	defer lock.Close()
	dir := s.out + ".new"
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil { // one that was killed may have left it
		return nil, fmt.Errorf("write %s: %w", s.out, err)
	}
	defer os.RemoveAll(dir)
	o.Out = filepath.Join(dir, "person.nidx")
	if err := rows.write(dir, &o); err != nil {
		return nil, err
	}
	if _, err := build.Build(ctx, o); err != nil {
		return nil, err
	}
	if err := step.keep(ctx, dir, o.Out); err != nil {
		return nil, err
	}
	m := build.MergeOptions{Out: s.out, Inputs: []string{o.Out}, Builder: o.Builder}
	if _, err := os.Stat(s.out); !errors.Is(err, fs.ErrNotExist) {
		m.Inputs = append(m.Inputs, s.out)
	}
	res, err := build.Merge(ctx, m)
	if differs, ok := errors.AsType[*index.MismatchError](err); ok {
		return nil, fmt.Errorf("nobody can be added to %s: the %s differs (%s, %s): give --key-file and --capacity as before, or name another --out and serve both", s.out, differs.Field, differs.Want, differs.Have)
	}
	if err != nil {
		return nil, fmt.Errorf("%s remains as it was: %w", s.out, err)
	}
	return res, nil
}

// report prints the result.
func (s *suppression) report(a *app, request string, res *build.Result, rows *foundRows) error {
	if s.print.name == "table" {
		_, err := fmt.Fprintf(a.stdout, "%s: request %s is suppressed once noecho serve has reloaded; %s in all, about %s of %d, build %s\n",
			s.out, request, count(res.Info.Records, "record"), count(res.Info.Distinct, "distinct window"), res.Info.Capacity, res.Info.BuildID[:12])
		return err
	}
	shown := struct {
		Request  string `json:"request"`
		Rows     int    `json:"rows"`     // that were found in the training files
		Possible int    `json:"possible"` // matches that were left out
		indexReport
	}{request, len(rows.taken), rows.possible, indexReport{File: s.out, Info: res.Info, Manifest: res.Manifest}}
	d := &report.Document{Title: "Answers about the person are blocked", Facts: []report.Fact{
		{Name: "Request", Value: request},
		{Name: "From when", Value: "from the next reload of the proxies with " + s.out},
		{Name: "Rows found in the training files", Value: strconv.Itoa(len(rows.taken))},
		{Name: "Possible matches, left out", Value: strconv.Itoa(rows.possible)},
		{Name: "Suppression index", Value: res.Info.BuildID},
	}, Notes: []string{"This is a measure until another model is in use. It erases nothing, and paraphrases pass."}}
	return s.print.write(a.stdout, shown, d)
}
