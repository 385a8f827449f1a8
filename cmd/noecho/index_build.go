package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"noecho/audit"
	"noecho/index"
	"noecho/index/build"
	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/index/inventory"
	"noecho/index/key"
	"noecho/internal/coverage"
	"noecho/internal/gram"
	"noecho/ngram"
)

const indexBuildHelp = `Build an index from the files that a model was trained on, so that noecho can
recognise text that the model repeats from them.

INPUT is a file, a folder with everything below it, a quoted pattern such as
'shards/**/*.jsonl', or - for standard input. --format says how the files are read:

  auto        files of rows are read row by row, each row by its own members: chats,
              completions, preferences, instructions and many more; any other file is
              one text. The format of the first row is reported.
  openai      JSON lines with the member messages.
  completion  JSON lines with the members prompt and completion.
  sharegpt    JSON rows with the member conversations.
  alpaca      JSON rows with the members instruction, input and output.
  jsonl       any JSON lines: --field names the members that contain text. A dot
              descends into objects: --field answer.text
  csv         CSV with a header row: --field names the columns that contain text.
  parquet     Parquet: any of the row formats above, or the columns of --field.
  text        text and Markdown: each file is one record.

Messages of all roles are read but those of system and developer, which every record
repeats; --roles '*' reads these too, --roles user,assistant only those. Text that no
format names is counted. If it is more than 1 % of an INPUT, the build ends before it
writes anything and names the flags that read that text; --accept-unread goes on.
--dry-run says which text would be read, and writes nothing.

JSON rows may be on lines of their own or in one array. Compressed files and archives
are unpacked while they are read.

The index stores hashes of windows. A window is --n words in a row of one text. A
text with fewer words cannot be indexed; the result says how many there were. Public
text is no leak: --exclude leaves out the windows of licences, templates and the
like. A record that cannot be read is reported with its file and line and left out;
with --strict it ends the build.

Identifiers are indexed too, in texts of any length: e-mail addresses, phone numbers,
IBANs, payment cards, US social security numbers, API keys and other random tokens.
Each is recognised in all the usual ways to write it. --pattern adds identifiers of
your own, such as order=ORD-[0-9]{6}. --subjects takes a list of people, one a row:
their names, addresses and numbers are recognised whether or not the inputs contain
them. Alerts print the ids in that list, so use pseudonyms as ids. --min-phrase
indexes texts that are shorter than a window; common short texts then cause many
findings.

Text that many records contain is usually boilerplate. --report writes the most
frequent windows to a file, each with the number of records that contain it and the
file and line of the first one, for a person to check; the file can then be given to
--exclude. --max-doc-freq N leaves out every window that more than N records contain.
Both read the corpus two more times, so they cannot be used with standard input.

The corpus is read twice: once to count windows, once to fill the index. With
--capacity it is not counted. From standard input, only the hashes of words are kept
in a temporary file, never text. The same input gives the same index, byte for byte.
The file of --out is replaced only when the new index is complete.

If the inputs have a row or an identifier of a list that erase exclude wrote, the build
ends with exit code 5 and names the rows. Give the list with --exclude, and with
--inventory-key the key of the inventory that the rows were found in.`

const indexBuildExample = `  noecho index build --out support-v3.nidx train.jsonl
  noecho index build --out docs.nidx --exclude licences/ handbook/ faq.md
  noecho index build --out notes.nidx --field text --field meta.title notes.jsonl
  noecho index build --out train.nidx 'shards/**/*.jsonl.gz'`

// indexBuild contains the flags of one build.
type indexBuild struct {
	options build.Options
	format  string
	hash    string
	keyFile string
	memory  byteSize
	mode    fileMode
	pattern []string
	audit   auditTarget

	inventoryKey string // path
	asJSON       bool
}

