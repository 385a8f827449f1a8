package build

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/internal/format"
	"noecho/index/key"
	"noecho/ngram"
)

// insert fills the filters and writes them, with one pass for each round. first has the
// counts of the counting pass, and is nil if there was none. insert returns the counts
// of the first pass of the build.
func (b *builder) insert(ctx context.Context, p *plan, rounds [][]*filterRange, first *stats) (*stats, error) {
	done := int64(0)
	if first != nil {
		done = 1
	} else if err := b.checkOnePass(rounds); err != nil {
		return nil, err
	}
	b.o.Progress.Passes.Store(b.before + done + int64(len(rounds)))
	for _, round := range rounds {
		done++
		b.startPass(done)
		t, err := b.fillRound(ctx, p, round, &pass{b: b, first: first == nil})
		if err != nil {
			return nil, err
		}
		if first == nil {
			if err := judge(b, t); err != nil {
				return nil, err
			}
		}
		switch {
		case t.windows == 0 && first == nil && !b.phrases.any():
			return nil, b.noWindows(t)
		case first == nil:
			first = t
		case first.windows != t.windows:
			return nil, errors.New("the inputs changed while they were read: build again")
		}
	}
	return first, p.checkFill()
}

// checkOnePass refuses a given capacity whose filters need several passes if one of the
// inputs can be read only once.
func (b *builder) checkOnePass(rounds [][]*filterRange) error {
	for _, s := range b.sources {
		if s.Path == corpus.Stdin && len(rounds) > 1 {
			return fmt.Errorf("filters for %d windows do not fit into %d bytes of memory, and standard input can be read only once: allow more memory, or give no capacity",
				b.o.Capacity, b.o.Memory)
		}
	}
	return nil
}

// fillRound builds the filter ranges of one round with one pass over the corpus.
func (b *builder) fillRound(ctx context.Context, p *plan, round []*filterRange, ps *pass) (*stats, error) {
	defer func() {
		for _, t := range round {
			t.end()
		}
	}()
	size := uint64(0)
	for _, t := range round {
		size += t.size / 8
	}
	// The larger the buffer of a partition, the less often the partition is loaded into
	// the cache. A buffer larger than its partition gains nothing.
	spare := min(1, float64(b.budget())/float64(size)-1)
	for _, t := range round {
		if err := t.begin(p.sections[t.section], uint64(float64(t.size/8)*spare)); err != nil {
			return nil, err
		}
	}
	inserters := make([]*inserter, b.o.Workers)
	for i := range inserters {
		in, err := newInserter(round)
		if err != nil {
			return nil, err
		}
		defer in.close()
		inserters[i] = in
		ps.sinks = append(ps.sinks, in)
	}
	counted, err := ps.run(ctx)
	if err != nil {
		return nil, err
	}
	for _, in := range inserters {
		in.flush()
		in.close()
	}
	for _, t := range round {
		t.flush(b.o.Workers)
		if err := p.write(t, b.o.Workers); err != nil {
			return nil, err
		}
		t.end()
	}
	return counted, ctx.Err()
}

// describe completes the manifest.
func (b *builder) describe(m *index.Manifest, t *stats, sizes capacities) {
	skipped := m.NotIndexed.SkippedFiles
	m.NotIndexed = t.not
	m.NotIndexed.SkippedFiles = skipped
	if len(b.counts.Rows) > 0 {
		m.Phrases = &b.counts
		m.NotIndexed.ShortRecords -= b.counts.Records
	}
	m.Datasets = describeDatasets(t, b.sources, b.skipped, b.o.Dataset, b.o.Labels)
	m.CorpusDigest = keyedDigest(b.o.Key, corpusDigest(b.sources))
	for i := range m.Datasets {
		m.Datasets[i].PathDigest = keyedDigest(b.o.Key, m.Datasets[i].PathDigest)
	}
	m.Time = newest(b.sources)
	m.Parameters = index.Parameters{
		N: b.o.N, Norm: ngram.NormVersion, Unicode: ngram.UnicodeVersion, Suite: format.SuiteOf(b.o.Key.ID()).String(),
		Format: string(b.o.Corpus.Format), Fields: b.o.Corpus.Fields, Roles: b.o.Corpus.Roles,
		Capacity: sizes.windows, Sizing: "counted",
		WindowBits: format.WindowBits, ConfirmBits: format.ConfirmBits, GateBits: format.GateBits, WordBits: format.WordBits,
		NoIdentifiers: b.o.NoIdentifiers, MinPhrase: b.o.MinPhrase,
	}
	for _, pattern := range b.o.Patterns {
		m.Parameters.Patterns = append(m.Parameters.Patterns, pattern.String())
	}
	slices.Sort(m.Parameters.Patterns)
	if b.o.Subjects != "" {
		m.Parameters.Subjects = []string{keyedDigest(b.o.Key, b.phrases.digest)}
	}
	if b.o.Capacity != 0 {
		m.Parameters.Sizing = "given"
	}
}

// keyedDigest returns a digest in hex as the manifest of an index with a key has it: by the
// digest itself somebody could guess a short input.
func keyedDigest(k *key.Key, digest string) string {
	sum, err := hex.DecodeString(digest)
	if err != nil {
		panic("build: internal error: digest in hex: " + err.Error())
	}
	return hex.EncodeToString(k.Digest(sum))
}
