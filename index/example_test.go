package index_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"noecho/index"
	"noecho/index/build"
	"noecho/ngram"
)

// Open checks every byte of the file. A window is asked by its hash.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "noecho-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	const text = "Refunds above two hundred euros need the approval of two clerks."
	path := write(dir, "handbook", text)

	ix, err := index.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer ix.Close()
	fmt.Println(ix.Window(firstWindow(ix.Spec(), text)))
	fmt.Println(ix.Window(firstWindow(ix.Spec(), "Refunds below two hundred euros need the approval of one clerk.")))
	// Output:
	// true
	// false
}

// Join makes one index of several. A place names its record in any of them.
func ExampleJoin() {
	dir, err := os.MkdirTemp("", "noecho-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	const text = "My router restarts every night at three and then the alarm goes off."
	var all []*index.Index
	for _, path := range []string{
		write(dir, "handbook", "Refunds above two hundred euros need the approval of two clerks."),
		write(dir, "tickets", text),
	} {
		ix, err := index.Open(path)
		if err != nil {
			log.Fatal(err)
		}
		all = append(all, ix)
	}
	ix, err := index.Join(all...)
	if err != nil {
		log.Fatal(err)
	}
	defer ix.Close() // closes both
	fmt.Println(ix.Window(firstWindow(ix.Spec(), text)))
	for _, f := range ix.Files() {
		fmt.Println(filepath.Base(f.Path), f.Manifest.Datasets[0].Name)
	}
	// Output:
	// true
	// handbook.nidx handbook
	// tickets.nidx tickets
}

// write builds an index of one record.
func write(dir, name, text string) (path string) {
	path = filepath.Join(dir, name+".nidx")
	w, err := build.NewWriter(context.Background(), build.Options{Out: path, Dataset: name})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Add(build.Record{Texts: []string{text}}); err != nil {
		log.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		log.Fatal(err)
	}
	return path
}

// firstWindow returns the hash of the first n words of a text.
func firstWindow(spec ngram.Spec, text string) ngram.Hash {
	s := ngram.NewScanner(spec.Suite)
	words := s.Finish(s.Append(nil, []byte(text)))
	sum := uint64(0)
	for _, w := range words[:spec.N] {
		sum = ngram.Roll(sum, w.Hash)
	}
	return ngram.Gram(0, sum, spec.N)
}
