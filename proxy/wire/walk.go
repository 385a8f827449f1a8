package wire

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// member reads the name of the next member of f, and prepares the frame next for its
// value.
func (l *Locator) member(f, next *frame) error {
	lit, err := l.dec.ReadValue()
	if err != nil || len(lit) < 2 {
		return broken(err)
	}
	name := []byte(lit[1 : len(lit)-1])
	if bytes.IndexByte(name, '\\') >= 0 {
		l.key = AppendText(l.key[:0], lit)
		name = l.key
	}
	next.node = -1
	if f.node >= 0 {
		if next.node = l.paths.member(f.node, name); next.node >= 0 {
			if next.node == l.paths.nodes[f.node].any {
				return l.anyMember(f, next, name, lit)
			}
			return nil
		}
	}
	l.enter(f)
	if len(l.path) > 0 {
		l.path = append(l.path, '.')
	}
	if plainName(name) {
		l.path = append(l.path, name...)
	} else {
		l.path = strconv.AppendUint(append(l.path, '~'), fingerprint(name), 16)
	}
	if len(l.path) > maxPath {
		return tooMany("bytes in the path of a member")
	}
	next.word = l.paths.word(name)
	return l.name(f, name, lit)
}

// anyMember does the same for a member under a * or @ step.
func (l *Locator) anyMember(f, next *frame, name, lit []byte) error {
	n := &l.paths.nodes[next.node]
	if !n.rank {
		next.apart = true // these members share one channel
		return l.name(f, name, lit)
	}
	if f.pos == maxRanks {
		return tooMany("alternatives")
	}
	f.pos++
	next.rank = f.pos
	if n.rule < 0 || l.paths.rules[n.rule].role != keyIsText {
		if len(bytes.Trim(name, "0123456789")) == 0 {
			return nil // the id of a token
		}
		return l.name(f, name, lit)
	}
	hi := int(l.dec.InputOffset())
	return l.add(Field{
		Role: Token, Choice: f.choice, Item: -1, Part: -1, Rule: int32(n.rule),
		Name: l.paths.rules[n.rule].Channel, Lo: hi - len(lit), Hi: hi, rank: next.rank, object: -1,
	})
}

// name adds a place for the name of a member of f, unless it is the name of an API. Names
// of one depth are one text. Those that one of the two objects before had at that depth, or
// one of the two messages before, are another: they come between the names that change.
func (l *Locator) name(f *frame, name, lit []byte) error {
	if len(name) == 0 || l.paths.known[string(name)] {
		return nil
	}
	l.named, l.strange = true, true
	depth := len(l.frames) - 1
	key, now := fingerprint(name)^uint64(depth), seen{l.objects[depth], l.messages}
	last, again := l.members[key]
	channel, sort := "keys.#", Key
	switch {
	case again && (now.object > last.object && now.object-last.object <= 2 || now.message > last.message && now.message-last.message <= 2):
		channel, sort = "keys.again", Apart
	case l.paths.unlisted == Text:
		sort = Label
	}
	if again || len(l.members) < MaxChannels {
		l.members[key] = now
	}
	hi := int(l.dec.InputOffset())
	return l.add(Field{
		Role: Metadata, Sort: sort, Separate: true, Choice: f.choice, Item: -1, Part: -1, Rule: -1,
		Name: channel, Lo: hi - len(lit), Hi: hi, object: -1, rank: int32(min(depth, maxKeyDepth) + 1),
	})
}

// element prepares the frame next for the next element of f.
func (l *Locator) element(f, next *frame) error {
	pos := f.pos
	f.pos++
	next.node = -1
	if f.node >= 0 {
		next.node = l.paths.element(f.node)
	}
	if next.node >= 0 {
		if l.paths.nodes[next.node].rank {
			if pos == maxRanks {
				return tooMany("alternatives")
			}
			next.rank = pos + 1
		}
		return l.numbered(pos, next)
	}
	l.enter(f)
	if len(l.path)+len(".[]") > maxPath {
		return tooMany("bytes in the path of a member")
	}
	if len(l.path) > 0 {
		l.path = append(l.path, '.')
	}
	if pos < l.positions && !l.pieces() {
		l.path = strconv.AppendInt(l.path, int64(pos), 10)
		return nil
	}
	l.path = append(l.path, "[]"...)
	if l.positions == 0 || !l.pieces() {
		next.apart = true
	}
	return nil
}

