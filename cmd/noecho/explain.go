package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/internal/gram"
	"noecho/ngram"
	"noecho/proxy/alert"
)

// explain is one run of the command.
type explain struct {
	a       *app
	sources []string
	format  string
	options corpus.Options
	keys    keyFiles
	n       int
	ids     []string
	full    bool
	asJSON  bool

	hashes  []func(lo uint64) uint64 // of a window as alerts name it: one for each key
	alerts  []*explained
	windows map[int]wantedDigests // by words in a gram
	phrases wantedDigests
}

// wantedDigests are the alerts that have a digest.
type wantedDigests map[uint64][]*explained

// explained is an alert, and the record that explains it best.
type explained struct {
	ev    alert.Event
	best  explanation
	score int // of best: different digests in its span; 0: none was found
}

// explanation is a place in a record. Other programs read it.
type explanation struct {
	Alert  string `json:"alert"` // its id
	File   string `json:"file"`
	Line   int    `json:"line"`
	Record string `json:"record"`
	Before string `json:"before"` // text of the record
	Span   string `json:"span"`   // the text that was found
	After  string `json:"after"`
}

func newExplainCommand(a *app) *cobra.Command {
	x := &explain{a: a}
	cmd := &cobra.Command{
		Use:   "explain --corpus FILE... [--id ID]... [FILE|-]",
		Short: "Show the training text that alerts are about",
		Long: `Read alert lines, look for the digests of their findings in training files, and print
for each the record with the text that was found between >>> and <<<. An alert contains
no text, so this needs the files from which the index was built, and it prints training
data: run it where these files are, as somebody who may read them.

Of several records with the text, one that the alert names is shown. An identifier is found
in the way in which the answer wrote it, and in the usual other ways. If the text of an
alert is not found, the exit code is 1: the files are others, or --n or --key-file are not
those of the index.`,
		Example: `  noecho explain --corpus train.jsonl --id 01M8JN73SF5M6PFQQGTWC1AF8W alerts.jsonl
  noecho tail -o json --severity high | noecho explain --corpus 'shards/*.parquet' -`,
		RunE: func(cmd *cobra.Command, args []string) error { return x.run(cmd.Context(), args) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&x.sources, "corpus", nil, "training `FILE`, folder or pattern; may be repeated (required)")
	f.StringVar(&x.format, "format", string(corpus.Auto), "how the training files are read: "+corpus.FormatNames())
	f.StringArrayVar(&x.options.Fields, "field", nil, "column of JSON lines, CSV or Parquet that contains text; may be repeated")
	f.StringVar(&x.options.Encoding, "encoding", "", "encoding of the lines that are not UTF-8, such as windows-1252")
	x.keys.add(cmd)
	f.IntVar(&x.n, "n", ngram.DefaultN, "words in a window of the index")
	f.StringArrayVar(&x.ids, "id", nil, "`ID` of the alert that is meant; may be repeated (default: all alerts of the input)")
	f.BoolVar(&x.full, "full", false, "print the whole text, and not only the beginning and end around the span")
	f.BoolVar(&x.asJSON, "json", false, "print one line of JSON for each alert")
	return cmd
}

func (x *explain) run(ctx context.Context, args []string) error {
	if len(x.sources) == 0 {
		return usageError("name the training files with --corpus FILE")
	}
	if len(args) > 1 {
		return usageError("explain reads one file of alerts, got %d: name each training file with a --corpus of its own", len(args))
	}
	format, err := corpus.ParseFormat(x.format)
	if err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	x.options.Format, x.options.Roles, x.options.Window = format, []string{corpus.AnyRole}, x.n
	keys, err := x.keys.read(x.a)
	if err != nil {
		return err
	}
	x.hashes = append(x.hashes, func(lo uint64) uint64 { return lo })
	if len(keys) > 0 {
		x.hashes = nil
	}
	for _, k := range keys {
		x.hashes = append(x.hashes, k.Lo)
	}
	if err := eachAlert(ctx, x.a, args, x.want); err != nil {
		return err
	}
	if len(x.alerts) == 0 {
		return errors.New("no finding with digests is among the alerts")
	}
	if err := x.search(ctx); err != nil {
		return err
	}
	return x.print()
}

// want takes note of an alert that is to be explained.
func (x *explain) want(ev *alert.Event, _ []byte) error {
	if ev.Type != alert.TypeFinding || len(ev.Digests) == 0 || len(x.ids) > 0 && !slices.Contains(x.ids, ev.ID) {
		return nil
	}
	if x.windows == nil {
		x.windows, x.phrases = map[int]wantedDigests{}, wantedDigests{}
	}
	e := &explained{ev: *ev}
	x.alerts = append(x.alerts, e)
	for _, k := range x.lengths(ev) {
		if x.windows[k] == nil {
			x.windows[k] = wantedDigests{}
		}
		for _, d := range ev.Digests {
			x.windows[k][uint64(d)] = append(x.windows[k][uint64(d)], e)
		}
	}
	if ev.Kind == alert.Phrase {
		x.phrases[uint64(ev.Digests[0])] = append(x.phrases[uint64(ev.Digests[0])], e)
	}
	return nil
}

// lengths returns how many words the grams may have whose digests an alert has.
func (x *explain) lengths(ev *alert.Event) []int {
	switch ev.Kind {
	case alert.Near:
		return []int{gram.SeedWords}
	case alert.Phrase:
		all := make([]int, gram.MaxPhraseWords)
		for i := range all {
			all[i] = i + 1
		}
		return all
	}
	if n := ev.Words - ev.Windows + 1; n >= ngram.MinN && n <= ngram.MaxN && n != x.n && ev.Windows > 0 {
		return []int{x.n, n} // the whole finding is one run
	}
	return []int{x.n}
}

// search looks for the digests in all training files.
func (x *explain) search(ctx context.Context) error {
	inputs, skipped, err := corpus.Find(x.sources, nil, x.options)
	if err != nil {
		return err
	}
	for _, s := range skipped {
		if !s.Meant() {
			fmt.Fprintf(x.a.stderr, "noecho: %s: not read: %s\n", s.Path, s.Reason)
		}
	}
	suite, err := ngram.NewSpec(x.n, ngram.XXH64)
	if err != nil {
		return usageError("--n: %w", err)
	}
	s := &explainSearch{x: x, scan: ngram.NewScanner(suite.Suite), finder: identify.New(nil)}
	for i := range inputs {
		if err := s.input(ctx, &inputs[i]); err != nil {
			return err
		}
	}
	return nil
}

// maxExplained bounds a file that is one text, in bytes.
const maxExplained = 1 << 30

// explainSearch searches texts.
type explainSearch struct {
	x      *explain
	scan   *ngram.Scanner
	finder *identify.Finder
	words  []ngram.Word
	prefix []uint64
	hits   map[*explained][]explainHit
	found  []identify.Match
}

// explainHit is a gram with a digest of an alert.
type explainHit struct {
	first, last int // words of the text
	lo, hi      int64
	digest      uint64
}

// input searches one file.
func (s *explainSearch) input(ctx context.Context, in *corpus.Input) error {
	if in.Format == corpus.Text {
		file, err := in.Open()
		if err != nil {
			return err
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, maxExplained))
		if err != nil {
			return fmt.Errorf("read %s: %w", in.Path, err)
		}
		s.text(in, "", func(at int64) int { return 1 + strings.Count(string(text[:at]), "\n") }, text)
		return ctx.Err()
	}
	rows, err := in.Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	var rec corpus.Record
	for ctx.Err() == nil {
		err := rows.Next(&rec)
		var bad *corpus.BadRecord
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &bad):
			continue
		case err != nil:
			return err
		}
		for _, seg := range rec.Segments {
			s.text(in, rec.ID, func(at int64) int { return rows.Place(seg, at).Line }, rec.Text(seg))
		}
	}
	return ctx.Err()
}

