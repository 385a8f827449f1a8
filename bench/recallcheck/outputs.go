package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// output is one text that was scanned.
type output struct {
	file   string
	line   int // of its row, from 1; 0: the whole file
	group  string
	text   []letter
	data   []byte // of the whole file; nil for a row
	lo, hi int    // of the text in the file
}

// eachOutput reads the outputs one after the other.
func eachOutput(o *options, do func(*output) error) error {
	for _, path := range o.outputs {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if o.field == "" {
			out := &output{file: path, group: path, text: letters(string(data)), data: data, hi: len(data)}
			if err := do(out); err != nil {
				return err
			}
			continue
		}
		at := 0
		for number, line := range bytes.SplitAfter(data, []byte("\n")) {
			if len(bytes.TrimSpace(line)) > 0 {
				out, err := row(line, o)
				if err != nil {
					return fmt.Errorf("%s:%d: %w", path, number+1, err)
				}
				out.file, out.line = path, number+1
				out.move(at)
				if err := do(out); err != nil {
					return err
				}
			}
			at += len(line)
		}
	}
	return nil
}

// move adds the offset of the row.
func (out *output) move(by int) {
	out.lo += by
	out.hi += by
	for i := range out.text {
		out.text[i].lo += by
		out.text[i].hi += by
	}
}

// row reads one JSON line.
func row(line []byte, o *options) (*output, error) {
	out := &output{group: "-"}
	dec := json.NewDecoder(bytes.NewReader(line))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	seen := false
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, errors.New("broken JSON")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errors.New("broken JSON")
		}
		switch key {
		case o.field:
			if len(value) == 0 || value[0] != '"' {
				return nil, fmt.Errorf("column %s is not text", o.field)
			}
			out.hi = int(dec.InputOffset()) - 1
			out.lo = out.hi - len(value) + 2
			out.text = unquote(line[out.lo:out.hi], out.lo)
			seen = true
		case o.by:
			if json.Unmarshal(value, &out.group) != nil {
				out.group = string(value)
			}
		}
	}
	if !seen {
		return nil, fmt.Errorf("no column %s", o.field)
	}
	return out, nil
}

// unquote reads the bytes between the quotes of a valid JSON string, which begins at an
// offset.
func unquote(raw []byte, at int) []letter {
	out := make([]letter, 0, len(raw))
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		if r == '\\' {
			r, n = unescape(raw[i:])
		}
		out = append(out, letter{r, at + i, at + i + n})
		i += n
	}
	return out
}

// unescape reads one escape and returns its length.
func unescape(raw []byte) (rune, int) {
	switch c := raw[1]; c {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'u':
		r := hex4(raw[2:])
		if utf16.IsSurrogate(r) && len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
			if pair := utf16.DecodeRune(r, hex4(raw[8:])); pair != utf8.RuneError {
				return pair, 12
			}
		}
		return r, 6
	default:
		return rune(c), 2
	}
}

func hex4(raw []byte) rune {
	n, err := strconv.ParseUint(string(raw[:4]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

// finding is a line of noecho scan --json, as far as it is needed.
type finding struct {
	File  string `json:"file"`
	Line  int    `json:"line"`
	Start int    `json:"start"`
	End   int    `json:"end"`
	Words int    `json:"words"`
	Kind  string `json:"kind"`
	Lane  string `json:"lane"`

	Records []struct {
		ID string `json:"id"`
	} `json:"records"`
}

// readFindings reads the output of noecho scan --json, by file. An input that noecho
// could not scan is an error.
func readFindings(path string, stdin io.Reader) (map[string][]finding, error) {
	r := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	out := map[string][]finding{}
	lines, ended := bufio.NewScanner(r), false
	for number := 1; lines.Scan(); number++ {
		var line struct {
			finding
			Summary *struct{ Unscanned int }
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		switch {
		case line.Summary == nil:
			out[line.File] = append(out[line.File], line.finding)
		case line.Summary.Unscanned > 0:
			return nil, fmt.Errorf("%s: %d inputs were not scanned", path, line.Summary.Unscanned)
		default:
			ended = true
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if !ended {
		return nil, fmt.Errorf("%s: the last line is not a summary, so the scan did not end", path)
	}
	return out, nil
}

// part returns the text of a finding.
func (out *output) part(f finding) []letter {
	lo := 0
	for lo < len(out.text) && out.text[lo].lo < f.Start {
		lo++
	}
	hi := lo
	for hi < len(out.text) && out.text[hi].hi <= f.End {
		hi++
	}
	return out.text[lo:hi]
}

// lineAt returns the line of a byte of the file.
func (out *output) lineAt(at int) int {
	if out.line > 0 {
		return out.line
	}
	line := 1
	for _, c := range out.data[:at] {
		if c == '\n' {
			line++
		}
	}
	return line
}

// around returns a near match with the words on either side of it.
func (out *output) around(f finding) finding {
	words := reading{}.words(out.text)
	first, last := 0, len(words)-1
	for first < last && words[first].hi <= f.Start {
		first++
	}
	for last > first && words[last].lo >= f.End {
		last--
	}
	f.Start = min(f.Start, words[max(0, first-nearAround)].lo)
	f.End = max(f.End, words[min(len(words)-1, last+nearAround)].hi)
	return f
}
