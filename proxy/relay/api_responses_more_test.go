package relay

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// responsesServers are the streams of servers that follow the API loosely, and
// those that end otherwise than most.
func responsesServers() []apiCase {
	stream := func(shape string, body func(pieces []string) []byte, delta string) apiCase {
		return apiCase{
			api: "openai.responses", shape: shape, path: "/v1/responses", ask: responsesAskStream, contentType: "text/event-stream",
			body: body,
			text: func(t *testing.T, body []byte) string { return responsesSum(t, body, delta) },
		}
	}
	message := func(pieces []string) func(*responsesScript, int) string {
		return func(s *responsesScript, n int) string {
			return responsesMessage("output_text", "text", "")(s, n, pieces)
		}
	}
	clean := []string{"a", " clear", " sky"}
	several := func(at int) func(pieces []string) []byte {
		return func(pieces []string) []byte {
			say := func(n int) []string {
				if n == at {
					return pieces
				}
				return clean
			}
			return responsesStreamed(
				func(s *responsesScript, n int) string { return responsesReasoning(s, n, say(0)) },
				message(say(1)),
				message(say(2)),
				func(s *responsesScript, n int) string { return responsesTwoCalls(s, n, say(3), say(4)) },
			)
		}
	}
	ended := func(kind, status, details string) func(pieces []string) []byte {
		return func(pieces []string) []byte {
			s := &responsesScript{}
			s.event("response.created", `"response":`+responsesObject("in_progress", "null", ""))
			item := message(pieces)(s, 0)
			s.event(kind, `"response":`+responsesObject(status, details, item))
			return []byte(s.out.String())
		}
	}
	return []apiCase{
		stream("vLLM", responsesVLLM, "response.output_text.delta"),
		stream("vLLM reasoning", responsesVLLMReasoning, "response.reasoning_text.delta"),
		stream("llama.cpp", responsesLlama, "response.output_text.delta"),
		stream("reasoning before messages and calls", several(0), "response.reasoning_text.delta"),
		stream("parallel call", several(4), "response.function_call_arguments.delta"),
		stream("incomplete", ended("response.incomplete", "incomplete", `{"reason":"max_output_tokens"}`), "response.output_text.delta"),
		stream("failed", ended("response.failed", "failed", "null"), "response.output_text.delta"),
		stream("resumed at the end", func(pieces []string) []byte {
			s := &responsesScript{n: 40}
			s.event("response.completed", `"response":`+responsesObject("completed", "null", message(pieces)(&responsesScript{}, 0)))
			return []byte(s.out.String())
		}, ""),
		stream("resumed within", func(pieces []string) []byte {
			s := &responsesScript{}
			all := message(pieces)(s, 0)
			events := strings.SplitAfter(s.out.String(), "\n\n")
			s.out.Reset()
			s.event("response.completed", `"response":`+responsesObject("completed", "null", all))
			return []byte(strings.Join(events[len(events)-4:], "") + s.out.String())
		}, ""),
		stream("delta of a kind nobody knows", func(pieces []string) []byte {
			s := &responsesScript{}
			s.event("response.created", `"response":`+responsesObject("in_progress", "null", ""))
			for _, p := range pieces {
				s.event("response.song.delta", `"output_index":0,"delta":`+responsesJSON(p))
			}
			s.event("response.song.done", `"output_index":0,"song":`+responsesJSON(strings.Join(pieces, "")))
			s.event("response.completed", `"response":`+responsesObject("completed", "null", ""))
			return []byte(s.out.String())
		}, "response.song.delta"),
		stream("shell command", responsesShell, "response.shell_call_command.delta"),
	}
}

