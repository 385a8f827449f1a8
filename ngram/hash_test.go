package ngram

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// TestXXH64IsXXHash: the suite is XXH64 of the zero-padded word, as the
// reference library computes it.
func TestXXH64IsXXHash(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= maxWordBytes; n++ {
		w := make([]byte, n)
		for i := range w {
			w[i] = byte(1 + rng.IntN(255))
		}
		padded := w
		if n < 16 {
			padded = make([]byte, 16)
			copy(padded, w)
		}
		d := xxhash.NewWithSeed(xxh64Seed)
		_, _ = d.Write(padded)
		want := d.Sum64()
		longer := make([]byte, n+32) // the bytes behind a word do not matter
		for i := range longer {
			longer[i] = 0xA5
		}
		copy(longer, w)
		for _, word := range [][]byte{w[:n:n], longer[:n]} {
			if got := (xxh64Suite{}).Sum(word); got != want {
				t.Fatalf("%d bytes: got %#x, want %#x", n, got, want)
			}
		}
	}
}

// TestHashVectors pins the hashes that index format v1 is made of. The values
// come from a second implementation, in Python over the xxhash module.
func TestHashVectors(t *testing.T) {
	t.Parallel()
	s := xxh64Suite{}
	for word, want := range map[string]uint64{
		"a":                     0xaacebb51d3976ba0,
		"secret":                0x2f29d894842311ea,
		"incomprehensibilities": 0xea64edef1d402126,
	} {
		if got := s.Sum([]byte(word)); got != want {
			t.Errorf("word %q: got %#x, want %#x", word, got, want)
		}
	}
	p := []uint64{0}
	for _, w := range []string{"the", "quick", "brown", "fox", "jumps"} {
		p = append(p, Roll(p[len(p)-1], s.Sum([]byte(w))))
	}
	for _, tt := range []struct {
		from, k int
		want    Hash
	}{
		{0, 5, Hash{0xe60cc94cdc850494, 0x3315ab5875940bc1}},
		{0, 4, Hash{0x543e660de83da3ff, 0xf481f9a92c54b30f}},
		{3, 2, Hash{0x1b14ea76046b5415, 0x8bdb3d2e907551d8}},
	} {
		if got := Gram(p[tt.from], p[tt.from+tt.k], tt.k); got != tt.want {
			t.Errorf("%d-gram at %d: got {%#x, %#x}, want {%#x, %#x}", tt.k, tt.from, got.Hi, got.Lo, tt.want.Hi, tt.want.Lo)
		}
	}
}

// TestGramForgetsWhatStandsBefore: the same words have the same hash anywhere; other words,
// or another order of them, have another.
func TestGramForgetsWhatStandsBefore(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	words := make([]uint64, 200)
	for i := range words {
		words[i] = rng.Uint64()
	}
	copy(words[120:], words[20:70])
	prefix := []uint64{0}
	for _, w := range words {
		prefix = append(prefix, Roll(prefix[len(prefix)-1], w))
	}
	for _, k := range []int{1, 2, 4, 5, 10, 64} {
		seen := map[Hash]int{}
		for i := 0; i+k <= len(words); i++ {
			h := Gram(prefix[i], prefix[i+k], k)
			first, ok := seen[h]
			repeat := i >= 120 && i+k <= 170
			if ok != repeat || ok && first != i-100 {
				t.Fatalf("k=%d at %d: seen %v at %d", k, i, ok, first)
			}
			if !ok {
				seen[h] = i
			}
		}
	}
	a, b := Roll(Roll(0, 7), 9), Roll(Roll(0, 9), 7)
	if Gram(0, a, 2) == Gram(0, b, 2) {
		t.Error("order does not matter")
	}
	if Gram(0, 7, 1) == Gram(0, 7, 2) {
		t.Error("length does not matter")
	}
}

// TestEndsAreSums: the ends of a text have the hashes that Sum returns one by one, whatever
// bytes stand behind the text.
func TestEndsAreSums(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		room := make([]byte, 120)
		for i := range room {
			room[i] = byte(r.Uint32())
		}
		text := room[:1+r.IntN(100)]
		if r.IntN(2) == 0 {
			text = slices.Clip(text)
		}
		var from []uint8
		var want []uint64
		for lo := range text {
			from, want = append(from, uint8(lo)), append(want, xxh64Suite{}.Sum(text[lo:]))
		}
		got := make([]uint64, len(from))
		if (xxh64Suite{}).Ends(got, text, from); !slices.Equal(got, want) {
			t.Fatalf("%d bytes: %x, want %x", len(text), got, want)
		}
	}
}

func TestSpecLimits(t *testing.T) {
	t.Parallel()
	for n, ok := range map[int]bool{4: false, 5: true, 10: true, 64: true, 65: false} {
		if _, err := NewSpec(n, XXH64); (err == nil) != ok {
			t.Errorf("n=%d: %v", n, err)
		}
	}
	if _, err := NewSpec(10, 0); err == nil {
		t.Error("suite 0 accepted")
	}
}
