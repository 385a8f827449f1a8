package wire

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of one message and of the names of one answer. A message beyond a limit
// cannot be scanned. Honest answers stay far below the limits.
const (
	MaxChannels = 512     // text channels of an answer
	MaxChoices  = 256     // choices of an answer
	maxDepth    = 64      // nested arrays and objects, but for the text of a Document
	maxFields   = 1 << 18 // places in a whole body
	maxStreamed = 1 << 16 // places in a message of a stream
	keepFields  = 1 << 12 // places whose storage a locator keeps
	keepPayload = 1 << 18 // bytes of a payload whose storage a locator keeps
	maxElements = 1 << 12 // numbered elements in a message
	maxRanks    = 32      // elements or members with a rank, in one array or object
	maxKeyDepth = 7       // depth of names that are a text by themselves; deeper ones are one text
	maxPath     = 1 << 10 // bytes of the path of a string without a rule

	maxIdentifier = 64 // bytes of a word that counts as an identifier and not as text
)

// Field is one place of a message: a text, a value that may be dropped, or the start or
// end of a choice. It is the bytes Lo to Hi of the payload. Places are in ascending
// order of Lo; a place inside another one follows it.
type Field struct {
	Role        Role
	Form        Form
	Whole       bool   // the text may continue the earlier one of its channel, or be one of its own
	Choice      int32  // -1: none
	Item        int32  // -1: none
	Part        int32  // -1: none
	Rule        int32  // the rule of the family, -1: none
	Name        string // of the channel, unique in its choice
	Path        string // of the place: it names the channel if the text proves not to be the one of its rule
	With        string // Drop, End: JSON to write instead; empty: the value stays
	Lo, Hi      int
	Separate    bool  // the text does not continue the earlier text of its channel
	Again       bool  // it may be a copy of the text right before it
	Sort        Sort  // Metadata: which sort of it
	InItem      bool  // Drop: only after text of the same item was withheld
	Cause       Cause // Begin: of the choice's end, if the message tells it
	Alternative bool  // one of the texts at a position, whose rank is the item
	Open        bool  // a message with the same bytes around another text, not empty, has the same places, moved
	rank        int32 // Item + 1 if the item is a rank, else 0
	object      int32 // index in moved, -1: none
}

// Locator finds the places of a family's messages. It belongs to one answer and is not
// safe for concurrent use. Once it has seen the names that an answer uses, it allocates
// nothing.
type Locator struct {
	paths     *paths
	positions int32 // the first elements of an array without a rule, each of which is a channel
	limit     int   // places in a message
	records   bool  // each message is an answer for itself: many names are forgotten before the next one
	dec       *jsontext.Decoder
	in        bytes.Buffer
	peek      *jsontext.Decoder // reads the kind of a message
	head      bytes.Buffer
	large     bool // the payload is larger than keepPayload
	reading   bool // the decoders have the payload
	named     bool // the message has a name that no API has
	strange   bool // some message had one
	kindEnd   int  // in the payload: where the literal of its kind ends; -1: it has none
	template  template
	opts      []jsontext.Options
	frames    []frame
	elements  []int32 // numbers of the numbered elements of a message; until resolve, fields have indexes of it
	moved     []int32 // by object: the rule of the discriminator that moves its texts, -1: none
	begun     []int32
	ends      []end
	fields    []Field
	path      []byte // of the value being read, if no rule leads to it
	key       []byte
	names     map[string]string
	keys      map[string]int32 // numbers of elements that are named by a text
	members   map[uint64]seen  // names of members that are text, by name and depth
	objects   [maxDepth]uint32 // that were begun, by depth
	messages  uint32
}

// frame is one array or object that is being read.
type frame struct {
	node   int16 // -1: no path of a rule leads here
	kind   jsontext.Kind
	apart  bool  // its texts are Separate
	name   int32 // length of the path of this value
	pos    int32 // elements, or members with a rank, that were read
	choice int32 // index in elements, -1: none; so are item and part
	item   int32
	part   int32
	object int32 // index in moved, -1: none
	rank   int32 // from 1 on, 0: none
	drop   int32 // index of the field that ends with this value, -1: none
	word   int16 // rule for a member with this name anywhere, from 1 on, 0: none
	goes   bool  // the value is inside one that may be dropped
	start  int   // of the value in the payload
	ints   int32 // elements that are small whole numbers
}

// end is an end of a choice that the message being read tells.
type end struct {
	choice int32 // index in elements
	cause  Cause
}

// seen is where the name of a member was last.
type seen struct{ object, message uint32 }

// NewLocator returns a locator for one answer. In a stream, each of the first elements
// of an array without a rule is a channel, because the pieces of its text may come in
// different messages.
func NewLocator(family *Family, f Framing) *Locator {
	l := &Locator{
		paths: family.paths,
		dec:   new(jsontext.Decoder),
		peek:  new(jsontext.Decoder),
		opts:  []jsontext.Options{jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(true)},
		limit: maxFields,
		names: make(map[string]string),
		keys:  make(map[string]int32),

		members: make(map[uint64]seen),
	}
	if l.records = f == Records; f != JSON && !l.records {
		l.positions, l.limit = 16, maxStreamed
	}
	return l
}

