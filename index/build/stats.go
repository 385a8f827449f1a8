package build

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/internal/coverage"
)

// Progress shows how far a build or merge has come. It may be read at any time.
type Progress struct {
	Passes atomic.Int64 // number of passes over the corpus; grows if the memory is too small for that many
	Pass   atomic.Int64 // number of the current pass, from 1 on
	Bytes  atomic.Int64 // bytes of the files that this pass has read
	Total  atomic.Int64 // bytes of the files that this pass will read; 0: not known
}

// stats are the counts of one worker in one pass.
type stats struct {
	datasets map[string]*index.Dataset  // by input argument
	accounts map[string]*corpus.Account // the same
	not      index.NotIndexed
	windows  uint64
}

func newStats() *stats {
	return &stats{datasets: map[string]*index.Dataset{}, accounts: map[string]*corpus.Account{}}
}

// account returns the account of the text of an input argument.
func (t *stats) account(arg string) *corpus.Account {
	a := t.accounts[arg]
	if a == nil {
		a = corpus.NewAccount()
		t.accounts[arg] = a
	}
	return a
}

// args returns the input arguments that have an account, in order.
func (t *stats) args() []string { return slices.Sorted(maps.Keys(t.accounts)) }

// dataset returns the counts of an input argument.
func (t *stats) dataset(arg string) *index.Dataset {
	d := t.datasets[arg]
	if d == nil {
		d = new(index.Dataset)
		t.datasets[arg] = d
	}
	return d
}

// merge adds the counts of another worker.
func (t *stats) merge(o *stats) {
	for arg, d := range o.datasets {
		addCounts(t.dataset(arg), d)
	}
	for arg, a := range o.accounts {
		t.account(arg).Merge(a)
	}
	addNotIndexed(&t.not, o.not)
	t.windows += o.windows
}

// sum returns the sum of all datasets.
func (t *stats) sum() (all index.Dataset) {
	for _, d := range t.datasets {
		addCounts(&all, d)
	}
	return all
}

// addCounts adds the bytes, records, segments and words of d to sum.
func addCounts(sum, d *index.Dataset) {
	sum.Bytes += d.Bytes
	sum.Records += d.Records
	sum.Segments += d.Segments
	sum.Words += d.Words
}

// skip counts the messages of a record that are not indexed because of their role.
func (t *stats) skip(s corpus.Skips) {
	t.not.SystemMessages += uint64(s.System)
	t.not.DeveloperMessages += uint64(s.Developer)
	t.not.OtherMessages += uint64(s.Other)
}

// source is one input of a build.
type source struct {
	*corpus.Input
	at       int    // position in builder.sources
	digest   []byte // SHA-256 of its text, set by the first pass
	verbatim bool   // that is the digest of its file, too
	broken   uint64 // bytes of text around broken UTF-8, set by the first pass

	lost *corpus.Account // text outside of rows and text, set by the first pass
}

// datasetName returns the name of the source's dataset: the given name, or that of the
// input argument if none is given.
func (s *source) datasetName(name string) string {
	switch {
	case name != "":
		return name
	case s.Arg == corpus.Stdin:
		return "stdin"
	default:
		return filepath.Base(s.Arg)
	}
}

// describeDatasets returns the datasets for the manifest: one for each input argument,
// or a single one if the build has a dataset name.
func describeDatasets(t *stats, sources []*source, skipped []corpus.Skipped, name string, labels []string) []index.Dataset {
	paths := map[string][]string{} // by name of the dataset
	sets := map[string]*index.Dataset{}
	for _, s := range sources {
		key := s.datasetName(name)
		d := sets[key]
		if d == nil {
			d = &index.Dataset{Name: key, Labels: slices.Sorted(slices.Values(labels))}
			d.Labels = slices.Compact(append([]string{}, d.Labels...))
			d.Coverage = new(coverage.Table)
			sets[key] = d
		}
		d.Files++
		paths[key] = append(paths[key], s.Name)
		if counts, ok := t.datasets[s.Arg]; ok {
			addCounts(d, counts)
			d.Coverage.Add(t.account(s.Arg).Table())
			d.Coverage.Add(skippedFiles(skipped, s.Arg))
			delete(t.datasets, s.Arg)
		}
	}
	for key, d := range sets {
		if d.Coverage.Plain() {
			d.Coverage = nil
		}
		d.PathDigest = digestLines(paths[key])
	}
	all := make([]index.Dataset, 0, len(sets))
	for _, key := range slices.Sorted(maps.Keys(sets)) {
		all = append(all, *sets[key])
	}
	return all
}

// digestLines sorts the lines and returns their SHA-256 in hex.
func digestLines(lines []string) string {
	slices.Sort(lines)
	d := sha256.New()
	for _, l := range lines {
		d.Write([]byte(l))
		d.Write([]byte{'\n'})
	}
	return hex.EncodeToString(d.Sum(nil))
}

// corpusDigest returns in hex the SHA-256 of the sorted digests of the inputs, so that
// the order of the inputs does not matter.
func corpusDigest(sources []*source) string {
	sums := make([][]byte, 0, len(sources))
	for _, s := range sources {
		sums = append(sums, s.digest)
	}
	slices.SortFunc(sums, bytes.Compare)
	d := sha256.Sum256(bytes.Join(sums, nil))
	return hex.EncodeToString(d[:])
}

// newest returns the latest modification time of the inputs.
func newest(sources []*source) time.Time {
	return slices.MaxFunc(sources, func(a, b *source) int {
		return a.ModTime.Compare(b.ModTime)
	}).ModTime.UTC()
}
