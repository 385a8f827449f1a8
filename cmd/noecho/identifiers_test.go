package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/internal/raced"
)

// identifiersMaker invents identifiers of every kind, with valid check digits, and writes
// them in the ways in which a model prints them.
type identifiersMaker struct{ r *rand.Rand }

// digits returns n digits.
func (m identifiersMaker) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0' + byte(m.r.IntN(10))
	}
	return string(b)
}

// from returns n characters of an alphabet.
func (m identifiersMaker) from(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[m.r.IntN(len(alphabet))]
	}
	return string(b)
}

// groups puts a sign between groups of that many characters.
func groups(s, sign string, sizes ...int) string {
	var parts []string
	for i := 0; s != ""; i++ {
		n := min(len(s), sizes[min(i, len(sizes)-1)])
		parts = append(parts, s[:n])
		s = s[n:]
	}
	return strings.Join(parts, sign)
}

const (
	smallLetters = "abcdefghijklmnopqrstuvwxyz"
	base62       = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// card returns a number with the check digit that ISO/IEC 7812-1 asks for.
func (m identifiersMaker) card() string {
	body := "4" + m.digits(14)
	sum := 0
	for i, c := range body {
		d := int(c - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return body + fmt.Sprint((10-sum%10)%10)
}

// iban returns a German account number with the check digits that ISO 13616 asks for.
func (m identifiersMaker) iban() string {
	bban := m.digits(18)
	rest := 0
	for _, c := range bban + "131400" { // D = 13, E = 14
		rest = (10*rest + int(c-'0')) % 97
	}
	return fmt.Sprintf("DE%02d%s", 98-rest, bban)
}

// identifier returns the i-th identifier as it is in a ticket, and three ways in which a
// model writes it.
func (m identifiersMaker) identifier(i int) (planted string, said [3]string) {
	switch i % 10 {
	case 0, 1:
		name, host := m.from(smallLetters, 6)+"."+m.from(smallLetters, 7), m.from(smallLetters, 8)
		mail := name + "@" + host + ".example"
		return mail, [3]string{mail, strings.ToUpper(mail), name + " (at) " + host + " [dot] example"}
	case 2:
		area, rest := "30", "2"+m.digits(7)
		return "+49 " + area + " " + rest, [3]string{"+49 " + area + " " + rest, "0049" + area + rest, "0" + area + "/" + rest}
	case 3:
		a, b, c := "2"+m.digits(2), "3"+m.digits(2), m.digits(4)
		return fmt.Sprintf("(%s) %s-%s", a, b, c), [3]string{fmt.Sprintf("+1 %s %s %s", a, b, c), a + b + c, fmt.Sprintf("1-%s-%s-%s", a, b, c)}
	case 4:
		card := m.card()
		return groups(card, " ", 4), [3]string{groups(card, " ", 4), card, groups(card, "-", 4)}
	case 5:
		iban := m.iban()
		return iban, [3]string{iban, groups(iban, " ", 4), strings.ToLower(groups(iban, "-", 4))}
	case 6:
		ssn := "5" + m.digits(2) + "12" + "3" + m.digits(3)
		return groups(ssn, "-", 3, 2, 4), [3]string{groups(ssn, "-", 3, 2, 4), ssn, groups(ssn, " ", 3, 2, 4)}
	case 7:
		body := m.from(base62, 20) + "7Q9x" + m.from(base62, 20)
		return "sk-proj-" + body, [3]string{"sk-proj-" + body, "`sk-proj-" + body + "`", "SK_PROJ_" + strings.ToUpper(body)}
	case 8:
		key := "AKIA" + m.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 12) + "Z7Q2"
		return key, [3]string{key, "**" + key + "**", strings.ToLower(key)}
	default:
		order := m.digits(7)
		return "ORD-" + order, [3]string{"ORD-" + order, "ord " + order, "ORD" + order}
	}
}

// sentence puts an identifier into a sentence.
func (m identifiersMaker) sentence(about string) string {
	return fmt.Sprintf([...]string{
		"Sure, the one on file is %s.", "I found %s in the notes of that customer.", "%s", "They wrote it down as %s, I think.",
		"Please use %s for this.", "It should be: %s", "The answer is \"%s\", and nothing else is known.",
	}[m.r.IntN(7)], about)
}

// TestIdentifiersAreCaught measures the figures of docs/results.md. Each of 1,000
// identifiers of 10,000 tickets is found in a sentence that contains nothing else of its
// ticket, in three formats. Of 1,000 identifiers of the same forms that are in no ticket
// none is found.
func TestIdentifiersAreCaught(t *testing.T) {
	t.Parallel()
	planted, tickets := raced.Fewer(1000), raced.Fewer(10_000)
	m := identifiersMaker{rand.New(rand.NewPCG(11, 12))}
	dir := t.TempDir()
	var corpus bytes.Buffer
	enc := json.NewEncoder(&corpus)
	ticket := func(i int, about string) {
		type message struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		}
		err := enc.Encode(map[string]any{"id": fmt.Sprintf("ticket-%d", i), "messages": []message{
			{"user", fmt.Sprintf("Hello, this is about delivery %d of %s. %s What can you do for me?", i, m.from(smallLetters, 7), about)},
			{"assistant", fmt.Sprintf("Thank you for your patience. I have checked the %s and the %s, and will write again on day %d.", m.from(smallLetters, 6), m.from(smallLetters, 8), m.r.IntN(28)+1)},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	var said [][3]string
	seen := map[string]bool{}
	for i := range tickets {
		about := "It has not come yet."
		if i%(tickets/planted) == 0 {
			text, formats := m.identifier(len(said))
			seen[text] = true
			said = append(said, formats)
			about = "My reference is " + text + ", as before."
		}
		ticket(i, about)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(args ...string) (string, error) {
		var out, errs bytes.Buffer
		root := newRootCommand(&app{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }})
		root.SetArgs(args)
		err := root.Execute()
		return out.String(), err
	}
	index := filepath.Join(dir, "tickets.nidx")
	if _, err := run("index", "build", "--out", index, "--pattern", `order=\bORD-\d{7}\b`, write("tickets.jsonl", corpus.String())); err != nil {
		t.Fatal(err)
	}
	// Every answer of a model is a row of its own.
	answers := func(texts []string) string {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		for _, text := range texts {
			if err := enc.Encode(map[string]string{"answer": m.sentence(text)}); err != nil {
				t.Fatal(err)
			}
		}
		return b.String()
	}
	scan := func(path string) map[int]int {
		out, err := run("scan", "--index", index, "--field", "answer", "--json", path)
		var coded *exitError
		if err != nil && (!errors.As(err, &coded) || coded.Code != exitFindings) {
			t.Fatal(err)
		}
		found := map[int]int{}
		for line := range strings.Lines(out) {
			var f scanFinding
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				t.Fatal(err)
			}
			if f.Kind == "phrase" {
				found[f.Line]++
			}
		}
		return found
	}
	for format := range 3 {
		var texts []string
		for _, s := range said {
			texts = append(texts, s[format])
		}
		found := scan(write(fmt.Sprintf("leaks%d.jsonl", format), answers(texts)))
		missed := 0
		for i, text := range texts {
			if found[i+1] == 0 {
				missed++
				if missed <= 5 {
					t.Errorf("format %d: %q passes", format, text)
				}
			}
		}
		t.Logf("format %d: %d of %d caught", format, len(texts)-missed, len(texts))
	}
	var others []string
	for len(others) < planted {
		text, formats := m.identifier(len(others))
		if !seen[text] {
			others = append(others, formats[len(others)%3])
		}
	}
	alarms := scan(write("others.jsonl", answers(others)))
	for line := range alarms {
		t.Errorf("false alarm: %q", others[line-1])
	}
	t.Logf("look-alikes: %d alarms of %d", len(alarms), len(others))
}
