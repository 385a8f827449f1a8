package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"noecho/index/corpus"
)

// TestWriterEqualsBuildOfLines adds records of all shapes with a Writer, and builds
// from the same records as JSON lines.
func TestWriterEqualsBuildOfLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	records := []Record{
		{ID: "odd", Texts: []string{"<b>\"quoted\"</b>\n\tbroken \xff UTF-8, then ten words in a row, so that it counts"}},
		{Texts: []string{"", "short"}},
		{ID: "nothing"},
		{ID: "mail", Texts: []string{"write to jo@example.org"}},
	}
	for i := range 400 {
		records = append(records, Record{ID: fmt.Sprint("r", i), Texts: []string{prose(uint64(i), 30+i), prose(uint64(1000+i), 12)}})
	}
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	enc.SetEscapeHTML(false)
	for _, r := range records {
		if err := enc.Encode(map[string]any{"id": r.ID, "text": r.Texts}); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Out: filepath.Join(dir, "lines.nidx"), Dataset: "d", Labels: []string{"pii"}, Model: "m"}
	o.Inputs, o.Stdin = []string{corpus.Stdin}, strings.NewReader(strings.ReplaceAll(lines.String(), `"id":"",`, ""))
	o.Corpus = corpus.Options{Format: corpus.JSONL, Fields: []string{"text"}}
	if _, err := Build(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "writer.nidx")
	w, err := NewWriter(context.Background(), Options{Out: out, Dataset: "d", Labels: []string{"pii"}, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := w.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	res, err := w.Close()
	if err != nil || res.Info.Records != 401 {
		t.Fatalf("%+v, %v", res, err)
	}
	if again, err := w.Close(); again != res || err != nil {
		t.Errorf("closed again: %v, %v", again, err)
	}
	if err := w.Add(records[0]); err == nil {
		t.Error("a record was added after Close")
	}
	if again, err := w.Close(); again != res || err != nil {
		t.Errorf("closed after a late Add: %v, %v", again, err)
	}
	if !bytes.Equal(readAll(t, out), readAll(t, o.Out)) {
		t.Error("the Writer's file differs from that of JSON lines")
	}
}

// TestWriterFails checks that a failing Writer leaves the old file unchanged and no
// other file behind.
func TestWriterFails(t *testing.T) {
	t.Parallel()
	out := writeInput(t, filepath.Join(t.TempDir(), "x.nidx"), "the old file")
	for name, o := range map[string]Options{
		"leave Inputs": {Out: out, Inputs: []string{"a.txt"}},
		"Stdin":        {Out: out, Stdin: strings.NewReader("")},
		"MaxDocFreq":   {Out: out, MaxDocFreq: 3},
		"Report":       {Out: out, Report: "common.jsonl"},
		"Corpus":       {Out: out, Corpus: corpus.Options{MaxLine: 1}},
		"length 1":     {Out: out, N: 1},
		"name of":      {},
	} {
		if _, err := NewWriter(context.Background(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	w, err := NewWriter(ctx, Options{Out: out})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(Record{Texts: []string{strings.Repeat("a", corpus.DefaultMaxLine)}}); err == nil || !strings.Contains(err.Error(), "longer than 64 MiB") {
		t.Errorf("a record that is too long: %v", err)
	}
	cancel()
	for err == nil {
		err = w.Add(Record{Texts: []string{prose(1, 1000)}})
	}
	if _, err := w.Close(); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if w, err = NewWriter(context.Background(), Options{Out: out}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); !errors.Is(err, errNoWindows) || !strings.HasSuffix(err.Error(), " 10 words") {
		t.Errorf("no record: %v", err)
	}
	if w, err = NewWriter(context.Background(), Options{Out: filepath.Join(out, "no folder", "x.nidx")}); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = w.Add(Record{Texts: []string{prose(1, 1000)}})
	}
	if _, closed := w.Close(); closed == nil || closed.Error() != err.Error() {
		t.Errorf("Add says %v, Close %v", err, closed)
	}
	if got := readAll(t, out); string(got) != "the old file" {
		t.Errorf("the old file is %q", got)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