// responsesSum puts the pieces of one kind of event together, without those of
// the clean texts beside them. Without pieces it returns the text of the end.
func responsesSum(t *testing.T, body []byte, delta string) string {
	t.Helper()
	var sum strings.Builder
	events := 0
	last := map[string]any{}
	number := -1.0
	for e := range strings.SplitSeq(strings.TrimSuffix(string(body), "\n\n"), "\n\n") {
		_, data, _ := strings.Cut(e, "data: ")
		var v map[string]any
		if err := json.Unmarshal([]byte(data), &v); err != nil {
			t.Fatalf("%v in %q", err, e)
		}
		if n, ok := v["sequence_number"].(float64); ok {
			if number >= 0 && n != number+1 {
				t.Errorf("number %v follows %v", n, number)
			}
			number = n
		}
		if v["type"] == delta {
			text, _ := v["delta"].(string)
			sum.WriteString(text)
		}
		last = v
		events++
	}
	kind, _ := last["type"].(string)
	r, ok := last["response"].(map[string]any)
	if !ok || kind != "response."+r["status"].(string) {
		t.Fatalf("ends in %v", last)
	}
	if details, ok := r["incomplete_details"].(map[string]any); r["status"] == "incomplete" && (!ok || details["reason"] == "") {
		t.Errorf("ends in %v", last)
	}
	text := strings.NewReplacer(`{"note":"`, "", `","n":1}`, "", "a clear sky", "").Replace(sum.String())
	if delta != "" {
		return text
	}
	item := r["output"].([]any)[0].(map[string]any)
	text, _ = item["content"].([]any)[0].(map[string]any)["text"].(string)
	return text
}

// responsesTwoCalls are two calls whose pieces come by turns.
func responsesTwoCalls(s *responsesScript, n int, one, two []string) string {
	var items []string
	texts := make([]string, 2)
	s.event("response.output_item.added", fmt.Sprintf(`"output_index":%d,"item":{"id":"call_%d","type":"function_call","status":"in_progress","call_id":"c%d","name":"f","arguments":""}`, n, n, n))
	s.event("response.output_item.added", fmt.Sprintf(`"output_index":%d,"item":{"id":"call_%d","type":"function_call","status":"in_progress","call_id":"c%d","name":"g","arguments":""}`, n+1, n+1, n+1))
	for i, pieces := range [][]string{one, two} {
		for _, p := range append(append([]string{`{"note":"`}, pieces...), `","n":1}`) {
			if p != `{"note":"` && p != `","n":1}` {
				p = responsesJSON(p)
				p = p[1 : len(p)-1]
			}
			texts[i] += p
			s.event("response.function_call_arguments.delta", fmt.Sprintf(`"item_id":"call_%d","output_index":%d,"delta":%s`, n+i, n+i, responsesJSON(p)))
		}
	}
	for i := range texts {
		s.event("response.function_call_arguments.done", fmt.Sprintf(`"item_id":"call_%d","output_index":%d,"name":"f","arguments":%s`, n+i, n+i, responsesJSON(texts[i])))
		items = append(items, fmt.Sprintf(`{"id":"call_%d","type":"function_call","status":"completed","call_id":"c%d","name":"f","arguments":%s}`, n+i, n+i, responsesJSON(texts[i])))
		s.event("response.output_item.done", fmt.Sprintf(`"output_index":%d,"item":%s`, n+i, items[i]))
	}
	return strings.Join(items, ",")
}

// vllm writes an event as vLLM does: its kind comes last.
func (s *responsesScript) vllm(kind, members string) {
	fmt.Fprintf(&s.out, "event: %s\ndata: {%s,\"sequence_number\":%d,\"type\":\"%s\"}\n\n", kind, members, s.n, kind)
	s.n++
}

// responsesVLLM is a stream of vLLM's: a reasoning item, a message whose
// beginning has the number of the item before it, and a content_index that
// counts pieces.
func responsesVLLM(pieces []string) []byte { return responsesVLLMSaid([]string{"hm", " well"}, pieces) }

func responsesVLLMReasoning(pieces []string) []byte {
	return responsesVLLMSaid(pieces, []string{"a", " clear", " sky"})
}