func newIndexBuildCommand(a *app) *cobra.Command {
	b := &indexBuild{memory: build.DefaultMemory}
	cmd := &cobra.Command{
		Use:     "build --out FILE INPUT...",
		Short:   "Build an index from training files",
		Long:    indexBuildHelp,
		Example: indexBuildExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			return b.run(cmd.Context(), a, args)
		},
	}
	f := cmd.Flags()
	o := &b.options
	f.StringVar(&o.Out, "out", "", "the index to write (required)")
	f.Var(&b.mode, "mode", fileModeHelp)
	f.StringVar(&b.format, "format", string(corpus.Auto), "how the inputs are read: "+corpus.FormatNames())
	f.StringArrayVar(&o.Corpus.Fields, "field", nil, "column of JSON lines, CSV or Parquet that contains text; may be repeated")
	f.StringArrayVar(&o.Corpus.IncludePath, "include-path", nil, "pattern of the files to read in folders; may be repeated")
	f.StringArrayVar(&o.Corpus.ExcludePath, "exclude-path", nil, "pattern of files and folders to leave out of folders; may be repeated")
	f.StringVar(&o.Corpus.Encoding, "encoding", "", "encoding of the lines that are not UTF-8, such as windows-1252")
	f.StringSliceVar(&o.Corpus.Roles, "roles", corpus.DefaultRoles(), "roles whose messages are indexed; * is every role, -x not that of x")
	f.IntVar(&o.N, "n", ngram.DefaultN, "words in a window")
	f.StringVar(&o.Name, "name", "", "`PREFIX` of record ids that are made of file and line: PREFIX/train.jsonl:18")
	f.StringVar(&o.Dataset, "dataset", "", "name of the dataset (default: each INPUT's own)")
	f.StringArrayVar(&o.Labels, "label", nil, "label of the records, and of the people of --subjects; may be repeated")
	f.StringVar(&o.Model, "model", "", "name of the model that was trained on the inputs")
	f.StringArrayVar(&o.Exclude, "exclude", nil, "file, folder, report or list of ignored windows that are not indexed, or a list of erased rows, with which a build is refused; may be repeated")
	f.BoolVar(&o.NoIdentifiers, "no-identifiers", false, "do not index e-mail addresses, phone, card and account numbers, keys and the like")
	f.StringArrayVar(&b.pattern, "pattern", nil, "`NAME=REGEX`: another kind of identifier, in RE2's syntax; may be repeated")
	f.StringVar(&o.Subjects, "subjects", "", "CSV or JSON lines of people: id, name, email, phone and other columns")
	f.IntVar(&o.MinPhrase, "min-phrase", 0, "also index texts that are shorter than a window and have at least this many words (default: none)")
	f.Uint64Var(&o.MaxDocFreq, "max-doc-freq", 0, "leave out windows that more records than this contain (default: none)")
	f.StringVar(&o.Report, "report", "", "file to write the most frequent windows to, as JSON lines")
	f.BoolVar(&o.ShowText, "show-text", false, "write the text of the windows into the report")
	f.StringVar(&b.hash, "hash", "", "how grams are hashed: xxh64, or siphash under a key (default: siphash if a key is named)")
	f.StringVar(&b.keyFile, "key-file", "", "`FILE` with a key of noecho index newkey (NOECHO_KEY_FILE)")
	f.Uint64Var(&o.Capacity, "capacity", 0, "number of distinct windows to make room for; without it they are counted first")
	f.StringVar(&o.Inventory, "inventory", "", "`FILE` to write an inventory to, which finds the rows about a person")
	f.StringVar(&b.inventoryKey, "inventory-key", "", "`FILE` with the key of the inventory, 64 hexadecimal digits")
	f.StringVar(&o.OptOut, "opt-out", "", "`LIST` of people who opted out, as --subjects; their rows are indexed, and marked in the inventory")
	f.StringVar(&o.Sensitivity, "sensitivity-field", "", "`NAME` of the column with the class of a row, for the inventory: PUBLIC, INTERNAL, CONFIDENTIAL, RESTRICTED")
	f.Var(&b.memory, "memory", "memory for building; with less memory the corpus is read more often")
	f.BoolVar(&o.NoLedger, "no-ledger", false, "do not store which record contains a text: findings then name no record")
	f.BoolVar(&o.Strict, "strict", false, "end the build at the first bad record")
	f.BoolVar(&o.AcceptUnread, "accept-unread", false, "build although more than 1 % of the text of an INPUT is not read")
	f.BoolVar(&o.DryRun, "dry-run", false, "say which text would be read, and write nothing")
	b.audit.add(cmd)
	f.BoolVar(&b.asJSON, "json", false, "print the result as JSON")
	return cmd
}

