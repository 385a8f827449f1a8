package build

import (
	"math/bits"
	"slices"
	"sort"

	"golang.org/x/sync/errgroup"

	"noecho/index/internal/format"
)

// Sorting seeds. The fingerprints are divided into slices by their upper bits, so many
// that the slices that are sorted at a time fit the memory. Each slice is sorted,
// reduced to format.SeedPlaces places for each fingerprint, and written behind the
// previous slice. Fingerprints are hashes, so the slices are of about equal size,
// except for common grams, of which few places are kept: one of each dataset, so that
// every dataset is known of as many as possible, and then the lowest. What is kept does not
// depend on the order in which seeds come or are reduced.

// A seedSource returns seeds in any order. Safe for concurrent use.
type seedSource interface {
	// collect adds the seeds to k whose fingerprints lie in the slice of k.
	collect(k *keys) error
}

// keys are the seeds of a slice. A key is the lower bits of the fingerprint, which the
// slice leaves open, followed by the place.
type keys struct {
	slice     uint64
	sliceBits uint
	placeBits uint
	all       []uint64
	spare     []uint64      // scratch space for sorting
	most      int           // if there are more keys, they are sorted and reduced
	sets      []namedSource // the first place of each run of sources of one dataset
}

// add adds a seed if its fingerprint lies in the slice.
func (k *keys) add(finger, place uint64) {
	if finger>>(format.FingerBits-k.sliceBits) != k.slice {
		return
	}
	if len(k.all) >= k.most {
		k.sort()
		k.most = max(k.most, 2*len(k.all))
	}
	k.all = append(k.all, finger&(1<<(format.FingerBits-k.sliceBits)-1)<<k.placeBits|place)
}

// sort sorts the seeds and keeps few places of each fingerprint.
func (k *keys) sort() {
	k.spare = slices.Grow(k.spare[:0], len(k.all))[:len(k.all)]
	if ends := runsOf(k.all); ends != nil {
		k.all, k.spare = mergeRuns(k.all, k.spare, ends)
	} else {
		k.all, k.spare = radixSort(k.all, k.spare, format.FingerBits-k.sliceBits+k.placeBits)
	}
	kept, from := k.all[:0], 0 // kept has the keys before from that remain
	for i := 0; i+format.SeedPlaces < len(k.all); {
		finger := k.all[i] >> k.placeBits
		if k.all[i+format.SeedPlaces]>>k.placeBits != finger {
			i++ // most fingerprints have few places
			continue
		}
		to := i + format.SeedPlaces
		for to < len(k.all) && k.all[to]>>k.placeBits == finger {
			to++
		}
		kept = append(kept, k.all[from:i]...)
		kept = k.keep(kept, k.all[i:to])
		i, from = to, to
	}
	k.all = append(kept, k.all[from:]...)
}

// keep appends those of the many keys of one fingerprint that are kept. The keys are
// sorted; the result may overlap with them, but not go beyond them.
func (k *keys) keep(dst, same []uint64) []uint64 {
	if len(k.sets) < 2 {
		return append(dst, same[:format.SeedPlaces]...)
	}
	var sets [format.SeedPlaces]uint64 // the datasets so far
	var first [format.SeedPlaces]int   // number of the first key of each, ascending
	n, at := 0, 0
	for i, key := range same {
		place := key & (1<<k.placeBits - 1)
		if at+1 < len(k.sets) && k.sets[at+1].place <= place {
			at += sort.Search(len(k.sets)-at-1, func(i int) bool { return k.sets[at+1+i].place > place })
		}
		if set := k.sets[at].dataset; !slices.Contains(sets[:n], set) {
			sets[n], first[n] = set, i
			if n++; n == len(first) {
				break
			}
		}
	}
	spare, next := format.SeedPlaces-n, 0 // room for keys that are not the first of a dataset
	for i, key := range same {
		switch {
		case next < n && first[next] == i:
			next++
		case spare > 0:
			spare--
		default:
			continue
		}
		dst = append(dst, key)
	}
	return dst
}

// radixSort sorts keys of width bits. It returns the sorted keys and the other of the
// two slices, which must have the same length.
func radixSort(all, spare []uint64, width uint) (sorted, other []uint64) {
	const (
		digit = 11
		few   = 1 << 12
	)
	if len(all) < few {
		slices.Sort(all)
		return all, spare
	}
	for shift := uint(0); shift < width; shift += digit {
		var at [1 << digit]int
		for _, key := range all {
			at[key>>shift&(1<<digit-1)]++
		}
		sum := 0
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for _, key := range all {
			d := key >> shift & (1<<digit - 1)
			spare[at[d]] = key
			at[d]++
		}
		all, spare = spare, all
	}
	return all, spare
}

