package api

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// request is a request that is being read.
type request struct {
	wire.Request
	dec *jsontext.Decoder // for one value after the other; nil: none was read
}

// readRequest makes a request of the members of its body, and calls f with each. The
// body has to be one JSON object in which no object has a name twice. Servers differ in
// which of the two they obey, and noecho might choose its policy by the other.
func readRequest(body []byte, f func(r *request, name string, v jsontext.Value) error) (wire.Request, error) {
	return (&request{Request: wire.Request{N: 1}}).read(body, f)
}

// read is [readRequest] for an API with defaults of its own, which r has already.
func (r *request) read(body []byte, f func(r *request, name string, v jsontext.Value) error) (wire.Request, error) {
	err := r.readMembers(body, f)
	if err != nil && !r.Ambiguous {
		r.Ambiguous = hasAmbiguous(body)
	}
	return r.Request, err
}

func (r *request) readMembers(body []byte, f func(r *request, name string, v jsontext.Value) error) error {
	v := jsontext.Value(body)
	if !v.IsValid(jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(true)) { // IsValid uses its decoders again
		var err error
		if v, err = newDecoder(body).ReadValue(); err != nil {
			return fmt.Errorf("%w: the body is no JSON, or has a name twice in one object", wire.ErrRequest)
		}
	}
	if nesting(v) > maxNesting {
		return fmt.Errorf("%w: the body is nested more than %d levels deep", wire.ErrRequest, maxNesting)
	}
	if v.Kind() != '{' || len(v) < len(body) {
		return fmt.Errorf("%w: the body is not one JSON object", wire.ErrRequest)
	}
	return validMembers(v, func(name string, v jsontext.Value) error {
		r.stops(name, v)
		r.Ambiguous = r.Ambiguous || isAmbiguous(name)
		return f(r, name, v)
	})
}

// stops notes the sequences that end an answer, and the grammars, which may end it anywhere.
// They are members of the request, or of an object or a list of objects in it.
func (r *request) stops(name string, v jsontext.Value) {
	switch name {
	case "stop", "stop_sequences", "stopSequences", "stop_strings", "stop_token_ids", "stop_regex", "end_sequences",
		"grammar", "guided_grammar", "guided_regex", "guided_choice", "structured_outputs", "regex", "ebnf":
		r.Stops = r.Stops || v.Kind() != 'n' && len(v) > len(`""`)
	case "options", "parameters", "completion_args", "generationConfig", "generation_config", "inferenceConfig", "textGenerationConfig":
		_ = validMembers(v, func(name string, v jsontext.Value) error { // v is valid
			r.stops(name, v)
			return nil
		})
	case "sampling_params":
		_ = validElements(v, func(v jsontext.Value) error {
			r.stops("options", v)
			return nil
		})
		r.stops("options", v)
	}
}

// maxNesting is how deep the values of a request may be nested. Some readers go through a
// value once for each level.
const maxNesting = 256

// nesting returns how deep the values of a valid value are nested.
func nesting(v jsontext.Value) int {
	depth, most, text := 0, 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"':
			text = !text
		case text && c == '\\':
			i++
		case text:
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

func newDecoder(b []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(b), jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(true))
}

// validDecoder returns a decoder for a part of a request that is valid.
func validDecoder(b []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(b), validOptions()...)
}

func validOptions() []jsontext.Options {
	return []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
}

// eachMember calls f with every member of an object. Any other value has no members.
func eachMember(object []byte, f func(name string, v jsontext.Value) error) error {
	return each(object, '{', f)
}

// eachElement calls f with every element of an array. Any other value has no elements.
func eachElement(array []byte, f func(v jsontext.Value) error) error {
	return each(array, '[', func(_ string, v jsontext.Value) error { return f(v) })
}

func each(container []byte, kind jsontext.Kind, f func(name string, v jsontext.Value) error) error {
	dec := newDecoder(container)
	if dec.PeekKind() != kind {
		return nil
	}
	if _, err := dec.ReadToken(); err != nil {
		return fmt.Errorf("%w: %w", wire.ErrRequest, err)
	}
	for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
		name := ""
		if kind == '{' {
			lit, err := dec.ReadValue()
			if err != nil {
				return fmt.Errorf("%w: the body is no JSON", wire.ErrRequest)
			}
			name = string(wire.AppendText(nil, lit))
		}
		v, err := dec.ReadValue()
		if err != nil {
			return fmt.Errorf("%w: the body is no JSON", wire.ErrRequest)
		}
		if err := f(name, v); err != nil {
			return err
		}
	}
	return nil
}

// memberOf returns a copy of a member of an object, or nothing.
func memberOf(object jsontext.Value, want string) jsontext.Value {
	var found jsontext.Value
	_ = eachMember(object, func(name string, v jsontext.Value) error {
		if name == want {
			found = slices.Clone(v)
		}
		return nil
	})
	return found
}