func responsesVLLMSaid(thought, said []string) []byte {
	s := &responsesScript{}
	head := func(status, output string) string {
		return `"response":{"id":"resp_1","created_at":7,"incomplete_details":null,"instructions":null,"metadata":null,"model":"m","object":"response","output":[` + output + `],"parallel_tool_calls":true,"temperature":0.7,"tool_choice":"auto","tools":[],"top_p":0.8,"status":"` + status + `","kv_transfer_params":null,"input_messages":null,"output_messages":null}`
	}
	reasoning, text := responsesJSON(strings.Join(thought, "")), responsesJSON(strings.Join(said, ""))
	s.vllm("response.created", head("in_progress", ""))
	s.vllm("response.in_progress", head("in_progress", ""))
	s.vllm("response.output_item.added", `"item":{"id":"rs","summary":[],"type":"reasoning","content":null,"encrypted_content":null,"status":"in_progress"},"output_index":0`)
	s.vllm("response.reasoning_part.added", `"content_index":0,"item_id":"rs","output_index":0,"part":{"text":"","type":"reasoning_text"}`)
	for i, p := range thought {
		s.vllm("response.reasoning_text.delta", fmt.Sprintf(`"content_index":%d,"delta":%s,"item_id":"rs","output_index":0`, i+1, responsesJSON(p)))
	}
	s.vllm("response.reasoning_text.done", `"content_index":9,"item_id":"rs","output_index":0,"text":`+reasoning)
	s.vllm("response.reasoning_part.done", `"content_index":9,"item_id":"rs","output_index":0,"part":{"text":`+reasoning+`,"type":"reasoning_text"}`)
	first := `{"id":"rs","summary":[],"type":"reasoning","content":[{"text":` + reasoning + `,"type":"reasoning_text"}],"encrypted_content":null,"status":"completed"}`
	s.vllm("response.output_item.done", `"item":`+first+`,"output_index":0`)
	s.vllm("response.output_item.added", `"item":{"id":"rs","content":[],"role":"assistant","status":"in_progress","type":"message"},"output_index":0`)
	s.vllm("response.content_part.added", `"content_index":0,"item_id":"msg","output_index":1,"part":{"annotations":[],"text":"","type":"output_text","logprobs":[]}`)
	for i, p := range said {
		s.vllm("response.output_text.delta", fmt.Sprintf(`"content_index":%d,"delta":%s,"item_id":"msg","logprobs":[],"output_index":1`, i+1, responsesJSON(p)))
	}
	s.vllm("response.output_text.done", fmt.Sprintf(`"content_index":%d,"item_id":"msg","logprobs":[],"output_index":1,"text":%s`, len(said)+1, text))
	part := `{"annotations":[],"text":` + text + `,"type":"output_text","logprobs":null}`
	s.vllm("response.content_part.done", fmt.Sprintf(`"content_index":%d,"item_id":"msg","output_index":1,"part":%s`, len(said)+2, part))
	second := `{"id":"msg","content":[` + part + `],"role":"assistant","status":"completed","type":"message"}`
	s.vllm("response.output_item.done", `"item":`+second+`,"output_index":1`)
	s.vllm("response.completed", head("completed", first+","+second))
	return []byte(s.out.String())
}

// responsesLlama is a stream of llama.cpp's: nothing has a number.
func responsesLlama(pieces []string) []byte {
	var b strings.Builder
	event := func(kind, members string) {
		fmt.Fprintf(&b, "event: %s\ndata: {\"type\":\"%s\",%s}\n\n", kind, kind, members)
	}
	text := responsesJSON(strings.Join(pieces, ""))
	event("response.created", `"response":{"id":"resp_1","object":"response","status":"in_progress"}`)
	event("response.in_progress", `"response":{"id":"resp_1","object":"response","status":"in_progress"}`)
	event("response.output_item.added", `"item":{"id":"rs_1","summary":[],"type":"reasoning","content":[],"encrypted_content":"","status":"in_progress"}`)
	event("response.reasoning_text.delta", `"delta":"hm","item_id":"rs_1"`)
	first := `{"id":"rs_1","summary":[],"type":"reasoning","content":[{"text":"hm","type":"reasoning_text"}],"encrypted_content":""}`
	event("response.output_item.done", `"item":`+first)
	event("response.output_item.added", `"item":{"content":[],"id":"msg_1","role":"assistant","status":"in_progress","type":"message"}`)
	event("response.content_part.added", `"item_id":"msg_1","part":{"type":"output_text","text":""}`)
	for _, p := range pieces {
		event("response.output_text.delta", `"item_id":"msg_1","delta":`+responsesJSON(p))
	}
	event("response.output_text.done", `"item_id":"msg_1","text":`+text)
	part := `{"type":"output_text","annotations":[],"logprobs":[],"text":` + text + `}`
	event("response.content_part.done", `"item_id":"msg_1","part":`+part)
	second := `{"type":"message","status":"completed","id":"msg_1","content":[` + part + `],"role":"assistant"}`
	event("response.output_item.done", `"item":`+second)
	event("response.completed", `"response":{"id":"resp_1","object":"response","created_at":7,"status":"completed","model":"m","output":[`+first+`,`+second+`],"output_text":`+text+`,"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}`)
	return []byte(b.String())
}