// numbered numbers the element in next by its position, until one of its members says
// otherwise.
func (l *Locator) numbered(pos int32, next *frame) error {
	level := l.paths.nodes[next.node].level
	if level == 0 {
		return nil
	}
	if len(l.elements) == maxElements {
		return tooMany("numbered elements")
	}
	at := l.newNumber(pos)
	switch level {
	case 3:
		next.part = at
		return nil
	case 2:
		next.item = at
		return nil
	}
	next.choice, next.item, next.part = at, -1, -1
	here := int(l.dec.InputOffset())
	return l.add(Field{Role: Begin, Choice: at, Item: -1, Part: -1, Rule: -1, object: -1, Lo: here, Hi: here})
}

// enter sets path to that of f, so that a step can be added.
func (l *Locator) enter(f *frame) {
	if f.node >= 0 {
		l.path = append(l.path[:0], l.paths.nodes[f.node].path...)
		return
	}
	l.path = l.path[:f.name]
}

// value reads one value. at is its frame, in case that it is an array or object.
func (l *Locator) value(at frame) error {
	rule := int32(-1)
	switch {
	case at.node >= 0:
		rule = int32(l.paths.nodes[at.node].rule)
	case at.word > 0:
		rule = int32(at.word) - 1
	}
	role := Metadata
	if rule >= 0 {
		role = l.paths.rules[rule].role
	}
	switch kind := l.dec.PeekKind(); kind {
	case '{', '[':
		return l.container(at, rule, role, kind)
	case '"', '0':
		lit, err := l.dec.ReadValue()
		if err != nil {
			return broken(err)
		}
		switch {
		case kind == '"':
			return l.text(at, rule, role, lit)
		case role.drops():
			return l.dropped(at, rule, len(lit))
		}
		if err := l.number(lit, role); err != nil || !identifying(lit) {
			return err
		}
		return l.identifier(at, role, len(lit))
	default:
		if _, err := l.dec.ReadToken(); err != nil {
			return broken(err)
		}
		switch {
		case role == discriminator && kind == 't':
			l.moved[at.object] = rule
		case role == End && kind == 'n' && l.paths.rules[rule].form == Document:
			f := l.field(at, rule, End, len("null"))
			f.With = l.paths.rules[rule].with
			return l.add(f)
		}
		return nil
	}
}

// drops reports whether a value with the role may be dropped.
func (r Role) drops() bool { return r == Drop || r == DropMessage }

// field returns the place of the value that was just read and has the given size.
func (l *Locator) field(at frame, rule int32, role Role, size int) Field {
	hi := int(l.dec.InputOffset())
	return Field{
		Role: role, Choice: at.choice, Item: at.item, Part: at.part, Rule: rule,
		Lo: hi - size, Hi: hi, rank: at.rank, object: at.object,
	}
}

// container reads the start of an array or object, or all of one that is itself a
// place.
func (l *Locator) container(at frame, rule int32, role Role, kind jsontext.Kind) error {
	form := Plain
	if rule >= 0 {
		form = l.paths.rules[rule].form
	}
	if role == skip || form == Nested && !l.paths.leads(at.node) || form == Bytes {
		lit, err := l.dec.ReadValue()
		switch {
		case err != nil:
			return broken(err)
		case role == skip:
			return l.dropped(at, rule, len(lit))
		case len(lit) == len("[]"):
			return nil // a server may fill the list in a later message
		case form == Nested:
			form = Document
		}
		f := l.field(at, rule, role, len(lit))
		if f.Form = form; l.paths.rules[rule].label {
			f.Sort = Label
		}
		if err := l.called(&f, at); err != nil {
			return err
		}
		return l.add(f)
	}
	if len(l.frames) == maxDepth {
		return tooMany("nested values")
	}
	if _, err := l.dec.ReadToken(); err != nil {
		return broken(err)
	}
	if role.drops() {
		at.drop, at.goes = int32(len(l.fields)), true
		if err := l.dropped(at, rule, len("{")); err != nil {
			return err
		}
	}
	if at.node >= 0 && l.paths.nodes[at.node].moves {
		at.object = int32(len(l.moved))
		l.moved = append(l.moved, -1)
	}
	if kind == '{' {
		l.objects[len(l.frames)]++
	}
	at.kind, at.name, at.start = kind, int32(len(l.path)), int(l.dec.InputOffset())-1
	l.frames = append(l.frames, at)
	return nil
}

