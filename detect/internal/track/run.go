package track

import (
	"slices"

	"noecho/ngram"
)

// MaxDigests is how many digests of windows are kept of a run or a finding.
const MaxDigests = 64

// Echo tells that the words of a window occur in a message of the client.
type Echo bool

// Run is the sequence of indexed windows, each of which ends with the next word, that the
// newest words belong to. It counts once its words weigh enough. It is divided into parts,
// of which some are echoes and some are not.
type Run struct {
	Active bool
	Hot    bool  // it weighs enough
	First  int64 // its first word
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

// waits returns the first word of a run that is still too light and may go on, echoes at
// its beginning apart. newest is the newest word of the track.
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

// Enter adds the indexed window of words first to last, whose text begins at offset lo, to
// the run. If the window begins before the text, weight is that of the run, else 0. Fresh
// is true if the window begins another part.
func (t *Track) Enter(first, last, lo int64, weight ngram.Weight, echo Echo, digest uint64) (fresh bool) {
	r := &t.Run
	if !r.Active {
		r.Active, r.First = true, first
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

// runSlack is how many words a run may lack to be close to one that counts.
const runSlack = 2

// CloseToRun reports whether the newest words would be a run that counts with two words
// more, and returns the first of those that an indexed window with the next word may have.
func (t *Track) CloseToRun() (first int64, ok bool) {
	first = t.FirstLive()
	weight := t.Run.Weight
	if !t.Run.Active || t.Run.Last < t.Count-1 {
		weight = 0
		for i := first; i < t.Count; i++ {
			weight += t.Weight(i)
		}
	}
	// Fewer than four words have no 4-gram, and 2-grams alone prove little.
	return first, t.Count-first >= 4 && weight >= t.least-runSlack*ngram.WordWeight
}

// AddDigests appends the digests that dst does not have, up to [MaxDigests] in all.
func AddDigests(dst []uint64, digests ...uint64) []uint64 {
	for _, h := range digests {
		if len(dst) < MaxDigests && !slices.Contains(dst, h) {
			dst = append(dst, h)
		}
	}
	return dst
}
