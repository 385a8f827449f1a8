package proxy

import (
	"encoding/json"
	"fmt"
	"strings"

	"noecho/internal/windowset"
	"noecho/ngram"
)

// Chat streams and indexes for the tests of package proxy. The tests of relay have the same.

// secret is the training data of the model. Windows have five words.
const secret = "alpha bravo charlie delta echo foxtrot golf"

// memory is an exact set of windows and their short grams.
type memory struct {
	windowset.Index
	gate2, gate4, window map[ngram.Hash]bool
}

func (m memory) Gate2(h ngram.Hash) bool { return m.gate2[h] }

func (m memory) Gate4(h ngram.Hash) bool { return m.gate4[h] }

func (m memory) Window(h ngram.Hash) bool { return m.window[h] }

func newMemory(spec ngram.Spec, texts ...string) memory {
	m := memory{windowset.Index{}, map[ngram.Hash]bool{}, map[ngram.Hash]bool{}, map[ngram.Hash]bool{}}
	for _, text := range texts {
		s := ngram.NewScanner(spec.Suite)
		words := s.Finish(s.Append(nil, []byte(text)))
		prefix := make([]uint64, len(words)+1)
		for i, w := range words {
			prefix[i+1] = ngram.Roll(prefix[i], w.Hash)
		}
		add := func(set map[ngram.Hash]bool, k int) {
			for i := 0; i+k <= len(words); i++ {
				set[ngram.Gram(prefix[i], prefix[i+k], k)] = true
			}
		}
		if len(words) >= spec.N {
			add(m.gate2, 2)
			add(m.gate4, 4)
			add(m.window, spec.N)
		}
	}
	return m
}

// stream returns payloads as the events of a stream.
func stream(payloads ...string) string {
	var b strings.Builder
	for _, p := range payloads {
		b.WriteString("data: " + p + "\n\n")
	}
	return b.String()
}

// delta returns a chunk of one choice.
func delta(choice int, members string) string {
	return fmt.Sprintf(`{"id":"c","created":7,"model":"m","choices":[{"index":%d,"delta":{%s},"finish_reason":null}]}`, choice, members)
}

// ends returns the chunk that ends a choice.
func ends(choice int, reason string) string {
	return fmt.Sprintf(`{"id":"c","created":7,"model":"m","choices":[{"index":%d,"delta":{},"finish_reason":%q}]}`, choice, reason)
}

// contents returns a stream of one choice whose content comes in pieces.
func contents(pieces ...string) string {
	var payloads []string
	for _, p := range pieces {
		payloads = append(payloads, delta(0, `"content":`+p))
	}
	return stream(append(payloads, ends(0, "stop"), "[DONE]")...)
}

// words cuts a text into JSON strings of one word each, with the space in front of it.
func words(text string) []string {
	var out []string
	for i, w := range strings.Fields(text) {
		if i > 0 {
			w = " " + w
		}
		out = append(out, string(mustJSON(w)))
	}
	return out
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
