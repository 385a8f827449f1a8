package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// TestSequence reads objects with any indentation, and looks up the place of each x.
func TestSequence(t *testing.T) {
	t.Parallel()
	pretty := "{\n  \"messages\": [\n    {\n      \"role\": \"user\",\n      \"content\": \"x\\nx \\\" x\"\n    }\n  ]\n}"
	for name, text := range map[string]string{
		"one.json":     pretty,
		"two.jsonl":    pretty + "\n" + pretty + "\n",
		"blank.jsonl":  "\n\n" + pretty + "\n\n \n" + pretty,
		"glued.json":   pretty + pretty + "\n" + pretty,
		"mixed.ndjson": pretty + "\n{\"prompt\":\"x\"}\n{\"completion\":\n\"x\"}\n",
		"commas.json":  pretty + ",\n" + pretty + ",\n",
		"crlf.json":    bom + strings.ReplaceAll(pretty+"\n"+pretty, "\n", "\r\n"),
		"nan.json":     "{\n\"score\": NaN,\n\"prompt\": \"x\"\n}\n{\n\"low\": -Infinity, \"prompt\": \"x\"}\n",
		"nan.jsonl":    "{\"score\": NaN, \"prompt\": \"x\"}\n{\"score\": NaN, \"prompt\": \"x\"}\n",
		"marks.jsonl":  bom + "{\"prompt\":\"x\"}\n" + bom + "{\"prompt\":\"x\"}\n",
		"later.jsonl":  "{\"prompt\":\"x\"}\n" + pretty + "\n",
		"noext":        pretty + "\n" + pretty,
	} {
		in, err := findOne(t, name, text, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var want []string
		for at, line := 0, 1; at < len(text); at++ {
			switch text[at] {
			case '\n':
				line++
			case 'x':
				want = append(want, fmt.Sprintf("%d@%d", line, at))
			}
		}
		if got := placesOf(t, in); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: read as %s, got %s, want %s", name, in, got, want)
		}
	}
}

// TestSequenceWithMistakes reports bytes that are no JSON, and goes on behind them.
func TestSequenceWithMistakes(t *testing.T) {
	t.Parallel()
	in, err := findOne(t, "a.jsonl", "{\n\"prompt\": \"x\"\n}\n{\n\"prompt\": y\n}\n7\n{\n\"prompt\": \"x\"\n}\n{\n\"prompt\": \"x", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(placesOf(t, in)); got != "[2@13 bad 4: not valid JSON at byte 12 of the line bad 7: not a JSON object bad 11: not valid JSON at byte 14 of the line]" {
		t.Errorf("got %s", got)
	}
}

// TestNotSequences leaves texts alone that only begin like JSON.
func TestNotSequences(t *testing.T) {
	t.Parallel()
	notebook := "{\n \"cells\": [],\n \"nbformat\": 4\n}\n"
	for name, text := range map[string]string{"a.txt": "{\nsome text\n}\n", "a.ipynb": notebook, "a.css": "{\n\"a\": 1\n}", "readme": "{hello}\n world\n"} {
		if in, err := findOne(t, name, text, Options{}); err != nil || in.Format != Text {
			t.Errorf("%s: %v, %v", name, in, err)
		}
	}
	broken, err := findOne(t, "a.jsonl", "{\"prompt\":\"x\"}\n{\"prompt\":\n{\"prompt\":\"x\"}", Options{})
	if err != nil || broken.Container != "" {
		t.Errorf("lines of which one is cut off: %v, %v", broken, err)
	}
	for name, text := range map[string]string{"a.json": "{\n\"a\": 1,\n}\n", "b.json": "{\nhello\n}", "c.json": "{\n"} {
		if _, err := findOne(t, name, text, Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzSequence writes objects with an indentation, cuts the reads, and compares the rows
// with those of JSON lines.
func FuzzSequence(f *testing.F) {
	f.Add([]byte(`{"a":"}\"{\\"}`+"\n"+`{"b":[{"c":"\n]"}]}`), " ", uint8(1))
	f.Add([]byte(`{"a":{},"b":[],"c":""}`+"\n"+`{}`), "\t", uint8(0))
	f.Fuzz(func(t *testing.T, lines []byte, indent string, gap uint8) {
		if strings.Trim(indent, " \t") != "" {
			return
		}
		var want [][]byte
		var text bytes.Buffer
		for line := range bytes.SplitSeq(lines, []byte("\n")) {
			var compact bytes.Buffer
			if !bytes.HasPrefix(line, []byte("{")) || json.Compact(&compact, line) != nil {
				continue
			}
			want = append(want, compact.Bytes())
			if err := json.Indent(&text, line, "", indent); err != nil {
				t.Fatal(err)
			}
			text.WriteString(strings.Repeat("\n", int(gap%3)+1))
		}
		for _, r := range []io.Reader{&text, iotest.OneByteReader(bytes.NewReader(bytes.Clone(text.Bytes())))} {
			length := text.Len()
			out, err := io.ReadAll(newSequence(r))
			if err != nil || length > 0 && len(out) != length {
				t.Fatalf("%d bytes of %d, %v", len(out), length, err)
			}
			var got [][]byte
			for line := range bytes.SplitSeq(out, []byte("\n")) {
				var compact bytes.Buffer
				if len(bytes.TrimSpace(line)) > 0 && json.Compact(&compact, line) == nil {
					got = append(got, compact.Bytes())
				}
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	})
}

// TestLongSequence keeps to the bound of a row: an object that is longer is passed over,
// and counted.
func TestLongSequence(t *testing.T) {
	t.Parallel()
	long := "{\n\"prompt\": \"" + strings.Repeat("y ", 1<<20) + "\"\n}\n"
	path := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(path, []byte("{\n\"prompt\": \"x\"\n}\n"+long+"{\n\"prompt\": \"x\"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inputs, _, err := Find([]string{path}, nil, Options{MaxLine: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := inputs[0].Rows()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var rec Record
	var bad *BadRecord
	for i := range 3 {
		if err := rows.Next(&rec); (i == 1) != errors.As(err, &bad) || i != 1 && err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
	}
	if bad.Bytes < int64(len(long)) {
		t.Errorf("%d bytes are counted of %d", bad.Bytes, len(long))
	}
}
