package corpus

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzMembers rewrites any text: its length does not change, nor does any byte except those of the
// object and its lists. Each member of valid JSON gives lines of valid JSON.
func FuzzMembers(f *testing.F) {
	f.Add([]byte(`{"v":1,"data":[{"a":"\"]}"},[1,{}]],"x":{"y":[2]},"z":"{"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := io.ReadAll(newMemberLines(iotest.OneByteReader(bytes.NewReader(text))))
		if err != nil || len(got) != len(text) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(text), err)
		}
		for i := range got {
			if got[i] != text[i] && !strings.ContainsRune("{}[]:,\r\n", rune(text[i])) {
				t.Fatalf("byte %d was %q and is %q", i, text[i], got[i])
			}
		}
		if !jsontext.Value(text).IsValid() || text[0] != '{' {
			return
		}
		p := NewParser(Members, Options{})
		for line := range bytes.SplitSeq(got, []byte("\n")) {
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			if err := p.Parse(line, new(Record)); err != nil {
				t.Fatalf("%q of %q: %v", line, text, err)
			}
		}
	})
}

// FuzzBareJSON takes comments out of any text: what stays keeps its place, and text without
// slashes and signs of numbers stays as it is.
func FuzzBareJSON(f *testing.F) {
	f.Add([]byte("// a\n{\"b\": \"//c\\\"#\", /* d */ \"e\n{\n # f\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file := new(File)
		got, err := io.ReadAll(&bareJSON{r: iotest.OneByteReader(bytes.NewReader(text)), f: file})
		if err != nil || len(got) != len(text) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(text), err)
		}
		for i := range got {
			if got[i] != text[i] && (got[i] != ' ' || !bytes.ContainsAny(text, "/#")) {
				t.Fatalf("byte %d was %q and is %q", i, text[i], got[i])
			}
		}
		if jsontext.Value(text).IsValid() && !bytes.Equal(got, text) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
