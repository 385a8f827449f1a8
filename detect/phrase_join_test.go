package detect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/internal/gram"
	"noecho/ngram"
)

// identifiers are phrases that a caller may cut.
func identifiers() map[string]ngram.Phrase {
	return map[string]ngram.Phrase{
		"ann.ray@example.net":                 {Kind: "email", Records: 1},
		"jo@example.org":                      {Kind: "email", Records: 1},
		"+49 30 90182-0 ext 17":               {Kind: "phone", Records: 2},
		"DE89 3704 0044 0532 0130 00":         {Kind: "iban", Records: 1},
		"4111 1111 1111 1111":                 {Kind: "card", Records: 1},
		"sk-live-0a1b2c3d4e5f":                {Kind: "key", Records: 1},
		"Mary Ann van der Berg of Long Acre":  {Kind: "subject", Subject: 4},
		"a b c d e f g h i j k l m n oo pp":   {Kind: "phrase", Records: 1},
		"https://intra.example.net/x/y/z?q=1": {Kind: "url", Records: 1},
	}
}

// prompted returns a prompt of messages.
func prompted(ix Index, tail string, messages ...string) *Prompt {
	p := &Prompt{Tail: []byte(tail)}
	for _, m := range messages {
		p.Messages = append(p.Messages, NewMessage(ix, spec(10), []byte(m)))
	}
	return p
}

// TestPhraseJoins: an identifier that is cut between a message and the channel is withheld
// as far as it is the channel's: at every cut, in every message, at every place of it, and
// on either side.
func TestPhraseJoins(t *testing.T) {
	t.Parallel()
	phrases := newPlainPhrases(identifiers())
	phrases.lie = 11
	ix := parts{Set: newPlainSet(10, record), phrases: phrases}
	around := []struct{ before, behind string }{
		{"The mail is ", ""}, {"", " and so on, please"}, {"Continue \"", "\" now."}, {"", ""},
	}
	for id := range identifiers() {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			for cut := 1; cut < len(id); cut++ {
				first, rest := id[:cut], id[cut:]
				for place, a := range around {
					for _, release := range []Release{Adaptive, Strict} {
						// The caller has the first part.
						for at := range 3 {
							messages := []string{"you help", "hello there", "what is it"}
							messages[at] = a.before + first + a.behind
							if len(wordsOf(rest)) > 0 && len(wordsOf(first)) > 0 {
								check(t, ix, release, prompted(ix, messages[2], messages...), rest+" is it", rest, fmt.Sprint("first part in message ", at, " place ", place))
							}
						}
						// The caller has the last part.
						for at := range 3 {
							messages := []string{"you help", "hello there", "what is it"}
							messages[at] = a.before + rest + a.behind
							if len(wordsOf(rest)) > 0 && len(wordsOf(first)) > 0 {
								check(t, ix, release, prompted(ix, messages[2], messages...), "it is "+first, first, fmt.Sprint("last part in message ", at, " place ", place))
							}
						}
					}
				}
			}
		})
	}
}

// boundary reports whether no word of a text goes across an offset.
func boundary(text string, at int) bool {
	for _, w := range wordsOf(text) {
		if w.Span.Lo < int64(at) && int64(at) < w.Span.Hi {
			return false
		}
	}
	return true
}

// check reads an answer in every two pieces. Of the part no word may leave.
func check(t *testing.T, ix Index, release Release, p *Prompt, answer, part, name string) {
	t.Helper()
	lo := int64(len(answer) - len(part))
	if strings.HasPrefix(answer, part) {
		lo = 0
	}
	for cut := range len(answer) + 1 {
		d := New(ix, spec(10), Config{Release: release, Prompt: p})
		out := runPieces(t, d, []string{answer[:cut], answer[cut:]})
		own := 0
		for _, w := range wordsOf(answer) {
			mine := w.Span.Lo >= lo && w.Span.Hi <= lo+int64(len(part))
			if mine {
				own++
			}
			if out.acted[w.Span.Lo] != mine || out.acted[w.Span.Hi-1] != mine {
				t.Fatalf("%s: answer %q cut at %d: word at %d: %v", name, answer, cut, w.Span.Lo, out)
			}
		}
		if own > 0 && (len(out.findings) != 1 || out.findings[0].Kind != Phrase || out.findings[0].Words != own) {
			t.Fatalf("%s: answer %q cut at %d: %d words, %v", name, answer, cut, own, out)
		}
	}
}

