//go:build slow

package main

// The sizes of TestMemoryOfHugeFiles and TestMemoryOfManyFiles.
const (
	hugeLen  = 200 << 20 // bytes of a file
	hugeMany = 50_000    // files
)
