package relay

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const cohereAsk = `{"model":"command-a","messages":[{"role":"user","content":"hi"}]`

// cohereCases are the shapes of Cohere's chat and of its first API.
func cohereCases() []apiCase {
	call := func(text string) string { return string(mustJSON(fmt.Sprintf(`{"n": 1, "to": %s}`, mustJSON(text)))) }
	var cases []apiCase
	for _, s := range []struct{ shape, message, member string }{
		{"text", `"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":%s}]`, "text"},
		{"thinking", `"content":[{"type":"thinking","thinking":%s},{"type":"text","text":"so"}]`, "thinking"},
		{"tool plan", `"tool_plan":%s`, "tool_plan"},
	} {
		cases = append(cases, cohereWhole(s.shape, s.message), cohereStreamed(s.shape, s.member))
	}
	return append(
		cases,
		cohereTool(call, "in one piece"), cohereTool(call, "streamed"),
		cohereRepeats("in one piece"), cohereRepeats("streamed"),
		cohereV1Chat("in one piece"), cohereV1Chat("streamed"),
		cohereV1Generate("in one piece"), cohereV1Generate("streamed"),
		cohereV1Tool(),
	)
}

// cohereWhole is an answer in one piece. message is its member, with the place
// of the text.
func cohereWhole(shape, message string) apiCase {
	return apiCase{
		api: "cohere.chat", shape: shape, path: "/v2/chat", ask: cohereAsk + "}", contentType: "application/json",
		body: func(pieces []string) []byte {
			return fmt.Appendf(nil, `{"id":"c-1","finish_reason":"COMPLETE","message":{"role":"assistant",%s},"usage":{"tokens":{"output_tokens":3}}}`,
				fmt.Sprintf(message, mustJSON(strings.Join(pieces, ""))))
		},
		text: func(t *testing.T, body []byte) string {
			var a struct {
				Message struct {
					Content  []struct{ Type, Text, Thinking string }
					ToolPlan string `json:"tool_plan"`
				}
			}
			if err := json.Unmarshal(body, &a); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			switch shape {
			case "text":
				return a.Message.Content[1].Text
			case "thinking":
				return a.Message.Content[0].Thinking
			}
			return a.Message.ToolPlan
		},
	}
}

// cohereEvent writes an event as Cohere does.
func cohereEvent(kind, members string) string {
	return fmt.Sprintf("event: %s\ndata: {\"type\":\"%s\"%s}\n\n", kind, kind, members)
}

// cohereStreamed is a stream in whose second block the text stands, or in its
// tool plan.
func cohereStreamed(shape, member string) apiCase {
	block := member != "tool_plan"
	c := apiCase{api: "cohere.chat", shape: shape, path: "/v2/chat", ask: cohereAsk + `,"stream":true}`, contentType: "text/event-stream"}
	c.body = func(pieces []string) []byte {
		s := cohereEvent("message-start", `,"id":"c-1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}`) +
			cohereEvent("content-start", `,"index":0,"delta":{"message":{"content":{"type":"text","text":""}}}`) +
			cohereEvent("content-delta", `,"index":0,"delta":{"message":{"content":{"text":"first"}}}`) +
			cohereEvent("content-end", `,"index":0`)
		if block {
			s += cohereEvent("content-start", fmt.Sprintf(`,"index":1,"delta":{"message":{"content":{"type":"%s","%s":""}}}`, member, member))
		}
		for _, p := range pieces {
			if !block {
				s += cohereEvent("tool-plan-delta", fmt.Sprintf(`,"delta":{"message":{"tool_plan":%s}}`, mustJSON(p)))
			} else {
				s += cohereEvent("content-delta", fmt.Sprintf(`,"index":1,"delta":{"message":{"content":{"%s":%s}}}`, member, mustJSON(p)))
			}
		}
		if block {
			s += cohereEvent("content-end", `,"index":1`)
		}
		return []byte(s + cohereEvent("message-end", `,"delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"output_tokens":3}}}`) + "data: [DONE]\n\n")
	}
	c.text = func(t *testing.T, body []byte) string {
		a := cohereRead(t, body)
		if a.content[0] != "first" {
			t.Errorf("the other block says %q", a.content[0])
		}
		if !block {
			return a.plan
		}
		return a.content[1]
	}
	c.filtered = func(t *testing.T, body []byte) {
		want := cohereEvent("message-end", `,"delta":{"finish_reason":"ERROR"}`) + "data: [DONE]\n\n"
		if block {
			want = cohereEvent("content-end", `,"index":1`) + want
		}
		if !strings.HasSuffix(string(body), want) {
			t.Errorf("ends in %q", body[max(0, len(body)-300):])
		}
	}
	return c
}