// TestPhraseTail: where the channel continues the prompt byte by byte, an identifier may
// be cut inside a word, and so it may where a text follows the completion.
func TestPhraseTail(t *testing.T) {
	t.Parallel()
	ix := parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(identifiers())}
	for id := range identifiers() {
		for cut := 1; cut < len(id); cut++ {
			first, rest := id[:cut], id[cut:]
			tail := "The mail is " + first
			if len(wordsOf(rest)) > 0 {
				check(t, ix, Adaptive, prompted(ix, tail, tail), rest+" is it", rest, "tail "+tail)
			}
			if len(wordsOf(first)) > 0 {
				p := prompted(ix, "", "complete it", rest+" is it")
				p.Suffix = []byte(rest + " is it")
				check(t, ix, Adaptive, p, "it is "+first, first, "suffix "+rest)
			}
			for to := cut + 1; to < len(id); to++ {
				if mid := id[cut:to]; len(wordsOf(mid)) > 0 && (boundary(id, cut) || boundary(id, to)) {
					p := prompted(ix, tail, tail, id[to:])
					p.Suffix = []byte(id[to:])
					d := New(ix, spec(10), Config{Prompt: p})
					if got, _ := drive(d, mid); strings.ContainsAny(got, "abcdefghijklmnopqrstuvwxyz0123456789") {
						t.Fatalf("between %q and %q: %q", tail, id[to:], got)
					}
				}
			}
		}
	}
}

// TestPhraseJoinEchoes: an identifier that is whole in a message is the caller's own,
// wherever else a part of it is.
func TestPhraseJoinEchoes(t *testing.T) {
	t.Parallel()
	ix := parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(identifiers())}
	for id := range identifiers() {
		for cut := range id {
			p := prompted(ix, "mail "+id[:cut], "I am "+id+".", "mail "+id[:cut])
			for _, answer := range []string{id[cut:] + " it is", "it is " + id[:cut], id + " it is"} {
				d := New(ix, spec(10), Config{Prompt: p})
				if got, _ := drive(d, answer); got != answer {
					t.Fatalf("%q: %q", answer, got)
				}
			}
		}
	}
}

// FuzzPhraseJoins compares random prompts and channels with the phrases that their words
// have one behind the other.
func FuzzPhraseJoins(f *testing.F) {
	for i := range uint64(20) {
		f.Add(i, i*i)
	}
	f.Fuzz(func(t *testing.T, seed, more uint64) {
		r := rand.New(rand.NewPCG(seed, more))
		vocabulary := 2 + r.IntN(12)
		words := func(n int) (all []string) {
			for range n {
				all = append(all, fmt.Sprintf("w%d", r.IntN(vocabulary)))
			}
			return all
		}
		of := map[string]ngram.Phrase{}
		for range 1 + r.IntN(8) {
			of[strings.Join(words(1+r.IntN(1+r.IntN(gram.MaxPhraseWords))), " ")] = ngram.Phrase{Kind: "email", Records: 1}
		}
		phrases := newPlainPhrases(of)
		phrases.lie = uint64(r.IntN(8))
		ix := parts{Set: newPlainSet(10, record), phrases: phrases}
		var messages [][]string
		p := &Prompt{}
		for range 1 + r.IntN(4) {
			m := words(r.IntN(12))
			messages = append(messages, m)
			p.Messages = append(p.Messages, NewMessage(ix, spec(10), []byte(strings.Join(m, " "))))
		}
		channel := words(1 + r.IntN(20))
		text := strings.Join(channel, " ")
		must, may := expected(messages, messages, channel, of)
		_, over := expected(messages, [][]string{slices.Concat(messages...)}, channel, of) // a bridge
		for i := range may {
			may[i] = may[i] || over[i]
		}
		d := New(ix, spec(10), Config{Prompt: p, Release: Release(r.IntN(2))})
		var pieces []string
		for rest := text; rest != ""; {
			n := 1 + r.IntN(min(len(rest), 9))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		out := runPieces(t, d, pieces)
		at := 0
		for i, w := range channel {
			if gone := out.acted[at]; must[i] && !gone || gone && !may[i] {
				t.Fatalf("word %d of %q behind %q: withheld %v\n%v", i, channel, messages, gone, of)
			}
			at += len(w) + 1
		}
	})
}

// expected reports which words of a channel must be withheld and which may be. A phrase
// that goes on with one of four words or more that a text has whole need not be found. The
// channel is joined to some texts; those of messages are echoes.
func expected(messages, joined [][]string, channel []string, of map[string]ngram.Phrase) (must, may []bool) {
	must, may = make([]bool, len(channel)), make([]bool, len(channel))
	sent := func(phrase string) bool {
		for _, m := range messages {
			if strings.Contains(" "+strings.Join(m, " ")+" ", " "+phrase+" ") {
				return true
			}
		}
		return false
	}
	longer := func(words []string, own int) bool { // a phrase of the first words that is whole
		for k := startWords; k <= own; k++ {
			if _, ok := of[strings.Join(words[:k], " ")]; ok {
				return true
			}
		}
		return false
	}
	mark := func(text []string, from, first, last, own int) {
		phrase := strings.Join(text[first:last], " ")
		if _, ok := of[phrase]; !ok || sent(phrase) {
			return
		}
		for i := max(first, from); i < min(last, from+len(channel)); i++ {
			may[i-from] = true
			must[i-from] = must[i-from] || !longer(text[first:last], own)
		}
	}
	for first := range channel {
		for last := first + 1; last <= min(len(channel), first+gram.MaxPhraseWords); last++ {
			mark(channel, 0, first, last, 0)
		}
	}
	for _, m := range joined {
		for pos := range len(m) + 1 {
			before := append(append([]string{}, m[:pos]...), channel...)
			for first := range pos {
				for last := pos + 1; last <= min(len(before), first+gram.MaxPhraseWords); last++ {
					// The beginning in the message is followed as far as the message goes.
					own := 0
					for k := startWords; k <= min(gram.MaxPhraseWords, len(m)-first); k++ {
						if _, ok := of[strings.Join(m[first:first+k], " ")]; ok {
							own = k
						}
					}
					if own > 0 && pos-first >= startWords {
						phrase := strings.Join(before[first:last], " ")
						if _, ok := of[phrase]; ok && !sent(phrase) {
							for i := pos; i < last; i++ {
								may[i-pos] = true
							}
						}
						continue
					}
					mark(before, pos, first, last, 0)
				}
			}
			behind := append(append([]string{}, channel...), m[pos:]...)
			for first := range channel {
				for last := len(channel) + 1; last <= min(len(behind), first+gram.MaxPhraseWords); last++ {
					mark(behind, 0, first, last, len(channel)-first)
				}
			}
		}
	}
	return must, may
}

// TestNormalise: the normalised bytes of a word have its hash.
func TestNormalise(t *testing.T) {
	t.Parallel()
	s := speller{suite: spec(10).Suite}
	for _, text := range append(vocabulary, "ANN", "Ex4mple", "Straße", "e\u0301te", "don\u2019t", "ﬁne", "ｗｉｄｅ", "ко\u200bт") {
		w := wordsOf(text)
		if got := s.normalise([]byte(text)); len(w) != 1 || s.suite.Sum(got) != w[0].Hash {
			t.Errorf("%q is normalised to %q", text, got)
		}
	}
}

// TestShortTextsAreNotJoined: a short text that is no identifier is joined only if it has
// four words, because honest prompts and answers have fewer of one by chance.
func TestShortTextsAreNotJoined(t *testing.T) {
	t.Parallel()
	ix := parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(map[string]ngram.Phrase{
		"thank you": {Kind: plainText, Records: 1}, "yes please": {Kind: plainText, Records: 2}, "how are you": {Kind: plainText, Records: 1},
		"meet me at noon": {Kind: plainText, Records: 1},
	})}
	for _, tt := range []struct{ prompt, answer, want string }{
		{"I thank all of them", "You are welcome", "You are welcome"},
		{"please tell me", "it is yes", "it is yes"},
		{"tell me how are", "you doing it", "you doing it"},
		{"th", "ank you", "ank you"},
		{"Does she say: meet me", "at noon it is", "¤ it is"},
		{"who says at noon", "it is meet me", "it is ¤"},
		{"what is it", "yes please", "¤"},
	} {
		for _, tail := range []string{"", tt.prompt, tt.prompt + " "} {
			d := New(ix, spec(10), Config{Prompt: prompted(ix, tail, tt.prompt)})
			if got, _ := drive(d, tt.answer); got != tt.want {
				t.Errorf("%q behind %q: %q, want %q", tt.answer, tail, got, tt.want)
			}
		}
	}
}

