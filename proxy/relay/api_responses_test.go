package relay

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const (
	responsesAsk       = `{"model":"m","input":"hi"}`
	responsesAskStream = `{"model":"m","input":"hi","stream":true}`
)

// responsesShape is an item of the Responses API that says a text.
type responsesShape struct {
	name string
	// stream writes the events of the item and returns it as it ends.
	stream func(s *responsesScript, n int, pieces []string) string
	// said reads the text back from the item.
	said func(item map[string]any) string
	// delta is the event that carries the pieces; empty: they come whole.
	delta string
}

// responsesScript writes the events of a stream.
type responsesScript struct {
	out strings.Builder
	n   int
}

// event writes an event as OpenAI does.
func (s *responsesScript) event(kind, members string) {
	fmt.Fprintf(&s.out, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%d,%s}\n\n", kind, kind, s.n, members)
	s.n++
}

// responsesObject is a response with the given status and output.
func responsesObject(status, details, output string) string {
	return fmt.Sprintf(`{"id":"resp_1","object":"response","created_at":7,"status":"%s","error":null,"incomplete_details":%s,"instructions":"Be brief.","model":"m","output":[%s],"parallel_tool_calls":true,"tool_choice":"auto","tools":[{"type":"function","name":"f","description":"does f","parameters":{"type":"object","properties":{"note":{"type":"string"}}},"strict":true}],"text":{"format":{"type":"text"},"verbosity":"medium"},"reasoning":{"effort":null,"summary":null},"truncation":"disabled","usage":null,"user":null,"metadata":{}}`, status, details, output)
}

// responsesStreamed is a stream of items.
func responsesStreamed(items ...func(s *responsesScript, n int) string) []byte {
	s := &responsesScript{}
	s.event("response.created", `"response":`+responsesObject("in_progress", "null", ""))
	s.event("response.in_progress", `"response":`+responsesObject("in_progress", "null", ""))
	var output []string
	for n, item := range items {
		output = append(output, item(s, n))
	}
	s.event("response.completed", `"response":`+responsesObject("completed", "null", strings.Join(output, ",")))
	return []byte(s.out.String())
}

// responsesTexts are the shapes whose text comes in pieces.
func responsesShapes() []responsesShape {
	member := func(name string) func(map[string]any) string {
		return func(item map[string]any) string {
			text, _ := item[name].(string)
			return strings.TrimSuffix(strings.TrimPrefix(text, `{"note":"`), `","n":1}`)
		}
	}
	part := func(list string, i int, name string) func(map[string]any) string {
		return func(item map[string]any) string {
			parts, _ := item[list].([]any)
			if len(parts) <= i {
				return ""
			}
			text, _ := parts[i].(map[string]any)[name].(string)
			return text
		}
	}
	return []responsesShape{
		{"text", responsesMessage("output_text", "text", ""), part("content", 0, "text"), "response.output_text.delta"},
		{"text with logprobs", responsesMessage("output_text", "text", "logprobs"), part("content", 0, "text"), "response.output_text.delta"},
		{"text with annotations", responsesMessage("output_text", "text", "annotations"), part("content", 0, "text"), "response.output_text.delta"},
		{"refusal", responsesMessage("refusal", "refusal", ""), part("content", 0, "refusal"), "response.refusal.delta"},
		{"reasoning", responsesReasoning, part("content", 0, "text"), "response.reasoning_text.delta"},
		{"reasoning summary", responsesSummary, part("summary", 1, "text"), "response.reasoning_summary_text.delta"},
		{"function arguments", responsesCall("function_call", "function_call_arguments", "arguments"), member("arguments"), "response.function_call_arguments.delta"},
		{"MCP arguments", responsesCall("mcp_call", "mcp_call_arguments", "arguments"), member("arguments"), "response.mcp_call_arguments.delta"},
		{"custom tool input", responsesCall("custom_tool_call", "custom_tool_call_input", "input"), member("input"), "response.custom_tool_call_input.delta"},
		{"code", responsesCall("code_interpreter_call", "code_interpreter_call_code", "code"), member("code"), "response.code_interpreter_call_code.delta"},
	}
}

