package alert

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
)

// How a cut or edited alert file is found.
//
// A digest line has the hash of the lines since the digest before it in the same boot, that one
// included. So the newest digest that somebody else kept, an [Anchor], vouches for all lines of
// the boot before it: change one, and its digest is another, and so are all that follow. Without
// an anchor a digest only shows accidents, because whoever edits the file can hash it anew.

// Anchor is what another record than the file itself says of alert lines.
type Anchor struct {
	Boot        string
	First, Last uint64 // the events that the lines are about
	Lines       uint64
	SHA256      string // of the lines; empty: only the event Last is known to be written
}

// Chain is the order of lines in one alert file and the rotated ones before it. Not safe for
// concurrent use.
type Chain struct {
	Name     string
	Problems []string // each names file and line
	Other    int      // lines that are no alerts, such as one that a crash has torn
	boots    map[string]*bootChain
	order    []string // boots as they occur
}

// bootChain is the part of a chain that one boot has written.
type bootChain struct {
	name    string // of the file
	tally   tally
	first   uint64 // the first event that is there
	last    uint64
	lines   uint64
	digests map[uint64]link // by the last event of their lines
}

// link is a digest that was computed from lines.
type link struct {
	sum     string
	through uint64 // lines of the boot up to the digest
	headed  bool   // the first of its lines is there, so that sum is of all
}

// ReadChain reads alert files, the oldest first. It calls each for every alert with the words
// [Chain.Problems] has for it, empty for none.
func ReadChain(paths []string, each func(ev *Event, problem string)) (*Chain, error) {
	c := &Chain{Name: paths[len(paths)-1], boots: map[string]*bootChain{}}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		err = c.read(path, f, each)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return c, nil
}

