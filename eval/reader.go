package eval

import (
	"errors"
	"sort"

	"noecho/detect"
	"noecho/ngram"
)

// reader reads texts as answers that come in small pieces and are redacted.
type reader struct {
	set    detect.Index
	spec   ngram.Spec
	d      *detect.Detector
	segs   []detect.Segment
	gone   []extent // the ranges that are withheld, in order, neighbours joined
	likely []extent // those of gone that are near matches
	laned  []extent // those of gone that are near matches or findings in another lane
	cfg    detect.Config
	lanes  detect.LaneMemory
	scan   *ngram.Scanner
	buf    []ngram.Word
}

func newReader(o *Options) *reader {
	r := &reader{
		set: o.Set, spec: o.Spec, cfg: o.Detect,
		d: detect.New(o.Set, o.Spec, o.Detect), scan: ngram.NewScanner(o.Spec.Suite),
	}
	r.cfg.LaneMemory = &r.lanes
	return r
}

var errUntiled = errors.New("the detector did not decide every byte once; please report this")

// start makes the detector ready for a text under a release policy.
func (r *reader) start(release detect.Release) *detect.Detector {
	cfg := r.cfg
	cfg.Release = release
	r.d.Reset(r.set, r.spec, cfg)
	return r.d
}

// whole reads a text in one piece and returns the findings.
func (r *reader) whole(text []byte, release detect.Release) []*detect.Finding {
	d := r.start(release)
	r.segs = d.Append(r.segs[:0], text)
	r.segs = d.Finish(r.segs[:0])
	return d.Closed(nil)
}

// read sets r.gone to the ranges of the text that are withheld.
func (r *reader) read(text []byte) error {
	r.start(r.cfg.Release)
	r.gone, r.likely, r.laned = r.gone[:0], r.likely[:0], r.laned[:0]
	at := int64(0)
	take := func() error {
		for _, s := range r.segs {
			if s.Span.Lo != at || s.Span.Hi <= at {
				return errUntiled
			}
			at = s.Span.Hi
			if s.Finding == nil {
				continue
			}
			e := extent{int(s.Span.Lo), int(s.Span.Hi)}
			r.gone = join(r.gone, e)
			near := s.Finding.Kind == detect.Near && s.Finding.Lane == detect.Plain
			if near {
				r.likely = join(r.likely, e)
			}
			if near || s.Finding.Lane != detect.Plain {
				r.laned = join(r.laned, e)
			}
		}
		return nil
	}
	for lo, n := 0, 1; lo < len(text); n = n%7 + 1 {
		hi := min(lo+n, len(text))
		r.segs = r.d.Append(r.segs[:0], text[lo:hi])
		if err := take(); err != nil {
			return err
		}
		lo = hi
	}
	r.segs = r.d.Finish(r.segs[:0])
	if err := take(); err != nil {
		return err
	}
	if at != int64(len(text)) {
		return errUntiled
	}
	return nil
}

// join adds the next range.
func join(all []extent, e extent) []extent {
	if n := len(all); n > 0 && all[n-1].hi == e.lo {
		all[n-1].hi = e.hi
		return all
	}
	return append(all, e)
}

// withheld reports whether every byte of a range is withheld.
func (r *reader) withheld(e extent) bool { return inside(r.gone, e) }

// near reports whether every byte of a range is withheld as a near match.
func (r *reader) near(e extent) bool { return inside(r.likely, e) }

// inside reports whether one of the ranges, which are in order, contains e.
func inside(all []extent, e extent) bool {
	i := sort.Search(len(all), func(i int) bool { return all[i].hi >= e.hi })
	return i < len(all) && all[i].lo <= e.lo
}

// passage reads a disguised passage and adds the counts to the row.
//
// Released are the words that a reader who undoes the disguise gets, n or more in a
// row: words that the disguise keeps and that are not withheld, regardless of the text
// that the disguise put between them. A word that was swapped or dropped ends a run, as
// a withheld one does.
func (r *reader) passage(row *Row, s *disguised) error {
	if err := r.read(s.text); err != nil {
		return err
	}
	row.Passages++
	inside := 0
	for _, g := range r.gone {
		if g.lo < s.end && g.hi > s.begin {
			inside++
		}
	}
	if inside > 0 {
		row.Found++
	}
	row.FalseAlarms += len(r.gone) - inside
	run, weight := 0, ngram.Weight(0)
	endRun := func() {
		if weight >= ngram.Weight(r.spec.N)*ngram.WordWeight {
			row.Released += run
		}
		run, weight = 0, 0
	}
	for _, w := range s.of.words {
		at := s.word(w)
		switch {
		case !at.present():
			endRun()
			continue
		case r.withheld(at):
			row.Withheld++
			endRun()
		default:
			run++
			weight += w.Weight
		}
		row.Words++
	}
	endRun()
	return nil
}

// control reads a disguised text of filler: each range of it that is withheld is a
// false alarm. Its words are counted as the detector reads them.
func (r *reader) control(row *Row, s *disguised) error {
	r.lanes.Wakes = detect.LaneMemory{}.Wakes
	if err := r.read(s.text); err != nil {
		return err
	}
	for lane, n := range r.lanes.Wakes {
		row.ControlWakes[lane] += n
	}
	row.FalseAlarms += len(r.gone)
	r.scan.Reset()
	r.buf = r.scan.Finish(r.scan.Append(r.buf[:0], s.text))
	row.ControlWords += len(r.buf)
	return nil
}
