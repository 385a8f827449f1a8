package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"noecho/audit"
	"noecho/index"
	"noecho/index/build"
	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/index/inventory"
	"noecho/internal/report"
)

// newInventoryCommand returns the parent of the commands that ask inventories.
func newInventoryCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "Find the rows of the training files that are about a person",
		Long: `An inventory is one file that says which rows of the training files contain an e-mail
address, a telephone, card or account number, another identifier, or a name of a list of
people. noecho index build --inventory writes it beside the index. It contains keyed
hashes, names of files and ids of rows, and no text. With its key somebody can ask it
about anybody, so keep the key apart from it.`,
		Example: `  noecho index newkey inventory.key
  noecho index build --out train.nidx --inventory train.ninv --inventory-key inventory.key train.jsonl
  noecho inventory show train.ninv --by kind
  noecho inventory find --inventory train.ninv --key inventory.key --query request.json`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newInventoryFindCommand(a), newInventoryPacketCommand(a), newInventoryShowCommand(a), newInventoryVerifyCommand(a))
	return cmd
}

// inventoryError sets the exit code of an error of package inventory.
func inventoryError(err error) error {
	switch {
	case errors.Is(err, inventory.ErrDamaged):
		return &exitError{Code: exitIntegrity, Err: fmt.Errorf("%w: copy the file again, or build it anew", err)}
	case errors.Is(err, inventory.ErrKey):
		return &exitError{Code: exitUsage, Err: err}
	default:
		return err
	}
}

// readInventoryKey reads a file with the key of an inventory. No error quotes the file.
func readInventoryKey(path string) (*inventory.Key, error) {
	text, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	k, err := inventory.ParseKey(text)
	if err != nil {
		return nil, usageError("%s is no key: %w", path, err)
	}
	return k, nil
}

// inventoryEntry returns the entry of the audit log about a new inventory.
func inventoryEntry(res *build.Result) audit.Entry {
	v := res.Inventory
	return audit.Entry{
		Type:    audit.InventoryBuilt,
		Counts:  map[string]uint64{"rows": v.Counts.Rows, "values": v.Counts.Values, "postings": v.Counts.Postings, "bytes": v.Bytes, "opt_out": v.Counts.OptOut},
		Digests: map[string]string{"inventory": v.ID, "build": res.Info.BuildID},
	}
}

// plainFormat is the format for a terminal. Commands that had another output before they knew
// formats keep that one for it.
const plainFormat = "table"

// outputFormat are the flags for the format of a report.
type outputFormat struct {
	name            string
	json, csv, html bool
}

func (o *outputFormat) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.name, "format", plainFormat, "`FORMAT` of the answer: json, "+report.Formats)
	f.BoolVar(&o.json, "json", false, "the same as --format json")
	f.BoolVar(&o.csv, "csv", false, "the same as --format csv")
	f.BoolVar(&o.html, "html", false, "the same as --format html: a page to read and to print")
}

// check returns an error unless one known format is named.
func (o *outputFormat) check() error {
	named := 0
	for name, set := range map[string]bool{"json": o.json, "csv": o.csv, "html": o.html} {
		if set {
			o.name = name
			named++
		}
	}
	if known := append(strings.Split(report.Formats, ", "), "json"); named > 1 || !slices.Contains(known, o.name) {
		return usageError("name one format: json, %s", report.Formats)
	}
	return nil
}

// write writes a value as JSON, or else the document that is drawn from it.
func (o *outputFormat) write(w io.Writer, value any, d *report.Document) error {
	if o.name == "json" {
		return json.NewEncoder(w).Encode(value)
	}
	return d.Write(w, o.name)
}

// verifiedInventory is the JSON of inventory verify.
type verifiedInventory struct {
	File string `json:"file"`
	ID   string `json:"id"`
	OK   bool   `json:"ok"`
}