// text searches one text of a record. lineAt returns the line of a byte of it.
func (s *explainSearch) text(in *corpus.Input, id string, lineAt func(at int64) int, text []byte) {
	s.scan.Reset()
	s.words = s.scan.Finish(s.scan.Append(s.words[:0], text))
	s.prefix = append(s.prefix[:0], 0)
	last := uint64(0)
	for _, w := range s.words {
		last = ngram.Roll(last, w.Hash)
		s.prefix = append(s.prefix, last)
	}
	s.hits = map[*explained][]explainHit{}
	for k, wanted := range s.x.windows {
		for i := 0; i+k <= len(s.words); i++ {
			lo := ngram.Gram(s.prefix[i], s.prefix[i+k], k).Lo
			s.note(wanted, lo, explainHit{first: i, last: i + k - 1, lo: s.words[i].Span.Lo, hi: s.words[i+k-1].Span.Hi})
		}
	}
	if len(s.x.phrases) > 0 {
		s.identifiers(text)
	}
	for e, hits := range s.hits {
		s.judge(e, hits, in, id, lineAt, text)
	}
}

// note notes a gram if an alert has its digest.
func (s *explainSearch) note(wanted wantedDigests, lo uint64, hit explainHit) {
	for _, hash := range s.x.hashes {
		hit.digest = hash(lo)
		for _, e := range wanted[hit.digest] {
			s.hits[e] = append(s.hits[e], hit)
		}
	}
}

