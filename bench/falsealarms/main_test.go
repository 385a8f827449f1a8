package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/eval"
)

const (
	train = "first line\nthe quick brown fox jumps over the lazy dog and then sleeps\n" +
		"pack my box with five dozen liquor jugs before the naïve ship sails away today\n"
	quoted = "he said: The quick brown fox jumps over the lazy dog, and nothing else of note.\n" +
		"with five dozen liquor jugs before the naïve ship sails\n" +
		"with five dozen liquor jugs befоre the naive ship sails\n" + // a Cyrillic letter

		"the quick brown fox jumps over the lazy cat and then sleeps\n"
)

// TestRun measures two folders from end to end. Its output contains no text.
func TestRun(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("train/a.txt", train)
	write("held/sub/b.txt", quoted)
	write("work/.keep", "")
	list := filepath.Join(folder, "quotations.tsv")
	args := []string{
		"-train", filepath.Join(folder, "train"), "-heldout", filepath.Join(folder, "held"),
		"-work", filepath.Join(folder, "work"), "-quotations", list,
	}
	var out bytes.Buffer
	if err := run(context.Background(), append(args, "-json"), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var got struct {
		HeldOut    eval.TextSize `json:"held_out"`
		Quotations int           `json:"quotations"`
		Otherwise  int           `json:"spelled_otherwise"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.HeldOut.Words != 48 || got.Quotations != 3 || got.Otherwise != 1 {
		t.Errorf("got %+v, want 48 words, 3 quotations, 1 spelled otherwise", got)
	}
	out.Reset()
	if err := run(context.Background(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(rows, []byte{'\n'}); n != 4 || !bytes.Contains(rows, []byte("sub/b.txt:1\ta.txt:2\t1\t10\t1\t")) {
		t.Errorf("%d lines in the list: %s", n, rows)
	}
	for _, word := range []string{"quick", "liquor"} {
		if bytes.Contains(rows, []byte(word)) || bytes.Contains(out.Bytes(), []byte(word)) {
			t.Errorf("the report contains %q", word)
		}
	}
}

func TestSplitIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	// The first 8 bytes of the SHA-256 of "1\x00a.txt", little endian, are 52
	// modulo 100 by Python's hashlib; of the others 43, 7 and 23.
	for name, want := range map[string]bool{"a.txt": false, "b.txt": false, "f.txt": true, "g.txt": false} {
		if got := heldOut(name, "1", 20); got != want {
			t.Errorf("%s: held out %v, want %v", name, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"", "-work w", "-corpus c", "-corpus c -train t -work w", "-train t -work w", "-heldout h -work w",
		"-corpus c -work w -percent 0", "-corpus c -work w -max-words 0", "-corpus c -work w more",
	} {
		if err := run(context.Background(), strings.Fields(args), io.Discard, io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
