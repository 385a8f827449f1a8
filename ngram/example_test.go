package ngram_test

import (
	"fmt"

	"noecho/ngram"
)

// A Scanner finds the words of a text that comes in pieces, whatever their case,
// markup and escapes. The span of a word is its bytes in the text.
func ExampleScanner() {
	text := "The **Quick** br&#111;wn fo\u0445" // the last letter is Cyrillic
	spec, err := ngram.NewSpec(10, ngram.XXH64)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := ngram.NewScanner(spec.Suite)
	words := s.Append(nil, []byte(text[:9]))
	words = s.Append(words, []byte(text[9:]))
	words = s.Finish(words)

	plain := ngram.NewScanner(spec.Suite)
	same := plain.Finish(plain.Append(nil, []byte("the quick brown fox")))
	for i, w := range words {
		fmt.Printf("%q %v\n", text[w.Span.Lo:w.Span.Hi], w.Hash == same[i].Hash)
	}
	// Output:
	// "The" true
	// "Quick" true
	// "br&#111;wn" true
	// "foх" true
}

// The hash of any run of words comes from two prefix hashes.
func ExampleGram() {
	spec, err := ngram.NewSpec(10, ngram.XXH64)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := ngram.NewScanner(spec.Suite)
	words := s.Finish(s.Append(nil, []byte("one two three four; two, three")))
	prefix := []uint64{0}
	for _, w := range words {
		prefix = append(prefix, ngram.Roll(prefix[len(prefix)-1], w.Hash))
	}
	fmt.Println(ngram.Gram(prefix[1], prefix[3], 2) == ngram.Gram(prefix[4], prefix[6], 2))
	// Output: true
}
