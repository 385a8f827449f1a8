package build_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"noecho/index"
	"noecho/index/build"
)

// A build reads files, folders and patterns; here it reads one text file.
func ExampleBuild() {
	dir := tempDir()
	defer os.RemoveAll(dir)
	text := filepath.Join(dir, "handbook.txt")
	err := os.WriteFile(text, []byte("Refunds above two hundred euros need the approval of two clerks."), 0o600)
	if err != nil {
		log.Fatal(err)
	}
	res, err := build.Build(context.Background(), build.Options{
		Out:    filepath.Join(dir, "handbook.nidx"),
		Inputs: []string{text},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Info.Records, "record,", res.Info.Words, "words,", res.Info.Windows, "windows of", res.Info.N)
	// Output: 1 record, 11 words, 2 windows of 10
}

// A Writer takes records from the calling program.
func ExampleWriter() {
	dir := tempDir()
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "tickets.nidx")
	w, err := build.NewWriter(context.Background(), build.Options{Out: out, Dataset: "tickets", Labels: []string{"pii"}})
	if err != nil {
		log.Fatal(err)
	}
	for i, text := range []string{
		"My router restarts every night at three and then the alarm goes off.",
		"Since the update I cannot print the labels for parcels to Norway.",
	} {
		if err := w.Add(build.Record{ID: fmt.Sprint("ticket-", i+1), Texts: []string{text}}); err != nil {
			log.Fatal(err) // the build has failed; Close returns the same error
		}
	}
	if _, err := w.Close(); err != nil {
		log.Fatal(err)
	}
	ix, err := index.Open(out)
	if err != nil {
		log.Fatal(err)
	}
	defer ix.Close()
	fmt.Println(ix.Files()[0].Info.Records, "records,", ix.Labels())
	// Output: 2 records, [pii]
}

// The shards are built with the same Capacity, here as if on two nodes. Their files may
// be on disk or anywhere else.
func ExampleMerge() {
	dir := tempDir()
	defer os.RemoveAll(dir)
	var shards []*io.SectionReader
	for i, text := range []string{
		"My router restarts every night at three and then the alarm goes off.",
		"Since the update I cannot print the labels for parcels to Norway.",
	} {
		out := filepath.Join(dir, fmt.Sprint("shard-", i))
		w, err := build.NewWriter(context.Background(), build.Options{Out: out, Capacity: 1000})
		if err != nil {
			log.Fatal(err)
		}
		if err := w.Add(build.Record{Texts: []string{text}}); err != nil {
			log.Fatal(err)
		}
		if _, err := w.Close(); err != nil {
			log.Fatal(err)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			log.Fatal(err)
		}
		shards = append(shards, io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))))
	}
	res, err := build.Merge(context.Background(), build.MergeOptions{Out: filepath.Join(dir, "all.nidx"), Readers: shards})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Info.Records, "records of", len(res.Manifest.Merged), "shards")
	// Output: 2 records of 2 shards
}

func tempDir() string {
	dir, err := os.MkdirTemp("", "noecho-")
	if err != nil {
		log.Fatal(err)
	}
	return dir
}
