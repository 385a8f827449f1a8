package detect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestCutWord: a record is found over two channels that take turns inside its words, whatever
// those consist of and wherever they are cut, and if characters that no word has, or markup,
// come between.
func TestCutWord(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"walnut", "481327", "12", "7th5a", "naïveté"} {
		record := []string{"aspen birch cedar dogwood", word, "elder fir ginkgo", word, "hazel ivy juniper larch"}
		set := newPlainSet(10, strings.Join(record, " "))
		for _, between := range []string{"", "\u00ad", "\u200d", "\ufeff", "\u202a", "\u0301", "\x00", "</b>", "<i></b>\u200d"} {
			for at := range word {
				if at == 0 {
					continue
				}
				texts := []string{
					"He said " + record[0] + " " + word[:at],
					between + word[at:] + " " + record[2] + " " + word[:at],
					between + word[at:] + " " + record[4] + " and so on",
				}
				for _, size := range []int{1, 2, 3, 1000} {
					name := fmt.Sprintf("%q cut at %d, %q between, pieces of %d", word, at, between, size)
					got := strings.ReplaceAll(takeTurns(set, texts, size), between, "")
					got = strings.ReplaceAll(got, "¤¤", "¤")
					if want := "He said ¤ and so on¤"; got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
			}
		}
	}
}

// takeTurns lets two channels of an answer take turns, and returns their texts with a mark in
// the place of bytes that were withheld.
func takeTurns(set Index, texts []string, size int) string {
	answer := &Answer{}
	var ds [2]*Detector
	var said [2]string
	var gone [2]map[int64]bool
	for k := range ds {
		ds[k], gone[k] = New(set, spec(10), Config{Answer: answer, Channel: k}), map[int64]bool{}
	}
	mark := func(k int, s Segment) {
		for i := s.Span.Lo; s.Finding != nil && i < s.Span.Hi; i++ {
			gone[k][i] = true
		}
	}
	take := func(k int, segments []Segment) {
		for _, s := range segments {
			mark(k, s)
		}
		late, _ := answer.Take(nil, nil)
		for _, l := range late {
			mark(l.Channel, l.Segment)
		}
	}
	for i, text := range texts {
		said[i%2] += text
		for p := range slices.Chunk([]byte(text), size) {
			take(i%2, ds[i%2].Append(nil, p))
		}
	}
	for k, d := range ds {
		take(k, d.Finish(nil))
	}
	answer.Finish()
	take(0, nil)
	var b strings.Builder
	for k, text := range said {
		for i := range len(text) {
			if !gone[k][int64(i)] {
				b.WriteByte(text[i])
			} else if i == 0 || !gone[k][int64(i-1)] {
				b.WriteString("¤")
			}
		}
	}
	return b.String()
}