// stringOf returns the text of a string, and nothing for any other value.
func stringOf(v jsontext.Value) []byte {
	if v.Kind() != '"' {
		return nil
	}
	return wire.AppendText(nil, v)
}

// common reads the members that requests of all families share and those without text.
// It reports whether it has read the member.
func (r *request) common(name string, v jsontext.Value) bool {
	switch name {
	case "model":
		if v.Kind() == '"' {
			r.Model = string(wire.AppendText(nil, v))
		}
	case "stream":
		r.Stream = set(v)
	case "stream_options":
		r.visible(v)
		if v.Kind() == '{' {
			_ = validMembers(v, func(name string, v jsontext.Value) error { // v is valid
				r.Usage = r.Usage || name == "include_usage" && set(v)
				return nil
			})
		}
	case "return_token_ids", "return_tokens_as_token_ids":
		r.IDs = r.IDs || set(v)
	case "n":
		if n, err := strconv.Atoi(string(v)); err == nil && n > 0 {
			r.N = n
		}
	case "response_format":
		r.Schema = r.Schema || wantsJSON(v)
		r.visible(v)
	case "guided_json", "json_schema", "structured_outputs":
		r.Schema = r.Schema || v.Kind() != 'n'
		r.visible(v)
	case "user", "service_tier", "store", "prompt_cache_key", "safety_identifier":
	default:
		if !isCoded(name) {
			return false
		}
		r.Coded = r.Coded || holds(v)
	}
	return true
}

// isCoded reports whether a member has a prompt as token ids or embeddings.
func isCoded(name string) bool {
	switch name {
	case "prompt_token_ids", "token_ids", "input_ids",
		"prompt_embeds", "prompt_embeddings", "input_embeds", "inputs_embeds", "input_embeddings":
		return true
	}
	return false
}

// set reports whether a server that is not strict may read a value as true.
func set(v jsontext.Value) bool { return v.Kind() != 'f' && v.Kind() != 'n' }

// holds reports whether a value is neither null nor empty.
func holds(v jsontext.Value) bool {
	switch v.Kind() {
	case 'n', 'f':
		return false
	case '"', '[', '{':
		return len(bytes.Trim(v, "\"[]{} \t\r\n")) > 0
	}
	return true
}

// wantsJSON reports whether a response_format asks for JSON.
func wantsJSON(v jsontext.Value) bool {
	json := false
	_ = validMembers(v, func(name string, v jsontext.Value) error { // v is valid
		if name == "type" && v.Kind() == '"' {
			json = string(wire.AppendText(nil, v)) != "text"
		}
		return nil
	})
	return json
}

// visible adds the text of a value as one message. If the value is an array of objects,
// such as tools, each object is a message.
func (r *request) visible(v jsontext.Value) {
	if r.dec == nil {
		r.dec = new(jsontext.Decoder)
	}
	r.dec.Reset(bytes.NewBuffer(v), validOptions()...)
	r.readVisible(r.dec)
}

// readVisible is visible for the next value of a decoder. Like every reader of nested
// values it reads each byte once, however deep the value is.
func (r *request) readVisible(dec *jsontext.Decoder) {
	if dec.PeekKind() == '[' {
		inside(dec, func(string) { r.readVisible(dec) })
		return
	}
	if text := readTexts(dec, nil); len(text) > 0 {
		r.Messages = append(r.Messages, text)
	}
}

// inside calls f before each element of the array, or each value of the object, that comes
// next in a decoder: f reads it. An element has no name. A value that is broken ends there.
func inside(dec *jsontext.Decoder, f func(name string)) {
	if _, err := dec.ReadToken(); err != nil {
		return
	}
	kind, _ := dec.StackIndex(dec.StackDepth())
	for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
		name, before := "", dec.InputOffset()
		if kind == '{' {
			lit, err := dec.ReadValue()
			if err != nil {
				return
			}
			name = string(wire.AppendText(nil, lit))
		}
		if f(name); dec.InputOffset() == before {
			return
		}
	}
	_, _ = dec.ReadToken() // it is there
}

// appendTexts appends every string of a value, one a line. It leaves out members that
// name something, and images, sound and files.
func appendTexts(dst []byte, v jsontext.Value) []byte { return readTexts(validDecoder(v), dst) }

// readTexts is appendTexts for the next value of a decoder.
func readTexts(dec *jsontext.Decoder, dst []byte) []byte {
	switch dec.PeekKind() {
	case '"':
		return appendLine(dst, dec)
	case '[', '{':
		inside(dec, func(name string) {
			switch name {
			case "role", "type", "id", "tool_call_id", "image_url", "images", "input_audio", "file_data", "file_id":
				_ = dec.SkipValue() // inside sees an error
			case "arguments":
				if dec.PeekKind() == '{' { // matched as its JSON text
					v, _ := dec.ReadValue() // inside sees an error
					dst = append(append(dst, '\n'), v...)
					return
				}
				dst = readTexts(dec, dst)
			default:
				dst = readTexts(dec, dst)
			}
		})
	default:
		_ = dec.SkipValue() // inside sees an error
	}
	return dst
}

