package wire

import (
	"strings"
	"testing"
)

// TestJSONSplitter: names, strings and numbers are told apart, wherever the text is cut.
func TestJSONSplitter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, parts, strings string }{
		{`{"a":"b","c\"d":["e",{"f":1}]} {"i":-1.5e3}`, `snnnnssssnnnnnnnnsssssnnnn####ssnnnn#######`, `a|b|c\"d|e|f|i`},
		{`"a b" c`, `sssssss`, ``},
		{`a: "b", {"c" : "d", "e"`, `sssssssssnnnnnnsssssnnn`, `c|d|e`},
		{`["a",true,"b",12]`, `sssss#####ssss###`, `a|b`},
	} {
		for size := 1; size <= len(tt.text); size++ {
			got, texts := partsOf(tt.text, size)
			if got != tt.parts {
				t.Errorf("%s in pieces of %d: %s, want %s", tt.text, size, got, tt.parts)
			}
			var strs []string
			for _, x := range texts {
				if x[1] < 0 {
					x[1] = len(tt.text)
				}
				strs = append(strs, tt.text[x[0]:x[1]])
			}
			if s := strings.Join(strs, "|"); s != tt.strings {
				t.Errorf("%s in pieces of %d: the strings %q, want %q", tt.text, size, s, tt.strings)
			}
		}
	}
}

// partsOf returns the part of each byte, and where the strings of objects and lists begin and end.
func partsOf(text string, size int) (parts string, texts [][2]int) {
	var s JSONSplitter
	var out []byte
	for rest := []byte(text); len(rest) > 0; {
		piece := rest[:min(size, len(rest))]
		rest = rest[len(piece):]
		for len(piece) > 0 {
			n, part, edge := s.Next(piece)
			for range n {
				out = append(out, "sn#"[part])
			}
			switch at := len(out); edge {
			case 1:
				texts = append(texts, [2]int{at, -1})
			case -1:
				if last := len(texts) - 1; last >= 0 && texts[last][1] < 0 {
					texts[last][1] = at - 1
				}
			}
			piece = piece[n:]
		}
	}
	return string(out), texts
}
