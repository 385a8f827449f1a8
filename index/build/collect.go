package build

import "noecho/ngram"

// Besides the filters an index contains tables about its records: the places of short
// grams, the names of the records, and the identifiers in them. The data for these
// tables is collected in the first pass, the only one that sees text. They become
// sections behind the filters.

// A collector gathers data for one kind of table from the texts of one worker:
// from every segment of every record, including segments that are too short for a
// window. Not safe for concurrent use.
type collector interface {
	beginRecord(r recordPart)
	beginSegment()
	// add receives the next piece of the segment's text and the words that this piece
	// completes. The spans of the words count from the beginning of the segment, so the
	// first word may begin in an earlier piece. The collector must not keep either
	// slice.
	add(text []byte, words []ngram.Word) error
	// endSegment learns whether any window of the segment is indexed.
	endSegment(indexed bool) error
	endRecord()
}

// recordPart identifies a record, or one block of a long text that several workers
// read. Each block is collected like a record of its own, but its segment continues in
// the next block.
type recordPart struct {
	task   int64  // number of the task, in the order of the corpus
	source int    // position in builder.sources
	line   int    // line or row number in the source; 0: the whole source is the record
	id     string // own id of the row; empty: it has none
	block  int    // number of the block in the text, from 0 on
	last   bool   // this block is the last one of its text
}
