package track

import (
	"slices"

	"noecho/ngram"
)

// MaxDigests bounds the window digests that are kept of a run or a finding.
const MaxDigests = 8

// Echo says that the client had sent the words of a window itself.
type Echo bool

// Run is the sequence of consecutive indexed windows that the newest words belong
// to. It counts once its words weigh enough. Its parts are told apart by whether
// the client had sent the windows itself: those are echoes.
type Run struct {
	Active bool
	Hot    bool  // heavy enough
	Last   int64 // its newest word
	Weight ngram.Weight
	Parts  []Part // in order; once hot only the newest
}

// Part is a sequence of windows that are all echoes, or all not.
type Part struct {
	Echo    Echo
	First   int64 // first word
	Last    int64 // newest word
	Lo      int64 // offset of the first word
	Windows int
	Digests []uint64
}

// Reset forgets the run.
func (r *Run) Reset() { *r = Run{Last: -1, Parts: r.Parts[:0]} }

// waits returns the first word that the run may yet make a finding of. newest is
// the newest word of the track.
func (r *Run) waits(newest int64) (first int64, ok bool) {
	if !r.Active || r.Hot || r.Last != newest {
		return 0, false
	}
	for i := range r.Parts {
		if !r.Parts[i].Echo {
			return r.Parts[i].First, true
		}
	}
	return 0, false
}

// Enter adds the indexed window of words first to last, whose text begins at lo, to
// the run. weight is that of the run if the window begins before the text, else 0.
// What was one part before is still one unless fresh.
func (t *Track) Enter(first, last, lo int64, weight ngram.Weight, echo Echo, digest uint64) (fresh bool) {
	r := &t.Run
	if !r.Active {
		r.Active = true
		for i := first; i < last; i++ {
			r.Weight += t.Weight(i)
		}
	}
	r.Weight += t.Weight(last)
	if weight > 0 {
		r.Weight = weight
	}
	r.Last = last
	r.Hot = r.Hot || r.Weight >= t.least
	n := len(r.Parts)
	if fresh = n == 0 || r.Parts[n-1].Echo != echo; fresh {
		r.Parts = append(r.Parts, Part{Echo: echo, First: first, Lo: lo})
		n++
	}
	p := &r.Parts[n-1]
	p.Last = last
	p.Windows++
	if len(p.Digests) < MaxDigests {
		p.Digests = append(p.Digests, digest)
	}
	return fresh
}

// Newest drops all parts of the run but the newest one.
func (r *Run) Newest() {
	r.Parts[0] = r.Parts[len(r.Parts)-1]
	r.Parts = r.Parts[:1]
}

// AddDigests appends the digests that are not there yet, up to [MaxDigests].
func AddDigests(dst []uint64, digests ...uint64) []uint64 {
	for _, h := range digests {
		if len(dst) < MaxDigests && !slices.Contains(dst, h) {
			dst = append(dst, h)
		}
	}
	return dst
}