// cohereAnswer is a stream as a client puts it together.
type cohereAnswer struct {
	content, calls map[int]string
	plan           string
}

// cohereRead reads a stream and fails if the API does not allow it: each block is begun
// and ended, and so is the message.
func cohereRead(t *testing.T, body []byte) cohereAnswer {
	t.Helper()
	a := cohereAnswer{map[int]string{}, map[int]string{}, ""}
	events := strings.Split(strings.TrimSuffix(string(body), "\n\n"), "\n\n")
	if events[len(events)-1] != "data: [DONE]" {
		t.Fatalf("ends in %q", events[len(events)-1])
	}
	open, ended := "", false
	for _, e := range events[:len(events)-1] {
		name, data, ok := strings.Cut(strings.TrimPrefix(e, "event: "), "\ndata: ")
		var m struct {
			Type  string
			Index int
			Delta struct {
				Finish  string `json:"finish_reason"`
				Message struct {
					Content   json.RawMessage
					ToolPlan  string          `json:"tool_plan"`
					ToolCalls json.RawMessage `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal([]byte(data), &m); err != nil || !ok || m.Type != name || ended {
			t.Fatalf("%v in %q", err, e)
		}
		block := fmt.Sprint(strings.Split(m.Type, "-")[0], m.Index)
		switch m.Type {
		case "content-start", "tool-call-start":
			if open != "" {
				t.Fatalf("%s begins within %s", block, open)
			}
			open = block
		case "content-delta", "tool-call-delta", "content-end", "tool-call-end":
			if open != block {
				t.Fatalf("%s within %q", e, open)
			}
			if strings.HasSuffix(m.Type, "-end") {
				open = ""
			}
		case "message-end":
			ended = m.Delta.Finish != "" && open == ""
		}
		if m.Type == "message-start" {
			continue
		}
		a.plan += m.Delta.Message.ToolPlan
		var content struct{ Text, Thinking string }
		if raw := m.Delta.Message.Content; raw != nil {
			if err := json.Unmarshal(raw, &content); err != nil {
				t.Fatal(err)
			}
			a.content[m.Index] += content.Text + content.Thinking
		}
		var tool struct{ Function struct{ Arguments string } }
		if raw := m.Delta.Message.ToolCalls; raw != nil {
			if err := json.Unmarshal(raw, &tool); err != nil {
				t.Fatal(err)
			}
			a.calls[m.Index] += tool.Function.Arguments
		}
	}
	if !ended {
		t.Fatalf("no message-end, or %q is open: %s", open, body)
	}
	return a
}

// cohereTool is an answer that calls a tool.
func cohereTool(call func(string) string, way string) apiCase {
	c := apiCase{api: "cohere.chat", shape: "tool arguments", path: "/v2/chat", ask: cohereAsk + "}", contentType: "application/json"}
	argument := func(t *testing.T, arguments string) string {
		var a struct {
			N  int
			To string
		}
		if err := json.Unmarshal([]byte(arguments), &a); err != nil || a.N != 1 {
			_, cut, ok := strings.Cut(arguments, `"to": "`) // a block cuts it off
			if !ok {
				t.Errorf("arguments are %s", arguments)
			}
			return strings.TrimSuffix(cut, `"`)
		}
		return a.To
	}
	if way == "in one piece" {
		c.body = func(pieces []string) []byte {
			return fmt.Appendf(nil, `{"id":"c-1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"I will","tool_calls":[{"id":"f_1","type":"function","function":{"name":"f","arguments":%s}}]}}`, call(strings.Join(pieces, "")))
		}
		c.text = func(t *testing.T, body []byte) string {
			var a struct {
				Message struct {
					ToolCalls []struct{ Function struct{ Arguments string } } `json:"tool_calls"`
				}
			}
			if err := json.Unmarshal(body, &a); err != nil || len(a.Message.ToolCalls) != 1 {
				t.Fatalf("%v in %s", err, body)
			}
			return argument(t, a.Message.ToolCalls[0].Function.Arguments)
		}
		return c
	}
	c.ask, c.contentType = cohereAsk+`,"stream":true}`, "text/event-stream"
	c.body = func(pieces []string) []byte {
		s := cohereEvent("message-start", `,"id":"c-1","delta":{"message":{"role":"assistant"}}`) +
			cohereEvent("tool-plan-delta", `,"delta":{"message":{"tool_plan":"I will"}}`) +
			cohereEvent("tool-call-start", `,"index":0,"delta":{"message":{"tool_calls":{"id":"f_1","type":"function","function":{"name":"f","arguments":""}}}}`)
		for _, p := range append(append([]string{`{"n": 1, "to": "`}, pieces...), `"}`) {
			s += cohereEvent("tool-call-delta", fmt.Sprintf(`,"index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":%s}}}}`, mustJSON(p)))
		}
		return []byte(s + cohereEvent("tool-call-end", `,"index":0`) + cohereEvent("message-end", `,"delta":{"finish_reason":"TOOL_CALL"}`) + "data: [DONE]\n\n")
	}
	c.text = func(t *testing.T, body []byte) string { return argument(t, cohereRead(t, body).calls[0]) }
	return c
}

// cohereRepeats is an answer whose text stands in citations, sources and
// logprobs as well.
func cohereRepeats(way string) apiCase {
	citation := func(text string) string {
		return fmt.Sprintf(`{"start":0,"end":9,"text":%s,"type":"TEXT_CONTENT","sources":[{"type":"document","id":"doc:0","document":{"id":"d","snippet":%s}}]}`, mustJSON(text), mustJSON(text))
	}
	logprobs := func(piece string) string {
		return fmt.Sprintf(`{"text":%s,"token_ids":[7],"logprobs":[-0.1]}`, mustJSON(piece))
	}
	if way == "streamed" {
		c := cohereStreamed("citations and logprobs", "text")
		plain := c.body
		c.body = func(pieces []string) []byte {
			body := string(plain(pieces))
			for _, p := range pieces {
				at := fmt.Sprintf(`"index":1,"delta":{"message":{"content":{"text":%s}}}`, mustJSON(p))
				body = strings.Replace(body, at+"}", at+`,"logprobs":`+logprobs(p)+"}", 1)
			}
			cited := cohereEvent("citation-start", `,"index":0,"delta":{"message":{"citations":`+citation(strings.Join(pieces, ""))+`}}`) + cohereEvent("citation-end", `,"index":0`)
			end := "event: message-end"
			return []byte(strings.Replace(body, end, cited+end, 1))
		}
		return c
	}
	c := cohereWhole("text", `"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":%s}]`)
	c.shape = "citations and logprobs"
	plain := c.body
	c.body = func(pieces []string) []byte {
		all := strings.Join(pieces, "")
		var tokens []string
		for _, p := range pieces {
			tokens = append(tokens, logprobs(p))
		}
		return []byte(strings.Replace(string(plain(pieces)), `]},"usage"`, `],"citations":[`+citation(all)+`]},"logprobs":[`+strings.Join(tokens, ",")+`],"usage"`, 1))
	}
	return c
}

// cohereV1Chat is a chat of the first API, which repeats the answer at its end.
func cohereV1Chat(way string) apiCase {
	c := apiCase{api: "cohere.v1", shape: "chat", path: "/v1/chat", ask: `{"message":"hi"}`, contentType: "application/json"}
	answer := func(text string) string {
		return fmt.Sprintf(`{"response_id":"r","text":%s,"generation_id":"g","chat_history":[{"role":"USER","message":"hi"},{"role":"CHATBOT","message":%s}],"finish_reason":"COMPLETE","citations":[{"start":0,"end":4,"text":%s,"document_ids":["d_0"]}],"documents":[{"id":"d_0","snippet":%s}]}`,
			mustJSON(text), mustJSON(text), mustJSON(text), mustJSON(text))
	}
	type reply struct {
		Text    string
		History []struct{ Message string } `json:"chat_history"`
	}
	if way == "in one piece" {
		c.body = func(pieces []string) []byte { return []byte(answer(strings.Join(pieces, ""))) }
		c.text = func(t *testing.T, body []byte) string {
			var a reply
			if err := json.Unmarshal(body, &a); err != nil || len(a.History) != 2 || a.History[1].Message != a.Text {
				t.Fatalf("%v in %s", err, body)
			}
			return a.Text
		}
		return c
	}
	c.ask, c.contentType = `{"message":"hi","stream":true}`, "application/stream+json"
	c.body = func(pieces []string) []byte {
		s := `{"is_finished":false,"event_type":"stream-start","generation_id":"g"}` + "\n"
		for _, p := range pieces {
			s += fmt.Sprintf(`{"is_finished":false,"event_type":"text-generation","text":%s}`+"\n", mustJSON(p))
		}
		return []byte(s + `{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","response":` + answer(strings.Join(pieces, "")) + "}\n")
	}
	c.text = func(t *testing.T, body []byte) string {
		said, response := cohereV1Read(t, body)
		var a reply
		if err := json.Unmarshal(response, &a); err != nil || a.Text != said && a.Text != "" {
			t.Errorf("%v: %q was said, then %s", err, said, response)
		}
		return said
	}
	return c
}

// cohereV1Read reads the text of a stream and the answer in its last line.
func cohereV1Read(t *testing.T, body []byte) (said string, response json.RawMessage) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	for i, line := range lines {
		var m struct {
			Type     string `json:"event_type"`
			Finished bool   `json:"is_finished"`
			Finish   string `json:"finish_reason"`
			Text     string
			Response json.RawMessage
		}
		last := i == len(lines)-1
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Finished != last || last != (m.Type == "stream-end") || last != (m.Finish != "") {
			t.Fatalf("%v in %s", err, line)
		}
		said += m.Text
		response = m.Response
	}
	return said, response
}

// cohereV1Generate is an answer with two texts, of which the second leaks.
func cohereV1Generate(way string) apiCase {
	c := apiCase{api: "cohere.v1", shape: "generate", path: "/v1/generate", ask: `{"prompt":"hi","num_generations":2}`, contentType: "application/json"}
	answer := func(pieces []string) string {
		var tokens []string
		for _, p := range pieces {
			tokens = append(tokens, fmt.Sprintf(`{"token":%s,"likelihood":-0.1}`, mustJSON(p)))
		}
		return fmt.Sprintf(`{"id":"i","generations":[{"id":"g0","text":"first","index":0,"finish_reason":"COMPLETE"},{"id":"g1","text":%s,"index":1,"finish_reason":"COMPLETE","token_likelihoods":[%s]}]}`,
			mustJSON(strings.Join(pieces, "")), strings.Join(tokens, ","))
	}
	read := func(t *testing.T, body []byte) string {
		var a struct{ Generations []struct{ Text string } }
		if err := json.Unmarshal(body, &a); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if len(a.Generations) == 0 {
			return ""
		}
		if a.Generations[0].Text != "first" {
			t.Errorf("the other text is %q", a.Generations[0].Text)
		}
		return a.Generations[1].Text
	}
	if way == "in one piece" {
		c.body = func(pieces []string) []byte { return []byte(answer(pieces)) }
		c.text = read
		return c
	}
	c.ask, c.contentType = `{"prompt":"hi","stream":true}`, "application/stream+json"
	c.body = func(pieces []string) []byte {
		s := `{"is_finished":false,"event_type":"text-generation","text":"first","index":0}` + "\n"
		for _, p := range pieces {
			s += fmt.Sprintf(`{"is_finished":false,"event_type":"text-generation","text":%s,"index":1}`+"\n", mustJSON(p))
		}
		return []byte(s + `{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","response":` + answer(pieces) + "}\n")
	}
	c.text = func(t *testing.T, body []byte) string {
		all, response := cohereV1Read(t, body)
		said, ok := strings.CutPrefix(all, "first")
		if again := read(t, response); !ok || again != said && again != "" {
			t.Errorf("%q was said, then %s", all, response)
		}
		return said
	}
	return c
}

// cohereV1Tool is a stream that calls a tool, in pieces and then whole.
func cohereV1Tool() apiCase {
	c := apiCase{api: "cohere.v1", shape: "tool parameters", path: "/v1/chat", ask: `{"message":"hi","stream":true}`, contentType: "application/stream+json"}
	c.body = func(pieces []string) []byte {
		s := `{"is_finished":false,"event_type":"tool-calls-chunk","tool_call_delta":{"name":"f","index":0}}` + "\n"
		for _, p := range append(append([]string{`{"to":"`}, pieces...), `"}`) {
			s += fmt.Sprintf(`{"is_finished":false,"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"parameters":%s}}`+"\n", mustJSON(p))
		}
		calls := fmt.Sprintf(`"tool_calls":[{"name":"f","parameters":{"to":%s}}]`, mustJSON(strings.Join(pieces, "")))
		return []byte(s + `{"is_finished":false,"event_type":"tool-calls-generation",` + calls + "}\n" +
			`{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","response":{"text":"",` + calls + "}}\n")
	}
	c.text = func(t *testing.T, body []byte) string {
		_, response := cohereV1Read(t, body)
		said := ""
		for line := range strings.Lines(string(body)) {
			var m struct {
				Delta struct{ Parameters string } `json:"tool_call_delta"`
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			said += m.Delta.Parameters
		}
		said = strings.TrimSuffix(strings.TrimPrefix(said, `{"to":"`), `"}`)
		var a struct {
			Calls []struct{ Parameters struct{ To string } } `json:"tool_calls"`
		}
		if err := json.Unmarshal(response, &a); err != nil || len(a.Calls) > 0 && a.Calls[0].Parameters.To != said {
			t.Errorf("%v: %q, then %s", err, said, response)
		}
		return said
	}
	return c
}
