package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"noecho/audit"
	"noecho/index"
	"noecho/index/build"
	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/index/inventory"
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

The person is described by --query, or by --subjects LIST and --subject ID: names,
addresses, numbers. --records names the rows that are about the person, whose texts of ten
words or more are blocked as well. Sentences of these rows that other rows have too, such
as those of templates, stay allowed: name the training files with --corpus. They may still
contain the rows of --records.

The file of --out is replaced once the new one is complete, and keeps the people that it
has. It has room for --capacity windows in all; begin another file when it is full. With a
key of noecho index newkey nobody can guess who is in it.`

// The size of a suppression index, in windows of ten words. It takes 1 MB.
const suppressCapacity = 1 << 17

// suppression contains the flags of one run.
type suppression struct {
	out      string
	query    queryFlags
	records  []string
	corpus   []string
	format   string
	keyFile  string
	capacity uint64
	sign     indexSign
	audit    auditTarget
	asJSON   bool
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
	s.audit.add(cmd)
	f.BoolVar(&s.asJSON, "json", false, "print the result as JSON")
	return cmd
}

// run adds a person to the index.
func (s *suppression) run(ctx context.Context, a *app, request string) error {
	request = cmp.Or(request, ulid.Make().String())
	format, err := corpus.ParseFormat(s.format)
	_, badRequest := ulid.ParseStrict(request)
	switch {
	case s.out == "":
		return usageError("name the suppression index with --out FILE")
	case badRequest != nil:
		return usageError("the number of a request is a ULID, such as %s, so that it is nobody's name", ulid.Make())
	case err != nil:
		return &exitError{Code: exitUsage, Err: err}
	case len(s.records) > 0 && len(s.corpus) == 0:
		return usageError("--records needs --corpus, or sentences that other people's rows have too would be blocked")
	case len(s.corpus) > 0 && len(s.records) == 0:
		return usageError("--corpus says which sentences of --records stay allowed: name the rows of the person")
	case holdsSomethingElse(s.out, indexHead):
		return usageError("%s exists and is not an index, so it is not overwritten; choose another --out", s.out)
	}
	person, err := s.person(a, request)
	if err != nil {
		return err
	}
	o := build.Options{
		Inputs: s.records, Others: s.corpus, Corpus: corpus.Options{Format: format},
		Dataset: policy.Erased, Labels: []string{policy.Erased}, RecordID: request, People: []corpus.Subject{person},
		NoIdentifiers: true, // those of other people in the rows
		Capacity:      s.capacity, AcceptUnread: true, Builder: readBuildInfo().Version,
	}
	if len(o.Inputs) == 0 {
		o.Inputs, o.Stdin, o.Corpus.Format = []string{corpus.Stdin}, strings.NewReader(""), corpus.Text
	}
	if path := cmp.Or(s.keyFile, a.getenv("NOECHO_KEY_FILE")); path != "" {
		if o.Key, err = readKey(path); err != nil {
			return err
		}
	}
	if err := s.audit.ready(ctx, a); err != nil {
		return err
	}
	res, err := s.write(ctx, o)
	if err != nil {
		return buildError(ctx, err)
	}
	entry := indexEntry(audit.IndexMerged, &res.Info, res.Manifest)
	entry.IDs = map[string]string{"request": request}
	if err := s.audit.write(ctx, a, entry); err != nil {
		return err
	}
	if s.sign.keyFile != "" {
		if err := s.sign.run(ctx, &app{stdin: a.stdin, stdout: a.stderr, stderr: a.stderr, getenv: a.getenv}, s.out); err != nil {
			return err
		}
	}
	return s.print(a, request, res)
}

// person returns the names and identifiers that the flags describe.
func (s *suppression) person(a *app, request string) (corpus.Subject, error) {
	p := corpus.Subject{ID: request, Labels: []string{policy.Erased}}
	query, err := s.query.read(a)
	if err != nil {
		return p, err
	}
	for _, it := range query.Items {
		column := it.Kind
		switch it.Kind {
		case inventory.TextKind:
			return p, usageError("a passage is suppressed as a row: write it into a file of --records")
		case inventory.NameKind, identify.Phone:
		default:
			column = inventory.AttributeKind
		}
		p.Attributes = append(p.Attributes, corpus.Attribute{Column: column, Value: it.Text})
	}
	return p, nil
}

// write builds the index of the person and unites it with the file, which is then replaced.
func (s *suppression) write(ctx context.Context, o build.Options) (*build.Result, error) {
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
	if _, err := build.Build(ctx, o); err != nil {
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

// print prints the result.
func (s *suppression) print(a *app, request string, res *build.Result) error {
	if s.asJSON {
		return json.NewEncoder(a.stdout).Encode(struct {
			Request string `json:"request"`
			indexReport
		}{request, indexReport{File: s.out, Info: res.Info, Manifest: res.Manifest}})
	}
	_, err := fmt.Fprintf(a.stdout, "%s: request %s is suppressed once noecho serve has reloaded; %s in all, about %s of %d, build %s\n",
		s.out, request, count(res.Info.Records, "record"), count(res.Info.Distinct, "distinct window"), res.Info.Capacity, res.Info.BuildID[:12])
	return err
}