// Locate returns the places of a message with the given payload. They are valid until
// the next call. Every string of the message is a place, except for empty strings and
// for identifiers where a rule says [NoText]; a string without a rule is a channel
// that is named by its path. Errors match [ErrUnscannable]: the payload is not JSON,
// an object has a name twice (readers disagree on the one that counts), or a limit is
// passed.
func (l *Locator) Locate(payload []byte) ([]Field, error) {
	if l.again(payload) {
		return l.fields, nil
	}
	l.fields, l.elements, l.frames, l.moved, l.ends = l.fields[:0], l.elements[:0], l.frames[:0], l.moved[:0], l.ends[:0]
	l.template.live, l.template.holes, l.named, l.kindEnd = false, l.template.holes[:0], false, -1
	if string(bytes.TrimSpace(payload)) == StreamEnd {
		l.fields = append(l.fields, Field{Role: Done, Choice: -1, Item: -1, Part: -1, Rule: -1})
		return l.fields, nil
	}
	if l.records && len(l.names) > MaxChannels/2 {
		clear(l.names)
	}
	before := l.objects
	l.messages++
	l.large, l.reading = len(payload) > keepPayload, true
	l.in = *bytes.NewBuffer(payload)
	l.dec.Reset(&l.in, l.opts...)
	if err := l.document(payload); err != nil {
		return nil, err
	}
	if err := l.resolve(); err != nil {
		return l.fields, err
	}
	l.learn(payload, &before)
	return l.fields, nil
}

// Release forgets the payload, and the storage that a large one needed. Its places are
// no longer valid.
func (l *Locator) Release() {
	if !l.reading {
		return
	}
	l.reading = false
	l.in, l.head = bytes.Buffer{}, bytes.Buffer{}
	if l.large || cap(l.fields) > keepFields {
		l.large, l.template.live = false, false
		l.dec, l.peek = new(jsontext.Decoder), new(jsontext.Decoder)
		l.fields, l.elements, l.key = nil, nil, nil
		return
	}
	l.dec.Reset(&l.in, l.opts...)
	l.peek.Reset(&l.head, l.opts...)
}

// Forget forgets the answer, so that the locator can be used for another one of its family
// and framing.
func (l *Locator) Forget() {
	if l.Release(); l.strange { // decoders keep names
		l.dec, l.peek = new(jsontext.Decoder), new(jsontext.Decoder)
	}
	kept := Locator{
		paths: l.paths, positions: l.positions, limit: l.limit, records: l.records, opts: l.opts, dec: l.dec, peek: l.peek,
		frames: emptied(l.frames), elements: emptied(l.elements), moved: emptied(l.moved), begun: emptied(l.begun), ends: emptied(l.ends),
		fields: emptied(l.fields), path: emptied(l.path), key: emptied(l.key),
		names: l.names, keys: l.keys, members: l.members,
		template: template{fixed: emptied(l.template.fixed), holes: emptied(l.template.holes), next: emptied(l.template.next), objects: emptied(l.template.objects)},
	}
	clear(kept.names)
	clear(kept.keys)
	clear(kept.members)
	*l = kept
}

// mostKept is how many elements of a slice are kept for another answer.
const mostKept = 1 << 10

// emptied returns a slice without elements for another answer: that of s, cleared, unless it
// is large.
func emptied[T any](s []T) []T {
	if s = s[:cap(s)]; len(s) > mostKept {
		return nil
	}
	clear(s)
	return s[:0]
}

// resolve replaces the indexes of elements in the fields by their numbers, which may
// come after the texts. In an answer in one piece no two choices may have one number.
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
			f.Item, f.Alternative = f.rank-1, true
		}
		if f.Role != Begin {
			continue
		}
		for _, e := range l.ends {
			if l.elements[e.choice] == f.Choice {
				f.Cause = max(f.Cause, e.cause)
			}
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

// document reads the whole payload.
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

// root returns the frame of the whole payload. The kind of the message is read first,
// wherever the payload says it.
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

// begin begins the only choice of a message.
func (l *Locator) begin(f *frame) error {
	f.choice = l.newNumber(0)
	return l.add(Field{Role: Begin, Choice: f.choice, Item: -1, Part: -1, Rule: -1, object: -1})
}

// newNumber adds a numbered element and returns its index.
func (l *Locator) newNumber(n int32) int32 {
	l.elements = append(l.elements, n)
	return int32(len(l.elements) - 1)
}

// kindOf returns the kind of a message: the text of its kind member, or the name of the
// first member that is a mark. It reads no further; a second member of that name is
// found later.
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
				l.kindEnd = int(l.peek.InputOffset())
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

// broken is the error for a payload that is not JSON. It leaves out the message of the
// decoder, which may quote the payload.
func broken(error) error { return fmt.Errorf("%w: no valid JSON", ErrUnscannable) }

// tooMany is the error for a message beyond a limit.
func tooMany(what string) error { return fmt.Errorf("%w: too many %s", ErrUnscannable, what) }
