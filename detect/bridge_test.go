package detect

import (
	"fmt"
	"strings"
	"testing"
)

// TestBridge: of a record that a caller cuts over messages nothing more leaves than of one that
// is whole in a message, wherever it is cut and in both directions.
func TestBridge(t *testing.T) {
	t.Parallel()
	phrases := newPlainPhrases(identifiers())
	ix := parts{Set: newPlainSet(10, record), phrases: phrases}
	words := strings.Fields(record)
	long := strings.Repeat("so it goes on and on ", 20)
	type try struct {
		messages []string
		answer   string
	}
	var tries []try
	for _, size := range []int{1, 2, 3, 4, 7} {
		for known := size + 1; known <= 9; known++ {
			cut := cutWords(words[:known], size)
			rest := strings.Join(words[known:10], " ")
			end := cutWords(words[len(words)-known:], size)
			first := strings.Join(words[len(words)-10:len(words)-known], " ")
			tries = append(tries,
				try{append([]string{"go on please"}, cut...), rest},
				try{append([]string{"you help", long + cut[0]}, append(cut[1:], "thanks")...), rest},
				try{append([]string{"go on please"}, end...), first},
			)
		}
	}
	for id := range identifiers() {
		if w := strings.Fields(id); len(w) > 2 && !strings.HasPrefix(id, "a b") {
			tries = append(tries, try{append([]string{"the number is"}, w[:len(w)-1]...), w[len(w)-1]}, try{append([]string{"the number is"}, w[1:]...), w[0]})
		}
	}
	tries = append(tries, try{[]string{"the mail is", "ann", "ray", "exam"}, "ple.net"}, try{[]string{"the mail is", "ann.", "ray@"}, "example.net"})
	for _, c := range tries {
		for _, release := range []Release{Adaptive, Strict} {
			for cut := range len(c.answer) + 1 {
				d := New(ix, spec(10), Config{Release: release, Prompt: prompted(ix, c.messages[len(c.messages)-1], c.messages...)})
				out := runPieces(t, d, []string{c.answer[:cut], c.answer[cut:]})
				for _, w := range wordsOf(c.answer) {
					if !out.acted[w.Span.Lo] {
						t.Fatalf("messages %q, answer cut at %d: %v", c.messages, cut, out)
					}
				}
			}
		}
	}
}

// cutWords cuts words into texts of size words.
func cutWords(words []string, size int) (all []string) {
	for ; len(words) > size; words = words[size:] {
		all = append(all, strings.Join(words[:size], " "))
	}
	return append(all, strings.Join(words, " "))
}

// TestBridgeIsNoEcho: words that follow each other over messages alone are not the caller's.
func TestBridgeIsNoEcho(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	words := strings.Fields(record)
	p := prompted(set, "", strings.Join(words[:5], " "), strings.Join(words[5:], " "))
	if got, _ := drive(New(set, spec(10), Config{Prompt: p}), "it is "+record); strings.Contains(got, words[9]) {
		t.Errorf("%q", got)
	}
}

// TestBridgeSize: a bridge has no more words than the messages, and of messages that do not
// go on with each other there is none.
func TestBridgeSize(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	var apart, together []*Message
	words := strings.Fields(record)
	for i := range 200 {
		apart = append(apart, NewMessage(set, spec(10), []byte(fmt.Sprint("hello ", i, " ", strings.Repeat("and ", 50)))))
		together = append(together, NewMessage(set, spec(10), []byte(words[i%len(words)])))
	}
	if b := bridgeOf(set, spec(10), 0, apart); b != nil {
		t.Errorf("%d words", b.size())
	}
	if b := bridgeOf(set, spec(10), 0, together); b == nil || b.size() < 200 || b.size() > 2*200 {
		t.Errorf("%v", b)
	}
}
