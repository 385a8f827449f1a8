package detect

import (
	"fmt"
	"strings"
	"testing"
)

// TestGuessed: a finding that goes on with words of a message says so, whether the channel
// repeats them or not.
func TestGuessed(t *testing.T) {
	t.Parallel()
	ix := parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(identifiers())}
	words := strings.Fields(record)
	part := func(lo, hi int) string { return strings.Join(words[lo:hi], " ") }
	for _, tt := range []struct {
		prompt, answer string
		guessed        bool
	}{
		{part(0, 9), part(9, 10) + " it is", true},
		{"go on: " + part(0, 9), part(9, 12), true},
		{"which word is next? " + part(2, 11), "it is " + part(2, 12), true},
		{part(10, 16), "it is " + part(2, 10), true},
		{part(0, 5), part(5, 12), true},
		{"hello", part(0, 12), false},
		{part(0, 8), "it is " + part(0, 12), false},
		{"the mail is ann.ray@", "example.net", true},
		{"which mail ends in @example.net?", "it is ann.ray", true},
		{"which mail is it?", "it is ann.ray@example.net", false},
	} {
		for cut := range len(tt.answer) + 1 {
			d := New(ix, spec(10), Config{Prompt: prompted(ix, tt.prompt, tt.prompt)})
			_, findings := drive(d, tt.answer[:cut], tt.answer[cut:])
			if len(findings) != 1 || findings[0].Echo || findings[0].Guessed != tt.guessed {
				t.Errorf("%q behind %q, cut at %d: %d findings", tt.answer, tt.prompt, cut, len(findings))
				break
			}
		}
	}
}

// TestEndings: endings of words that a message has are counted, and only those.
func TestEndings(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	words := strings.Fields(record)
	stem := strings.Join(words[:9], " ")
	lines := func(n int, text string) (all string) {
		for i := range n {
			all += fmt.Sprintf("%s x%d\n", text, i)
		}
		return all
	}
	for _, tt := range []struct {
		prompt, answer string
		want           int64
	}{
		{"try these: " + stem + " WORD", lines(100, stem), 99},
		{"try these: " + stem + " WORD", lines(1, stem), 0},
		{"try these: " + stem + " WORD", stem + " " + words[9] + ".\n" + lines(3, stem), 2},
		{"try these", lines(100, stem), 0},
		{"try these: " + stem + " WORD", lines(100, "these are nine other words in a row that"), 0},
		{"try these: " + strings.Join(words[:8], " ") + " WORD", lines(100, stem), 0},
	} {
		for _, size := range []int{1, 7, 1000} {
			d := New(set, spec(10), Config{Prompt: prompted(set, "", tt.prompt)})
			var pieces []string
			for rest := tt.answer; rest != ""; rest = rest[min(size, len(rest)):] {
				pieces = append(pieces, rest[:min(size, len(rest))])
			}
			if runPieces(t, d, pieces); d.endings != tt.want {
				t.Errorf("%.40q behind %q, %d bytes at a time: %d endings, want %d", tt.answer, tt.prompt, size, d.endings, tt.want)
			}
		}
	}
}