// responsesShell is a stream with a shell call.
func responsesShell(pieces []string) []byte {
	return responsesStreamed(func(s *responsesScript, n int) string {
		text := responsesJSON(strings.Join(pieces, ""))
		s.event("response.output_item.added", `"output_index":0,"item":{"id":"sh","type":"shell_call","status":"in_progress","call_id":"c","action":{"commands":[],"timeout_ms":null,"max_output_length":null}}`)
		s.event("response.shell_call_command.added", `"output_index":0,"command_index":0,"command":""`)
		for _, p := range pieces {
			s.event("response.shell_call_command.delta", `"output_index":0,"command_index":0,"delta":`+responsesJSON(p))
		}
		s.event("response.shell_call_command.done", `"output_index":0,"command_index":0,"command":`+text)
		item := `{"id":"sh","type":"shell_call","status":"completed","call_id":"c","action":{"commands":[` + text + `],"timeout_ms":null,"max_output_length":null}}`
		s.event("response.output_item.done", `"output_index":0,"item":`+item)
		return item
	})
}

// responsesWhole are items whose texts come at once.
var responsesWhole = []struct{ shape, item string }{
	{"web search", `{"id":"i","type":"web_search_call","status":"completed","action":{"type":"search","query":%s,"queries":[%s],"sources":[{"type":"url","url":"https://example.org"}]}}`},
	{"file search", `{"id":"i","type":"file_search_call","status":"completed","queries":[%s],"results":[{"file_id":"f","filename":"a.txt","score":0.5,"text":%s,"attributes":{"a":"b"}}]}`},
	{"code and its logs", `{"id":"i","type":"code_interpreter_call","status":"completed","container_id":"c","code":%s,"outputs":[{"type":"logs","logs":%s}]}`},
	{"computer call", `{"id":"i","type":"computer_call","status":"completed","call_id":"c","action":{"type":"type","text":%s},"actions":[{"type":"type","text":%s}],"pending_safety_checks":[]}`},
	{"local shell", `{"id":"i","type":"local_shell_call","status":"completed","call_id":"c","action":{"type":"exec","command":["echo",%s],"env":{"A":%s}}}`},
	{"shell output", `{"id":"i","type":"shell_call_output","status":"completed","call_id":"c","output":[{"stdout":%s,"stderr":%s,"outcome":{"type":"exit","exit_code":0}}]}`},
	{"patch", `{"id":"i","type":"apply_patch_call","status":"completed","call_id":"c","operation":{"type":"update_file","path":"a.txt","diff":%s},"note":%s}`},
	{"MCP call", `{"id":"i","type":"mcp_call","server_label":"s","name":"f","arguments":"{}","output":%s,"error":%s}`},
	{"MCP approval", `{"id":"i","type":"mcp_approval_request","server_label":"s","name":%s,"arguments":"{}","note":%s}`},
	{"MCP tools", `{"id":"i","type":"mcp_list_tools","server_label":"s","tools":[{"name":"f","description":%s,"input_schema":{"type":"object","properties":{"a":{"description":%s}}}}]}`},
	{"tool search", `{"id":"i","type":"tool_search_call","status":"completed","execution":"server","arguments":{"goal":%s,"more":[%s,1,true]}}`},
	{"tool output", `{"id":"i","type":"function_call_output","call_id":"c","output":%s,"note":%s}`},
	{"tool output in parts", `{"id":"i","type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":%s},{"type":"input_text","text":%s}]}`},
	{"program", `{"id":"i","type":"program","code":%s,"result":%s}`},
	{"picture", `{"id":"i","type":"image_generation_call","status":"completed","result":"iVBORw0KGgo=","revised_prompt":%s,"note":%s}`},
	{"unknown", `{"id":"i","type":"song","verses":[{"line":%s},{"line":%s}]}`},
	{"message of two parts", `{"id":"i","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":%s,"annotations":[]},{"type":"refusal","refusal":%s}]}`},
	{"spoken", `{"id":"i","type":"message","role":"assistant","content":[{"type":"output_audio","data":"AAAA","transcript":%s},{"type":"input_text","text":%s}]}`},
}

