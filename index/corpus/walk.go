package corpus

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/internal/coverage"
)

// maxLevel bounds the depth to which objects and arrays are looked into; below it their
// JSON is one text. It also bounds how often a byte is looked at.
const maxLevel = 24

// fieldPath is a named field, and the part of it that leads on from the current object.
type fieldPath struct{ field, rest string }

// row reads one value of the line: an object, or a list of them.
func (p *Parser) row() error {
	p.level, p.inPart, p.every, p.nested, p.one = 0, false, false, false, false
	if p.format == Members {
		p.seen, p.every = true, true
		p.strange()
		return nil
	}
	if p.format == texts {
		p.seen = true
		p.value(useTurns)
		return nil
	}
	switch p.c.kind() {
	case '{':
		p.rowObject()
		return nil
	case '[':
		p.c.open()
		objects := false
		for p.c.more() {
			if p.c.kind() == '{' {
				p.rowObject()
				objects = true
			} else {
				p.strange()
			}
		}
		if objects || p.format == ByRow {
			return nil
		}
	}
	return errors.New("not a JSON object")
}

// rowObject reads an object that is a row.
func (p *Parser) rowObject() {
	if p.format != JSONL {
		p.object()
		return
	}
	p.level = 1
	p.c.open()
	for p.c.more() {
		if name := p.memberName(); p.rec.ID != "" || !isID(name) || p.isField(name) {
			p.field(name, p.fields)
		} else {
			p.id()
		}
	}
	p.level = 0
}

// isField reports whether a member of the row is a named field.
func (p *Parser) isField(name []byte) bool {
	for _, f := range p.names {
		if f == string(name) {
			return true
		}
	}
	return false
}

// memberName reads the name of the next member. It is valid until the next one is read.
func (p *Parser) memberName() []byte {
	lo, hi := p.c.str()
	name := p.c.b[lo:hi]
	if bytes.IndexByte(name, '\\') >= 0 {
		p.name, _ = jsontext.AppendUnquote(p.name[:0], p.c.b[lo-1:hi+1])
		name = p.name
	}
	return name
}

// push adds a name to the path of the current value; pop takes it away.
func (p *Parser) push(name []byte) (old int) {
	old = len(p.path)
	if old > 0 {
		p.path = append(p.path, pathSep...)
	}
	p.path = append(p.path, name...)
	return old
}

func (p *Parser) pop(old int) { p.path = p.path[:old] }

// id reads the record's id, a string or a number.
func (p *Parser) id() {
	kind := p.c.kind()
	lo, hi := p.c.skip()
	p.tell(p.c.b[lo:hi], p.rest)
	switch v := p.c.b[lo:hi]; kind {
	case '"':
		id, _ := jsontext.AppendUnquote(nil, v)
		p.rec.ID = string(id)
	case '{', '[', 't', 'f', 'n':
	default:
		p.rec.ID = string(v)
	}
}

// hearing collects the roles of one message. A role may come behind the text, and may
// come twice; then one that is read is enough.
type hearing struct {
	any, wanted bool
	name        [maxRoleLen + 1]byte // of the first role, in small letters, cut off if it is longer
	len         int
}

// object reads an object whose members some format names: a row, a message, or a part
// of one. The texts of a message of a role that is not read are left out.
func (p *Parser) object() {
	segments, text, said := len(p.rec.Segments), len(p.rec.text), len(p.said)
	var h hearing
	p.level++
	p.c.open()
	for p.c.more() {
		p.member(p.memberName(), &h)
	}
	p.level--
	if !h.any {
		return
	}
	role := h.name[:h.len]
	if h.wanted {
		if p.Account != nil {
			p.Account.heard(role, 1, 0)
		}
		return
	}
	p.rec.Segments, p.rec.text = p.rec.Segments[:segments], p.rec.text[:text]
	for i := range p.said[said:] {
		p.said[said+i].state = stateLeft
	}
	switch string(role) {
	case "system":
		p.rec.Skipped.System++
	case "developer":
		p.rec.Skipped.Developer++
	default:
		p.rec.Skipped.Other++
	}
	if p.Account != nil {
		p.Account.heard(role, 0, 1)
	}
}

// member reads the value of a member of such an object.
func (p *Parser) member(name []byte, h *hearing) {
	if p.level == 1 && p.rec.ID == "" && isID(name) {
		p.id()
		return
	}
	use := p.use(name)
	old, part, rest, every, one := p.push(name), p.inPart, p.rest, p.every, p.one
	switch use {
	case useUnknown:
		p.tell(name, p.rest)
		p.strange()
	case useRole:
		p.role(h, name)
	case useTools:
		p.rest, p.every = stateLeft, false
		p.strange()
	case useSystem:
		if p.wanted("system") {
			p.value(useTurns)
			break
		}
		p.rest, p.every = stateLeft, false
		p.strange()
	default:
		p.seen = true
		p.inPart = part || use == useParts
		p.one = p.inPart || mayBeLines(name)
		p.value(use)
	}
	p.pop(old)
	p.inPart, p.rest, p.every, p.one = part, rest, every, one
}

