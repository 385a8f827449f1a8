//go:build !slow

package main

// The sizes of TestMemoryOfHugeFiles and TestMemoryOfManyFiles. With -tags slow they are larger.
const (
	hugeLen  = 4 << 20 // bytes of a file
	hugeMany = 1_000   // files
)
