package build

import (
	"context"

	"noecho/ngram"
)

// Beside its filters an index may say more of its records: where short grams
// stand, what the records are called, which identifiers they hold. All of that
// is taken down in the first pass, the only one that sees text, and becomes
// sections behind the filters.

// A sectionBuilder makes sections of what its collectors took down. It is made for one
// build.
type sectionBuilder interface {
	// collector returns a collector for one worker of the first pass. at says where the
	// words stand that the worker reads, and is told which records are to be named.
	collector(at *placer) collector
	// finish appends the sections, once the first pass is over and every place is
	// settled.
	finish(ctx context.Context, p *plan) error
	// close gives back what the sectionBuilder holds; it may come at any time.
	close()
}

// A collector takes down what one worker reads: every segment of every record,
// those too short for a window as well. Not safe for concurrent use.
type collector interface {
	beginRecord(r recordPart)
	beginSegment()
	// add is given the next piece of the segment's text and the words that it
	// completes. Their spans count from the beginning of the segment, so the first
	// of them may begin in the piece before. Neither may be kept.
	add(text []byte, words []ngram.Word) error
	// endSegment is told whether any window of the segment is indexed.
	endSegment(indexed bool) error
	endRecord()
}

// recordPart names a record, or one block of a text that several workers read:
// a record of its own kind, whose segment goes on in the next block.
type recordPart struct {
	task   int64  // of the pass, in the order of the corpus
	source int    // in builder.sources
	line   int    // of the source, or the number of the row; 0: the source is the record
	id     string // of the row; empty: it has none
	block  int    // of the text, from 0 on
	last   bool   // no block follows
}
