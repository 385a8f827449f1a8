package corpus

import (
	"slices"
	"strings"
	"testing"

	"noecho/internal/coverage"
)

// TestJoined reads texts that are split into the elements of lists. Of each, the windows
// over the places where two elements meet are read.
func TestJoined(t *testing.T) {
	t.Parallel()
	const a, b, c, d = "a1 a2 a3 a4 a5", "b1 b2 b3 b4 b5", "c1 c2 c3 c4 c5", "d1 d2 d3 d4 d5 d6 d7 d8 d9 d10 d11 d12"
	const lines, glued = a + " " + b + " " + c, a + b + c
	list := `["` + a + `","` + b + `","` + c + `"]`
	objects := `[{"text":"` + a + `"},{"text":"` + b + `","start":1},{"type":"text","text":"` + c + `"}]`
	long := `[{"text":"` + a + `"},{"text":"` + d + `"},{"text":"` + c + `"}]`
	for name, tt := range map[string]struct {
		row    string
		want   []string
		unread uint64
		fields []string
	}{
		"parts":          {row: `{"messages":[{"role":"assistant","content":` + objects + `}]}`, want: []string{lines, glued}},
		"Gemini":         {row: `{"contents":[{"role":"model","parts":` + objects + `}]}`, want: []string{lines, glued}},
		"segments":       {row: `{"segments":` + objects + `}`, want: []string{lines, glued}},
		"blanks":         {row: `{"segments":[{"text":"` + a + ` "},{"text":"` + b + `"}]}`, want: []string{a + " " + b}},
		"lines":          {row: `{"completion":` + list + `}`, want: []string{lines, glued}},
		"in a string":    {row: `{"messages":"[{\"role\":\"user\",\"content\":` + strings.ReplaceAll(list, `"`, `\"`) + `}]"}`, want: []string{lines, glued}},
		"a long one":     {row: `{"segments":` + long + `}`, want: []string{d, a + " d1 d2 d3 d4 d5 d6 d7 d8 d9 ", a + "d1 d2 d3 d4 d5 d6 d7 d8 d9 ", "d4 d5 d6 d7 d8 d9 d10 d11 d12 " + c, "d4 d5 d6 d7 d8 d9 d10 d11 d12" + c}},
		"few words":      {row: `{"completion":["a b","c d"]}`, want: []string{"a b", "c d"}},
		"a picture":      {row: `{"messages":[{"content":[{"text":"` + a + `"},{"type":"image_url"},{"text":"` + b + `"}]}]}`, want: []string{a, b}},
		"turns":          {row: `{"conversations":` + list + `}`, want: []string{a, b, c}},
		"choices":        {row: `{"problem":"x","generations":` + list + `}`, want: []string{"x", a, b, c}},
		"messages":       {row: `{"prompt":[{"role":"user","content":"` + a + `"},{"role":"user","content":"` + b + `"}]}`, want: []string{a, b}},
		"a named list":   {row: `{"lines":` + list + `}`, want: []string{lines, glued}, fields: []string{"lines"}},
		"tokens":         {row: `{"text":"x","tokens":["the","blue","lamp","of","an","old","inn","burns","all","night","long"]}`, want: []string{"x"}, unread: 38},
		"labels":         {row: `{"text":"x","tags":["O","O","O","B-PER","O","O","O","O","O","O","O"]}`, want: []string{"x"}},
		"some sentences": {row: `{"text":"x","meta":{"lines":` + list + `}}`, want: []string{"x"}, unread: 42},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := ByRow
			if tt.fields != nil {
				f = JSONL
			}
			p, rec := NewParser(f, Options{Fields: tt.fields}), new(Record)
			for range 2 { // a parser is used again
				p.Account = NewAccount()
				if err := p.Parse([]byte(tt.row), rec); err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, s := range rec.Segments {
					got = append(got, string(rec.Text(s)))
				}
				if table := p.Account.Table(); !slices.Equal(got, tt.want) || table.Unread != tt.unread {
					t.Errorf("%q, want %q; %+v", got, tt.want, table.Text)
				}
			}
		})
	}
}

// TestTokenRowsAreText: rows without any text but lists of tokens are counted by column.
func TestTokenRowsAreText(t *testing.T) {
	t.Parallel()
	p := NewParser(ByRow, Options{})
	p.Account = NewAccount()
	tokens := `["` + strings.ReplaceAll(say("a"), " ", `","`) + `"]`
	if err := p.Parse([]byte(`{"tokens":`+tokens+`,"tags":[1,2]}`), new(Record)); err == nil {
		t.Error("a row without text is read")
	}
	if columns := p.Account.Table().Columns; len(columns) != 1 || columns[0].Name != "tokens" || columns[0].Text == (coverage.Text{}) {
		t.Errorf("%+v", columns)
	}
	if flags := p.Account.Fields(); !slices.Equal(flags, []string{"--field tokens"}) {
		t.Errorf("%q", flags)
	}
}