// use says how a member of the current object is read.
func (p *Parser) use(name []byte) use {
	switch {
	case p.level == 1 && p.top != nil:
		return p.top[string(name)]
	case p.inPart:
		return lookup(p.uses.part, name)
	default:
		return lookup(p.uses.row, name)
	}
}

// value reads a value that some format names: a text, an object, or a list of these.
func (p *Parser) value(use use) {
	switch p.c.kind() {
	case '"':
		lo, hi := p.c.str()
		if use != useTurns || !p.messages(lo, hi) {
			p.text(lo, hi)
		}
	case '[':
		if use == useCall {
			p.json()
			return
		}
		p.list(use == useTurns, func() { p.value(use) })
	case '{':
		switch known := use != useCall && p.level < maxLevel && p.has(p.isKnown); {
		case known:
			p.object()
		case p.inPart && use != useCall:
			p.strange()
		default:
			p.json()
		}
	case 't', 'f', 'n':
		p.c.word()
	default:
		p.json()
	}
}

// has reports whether the object that comes next has a member of which f is true. It
// does not move the cursor.
func (p *Parser) has(f func(name []byte) bool) bool {
	c := p.c
	defer func() { p.c = c }()
	p.c.open()
	for p.c.more() {
		if f(p.memberName()) {
			return true
		}
		p.c.skip()
	}
	return false
}

// isKnown reports whether some format names a member.
func (p *Parser) isKnown(name []byte) bool {
	if p.inPart {
		return lookup(p.uses.part, name) != useUnknown
	}
	return lookup(p.uses.row, name) != useUnknown
}

// isMessage reports whether the object that comes next has a role and something that is
// said. It does not move the cursor.
func (p *Parser) isMessage() bool {
	role, said := false, false
	return p.has(func(name []byte) bool {
		switch lookup(p.uses.part, name) {
		case useRole:
			role = true
		case useParts:
			said = true
		}
		return role && said
	})
}

// isTurns reports whether a member contains the turns of a conversation.
func (p *Parser) isTurns(name []byte) bool { return lookup(p.uses.row, name) == useTurns }

// strange reads a value that no format names. Messages in it are read, wherever they
// are; any other text is not, unless it is below a field that was named.
func (p *Parser) strange() {
	switch p.c.kind() {
	case '"':
		lo, hi := p.c.str()
		raw := p.c.b[lo:hi]
		switch {
		case !p.every:
			p.tell(raw, p.rest)
		case p.format == Members || p.one || wordy(raw, p.window):
			p.text(lo, hi)
		}
	case '[':
		if p.level >= maxLevel {
			p.deep()
			return
		}
		one, size := p.one, p.shortTexts()
		if p.one = p.every && size > 0; size > 0 && !p.every && p.Account != nil {
			p.say(size, p.rest)
		}
		p.level++
		p.list(false, p.strange)
		p.level--
		p.one = one
	case '{':
		switch {
		case p.level >= maxLevel:
			p.deep()
			return
		case (p.every || p.rest == stateUnread) && p.isMessage(), p.format == Members && !p.inPart && p.has(p.isKnown):
			p.seen = true
			p.object()
			return
		}
		p.level++
		p.c.open()
		for p.c.more() {
			name := p.memberName()
			old := p.push(name)
			p.tell(name, p.rest)
			p.strange()
			p.pop(old)
		}
		p.level--
	default:
		p.c.word()
	}
}

// deep reads an array or object that is not looked into.
func (p *Parser) deep() {
	if p.every {
		p.json()
		return
	}
	lo, hi := p.c.skip()
	p.tell(p.c.b[lo:hi], p.rest)
}

// field reads the member called name if one of the paths leads to it or through it.
func (p *Parser) field(name []byte, paths []fieldPath) {
	old := p.push(name)
	defer p.pop(old)
	var deeper []fieldPath
	for _, path := range paths {
		if path.rest == string(name) {
			p.seen = true
			if p.Account != nil && !p.Account.found[path.field] {
				p.Account.found[path.field] = true
			}
			use := lookup(p.uses.row, name)
			p.one = use == useUnknown || use == useParts || mayBeLines(name)
			p.named(use)
			p.one = false
			return
		}
		if rest, ok := below(path.rest, name); ok {
			deeper = append(deeper, fieldPath{path.field, rest})
		}
	}
	if len(deeper) == 0 {
		p.strange()
		return
	}
	p.descend(deeper)
}

// below returns the rest of a path that leads through the member called name.
func below(path string, name []byte) (rest string, ok bool) {
	if len(path) <= len(name) || path[len(name)] != '.' || path[:len(name)] != string(name) {
		return "", false
	}
	return path[len(name)+1:], true
}

// descend follows the paths into the next value, and into every element if it is an
// array. Null and an array may be empty: then the record has no text there, which is no
// error.
func (p *Parser) descend(paths []fieldPath) {
	switch p.c.kind() {
	case '{':
		p.c.open()
		for p.c.more() {
			p.field(p.memberName(), paths)
		}
		return
	case '[':
		p.seen = true
		p.c.open()
		for p.c.more() {
			p.descend(paths)
		}
		return
	case 'n':
		p.seen = true
	}
	p.strange()
}

