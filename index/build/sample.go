package build

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"noecho/index/internal/format"
)

// Text that many records contain is usually no leak, and causes most findings. So each build
// looks, at no further pass, whether windows are in more than a tenth of the records. It
// keeps the windows of a sample of the records. A record is in the sample if the hash of its
// position is below a bound, and the bound is halved whenever the sample is full. So the
// sample depends on the corpus alone, and contains all records of a small corpus.

const (
	sampleWindows = 1 << 19 // windows in a sample, 8 bytes each
	sampleRecord  = 1 << 11 // windows of one record that are kept, its first ones
	commonShare   = 10      // a window is common if it is in more than 1/commonShare of the records
	commonLeast   = 10      // and in so many records at least
)

// recordSample is the sample of a build. Safe for concurrent use.
type recordSample struct {
	bound atomic.Uint64

	mu      sync.Mutex
	records []sampledRecord
	windows int // in all records
}

// sampledRecord has the windows of a record, by the lower half of their hashes, each once.
type sampledRecord struct {
	hash    uint64
	windows []uint64
}

func newRecordSample() *recordSample {
	s := new(recordSample)
	s.bound.Store(math.MaxUint64)
	return s
}

// add adds a record, and halves the sample until it is small enough.
func (s *recordSample) add(r sampledRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.hash >= s.bound.Load() {
		return
	}
	s.records = append(s.records, r)
	s.windows += len(r.windows)
	for s.windows > sampleWindows {
		bound := s.bound.Load() / 2
		s.bound.Store(bound)
		s.records = slices.DeleteFunc(s.records, func(r sampledRecord) bool {
			if r.hash >= bound {
				s.windows -= len(r.windows)
			}
			return r.hash >= bound
		})
	}
}

// common returns the number of windows that are common in the sample, and whether the sample
// has every record.
func (s *recordSample) common() (windows int, all bool) {
	list := make([]uint64, 0, s.windows)
	for _, r := range s.records {
		list = append(list, r.windows...)
	}
	slices.Sort(list)
	least := max(commonLeast, len(s.records)/commonShare+1)
	for i := 0; i < len(list); {
		end := i + 1
		for end < len(list) && list[end] == list[i] {
			end++
		}
		if end-i >= least {
			windows++
		}
		i = end
	}
	return windows, s.bound.Load() == math.MaxUint64
}

// sampler collects the windows of the records that one worker reads.
type sampler struct {
	to      *recordSample // nil: this pass takes no sample
	wanted  bool          // the current record may be in the sample
	hash    uint64
	windows []uint64
}

func (s *sampler) beginRecord(r recordPart) {
	s.hash = format.Mix(uint64(r.source)<<40 + uint64(r.line) + format.Golden)
	s.wanted = s.to != nil && r.block == 0 && r.last && s.hash < s.to.bound.Load()
	s.windows = s.windows[:0]
}

func (s *sampler) add(g *grams) {
	if !s.wanted {
		return
	}
	for _, h := range g.windows[:min(len(g.windows), sampleRecord-len(s.windows))] {
		s.windows = append(s.windows, h.Lo)
	}
}

func (s *sampler) endRecord() {
	if !s.wanted || len(s.windows) == 0 {
		return
	}
	slices.Sort(s.windows)
	s.to.add(sampledRecord{s.hash, slices.Clone(slices.Compact(s.windows))})
	s.wanted = false
}

// sampledIDs is the number of ids in an idSample.
const sampledIDs = 1 << 16

// idSample looks for rows of several files that have the same id. It keeps the ids whose
// hashes are below a bound, as a recordSample keeps records: equal ids are in it or not
// together. Safe for concurrent use.
type idSample struct {
	bound atomic.Uint64

	mu     sync.Mutex
	source map[uint64]int // by the hash of an id: the first source that had it
	shared bool           // two sources had one id
}

func newIDSample() *idSample {
	s := &idSample{source: map[uint64]int{}}
	s.bound.Store(math.MaxUint64)
	return s
}

func (s *idSample) add(id string, source int) {
	h := xxhash.Sum64String(id)
	if id == "" || h >= s.bound.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, ok := s.source[h]; ok {
		s.shared = s.shared || first != source
		return
	}
	s.source[h] = source
	for len(s.source) > sampledIDs {
		bound := s.bound.Load() / 2
		s.bound.Store(bound)
		maps.DeleteFunc(s.source, func(h uint64, _ int) bool { return h >= bound })
	}
}