// responsesItems are items that come whole: each type in a response, some by
// themselves, all of them in a list, some in a stream.
func responsesItems() []apiCase {
	one := apiCase{api: "openai.responses", contentType: "application/json", text: responsesLeaf}
	var cases []apiCase
	var all []func(pieces []string) string
	for _, it := range responsesWhole {
		item := func(pieces []string) string {
			text := responsesJSON(strings.Join(pieces, ""))
			return fmt.Sprintf(it.item, text, text)
		}
		all = append(all, item)
		c := one
		c.shape, c.path, c.ask = it.shape, "/v1/responses", responsesAsk
		c.body = func(pieces []string) []byte { return []byte(responsesObject("completed", "null", item(pieces))) }
		cases = append(cases, c)
		switch it.shape {
		case "message of two parts", "code and its logs", "tool output":
			c.shape, c.path, c.ask = it.shape+" (alone)", "/v1/conversations/c/items/i", ""
			c.body = func(pieces []string) []byte { return []byte(item(pieces)) }
			cases = append(cases, c)
		}
	}
	join := func(n int, pieces []string) string {
		var items []string
		for _, item := range all[:n] {
			items = append(items, item(pieces))
		}
		return strings.Join(items, ",")
	}
	list := one
	list.shape, list.path = "a list of all these", "/v1/responses/r/input_items"
	list.body = func(pieces []string) []byte {
		return []byte(`{"object":"list","data":[` + join(len(all), pieces) + `],"first_id":"i","last_id":"i","has_more":false}`)
	}
	streamed := one
	streamed.shape, streamed.path, streamed.ask, streamed.contentType = "items that come whole", "/v1/responses", responsesAskStream, "text/event-stream"
	streamed.body = func(pieces []string) []byte {
		s := &responsesScript{}
		s.event("response.created", `"response":{"id":"r","object":"response","status":"in_progress","output":[]}`)
		for n, item := range all[:7] {
			s.event("response.output_item.added", fmt.Sprintf(`"output_index":%d,"item":{"id":"i","type":"x","status":"in_progress"}`, n))
			s.event("response.output_item.done", fmt.Sprintf(`"output_index":%d,"item":%s`, n, item(pieces)))
		}
		s.event("response.completed", `"response":{"id":"r","object":"response","status":"completed","output":[`+join(7, pieces)+`]}`)
		return []byte(s.out.String())
	}
	streamed.text = func(t *testing.T, body []byte) string {
		events := responsesEvents(t, body)
		last, err := json.Marshal(events[len(events)-1]["response"].(map[string]any)["output"])
		if err != nil {
			t.Fatal(err)
		}
		return responsesLeaf(t, last)
	}
	return append(cases, list, streamed)
}

// responsesLeaf is the first string of a document that begins as the text does.
// Every other one that does has to be the same.
func responsesLeaf(t *testing.T, body []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	found := ""
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, v := range v {
				walk(v)
			}
		case []any:
			for _, v := range v {
				walk(v)
			}
		case string:
			if strings.HasPrefix(v, apiBefore) {
				if found != "" && len(strings.TrimSpace(found)) != len(strings.TrimSpace(v)) {
					t.Errorf("%q and %q", found, v)
				}
				found = v
			}
		}
	}
	walk(v)
	return found
}
