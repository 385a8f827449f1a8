package build

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"noecho/index/corpus"
)

// An index of the records of one person leaves out the windows that records of other people
// have too: sentences of templates. Other inputs, mostly the whole training files, are read
// once for it. A record of them that is also among the inputs of the build is the person's.

// recordReader reads records and keeps the windows of each that are wanted.
type recordReader struct {
	b      *builder
	cut    *cutter
	g      grams
	wanted func(window uint64) bool
	found  []uint64             // wanted windows of the current record, by the lower half of their hashes
	own    func(words []uint64) // is told every run; nil: the rows are those of others
}

// take is told a run.
func (r *recordReader) take(run []uint64) error {
	if r.own != nil {
		r.own(run)
	}
	r.g.fill(run, r.b.spec.N, nil, r.b.o.Key)
	for _, h := range r.g.windows {
		if r.wanted(h.Lo) {
			r.found = append(r.found, h.Lo)
		}
	}
	return nil
}

// readAll calls f for each record of files, with a digest of its texts and the windows found.
// Messages of all roles are read, since others may have a sentence where a build does not look.
func (r *recordReader) readAll(files []string, f func(sum [sha256.Size]byte, found []uint64)) error {
	if slices.Contains(files, corpus.Stdin) {
		return errors.New("records that are compared with those of other people are read twice, and standard input once only: name files")
	}
	o := r.b.o.Corpus
	o.Roles = []string{corpus.AnyRole}
	inputs, _, err := corpus.Find(files, nil, o)
	if err != nil {
		return err
	}
	for i := range inputs {
		if err := r.read(&inputs[i], o, f); err != nil {
			return fmt.Errorf("look for shared windows in %s: %w", inputs[i].Path, err)
		}
	}
	return nil
}

func (r *recordReader) read(in *corpus.Input, o corpus.Options, f func(sum [sha256.Size]byte, found []uint64)) error {
	file, err := in.Open()
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	r.found = r.found[:0]
	if in.Format == corpus.Text {
		if _, err = r.cut.read(io.TeeReader(file, sum), r.take); err == nil {
			f([sha256.Size]byte(sum.Sum(nil)), r.found)
		}
	} else {
		err = eachRecord(file, in, o, func(line int, rec *corpus.Record) error {
			if r.own == nil && r.b.o.OwnRow != nil && r.b.o.OwnRow(in.Path, line) {
				return nil
			}
			sum.Reset()
			r.found = r.found[:0]
			for _, s := range rec.Segments {
				text := rec.Text(s)
				sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
				sum.Write(text)
				if _, err := r.cut.whole(text, r.take); err != nil {
					return err
				}
			}
			f([sha256.Size]byte(sum.Sum(nil)), r.found)
			return nil
		}, func(*corpus.BadRecord) error { return nil }) // it has no text that could be compared
	}
	return err
}

// leaveOutOthers excludes the windows of the inputs that occur in records of Options.Others
// too.
func leaveOutOthers(b *builder) error {
	if len(b.o.Others) == 0 {
		return nil
	}
	own, records := map[uint64]struct{}{}, map[[sha256.Size]byte]struct{}{}
	r := &recordReader{b: b, cut: newCutter(b.spec), wanted: func(uint64) bool { return true }, own: b.o.Own}
	if r.own == nil {
		r.own = func([]uint64) {}
	}
	err := r.readAll(b.o.Inputs, func(sum [sha256.Size]byte, found []uint64) {
		records[sum] = struct{}{}
		for _, lo := range found {
			own[lo] = struct{}{}
		}
	})
	if err != nil {
		return err
	}
	r.own = nil
	r.wanted = func(window uint64) bool { _, ok := own[window]; return ok }
	return r.readAll(b.o.Others, func(sum [sha256.Size]byte, found []uint64) {
		if _, ok := records[sum]; ok {
			return
		}
		for _, lo := range found {
			b.exclude[lo] = struct{}{}
		}
	})
}