// identifiers notes the identifiers of a text, in whichever way the answer has written them.
func (s *explainSearch) identifiers(text []byte) {
	s.finder.Reset()
	s.found = s.finder.Finish(s.finder.Append(s.found[:0], text))
	for _, m := range s.found {
		for _, spelling := range append(identify.Spellings(m.Kind, m.Text), m.Text) {
			s.scan.Reset()
			prefix, k := uint64(0), 0
			for _, w := range s.scan.Finish(s.scan.Append(nil, []byte(spelling))) {
				prefix = ngram.Roll(prefix, w.Hash)
				k++
			}
			if k > 0 {
				s.note(s.x.phrases, ngram.Gram(0, prefix, k).Lo, explainHit{first: -1, lo: m.Lo, hi: m.Hi})
			}
		}
	}
}

// judge compares the best span of a text with the best one so far.
func (s *explainSearch) judge(e *explained, hits []explainHit, in *corpus.Input, id string, lineAt func(at int64) int, text []byte) {
	lo, hi, score := s.span(e, hits)
	line := lineAt(lo)
	name := in.Name
	if in.Format != corpus.Text {
		name = fmt.Sprintf("%s:%d", in.Name, line)
	}
	name = cmp.Or(id, name)
	score *= 2
	if slices.ContainsFunc(e.ev.Records, func(r alert.Record) bool { return r.ID == name || strings.HasSuffix(r.ID, "/"+name) }) {
		score++ // the alert names the record
	}
	if score <= e.score {
		return
	}
	e.score = score
	e.best = explanation{
		Alert: e.ev.ID, File: in.Path, Line: line, Record: name,
		Before: string(text[:lo]), Span: string(text[lo:hi]), After: string(text[hi:]),
	}
}

// maxApart is how many words may be between two seeds of one near finding.
const maxApart = 64

// span returns the bytes of the finding in a text, and how many different digests are in it.
func (s *explainSearch) span(e *explained, hits []explainHit) (lo, hi int64, score int) {
	if hits[0].first < 0 || e.ev.Kind == alert.Phrase {
		best := slices.MaxFunc(hits, func(a, b explainHit) int { return cmp.Compare(a.hi-a.lo, b.hi-b.lo) })
		return best.lo, best.hi, 1
	}
	slices.SortFunc(hits, func(a, b explainHit) int { return cmp.Compare(a.first, b.first) })
	apart := 1 // windows of a run begin with each word
	if e.ev.Kind == alert.Near {
		apart = maxApart
	}
	for from := 0; from < len(hits); {
		to := from + 1
		for to < len(hits) && hits[to].first <= hits[to-1].last+apart {
			to++
		}
		different := map[uint64]struct{}{}
		for _, h := range hits[from:to] {
			different[h.digest] = struct{}{}
		}
		if len(different) > score {
			first, last := hits[from].first, hits[to-1].last
			switch {
			case e.ev.Kind == alert.Near: // the first seeds of a chain are found before it counts, and have no digest
				first = max(0, min(first, last-e.ev.Words+1))
			case e.ev.Windows > len(e.ev.Digests): // the alert does not name the last ones
				last = max(last, first+e.ev.Words-1)
			}
			last = min(last, len(s.words)-1)
			lo, hi, score = s.words[first].Span.Lo, s.words[last].Span.Hi, len(different)
		}
		from = to
	}
	return lo, hi, score
}

// print prints the explanations in the order of the alerts.
func (x *explain) print() error {
	missing := 0
	enc := json.NewEncoder(x.a.stdout)
	enc.SetEscapeHTML(false)
	colours := coloursFor(x.a.stdout, x.a.getenv)
	for _, e := range x.alerts {
		if e.score == 0 {
			missing++
			fmt.Fprintf(x.a.stderr, "noecho: alert %s: its text is in none of the training files\n", printable(e.ev.ID))
			continue
		}
		var err error
		if x.asJSON {
			err = enc.Encode(&e.best)
		} else {
			_, err = fmt.Fprintln(x.a.stdout, x.describe(e, colours))
		}
		if err != nil {
			return err
		}
	}
	if missing > 0 {
		return fmt.Errorf("the text of %s was not found: name the files that the index was built from, and its --n and --key-file", count(missing, "alert"))
	}
	return nil
}

// describe returns an explanation for people.
func (x *explain) describe(e *explained, colours palette) string {
	b := &e.best
	before, after := b.Before, b.After
	const around = 400 // bytes
	if !x.full {
		if cut := len(before) - around; cut > 0 {
			before = "…" + strings.ToValidUTF8(before[cut:], "")
		}
		if len(after) > around {
			after = strings.ToValidUTF8(after[:around], "") + "…"
		}
	}
	head := fmt.Sprintf("%s: %s, %s, alert %s", printable(fmt.Sprintf("%s:%d", b.File, b.Line)), findingGist(&e.ev), printable(string(e.ev.Action)), printable(e.ev.ID))
	if b.Record != "" {
		head += ", record " + printable(b.Record)
	}
	return colours.paint(colours.bold, head) + "\n" + visible(before) + colours.paint(colours.severity[alert.High], ">>>"+visible(b.Span)+"<<<") + visible(after) + "\n"
}

// visible replaces characters of a text that could steer a terminal, but for line ends and tabs.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