// responsesMessage is a message with one part, as OpenAI streams it.
func responsesMessage(kind, member, extra string) func(s *responsesScript, n int, pieces []string) string {
	return func(s *responsesScript, n int, pieces []string) string {
		text := responsesJSON(strings.Join(pieces, ""))
		part := func(text, annotations, logprobs string) string {
			if kind == "refusal" {
				return fmt.Sprintf(`{"type":"refusal","refusal":%s}`, text)
			}
			return fmt.Sprintf(`{"type":"output_text","annotations":[%s],"logprobs":[%s],"text":%s}`, annotations, logprobs, text)
		}
		annotations, logprobs := "", ""
		if extra == "annotations" {
			annotations = fmt.Sprintf(`{"type":"url_citation","start_index":1,"end_index":9,"url":"https://example.org/a","title":%s},{"type":"file_citation","file_id":"file-1","filename":%s,"index":3}`, text, text)
		}
		token := func(p string) string {
			var bytes []string
			for _, c := range []byte(p) {
				bytes = append(bytes, fmt.Sprint(c))
			}
			return fmt.Sprintf(`{"token":%s,"bytes":[%s],"logprob":-0.5,"top_logprobs":[{"token":%s,"bytes":[%s],"logprob":-0.5},{"token":"zz","bytes":[122,122],"logprob":-3}]}`,
				responsesJSON(p), strings.Join(bytes, ","), responsesJSON(p), strings.Join(bytes, ","))
		}
		if extra == "logprobs" {
			var all []string
			for _, p := range pieces {
				all = append(all, token(p))
			}
			logprobs = strings.Join(all, ",")
		}
		id := fmt.Sprintf("msg_%d", n)
		at := fmt.Sprintf(`"item_id":"%s","output_index":%d,"content_index":0`, id, n)
		item := `{"id":"` + id + `","type":"message","status":"%s","content":[%s],"role":"assistant"}`
		s.event("response.output_item.added", fmt.Sprintf(`"output_index":%d,"item":`+item, n, "in_progress", ""))
		s.event("response.content_part.added", at+`,"part":`+part(`""`, "", ""))
		for i, p := range pieces {
			lp := ""
			if extra == "logprobs" {
				lp = token(p)
			}
			s.event("response."+kind+".delta", at+fmt.Sprintf(`,"delta":%s,"logprobs":[%s],"obfuscation":"%s"`, responsesJSON(p), lp, "q8Zk1nfXw0"[:1+i%10]))
		}
		if annotations != "" {
			s.event("response.output_text.annotation.added", at+fmt.Sprintf(`,"annotation_index":0,"annotation":{"type":"url_citation","url":"https://example.org/a","title":%s}`, text))
		}
		s.event("response."+kind+".done", at+fmt.Sprintf(`,"%s":%s,"logprobs":[%s]`, member, text, logprobs))
		s.event("response.content_part.done", at+`,"part":`+part(text, annotations, logprobs))
		final := fmt.Sprintf(item, "completed", part(text, annotations, logprobs))
		s.event("response.output_item.done", fmt.Sprintf(`"output_index":%d,"item":%s`, n, final))
		return final
	}
}

// responsesReasoning is a reasoning item that shows its text.
func responsesReasoning(s *responsesScript, n int, pieces []string) string {
	text := responsesJSON(strings.Join(pieces, ""))
	id := fmt.Sprintf("rs_%d", n)
	at := fmt.Sprintf(`"item_id":"%s","output_index":%d,"content_index":0`, id, n)
	s.event("response.output_item.added", fmt.Sprintf(`"output_index":%d,"item":{"id":"%s","type":"reasoning","summary":[],"encrypted_content":"gAAAAABo"}`, n, id))
	s.event("response.content_part.added", at+`,"part":{"type":"reasoning_text","text":""}`)
	for _, p := range pieces {
		s.event("response.reasoning_text.delta", at+`,"delta":`+responsesJSON(p))
	}
	s.event("response.reasoning_text.done", at+`,"text":`+text)
	s.event("response.content_part.done", at+`,"part":{"type":"reasoning_text","text":`+text+`}`)
	final := fmt.Sprintf(`{"id":"%s","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":%s}],"encrypted_content":"gAAAAABo"}`, id, text)
	s.event("response.output_item.done", fmt.Sprintf(`"output_index":%d,"item":%s`, n, final))
	return final
}