func newInventoryVerifyCommand(a *app) *cobra.Command {
	var out outputFormat
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check every byte of an inventory",
		Long: `Read the inventory in FILE and check every byte. Exit code 4 means that it is damaged.
--html makes a page of the result to print and to file.`,
		Example: "  noecho inventory verify train.ninv",
		Args:    exactArgs(1, "one inventory"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			f, err := inventory.Open(args[0])
			if err != nil {
				return inventoryError(err)
			}
			defer f.Close()
			if err := f.Verify(); err != nil {
				return inventoryError(fmt.Errorf("%s: %w", args[0], err))
			}
			if out.name == plainFormat {
				_, err = fmt.Fprintf(a.stdout, "%s: no damage, inventory %s\n", args[0], f.ID[:12])
				return err
			}
			v := verifiedInventory{File: args[0], ID: f.ID, OK: true}
			return out.write(a.stdout, v, &report.Document{
				Title: "Check of an inventory",
				Facts: []report.Fact{{Name: "Result", Value: "No damage: every byte is as it was written."}, printedNow()},
				Tables: []report.Table{{
					Title: "Checked", Columns: []string{"property", "value"},
					Rows: [][]string{{"file", filepath.Base(args[0])}, {"inventory", f.ID}},
				}},
			})
		},
	}
	out.add(cmd)
	return cmd
}

func newInventoryShowCommand(a *app) *cobra.Command {
	var by string
	var out outputFormat
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Print how many rows and identifiers an inventory has",
		Long: `Print how many rows of which dataset, label, kind of identifier, sensitivity or input
file the inventory in FILE has, and the files with their digests. There are counts only,
and it takes no key.`,
		Example: "  noecho inventory show train.ninv\n  noecho inventory show train.ninv --by kind --html >inventory.html",
		Args:    exactArgs(1, "one inventory"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if !slices.Contains(inventory.Groupings(), by) {
				return usageError("--by %s: use one of %s", by, strings.Join(inventory.Groupings(), ", "))
			}
			return inventoryError(showInventory(a.stdout, args[0], by, &out))
		},
	}
	cmd.Flags().StringVar(&by, "by", "dataset", "`WHAT` to count by: "+strings.Join(inventory.Groupings(), ", "))
	out.add(cmd)
	return cmd
}

// shownInventory is the JSON of inventory show.
type shownInventory struct {
	File   string            `json:"file"`
	ID     string            `json:"id"`
	Meta   inventory.Meta    `json:"meta"`
	By     string            `json:"by"`
	Groups []inventory.Group `json:"groups"`
	Files  []shownFile       `json:"files"`
}

// shownFile is a training file.
type shownFile struct {
	Name   string `json:"name"`
	Bytes  uint64 `json:"bytes"`
	SHA256 string `json:"sha256"`
	Of     string `json:"of"` // "file", or "text": standard input that was compressed
}

// showInventory prints the counts of an inventory.
func showInventory(w io.Writer, path, by string, out *outputFormat) error {
	f, err := inventory.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s := shownInventory{File: path, ID: f.ID, Meta: f.Meta, By: by, Groups: []inventory.Group{}}
	if s.Groups, err = f.Groups(by); err != nil {
		return err
	}
	files, err := f.Files()
	if err != nil {
		return err
	}
	for _, d := range files {
		of := "file"
		if d.OfText {
			of = "text"
		}
		s.Files = append(s.Files, shownFile{d.Name, d.Bytes, fmt.Sprintf("%x", d.Digest), of})
	}
	return out.write(w, s, s.document())
}

