package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"
)

// document is one file of plain text.
type document struct {
	path string // to open it
	name string // within its folder, with slashes
	size int64
}

// documents returns what is indexed and what is read, each in the order of the
// names.
func documents(o *options) (train, held []document, err error) {
	if o.corpus == "" {
		if train, err = files(o.train); err != nil {
			return nil, nil, err
		}
		held, err = files(o.heldout)
		return train, held, err
	}
	all, err := files(o.corpus)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range all {
		if heldOut(d.name, o.seed, o.percent) {
			held = append(held, d)
		} else {
			train = append(train, d)
		}
	}
	if len(train) == 0 || len(held) == 0 {
		return nil, nil, fmt.Errorf("%d documents in %q are too few to split", len(all), o.corpus)
	}
	return train, held, nil
}

// files returns the files of a folder and below. Hidden ones are left out, as
// they are from an index.
func files(folder string) ([]document, error) {
	var docs []document
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") && path != folder {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		docs = append(docs, document{path: path, name: filepath.ToSlash(name), size: info.Size()})
		return nil
	})
	if err == nil && len(docs) == 0 {
		err = fmt.Errorf("no files in %q", folder)
	}
	return docs, err
}

// heldOut draws a document by the digest of its name, so that everybody gets
// the same split.
func heldOut(name, seed string, percent int) bool {
	sum := sha256.Sum256([]byte(seed + "\x00" + name))
	return binary.LittleEndian.Uint64(sum[:])%100 < uint64(percent)
}

func paths(docs []document) []string {
	out := make([]string, len(docs))
	for i, d := range docs {
		out[i] = d.path
	}
	return out
}

// progress says on a terminal how far a phase is. Elsewhere it is silent.
type progress struct {
	w           io.Writer // nil: silent
	name        string
	count, step int
}

func newProgress(w io.Writer) *progress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &progress{w: w}
	}
	return &progress{}
}

// phase begins a phase of count documents.
func (p *progress) phase(name string, count int) {
	p.name, p.count, p.step = name, count, 0
	p.draw()
}

// next counts a document.
func (p *progress) next() {
	p.step++
	if p.step%100 == 0 {
		p.draw()
	}
}

func (p *progress) draw() {
	if p.w != nil {
		fmt.Fprintf(p.w, "\r\x1b[K%s: %d of %d documents", p.name, p.step, p.count)
	}
}

// done clears the line.
func (p *progress) done() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
