// Package raced tells tests whether the race detector is on, which makes everything ten times slower. A
// test of many cases in one goroutine gives it nothing to find: it tries all of them without the
// detector, and a part with it. The package knows nothing of the tests.
package raced

// Fewer returns how many of n cases a test tries: all, or a tenth of them under the race detector.
func Fewer(n int) int {
	if On {
		return max(1, n/10)
	}
	return n
}

// Skips reports whether a test leaves out case i: none, or nine of ten under the race detector.
func Skips(i int) bool { return On && i%10 > 0 }