// document draws the counts.
func (s *shownInventory) document() *report.Document {
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	d := &report.Document{Title: "Inventory of training data", Facts: []report.Fact{
		{Name: "Inventory", Value: s.ID},
		{Name: "Index", Value: s.Meta.IndexBuild},
		{Name: "Model", Value: cmp.Or(s.Meta.Model, "not named")},
		{Name: "Rows", Value: number(s.Meta.Counts.Rows)},
		{Name: "Different identifiers", Value: number(s.Meta.Counts.Values)},
		{Name: "Looked for", Value: cmp.Or(strings.Join(s.Meta.Kinds, ", "), "nothing")},
		{Name: "Class of a row", Value: cmp.Or(s.Meta.Classes, "not read")},
		{Name: "Opted out", Value: "not compared with a list"},
	}}
	if s.Meta.OptOut != "" {
		d.Facts[len(d.Facts)-1].Value = number(s.Meta.Counts.OptOut) + " rows about people who opted out"
	}
	if u := s.Meta.Unread; u.Any() {
		d.Facts = append(d.Facts, report.Fact{Name: "Not read", Value: fmt.Sprintf("%d rows, %d files, %d bytes of text", u.BadRecords, u.SkippedFiles, u.Bytes)})
	}
	t := report.Table{Title: "By " + s.By, Columns: []string{s.By, "rows", "identifiers", "kinds"}, Empty: "No rows."}
	for _, g := range s.Groups {
		t.Rows = append(t.Rows, []string{g.Name, number(g.Rows), number(g.Identifiers), kindsText(g.Kinds)})
	}
	if s.By == "kind" {
		t.Columns = []string{s.By, "different", "found"}
		for i := range t.Rows {
			t.Rows[i] = []string{t.Rows[i][0], number(s.Meta.Counts.Distinct[t.Rows[i][0]]), t.Rows[i][2]}
		}
	}
	files := report.Table{Title: "Files", Columns: []string{"file", "bytes", "SHA-256"}, Empty: "No files."}
	for _, f := range s.Files {
		files.Rows = append(files.Rows, []string{f.Name, number(f.Bytes), f.SHA256})
	}
	d.Tables = []report.Table{t, files}
	d.Notes = []string{"These counts support records of processing. They are not a judgement of its lawfulness."}
	return d
}

// kindsText lists numbers of identifiers by kind.
func kindsText(kinds []inventory.KindN) string {
	var parts []string
	for _, k := range kinds {
		parts = append(parts, fmt.Sprintf("%s %d", k.Kind, k.Count))
	}
	return strings.Join(parts, ", ")
}

// matchedText lists the matches by kind, those of several searches once.
func matchedText(matched []inventory.Match) string {
	var kinds []inventory.KindN
	for _, m := range matched {
		i := slices.IndexFunc(kinds, func(k inventory.KindN) bool { return k.Kind == m.Kind })
		if i < 0 {
			i, kinds = len(kinds), append(kinds, inventory.KindN{Kind: m.Kind})
		}
		kinds[i].Count = max(kinds[i].Count, m.Count)
	}
	return kindsText(kinds)
}

// queryFlags are the flags that say whom a search is about.
type queryFlags struct {
	file     string
	values   map[string]*[]string // by kind
	own      []string
	text     string
	subjects string
	ids      []string
}

func (q *queryFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&q.file, "query", "", "`FILE` of JSON with what is asked for, or - for standard input: {\"email\":[…],\"phone\":[…],\"name\":[…],\"id\":{\"order\":[…]}}")
	q.values = map[string]*[]string{}
	for _, kind := range []string{identify.Email, identify.Phone, identify.IBAN, identify.Card, inventory.NameKind} {
		q.values[kind] = f.StringArray(kind, nil, "a value of this kind to look for; other users of the machine can see it; may be repeated")
	}
	f.StringArrayVar(&q.own, "id", nil, "`KIND=VALUE`: an identifier of a --pattern or another kind, seen by other users too; may be repeated")
	f.StringVar(&q.text, "text", "", "`FILE` of a passage of text to look for")
	f.StringVar(&q.subjects, "subjects", "", "`LIST` of people, as index build --subjects takes it")
	f.StringArrayVar(&q.ids, "subject", nil, "`ID` of a person in the list of --subjects; may be repeated")
}

