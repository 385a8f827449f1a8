package relay

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// mistralCases are the shapes of chat that only Mistral has: answers in parts, thoughts,
// and the completion of the middle of a text.
func mistralCases() []apiCase {
	part := map[string]string{
		"text parts":     `{"type":"text","text":%s}`,
		"thinking parts": `{"type":"thinking","thinking":[{"type":"text","text":%s},{"type":"reference","reference_ids":[1]}]}`,
	}
	var cases []apiCase
	for _, shape := range []string{"text parts", "thinking parts"} {
		for _, way := range []string{"message", "delta"} {
			cases = append(cases, mistralParts(shape, part[shape], way))
		}
	}
	cases = append(cases, mistralFIM("message"), mistralFIM("delta"))
	for _, shape := range []string{"text", "text parts", "thinking", "function arguments"} {
		cases = append(cases, mistralConversation(shape), mistralConversationStream(shape))
	}
	return cases
}

// mistralParts is a chat whose content is a list of parts.
func mistralParts(shape, part, way string) apiCase {
	c := apiCase{api: "openai.chat", shape: shape + " (Mistral)", path: "/v1/chat/completions", contentType: "application/json", ask: `{"model":"magistral","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`}
	content := func(text string) string {
		return `"role":"assistant","content":[` + fmt.Sprintf(part, mustJSON(text)) + `]`
	}
	if way == "message" {
		c.body = func(pieces []string) []byte {
			return fmt.Appendf(nil, `{"id":"m","object":"chat.completion","created":7,"model":"magistral","choices":[{"index":0,"message":{%s,"tool_calls":null},"finish_reason":"stop"}]}`, content(strings.Join(pieces, "")))
		}
		c.text = func(t *testing.T, body []byte) string { return mistralText(t, body, way) }
		return c
	}
	c.ask, c.contentType = strings.Replace(c.ask, "{", `{"stream":true,`, 1), "text/event-stream"
	c.body = func(pieces []string) []byte {
		var payloads []string
		for _, p := range pieces {
			payloads = append(payloads, strings.TrimSuffix(delta(0, content(p)), "}")+`,"p":"abcdefgh"}`)
		}
		return []byte(stream(append(payloads, ends(0, "stop"), "[DONE]")...))
	}
	c.text = func(t *testing.T, body []byte) string {
		events := strings.Split(strings.TrimSuffix(string(body), "\n\n"), "\n\n")
		if events[len(events)-1] != "data: [DONE]" {
			t.Fatalf("ends in %q", events[len(events)-1])
		}
		said := ""
		for _, e := range events[:len(events)-1] {
			said += mistralText(t, []byte(strings.TrimPrefix(e, "data: ")), way)
		}
		return said
	}
	return c
}

// mistralText reads the parts of one message.
func mistralText(t *testing.T, body []byte, way string) string {
	t.Helper()
	type content struct {
		Content []struct {
			Type, Text string
			Thinking   []struct{ Text string }
		}
	}
	var a struct {
		Choices []map[string]json.RawMessage
	}
	var m content
	if err := json.Unmarshal(body, &a); err != nil || len(a.Choices) != 1 {
		t.Fatalf("%v in %s", err, body)
	}
	if err := json.Unmarshal(a.Choices[0][way], &m); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	said := ""
	for _, p := range m.Content {
		said += p.Text
		for _, thought := range p.Thinking {
			said += thought.Text
		}
	}
	return said
}

// mistralFIM is a completion of the middle.
func mistralFIM(way string) apiCase {
	const ask = `{"model":"codestral","prompt":"def f(","suffix":"return"`
	c := apiCase{api: "mistral.fim", shape: "content", path: "/v1/fim/completions", ask: ask + "}", contentType: "application/json"}
	if way == "message" {
		c.body = func(pieces []string) []byte {
			return fmt.Appendf(nil, `{"id":"m","object":"chat.completion","model":"codestral","choices":[{"index":0,"message":{"role":"assistant","content":%s},"finish_reason":"stop"}]}`, mustJSON(strings.Join(pieces, "")))
		}
		c.text = func(t *testing.T, body []byte) string { return chatAnswer(t, body, "content") }
		return c
	}
	c.ask, c.contentType = ask+`,"stream":true}`, "text/event-stream"
	c.body = func(pieces []string) []byte {
		var payloads []string
		for _, p := range pieces {
			payloads = append(payloads, delta(0, fmt.Sprintf(`"content":%s`, mustJSON(p))))
		}
		return []byte(stream(append(payloads, ends(0, "stop"), "[DONE]")...))
	}
	c.text = func(t *testing.T, body []byte) string { return chatStream(t, body, "content") }
	c.filtered = func(t *testing.T, body []byte) {
		if !strings.HasSuffix(string(body), "data: "+filtered(0)+"\n\ndata: [DONE]\n\n") {
			t.Errorf("ends in %q", body[max(0, len(body)-300):])
		}
	}
	return c
}

