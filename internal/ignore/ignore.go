// Package ignore reads lists of windows, that is, of text that no answer needs to be kept
// from repeating, such as a greeting. A window is named by its digest, as alerts and reports
// of common text name it.
//
// It knows the lines of such lists. It knows no text, no index and no configuration.
package ignore

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// Entry is one window of a list.
type Entry struct {
	Digest uint64
	Reason string    // why the window may leave; empty: not said
	By     string    // who decided so; empty: not said
	Until  time.Time // the entry has no effect from this time on; zero: it has no end
}

// Line is an entry as a line of JSON.
type Line struct {
	Digest string `json:"digest"`
	Reason string `json:"reason"`
	Until  string `json:"until"`
	By     string `json:"by"`
}

// row are the members of every line from which entries are read: an entry, an alert, or a row
// of a report of common text. Other members are left alone.
type row struct {
	Line
	Type       string          `json:"type"`   // of an alert
	Report     string          `json:"report"` // in the first line of a report
	Hash       string          `json:"hash"`   // of a row of a report; its second half is the digest
	Digests    []string        `json:"digests"`
	Identifier string          `json:"identifier"`
	Text       json.RawMessage `json:"text"` // of a row of a training file, which is no entry
}

// plainPhrase is the identifier of a short text that identifies nobody, in an alert.
const plainPhrase = "phrase"

// ErrIdentifier refuses an alert about an identifier.
var ErrIdentifier = errors.New("the alert is about an identifier, and identifiers of people are never ignored: write a rule about their kind or dataset")

// Parse reads one line: {"digest":…,"reason":…,"until":…,"by":…}, an alert, whose digests
// become entries without a reason, or a line of a report. The first line of a report has
// no entry.
func Parse(line []byte) ([]Entry, error) {
	var r row
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, errors.New("the line is no JSON object")
	}
	if r.Report != "" {
		return nil, nil
	}
	if r.Identifier != "" && r.Identifier != plainPhrase {
		return nil, ErrIdentifier
	}
	names := r.Digests
	switch {
	case r.Digest != "":
		names = []string{r.Digest}
	case r.Hash != "":
		names = []string{r.Hash}
	case len(names) == 0 && r.Type == "":
		return nil, errors.New(`the line has no digest: write {"digest":"…","reason":"…","until":"2027-01-31","by":"…"}`)
	}
	until, err := ParseUntil(r.Until)
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, name := range names {
		d, err := ParseDigest(name)
		if err != nil {
			return nil, err
		}
		out = append(out, Entry{Digest: d, Reason: r.Reason, By: r.By, Until: until})
	}
	return out, nil
}

// ParseDigest reads the digest of a window: the 16 hexadecimal digits of an alert, or the
// 32 of a report, whose second half is the digest.
func ParseDigest(s string) (uint64, error) {
	const digits = 16
	half := s[max(0, len(s)-digits):]
	raw, err := hex.DecodeString(s)
	if len(s) != digits && len(s) != 2*digits || err != nil || len(raw) == 0 {
		return 0, fmt.Errorf("%q is not a digest: copy the %d hexadecimal digits of an alert or a report", s, digits)
	}
	return strconv.ParseUint(half, 16, 64)
}

// ParseUntil reads the end of an entry: a day, whose last moment in UTC is meant, or a time.
// An empty text is no end.
func ParseUntil(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("until %q is no date: write one such as 2027-01-31 or 2027-01-31T18:00:00Z", s)
	}
	return t, nil
}

// List is a set of entries. The zero value is empty. Safe for concurrent reading.
type List struct {
	entries map[uint64]Entry
	refused int
}

// Add adds entries. Of two with one digest the one that lasts longer counts.
func (l *List) Add(entries ...Entry) {
	if l.entries == nil {
		l.entries = map[uint64]Entry{}
	}
	for _, e := range entries {
		old, known := l.entries[e.Digest]
		if !known || !old.Until.IsZero() && (e.Until.IsZero() || e.Until.After(old.Until)) {
			l.entries[e.Digest] = e
		}
	}
}

// Refused returns how many of the lines were alerts about identifiers, which have no entries.
func (l *List) Refused() int { return l.refused }

// Len returns the number of entries, those included that have expired.
func (l *List) Len() int { return len(l.entries) }

// Has reports whether the list has a window now.
func (l *List) Has(digest uint64, now time.Time) bool {
	e, ok := l.entries[digest]
	return ok && !e.expired(now)
}

// Expired returns how many entries have no effect any more, and how many have none in soon.
func (l *List) Expired(now time.Time, soon time.Duration) (expired, ending int) {
	for _, e := range l.entries {
		switch {
		case e.expired(now):
			expired++
		case e.expired(now.Add(soon)):
			ending++
		}
	}
	return expired, ending
}

func (e *Entry) expired(now time.Time) bool { return !e.Until.IsZero() && !now.Before(e.Until) }

// Live returns the digests of the entries that have an effect now, in no order.
func (l *List) Live(now time.Time) []uint64 {
	out := make([]uint64, 0, len(l.entries))
	for d, e := range l.entries {
		if !e.expired(now) {
			out = append(out, d)
		}
	}
	return out
}

// maxLine bounds the length of a line in bytes.
const maxLine = 1 << 20

// ReadFile adds the entries of a file. Errors name file and line.
func (l *List) ReadFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read ignored windows: %w", err)
	}
	defer f.Close()
	return l.Read(path, f)
}

// Read adds the entries of a file. Errors name it and the line.
func (l *List) Read(name string, from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for number := 1; lines.Scan(); number++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		entries, err := Parse(line)
		if errors.Is(err, ErrIdentifier) {
			l.refused++
		} else if err != nil {
			return fmt.Errorf("%s:%d: %w", name, number, err)
		}
		l.Add(entries...)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read ignored windows %s: %w", name, err)
	}
	return nil
}

// IsList reports whether a file begins with a line of such a list and not of training text.
func IsList(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false // opening it again will return the error
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		var r row
		if json.Unmarshal(line, &r) != nil || r.Report != "" || len(r.Text) > 0 {
			return false
		}
		if r.Type != "" {
			var v struct {
				V    int    `json:"v"`
				Boot string `json:"boot"`
			}
			return json.Unmarshal(line, &v) == nil && v.V > 0 && v.Boot != ""
		}
		_, err := ParseDigest(r.Digest)
		return err == nil
	}
	return false
}
