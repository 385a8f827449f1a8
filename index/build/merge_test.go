package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noecho/index"
	"noecho/index/internal/format"
)

// filtersOf returns the bytes of the filter sections of an index file.
func filtersOf(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := format.ParseHeader(b[:format.HeaderLen], uint64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, s := range h.Sections {
		if s.Kind != format.KindManifest {
			out = append(out, b[s.Offset:s.End()]...)
		}
	}
	return out
}

// TestMergedShardsEqualOneBuild builds a corpus at once and in shards: the filters have
// the same bytes, also if the shards are merged in another order or step by step.
func TestMergedShardsEqualOneBuild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const capacity = 400_000
	var inputs, shards []string
	for i := range 4 {
		in := writeInput(t, filepath.Join(dir, fmt.Sprintf("%d.txt", i)), prose(uint64(i%3), 60_000+i))
		inputs = append(inputs, in)
		shard := filepath.Join(dir, fmt.Sprintf("%d.nidx", i))
		mustBuild(t, Options{Out: shard, Inputs: []string{in}, Capacity: capacity, Model: "m", Labels: []string{fmt.Sprint(i % 2)}})
		shards = append(shards, shard)
	}
	whole := filepath.Join(dir, "whole.nidx")
	one, _ := mustBuild(t, Options{Out: whole, Inputs: inputs, Capacity: capacity, Model: "m"})
	merge := func(name string, in ...string) string {
		out := filepath.Join(dir, name)
		if _, err := Merge(context.Background(), MergeOptions{Out: out, Inputs: in}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	all := merge("all.nidx", shards...)
	if !bytes.Equal(filtersOf(t, all), filtersOf(t, whole)) {
		t.Error("merged shards have other filters than one build")
	}
	slices.Reverse(shards)
	left := merge("left.nidx", append(shards[:2:2], shards[0])...)
	right := merge("right.nidx", shards[2:]...)
	for _, other := range []string{merge("back.nidx", shards...), merge("tree.nidx", shards[0], left, right)} {
		if !bytes.Equal(readAll(t, all), readAll(t, other)) {
			t.Errorf("%s is another file", filepath.Base(other))
		}
	}
	ends := MergeOptions{Out: filepath.Join(dir, "readers.nidx"), Inputs: shards[:3]}
	ends.Readers = []*io.SectionReader{reader(readAll(t, shards[3]))}
	if _, err := Merge(context.Background(), ends); err != nil || !bytes.Equal(readAll(t, all), readAll(t, ends.Out)) {
		t.Errorf("from files and a reader: %v, or another file", err)
	}
	middle := merge("middle.nidx", shards[1:3]...)
	if _, err := Merge(context.Background(), MergeOptions{Out: all, Inputs: []string{left, middle}}); err == nil || !strings.Contains(err.Error(), "count twice") {
		t.Errorf("overlapping: %v", err)
	}
	ix, err := index.Open(all)
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	got, want := ix.Files()[0].Info, one.Files()[0].Info
	if got.Words != want.Words || got.Windows != want.Windows || got.Records != want.Records || got.Distinct != want.Distinct {
		t.Errorf("merged %+v, in one go %+v", got, want)
	}
	m := ix.Files()[0].Manifest
	if len(m.Merged) != 4 || len(m.Datasets) != 4 || m.Model != "m" || !m.Time.Equal(mtime) {
		t.Errorf("manifest %+v", m)
	}
}

func readAll(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMergeRefusesOtherRecipes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "a.txt"), prose(1, 2000))
	build := func(name string, o Options) string {
		o.Out, o.Inputs = filepath.Join(dir, name), []string{in}
		mustBuild(t, o)
		return o.Out
	}
	a := build("a.nidx", Options{Capacity: 5000})
	out := writeInput(t, filepath.Join(dir, "out.nidx"), "the old file")
	for _, tt := range []struct{ file, field, flag string }{
		{build("n.nidx", Options{Capacity: 5000, N: 8}), "n", "--n 10"},
		{build("c.nidx", Options{Capacity: 6000}), "capacity", "--capacity 11000"},
		{build("x.nidx", Options{Capacity: 5000, Exclude: []string{writeInput(t, filepath.Join(dir, "x.txt"), prose(1, 20))}}), "list of exclusions", "--exclude"},
	} {
		_, err := Merge(context.Background(), MergeOptions{Out: out, Inputs: []string{a, tt.file}})
		if err == nil || !strings.Contains(err.Error(), "its "+tt.field+" is ") || !strings.Contains(err.Error(), tt.flag) {
			t.Errorf("%s: %v", filepath.Base(tt.file), err)
		}
		var mismatch *index.MismatchError
		if !errors.As(err, &mismatch) || mismatch.Field != tt.field || mismatch.Have == mismatch.Want {
			t.Errorf("%s: mismatch %+v", filepath.Base(tt.file), mismatch)
		}
	}
	// The proposed capacity has room for all indexes, not only for the first two.
	_, err := Merge(context.Background(), MergeOptions{Out: out, Inputs: []string{a, build("c7.nidx", Options{Capacity: 7000}), build("c8.nidx", Options{Capacity: 8000})}})
	if err == nil || !strings.Contains(err.Error(), "rebuild all with --capacity 20000") {
		t.Errorf("three capacities: %v", err)
	}
	// A filter with a flipped bit, and a file that is not an index.
	b := readAll(t, a)
	b[format.HeaderLen+100] ^= 4
	damagedFile := writeInput(t, filepath.Join(dir, "d.nidx"), string(b))
	if _, err := Merge(context.Background(), MergeOptions{Out: out, Inputs: []string{damagedFile}}); !errors.Is(err, format.ErrDamaged) {
		t.Errorf("damaged: %v", err)
	}
	_, err = Merge(context.Background(), MergeOptions{Out: out, Readers: []*io.SectionReader{reader(b)}})
	if !errors.Is(err, format.ErrDamaged) || !strings.Contains(err.Error(), "reader 1") {
		t.Errorf("a damaged reader: %v", err)
	}
	if _, err := Merge(context.Background(), MergeOptions{Out: out, Inputs: []string{in}}); !errors.Is(err, format.ErrForeign) {
		t.Errorf("foreign: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Merge(ctx, MergeOptions{Out: out, Inputs: []string{a}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got := string(readAll(t, out)); got != "the old file" {
		t.Errorf("failed merges changed the old file to %d bytes", len(got))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMergeRefusesTooMany(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var shards []string
	for i := range 3 {
		in := writeInput(t, filepath.Join(dir, fmt.Sprint(i, ".txt")), prose(uint64(i), 10_000))
		shards = append(shards, filepath.Join(dir, fmt.Sprint(i, ".nidx")))
		mustBuild(t, Options{Out: shards[i], Inputs: []string{in}, Capacity: 12_000})
	}
	_, err := Merge(context.Background(), MergeOptions{Out: filepath.Join(dir, "out.nidx"), Inputs: shards})
	if err == nil || !strings.Contains(err.Error(), "more than the capacity of 12000") {
		t.Errorf("got %v", err)
	}
}

func reader(b []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}
