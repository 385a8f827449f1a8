package corpus

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFormatsPage keeps the table of docs/formats.md equal to the table of formats.
func TestFormatsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| members of a row | a row | who writes it |\n|---|---|---|\n")
	for _, s := range shapes() {
		var names []string
		for _, m := range s.members {
			if m.use == useText || m.use == useTurns || m.use == useParts {
				names = append(names, "`"+m.name+"`")
			}
		}
		fmt.Fprintf(&want, "| %s | `%s` | %s |\n", strings.Join(names, ", "), s.example, s.words)
	}
	if !strings.Contains(string(page), want.String()) {
		t.Errorf("the table in docs/formats.md is another than this one:\n%s", &want)
	}
}

// TestShapes reads the example of every format, alone and after those of all others: all
// its texts are read, and nothing is left over.
func TestShapes(t *testing.T) {
	t.Parallel()
	texts := map[string]string{}
	for c := 'A'; c <= 'D'; c++ {
		texts[string(c)] = fmt.Sprintf("%c said that the harbour office opens at eight and closes late", c)
	}
	p := NewParser(ByRow, Options{})
	var rec Record
	for _, s := range shapes() {
		p.Account = NewAccount()
		var want []string
		row := regexp.MustCompile(`"[A-D]"`).ReplaceAllStringFunc(s.example, func(quoted string) string {
			want = append(want, texts[quoted[1:2]])
			return `"` + texts[quoted[1:2]] + `"`
		})
		if err := p.Parse([]byte(row), &rec); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		var got []string
		for _, seg := range rec.Segments {
			text := string(rec.Text(seg))
			for _, w := range want {
				if strings.Contains(text, w) {
					got = append(got, w)
				}
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: read %q, want %q", s.name, got, want)
		}
		if table := p.Account.Table(); table.Unread != 0 || table.LeftOut != 0 || table.Read == 0 {
			t.Errorf("%s: %+v", s.name, table)
		}
		if name, _ := named(columnsOf(t, row)); name != s.name {
			t.Errorf("%s is called %s", s.name, name)
		}
	}
}

func columnsOf(t *testing.T, row string) []string {
	t.Helper()
	names, ok := memberNames([]byte(row))
	if !ok {
		t.Fatalf("%s is no object", row)
	}
	return names
}