// number reads a number, which may be the number of an element or of the message.
func (l *Locator) number(lit []byte, role Role) error {
	switch role {
	case choiceNumber, itemNumber, partNumber:
	default:
		if l.paths.unlisted != Text && ofNumber.length(lit) == len(lit) {
			l.open(ofNumber, len(lit))
		}
		l.small(lit)
		return nil
	}
	n, err := strconv.ParseInt(string(lit), 10, 32)
	if err != nil || n < 0 {
		if l.paths.unlisted == Text {
			return nil // its meaning is not known
		}
		return errNumber()
	}
	f := &l.frames[len(l.frames)-1]
	at := f.choice
	switch role {
	case itemNumber:
		at = f.item
	case partNumber:
		at = f.part
	}
	if at >= 0 {
		l.elements[at] = int32(n)
	}
	return nil
}

// identifier adds the place of a number that may be an identifier.
func (l *Locator) identifier(at frame, role Role, size int) error {
	switch role {
	case choiceNumber, itemNumber, partNumber, noText, skip:
		return nil
	}
	f := l.field(at, -1, Metadata, size)
	f.Item, f.Part, f.rank, f.object = -1, -1, 0, -1
	f.Form, f.Name, f.Sort, f.Separate = Number, "numbers", Apart, true
	return l.add(f)
}

// errNumber is the error for an element with an invalid number.
func errNumber() error {
	return fmt.Errorf("%w: the number of an element is no whole number", ErrUnscannable)
}

// text adds the place of a string.
func (l *Locator) text(at frame, rule int32, role Role, lit []byte) error {
	if len(lit) == len(`""`) {
		return nil
	}
	word := func() bool { return IsIdentifier(lit[1 : len(lit)-1]) }
	f := l.field(at, rule, role, len(lit))
	f.Separate = at.apart
	if rule >= 0 && l.paths.rules[rule].reason && at.choice >= 0 && len(l.ends) < maxElements {
		l.ends = append(l.ends, end{at.choice, causeOf(lit[1 : len(lit)-1])})
	}
	switch role {
	case choiceNumber, itemNumber, partNumber:
		if l.paths.unlisted != Text {
			return errNumber()
		}
	case discriminator:
		if string(lit) == l.paths.rules[rule].with {
			l.moved[at.object] = rule
			return nil
		}
		if word() {
			return nil
		}
	case noText:
		if word() {
			return l.id(f)
		}
	case skip:
		return l.dropped(at, rule, len(lit))
	case Drop, DropMessage:
		if err := l.dropped(at, rule, len(lit)); err != nil {
			return err
		}
		if l.paths.unlisted == Metadata || l.paths.rules[rule].inItem {
			f.Sort = Apart // a signature, for example: it comes between texts
		}
	case elementKey:
		if err := l.keyed(lit); err != nil {
			return err
		}
		f.Sort = Label
	case keyIsText: // the name is the token; the value has no rule
	default:
		l.openText(rule, role, len(lit))
		if rule < 0 || l.paths.rules[rule].form == Bytes {
			break
		}
		f.Form, f.With = l.paths.rules[rule].form, l.paths.rules[rule].with
		if l.paths.rules[rule].label {
			f.Sort = Label
		}
		f.Again = l.paths.rules[rule].Again
		f.Whole = role == Metadata || l.paths.rules[rule].Whole
		if err := l.called(&f, at); err != nil {
			return err
		}
		if err := l.add(f); err != nil || role != End || word() {
			return err
		}
	}
	return l.unlisted(f, at)
}