// read returns the query.
func (q *queryFlags) read(a *app) (*inventory.Query, error) {
	query, ids, err := q.readFile(a)
	if err != nil {
		return nil, &exitError{Code: exitUsage, Err: err}
	}
	warned := ""
	for kind, values := range q.values {
		for _, v := range *values {
			warned = kind
			err = errors.Join(err, query.Add(kind, v))
		}
	}
	for _, pair := range q.own {
		warned = "id"
		kind, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, usageError("--id is KIND=VALUE")
		}
		err = errors.Join(err, query.Add(kind, value))
	}
	if warned != "" {
		fmt.Fprintf(a.stderr, "noecho: the value of --%s shows in the list of processes and in the history of the shell: write it into a file for --query\n", warned)
	}
	if q.text != "" {
		text, readErr := readPassage(q.text)
		err = errors.Join(err, readErr)
		if readErr == nil {
			err = errors.Join(err, query.Add(inventory.TextKind, text))
		}
	}
	if ids = append(ids, q.ids...); len(ids) > 0 {
		if q.subjects == "" {
			return nil, usageError("name the list of people with --subjects LIST")
		}
		list, _, readErr := corpus.ReadSubjects(q.subjects)
		if readErr != nil {
			return nil, readErr
		}
		for _, id := range ids {
			err = errors.Join(err, query.AddSubject(list, id))
		}
	}
	switch {
	case err != nil:
		return nil, &exitError{Code: exitUsage, Err: err}
	case len(query.Items) == 0:
		return nil, usageError("say what is asked for with --query FILE")
	}
	return query, nil
}

// readFile reads the file of --query.
func (q *queryFlags) readFile(a *app) (*inventory.Query, []string, error) {
	switch q.file {
	case "":
		return new(inventory.Query), nil, nil
	case "-":
		return inventory.ReadQuery(a.stdin)
	}
	f, err := os.Open(q.file)
	if err != nil {
		return nil, nil, fmt.Errorf("read the query: %w", err)
	}
	defer f.Close()
	return inventory.ReadQuery(f)
}

// readPassage reads the file of --text.
func readPassage(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the passage: %w", err)
	}
	defer f.Close()
	const most = 1 << 20
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(b) > most {
		err = errors.New("it is longer than 1 MiB")
	}
	if err != nil {
		return "", fmt.Errorf("read the passage: %w", err)
	}
	return string(b), nil
}

const inventoryFindHelp = `Find the rows of the training files that have an identifier, a name or a passage of text.

Put what is asked for into a file for --query, or pipe it to --query -, so that other
users of the machine do not see it:

  {"email": "ann@example.org", "phone": ["+44 20 7946 0958"], "name": "Ann Ray",
   "iban": [], "card": [], "id": {"order": "ORD-123456"}, "subject": "p-4711"}

An inventory knows every row, an index the first record of an identifier in each dataset,
and the training files themselves have all of their text: also passages, names of no list,
and identifiers that are written in words. With --inventory, --corpus is also compared with
the digests in it. A telephone number is found with and without its country code, a name in any order of its
words if the build knew it from --subjects. A match that may belong to another person is
marked "possible". A person has to confirm every match: equal names are not equal people.

Exit code 3 means that something was found, 0 that everything was searched and nothing was
found, 1 that the search is not complete and the answer says why, 2 that a key does not
belong to an inventory, 4 that an inventory is damaged.`

// inventoryFind contains the flags of one search.
type inventoryFind struct {
	inventories, keys []string
	indexes           []string
	indexKeys         keyFiles
	sources           inventory.Sources
	inputFormat       string
	query             queryFlags
	out               outputFormat
}

