package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestSameSeedSameCorpus(t *testing.T) {
	t.Parallel()
	var a, b, other bytes.Buffer
	for _, c := range []struct {
		to   *bytes.Buffer
		seed uint64
	}{{&a, 1}, {&b, 1}, {&other, 2}} {
		if err := run(c.to, c.seed, "300000", "jsonl"); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) || bytes.Equal(a.Bytes(), other.Bytes()) {
		t.Error("a corpus does not depend on its seed alone")
	}
	for line := range bytes.Lines(a.Bytes()) {
		if !json.Valid(line) {
			t.Fatalf("not JSON: %q", line)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"300MB": 300e6, "1GB": 1e9, "17": 17} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1TB", "99999999999GB"} {
		if _, err := parseSize(text); err == nil {
			t.Errorf("%q is a size", text)
		}
	}
}
