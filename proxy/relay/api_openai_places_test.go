package relay

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// openAIPlace is a place of a choice that carries the answer's text. TEXT in the
// members stands for a piece of it as a JSON string, BYTES for its bytes.
type openAIPlace struct {
	api, shape string
	ask        string // members of the request, each behind a comma
	members    string // of the choice, but for its index
	at         []any  // of the text within the choice
	index      int    // of the choice that says it
	nested     bool   // the text is a member of a JSON text
}

// openAIPlaces are the places of text in a choice of the two APIs.
func openAIPlaces() []openAIPlace {
	chat := func(shape, members string, at ...any) openAIPlace {
		return openAIPlace{api: "openai.chat", shape: shape, members: `"MESSAGE":{` + members + `}`, at: append([]any{"MESSAGE"}, at...)}
	}
	completion := func(shape, members string) openAIPlace {
		return openAIPlace{api: "openai.completions", shape: shape, members: members, at: []any{"text"}}
	}
	tool := chat("tool arguments", `"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"send","arguments":TEXT}}]`, "tool_calls", 0, "function", "arguments")
	old := chat("function arguments", `"function_call":{"name":"send","arguments":TEXT}`, "function_call", "arguments")
	schema := chat("JSON mode", `"content":TEXT`, "content")
	schema.ask = `,"response_format":{"type":"json_object"}`
	tool.nested, old.nested, schema.nested = true, true, true
	second := chat("second of two choices", `"content":TEXT`, "content")
	second.ask, second.index = `,"n":2`, 1
	oldSecond := completion("second of two choices", `"text":TEXT`)
	oldSecond.ask, oldSecond.index = `,"n":2`, 1
	probs := chat("logprobs", `"content":TEXT`, "content")
	probs.members += `,"logprobs":{"content":[{"token":TEXT,"logprob":-0.1,"bytes":BYTES,"top_logprobs":[{"token":TEXT,"logprob":-0.1,"bytes":BYTES}]}],"refusal":null}`
	return []openAIPlace{
		tool, old, schema, second, probs,
		chat("custom tool input", `"tool_calls":[{"index":0,"id":"call_1","type":"custom","custom":{"name":"send","input":TEXT}}]`, "tool_calls", 0, "custom", "input"),
		chat("second tool call", `"tool_calls":[{"index":1,"id":"call_2","type":"custom","custom":{"name":"send","input":TEXT}}]`, "tool_calls", 0, "custom", "input"),
		chat("transcript of speech", `"audio":{"id":"a","transcript":TEXT}`, "audio", "transcript"),
		chat("two names for reasoning", `"reasoning":TEXT,"reasoning_content":TEXT`, "reasoning"),
		chat("reasoning details", `"reasoning_details":[{"type":"reasoning.text","format":"x-v1","text":TEXT}]`, "reasoning_details", 0, "text"),
		completion("text", `"text":TEXT`),
		completion("logprobs", `"text":TEXT,"logprobs":{"tokens":[TEXT],"token_logprobs":[-0.1],"top_logprobs":[{TEXT:-0.1}],"text_offset":[0]}`),
		completion("logprobs (llama.cpp)", `"text":TEXT,"logprobs":{"content":[{"id":7,"token":TEXT,"bytes":BYTES,"logprob":-0.1,"top_logprobs":[]}]}`),
		oldSecond,
	}
}

// openAIPlaceCases are those places in both ways to answer.
func openAIPlaceCases() []apiCase {
	var cases []apiCase
	for _, p := range openAIPlaces() {
		cases = append(cases, p.whole(), p.stream())
	}
	return cases
}

func (p openAIPlace) request(stream bool) (path, ask string) {
	if p.api == "openai.completions" {
		return "/v1/completions", fmt.Sprintf(`{"model":"m","prompt":"hi","stream":%t%s}`, stream, p.ask)
	}
	return "/v1/chat/completions", fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":%t%s}`, stream, p.ask)
}

// write puts a piece of text into the members of the choice.
func (p openAIPlace) write(text, message string) string {
	var bytes []int
	for _, b := range []byte(text) {
		bytes = append(bytes, int(b))
	}
	return strings.NewReplacer("TEXT", string(mustJSON(text)), "BYTES", string(mustJSON(bytes)), "MESSAGE", message).Replace(p.members)
}

