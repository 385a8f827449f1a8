package detect

import (
	"slices"

	"noecho/ngram"
)

// run is the sequence of consecutive indexed windows that the newest words
// belong to. It counts once its words weigh enough. Its parts are told apart by
// whether the client had sent the windows itself: those are echoes.
type run struct {
	active bool
	hot    bool  // heavy enough
	last   int64 // its newest word
	weight ngram.Weight
	parts  []part // in order; once hot only the newest
}

// part is a sequence of windows that are all echoes, or all not.
type part struct {
	echo    bool
	first   int64 // first word
	last    int64 // newest word
	lo      int64 // offset of the first word
	windows int
	digests []uint64
}

func (r *run) reset() {
	r.active, r.hot, r.last, r.weight = false, false, -1, 0
	r.parts = r.parts[:0]
}

// waits returns the first word that must be held because the run may yet become
// heavy enough. newest is the newest word of the track.
func (r *run) waits(newest int64) (first int64, ok bool) {
	if !r.active || r.hot || r.last != newest {
		return 0, false
	}
	for i := range r.parts {
		if !r.parts[i].echo {
			return r.parts[i].first, true
		}
	}
	return 0, false
}

// add enters an indexed window of words first to last.
func (r *run) add(first, last, lo int64, echo bool, digest uint64) *part {
	n := len(r.parts)
	if n == 0 || r.parts[n-1].echo != echo {
		r.parts = append(r.parts, part{echo: echo, first: first, lo: lo})
		n++
	}
	p := &r.parts[n-1]
	p.last = last
	p.windows++
	if len(p.digests) < MaxDigests {
		p.digests = append(p.digests, digest)
	}
	return p
}

// appendNew appends the digests that are not there yet, at most room.
func appendNew(dst, digests []uint64, room int) []uint64 {
	for _, h := range digests {
		if room == 0 {
			break
		}
		if !slices.Contains(dst, h) {
			dst = append(dst, h)
			room--
		}
	}
	return dst
}
