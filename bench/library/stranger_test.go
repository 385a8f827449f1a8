// Package stranger uses noecho's packages as a program outside of the module does. It
// knows their exported names and nothing else.
package stranger

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/index"
	"noecho/index/build"
	"noecho/ngram"
)

// Two records of the training data, and an answer that repeats half of each.
const (
	ticket = "Sarah Okafor called on Tuesday because her parcel had not left the depot in Leeds, and asked for a refund of forty pounds."
	memo   = "Refunds above two hundred euros need the approval of two clerks, who sign the form in ink and keep a copy."
	answer = "A clerk told me: sarah okafor called on tuesday because her **parcel** had not left the depot. " +
		"And the rule: refunds above two hundred euros need the approval of two clerks. Ask me more!"
)

// TestLibrary builds an index of each record, merges them, and masks the answer.
func TestLibrary(t *testing.T) {
	dir := t.TempDir()
	var shards []*io.SectionReader
	for id, text := range map[string]string{"ticket-1": ticket, "memo-1": memo} {
		path := filepath.Join(dir, id)
		w, err := build.NewWriter(context.Background(), build.Options{Out: path, Capacity: 1000, Labels: []string{"pii"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(build.Record{ID: id, Texts: []string{text}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		shards = append(shards, io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))))
	}
	res, err := build.Merge(context.Background(), build.MergeOptions{Out: filepath.Join(dir, "all"), Readers: shards})
	if err != nil {
		t.Fatal(err)
	}
	if res.Info.Records != 2 {
		t.Errorf("%d records after the merge, want 2", res.Info.Records)
	}
	ix, err := index.Open(filepath.Join(dir, "all"))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	if !ix.Window(firstWindow(ix.Spec(), ticket)) {
		t.Error("the first window of a record is not indexed")
	}

	var out strings.Builder
	r := detect.NewRedactor(&out, detect.New(ix, ix.Spec(), detect.Config{Lanes: detect.AllLanes}), "[redacted]")
	for _, piece := range strings.SplitAfter(answer, " ") {
		if _, err := r.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if want := "A clerk told me: [redacted]. And the rule: [redacted]. Ask me more!"; out.String() != want {
		t.Errorf("the caller gets %q, want %q", out.String(), want)
	}
	var records []string
	for _, f := range r.Findings(nil) {
		for _, p := range f.Places {
			if rec, ok := ix.Record(p); ok {
				records = append(records, rec.Dataset+"/"+rec.ID+" "+strings.Join(rec.Labels, ","))
				break
			}
		}
	}
	if got, want := strings.Join(records, "; "), "records/ticket-1 pii; records/memo-1 pii"; got != want {
		t.Errorf("the findings name %q, want %q", got, want)
	}
}

// TestErrors tells a file that is no index from a damaged one.
func TestErrors(t *testing.T) {
	if _, err := index.Read(strings.NewReader(strings.Repeat("no index ", 1000)), 9000); !errors.Is(err, index.ErrForeign) {
		t.Errorf("a text: %v", err)
	}
	const head = "\x89NIDX\r\n\x1a"
	if _, err := index.Read(strings.NewReader(head), int64(len(head))); !errors.Is(err, index.ErrDamaged) {
		t.Errorf("a file that was cut: %v", err)
	}
}

// firstWindow returns the hash of the first n words of a text.
func firstWindow(spec ngram.Spec, text string) ngram.Hash {
	s := ngram.NewScanner(spec.Suite)
	sum := uint64(0)
	for _, w := range s.Finish(s.Append(nil, []byte(text)))[:spec.N] {
		sum = ngram.Roll(sum, w.Hash)
	}
	return ngram.Gram(0, sum, spec.N)
}
