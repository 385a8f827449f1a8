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
	"noecho/ngram"
)

// readExclusions returns the windows of the files as a set of Lo, and what the
// manifest says of each. The files are read in the formats of the corpus.
func readExclusions(paths []string, spec ngram.Spec, o corpus.Options) (map[uint64]struct{}, []index.Exclusion, error) {
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
			sum, err = excludeReport(reports[i], spec, own)
		} else {
			sum, err = excludeInput(&inputs[i-len(reports)], spec, o, own)
		}
		if err != nil {
			return nil, nil, err
		}
		for lo := range own {
			all[lo] = struct{}{}
		}
		described = append(described, index.Exclusion{Digest: hex.EncodeToString(sum), Windows: uint64(len(own))})
	}
	slices.SortFunc(described, func(a, b index.Exclusion) int { return bytes.Compare([]byte(a.Digest), []byte(b.Digest)) })
	return all, described, nil
}

// splitReports tells reports of common windows from text.
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

// excludeInput adds the windows of one file to the set and returns the digest
// of its text. A record that cannot be read is an error: what was to be left
// out must not slip in.
func excludeInput(in *corpus.Input, spec ngram.Spec, o corpus.Options, set map[uint64]struct{}) ([]byte, error) {
	r, err := in.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	sum := sha256.New()
	text := io.TeeReader(r, sum)
	var g grams
	emit := func(run []uint64) error {
		g.fill(run, spec.N, nil)
		for _, h := range g.windows {
			set[h.Lo] = struct{}{}
		}
		return nil
	}
	if in.Format == corpus.Text {
		err = cutText(text, newCutter(spec), emit)
	} else {
		err = cutLines(text, in, newCutter(spec), o, emit)
	}
	if err != nil {
		return nil, fmt.Errorf("exclude %s: %w", in.Path, err)
	}
	return sum.Sum(nil), nil
}

// cutText cuts a text into runs.
func cutText(r io.Reader, cut *cutter, emit func([]uint64) error) error {
	cut.begin()
	buf := make([]byte, 256<<10)
	for {
		n, err := r.Read(buf)
		if err := cut.add(buf[:n], emit); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			_, err := cut.end(emit)
			return err
		}
		if err != nil {
			return err
		}
	}
}

// cutLines cuts the segments of JSON lines into runs.
func cutLines(r io.Reader, in *corpus.Input, cut *cutter, o corpus.Options, emit func([]uint64) error) error {
	lines := corpus.NewLines(r, in.Path, o)
	parser := corpus.NewParser(in.Format, o)
	var rec corpus.Record
	for {
		block, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = block.EachLine(func(line []byte, number int, _ int64) error {
			if err := parser.Parse(line, &rec); err != nil {
				return &corpus.BadRecord{Path: in.Path, Line: number, Reason: err.Error()}
			}
			for _, s := range rec.Segments {
				cut.begin()
				if err := cut.add(rec.Text(s), emit); err != nil {
					return err
				}
				if _, err := cut.end(emit); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
