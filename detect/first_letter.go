package detect

import "noecho/ngram"

// firstLetter finds the first letter of a text of an answer. The text may begin with bytes that
// belong to no word and separate none: characters without a shape, marks, tags. A word that is
// cut over two texts goes on behind them.
type firstLetter struct {
	at      int64 // offset in the channel where the text starts
	read    int   // how many bytes were read
	letters *ngram.Letters
	list    []ngram.Letter // one that stands for the text before, and the first ones; nil: not needed
}

// firstBytes is how many bytes of a text may be before its first letter.
const firstBytes = 64

// begin begins a text at an offset with its first bytes.
func (f *firstLetter) begin(at int64, p []byte) {
	f.at, f.read, f.list = at, firstBytes, f.list[:0]
	if len(p) == 0 || p[0] >= ' ' && p[0] < 0x7f && p[0] != '<' && p[0] != '&' && p[0] != '\\' {
		return // a letter, or something that separates words
	}
	if f.letters == nil {
		f.letters = new(ngram.Letters)
	}
	*f.letters = ngram.LettersFrom(-1)
	f.list, f.read = f.letters.Append(f.list, []byte("a")), 0
	f.feed(p)
}

// feed reads the next bytes of the text.
func (f *firstLetter) feed(p []byte) {
	if p = p[:min(len(p), firstBytes-f.read)]; len(p) == 0 {
		return
	}
	f.read += len(p)
	if f.list = f.letters.Append(f.list, p); len(f.list) > 1 {
		f.read = firstBytes
	}
}

// is reports whether the first letter is at an offset, and in one word with a letter before
// the text.
func (f *firstLetter) is(at int64) bool {
	if f.letters == nil {
		return false
	}
	list := f.list
	if len(list) < 2 {
		end := *f.letters
		list = end.Finish(list)
		f.list = list[:len(f.list)]
	}
	return len(list) > 1 && !list[0].Last && f.at+list[1].Span.Lo == at
}

// forget drops the letters.
func (f *firstLetter) forget() {
	clear(f.list[:cap(f.list)])
	if f.letters != nil {
		*f.letters = ngram.Letters{}
	}
	f.at, f.read, f.list = 0, firstBytes, f.list[:0]
}
