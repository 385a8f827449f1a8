package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"noecho/govern"
	"noecho/index/build"
	"noecho/index/corpus"
	"noecho/index/inventory"
	"noecho/index/key"
	"noecho/ngram"
)

// foundRows are the rows of the training files that are about a person.
type foundRows struct {
	answer   *inventory.Answer // nil: the caller named the rows
	taken    []inventory.Finding
	possible int
}

// place is the place of a row.
type place struct {
	path string
	line int
}

// rows finds the rows in the training files, unless the caller named them.
func (s *suppression) rows(ctx context.Context, query *inventory.Query, o *build.Options) (*foundRows, error) {
	found := new(foundRows)
	if len(s.records) > 0 || len(s.corpus) == 0 {
		return found, nil
	}
	if o.Corpus.Format != corpus.Auto {
		return nil, usageError("--input-format goes with --records: rows are found in files of formats that are recognised")
	}
	files, err := openInventories(s.find.inventories, s.find.keys)
	if err != nil {
		return nil, inventoryError(err)
	}
	search := inventory.Search{Query: query, Files: &inventory.Sources{
		Inputs: s.corpus, Options: corpus.Options{Format: corpus.Auto}, Workers: runtime.GOMAXPROCS(0), Texts: true,
	}}
	for i, f := range files {
		defer f.Close()
		search.Inventories = append(search.Inventories, inventory.Named[*inventory.File]{Name: s.find.inventories[i], In: f})
	}
	if found.answer, err = search.Run(ctx); err != nil {
		return nil, inventoryError(err)
	}
	found.taken, found.possible = confirmed(found.answer, s.possible)
	own := map[place]bool{}
	for _, f := range found.taken {
		if f.Path != "" && f.Line == 0 {
			return nil, usageError("the text %s is about the person as a whole: name it with --records", f.Path)
		}
		own[place{f.Path, int(f.Line)}] = true
	}
	o.OwnRow = func(path string, line int) bool { return own[place{path, line}] }
	return found, nil
}

// write writes the texts of the rows into a folder that is deleted with the build, and makes them
// its inputs.
func (r *foundRows) write(dir string, o *build.Options) error {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	for _, f := range r.taken {
		row := map[string][]message{"messages": {}}
		for _, text := range f.Texts {
			row["messages"] = append(row["messages"], message{"user", text})
		}
		if err := lines.Encode(row); err != nil {
			return err
		}
	}
	switch {
	case b.Len() > 0:
		o.Inputs = []string{filepath.Join(dir, "rows.jsonl")}
		return os.WriteFile(o.Inputs[0], b.Bytes(), 0o600)
	case len(o.Inputs) == 0: // names and identifiers alone
		o.Inputs, o.Others, o.Stdin, o.Corpus.Format = []string{corpus.Stdin}, nil, strings.NewReader(""), corpus.Text
	}
	return nil
}

// incomplete says which rows may be missing.
func (r *foundRows) incomplete(a *app) error {
	if r.possible > 0 {
		fmt.Fprintf(a.stderr, "noecho: %s left out, since no identifier says that they are about the person: look at them with inventory find, and give --possible\n", count(r.possible, "possible match"))
	}
	if r.answer == nil || r.answer.Complete {
		return nil
	}
	return answerError(a.stderr, r.answer)
}

// eraseStep is a step of a request in the ledger; without a ledger it does nothing.
type eraseStep struct {
	to     *requestLedger
	ledger *govern.Ledger
	r      *govern.Request
	set    eraseSet
	o      *build.Options
}

// open reads the request.
func (e *eraseStep) open(a *app, to *requestLedger, id string) (err error) {
	e.to = to
	if e.ledger, e.r, err = to.read(a, id); err == nil && (e.r.State != govern.Open || e.r.Purge != nil) {
		err = fmt.Errorf("the request is %s", e.r.State)
	}
	return err
}

// begin writes into the ledger that the step begins, and collects the windows of the build.
func (e *eraseStep) begin(ctx context.Context, a *app, o *build.Options, out string) error {
	if e.r == nil {
		return nil
	}
	path, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	e.r.Suppressed(path)
	e.o, e.set = o, eraseSet{Request: e.r.ID, N: ngram.DefaultN}
	old, err := readEraseSet(e.ledger.SetPath(e.r.ID), e.r.ID, []*key.Key{o.Key})
	switch {
	case err == nil:
		e.set.windows, e.set.seeds = old.windows, old.seeds
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	o.Own = e.set.add
	if last := e.r.Events[len(e.r.Events)-1]; last.Type != "suppressing" { // else a run was killed
		e.r.Record("suppressing", nil, time.Now())
	}
	return e.to.write(ctx, a, e.ledger, e.r)
}

// keep writes the erase set, and the index of the person, which was built in a folder.
func (e *eraseStep) keep(ctx context.Context, dir, person string) error {
	if e.r == nil {
		return nil
	}
	text, err := e.set.seal(e.o.Key)
	if err == nil {
		err = e.ledger.WriteSet(e.r.ID, text)
	}
	if err == nil {
		err = keepPart(ctx, e.ledger, e.r.ID, dir, person)
	}
	return err
}

// end writes into the ledger that the step is complete.
func (e *eraseStep) end(ctx context.Context, a *app) error {
	if e.r == nil {
		return nil
	}
	e.r.Record("suppressed", map[string]uint64{"windows": uint64(len(e.set.windows))}, time.Now())
	return e.to.write(ctx, a, e.ledger, e.r)
}
