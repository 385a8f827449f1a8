//go:build race

package proxy

// raced says whether the race detector is on, with which a test is ten times slower.
const raced = true
