//go:build race

package relay

// raced says that the race detector makes everything ten times slower.
const raced = true
