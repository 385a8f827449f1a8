package build

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"noecho/index/corpus"
	"noecho/index/internal/format"
	"noecho/index/key"
	"noecho/ngram"
)

// A report of common windows is a file of JSON lines: the recipe for hashing first,
// then a row for each window, the most frequent ones first. A person reads the report,
// deletes the rows that are no boilerplate, and gives the rest to a build as an
// exclusion. Reports can be concatenated.

// reportHead is the first line of a report.
type reportHead struct {
	Report  string `json:"report"` // always reportName
	Version int    `json:"v"`
	N       int    `json:"n"`
	Norm    int    `json:"norm"`
	Unicode string `json:"unicode"`
	Suite   string `json:"suite"`
	KeyID   string `json:"key_id,omitempty"` // hex; of a build with a key
}

// reportRow is a window of a report.
type reportRow struct {
	Hash   string `json:"hash"`   // hex of the 128-bit hash
	Count  uint64 `json:"count"`  // number of records that contain the window
	First  string `json:"first"`  // file and line of the first record
	Digest string `json:"digest"` // second half of the hash, by which alerts and lists of ignored windows name the window
	Text   string `json:"text,omitempty"`
}

const (
	reportName   = "noecho common windows"
	reportPrefix = `{"report":"` + reportName + `"`
)

func headOf(spec ngram.Spec, k *key.Key) reportHead {
	id := k.ID()
	h := reportHead{Report: reportName, Version: 1, N: spec.N, Norm: ngram.NormVersion, Unicode: ngram.UnicodeVersion, Suite: format.SuiteOf(id).String()}
	if k != nil {
		h.KeyID = hex.EncodeToString(id[:])
	}
	return h
}

// reporter writes the report of a build.
type reporter struct {
	o       *Options
	out     *pending // of the path of the report
	spec    ngram.Spec
	sources []*source
}

// write writes the report, with the text of the windows if the options ask for it.
func (r *reporter) write(rows []*common) error {
	if err := r.locate(rows); err != nil {
		return err
	}
	f := r.out
	if r.o.ShowText {
		if err := f.Chmod(0o600); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	err := enc.Encode(headOf(r.spec, r.o.Key))
	for _, c := range rows {
		first := r.sources[c.source].Path
		if c.line > 0 {
			first = fmt.Sprintf("%s:%d", first, c.line)
		}
		err = errors.Join(err, enc.Encode(reportRow{Hash: fmt.Sprintf("%016x%016x", c.hash.Hi, c.hash.Lo), Count: c.records, First: first, Digest: fmt.Sprintf("%016x", c.hash.Lo), Text: c.text}))
	}
	if err = errors.Join(err, w.Flush()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return f.commit()
}

// locate finds the lines of windows in text files, and the text of all windows if the
// options ask for it.
func (r *reporter) locate(rows []*common) error {
	wanted := make([]map[uint64]*common, len(r.sources))
	for _, c := range rows {
		if !r.o.ShowText && c.line > 0 {
			continue
		}
		if wanted[c.source] == nil {
			wanted[c.source] = map[uint64]*common{}
		}
		wanted[c.source][c.hash.Lo] = c
	}
	for i, s := range r.sources {
		if len(wanted[i]) == 0 {
			continue
		}
		if err := r.locateIn(s, wanted[i]); err != nil {
			return err
		}
	}
	return nil
}

// locateIn locates windows in one input. It reads at most so much of a text file as
// fits into a quarter of the memory.
func (r *reporter) locateIn(s *source, wanted map[uint64]*common) error {
	in, err := s.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	l := &locator{n: r.spec.N, key: r.o.Key, text: r.o.ShowText, wanted: wanted, scan: ngram.NewScanner(r.spec.Suite)}
	if s.Format == corpus.Text {
		text, err := io.ReadAll(io.LimitReader(in, r.o.Memory/4))
		if err != nil {
			return fmt.Errorf("read %s: %w", s.Path, err)
		}
		l.segment(text, 0)
		return nil
	}
	done := errors.New("all windows are found")
	err = eachRecord(in, s.Input, r.o.Corpus, func(line int, rec *corpus.Record) error {
		for _, seg := range rec.Segments {
			l.segment(rec.Text(seg), line)
		}
		if len(wanted) == 0 {
			return done
		}
		return nil
	}, func(*corpus.BadRecord) error { return nil }) // the passes have reported it
	if errors.Is(err, done) {
		return nil
	}
	return err
}

// locator searches texts for windows.
type locator struct {
	n      int // words in a window
	key    *key.Key
	text   bool // store the text of the windows
	wanted map[uint64]*common
	scan   *ngram.Scanner
	words  []ngram.Word
}

// segment searches one text. line is its line in the file; 0: the text is the whole
// file.
func (l *locator) segment(text []byte, line int) {
	l.scan.Reset()
	l.words = l.scan.Finish(l.scan.Append(l.words[:0], text))
	n := l.n
	prefix := make([]uint64, len(l.words)+1)
	counted, lines := int64(0), 1
	for i, w := range l.words {
		prefix[i+1] = ngram.Roll(prefix[i], w.Hash)
		first := i + 1 - n
		if first < 0 {
			continue
		}
		lo := l.key.Lo(ngram.Gram(prefix[first], prefix[i+1], n).Lo)
		c := l.wanted[lo]
		if c == nil || line != 0 && c.line != line {
			continue
		}
		delete(l.wanted, lo)
		at := l.words[first].Span.Lo
		if line == 0 {
			lines += bytes.Count(text[counted:at], []byte("\n"))
			counted, c.line = at, lines
		}
		if l.text {
			c.text = string(text[at:w.Span.Hi])
		}
	}
}

// isReport reports whether a file is a report of common windows.
func isReport(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false // opening it again will return the error
	}
	defer f.Close()
	head := make([]byte, len(reportPrefix))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == reportPrefix
}

// excludeReport adds the windows of a report to the set and returns the digest of the
// file.
func excludeReport(path string, want reportHead, set map[uint64]struct{}) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("exclude report: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(f, sum))
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := excludeRow(lines.Bytes(), want, set); err != nil {
			return nil, fmt.Errorf("exclude %s:%d: %w", path, number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("exclude %s: %w", path, err)
	}
	return sum.Sum(nil), nil
}

// excludeRow adds the window of one line of a report.
func excludeRow(line []byte, want reportHead, set map[uint64]struct{}) error {
	if bytes.HasPrefix(line, []byte(reportPrefix)) {
		var head reportHead
		if err := json.Unmarshal(line, &head); err != nil {
			return errors.New("the first line of the report is not valid JSON")
		}
		if head != want {
			return fmt.Errorf("the report is for windows of %d words (normalisation %d, Unicode %s, %s), but this build has %d (%d, %s, %s): write a new report",
				head.N, head.Norm, head.Unicode, strings.TrimSpace(head.Suite+" "+head.KeyID), want.N, want.Norm, want.Unicode, strings.TrimSpace(want.Suite+" "+want.KeyID))
		}
		return nil
	}
	var row reportRow
	var hash [16]byte
	if json.Unmarshal(line, &row) != nil || len(row.Hash) != 2*len(hash) {
		return errors.New("the line is not a row of a report")
	}
	if _, err := hex.Decode(hash[:], []byte(row.Hash)); err != nil {
		return errors.New("the line is not a row of a report")
	}
	set[binary.BigEndian.Uint64(hash[8:])] = struct{}{}
	return nil
}