// named reads the value of a named field: a string or a number is a segment, messages
// are read as messages, any other object is one segment, its JSON text, and of an array
// each element is read like this.
func (p *Parser) named(use use) {
	switch p.c.kind() {
	case '[':
		p.list(use == useTurns, func() { p.named(use) })
	case '{':
		if !p.isMessage() && !p.has(p.isTurns) {
			p.json()
			return
		}
		level := p.level
		p.level, p.every = 1, true
		p.object()
		p.level, p.every = level, false
	default:
		p.value(use)
	}
}

// role reads the role in the member called name: a string, or an object with a role.
func (p *Parser) role(h *hearing, name []byte) {
	told := string(name) == "role" // other members may contain the names of people
	switch p.c.kind() {
	case '"':
		lo := p.c.at + 1
		p.hear(h, told, p.memberName())
		p.tell(p.c.b[lo:p.c.at-1], p.rest)
	case '{':
		p.c.open()
		for p.c.more() {
			if name := p.memberName(); string(name) == "role" && p.c.kind() == '"' {
				p.hear(h, true, p.memberName())
			} else {
				p.tell(name, p.rest)
				p.strange()
			}
		}
	default:
		p.strange()
	}
}

// hear takes a role into account. Unless told is true, the account keeps an unusual role
// without its name.
func (p *Parser) hear(h *hearing, told bool, role []byte) {
	var name [maxRoleLen + 1]byte
	n := copy(name[:], role)
	toSmall(name[:n])
	if usual := p.aliases[string(name[:n])]; usual != "" {
		n = copy(name[:], usual)
	}
	usual := speaker(string(name[:n])) != ""
	h.wanted = h.wanted || p.wanted(string(name[:n])) || !usual && p.wanted("assistant") // an unknown speaker is the model
	if !h.any {
		if !usual && !told {
			n = copy(name[:], coverage.AnyName)
		}
		h.any, h.name, h.len = true, name, n
	}
}

// wanted reports whether messages of a role, in small letters, are read.
func (p *Parser) wanted(role string) bool {
	wanted := false
	for _, r := range p.roles {
		switch {
		case r == AnyRole || same(r, role):
			wanted = true
		case len(r) > 1 && r[0] == '-' && same(r[1:], role):
			return false
		}
	}
	return wanted
}

// messages reads the JSON of messages in a string, and reports whether there is one.
func (p *Parser) messages(lo, hi int) bool {
	raw := bytes.TrimLeft(p.c.b[lo:hi], " ")
	if p.nested || len(raw) < 2 || raw[0] != '[' && raw[0] != '{' {
		return false
	}
	p.inner, _ = jsontext.AppendUnquote(p.inner[:0], p.c.b[lo-1:hi+1])
	if p.check(p.inner) != nil {
		return false
	}
	outer := p.c
	defer func() { p.c, p.nested = outer, false }()
	p.c = cursor{b: p.inner}
	if p.c.kind() == '[' {
		p.c.open()
	}
	if p.c.kind() != '{' || !p.isMessage() && !p.has(p.isTurns) {
		return false
	}
	p.c.at = 0
	p.nested, p.outer = true, [2]int64{int64(lo), int64(hi)}
	p.value(useTurns)
	return true
}

// text reads a string as a segment, given the range within its quotes. An empty string
// gives none.
func (p *Parser) text(lo, hi int) {
	if lo == hi {
		return
	}
	at := len(p.rec.text)
	// AppendUnquote writes broken UTF-8 as U+FFFD and reports it, which is fine here.
	p.rec.text, _ = jsontext.AppendUnquote(p.rec.text, p.c.b[lo-1:hi+1])
	p.segment(at, lo, hi)
}

// json reads a value as a segment, its JSON text.
func (p *Parser) json() {
	lo, hi := p.c.skip()
	at := len(p.rec.text)
	p.rec.text = append(p.rec.text, p.c.b[lo:hi]...)
	p.segment(at, lo, hi)
}

// segment adds the text from at on as a segment, given its range in the line.
func (p *Parser) segment(at, lo, hi int) {
	s := Segment{lo: at, hi: len(p.rec.text), RawLo: int64(lo), RawHi: int64(hi)}
	if p.nested {
		s.RawLo, s.RawHi, s.inner = p.outer[0], p.outer[1], true
	}
	p.rec.Segments = append(p.rec.Segments, s)
	p.tell(p.c.b[lo:hi], stateRead)
}

// tell adds a text to those of the account.
func (p *Parser) tell(raw []byte, s state) {
	if p.Account != nil && wordy(raw, p.window) {
		p.say(len(raw), s)
	}
}

// say adds a text of some bytes to those of the account.
func (p *Parser) say(bytes int, s state) {
	lo := len(p.says)
	p.says = append(p.says, p.path...)
	p.said = append(p.said, said{lo: lo, hi: len(p.says), bytes: bytes, state: s})
}
