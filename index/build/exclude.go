package build

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/key"
	"noecho/internal/ignore"
	"noecho/ngram"
)

// readExclusions returns the windows of the files of o.Exclude as a set of Lo, the lower halves
// of their hashes, and the description of each file for the manifest. Files of text are read in
// the formats of the corpus.
func readExclusions(o *Options, spec ngram.Spec) (map[uint64]struct{}, []index.Exclusion, error) {
	all := map[uint64]struct{}{}
	described := []index.Exclusion{}
	if slices.Contains(o.Exclude, corpus.Stdin) {
		return nil, nil, errors.New("standard input cannot be excluded: name a file")
	}
	add := func(read func(set map[uint64]struct{}) ([]byte, error)) error {
		own := map[uint64]struct{}{}
		sum, err := read(own)
		maps.Copy(all, own)
		described = append(described, index.Exclusion{Digest: hex.EncodeToString(o.Key.Digest(sum)), Windows: uint64(len(own))})
		return err
	}
	var texts []string
	for _, path := range o.Exclude {
		var err error
		switch {
		case isReport(path):
			err = add(func(set map[uint64]struct{}) ([]byte, error) { return excludeReport(path, headOf(spec, o.Key), set) })
		case ignore.IsList(path):
			err = add(func(set map[uint64]struct{}) ([]byte, error) { return excludeList(path, o.Notice, set) })
		default:
			texts = append(texts, path)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if len(texts) > 0 {
		inputs, _, err := corpus.Find(texts, nil, o.Corpus)
		if err != nil {
			return nil, nil, err
		}
		for i := range inputs {
			if err := add(func(set map[uint64]struct{}) ([]byte, error) {
				return excludeInput(&inputs[i], spec, o.Corpus, o.Key, set)
			}); err != nil {
				return nil, nil, err
			}
		}
	}
	slices.SortFunc(described, func(a, b index.Exclusion) int { return bytes.Compare([]byte(a.Digest), []byte(b.Digest)) })
	return all, described, nil
}

// excludeList adds the windows of a list of ignored windows, or of alerts, to the set and returns
// the digest of the file.
func excludeList(path string, notice func(string), set map[uint64]struct{}) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("exclude: %w", err)
	}
	var list ignore.List
	if err := list.Read(path, bytes.NewReader(text)); err != nil {
		return nil, fmt.Errorf("exclude %w", err)
	}
	now := time.Now()
	for _, lo := range list.Live(now) {
		set[lo] = struct{}{}
	}
	if expired, _ := list.Expired(now, 0); expired > 0 && notice != nil {
		notice(fmt.Sprintf("%s: %d of %d entries have expired, and their windows are indexed", path, expired, list.Len()))
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
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
