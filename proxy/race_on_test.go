//go:build race

package proxy

// raced says that the race detector makes everything ten times slower.
const raced = true