// id adds the place of an identifier, if it is the id of a call or block.
func (l *Locator) id(f Field) error {
	if f.Name = l.paths.rules[f.Rule].Channel; f.Name == "" {
		if !l.paths.rules[f.Rule].reason {
			l.open(ofIdentifier, f.Hi-f.Lo)
		}
		return nil
	}
	f.Role, f.Sort, f.Separate = Metadata, Apart, true
	return l.add(f)
}

// unlisted adds a string to the channel of its path.
func (l *Locator) unlisted(f Field, at frame) error {
	f.Role, f.Rule, f.Form, f.With, f.Whole = l.paths.unlisted, -1, Plain, "", true
	if f.Role == Text {
		f.Form = Reply
	}
	if at.node >= 0 {
		f.Name = l.paths.nodes[at.node].path
		return l.add(f)
	}
	var err error
	if f.Name, err = l.intern(); err != nil {
		return err
	}
	return l.add(f)
}

// dropped adds the place of a value that may be dropped.
func (l *Locator) dropped(at frame, rule int32, size int) error {
	r := &l.paths.rules[rule]
	f := l.field(at, rule, r.role, size)
	if r.role == skip {
		f.Role = Drop
	}
	f.With, f.InItem, f.rank, f.object = r.with, r.inItem, 0, -1
	return l.add(f)
}

// add adds a field.
func (l *Locator) add(f Field) error {
	if len(l.fields) == l.limit {
		return tooMany("strings")
	}
	if f.Role == complete {
		f.Role, f.Rule, f.Separate = Metadata, -1, true
	}
	l.fields = append(l.fields, f)
	return nil
}

// intern returns path as a string and allocates only for a new one.
func (l *Locator) intern() (string, error) {
	if name, ok := l.names[string(l.path)]; ok {
		return name, nil
	}
	if len(l.names) == MaxChannels {
		return "", tooMany("text channels")
	}
	name := string(l.path)
	l.names[name] = name
	return name, nil
}

// keyed numbers the current element by a text, the value of one of its members. Equal
// texts give equal numbers, in all messages of an answer.
func (l *Locator) keyed(lit []byte) error {
	l.key = AppendText(l.key[:0], lit)
	n, ok := l.keys[string(l.key)]
	if !ok {
		if len(l.keys) == MaxChannels {
			return tooMany("names of elements")
		}
		n = int32(len(l.keys))
		l.keys[string(l.key)] = n
	}
	f := &l.frames[len(l.frames)-1]
	at := f.item
	if l.paths.nodes[f.node].level == 3 {
		at = f.part
	}
	if at >= 0 {
		l.elements[at] = n
	}
	return nil
}

// Limits for a family whose answer may be anywhere: there an array of whole numbers may
// be the bytes of a text or the ids of its tokens.
const (
	maxNumbers = 32 // numbers in one array; a message with more cannot be scanned
	maxDigits  = 7  // digits of such a number
)

// called sets the channel of a field that has a rule. A rule for members by name alone
// names no channel, so the path of the place does.
func (l *Locator) called(f *Field, at frame) error {
	if at.node >= 0 {
		f.Name, f.Path = l.paths.rules[f.Rule].Channel, l.paths.nodes[at.node].path
		return nil
	}
	var err error
	f.Name, err = l.intern()
	f.Path = f.Name
	return err
}

// pieces reports whether the next element of an array is a piece of a text that the
// element after it continues: a string, in a family whose answer may be anywhere.
func (l *Locator) pieces() bool { return l.paths.unlisted == Text && l.dec.PeekKind() == '"' }

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

// numbers adds the place of an array of numbers that may be a text: it is dropped after
// text was withheld. A message with a long one cannot be scanned.
func (l *Locator) numbers(f *frame) error {
	switch {
	case l.paths.unlisted != Text, f.kind != '[', f.ints == 0, f.ints < f.pos, f.goes:
		return nil
	case f.ints > maxNumbers:
		return fmt.Errorf("%w: a long row of whole numbers may be a text", ErrUnscannable)
	}
	return l.add(Field{
		Role: Drop, Choice: f.choice, Item: f.item, Part: f.part, Rule: -1, With: "[]",
		Lo: f.start, Hi: int(l.dec.InputOffset()), object: -1,
	})
}