// responsesSummary is a reasoning item with a summary of two parts.
func responsesSummary(s *responsesScript, n int, pieces []string) string {
	id := fmt.Sprintf("rs_%d", n)
	s.event("response.output_item.added", fmt.Sprintf(`"output_index":%d,"item":{"id":"%s","type":"reasoning","summary":[]}`, n, id))
	var parts []string
	for i, pieces := range [][]string{{"**First** ", "a look"}, pieces} {
		text := responsesJSON(strings.Join(pieces, ""))
		at := fmt.Sprintf(`"item_id":"%s","output_index":%d,"summary_index":%d`, id, n, i)
		s.event("response.reasoning_summary_part.added", at+`,"part":{"type":"summary_text","text":""}`)
		for _, p := range pieces {
			s.event("response.reasoning_summary_text.delta", at+`,"delta":`+responsesJSON(p)+`,"obfuscation":"x"`)
		}
		parts = append(parts, `{"type":"summary_text","text":`+text+`}`)
		s.event("response.reasoning_summary_text.done", at+`,"text":`+text)
		s.event("response.reasoning_summary_part.done", at+`,"part":`+parts[i])
	}
	final := fmt.Sprintf(`{"id":"%s","type":"reasoning","summary":[%s]}`, id, strings.Join(parts, ","))
	s.event("response.output_item.done", fmt.Sprintf(`"output_index":%d,"item":%s`, n, final))
	return final
}

// responsesCall is a call of a tool; arguments are JSON.
func responsesCall(kind, event, member string) func(s *responsesScript, n int, pieces []string) string {
	return func(s *responsesScript, n int, pieces []string) string {
		if member == "arguments" {
			inside := []string{`{"note":"`}
			for _, p := range pieces {
				p = responsesJSON(p)
				inside = append(inside, p[1:len(p)-1])
			}
			pieces = append(inside, `","n":1}`)
		}
		item := fmt.Sprintf(`{"id":"call_%d","type":"%s","status":"%%s","call_id":"c%d","name":"f","%s":%%s}`, n, kind, n, member)
		at := fmt.Sprintf(`"item_id":"call_%d","output_index":%d`, n, n)
		text := responsesJSON(strings.Join(pieces, ""))
		s.event("response.output_item.added", fmt.Sprintf(`"output_index":%d,"item":`+item, n, "in_progress", `""`))
		for _, p := range pieces {
			s.event("response."+event+".delta", at+`,"delta":`+responsesJSON(p))
		}
		s.event("response."+event+".done", at+fmt.Sprintf(`,"%s":%s`, member, text))
		final := fmt.Sprintf(item, "completed", text)
		s.event("response.output_item.done", fmt.Sprintf(`"output_index":%d,"item":%s`, n, final))
		return final
	}
}

// responsesCases are the shapes of the Responses API.
func responsesCases() []apiCase {
	var cases []apiCase
	for _, shape := range responsesShapes() {
		cases = append(cases, apiCase{
			api: "openai.responses", shape: shape.name, path: "/v1/responses", ask: responsesAskStream, contentType: "text/event-stream",
			body: func(pieces []string) []byte {
				return responsesStreamed(func(s *responsesScript, n int) string { return shape.stream(s, n, pieces) })
			},
			text:     func(t *testing.T, body []byte) string { return responsesRead(t, body, 0, shape) },
			filtered: func(t *testing.T, body []byte) { responsesFiltered(t, body) },
		}, apiCase{
			api: "openai.responses", shape: shape.name, path: "/v1/responses", ask: responsesAsk, contentType: "application/json",
			body: func(pieces []string) []byte {
				return []byte(responsesObject("completed", "null", shape.stream(&responsesScript{}, 0, pieces)))
			},
			text: func(t *testing.T, body []byte) string {
				items := responsesOutput(t, body)
				return shape.said(items[0])
			},
		})
	}
	return append(append(cases, responsesServers()...), responsesItems()...)
}

// responsesOutput reads the items of a response.
func responsesOutput(t *testing.T, body []byte) []map[string]any {
	t.Helper()
	var r struct {
		ID     string
		Object string
		Output []map[string]any
	}
	if err := json.Unmarshal(body, &r); err != nil || r.Object != "response" || len(r.Output) == 0 {
		t.Fatalf("%v in %s", err, body)
	}
	return r.Output
}