// appendLine appends the string that comes next in a decoder as a line of its own.
func appendLine(dst []byte, dec *jsontext.Decoder) []byte {
	lit, err := dec.ReadValue()
	if err != nil {
		return dst
	}
	if len(dst) > 0 {
		dst = append(dst, '\n')
	}
	return wire.AppendText(dst, lit)
}

// conversation reads the messages of one chat or of several.
func (r *request) conversation(v jsontext.Value) error {
	return validElements(v, func(v jsontext.Value) error {
		if v.Kind() == '[' {
			return r.conversation(v)
		}
		r.visible(v)
		r.Tail = nil
		return validMembers(v, func(name string, v jsontext.Value) error {
			if name == "content" {
				r.Tail = contentText(nil, v)
				r.codedParts(v)
			}
			return nil
		})
	})
}

// codedParts notes the parts of a message's content that are embeddings.
func (r *request) codedParts(v jsontext.Value) {
	_ = validElements(v, func(part jsontext.Value) error { // v is valid
		return validMembers(part, func(name string, v jsontext.Value) error {
			r.Coded = r.Coded || isCoded(name) && holds(v)
			return nil
		})
	})
}

// contentText appends the text of a message's content: a string, or the texts of its
// parts without anything between them.
func contentText(dst []byte, v jsontext.Value) []byte {
	if v.Kind() == '"' {
		return wire.AppendText(dst, bytes.TrimSpace(v))
	}
	_ = validElements(v, func(part jsontext.Value) error {
		if part.Kind() == '"' {
			dst = wire.AppendText(dst, part)
			return nil
		}
		return validMembers(part, func(name string, v jsontext.Value) error {
			if name == "text" && v.Kind() == '"' {
				dst = wire.AppendText(dst, v)
			}
			return nil
		})
	})
	return dst
}

// prompt reads a prompt: a string, several strings, token ids, or an object that names
// one of these.
func (r *request) prompt(v jsontext.Value) {
	switch v.Kind() {
	case '"':
		r.Tail = wire.AppendText(nil, v)
		r.Messages = append(r.Messages, r.Tail)
	case '[':
		_ = validElements(v, func(v jsontext.Value) error { // v is valid
			r.prompt(v)
			return nil
		})
	case '{':
		_ = validMembers(v, func(name string, v jsontext.Value) error { // v is valid
			switch {
			case isCoded(name):
				r.common(name, v)
			case !holdsMedia(name) && (v.Kind() == '"' || v.Kind() == '['):
				r.prompt(v)
			}
			return nil
		})
	case '0':
		r.Coded = true
	}
}

// items reads the input: a text, or items of any type, each of which becomes a message.
// The text of the last item is the tail.
func (r *request) items(v jsontext.Value) error {
	if v.Kind() == '"' {
		r.Tail = wire.AppendText(nil, v)
	}
	r.visible(v)
	return validElements(v, func(v jsontext.Value) error {
		r.Tail = nil
		return validMembers(v, func(name string, v jsontext.Value) error {
			switch name {
			case "content", "output":
				r.Tail = contentText(nil, v)
				r.codedParts(v)
			case "type":
				r.Stored = r.Stored || string(stringOf(v)) == "item_reference"
			}
			return nil
		})
	})
}

// members reads the members of one object after the other, without allocating once its
// storage has grown. The zero value is ready. Not safe for concurrent use.
//
//	for m.open(payload); m.next(); {
//		switch string(m.name) { … m.value … }
//	}
type members struct {
	name  []byte         // unescaped; both are valid until the next call
	value jsontext.Value // as written
	dec   *jsontext.Decoder
	in    bytes.Buffer
	opts  []jsontext.Options
}

// open begins to read an object. Any other value has no members.
func (m *members) open(object []byte) {
	if m.dec == nil {
		m.dec = new(jsontext.Decoder)
		m.opts = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	}
	m.in = *bytes.NewBuffer(object)
	m.dec.Reset(&m.in, m.opts...)
	if m.dec.PeekKind() != '{' {
		return
	}
	_, _ = m.dec.ReadToken() // never fails, since the kind is known
}

// next reads the next member and reports whether there is one. Behind a syntax error
// there is none.
func (m *members) next() bool {
	if m.dec.StackDepth() == 0 || m.dec.PeekKind() != '"' {
		return false
	}
	lit, err := m.dec.ReadValue()
	if err != nil {
		return false
	}
	m.name = wire.AppendText(m.name[:0], lit)
	m.value, err = m.dec.ReadValue()
	return err == nil
}