// run builds an index and prints the result.
func (b *indexBuild) run(ctx context.Context, a *app, inputs []string) error {
	o := b.options
	format, err := corpus.ParseFormat(b.format)
	switch {
	case o.Out == "" && !o.DryRun:
		return usageError("name the index to write with --out FILE")
	case len(inputs) == 0:
		return usageError("name the training files to index, or - for standard input")
	case err != nil:
		return &exitError{Code: exitUsage, Err: err}
	case o.ShowText && o.Report == "":
		return usageError("--show-text needs --report FILE")
	case o.N < ngram.MinN || o.N > ngram.MaxN:
		return usageError("--n %d is outside %d to %d words", o.N, ngram.MinN, ngram.MaxN)
	case o.MinPhrase < 0 || o.MinPhrase >= o.N || o.MinPhrase > gram.MaxPhraseWords:
		return usageError("--min-phrase %d is outside 1 to %d words", o.MinPhrase, min(o.N-1, gram.MaxPhraseWords))
	case holdsSomethingElse(o.Out, indexHead):
		return usageError("%s exists and is not an index, so it is not overwritten; choose another --out", o.Out)
	case o.Report != "" && filepath.Clean(o.Report) == filepath.Clean(o.Out):
		return usageError("--out and --report both name %s", o.Out)
	case o.Report != "" && holdsSomethingElse(o.Report, reportHead):
		return usageError("%s exists and is not a report, so it is not overwritten; choose another --report", o.Report)
	}
	if o.Patterns, err = parsePatterns(b.pattern); err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	if err := b.readInventory(&o); err != nil {
		return err
	}
	if o.Key, err = b.key(a); err != nil {
		return err
	}
	o.Inputs, o.Corpus.Format, o.Memory, o.Mode = inputs, format, int64(b.memory), fs.FileMode(b.mode)
	o.Stdin, o.Builder = &interruptible{ctx: ctx, from: a.stdin}, readBuildInfo().Version
	if err := b.audit.ready(ctx, a); err != nil {
		return err
	}
	notices := &noticePrinter{w: a.stderr, left: 20}
	o.Progress, o.Notice = new(build.Progress), notices.print
	bar := showBuild(a.stderr, o.Progress)
	res, err := build.Build(ctx, o)
	bar.stop()
	notices.close()
	var unread *coverage.UnreadError
	if errors.As(err, &unread) {
		printCoverage(a.stderr, "noecho: ", unread.Tables)
	}
	if err != nil {
		return buildError(ctx, err)
	}
	if !o.DryRun {
		entries := []audit.Entry{indexEntry(audit.IndexBuilt, &res.Info, res.Manifest)}
		if res.Inventory != nil {
			entries = append(entries, inventoryEntry(res))
		}
		err = b.audit.write(ctx, a, entries...)
	}
	return errors.Join(b.report(a.stdout, o.Out, res), err)
}

// readInventory reads the key of the inventory and the list of rows to leave out.
func (b *indexBuild) readInventory(o *build.Options) (err error) {
	if o.Erased, o.Exclude, err = readExclusions(o.Exclude); err != nil {
		return err
	}
	if o.InventoryKey, err = b.readInventoryKey(o.Erased != nil); err != nil || o.Erased == nil {
		return err
	}
	return inventoryError(o.Erased.Unlock(o.InventoryKey))
}

// readExclusions takes the list of rows to leave out from the files of --exclude; nil: there is
// none.
func readExclusions(paths []string) (list *inventory.Exclusions, others []string, err error) {
	for _, path := range paths {
		if st, err := os.Stat(path); err != nil || st.IsDir() || !beginsWith(path, inventory.ExclusionHead) {
			others = append(others, path)
			continue
		}
		if list != nil {
			return nil, nil, usageError("--exclude has two lists of rows to leave out: erase exclude adds all requests to one")
		}
		if list, err = openExclusions(path); err != nil {
			return nil, nil, err
		}
	}
	return list, others, nil
}

