package wire

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of one message and of the names of one answer. What passes them is
// unscannable: an honest answer stays far below.
const (
	MaxChannels = 512     // text channels of an answer
	MaxChoices  = 256     // choices of an answer
	maxDepth    = 64      // nested arrays and objects, the text of a Document apart
	maxFields   = 1 << 18 // places in a whole body
	maxStreamed = 1 << 16 // places in a message of a stream
	keepFields  = 1 << 12 // places that a locator keeps storage for
	keepPayload = 1 << 18 // bytes of a payload whose storage a locator keeps
	maxElements = 1 << 12 // numbered elements in a message
	maxRanks    = 32      // alternatives at one place
	maxPath     = 1 << 10 // bytes of the name of an unknown string

	maxIdentifier = 64 // bytes of a word that is believed to be no text
)

// Field is one place of a message that matters. Texts and dropped values are
// byte ranges of the payload and ascend by Lo; a range within another one
// follows it.
type Field struct {
	Role     Role
	Form     Form
	Choice   int32  // -1: none
	Item     int32  // -1: none
	Part     int32  // -1: none
	Rule     int32  // the family's rule, -1: none
	Name     string // of the channel, within its choice
	Path     string // the name it has if it turns out to be a text of its own
	With     string // Drop, End: JSON to put in its place; empty: the value stays
	Lo, Hi   int
	Separate bool  // this is a text of its own: it does not go on from the text before it in the channel
	InItem   bool  // Drop: only if something of the item was withheld, not of another one of the choice
	rank     int32 // Item + 1 if that is the place among alternatives
	object   int32 // that a discriminator may move the texts of, -1: none
}

// Locator finds the places of a family's messages. It belongs to one answer
// and is not safe for concurrent use. It never allocates once it has seen the
// names an answer uses.
type Locator struct {
	paths     *paths
	positions int32 // elements of unknown arrays that are channels of their own
	limit     int   // places in a message
	dec       *jsontext.Decoder
	in        bytes.Buffer
	peek      *jsontext.Decoder // reads what kind a message is
	head      bytes.Buffer
	large     bool // the payload is
	opts      []jsontext.Options
	frames    []frame
	elements  []int32 // numbers of the numbered elements of a message
	moved     []int32 // by object: the discriminator that moves its texts, -1: none
	begun     []int32
	fields    []Field
	path      []byte // name of the place being read, where the table ends
	key       []byte
	names     map[string]string
	keys      map[string]int32 // numbers of elements that a text names
}

// frame is one array or object being read.
type frame struct {
	node   int16 // -1: unknown to the table
	kind   jsontext.Kind
	apart  bool  // its texts are Separate
	name   int32 // length of path at this place
	pos    int32 // elements or alternatives read
	choice int32 // element, -1: none
	item   int32
	part   int32
	object int32 // that a discriminator may move the texts of, -1: none
	rank   int32 // from 1 on, 0: none
	drop   int32 // field that ends with this value, -1: none
	word   int16 // rule of a member known by its name, from 1 on, 0: none
	goes   bool  // it stands in a value that goes
	start  int   // of the value in the payload
	ints   int32 // elements that are small whole numbers
}

// NewLocator returns a locator for one answer. In a stream, strings in the
// first elements of an unknown array are channels of their own, because their
// pieces may come in different messages.
func NewLocator(family *Family, f Framing) *Locator {
	l := &Locator{
		paths: family.paths,
		dec:   new(jsontext.Decoder),
		peek:  new(jsontext.Decoder),
		opts:  []jsontext.Options{jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(true)},
		limit: maxFields,
		names: make(map[string]string),
		keys:  make(map[string]int32),
	}
	if f != JSON && f != Records {
		l.positions, l.limit = 16, maxStreamed
	}
	return l
}

// Locate returns the places of a message with the given payload. They are
// valid until the next call. Every string of the message is a place, if only
// of a channel of its own, but for empty ones and those the family knows to
// hold no text. Errors match [ErrUnscannable]: no JSON, a name twice in one
// object (no two readers agree on which one counts), or more than the limits.
func (l *Locator) Locate(payload []byte) ([]Field, error) {
	l.fields, l.elements, l.frames, l.moved = l.fields[:0], l.elements[:0], l.frames[:0], l.moved[:0]
	if l.paths.done != "" && string(bytes.TrimSpace(payload)) == l.paths.done {
		l.fields = append(l.fields, Field{Role: Done, Choice: -1, Item: -1, Part: -1, Rule: -1})
		return l.fields, nil
	}
	l.large = len(payload) > keepPayload
	l.in = *bytes.NewBuffer(payload)
	l.dec.Reset(&l.in, l.opts...)
	if err := l.document(payload); err != nil {
		return nil, err
	}
	return l.fields, l.resolve()
}

// Release lets go of the payload and of storage that a large one made. The
// places of it are no longer valid.
func (l *Locator) Release() {
	l.in, l.head = bytes.Buffer{}, bytes.Buffer{}
	if l.large || cap(l.fields) > keepFields {
		l.large = false
		l.dec, l.peek = new(jsontext.Decoder), new(jsontext.Decoder)
		l.fields, l.elements, l.key = nil, nil, nil
		return
	}
	l.dec.Reset(&l.in, l.opts...)
	l.peek.Reset(&l.head, l.opts...)
}

