package ngram

// MaxPhraseWords is the number of words that an indexed phrase has at most.
const MaxPhraseWords = 16

// PhraseKind names what a phrase is: "email", "phone", "iban", "card", "ssn",
// "key", "subject", "phrase" for a plain short text, or the name of a pattern
// that the build was given.
type PhraseKind string

// Phrase is what an index keeps of a sequence of at most [MaxPhraseWords] words
// that counts although it is shorter than a window, such as an e-mail address.
type Phrase struct {
	Kind    PhraseKind
	Subject uint64 // the data subject that it belongs to; 0: none
	Weak    bool   // counts only near another phrase of the same subject
	Records uint32 // in how many records it stands, as far as counted; 0: in none, it was listed
	Place   Place  // of its first word where it stands first; 0: in no record that has a place
}