// openExclusions reads a list of rows to leave out.
func openExclusions(path string) (*inventory.Exclusions, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the list of rows to leave out: %w", err)
	}
	defer f.Close()
	list, err := inventory.ReadExclusions(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// beginsWith reports whether a file begins with a text.
func beginsWith(path, head string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false // opening it again will return the error
	}
	defer f.Close()
	begin := make([]byte, len(head))
	_, err = io.ReadFull(f, begin)
	return err == nil && string(begin) == head
}

// readInventoryKey checks the flags of the inventory, and returns its key; nil if none is
// asked for. erased says that there is a list of rows to leave out.
func (b *indexBuild) readInventoryKey(erased bool) (*inventory.Key, error) {
	path := b.options.Inventory
	switch {
	case path == "" && (b.options.OptOut != "" || b.options.Sensitivity != ""):
		return nil, usageError("--opt-out and --sensitivity-field are for an inventory: name it with --inventory FILE")
	case b.options.OptOut != "" && b.options.NoIdentifiers:
		return nil, usageError("--opt-out needs identifiers: leave out --no-identifiers")
	case erased && b.inventoryKey == "":
		return nil, usageError("the list of rows to leave out needs the key of the inventory: name it with --inventory-key FILE")
	case path == "" && erased:
	case path == "" && b.inventoryKey == "":
		return nil, nil
	case path == "" || b.inventoryKey == "":
		return nil, usageError("--inventory FILE and --inventory-key FILE go together")
	case slices.Contains([]string{filepath.Clean(b.options.Out), filepath.Clean(b.options.Report)}, filepath.Clean(path)):
		return nil, usageError("two outputs of the build have the name %s", path)
	case holdsSomethingElse(path, inventory.Magic):
		return nil, usageError("%s exists and is not an inventory, so it is not overwritten; choose another --inventory", path)
	}
	return readInventoryKey(b.inventoryKey)
}

// key returns the key of the build, nil for none.
func (b *indexBuild) key(a *app) (*key.Key, error) {
	path := cmp.Or(b.keyFile, a.getenv("NOECHO_KEY_FILE"))
	switch {
	case b.hash == "xxh64" && b.keyFile != "":
		return nil, usageError("--hash xxh64 takes no key: leave out --key-file, or --hash")
	case b.hash == "xxh64", b.hash == "" && path == "":
		return nil, nil
	case b.hash != "" && b.hash != "siphash":
		return nil, usageError("--hash %s: write xxh64 or siphash", b.hash)
	case path == "":
		return nil, usageError("--hash siphash needs a key: name its file with --key-file or NOECHO_KEY_FILE; noecho index newkey makes one")
	}
	return readKey(path)
}

// parsePatterns reads the values of --pattern.
func parsePatterns(texts []string) (all []identify.Pattern, err error) {
	for _, text := range texts {
		p, err := identify.ParsePattern(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o identify.Pattern) bool { return o.Name == p.Name }) {
			return nil, fmt.Errorf("two values of --pattern have the name %s: write them as one pattern, with |", p.Name)
		}
		all = append(all, p)
	}
	return all, nil
}

// reportHead is the beginning of every report of frequent windows.
const reportHead = `{"report":"noecho common windows",`

// holdsSomethingElse reports whether a file exists and does not begin with head. Such a
// file must not be replaced: it may be the training file that somebody typed in the
// wrong place.
func holdsSomethingElse(path, head string) bool {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return false // the attempt to replace it gives the better error
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	begin := make([]byte, len(head))
	n, _ := io.ReadFull(f, begin)
	return n > 0 && string(begin[:n]) != head[:n]
}

