package wire

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// What the ending of one stream keeps at most: the response object, member by
// member, and the items and texts that have left. Beyond the second limit only
// the outline of the items that are open is kept, and the closing events say
// no text: lists of parts are empty there, and the events that say a text or
// a part are left out.
const (
	maxResponse = 256 << 10
	maxEnding   = 1 << 20
	maxOutline  = 64      // items
	keepOutline = 4 << 10 // bytes of each
	itemCost    = 256     // of an item or part, its texts apart
)

// responsesEnding ends a stream as the API ends one that its own filter cut:
// what is open is closed, saying what really left, and the response is
// incomplete.
type responsesEnding struct {
	event    responsesEvent
	state    endingState
	next     int64 // number of the next event
	kept     int   // bytes of items and texts
	response []byte
	items    []responsesHeld
}

// endingState is what an ending knows of its stream.
type endingState uint8

const (
	endingWhole   endingState = iota // all that left
	endingOutline                    // it was too much
	endingOver                       // the stream has ended by itself
)

// responsesHeld is an item that has left, or has begun to.
type responsesHeld struct {
	number int64
	id     []byte // JSON
	raw    []byte // the item, as it began or as it ended
	closed bool
	parts  []responsesPart
}

// responsesPart is a text of an open item.
type responsesPart struct {
	text   *responsesText
	number int64
	said   []byte // inside of a JSON string
	end    partEnd
	vllm   bool // its events are vLLM's
}

// partEnd says which of the events that end a text have left.
type partEnd uint8

const (
	partOpen partEnd = iota
	partSaid
	partClosed
)

// responsesText is a kind of text that comes in pieces.
type responsesText struct {
	event  string // of the events, without .delta or .done
	member string // that says it whole
	part   string // type of its part, or of the item whose member it is
	list   string // of parts in the item; empty: it is a member of the item
	number string // of the part
}

var responsesTexts = []responsesText{
	{"response.output_text", "text", "output_text", "content", "content_index"},
	{"response.refusal", "refusal", "refusal", "content", "content_index"},
	{"response.reasoning_text", "text", "reasoning_text", "content", "content_index"},
	{"response.reasoning_summary_text", "text", "summary_text", "summary", "summary_index"},
	{"response.function_call_arguments", "arguments", "function_call", "", ""},
	{"response.mcp_call_arguments", "arguments", "mcp_call", "", ""},
	{"response.custom_tool_call_input", "input", "custom_tool_call", "", ""},
	{"response.code_interpreter_call_code", "code", "code_interpreter_call", "", ""},
}

// Sent implements [Ending].
func (e *responsesEnding) Sent(payload []byte) {
	v := &e.event
	if e.state == endingOver || !v.read(payload) {
		return
	}
	if n, ok := number(v.sequence); ok {
		e.next = n
	}
	e.next++
	switch kind := v.kind; {
	case len(kind) < len(`""`):
	case is(kind, "response.completed"), is(kind, "response.incomplete"), is(kind, "response.failed"),
		is(kind, "response.done"), is(kind, "response.cancelled"), is(kind, "error"):
		*e = responsesEnding{state: endingOver}
	case len(v.response) > 0:
		e.keepResponse(v.response)
	case is(kind, "response.output_item.added"):
		e.begin(v)
	case is(kind, "response.output_item.done"):
		e.done(v)
	case len(v.part) > 0:
		e.part(v)
	default:
		e.said(v)
	}
}

// is reports whether a JSON string, in quotes and without escapes, is s.
func is(literal []byte, s string) bool { return string(literal[1:len(literal)-1]) == s }

// keepResponse keeps the response object, but for the output.
func (e *responsesEnding) keepResponse(object []byte) {
	e.response = e.response[:0]
	_ = eachMember(object, func(name string, v jsontext.Value) error { // it was located
		switch name {
		case "status", "incomplete_details", "output", "output_text":
			return nil
		}
		if len(e.response)+len(name)+len(v) < maxResponse {
			e.response = append(appendName(e.response, name), v...)
		}
		return nil
	})
}

// appendName appends the name of the next member of an object.
func appendName(dst []byte, name string) []byte {
	if len(dst) > 0 && dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(AppendEscaped(append(dst, '"'), []byte(name)), `":`...)
}

// begin takes note of an item that begins.
func (e *responsesEnding) begin(v *responsesEvent) {
	n, ok := number(v.output)
	if !ok && len(e.items) > 0 {
		n = e.items[len(e.items)-1].number + 1
	}
	it := e.add(n, bytes.Clone(v.item))
	it.id = bytes.Clone(responsesMember(v.item, "id"))
}

// add adds an item.
func (e *responsesEnding) add(n int64, raw []byte) *responsesHeld {
	e.keep(len(raw) + itemCost)
	if e.state == endingOutline {
		if len(raw) > keepOutline {
			raw = []byte(`{}`)
		}
		if len(e.items) == maxOutline {
			e.items = slices.Delete(e.items, 0, 1)
		}
	}
	e.items = append(e.items, responsesHeld{number: n, raw: raw})
	return &e.items[len(e.items)-1]
}