// Forget lets go of the names of an answer that is over, if there are many: the
// next one begins.
func (l *Locator) Forget() {
	if len(l.names) > MaxChannels/2 {
		clear(l.names)
	}
}

// resolve puts the numbers of elements into the fields. In a whole body no two
// choices may have one number.
func (l *Locator) resolve() error {
	l.begun = l.begun[:0]
	for i := range l.fields {
		f := &l.fields[i]
		if f.Choice >= 0 {
			f.Choice = l.elements[f.Choice]
		}
		if f.Item >= 0 {
			f.Item = l.elements[f.Item]
		}
		if f.Part >= 0 {
			f.Part = l.elements[f.Part]
		}
		if f.object >= 0 && l.moved[f.object] >= 0 && (f.Role == Text || f.Role == Final || f.Role == Cumulative) {
			f.Name = l.paths.rules[l.moved[f.object]].Channel
		}
		if f.rank > 0 {
			f.Item = f.rank - 1
		}
		if f.Role != Begin {
			continue
		}
		if len(l.begun) == MaxChoices {
			return tooMany("choices")
		}
		if l.positions == 0 && slices.Contains(l.begun, f.Choice) {
			return fmt.Errorf("%w: two choices have one number", ErrUnscannable)
		}
		l.begun = append(l.begun, f.Choice)
	}
	return nil
}

// document reads the payload to its end.
func (l *Locator) document(payload []byte) error {
	root, err := l.root(payload)
	if err != nil {
		return err
	}
	if err := l.value(root); err != nil {
		return err
	}
	for len(l.frames) > 0 {
		f := &l.frames[len(l.frames)-1]
		kind := l.dec.PeekKind()
		if kind == '}' || kind == ']' {
			if _, err := l.dec.ReadToken(); err != nil {
				return broken(err)
			}
			if f.drop >= 0 {
				l.fields[f.drop].Hi = int(l.dec.InputOffset())
			}
			if err := l.numbers(f); err != nil {
				return err
			}
			l.frames = l.frames[:len(l.frames)-1]
			continue
		}
		next := frame{choice: f.choice, item: f.item, part: f.part, object: f.object, rank: f.rank, apart: f.apart, goes: f.goes, drop: -1}
		var err error
		if f.kind == '{' {
			err = l.member(f, &next)
		} else {
			err = l.element(f, &next)
		}
		if err == nil {
			err = l.value(next)
		}
		if err != nil {
			return err
		}
	}
	if rest := payload[l.dec.InputOffset():]; len(bytes.TrimLeft(rest, " \t\r\n")) > 0 {
		return fmt.Errorf("%w: something follows the JSON document", ErrUnscannable)
	}
	return nil
}

// root is the frame of a whole payload. What it says of itself is read first,
// wherever it stands.
func (l *Locator) root(payload []byte) (frame, error) {
	f := frame{choice: -1, item: -1, part: -1, object: -1, drop: -1}
	if l.dec.PeekKind() != '{' {
		if !l.paths.single {
			return f, nil
		}
		return f, l.begin(&f)
	}
	if len(l.paths.roots) > 0 {
		f.node = l.paths.roots[string(l.kindOf(payload))]
	}
	has := l.paths.nodes[f.node].has
	if has.item {
		f.item = l.newNumber(0)
	}
	if has.part {
		f.part = l.newNumber(0)
	}
	if l.paths.single || has.choice {
		return f, l.begin(&f)
	}
	return f, nil
}

// begin begins the one choice of a message.
func (l *Locator) begin(f *frame) error {
	f.choice = l.newNumber(0)
	return l.add(Field{Role: Begin, Choice: f.choice, Item: -1, Part: -1, Rule: -1, object: -1})
}

// newNumber adds a numbered element.
func (l *Locator) newNumber(n int32) int32 {
	l.elements = append(l.elements, n)
	return int32(len(l.elements) - 1)
}

// kindOf returns what an object says it is: the text of the member kind, or the
// name of a mark. It looks no further than that; whether the name comes twice
// is found later.
func (l *Locator) kindOf(payload []byte) []byte {
	l.head = *bytes.NewBuffer(payload)
	l.peek.Reset(&l.head, l.opts...)
	if _, err := l.peek.ReadToken(); err != nil {
		return nil
	}
	for l.peek.PeekKind() == '"' {
		name, err := l.peek.ReadValue()
		if err != nil {
			return nil
		}
		l.key = AppendText(l.key[:0], name)
		if l.paths.marks[string(l.key)] {
			return l.key
		}
		if string(l.key) == l.paths.kind {
			if v, err := l.peek.ReadValue(); err == nil && v.Kind() == '"' {
				l.key = AppendText(l.key[:0], v)
				return l.key
			}
			return nil
		}
		if l.peek.SkipValue() != nil {
			return nil
		}
	}
	return nil
}

// broken is the error for a payload that is not JSON. The decoder's message
// may quote it, so it is left out.
func broken(error) error { return fmt.Errorf("%w: no valid JSON", ErrUnscannable) }

// tooMany is the error for a limit passed.
func tooMany(what string) error { return fmt.Errorf("%w: too many %s", ErrUnscannable, what) }
