package wire

import "testing"

// TestSniff: the first bytes of a body tell its framing, at every split, and the result does
// not change once it is sure.
func TestSniff(t *testing.T) {
	t.Parallel()
	const document, pretty, lines = `{"a":"data: b"}`, "{\n \"a\": 1\n}", "{\"a\":1}\n{\"b\":2}\n"
	for _, labelled := range []Framing{JSON, Lines, Array, SSE, PlainText} {
		asDocument := labelled
		if labelled == SSE {
			asDocument = JSON
		}
		for body, want := range map[string]Framing{
			"": labelled, "\n": labelled, "\xEF\xBB": labelled, "\xEF\xBB\xBF": labelled, "dat": labelled,
			"data: {}\n\n": SSE, "\xEF\xBB\xBFdata:{": SSE, "\r\n\r\nevent: x\r\ndata: {": SSE, ": x\n\nid: 1\nretry: 2\rdata:  {": SSE,
			document: asDocument, " \n" + document + "\n": asDocument, pretty: asDocument, document + "\nx": asDocument, "[1]": asDocument,
			lines: Lines, "\n" + lines: Lines, "{\"a\":1}\r\n\r\n{": Lines, "text": labelled, "\"text\"": labelled,
		} {
			if labelled == Lines && want == asDocument {
				want = Lines
			}
			got, _ := Sniff([]byte(body), labelled)
			for i := range body {
				if f, sure := Sniff([]byte(body[:i]), labelled); sure && f != got {
					t.Errorf("%d %q: %d after %q", labelled, body, f, body[:i])
				}
			}
			if got != want {
				t.Errorf("%d %q: %d, want %d", labelled, body, got, want)
			}
		}
	}
	for _, text := range []string{"id: 7\nname: x\n", "data: words", ": a\n: b\n\nc", "retry: no", "event: {}\nid: {}", "data: \n{"} {
		if f, _ := Sniff([]byte(text), PlainText); f != PlainText {
			t.Errorf("%q: %d", text, f)
		}
	}
	for _, f := range []Framing{Records, Events, EventChunks} {
		if got, sure := Sniff([]byte("data: {}\n\n"), f); got != f || !sure {
			t.Errorf("%d: %d", f, got)
		}
	}
}