// report prints the result of a build.
func (b *indexBuild) report(w io.Writer, out string, res *build.Result) error {
	if b.asJSON {
		return json.NewEncoder(w).Encode(indexReport{File: out, Info: res.Info, Manifest: res.Manifest, Inventory: res.Inventory})
	}
	if b.options.DryRun {
		printCoverage(w, "", tables(res.Manifest))
		_, err := fmt.Fprintf(w, "not indexed: %s\nnothing was written\n", cmp.Or(res.Manifest.NotIndexed.String(), "nothing"))
		return err
	}
	in := res.Info
	phrases := ""
	if p := res.Manifest.Phrases; p != nil {
		phrases = "phrases: " + p.String() + "\n"
	}
	_, err := fmt.Fprintf(w, "wrote %s: %s, %s, about %s of %d words, %s, build %s\n%snot indexed: %s\n",
		out, count(in.Records, "record"), count(in.Words, "word"), count(in.Distinct, "distinct window"), in.N, humanBytes(in.Bytes), in.BuildID[:12], phrases,
		cmp.Or(res.Manifest.NotIndexed.String(), "nothing"))
	if v := res.Inventory; v != nil && err == nil {
		_, err = fmt.Fprintf(w, "wrote %s: inventory of %s, %s, %s, id %s\n", b.options.Inventory,
			count(v.Counts.Rows, "row"), count(v.Counts.Values, "identifier"), humanBytes(v.Bytes), v.ID[:12])
		if err == nil && b.options.OptOut != "" {
			_, err = fmt.Fprintf(w, "opt-out: %s about people who opted out, indexed like the others: leave them out of the training files\n", count(v.Counts.OptOut, "row"))
		}
	}
	printCoverage(w, "", tables(res.Manifest))
	if err == nil && res.Common > 0 {
		_, err = fmt.Fprintln(w, commonWindows(res, b.options.Report))
	}
	return err
}

// commonWindows says how many windows are in many records, and how to leave them out. report
// is the path of the report of common windows, empty if none was written.
func commonWindows(res *build.Result, report string) string {
	n, verb, about := count(res.Common, "window"), "are", ""
	if res.Common == 1 {
		verb = "is"
	}
	if res.Sampled {
		about = "about "
	}
	remedy := "see --report and --exclude"
	if report != "" {
		remedy = fmt.Sprintf("see %s, and leave out common text with --exclude", report)
	}
	return fmt.Sprintf("common text: %s%s %s in over 10 %% of the records; %s", about, n, verb, remedy)
}

// indexReport is the output of the index commands with --json.
type indexReport struct {
	File     string          `json:"file"`
	Info     index.Info      `json:"info"`
	Manifest *index.Manifest `json:"manifest"`

	Inventory *inventory.Info `json:"inventory,omitempty"` // nil: the build wrote none
}

// noticePrinter prints the first notices of a build, and counts the others.
type noticePrinter struct {
	w    io.Writer
	left int // how many more may be printed
	more int // how many were not printed
}

func (p *noticePrinter) print(note string) {
	if p.left == 0 {
		p.more++
		return
	}
	p.left--
	fmt.Fprintln(p.w, "noecho:", note)
}

func (p *noticePrinter) close() {
	if p.more > 0 {
		fmt.Fprintf(p.w, "noecho: and %d more notices like these\n", p.more)
	}
}

// showBuild draws one bar for all passes of a build or merge as they run.
func showBuild(w io.Writer, p *build.Progress) *progress {
	begun := time.Now()
	return showProgress(w, func() step { return buildStep(p, time.Since(begun)) })
}

// buildStep returns how far a build or merge has come after some time. Its bar counts
// thousandths of the work on all passes, of which each is taken to be as long as the others.
// While the size of the inputs is not known, the bar counts bytes.
func buildStep(p *build.Progress, elapsed time.Duration) step {
	const (
		whole   = 1000
		last    = 0.15            // of a pass: writing the tables and the file behind the last one
		settled = 2 * time.Second // before it the rate says little
	)
	pass, passes, total := p.Pass.Load(), p.Passes.Load(), p.Total.Load()
	name := fmt.Sprintf("pass %d of %d", pass, max(pass, passes))
	if total == 0 {
		return step{number: min(pass, 1), name: name, done: p.Bytes.Load(), total: -1, unit: progressbar.OptionShowBytes(true)}
	}
	share := min(1, float64(p.Bytes.Load())/float64(total))
	share = (float64(pass-1) + share) / (float64(max(pass, passes)) + last)
	if elapsed >= settled && share > 0 {
		left := time.Duration(float64(elapsed) * (1 - share) / share)
		name += fmt.Sprintf(", about %s left", max(time.Second, left.Round(time.Second)))
	}
	return step{number: 2, name: name, done: int64(share * whole), total: whole, unit: progressbar.OptionSetPredictTime(false)}
}