// TestOtherSpellings: an identifier that a message has whole is the caller's own in another
// spelling too, and so is a part of it at the join. Other identifiers are not.
func TestOtherSpellings(t *testing.T) {
	t.Parallel()
	phrases := newPlainPhrases(map[string]ngram.Phrase{
		"NC-482133": {Kind: "order", Records: 1, Place: 70}, "NC482133": {Kind: "order", Records: 1, Place: 70},
		"NC-482134": {Kind: "order", Records: 1, Place: 90}, "NC482134": {Kind: "order", Records: 1, Place: 90},
		"+49 30 9012 3456": {Kind: "phone", Records: 1, Place: 170}, "030 90123456": {Kind: "phone", Records: 1, Place: 170},
		"a b c d e f g h i j k l m n o p": {Kind: "key", Records: 1, Place: 300}, "o p q r s t u v w x y z aa bb cc dd": {Kind: "key", Records: 1, Place: 300},
	})
	ix := parts{Set: newPlainSet(10, record), phrases: phrases}
	for _, tt := range []struct {
		message, answer string
		leaves          bool
	}{
		{"my number is +49 30 9012 3456", "so 030 90123456 it is", true},
		{"call 030 90123456", "+49 30 9012 3456", true},
		{"what is the number of NC-482133?", "482133 is the number", true},
		{"what is NC482133?", "it is NC-482133", true},
		{"what is NC482133?", "it is NC-482134", false},
		{"what is NC-48?", "2133 it is", false},
		{"a b c d e f g h i j k l m n o p", "o p q r s t u v w x y z aa bb cc dd", false},
	} {
		for cut := range len(tt.answer) + 1 {
			d := New(ix, spec(10), Config{Prompt: prompted(ix, tt.message, tt.message)})
			if got, _ := drive(d, tt.answer[:cut], tt.answer[cut:]); (got == tt.answer) != tt.leaves {
				t.Fatalf("message %q, answer cut at %d: %q", tt.message, cut, got)
			}
		}
	}
}
