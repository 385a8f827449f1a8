package ngram

// Phrase describes a sequence of at most 16 words that is indexed although it may be
// shorter than a window, such as an e-mail address.
type Phrase struct {
	// Kind is "email", "phone", "iban", "card", "ssn", "key", "subject", "phrase" for a plain
	// short text, or the name of a pattern that the build was given.
	Kind    string
	Subject uint64 // the data subject that it belongs to; 0: none
	Weak    bool   // it counts only near another phrase of the same subject
	Records uint32 // how many records have it, as far as counted; 0: none has, it was listed
	Place   Place  // of its first word, where it occurs first; 0: in no record that has a place
	Hash    Hash   // of its words
}

// Place is the position of a word in an indexed corpus, counted over all of its records. A
// segment is one text of a record: its words have consecutive places, and the last word of
// a segment is 64 or more places before the first word of the next. Places of several
// indexes that answer as one differ in their upper bits.
type Place uint64
