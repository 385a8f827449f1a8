//go:build !race

package raced

// On reports whether this program was built with the race detector.
const On = false
