package wire

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Request implements [Family]. The tail is the text of the last message: if it
// is the assistant's, the answer goes on with it in the middle of a word.
// Vertex names the model and asks for a stream in the path.
func (Anthropic) Request(path string, body []byte) (Request, error) {
	r := Request{N: 1}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "messages":
			return r.turns(v)
		case name == "system":
			if text := appendBlocks(nil, v); len(text) > 0 {
				r.Messages = append(r.Messages, text)
			}
		case name == "output_config":
			format := memberOf(v, "format")
			r.Schema = r.Schema || wantsJSON(format)
			r.visible(v)
		case name == "output_format":
			r.Schema = r.Schema || wantsJSON(v)
			r.visible(v)
		case name == "metadata", name == "container":
		default:
			r.visible(v)
		}
		return nil
	})
	if model, verb := modelInPath(path); verb != "" {
		r.Stream = r.Stream || verb == "streamRawPredict"
		if r.Model == "" {
			r.Model = model
		}
	}
	return r, err
}

// turns reads the messages of a conversation.
func (r *Request) turns(v jsontext.Value) error {
	return eachElement(v, func(v jsontext.Value) error {
		content := memberOf(v, "content")
		if text := appendBlocks(nil, content); len(text) > 0 {
			r.Messages = append(r.Messages, text)
		}
		r.Tail = appendTail(nil, content)
		return nil
	})
}

// appendTail appends the texts of a message one behind the other, as the model
// reads them: text blocks, and those in the results of tools.
func appendTail(dst []byte, content jsontext.Value) []byte {
	if content.Kind() == '"' {
		return AppendText(dst, bytes.TrimSpace(content))
	}
	_ = eachElement(content, func(block jsontext.Value) error { // content is valid
		return eachMember(block, func(name string, v jsontext.Value) error {
			switch {
			case name == "text" && v.Kind() == '"':
				dst = AppendText(dst, v)
			case name == "content":
				dst = appendTail(dst, v)
			}
			return nil
		})
	})
	return dst
}

// appendBlocks appends the texts of content, one a line: of blocks of every
// kind, with the inputs of tools as their JSON text, and without what names
// something or is ciphered. The data of a source is text if it says so.
func appendBlocks(dst []byte, v jsontext.Value) []byte {
	switch v.Kind() {
	case '"':
		if len(dst) > 0 {
			dst = append(dst, '\n')
		}
		return AppendText(dst, bytes.TrimSpace(v))
	case '[':
		_ = eachElement(v, func(v jsontext.Value) error { // v is valid
			dst = appendBlocks(dst, v)
			return nil
		})
	case '{':
		kind := plainString(memberOf(v, "type"))
		_ = eachMember(v, func(name string, v jsontext.Value) error { // v is valid
			switch name {
			case "type", "role", "id", "tool_use_id", "signature", "cache_control", "file_id", "media_type",
				"encrypted_content", "encrypted_index", "encrypted_stdout":
			case "data":
				if kind == "text" {
					dst = appendBlocks(dst, v)
				}
			case "input":
				if v.Kind() != '"' { // matched as its JSON text
					dst = append(append(dst, '\n'), bytes.TrimSpace(v)...)
					return nil
				}
				dst = appendBlocks(dst, v)
			default:
				dst = appendBlocks(dst, v)
			}
			return nil
		})
	}
	return dst
}
