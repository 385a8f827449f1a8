package build

import (
	"slices"

	"golang.org/x/sync/errgroup"

	"noecho/index/internal/format"
)

// Sorting seeds. All fingerprints are divided into slices, so many that those
// that are sorted at a time fit the memory, and each slice is sorted, cut to the
// cap and written behind the one before. Fingerprints are hashes: slices are of
// about equal size, but for common grams, of which the cap keeps few.

// A seedSource hands out seeds in any order. Safe for concurrent use.
type seedSource interface {
	// collect adds to k every seed of which the fingerprint lies in its slice.
	collect(k *keys) error
}

// keys are the seeds of a slice: what the slice leaves of the fingerprint, then
// the place.
type keys struct {
	slice     uint64
	sliceBits uint
	placeBits uint
	all       []uint64
	spare     []uint64 // for sorting
	most      int      // above it what the cap leaves out goes
}

// add adds a seed, if its fingerprint lies in the slice.
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

// sort sorts the seeds and leaves of each fingerprint the lowest places.
func (k *keys) sort() {
	k.spare = slices.Grow(k.spare[:0], len(k.all))[:len(k.all)]
	k.all, k.spare = radixSort(k.all, k.spare, format.FingerBits-k.sliceBits+k.placeBits)
	kept, same := 0, 0
	for i, key := range k.all {
		if i == 0 || key>>k.placeBits != k.all[kept-1]>>k.placeBits {
			same = 0
		}
		same++
		if same <= format.SeedPlaces {
			k.all[kept] = key
			kept++
		}
	}
	k.all = k.all[:kept]
}

// radixSort sorts keys of that many bits and returns them and the other slice,
// which is as long.
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

// sortPlan divides the fingerprints.
type sortPlan struct {
	sliceBits uint
	placeBits uint
	expect    int // seeds in a slice
}

// newSortPlan returns slices of which so many as there are workers, and one that
// is being written, fit the memory.
func newSortPlan(l *format.LedgerShape, workers int, memory int64) sortPlan {
	p := sortPlan{sliceBits: sliceBitsMin, placeBits: l.PlaceBits}
	for format.FingerBits-p.sliceBits+p.placeBits > 64 { // a key is one number
		p.sliceBits++
	}
	const perSeed = 2*8 + 2*8/8 // its key, twice, and an eighth more
	for p.sliceBits < format.FingerBits && int64(l.Taken>>p.sliceBits)*perSeed > memory/int64(workers+1) {
		p.sliceBits++
	}
	p.expect = int(l.Taken >> p.sliceBits)
	return p
}

// sliceBitsMin is the number of bits by which seeds are divided at least.
const sliceBitsMin = 8

// sortSeeds hands out all slices, sorted and cut to the cap, in ascending order.
func sortSeeds(from seedSource, p sortPlan, with sorting, write func(k *keys) error) error {
	workers := with.workers
	ready := make(chan chan *keys, workers)
	free := make(chan *keys, workers+1)
	for range workers + 1 {
		free <- &keys{placeBits: p.placeBits, sliceBits: p.sliceBits}
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

// begin empties the keys for a slice of about that many seeds.
func (k *keys) begin(slice uint64, expect int) {
	k.slice, k.most = slice, expect+expect/8+1<<10
	k.all = slices.Grow(k.all[:0], k.most)
}
