package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/ngram"
)

const (
	train = "first line\nthe quick brown fox jumps over the lazy dog and then sleeps\n" +
		"pack my box with five dozen liquor jugs before the naïve ship sails away today\n"
	quoted = "he said: The quick brown fox jumps over the lazy dog, and nothing else of note.\n" +
		"with five dozen liquor jugs before the naïve ship sails\n" +
		"with five dozen liquor jugs befоre the naive ship sails\n" + // a Cyrillic letter

		"the quick brown fox jumps over the lazy cat and then sleeps\n"
)

// asked is an oracle that learned one held-out and one training text.
func asked(t *testing.T, held, train string) (*oracle, []ngram.Word) {
	t.Helper()
	spec, err := ngram.NewSpec(ngram.DefaultN, ngram.XXH64)
	if err != nil {
		t.Fatal(err)
	}
	o := newOracle(spec)
	o.add([]byte(held))
	words := slices.Clone(o.words)
	o.mark([]byte(train), 1)
	return o, words
}

func TestOracle(t *testing.T) {
	t.Parallel()
	o, words := asked(t, quoted, train)
	want := []struct {
		text   string
		line   int32
		letter bool
	}{
		{"The quick brown fox jumps over the lazy dog, and", 2, true},
		{"with five dozen liquor jugs before the naïve ship sails", 3, true},
		{"with five dozen liquor jugs befоre the naive ship sails", 3, false},
	}
	got := o.stretches(0)
	if len(got) != len(want) {
		t.Fatalf("%d stretches, want %d", len(got), len(want))
	}
	for i, s := range got {
		w := want[i]
		if text := quoted[words[s.first].Span.Lo:words[s.last].Span.Hi]; text != w.text {
			t.Errorf("stretch %d is %q, want %q", i, text, w.text)
		}
		p, ok := o.known(s.first)
		if !ok || p != (place{doc: 1, line: w.line}) {
			t.Errorf("stretch %d stands at %v, want line %d", i, p, w.line)
		}
		if o.toTheLetter(s.first) != w.letter {
			t.Errorf("stretch %d: to the letter %v, want %v", i, !w.letter, w.letter)
		}
	}
}

// Ten characters of an unspaced script are a window, but no finding.
func TestOracleWeighs(t *testing.T) {
	t.Parallel()
	const sentence = "ご迷惑をおかけして申し訳ございません"
	if o, _ := asked(t, sentence, sentence); len(o.stretches(0)) != 0 {
		t.Error("18 characters are found")
	}
	if o, _ := asked(t, sentence+"長らくお待たせいたしました", sentence+"長らくお待たせいたしました"); len(o.stretches(0)) != 1 {
		t.Error("31 characters are not found")
	}
}

// TestJudgeSees hands in findings that are wrong in one way each.
func TestJudgeSees(t *testing.T) {
	t.Parallel()
	at := func(text string) ngram.Span {
		lo := int64(strings.Index(quoted, text))
		return ngram.Span{Lo: lo, Hi: lo + int64(len(text))}
	}
	right := []*detect.Finding{
		{Kind: detect.Verbatim, Span: at("The quick brown fox jumps over the lazy dog, and")},
		{Kind: detect.Verbatim, Span: at("with five dozen liquor jugs before the naïve ship sails")},
		{Kind: detect.Verbatim, Span: at("with five dozen liquor jugs befоre the naive ship sails")},
	}
	with := func(i int, f *detect.Finding) []*detect.Finding {
		out := slices.Clone(right)
		out[i] = f
		return out
	}
	tests := []struct {
		name               string
		found              []*detect.Finding
		real, wrong, wants int
	}{
		{"right", right, 3, 0, 0},
		{"one missed", right[:2], 2, 0, 1},
		{"one invented", append(slices.Clone(right), &detect.Finding{Kind: detect.Verbatim, Span: at("the quick brown fox jumps over the lazy cat and")}), 3, 1, 0},
		{"a word too long", with(0, &detect.Finding{Kind: detect.Verbatim, Span: at("The quick brown fox jumps over the lazy dog, and nothing")}), 2, 1, 1},
		{"a word too short", with(0, &detect.Finding{Kind: detect.Verbatim, Span: at("quick brown fox jumps over the lazy dog, and")}), 2, 1, 1},
		{"another kind", with(0, &detect.Finding{Kind: detect.Stuffing, Span: right[0].Span}), 2, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, words := asked(t, quoted, train)
			r := newReport([]document{{name: "train.txt"}})
			r.judge(o, 0, document{name: "held.txt"}, []byte(quoted), words, tt.found)
			if r.Quoted != tt.real || len(r.FalseAlarms) != tt.wrong || len(r.Missed) != tt.wants {
				t.Errorf("%d real, %d false, %d missed; want %d, %d, %d", r.Quoted, len(r.FalseAlarms), len(r.Missed), tt.real, tt.wrong, tt.wants)
			}
			if r.clean() != (tt.wrong+tt.wants == 0) {
				t.Errorf("clean: %v", r.clean())
			}
		})
	}
}

// TestRun measures two folders from end to end. What it writes holds no text.
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
		HeldOut    corpusSize `json:"held_out"`
		Quotations int        `json:"quotations"`
		Otherwise  int        `json:"spelled_otherwise"`
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
			t.Errorf("the report holds %q", word)
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

func TestQuantity(t *testing.T) {
	t.Parallel()
	var q quantity
	for v := range 100 {
		q.add(v % 10)
	}
	if q.total() != 100 || q.mean() != 4.5 || q.quantile(.5) != 4 || q.quantile(.99) != 9 || q.from(9) != .1 {
		t.Errorf("total %d, mean %v, p50 %d, p99 %d, share %v", q.total(), q.mean(), q.quantile(.5), q.quantile(.99), q.from(9))
	}
	var none quantity
	if none.mean() != 0 || none.quantile(.99) != 0 || none.from(9) != 0 {
		t.Error("a quantity without values is not zero")
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
