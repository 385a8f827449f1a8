//go:build !race

package eval

// raced says that the race detector makes everything ten times slower.
const raced = false
