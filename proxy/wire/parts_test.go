package wire

import "testing"

// TestJSONSplitter: names, strings and numbers are told apart, wherever the text is cut.
func TestJSONSplitter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, parts string }{
		{`{"a":"b","c\"d":["e",{"f":1}]} {"i":-1.5e3}`, `snnnnssssnnnnnnnnsssssnnnn####ssnnnn#######`},
		{`"a b" c`, `sssssss`},
		{`a: "b", {"c" : "d", "e"`, `sssssssssnnnnnnsssssnnn`},
		{`["a",true,"b",12]`, `sssss#####ssss###`},
	} {
		for size := 1; size <= len(tt.text); size++ {
			if got := partsOf(tt.text, size); got != tt.parts {
				t.Errorf("%s in pieces of %d: %s, want %s", tt.text, size, got, tt.parts)
			}
		}
	}
}

func partsOf(text string, size int) string {
	var s JSONSplitter
	var out []byte
	for rest := []byte(text); len(rest) > 0; {
		piece := rest[:min(size, len(rest))]
		rest = rest[len(piece):]
		for len(piece) > 0 {
			n, part := s.Next(piece)
			for range n {
				out = append(out, "sn#"[part])
			}
			piece = piece[n:]
		}
	}
	return string(out)
}