// mistralOutput writes the members of an output that carries a text, in one
// piece or as a piece.
func mistralOutput(shape, text string) string {
	switch shape {
	case "text parts":
		return fmt.Sprintf(`"type":"message.output","content":{"type":"text","text":%s}`, mustJSON(text))
	case "thinking":
		return fmt.Sprintf(`"type":"message.output","content":{"type":"thinking","thinking":[{"type":"text","text":%s}]}`, mustJSON(text))
	case "function arguments":
		return fmt.Sprintf(`"type":"function.call","name":"f","tool_call_id":"t","arguments":%s`, mustJSON(text))
	}
	return fmt.Sprintf(`"type":"message.output","content":%s`, mustJSON(text))
}

// mistralSaid reads the text of an output, or of one piece of it.
func mistralSaid(t *testing.T, output []byte) string {
	t.Helper()
	var o struct {
		Content   json.RawMessage
		Arguments string
	}
	if err := json.Unmarshal(output, &o); err != nil {
		t.Fatalf("%v in %s", err, output)
	}
	type chunk struct {
		Text     string
		Thinking []struct{ Text string }
	}
	var text string
	var one chunk
	var list []chunk
	switch {
	case len(o.Content) == 0:
		return o.Arguments
	case json.Unmarshal(o.Content, &text) == nil:
		return text
	case json.Unmarshal(o.Content, &list) == nil && len(list) == 1:
		one = list[0]
	case json.Unmarshal(o.Content, &one) != nil:
		t.Fatalf("content is %s", o.Content)
	}
	for _, thought := range one.Thinking {
		one.Text += thought.Text
	}
	return one.Text
}

const (
	mistralBefore = `{"n": 1, "to": "`
	mistralAfter  = `"}`
)

// mistralConversation is an answer in one piece with two outputs.
func mistralConversation(shape string) apiCase {
	c := apiCase{api: "mistral.conversations", shape: shape, path: "/v1/conversations", ask: `{"agent_id":"a","inputs":"hi"}`, contentType: "application/json"}
	c.body = func(pieces []string) []byte {
		text := strings.Join(pieces, "")
		if shape == "function arguments" {
			text = mistralBefore + text + mistralAfter
		}
		output := mistralOutput(shape, text)
		if strings.Contains(output, `"content":{`) {
			output = strings.Replace(output, `"content":{`, `"content":[{`, 1) + "]"
		}
		return fmt.Appendf(nil, `{"object":"conversation.response","conversation_id":"c","outputs":[{"type":"message.output","content":"first"},{%s}],"usage":{"total_tokens":3}}`, output)
	}
	c.text = func(t *testing.T, body []byte) string {
		var a struct{ Outputs []json.RawMessage }
		if err := json.Unmarshal(body, &a); err != nil || len(a.Outputs) != 2 || mistralSaid(t, a.Outputs[0]) != "first" {
			t.Fatalf("%v in %s", err, body)
		}
		said := mistralSaid(t, a.Outputs[1])
		return strings.TrimSuffix(strings.TrimPrefix(said, mistralBefore), mistralAfter)
	}
	return c
}

// mistralConversationStream is the same as events.
func mistralConversationStream(shape string) apiCase {
	c := apiCase{api: "mistral.conversations", shape: shape, path: "/v1/conversations/c", ask: `{"inputs":[{"role":"user","content":"hi"}],"stream":true}`, contentType: "text/event-stream"}
	event := func(kind, members string) string {
		return fmt.Sprintf("event: %s\ndata: {\"type\":\"%s\"%s}\n\n", kind, kind, members)
	}
	c.body = func(pieces []string) []byte {
		if shape == "function arguments" {
			pieces = append(append([]string{mistralBefore}, pieces...), mistralAfter)
		}
		s := event("conversation.response.started", `,"conversation_id":"c"`) + event("message.output.delta", `,"output_index":0,"content":"first"`)
		for _, p := range pieces {
			kind, output, _ := strings.Cut(strings.TrimPrefix(mistralOutput(shape, p), `"type":"`), `"`)
			s += event(kind+".delta", `,"output_index":1,"id":"o"`+output)
		}
		return []byte(s + event("conversation.response.done", `,"usage":{"total_tokens":3}`))
	}
	c.text = func(t *testing.T, body []byte) string {
		said := map[int]string{}
		last := ""
		for _, e := range strings.Split(strings.TrimSuffix(string(body), "\n\n"), "\n\n") {
			name, data, ok := strings.Cut(strings.TrimPrefix(e, "event: "), "\ndata: ")
			var m struct {
				Type  string
				Index int `json:"output_index"`
			}
			if err := json.Unmarshal([]byte(data), &m); err != nil || !ok || m.Type != name {
				t.Fatalf("%v in %q", err, e)
			}
			said[m.Index] += mistralSaid(t, []byte(data))
			last = name
		}
		if last != "conversation.response.done" && last != "conversation.response.error" || said[0] != "first" {
			t.Errorf("ends with %s, the other output says %q", last, said[0])
		}
		return strings.TrimSuffix(strings.TrimPrefix(said[1], mistralBefore), mistralAfter)
	}
	return c
}