// responsesEvents reads the events of a stream.
func responsesEvents(t *testing.T, body []byte) []map[string]any {
	t.Helper()
	var events []map[string]any
	for e := range strings.SplitSeq(strings.TrimSuffix(string(body), "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(e, "\ndata: ")
		var v map[string]any
		if err := json.Unmarshal([]byte(data), &v); !ok || err != nil || "event: "+v["type"].(string) != name {
			t.Fatalf("%v in %q", err, e)
		}
		events = append(events, v)
	}
	return events
}

// responsesRead reads the text of one item as a strict client does: events are
// numbered without a gap, nothing is used before it was announced or after it
// was done, every copy equals its pieces, and every item that began has ended.
func responsesRead(t *testing.T, body []byte, at int, shape responsesShape) string {
	t.Helper()
	events := responsesEvents(t, body)
	texts, open, done := map[string]string{}, map[string]bool{}, map[int]any{}
	for n, e := range events {
		kind := e["type"].(string)
		if e["sequence_number"] != float64(n) {
			t.Fatalf("event %d has number %v in %s", n, e["sequence_number"], body)
		}
		number := -1
		if v, ok := e["output_index"].(float64); ok {
			number = int(v)
		}
		item := fmt.Sprintf("item %d", number)
		part := fmt.Sprintf("%s part %v %v", item, e["content_index"], e["summary_index"])
		inPart := e["content_index"] != nil || e["summary_index"] != nil
		switch {
		case kind == "response.created" && n == 0, kind == "response.in_progress" && n == 1:
		case kind == "response.output_item.added":
			open[item] = true
		case kind == "response.output_item.done":
			if !open[item] {
				t.Errorf("%s ends without a beginning", item)
			}
			delete(open, item)
			done[number] = e["item"]
		case strings.HasSuffix(kind, "_part.added"):
			open[part] = true
		case strings.HasSuffix(kind, "_part.done"):
			if !open[part] {
				t.Errorf("%s ends without a beginning", part)
			}
			delete(open, part)
			p := e["part"].(map[string]any)
			text, ok := p["text"].(string)
			if !ok {
				text = p["refusal"].(string)
			}
			if text != texts[part] {
				t.Errorf("part says %q after %q", text, texts[part])
			}
		case strings.HasSuffix(kind, ".delta"):
			if !open[item] || inPart && !open[part] {
				t.Errorf("%s without a beginning", kind)
			}
			text, _ := e["delta"].(string)
			texts[part] += text
		case strings.HasSuffix(kind, ".done"):
			for _, name := range []string{"text", "refusal", "arguments", "input", "code"} {
				if text, ok := e[name].(string); ok && text != texts[part] {
					t.Errorf("%s says %q after %q", kind, text, texts[part])
				}
			}
		case kind == "response.completed", kind == "response.incomplete":
			if n != len(events)-1 || len(open) > 0 {
				t.Errorf("%s is event %d of %d, open are %v", kind, n, len(events), open)
			}
			output := e["response"].(map[string]any)["output"].([]any)
			if len(output) != len(done) {
				t.Fatalf("%d items of %d in %s", len(output), len(done), body)
			}
			for i, item := range output {
				if !reflect.DeepEqual(item, done[i]) {
					t.Errorf("item %d is %v after %v", i, item, done[i])
				}
			}
			if at >= len(output) {
				return ""
			}
			said := shape.said(output[at].(map[string]any))
			sum := 0
			for _, text := range texts {
				if strings.Contains(text, said) {
					sum++
				}
			}
			if sum == 0 && shape.delta != "" {
				t.Errorf("%q is not among %q", said, texts)
			}
			return said
		case kind == "response.output_text.annotation.added":
		default:
			t.Errorf("event %s", kind)
		}
	}
	t.Fatalf("no end in %s", body)
	return ""
}

// responsesFiltered checks that a stream ends as the API's own filter ends one.
func responsesFiltered(t *testing.T, body []byte) {
	t.Helper()
	events := responsesEvents(t, body)
	last := events[len(events)-1]
	r, _ := last["response"].(map[string]any)
	details, _ := r["incomplete_details"].(map[string]any)
	if last["type"] != "response.incomplete" || r["status"] != "incomplete" || details["reason"] != "content_filter" {
		t.Errorf("ends in %v", last)
	}
	for _, name := range []string{"id", "object", "created_at", "model", "tools", "instructions", "parallel_tool_calls"} {
		if r[name] == nil {
			t.Errorf("no %s in %v", name, r)
		}
	}
	output := r["output"].([]any)
	if item := output[len(output)-1].(map[string]any); item["status"] != "incomplete" {
		t.Errorf("item = %v", item)
	}
}

// responsesJSON is a text as a JSON string.
func responsesJSON(text string) string { return string(mustJSON(text)) }