// runsMost is the largest number of runs that are merged; sorting more of them again takes
// less time.
const runsMost = 32

// runsOf returns the ends of the ascending runs that the keys consist of, or nil if there
// are more than runsMost. Each index of a merge gives one run, because its places keep
// their order.
func runsOf(all []uint64) []int {
	ends := make([]int, 0, runsMost)
	for i := 1; i < len(all); i++ {
		if all[i] < all[i-1] {
			if len(ends) == runsMost-1 {
				return nil
			}
			ends = append(ends, i)
		}
	}
	return append(ends, len(all))
}

// mergeRuns sorts keys that consist of ascending runs, given the ends of the runs. It
// returns the slices as radixSort does.
func mergeRuns(all, spare []uint64, ends []int) (sorted, other []uint64) {
	for len(ends) > 1 {
		n, from := 0, 0
		for i := 0; i < len(ends); i += 2 {
			mid, to := ends[i], ends[min(i+1, len(ends)-1)]
			mergeTwo(spare[from:to], all[from:mid], all[mid:to])
			ends[n], from = to, to
			n++
		}
		all, spare, ends = spare, all, ends[:n]
	}
	return all, spare
}

// mergeTwo merges ascending keys a and b into dst, whose length is that of both. Which
// key is lower is chance, so the loop has no branch for it.
func mergeTwo(dst, a, b []uint64) {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		x, y := a[i], b[j]
		_, less := bits.Sub64(y, x, 0) // 1: y is lower
		dst[i+j] = x ^ (x^y)&-less
		i += int(1 - less)
		j += int(less)
	}
	copy(dst[i+j:], a[i:])
	copy(dst[i+j+len(a)-i:], b[j:])
}

// sortPlan divides the fingerprints into slices.
type sortPlan struct {
	sliceBits uint
	placeBits uint
	expect    int // expected number of seeds in a slice
}

// newSortPlan chooses the size of the slices. One slice for each worker, and the one
// that is being written, have to fit the memory.
func newSortPlan(l *format.LedgerShape, workers int, memory int64) sortPlan {
	p := sortPlan{sliceBits: sliceBitsMin, placeBits: l.PlaceBits}
	for format.FingerBits-p.sliceBits+p.placeBits > 64 { // a key has to fit into 64 bits
		p.sliceBits++
	}
	const perSeed = 2*8 + 2*8/8 // a key, the scratch space for it, and an eighth more
	for p.sliceBits < format.FingerBits && int64(l.Taken>>p.sliceBits)*perSeed > memory/int64(workers+1) {
		p.sliceBits++
	}
	p.expect = int(l.Taken >> p.sliceBits)
	return p
}

// sliceBitsMin is the smallest number of bits that select a slice.
const sliceBitsMin = 8

// sortSeeds passes all slices to write, sorted and reduced, in ascending order.
func sortSeeds(from seedSource, p sortPlan, with sorting, write func(k *keys) error) error {
	workers := with.workers
	ready := make(chan chan *keys, workers)
	free := make(chan *keys, workers+1)
	for range workers + 1 {
		free <- &keys{placeBits: p.placeBits, sliceBits: p.sliceBits, sets: with.sets}
	}
	var g errgroup.Group
	stop := make(chan struct{})
	g.Go(func() error {
		defer close(ready)
		for slice := range uint64(1) << p.sliceBits {
			var k *keys
			select {
			case k = <-free:
			case <-stop:
				return nil
			case <-with.ctx.Done():
				return with.ctx.Err()
			}
			k.begin(slice, p.expect)
			done := make(chan *keys, 1)
			ready <- done
			g.Go(func() error {
				defer close(done)
				if err := from.collect(k); err != nil {
					return err
				}
				k.sort()
				done <- k
				return nil
			})
		}
		return nil
	})
	var failed error
	stopped := false
	for done := range ready {
		k, ok := <-done
		if ok && !stopped {
			failed = write(k)
			free <- k
		}
		if !stopped && (!ok || failed != nil) {
			stopped = true
			close(stop)
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return failed
}

// begin empties the keys for a slice, given the expected number of its seeds.
func (k *keys) begin(slice uint64, expect int) {
	k.slice, k.most = slice, expect+expect/8+1<<10
	k.all = slices.Grow(k.all[:0], k.most)
}
