package main

import (
	"context"
	"os"
	"slices"

	"noecho/detect"
	"noecho/index"
	"noecho/ngram"
)

// replayer reads documents through detectors as answers of a model would be.
type replayer struct {
	ix       *index.Index
	cfg      detect.Config
	detector *detect.Detector
	scanner  *ngram.Scanner
	segs     []detect.Segment
	words    []ngram.Word // of the document
	some     []ngram.Word // scratch
	ends     []int64      // where each message ends
}

// replay reads every held-out document whole, which gives the findings, and
// message by message under both release policies, which gives what is held
// back and must give the same findings. From one policy to the other those of the
// text as it stands must be the same; a finding in a lane may begin elsewhere.
func replay(ctx context.Context, ix *index.Index, cfg detect.Config, exact *oracle, docs []document, r *report, show *progress) error {
	p := &replayer{ix: ix, cfg: cfg, scanner: ngram.NewScanner(ix.Spec().Suite)}
	p.detector = detect.New(ix, ix.Spec(), cfg)
	show.phase("replay", len(docs))
	for i, d := range docs {
		data, err := os.ReadFile(d.path)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		p.scanner.Reset()
		p.words = p.scanner.Append(p.words[:0], data)
		p.words = p.scanner.Finish(p.words)
		r.HeldOut.Documents++
		r.HeldOut.Bytes += int64(len(data))
		r.HeldOut.Words += len(p.words)
		r.HeldOut.Windows += max(0, len(p.words)-ix.Spec().N+1)
		found := p.whole(data, detect.Adaptive)
		for release, stats := range map[detect.Release]*holdback{detect.Adaptive: &r.Adaptive, detect.Strict: &r.Strict} {
			whole := found
			if release == detect.Strict {
				whole = p.whole(data, release)
			}
			if !sameFindings(verbatim(found), verbatim(whole)) || !sameFindings(whole, p.messages(data, release, whole, stats)) {
				r.Uneven++
			}
		}
		r.judge(exact, i, d, data, p.words, r.plain(ix, d, data, found))
		show.next()
	}
	return nil
}

// whole reads a document in one piece.
func (p *replayer) whole(data []byte, release detect.Release) []*detect.Finding {
	cfg := p.cfg
	cfg.Release = release
	p.detector.Reset(p.ix, p.ix.Spec(), cfg)
	p.segs = p.detector.Append(p.segs[:0], data)
	p.segs = p.detector.Finish(p.segs[:0])
	return p.detector.Closed(nil)
}

// messages reads a document a token at a time: 4 and 5 bytes in turn, moved to
// the end of a code point. What is held back is counted behind every message
// that is not part of a finding: those are not held but withheld.
func (p *replayer) messages(data []byte, release detect.Release, found []*detect.Finding, stats *holdback) []*detect.Finding {
	cfg := p.cfg
	cfg.Release = release
	p.detector.Reset(p.ix, p.ix.Spec(), cfg)
	p.scanner.Reset()
	p.ends = p.ends[:0]
	var complete, free, left int // words read, words that left, messages that left
	for lo := 0; lo < len(data); {
		hi := tokenEnd(data, lo, 4+len(p.ends)%2)
		p.ends = append(p.ends, int64(hi))
		p.segs = p.detector.Append(p.segs[:0], data[lo:hi])
		p.some = p.scanner.Append(p.some[:0], data[lo:hi])
		complete += len(p.some)
		frontier := p.detector.Frontier()
		for free < complete && p.words[free].Span.Hi <= frontier {
			free++
		}
		for left < len(p.ends) && p.ends[left] <= frontier {
			left++
		}
		for len(found) > 0 && found[0].Span.Hi <= int64(lo) {
			found = found[1:]
		}
		if len(found) == 0 || found[0].Span.Lo >= int64(hi) {
			stats.Words.add(complete - free)
			stats.Messages.add(len(p.ends) - left)
		}
		lo = hi
	}
	p.segs = p.detector.Finish(p.segs[:0])
	return p.detector.Closed(nil)
}

// tokenEnd is where a token of about n bytes ends that begins at lo.
func tokenEnd(data []byte, lo, n int) int {
	hi := min(lo+n, len(data))
	for hi < len(data) && data[hi]&0xc0 == 0x80 {
		hi++
	}
	return hi
}

// verbatim returns the verbatim findings of the text as it stands.
func verbatim(found []*detect.Finding) (out []*detect.Finding) {
	for _, f := range found {
		if f.Kind == detect.Verbatim && f.Lane == detect.Plain {
			out = append(out, f)
		}
	}
	return out
}

// sameFindings compares what was found, whatever the text was cut into.
func sameFindings(a, b []*detect.Finding) bool {
	return slices.EqualFunc(a, b, func(x, y *detect.Finding) bool {
		return x.Kind == y.Kind && x.Lane == y.Lane && x.Span == y.Span && x.Words == y.Words && x.Windows == y.Windows &&
			slices.Equal(x.Digests, y.Digests)
	})
}
