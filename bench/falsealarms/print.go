package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"

	"noecho/eval"
)

// report is everything that was measured.
type report struct {
	Go    string    `json:"go"`
	CPUs  int       `json:"cpus"`
	Index indexSize `json:"index"`
	*eval.FalseAlarmReport
}

// indexSize says how large the index was, and how long it took.
type indexSize struct {
	Bytes        uint64  `json:"bytes"`
	Distinct     uint64  `json:"distinct_windows"`
	BuildSeconds float64 `json:"build_seconds"`
	OpenSeconds  float64 `json:"open_seconds"`
}

func newReport() *report { return &report{Go: runtime.Version(), CPUs: runtime.NumCPU()} }

// print writes the report, and the list of quotations if a file is named for it.
func (r *report) print(w io.Writer, o *options) error {
	if o.quotations != "" {
		if err := os.WriteFile(o.quotations, r.quotations(), 0o666); err != nil {
			return err
		}
	}
	if o.asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s, %d processors\n", r.Go, r.CPUs)
	fmt.Fprintf(b, "indexed   %d documents, %d bytes; %d distinct windows, index %d bytes, built in %.1f s, opened in %.2f s\n",
		r.Train.Documents, r.Train.Bytes, r.Index.Distinct, r.Index.Bytes, r.Index.BuildSeconds, r.Index.OpenSeconds)
	fmt.Fprintf(b, "held out  %d documents, %d bytes, %d words, %d windows\n", r.HeldOut.Documents, r.HeldOut.Bytes, r.HeldOut.Words, r.HeldOut.Windows)
	fmt.Fprintf(b, "findings  %d: %d real quotations (%d words; %d spelled otherwise), %d false alarms; %d missed; %d documents judged by how they were cut\n",
		r.Findings, r.Quoted, r.QuotedWords, r.Otherwise, len(r.FalseAlarms), len(r.Missed), r.Uneven)
	text := func(s string) {
		if o.showText {
			fmt.Fprintf(b, "    %q\n", s)
		}
	}
	list := func(title string, all []eval.Quotation) {
		for _, q := range all {
			fmt.Fprintf(b, "%s  %s  train %s  %d words  %d windows  %s\n", title, q.HeldOut, cmp.Or(q.Train, "-"), q.Words, q.Windows, q.Digest)
			text(q.Text)
		}
	}
	list("false alarm", r.FalseAlarms)
	list("missed", r.Missed)
	if o.full || o.near {
		fmt.Fprintf(b, "others    %d findings of other kinds and lanes, %d words\n", r.Others.Findings, r.Others.Words)
		for _, f := range r.Others.List {
			fmt.Fprintf(b, "%s, lane %s  %s  train %s  %d words  %d seeds\n", f.Kind, f.Lane, f.HeldOut, f.Record, f.Words, f.Seeds)
			text(f.Text)
		}
	}
	if o.quotations == "" {
		list("quotation", r.Quotations)
	}
	fmt.Fprintf(b, "%-28s %8s %4s %4s %5s\n", "held behind each message", "mean", "p50", "p99", "max")
	row := func(title string, d *eval.Distribution) {
		fmt.Fprintf(b, "%-28s %8.2f %4d %4d %5d\n", title, d.Mean(), d.Quantile(.5), d.Quantile(.99), d.Max())
	}
	row("adaptive: words", &r.Adaptive.Words)
	row("adaptive: messages", &r.Adaptive.Messages)
	row("strict: words", &r.Strict.Words)
	row("strict: messages", &r.Strict.Messages)
	fmt.Fprintf(b, "nine or more words held: adaptive %.2f %%, strict %.2f %% of %d messages\n",
		100*r.Adaptive.Words.From(9), 100*r.Strict.Words.From(9), r.Adaptive.Words.Total())
	return b.Flush()
}

// quotations lists the real quotations: places, lengths and digests, no text.
func (r *report) quotations() []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, "held_out\ttrain\tsources\twords\twindows\tdigest\tspelling")
	for _, q := range r.Quotations {
		spelling := "same"
		if !q.Letter {
			spelling = "other"
		}
		fmt.Fprintf(&b, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", q.HeldOut, q.Train, q.Sources, q.Words, q.Windows, q.Digest, spelling)
	}
	return b.Bytes()
}
