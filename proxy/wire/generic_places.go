package wire

import (
	"bytes"
	"fmt"
	"strings"
)

// Where the answer may be anywhere, whole numbers may be the bytes of a text or
// the ids of its tokens.
const (
	maxNumbers = 32 // of them in a row before a message is unscannable
	maxDigits  = 7  // of a number that may be one of these
)

// anywhere compiles the rules for members that are known by their name.
func (p *Paths) anywhere(rules []Rule) {
	if len(rules) == 0 {
		return
	}
	p.words = map[string]int16{}
	p.rules = append(p.rules[:len(p.rules):len(p.rules)], rules...)
	for i, r := range rules {
		p.words[r.Path] = int16(len(p.rules) - len(rules) + i + 1)
	}
}

// word returns the rule for a member that no path leads to, from 1 on, or 0. A
// name that ends like the name of an id or of a time is one.
func (p *Paths) word(name []byte) int16 {
	if p.words == nil {
		return 0
	}
	if rule := p.words[string(name)]; rule > 0 {
		return rule
	}
	for _, end := range [...]string{"_id", "Id", "ID", "_at", "At"} {
		if strings.HasSuffix(string(name), end) {
			return p.words["id"]
		}
	}
	return 0
}

// called puts the names of its channel into a field with a rule. A rule that
// holds anywhere has no name of its own: the path is.
func (l *Locator) called(f *Field, at frame) error {
	if at.node >= 0 {
		f.Name, f.Path = l.paths.rules[f.Rule].Name, l.paths.nodes[at.node].path
		return nil
	}
	var err error
	f.Name, err = l.intern()
	f.Path = f.Name
	return err
}

// pieces reports whether the element about to be read is a piece of a text that
// goes on in the next one: a string right in an array.
func (l *Locator) pieces() bool { return l.paths.rest == Text && l.dec.PeekKind() == '"' }

// small counts a number that may be a byte or the id of a token.
func (l *Locator) small(lit []byte) {
	if len(l.frames) == 0 || len(lit) > maxDigits {
		return
	}
	for _, c := range lit {
		if c < '0' || c > '9' {
			return
		}
	}
	l.frames[len(l.frames)-1].ints++
}

// numbers adds an array of numbers that may be a text: it goes when something
// was withheld. A long one cannot be scanned.
func (l *Locator) numbers(f *frame) error {
	switch {
	case l.paths.rest != Text, f.kind != '[', f.ints == 0, f.ints < f.pos, f.goes:
		return nil
	case f.ints > maxNumbers:
		return fmt.Errorf("%w: a long row of whole numbers may be a text", ErrUnscannable)
	}
	return l.add(Field{
		Role: Drop, Choice: f.choice, Item: f.item, Part: f.part, Rule: -1, With: "[]",
		Lo: f.start, Hi: int(l.dec.InputOffset()), turn: -1,
	})
}

// Forget lets go of the names of an answer that is over, if there are many: the
// next one begins.
func (l *Locator) Forget() {
	if len(l.names) > MaxChannels/2 {
		clear(l.names)
	}
}

// Code reports whether a text looks like an id or a time: one word of a machine's
// that has digits.
func Code(text []byte) bool {
	const shortest = 6
	return len(text) >= shortest && identifier(text) && bytes.ContainsAny(text, "0123456789")
}
