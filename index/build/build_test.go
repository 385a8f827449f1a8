package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/internal/format"
	"noecho/ngram"
)

// mtime is the modification time of test inputs, which the manifest contains.
var mtime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// writeInput writes a file with a fixed modification time.
func writeInput(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, mtime, mtime); err != nil {
		t.Fatal(err)
	}
	return path
}

// prose returns n words of made-up text.
func prose(seed uint64, words int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	for i := range words {
		if i > 0 {
			b.WriteByte(" \n"[min(1, r.IntN(12)/11)])
		}
		fmt.Fprintf(&b, "w%d", r.IntN(5000))
	}
	return b.String()
}

// windowsOf returns the hashes of all windows of a text, computed in the simplest way.
func windowsOf(t testing.TB, spec ngram.Spec, text string) []ngram.Hash {
	t.Helper()
	return gramsOf(spec, text, spec.N)
}

// gramsOf returns the hashes of all k-grams of a text.
func gramsOf(spec ngram.Spec, text string, k int) []ngram.Hash {
	s := ngram.NewScanner(spec.Suite)
	words := s.Append(nil, []byte(text))
	words = s.Finish(words)
	var out []ngram.Hash
	for i := 0; i+k <= len(words); i++ {
		p := uint64(0)
		for _, w := range words[i : i+k] {
			p = ngram.Roll(p, w.Hash)
		}
		out = append(out, ngram.Gram(0, p, k))
	}
	return out
}

// mustBuild builds an index and opens it.
func mustBuild(t testing.TB, o Options) (*index.Index, *Result) {
	t.Helper()
	if o.Out == "" {
		o.Out = filepath.Join(t.TempDir(), "out.nidx")
	}
	res, err := Build(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	ix, err := index.Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ix.Close() })
	return ix, res
}

func TestBuildHoldsEveryWindow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var inputs, texts []string
	for i := range 7 {
		text := prose(uint64(i), 100+4000*i)
		texts = append(texts, text)
		inputs = append(inputs, writeInput(t, filepath.Join(dir, fmt.Sprintf("%d.txt", i)), text))
	}
	var rows strings.Builder
	for i := range 500 {
		text := prose(uint64(1000+i), 5+i%60)
		texts = append(texts, text)
		fmt.Fprintf(&rows, `{"messages":[{"role":"user","content":"hello"},{"role":"assistant","content":%q}]}`+"\n", text)
	}
	inputs = append(inputs, writeInput(t, filepath.Join(dir, "rows.jsonl"), rows.String()))
	ix, _ := mustBuild(t, Options{Inputs: inputs})
	for _, text := range texts {
		windows := windowsOf(t, ix.Spec(), text)
		for i, h := range windows {
			if !ix.Window(h) {
				t.Fatalf("window %d is not in the index", i)
			}
		}
		if len(windows) == 0 {
			continue
		}
		for _, h := range gramsOf(ix.Spec(), text, 4) {
			if !ix.Gate4(h) {
				t.Fatal("a 4-gram is not in its gate")
			}
		}
		for _, h := range gramsOf(ix.Spec(), text, 2) {
			if !ix.Gate2(h) {
				t.Fatal("a 2-gram is not in its gate")
			}
		}
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var inputs []string
	for i := range 5 {
		inputs = append(inputs, writeInput(t, filepath.Join(dir, fmt.Sprintf("%d.txt", i)), prose(uint64(i), 20000)))
	}
	reversed := []string{inputs[4], inputs[3], inputs[2], inputs[1], inputs[0], inputs[2]}
	var want []byte
	for _, o := range []Options{
		{Inputs: inputs, Workers: 1},
		{Inputs: inputs, Workers: 2},
		{Inputs: reversed, Workers: 7},
		{Inputs: reversed, Workers: 1, Memory: perWorker + 4*format.ChunkLen}, // the least memory that is allowed
	} {
		o.Out = filepath.Join(t.TempDir(), "x.nidx")
		if _, err := Build(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Errorf("workers %d, memory %d: another file", o.Workers, o.Memory)
		}
	}
}

func TestBuildCountsWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ten := "one two three four five six seven eight nine ten"
	rows := strings.Join([]string{
		`{"messages":[{"role":"system","content":"` + ten + ` secret"},{"role":"user","content":"yes"},{"role":"assistant","content":"` + ten + `"}]}`,
		`{"messages":[{"role":"user","content":"yes"},{"role":"assistant","content":"no"},{"role":"developer","content":"x"}]}`,
		`{"messages":`,
		`{"massages":[]}`,
	}, "\n")
	in := writeInput(t, filepath.Join(dir, "a.jsonl"), rows)
	out := filepath.Join(dir, "a.nidx")
	var notes []string
	res, err := Build(context.Background(), Options{
		Out: out, Inputs: []string{in}, Notice: func(s string) { notes = append(notes, s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := index.NotIndexed{SystemMessages: 1, DeveloperMessages: 1, ShortSegments: 3, ShortRecords: 1, BadRecords: 2}
	if got := res.Manifest.NotIndexed; got != want {
		t.Errorf("not indexed: %+v, want %+v", got, want)
	}
	if res.Info.Windows != 1 || res.Info.Records != 1 || res.Info.Words != 10 || res.Info.Segments != 1 {
		t.Errorf("info: %+v", res.Info)
	}
	if joined := strings.Join(notes, "\n"); !strings.Contains(joined, "a.jsonl:3: not valid JSON") || !strings.Contains(joined, "a.jsonl:4: no messages") || !strings.Contains(joined, "read as openai") {
		t.Errorf("notes:\n%s", joined)
	}
	var bad *corpus.BadRecord
	if _, err := Build(context.Background(), Options{Out: out, Inputs: []string{in}, Strict: true}); !errors.As(err, &bad) {
		t.Errorf("strict: %v", err)
	}
	short := writeInput(t, filepath.Join(dir, "short.txt"), "too few words")
	if _, err := Build(context.Background(), Options{Out: out, Inputs: []string{short}}); !errors.Is(err, errNoWindows) {
		t.Errorf("no windows: %v", err)
	}
	if _, err := index.Open(out); err != nil {
		t.Errorf("failed builds changed the old file: %v", err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// TestBuildNamesTheFolder builds and merges to a file that cannot be written.
func TestBuildNamesTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "a.txt"), prose(1, 100))
	for out, want := range map[string]string{
		"":                                   "the name of the new file is empty",
		filepath.Join(dir, "none", "x.nidx"): fmt.Sprintf("no such folder as %q", filepath.Join(dir, "none")),
	} {
		if _, err := Build(context.Background(), Options{Out: out, Inputs: []string{in}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("build to %q: %v", out, err)
		}
		if _, err := Merge(context.Background(), MergeOptions{Out: out, Inputs: []string{in}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("merge to %q: %v", out, err)
		}
	}
}

func TestBuildFromStdin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := prose(3, 50000)
	file := writeInput(t, filepath.Join(dir, "a.txt"), text)
	a, _ := mustBuild(t, Options{Inputs: []string{file}})
	b, res := mustBuild(t, Options{Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader(text)})
	c, _ := mustBuild(t, Options{Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader(text), Capacity: a.Files()[0].Info.Capacity})
	if a.Files()[0].Info.Distinct != b.Files()[0].Info.Distinct || a.Files()[0].Info.Windows != b.Files()[0].Info.Windows || a.Files()[0].Info.Words != b.Files()[0].Info.Words {
		t.Errorf("stdin gives %+v, the file %+v", b.Files()[0].Info, a.Files()[0].Info)
	}
	if res.Manifest.Datasets[0].Name != "stdin" || !res.Manifest.Time.IsZero() {
		t.Errorf("manifest: %+v", res.Manifest)
	}
	for _, h := range windowsOf(t, a.Spec(), text) {
		if !b.Window(h) || !c.Window(h) {
			t.Fatal("a window is missing")
		}
	}
}

func TestStripesMakeTheSameFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "a.txt"), prose(5, 40_000))
	var want []byte
	for _, memory := range []int64{DefaultMemory, 3*perWorker + 8*format.ChunkLen, 3*perWorker + 4*format.ChunkLen} {
		out := filepath.Join(dir, "x.nidx")
		res, err := Build(context.Background(), Options{Out: out, Inputs: []string{in}, Capacity: 1_500_000, Memory: memory, Workers: 3})
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			if want = got; res.Passes != 1 {
				t.Errorf("%d passes with enough memory", res.Passes)
			}
			continue
		}
		if res.Passes < 2 || !bytes.Equal(got, want) {
			t.Errorf("memory %d: %d passes, equal %v", memory, res.Passes, bytes.Equal(got, want))
		}
	}
	o := Options{Out: filepath.Join(dir, "y.nidx"), Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader("x"), Capacity: 1_500_000, Memory: 3*perWorker + 4*format.ChunkLen, Workers: 3}
	if _, err := Build(context.Background(), o); err == nil || !strings.Contains(err.Error(), "standard input can be read only once") {
		t.Errorf("stdin in rounds: %v", err)
	}
	o.Memory = 1 << 20
	if _, err := Build(context.Background(), o); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("1 MiB of memory: %v", err)
	}
}

func TestCapacityThatIsTooSmallFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "a.txt"), prose(5, 20_000))
	_, err := Build(context.Background(), Options{Out: filepath.Join(dir, "x.nidx"), Inputs: []string{in}, Capacity: 15_000})
	if err == nil || !strings.Contains(err.Error(), "more than the capacity of 15000") {
		t.Errorf("got %v", err)
	}
}

func TestExcludedWindows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	public, own := prose(1, 300), prose(2, 300)
	a := writeInput(t, filepath.Join(dir, "a.txt"), own+" "+public+" "+own)
	x := writeInput(t, filepath.Join(dir, "public.txt"), public)
	ix, res := mustBuild(t, Options{Inputs: []string{a}, Exclude: []string{x}})
	for _, h := range windowsOf(t, ix.Spec(), public) {
		if ix.Window(h) {
			t.Fatal("an excluded window is indexed")
		}
	}
	for _, h := range windowsOf(t, ix.Spec(), own) {
		if !ix.Window(h) {
			t.Fatal("a window is missing")
		}
	}
	// The windows across the boundaries are not part of the public text.
	seam := own[len(own)-30:] + " " + public[:30]
	for _, h := range windowsOf(t, ix.Spec(), seam[strings.IndexByte(seam, ' ')+1:strings.LastIndexByte(seam, ' ')]) {
		if !ix.Window(h) {
			t.Fatal("a window over a seam is missing")
		}
	}
	in2 := 0
	for _, h := range gramsOf(ix.Spec(), public, 4) {
		if ix.Gate4(h) {
			in2++
		}
	}
	if in2 > 80 {
		t.Errorf("%d of 297 excluded 4-grams are in the gate", in2)
	}
	if len(res.Manifest.Exclusions) != 1 || res.Manifest.Exclusions[0].Windows != 291 || res.Manifest.NotIndexed.ExcludedWindows != 291 {
		t.Errorf("manifest: %+v", res.Manifest)
	}
}

// endless is a text without an end. It tells when somebody reads it.
type endless struct {
	started chan struct{}
	once    bool
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "words without end "[i%18]
	}
	// Detecting the format reads the first megabyte.
	if !e.once {
		e.once = true
		close(e.started)
	}
	return len(p), nil
}

func TestInterruptedBuildLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := writeInput(t, filepath.Join(dir, "x.nidx"), "the old file")
	ctx, cancel := context.WithCancel(context.Background())
	text := &endless{started: make(chan struct{})}
	go func() {
		<-text.started
		cancel()
	}()
	_, err := Build(ctx, Options{Out: old, Inputs: []string{corpus.Stdin}, Stdin: text})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if b, err := os.ReadFile(old); err != nil || string(b) != "the old file" {
		t.Errorf("the old file is %q, %v", b, err)
	}
}

// TestBuildFullFilters builds with a capacity that is far too small, so that every bit
// of the filters is set. Such an index would find everything.
func TestBuildFullFilters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := writeInput(t, filepath.Join(dir, "a.txt"), prose(1, 30_000))
	for _, capacity := range []uint64{1, 5, 100, 1000} {
		out := filepath.Join(dir, "x.nidx")
		_, err := Build(context.Background(), Options{Out: out, Inputs: []string{path}, Capacity: capacity})
		want := fmt.Sprintf("more than the capacity of %d: build again with ", capacity)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("capacity %d: %v", capacity, err)
		}
		if _, err := os.Stat(out); err == nil {
			t.Fatalf("capacity %d: an index was written", capacity)
		}
	}
}