func newInventoryFindCommand(a *app) *cobra.Command {
	s := new(inventoryFind)
	cmd := &cobra.Command{
		Use:   "find (--inventory FILE --key FILE | --index FILE | --corpus INPUT)... --query FILE",
		Short: "Find the rows that have an identifier, a name or a passage",
		Long:  inventoryFindHelp,
		Example: `  noecho inventory find --inventory train.ninv --key inventory.key --query request.json
  noecho inventory find --inventory train.ninv --key inventory.key --corpus train.jsonl --query - --html <request.json >answer.html
  noecho inventory find --corpus data/ --text passage.txt --csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.run(cmd.Context(), a)
		},
	}
	s.add(cmd)
	s.out.add(cmd)
	return cmd
}

func (s *inventoryFind) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&s.inventories, "inventory", nil, "inventory to search; may be repeated")
	f.StringArrayVar(&s.keys, "key", nil, "`FILE` with the key of the inventories; may be repeated")
	f.StringArrayVar(&s.indexes, "index", nil, "index to search; may be repeated")
	s.indexKeys.add(cmd)
	f.StringArrayVar(&s.sources.Inputs, "corpus", nil, "training `INPUT` to search, a file, a folder, a pattern or -; may be repeated")
	f.StringVar(&s.inputFormat, "input-format", string(corpus.Auto), "how the training files are read: "+corpus.FormatNames())
	f.StringArrayVar(&s.sources.Options.Fields, "field", nil, "column of the training files that contains text; may be repeated")
	f.StringArrayVar(&s.sources.Options.IncludePath, "include-path", nil, "pattern of the files to read in folders; may be repeated")
	f.StringArrayVar(&s.sources.Options.ExcludePath, "exclude-path", nil, "pattern of files and folders to leave out of folders; may be repeated")
	f.StringVar(&s.sources.Options.Encoding, "encoding", "", "encoding of the lines that are not UTF-8, such as windows-1252")
	s.query.add(cmd)
}

// run searches and prints the answer.
func (s *inventoryFind) run(ctx context.Context, a *app) error {
	if err := s.out.check(); err != nil {
		return err
	}
	answer, err := s.search(ctx, a)
	if err != nil {
		return err
	}
	if err := s.out.write(a.stdout, answer, answerDocument(answer)); err != nil {
		return err
	}
	return answerError(a.stderr, answer)
}

// answerError says why an answer is not complete, and returns its exit code.
func answerError(w io.Writer, answer *inventory.Answer) error {
	for _, one := range answer.Searched {
		for _, why := range one.Why {
			fmt.Fprintf(w, "noecho: the search is not complete: %s: %s\n", one.Name, why)
		}
	}
	switch {
	case !answer.Complete:
		return &exitError{Code: exitFailure}
	case len(answer.Findings) > 0:
		return &exitError{Code: exitFindings}
	default:
		return nil
	}
}

// search opens all that is named and searches it.
func (s *inventoryFind) search(ctx context.Context, a *app) (*inventory.Answer, error) {
	if len(s.inventories)+len(s.indexes)+len(s.sources.Inputs) == 0 {
		return nil, usageError("name what to search with --inventory FILE, --index FILE or --corpus INPUT")
	}
	if s.query.file == "-" && slices.Contains(s.sources.Inputs, corpus.Stdin) {
		return nil, usageError("--query and --corpus cannot both be standard input")
	}
	format, err := corpus.ParseFormat(s.inputFormat)
	if err != nil {
		return nil, &exitError{Code: exitUsage, Err: err}
	}
	run := inventory.Search{}
	if run.Query, err = s.query.read(a); err != nil {
		return nil, err
	}
	files, err := openInventories(s.inventories, s.keys)
	if err != nil {
		return nil, inventoryError(err)
	}
	for i, f := range files {
		defer f.Close()
		run.Inventories = append(run.Inventories, inventory.Named[*inventory.File]{Name: s.inventories[i], In: f})
	}
	keys, err := s.indexKeys.read(a)
	if err != nil {
		return nil, err
	}
	for _, path := range s.indexes {
		ix, err := index.OpenKeyed(path, keys)
		if err != nil {
			return nil, indexError(keyError(err, keys))
		}
		defer ix.Close()
		run.Indexes = append(run.Indexes, inventory.Named[*index.Index]{Name: path, In: ix})
	}
	if len(s.sources.Inputs) > 0 {
		s.sources.Options.Format, s.sources.Stdin, s.sources.Workers = format, &interruptible{ctx: ctx, from: a.stdin}, runtime.GOMAXPROCS(0)
		run.Files = &s.sources
	}
	answer, err := run.Run(ctx)
	return answer, inventoryError(err)
}

// openInventories opens inventories and finds the key of each.
func openInventories(paths, keyPaths []string) (files []*inventory.File, err error) {
	defer func() {
		if err != nil {
			for _, f := range files {
				_ = f.Close()
			}
		}
	}()
	var keys []*inventory.Key
	for _, path := range keyPaths {
		k, err := readInventoryKey(path)
		if err != nil {
			return files, err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 && len(paths) > 0 {
		return files, usageError("name the key of the inventory with --key FILE")
	}
	for _, path := range paths {
		f, err := inventory.Open(path)
		if err != nil {
			return files, err
		}
		files = append(files, f)
		if !slices.ContainsFunc(keys, func(k *inventory.Key) bool { return f.Unlock(k) == nil }) {
			return files, fmt.Errorf("%s: %w than that of --key", path, inventory.ErrKey)
		}
	}
	return files, nil
}

// verdict is the answer in one sentence.
func verdict(a *inventory.Answer) string {
	switch n := len(a.Findings); {
	case n > 0 && a.Complete:
		return fmt.Sprintf("%s found, and all that was named was searched.", count(n, "row"))
	case n > 0:
		return fmt.Sprintf("%s found. The search is NOT complete: there may be more.", count(n, "row"))
	case !a.Complete:
		return "Nothing was found, but the search is NOT complete: this is no answer yet."
	default:
		return "Nothing was found, and all that was named was searched."
	}
}

// answerDocument draws an answer in the words of a privacy office.
func answerDocument(a *inventory.Answer) *report.Document {
	d := &report.Document{Title: "Search of training data for one person or passage"}
	d.Facts = []report.Fact{{Name: "Result", Value: verdict(a)}, {Name: "Asked for", Value: strings.Join(a.Asked, ", ")}}
	complete := map[bool]string{true: "yes", false: "no"}
	found := report.Table{
		Title: "Rows", Empty: "None.",
		Columns: []string{"record", "dataset", "labels", "file", "line", "matched", "certainty", "others in the row", "flags", "models", "row hash", "search complete", "sensitivity"},
	}
	for _, f := range a.Findings {
		line, sure := "", "possible"
		if f.Line > 0 {
			line = strconv.FormatUint(f.Line, 10)
		}
		if f.Sure {
			sure = "match"
		}
		found.Rows = append(found.Rows, []string{
			f.Record, f.Dataset, strings.Join(f.Labels, ", "), f.File, line, matchedText(f.Matched), sure, kindsText(f.Others),
			strings.Join(f.Flags, ", "), strings.Join(f.Models, ", "), f.Row, complete[a.Complete], f.Class,
		})
	}
	searched := report.Table{Title: "What was searched", Columns: []string{"what", "name", "rows", "complete", "why not", "limits"}, Empty: "Nothing."}
	for _, s := range a.Searched {
		searched.Rows = append(searched.Rows, []string{s.What, s.Name, strconv.FormatUint(s.Rows, 10), complete[s.Complete], strings.Join(s.Why, "; "), strings.Join(s.Note, "; ")})
	}
	d.Tables = []report.Table{found, searched}
	d.Notes = []string{
		"A person has to confirm each match. An equal name is not an equal person; a possible match may be somebody else's.",
		"The column of others counts identifiers of the same row that were not asked for; they may be those of other people (Art. 15(4) GDPR).",
		"This report supports an answer to a request. It gives no legal advice.",
	}
	return d
}
