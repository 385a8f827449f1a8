package eval

import (
	"encoding/base64"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/ngram"
)

// rot shifts the letters of a text by 13 places.
func rot(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return 'a' + (r-'a'+13)%26
		case r >= 'A' && r <= 'Z':
			return 'A' + (r-'A'+13)%26
		}
		return r
	}, s)
}

// everyNth puts text behind every n words.
func everyNth(s string, n int, put string) string {
	words := strings.Fields(s)
	var out []string
	for i, w := range words {
		if out = append(out, w); i%n == n-1 {
			out = append(out, put)
		}
	}
	return strings.Join(out, " ")
}

// TestLimits compares docs/limits.md with the detector: a disguise that the page lists
// as found is found in full, one that it lists as passing passes.
func TestLimits(t *testing.T) {
	t.Parallel()
	ix := shortIndex(t, []string{long})
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(long) }
	words := strings.Fields(long)
	tests := []struct {
		name, text string
		found      bool
	}{
		{"as it is", long, true},
		{"upper case", strings.ToUpper(long), true},
		{"other punctuation", replace(",", " -- ", ".", " ... "), true},
		{"lines", replace(" ", "\n"), true},
		{"a quotation in Markdown", "> " + replace(" ", "\n> "), true},
		{"a list", "1. " + replace(" ", "\n2. "), true},
		{"emphasis", replace("Ellen", "**Ellen**", "depot", "_depot_"), true},
		{"tags", replace("Ellen", "<b>El</b>len", "depot", "<i>depot</i>"), true},
		{"entities", replace("Ellen", "&#69;llen", " at ", "&nbsp;at&#32;"), true},
		{"escaped JSON", replace(" ", `\n`, "E", `\u0045`), true},
		{"escaped twice", replace(" ", `\\n`, "E", `\\u0045`), true},
		{"accents", replace("e", "é"), true},
		{"invisible characters", replace("e", "e\u200b\u00ad\u2060"), true},
		{"full width", replace("o", "ｏ", "2", "２"), true},
		{"Cyrillic small letters", replace("o", "о", "e", "е", "a", "а"), true},
		{"apostrophes inside", replace("crates", "crate's"), true},

		{"a word changed in every nine", everyNth(long, 9, "indeed"), false},
		{"two texts interleaved", everyNth(long, 1, "blah"), false},
		{"backwards", reverse(words), false},
		{"ROT13", rot(long), false},
		{"letters spaced out", strings.Join(strings.Split(long, ""), " "), false},
		{"words run together", replace(" ", ""), false},
		{"hyphens at line ends", replace("left", "le-\nft", "Tuesday", "Tues-\nday"), false},
		{"compounds with a hyphen more", replace("Ravenscroft", "Ravens-croft", "Tuesday", "Tues-day"), false},
		{"emphasis inside a word", replace("Ellen", "El**l**en", " at ", " a_t_ "), false},
		{"base64", base64.StdEncoding.EncodeToString([]byte(long)), false},
		{"leetspeak", replace("e", "3", "o", "0"), false},
		{"Greek capital Nu", replace("n", "Ν"), false},
		{"tags with attributes", replace(" on ", ` <b class="x">on</b> `, " at ", ` <b class="x">at</b> `), false},
		{"paraphrase", "Two crates were missing when Mrs Ravenscroft's order left Penrith in the rain last Tuesday.", false},
		{"translation", "Die Bestellung von Frau Ellen Ravenscroft verließ das Lager in Penrith an einem regnerischen Dienstag.", false},
		{"nine words", strings.Join(words[:9], " "), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			found := find(ix, detect.Config{}, "Of course: "+tt.text+"\nAnything else?", 4)
			switch {
			case !tt.found && len(found) > 0:
				t.Errorf("found, although the documents say it passes; good news, correct them")
			case tt.found && (len(found) != 1 || found[0].Words < len(words)):
				t.Errorf("not found in full: %d findings", len(found))
			}
		})
	}
}

// A capital is read as its small letter first, so these two characters imitate one
// letter and are taken for another. docs/limits.md names this gap.
func TestLookAlikeHoles(t *testing.T) {
	t.Parallel()
	ix := shortIndex(t, []string{long})
	for _, tt := range []struct{ greek, read, seen string }{{"Ν", "v", "n"}, {"Υ", "u", "y"}} {
		sc := ngram.NewScanner(ix.Spec().Suite)
		got := hashes(sc.Finish(sc.Append(nil, []byte(tt.greek+" "+tt.read+" "+tt.seen))))
		if len(got) != 3 || got[0] != got[1] || got[0] == got[2] {
			t.Errorf("%s is not read as %s alone", tt.greek, tt.read)
		}
	}
}

func reverse(words []string) string {
	var out []string
	for i := len(words) - 1; i >= 0; i-- {
		out = append(out, words[i])
	}
	return strings.Join(out, " ")
}

// TestPromptLimits does the same for disguises that a caller may demand in the prompt.
func TestPromptLimits(t *testing.T) {
	t.Parallel()
	ix := shortIndex(t, []string{long})
	words := strings.Fields(long)
	part := func(lo, hi int) string { return strings.Join(words[lo:hi], " ") }
	tests := []struct {
		name, prompt, answer string
		found, echo          int
	}{
		{"one word more", "Continue: " + part(0, 9), part(9, 10), 1, 0},
		{"one word more, instruction behind", part(0, 9) + ". Which word comes next?", part(9, 10), 1, 0},
		{"what stood before", "What stands before this? " + part(2, 12), part(0, 2), 1, 0},
		{"echo", "Correct my English: " + long, long, 0, 1},
		{"more than was sent", "Correct my English: " + part(0, 12), long, 1, 1},
		{"nine words, then a preamble", "Continue: " + part(0, 9), "The next word is " + part(9, 11), 0, 0},
		{"a word in its own preamble", "Which word is missing? " + part(0, 5) + " ... " + part(6, 11), "It is " + part(5, 6), 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			prompt := &detect.Prompt{Messages: []*detect.Message{detect.NewMessage(ix, ix.Spec(), []byte(tt.prompt))}}
			found, echo := 0, 0
			for _, f := range find(ix, detect.Config{Prompt: prompt}, tt.answer, 4) {
				if f.Echo {
					echo++
				} else {
					found++
				}
			}
			if found != tt.found || echo != tt.echo {
				t.Errorf("%d findings and %d echoes, want %d and %d", found, echo, tt.found, tt.echo)
			}
		})
	}
}