// keep counts bytes that are about to be kept, and forgets all texts if they
// are too many.
func (e *responsesEnding) keep(n int) {
	if e.kept += n; e.kept <= maxEnding || e.state != endingWhole {
		return
	}
	e.state = endingOutline
	e.items = slices.DeleteFunc(e.items, func(it responsesHeld) bool { return it.closed })
	e.items = slices.Clone(e.items[max(0, len(e.items)-maxOutline):])
	for i := range e.items {
		it := &e.items[i]
		it.parts = nil
		if len(it.raw) > keepOutline {
			it.raw = []byte(`{}`)
		}
	}
}

// item returns the item that an event is about. Some servers number events of
// an item otherwise than its beginning, or not at all: then it is the last one.
func (e *responsesEnding) item(v *responsesEvent, kind string) *responsesHeld {
	n, ok := number(v.output)
	for i := len(e.items) - 1; i >= 0; i-- {
		if it := &e.items[i]; !it.closed && (!ok || it.number == n) {
			return it
		}
	}
	if i := len(e.items) - 1; i >= 0 && !e.items[i].closed && len(e.items[i].parts) == 0 && e.state == endingWhole {
		e.items[i].number = n
		return &e.items[i]
	}
	raw := `{"type":"` + kind + `"}`
	switch kind {
	case "output_text", "refusal":
		raw = `{"type":"message","role":"assistant","content":[]}`
	case "reasoning_text", "summary_text":
		raw = `{"type":"reasoning","summary":[]}`
	}
	return e.add(n, []byte(raw))
}

// done takes note of an item that ended.
func (e *responsesEnding) done(v *responsesEvent) {
	it := e.item(v, "message")
	if n := it.number; e.state == endingOutline {
		e.items = slices.DeleteFunc(e.items, func(it responsesHeld) bool { return it.number == n })
		return
	}
	it.closed, it.parts = true, nil
	it.raw = append(it.raw[:0], v.item...)
	e.keep(len(v.item))
}

// part takes note of an event that begins or ends a part.
func (e *responsesEnding) part(v *responsesEvent) {
	kind := responsesMember(v.part, "type")
	if len(kind) < len(`""`) {
		return
	}
	for i := range responsesTexts {
		t := &responsesTexts[i]
		if t.list == "" || !is(kind, t.part) {
			continue
		}
		it := e.item(v, t.part)
		it.remember(v)
		p := it.find(t)
		if bytes.HasSuffix(v.kind, []byte(`.done"`)) {
			if p != nil {
				p.end = partClosed
			}
			return
		}
		if e.keep(itemCost); e.state == endingOutline {
			return
		}
		n, _ := number(v.place(t))
		it.parts = append(it.parts, responsesPart{text: t, number: n, vllm: is(v.kind, "response.reasoning_part.added")})
		e.append(&it.parts[len(it.parts)-1], responsesMember(v.part, t.member))
		return
	}
}

// said takes note of a piece of a text, or of all of it once more.
func (e *responsesEnding) said(v *responsesEvent) {
	kind := v.kind[1 : len(v.kind)-1]
	name, delta := bytes.CutSuffix(kind, []byte(".delta"))
	name, done := bytes.CutSuffix(name, []byte(".done"))
	if !delta && !done {
		return
	}
	for i := range responsesTexts {
		t := &responsesTexts[i]
		if string(name) != t.event {
			continue
		}
		it := e.item(v, t.part)
		it.remember(v)
		if e.state == endingOutline {
			return
		}
		p := it.open(t, v)
		if delta {
			e.append(p, v.delta)
			return
		}
		p.said = p.said[:0]
		p.end = partSaid
		e.append(p, v.text)
		return
	}
}

// append adds a JSON string to what a part said.
func (e *responsesEnding) append(p *responsesPart, literal []byte) {
	if len(literal) <= len(`""`) || literal[0] != '"' {
		return
	}
	inside := literal[1 : len(literal)-1]
	p.said = append(p.said, inside...)
	e.keep(len(inside))
}

// remember takes note of the id that events call an item by.
func (it *responsesHeld) remember(v *responsesEvent) {
	if len(v.id) > 0 && !bytes.Equal(it.id, v.id) {
		it.id = bytes.Clone(v.id)
	}
}

// find returns the last part of a kind that is not closed, or nil.
func (it *responsesHeld) find(t *responsesText) *responsesPart {
	for i := len(it.parts) - 1; i >= 0; i-- {
		if p := &it.parts[i]; p.text == t && p.end != partClosed {
			return p
		}
	}
	return nil
}

// open returns the part that an event adds to. A part that has said nothing
// may have been announced as one of another kind.
func (it *responsesHeld) open(t *responsesText, v *responsesEvent) *responsesPart {
	n, numbered := number(v.place(t))
	for i := range it.parts {
		if p := &it.parts[i]; numbered && p.text == t && p.number == n && p.end != partClosed {
			return p
		}
	}
	if p := it.find(t); p != nil {
		return p
	}
	if i := len(it.parts) - 1; i >= 0 && it.parts[i].end == partOpen && len(it.parts[i].said) == 0 && t.list != "" {
		it.parts[i].text = t
		return &it.parts[i]
	}
	it.parts = append(it.parts, responsesPart{text: t, number: n})
	return &it.parts[len(it.parts)-1]
}

var _ Ending = (*responsesEnding)(nil)
