package ngram

// MaxPhraseWords is the number of words that an indexed phrase has at most.
const MaxPhraseWords = 16

// PhraseKind is the sort of a phrase: "email", "phone", "iban", "card", "ssn", "key",
// "subject", "phrase" for a plain short text, or the name of a pattern that the build was
// given.
type PhraseKind string

// Phrase describes a sequence of at most [MaxPhraseWords] words that is indexed although
// it may be shorter than a window, such as an e-mail address.
type Phrase struct {
	Kind    PhraseKind
	Subject uint64 // the data subject that it belongs to; 0: none
	Weak    bool   // it counts only near another phrase of the same subject
	Records uint32 // how many records have it, as far as counted; 0: none has, it was listed
	Place   Place  // of its first word, where it occurs first; 0: in no record that has a place
}
