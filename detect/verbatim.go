package detect

import (
	"noecho/detect/internal/track"
	"noecho/internal/gram"
	"noecho/ngram"
)

// verbatim makes findings of the runs that the readers follow.
type verbatim struct {
	h   *host
	cur *Finding // the newest finding, nil if it is complete

	places  track.Locator          // of finding located
	joined  bool                   // the window being entered has words of a message
	window  [ngram.MaxN + 1]uint64 // then its prefix hashes
	before  int                    // and how many of its words come before the channel
	located *Finding               // cur, or the finding before it
	locator *reader                // the reader whose words the places come from
}

// hit enters an indexed window of words first to last of a reader. If the window begins
// before the channel, weight is that of the run, else 0.
func (v *verbatim) hit(r *reader, first, last int64, weight ngram.Weight, h ngram.Hash) {
	v.joined = weight > 0
	fresh := r.Enter(first, last, max(0, r.Span(first).Lo), weight, track.Echo(v.h.Sent(h)), h.Lo)
	run := &r.Run
	if !run.Hot {
		return
	}
	if !fresh && len(run.Parts) == 1 {
		v.apply(r, &run.Parts[0]) // the usual case: the newest part has grown
		return
	}
	for i := range run.Parts {
		v.apply(r, &run.Parts[i])
		if i < len(run.Parts)-1 {
			v.echo(r, &run.Parts[i])
		}
	}
	run.Newest()
}

// endRun closes the run of a reader.
func (v *verbatim) endRun(r *reader) {
	if r.Run.Active && r.Run.Hot {
		v.echo(r, &r.Run.Parts[len(r.Run.Parts)-1])
	}
	r.Run.Reset()
}

// echo reports a part of a run that only repeats a message of the client.
func (v *verbatim) echo(r *reader, p *track.Part) {
	hi := r.Span(p.Last).Hi
	if !p.Echo || hi <= 0 || r != &v.h.d.main {
		return
	}
	v.h.closed = append(v.h.closed, &Finding{
		Kind: Verbatim, Echo: true, Span: ngram.Span{Lo: p.Lo, Hi: hi},
		Words: int(p.Last - p.First + 1), Windows: p.Windows, Digests: p.Digests,
	})
}

// apply makes a finding of a part of a run that weighs enough, or extends the finding
// that the part overlaps.
func (v *verbatim) apply(r *reader, p *track.Part) {
	end := v.h.d.read()
	hi := min(end, r.Span(p.Last).Hi)
	lo := max(p.Lo, v.h.overflow)
	if v.h.blocked != nil || p.Echo || hi <= 0 || lo >= end {
		return
	}
	r.Acted = p.Last
	if v.cur == nil || lo >= v.cur.Span.Hi {
		v.close()
		v.cur = &Finding{Kind: Verbatim, Span: ngram.Span{Lo: lo, Hi: lo}}
	}
	f := v.cur
	f.Guessed = f.Guessed || f.Windows == 0 && v.guessed(r, p)
	oldest := max(p.First, r.Oldest())
	for i := p.Last; i >= oldest && r.Span(i).Hi > f.Span.Hi; i-- {
		w := r.Span(i)
		if w.Lo >= end {
			continue // a word of the text that follows the completion
		}
		f.Words++
		if i > p.Last-int64(p.Windows) {
			f.Windows++
		}
		f.Resumed = f.Resumed || w.Lo < v.h.parked
	}
	if lo < f.Span.Lo {
		// Behind the prompt's end the channel's first word is read as another one.
		for i := p.First; i <= p.Last && r.Span(i).Hi <= f.Span.Lo; i++ {
			f.Words++
		}
	}
	f.Digests = track.AddDigests(f.Digests, p.Digests...)
	v.locate(r, p)
	v.h.claim(f, ngram.Span{Lo: lo, Hi: hi})
}

// guessed reports whether the words of a part's first window but the last are in a message
// of the prompt, or before the channel.
func (v *verbatim) guessed(r *reader, p *track.Part) bool {
	if v.joined || r.Span(p.First).Lo < 0 {
		return true
	}
	last := p.First + int64(r.N) - 1
	return r.d.guessable && p.First >= r.Oldest() && last < r.Count && r.d.cfg.Prompt.stem(r.d, r.stem(last))
}

// locate adds the words of a part to the places of the newest finding.
func (v *verbatim) locate(r *reader, p *track.Part) {
	ledger := v.h.d.ledger
	if ledger == nil {
		return
	}
	f, origin := v.cur, r.origin
	if v.joined {
		if len(f.Places) == 0 {
			v.locateWindow(f, r)
		}
		return
	}
	if v.located != f || v.locator != origin && len(f.Places) == 0 {
		v.located, v.locator, v.places.Backward = f, origin, r.Backward
		v.places.Start(ledger)
	}
	if v.locator != origin {
		return // the places come from the words of another reader
	}
	v.places.Follow(&r.Track, p.First, p.Last)
	f.Places = v.places.Places(f.Places[:0])
}

// locateWindow finds the places of a window that has words of a message. A place is that
// of its first word in the channel.
func (v *verbatim) locateWindow(f *Finding, r *reader) {
	v.located, v.locator, v.places.Backward = f, nil, r.Backward
	v.places.Start(v.h.d.ledger)
	for i := 0; i+gram.SeedWords <= r.N; i++ {
		s := track.Seed{Word: int64(i), Hash: ngram.Gram(v.window[i], v.window[i+gram.SeedWords], gram.SeedWords)}
		for k := range s.Weight {
			s.Weight[k] = ngram.Weight(k) * ngram.WordWeight
		}
		v.places.Add(&s)
	}
	f.Places = v.places.Places(f.Places[:0])
	for i := range f.Places {
		f.Places[i] += ngram.Place(v.before)
	}
}

// close completes the newest finding.
func (v *verbatim) close() {
	if v.cur != nil {
		v.h.settle(v.cur)
		v.cur = nil
	}
}
