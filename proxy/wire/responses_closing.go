package wire

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Write implements [Ending].
func (e *responsesEnding) Write(w *Writer, _ []int32) {
	if e.state == endingOver {
		return
	}
	var output []byte
	for i := range e.items {
		it := &e.items[i]
		if !it.closed {
			e.close(w, it)
		}
		if len(output) > 0 {
			output = append(output, ',')
		}
		output = append(output, it.raw...)
	}
	response := append([]byte(`"response":{`), e.response...)
	if len(e.response) == 0 {
		response = append(response, `"object":"response","error":null`...)
	}
	response = append(response, `,"status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[`...)
	e.write(w, "response.incomplete", append(append(response, output...), "]}"...))
	e.state = endingOver
}

// write writes one event that has the given members.
func (e *responsesEnding) write(w *Writer, kind string, members []byte) {
	payload := append([]byte(`{"type":"`), kind...)
	payload = strconv.AppendInt(append(payload, `","sequence_number":`...), e.next, 10)
	e.next++
	w.Message(kind, append(append(append(payload, ','), members...), '}'))
}

// close writes what ends an item and makes its raw form what was said of it.
func (e *responsesEnding) close(w *Writer, it *responsesHeld) {
	for i := range it.parts {
		p := &it.parts[i]
		if p.end == partOpen {
			members := append(append(it.place(p), ',', '"'), p.text.member...)
			members = p.append(append(members, `":`...))
			if p.text.part == "output_text" {
				members = append(members, `,"logprobs":[]`...)
			}
			e.write(w, p.text.event+".done", members)
		}
		if p.end == partClosed || p.text.list == "" {
			continue
		}
		kind := "response.content_part.done"
		switch {
		case p.text.list == "summary":
			kind = "response.reasoning_summary_part.done"
		case p.vllm:
			kind = "response.reasoning_part.done"
		}
		e.write(w, kind, p.object(append(it.place(p), `,"part":`...)))
	}
	it.raw = e.incomplete(it)
	members := strconv.AppendInt([]byte(`"output_index":`), it.number, 10)
	e.write(w, "response.output_item.done", append(append(members, `,"item":`...), it.raw...))
}

// place appends the members that say where a part stands.
func (it *responsesHeld) place(p *responsesPart) []byte {
	dst := []byte(`"item_id":`)
	if len(it.id) > 0 {
		dst = append(dst, it.id...)
	} else {
		dst = append(dst, `""`...)
	}
	dst = strconv.AppendInt(append(dst, `,"output_index":`...), it.number, 10)
	if p.text.number != "" {
		dst = append(append(append(dst, `,"`...), p.text.number...), `":`...)
		dst = strconv.AppendInt(dst, p.number, 10)
	}
	return dst
}

// append appends what a part said as a JSON string.
func (p *responsesPart) append(dst []byte) []byte {
	return append(append(append(dst, '"'), p.said...), '"')
}

// object appends a part.
func (p *responsesPart) object(dst []byte) []byte {
	dst = append(append(append(dst, `{"type":"`...), p.text.part...), `","`...)
	dst = p.append(append(append(dst, p.text.member...), `":`...))
	if p.text.part == "output_text" {
		dst = append(dst, `,"annotations":[],"logprobs":[]`...)
	}
	return append(dst, '}')
}

// incomplete returns an item as it has left.
func (e *responsesEnding) incomplete(it *responsesHeld) []byte {
	dst := []byte{'{'}
	_ = eachMember(it.raw, func(name string, v jsontext.Value) error { // it was located
		switch name {
		case "status":
			return nil
		case "content", "summary", "arguments", "input", "code":
			if e.state == endingWhole && it.says(name) {
				return nil
			}
			if e.state == endingOutline {
				v = jsontext.Value(map[jsontext.Kind]string{'[': "[]", '"': `""`}[v.Kind()])
			}
		}
		if len(v) > 0 {
			dst = append(appendName(dst, name), v...)
		}
		return nil
	})
	if len(it.id) > 0 && responsesMember(it.raw, "id") == nil {
		dst = append(appendName(dst, "id"), it.id...)
	}
	dst = append(appendName(dst, "status"), `"incomplete"`...)
	for _, list := range [...]string{"content", "summary"} {
		if it.says(list) {
			dst = append(appendName(dst, list), '[')
			for i := range it.parts {
				if p := &it.parts[i]; p.text.list == list {
					if dst[len(dst)-1] != '[' {
						dst = append(dst, ',')
					}
					dst = p.object(dst)
				}
			}
			dst = append(dst, ']')
		}
	}
	for i := range it.parts {
		if p := &it.parts[i]; p.text.list == "" {
			dst = p.append(appendName(dst, p.text.member))
		}
	}
	return append(dst, '}')
}

// says reports whether a member of an item is what its parts say.
func (it *responsesHeld) says(member string) bool {
	for i := range it.parts {
		if t := it.parts[i].text; t.list == member || t.list == "" && t.member == member {
			return true
		}
	}
	return false
}
