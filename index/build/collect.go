package build

import (
	"context"

	"noecho/ngram"
)

// Besides the filters an index contains tables about its records: the places of short
// grams, the names of the records, and the identifiers in them. The data for these
// tables is collected in the first pass, the only one that sees text. They become
// sections behind the filters.

// A sectionBuilder makes sections out of the data of its collectors. Each build has its
// own.
type sectionBuilder interface {
	// collector returns the collector for one worker of the first pass. at tells the
	// collector the positions of the words, and the collector tells at which records
	// the index has to name.
	collector(at *placer) collector
	// finish writes the sections. The first pass is over, and every place is known.
	finish(ctx context.Context, p *plan) error
	// close frees the memory and files of the builder. It may be called at any time.
	close()
}

// A collector gathers the data of one section builder from the texts of one worker:
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
