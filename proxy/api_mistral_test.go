package proxy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// mistralCases are what Mistral makes of chat: answers in parts, thoughts, and
// the completion of the middle of a text.
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
	return append(cases, mistralFIM("message"), mistralFIM("delta"))
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
