package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"noecho/index/key"
	"noecho/ngram"
)

// TestEraseSet seals sets with a key and without one, opens them, and changes each byte.
func TestEraseSet(t *testing.T) {
	t.Parallel()
	text, err := key.Generate()
	if err != nil {
		t.Fatal(err)
	}
	k, err := key.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	words := []uint64{9, 8, 7, 6, 5, 4, 3, 2, 1, 10, 11, 12}
	want := ngram.Gram(0, roll(words[:10]), 10)
	for _, k := range []*key.Key{nil, k} {
		s := &eraseSet{Request: erasedRequest, N: 10}
		s.add(words)
		s.add(words[:3])
		sealed, err := s.seal(k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := openEraseSet(sealed, erasedRequest, []*key.Key{k})
		if err != nil || len(got.windows) != 3 || len(got.seeds) != 8 || !slices.Contains(got.windows, want) {
			t.Fatalf("%+v, %v", got, err)
		}
		if _, err := openEraseSet(sealed, "01JD0000000000000000000001", []*key.Key{k}); err == nil {
			t.Error("the set of another request")
		}
		if k == nil {
			continue
		}
		if _, err := openEraseSet(sealed, erasedRequest, nil); err == nil {
			t.Error("no key, and the set was opened")
		}
		if plain, _ := s.seal(nil); bytes.Contains(sealed, plain[len(plain)-16:]) {
			t.Error("a hash is in clear")
		}
		for i := range sealed {
			sealed[i] ^= 1
			if _, err := openEraseSet(sealed, erasedRequest, []*key.Key{k}); err == nil {
				t.Fatalf("byte %d can be changed", i)
			}
			sealed[i] ^= 1
		}
	}
	if _, err := readEraseSet(filepath.Join(t.TempDir(), "no.set"), erasedRequest, nil); err == nil {
		t.Error("a set that is not there was read")
	}
}

func roll(words []uint64) (sum uint64) {
	for _, w := range words {
		sum = ngram.Roll(sum, w)
	}
	return sum
}

// FuzzEraseSet opens sets without a key. Nothing may panic.
func FuzzEraseSet(f *testing.F) {
	s := &eraseSet{Request: erasedRequest, N: 10}
	s.add([]uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	text, err := s.seal(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := openEraseSet(text, erasedRequest, nil); err == nil && len(s.windows) != s.Windows {
			t.Errorf("%d windows, and %d were written", len(s.windows), s.Windows)
		}
	})
}