// The JSON text around a nested text.
const nestedHead, nestedTail = `{"to":"`, `","copies":2,"urgent":true}`

// around is the pieces of the JSON text whose member says the pieces.
func (p openAIPlace) around(pieces []string) []string {
	if !p.nested {
		return pieces
	}
	return slices.Concat([]string{nestedHead}, pieces, []string{nestedTail})
}

// inside is the text that a nested text says; a blocked one ends within it.
func (p openAIPlace) inside(t *testing.T, text string, whole bool) string {
	t.Helper()
	if !p.nested {
		return text
	}
	var doc struct {
		To     string
		Copies int
		Urgent bool
	}
	if err := json.Unmarshal([]byte(text), &doc); err == nil && doc.Copies == 2 && doc.Urgent {
		return doc.To
	}
	if whole {
		t.Errorf("no valid JSON: %s", text)
	}
	return strings.TrimPrefix(text, nestedHead)
}

func (p openAIPlace) path(message string) []any {
	at := slices.Clone(p.at)
	if at[0] == "MESSAGE" {
		at[0] = message
	}
	return at
}

func (p openAIPlace) whole() apiCase {
	c := apiCase{api: p.api, shape: p.shape, contentType: "application/json"}
	c.path, c.ask = p.request(false)
	c.body = func(pieces []string) []byte {
		var choices []string
		for i := range p.index {
			choices = append(choices, fmt.Sprintf(`{"index":%d,%s,"finish_reason":"stop"}`, i, p.write("fine", "message")))
		}
		choices = append(choices, fmt.Sprintf(`{"index":%d,%s,"finish_reason":"stop"}`, p.index, p.write(strings.Join(p.around(pieces), ""), "message")))
		return fmt.Appendf(nil, `{"id":"c","object":"x","created":7,"model":"m","choices":[%s],"usage":{"total_tokens":3}}`, strings.Join(choices, ","))
	}
	c.text = func(t *testing.T, body []byte) string {
		return p.inside(t, textAt(t, body, append([]any{"choices", p.index}, p.path("message")...)...), true)
	}
	return c
}

func (p openAIPlace) stream() apiCase {
	c := apiCase{api: p.api, shape: p.shape, contentType: "text/event-stream"}
	c.path, c.ask = p.request(true)
	chunk := func(i int, members, finish string) string {
		return fmt.Sprintf(`{"id":"c","created":7,"model":"m","choices":[{"index":%d,%s,"finish_reason":%s}]}`, i, members, finish)
	}
	end := `"delta":{}`
	if p.api == "openai.completions" {
		end = `"text":""`
	}
	c.body = func(pieces []string) []byte {
		var all []string
		for n, piece := range p.around(pieces) {
			for i := range p.index {
				all = append(all, chunk(i, p.write(fmt.Sprintf(" fine%d", n), "delta"), "null"))
			}
			all = append(all, chunk(p.index, p.write(piece, "delta"), "null"))
		}
		for i := range p.index + 1 {
			all = append(all, chunk(i, end, `"stop"`))
		}
		return []byte(stream(append(all, "[DONE]")...))
	}
	c.text = func(t *testing.T, body []byte) string { return p.read(t, body) }
	return c
}

// read reads the text of the choice from a stream that ends as it should: every
// choice has a reason to end, and the last line is [DONE].
func (p openAIPlace) read(t *testing.T, body []byte) string {
	t.Helper()
	text, ended := "", map[float64]string{}
	for _, chunk := range payloads[map[string]any](t, body) {
		for _, c := range chunk["choices"].([]any) {
			choice := c.(map[string]any)
			number := choice["index"].(float64)
			if reason, _ := choice["finish_reason"].(string); reason != "" {
				ended[number] = reason
			}
			if int(number) == p.index {
				text += reach(choice, p.path("delta")...)
			}
		}
	}
	if len(ended) != p.index+1 || !strings.HasSuffix(string(body), "data: [DONE]\n\n") {
		t.Errorf("ends with %v, %q", ended, body[max(0, len(body)-60):])
	}
	return p.inside(t, text, ended[float64(p.index)] == "stop")
}

// reach returns the text at a path of a document, or none.
func reach(v any, path ...any) string {
	for _, step := range path {
		switch name := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[name]
		case int:
			list, _ := v.([]any)
			if name >= len(list) {
				return ""
			}
			v = list[name]
		}
	}
	text, _ := v.(string)
	return text
}