func (c *Chain) read(path string, r io.Reader, each func(ev *Event, problem string)) error {
	lines := bufio.NewReader(r)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			c.line(fmt.Sprintf("%s:%d", path, number), line, each)
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// line takes one line with its end.
func (c *Chain) line(at string, line []byte, each func(ev *Event, problem string)) {
	var ev Event
	if err := json.Unmarshal(line, &ev); err != nil || ev.V < 1 || ev.Boot == "" || ev.Seq == 0 || !bytes.HasSuffix(line, []byte("\n")) {
		if len(bytes.TrimSpace(line)) > 0 {
			c.Other++
		}
		return
	}
	b := c.boots[ev.Boot]
	if b == nil {
		b = &bootChain{name: c.Name, first: ev.first(), last: ev.first() - 1, digests: map[uint64]link{}}
		c.boots[ev.Boot] = b
		c.order = append(c.order, ev.Boot)
	}
	problem := ""
	switch first := ev.first(); {
	case first <= b.last:
		problem = fmt.Sprintf("%s: event %d of boot %s is not in its place", at, ev.Seq, ev.Boot)
	case first > b.last+1:
		problem = fmt.Sprintf("%s: events %d to %d of boot %s are missing", at, b.last+1, first-1, ev.Boot)
	}
	if ev.Type == TypeDigest {
		problem = cmp.Or(problem, b.digest(at, &ev))
	}
	b.last = max(b.last, ev.Seq)
	b.lines++
	b.tally.add(&ev, line)
	if problem != "" {
		c.Problems = append(c.Problems, problem)
	}
	each(&ev, problem)
}

// digest compares a digest line with the lines before it.
func (b *bootChain) digest(at string, ev *Event) (problem string) {
	var got Event
	got.Seq = ev.Seq
	b.tally.fill(&got)
	l := link{sum: got.SHA256, through: b.lines, headed: got.First <= ev.First || len(b.digests) > 0}
	b.digests[ev.Seq-1] = l
	if l.headed && (got.SHA256 != ev.SHA256 || got.Lines != ev.Lines || got.First != ev.First) {
		return fmt.Sprintf("%s: the %d lines of events %d to %d of boot %s are not those that were written", at, ev.Lines, ev.First, ev.Seq-1, ev.Boot)
	}
	return ""
}

// Found is the result of [CheckAnchors].
type Found struct {
	Lines    uint64   `json:"lines"`   // alert lines in the files
	Covered  uint64   `json:"covered"` // those that an anchor vouches for
	Expired  int      `json:"expired"` // anchors of lines older than those in the files
	Absent   int      `json:"absent"`  // anchors of boots that none of the files has
	Other    int      `json:"other"`   // lines that are no alerts
	Problems []string `json:"problems"`
}

// Extent says whether files have the alerts of all instances that the anchors are of.
type Extent uint8

// The extents.
const (
	AllInstances Extent = iota
	SomeInstances
)

// CheckAnchors compares alert files with anchors, in the order in which these were written. Older
// lines may be gone, as rotated files are deleted; behind the oldest line all must be there.
func CheckAnchors(chains []*Chain, anchors []Anchor, extent Extent) Found {
	f := Found{Problems: []string{}}
	known := map[string][]*bootChain{} // a boot is in several files if one goes on in another
	oldest := ""
	for _, c := range chains {
		f.Problems = append(f.Problems, c.Problems...)
		f.Other += c.Other
		for i, boot := range c.order {
			b := c.boots[boot]
			if extent == AllInstances {
				f.twice(boot, b, known[boot])
			}
			known[boot] = append(known[boot], b)
			f.Lines += b.lines
			if oldest == "" || boot < oldest {
				oldest = boot
			}
			if b.first > 1 && i > 0 {
				f.Problems = append(f.Problems, fmt.Sprintf("%s: events 1 to %d of boot %s are missing", c.Name, b.first-1, boot))
			}
		}
	}
	covered, absent := map[*bootChain]uint64{}, map[string]bool{}
	for _, a := range anchors {
		switch {
		case known[a.Boot] != nil:
			f.compare(a, known[a.Boot], covered)
		case a.Boot < oldest || oldest == "" && extent == SomeInstances:
			f.Expired++
		case extent == SomeInstances:
			f.Absent++
		case !absent[a.Boot]:
			absent[a.Boot] = true
			f.Problems = append(f.Problems, fmt.Sprintf("no line of boot %s is in the files, and the log has a digest of its alerts", a.Boot))
		}
	}
	for _, n := range covered {
		f.Covered += n
	}
	return f
}

// twice finds events that two files have: one of the files is a copy, and perhaps a changed one.
func (f *Found) twice(boot string, b *bootChain, others []*bootChain) {
	for _, o := range others {
		if first, last := max(b.first, o.first), min(b.last, o.last); first <= last {
			f.Problems = append(f.Problems, fmt.Sprintf("events %d to %d of boot %s are in %s and in %s: name one of them", first, last, boot, o.name, b.name))
		}
	}
}

// compare compares one anchor with the lines of its boot, in every file that has them.
func (f *Found) compare(a Anchor, chains []*bootChain, covered map[*bootChain]uint64) {
	last, first, found := uint64(0), a.Last+1, false
	for _, b := range chains {
		last, first = max(last, b.last), min(first, b.first)
		l, ok := b.digests[a.Last]
		switch {
		case !ok || a.SHA256 == "":
			continue
		case !l.headed:
			f.Expired++
		case l.sum != a.SHA256:
			f.Problems = append(f.Problems, fmt.Sprintf("%s: the lines of events %d to %d of boot %s are not those that the log has a digest of", b.name, a.First, a.Last, a.Boot))
		default:
			covered[b] = max(covered[b], l.through)
		}
		found = true
	}
	switch {
	case found:
	case a.Last > last || a.SHA256 != "" && a.Last == last: // the digest itself is the next event
		problem := fmt.Sprintf("the alerts of boot %s end at event %d, and the log knows them up to event %d: the end was cut off", a.Boot, last, a.Last)
		if !slices.Contains(f.Problems, problem) {
			f.Problems = append(f.Problems, problem)
		}
	case a.Last < first:
		f.Expired++
	case a.SHA256 != "":
		f.Problems = append(f.Problems, fmt.Sprintf("the digest of events %d to %d of boot %s is missing", a.First, a.Last, a.Boot))
	}
}

// AnchorOf returns the anchor that a digest line is.
func AnchorOf(ev *Event) Anchor {
	return Anchor{Boot: ev.Boot, First: ev.First, Last: ev.Seq - 1, Lines: ev.Lines, SHA256: ev.SHA256}
}
