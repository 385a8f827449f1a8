package inventory

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"noecho/index/corpus"
	"noecho/index/identify"
)

// asked are values that the rows of the tests are about, and other ways to write them.
var asked = []struct {
	kind   string
	values []string
}{
	{identify.Email, []string{"ann.ray@example.org", "Ann.Ray@EXAMPLE.org", "ann.ray at example dot org", "<mailto:ann.ray@example.org>", "ann.ray\u0040example.org", "xann.ray@example.org"}},
	{identify.Email, []string{"stonefield@example.org", "STONEFIELD@Example.org"}},
	{identify.Email, []string{"bö@example.org", "BÖ@example.org"}},
	{identify.Phone, []string{"+44 20 7946 0958", "0044 (20) 79460958", "020-7946-0958", "+44\u00a020\u00a07946\u00a00958", "44 20 7946 0958", "+44 20 7946 0959", "+44 2079 46 0958", "+44 20\u00a079-46.0958", "+44\u00a020794609\u00a058"}},
	{identify.Phone, []string{"(212) 555-0187", "+1 212 555 0187", "2125550187"}},
	{identify.IBAN, []string{"DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "DE8937 0400 4405 3201 3000"}},
	{identify.Card, []string{"4111 1111 1111 1111", "4111-1111-1111-1111", "4111111111111111"}},
	{identify.SSN, []string{"219-09-9999", "219 09 9999", "219099999"}},
	{identify.Key, []string{"sk-proj-Ab3dE6gH9jK2mN5pQ8sT", "skprojAb3dE6gH9jK2mN5pQ8sT", "sk-proj_Ab3dE6-gH9jK2mN5pQ8sT"}},
	{NameKind, []string{"Bo Stonefield", "STONEFIELD, Bo", "Bo</b> <i>Stone</i>field", "bo sto\u00adnefield", "Bo Stone field"}},
	{NameKind, []string{"Al", "al"}},
	{AttributeKind, []string{"12 High Street", "12, high street", "High Street 12"}},
	{TextKind, []string{"one quick brown fox", "One, quick; brown: fox!"}},
	{TextKind, []string{strings.Repeat("a few words of a long passage that goes on ", 3), "words of a long passage that goes on a few words"}},
	{"order", []string{"ORD-12345", "ord12345", "ORD 12 345", "ORD 12345"}},
	{"ward", []string{"B-7", "b7"}},
}

// sieved returns the rows of a block of lines that have an item, with the sieve and without.
func sieved(q *Query, lines []byte) (with, without []rowHit) {
	hits := func(open bool) []rowHit {
		f := newFileSearch(&Search{Query: q, Files: &Sources{}})
		for _, text := range []string{"order=(?i)ORD-?[0-9 ]{5,6}", "ward=(?i)b-?[0-9]"} {
			p, err := identify.ParsePattern(text)
			if err != nil {
				panic(err)
			}
			f.patterns = append(f.patterns, p)
		}
		f.prepare()
		f.sieve.open = f.sieve.open || open
		f.inputs = []corpus.Input{{Path: "x", Format: corpus.Members}}
		w := f.worker()
		w.parse[0] = corpus.NewParser(corpus.Members, corpus.Options{Roles: []string{corpus.AnyRole}, Cells: true})
		w.do(piece{block: corpus.Block{Data: lines, Line: 1}})
		for i := range w.hits {
			slices.SortFunc(w.hits[i].counts, func(a, b KindN) int { return cmp.Compare(a.Kind, b.Kind) })
		}
		return w.hits
	}
	return hits(false), hits(true)
}

// linesOf writes a text into rows in many ways.
func linesOf(text string) []string {
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	ascii := func(s string) string {
		var b strings.Builder
		for _, u := range s {
			if u >= 0x80 {
				fmt.Fprintf(&b, `\u%04x`, u)
			} else {
				b.WriteString(strings.Trim(quoted(string(u)), `"`))
			}
		}
		return `"` + b.String() + `"`
	}
	cut := 0
	for i := range text {
		if i <= len(text)/2 {
			cut = i
		}
	}
	return []string{
		`{"id":"r","messages":[{"role":"user","content":` + quoted(text) + `}]}`,
		`{"messages":[{"role":"tool","content":` + ascii(text) + `}]}`,
		`{"prompt":` + strings.ReplaceAll(quoted(text), "@", `\u0040`) + `,"completion":"yes"}`,
		`{"prompt":"no","completion":"so","owner":` + quoted(text) + `}`,
		`{"id":` + quoted(text) + `,"text":"some words of a row that has nobody"}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":` + quoted(text[:cut]) + `},{"type":"text","text":` + quoted(text[cut:]) + `}]}]}`,
		`{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":` + quoted(`{"to":`+quoted(text)+`}`) + `}}]}]}`,
		`{"text":` + quoted("First\n1. "+text+"\n2. more") + `}`,
		`{"text":` + quoted("<p>a"+text+"<br>b&amp;"+text) + `}`,
		`{"text":` + quoted("a") + `,"` + strings.Trim(quoted(text), `"`) + `":"b",}`, // a mistake that is mended
		`{"text":"` + strings.Trim(quoted(text), `"`) + "\x01" + strings.Trim(quoted(text), `"`) + `"}`,
		`{"text":"` + strings.Trim(quoted(text), `"`), // no JSON
	}
}

// TestSieveLosesNothing compares searches with and without the sieve, of rows with every value in
// every spelling, beside other signs.
func TestSieveLosesNothing(t *testing.T) {
	t.Parallel()
	for _, item := range asked {
		block := ""
		for _, value := range item.values {
			for _, sign := range []string{"", " ", "x", "\n", "tel: ", "'", "<b>", "<b>a</b>", "&amp;", "\\", "7", "é", "\u200b", "1. ", "-"} {
				for _, text := range []string{sign + value, "Write to" + sign + value + sign + "now"} {
					block += strings.Join(linesOf(text), "\n") + "\n"
				}
			}
		}
		with, without := sieved(testQuery(t, item.kind, item.values[0]), []byte(block))
		if len(without) == 0 {
			t.Errorf("%s: nothing was found", item.values[0])
		}
		lines := strings.Split(block, "\n")
		for i, h := range without {
			if i >= len(with) || !reflect.DeepEqual(with[i], h) {
				t.Fatalf("%s: the sieve loses %s", item.values[0], lines[h.line-1])
			}
		}
	}
}

// TestSievePassesFewRows looks at rows that have nothing, but much that is alike.
func TestSievePassesFewRows(t *testing.T) {
	t.Parallel()
	for _, item := range asked {
		q := testQuery(t, item.kind, item.values[0])
		f := newFileSearch(&Search{Query: q, Files: &Sources{}})
		if f.sieve.open != (item.kind == "ward" || strings.Contains(item.values[0], "ö")) {
			t.Errorf("%s %s: the sieve is open: %v", item.kind, item.values[0], f.sieve.open)
		}
		line := `{"prompt":"","completion":"Write to cy.low@example.org or +44 20 7946 0000, order ORD-99999, card 4222 2222 2222 2220, key sk-proj-Zz9yX8wV7uT6sR5qP4oN3, in Low Road 9"}`
		w := f.worker()
		if err := corpus.NewParser(corpus.Members, corpus.Options{}).Parse([]byte(line), &w.rec); err != nil {
			t.Fatal(err)
		}
		if !f.sieve.open && w.may([]byte(line), &w.rec) {
			t.Errorf("%s %s: the row passes", item.kind, item.values[0])
		}
	}
}

func FuzzSieve(f *testing.F) {
	for i, item := range asked {
		for _, v := range item.values {
			b, _ := json.Marshal(map[string]any{"id": "x", "text": "It is " + v + ", I think"})
			f.Add(i, b)
		}
	}
	f.Add(0, []byte(`{"content":["ann.r","ay@example.org"]}`))
	f.Add(2, []byte("{\"text\":\"+44 20\\n1. 7946 \\u0030958\"}\n\n{\"text\":\"\\ud83d\\ude00 020 7946 0958\"}"))
	f.Fuzz(func(t *testing.T, i int, lines []byte) {
		item := asked[uint(i)%uint(len(asked))]
		with, without := sieved(testQuery(t, item.kind, item.values[0]), lines)
		if !reflect.DeepEqual(with, without) {
			t.Fatalf("%q\nwith    %+v\nwithout %+v", lines, with, without)
		}
	})
}
