package build

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/key"
	"noecho/ngram"
)

// readExclusions returns the windows of the files as a set of Lo, the lower halves of
// their hashes, and the description of each file for the manifest. The files are read
// in the formats of the corpus.
func readExclusions(paths []string, spec ngram.Spec, o corpus.Options, k *key.Key) (map[uint64]struct{}, []index.Exclusion, error) {
	all := map[uint64]struct{}{}
	described := []index.Exclusion{}
	if slices.Contains(paths, corpus.Stdin) {
		return nil, nil, errors.New("standard input cannot be excluded: name a file")
	}
	var inputs []corpus.Input
	reports, texts := splitReports(paths)
	if len(texts) > 0 {
		var err error
		if inputs, _, err = corpus.Find(texts, nil, o); err != nil {
			return nil, nil, err
		}
	}
	for i := range len(reports) + len(inputs) {
		own := map[uint64]struct{}{}
		var sum []byte
		var err error
		if i < len(reports) {
			sum, err = excludeReport(reports[i], headOf(spec, k), own)
		} else {
			sum, err = excludeInput(&inputs[i-len(reports)], spec, o, k, own)
		}
		if err != nil {
			return nil, nil, err
		}
		for lo := range own {
			all[lo] = struct{}{}
		}
		described = append(described, index.Exclusion{Digest: hex.EncodeToString(k.Digest(sum)), Windows: uint64(len(own))})
	}
	slices.SortFunc(described, func(a, b index.Exclusion) int { return bytes.Compare([]byte(a.Digest), []byte(b.Digest)) })
	return all, described, nil
}

// splitReports separates reports of common windows from files of text.
func splitReports(paths []string) (reports, texts []string) {
	for _, p := range paths {
		if isReport(p) {
			reports = append(reports, p)
		} else {
			texts = append(texts, p)
		}
	}
	return reports, texts
}

// excludeInput adds the windows of one file to the set and returns the digest of its
// text. A record that cannot be read is an error, because its text would be indexed
// against the user's wish.
func excludeInput(in *corpus.Input, spec ngram.Spec, o corpus.Options, k *key.Key, set map[uint64]struct{}) ([]byte, error) {
	r, err := in.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	sum := sha256.New()
	text := io.TeeReader(r, sum)
	var g grams
	cut := newCutter(spec)
	emit := func(run []uint64) error {
		g.fill(run, spec.N, nil, k)
		for _, h := range g.windows {
			set[h.Lo] = struct{}{}
		}
		return nil
	}
	if in.Format == corpus.Text {
		_, err = cut.read(text, emit)
	} else {
		err = eachRecord(text, in, o, func(_ int, rec *corpus.Record) error {
			for _, s := range rec.Segments {
				if _, err := cut.whole(rec.Text(s), emit); err != nil {
					return err
				}
			}
			return nil
		}, func(bad *corpus.BadRecord) error { return bad })
	}
	if err != nil {
		return nil, fmt.Errorf("exclude %s: %w", in.Path, err)
	}
	return sum.Sum(nil), nil
}

// eachRecord calls f with every record of an input of JSON lines and the number of its
// line, and bad for every line that is not a valid record.
func eachRecord(r io.Reader, in *corpus.Input, o corpus.Options, f func(line int, rec *corpus.Record) error, bad func(*corpus.BadRecord) error) error {
	lines, parser := corpus.NewLines(r, in.Path, o), in.NewParser()
	var rec corpus.Record
	for {
		block, err := lines.Next()
		var long *corpus.BadRecord
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &long):
			err = bad(long)
		case err == nil:
			err = block.EachLine(func(line []byte, number int, _ int64) error {
				if err := parser.Parse(line, &rec); err != nil {
					return bad(&corpus.BadRecord{Path: in.Path, Line: number, Reason: err.Error()})
				}
				return f(number, &rec)
			})
		}
		if err != nil {
			return err
		}
	}
}
