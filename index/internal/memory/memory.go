// Package memory allocates the large arrays of an index: the filters and tables of an
// open one, and the filters that a build fills. On linux they are outside the Go heap,
// in huge pages, and can be made read-only. It does not know the meaning of the bytes.
package memory

// Region is an allocated array. The zero value is an empty one.
type Region struct {
	Bytes []byte
	Words []uint64 // the same bytes
}

// New returns n zero bytes. n is a multiple of 8.
func New(n uint64) (Region, error) {
	if n == 0 {
		return Region{}, nil
	}
	return allocate(n)
}
