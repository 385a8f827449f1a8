package relay

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"noecho/proxy/wire"
)

const (
	anthropicAsk       = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`
	anthropicStreamAsk = `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`
	anthropicJSONAsk   = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`
)

// anthropicEvent writes an event of Anthropic's streams.
func anthropicEvent(format string, args ...any) string {
	payload := fmt.Sprintf(format, args...)
	var m struct{ Type string }
	_ = json.Unmarshal([]byte(payload), &m)
	return "event: " + m.Type + "\ndata: " + payload + "\n\n"
}

// Events that most streams have.
var (
	messageStart = anthropicEvent(`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1,"service_tier":"standard"}}}`)
	messageEnd   = anthropicEvent(`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}`) + anthropicEvent(`{"type":"message_stop"}`)
	ping         = anthropicEvent(`{"type":"ping"}`)
)

// refused is how a message ends whose open block has the given number.
func refused(open int) string {
	stop := ""
	if open >= 0 {
		stop = anthropicEvent(`{"type":"content_block_stop","index":%d}`, open)
	}
	return stop + anthropicEvent(`{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null},"usage":{"input_tokens":3,"output_tokens":1}}`) + anthropicEvent(`{"type":"message_stop"}`)
}

// said is an answer of Anthropic's as a client puts it together.
type said struct {
	Content []map[string]any
	Stop    string         `json:"stop_reason"`
	Seq     string         `json:"stop_sequence"`
	Details map[string]any `json:"stop_details"`
	Error   map[string]any
}

// block is the text in a block, by the path of a member.
func (s *said) block(t *testing.T, n int, path ...any) string {
	t.Helper()
	if n >= len(s.Content) {
		return ""
	}
	var v any = s.Content[n]
	for _, p := range path {
		switch p := p.(type) {
		case string:
			v = v.(map[string]any)[p]
		case int:
			v = v.([]any)[p]
		}
	}
	text, ok := v.(string)
	if !ok {
		t.Fatalf("%v is no text in %v", path, s.Content)
	}
	return text
}

// anthropicMessage reads an unstreamed answer.
func anthropicMessage(t *testing.T, body []byte) *said {
	t.Helper()
	var s said
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return &s
}

// anthropicStream reads a stream as strictly as the official clients: every
// event has its name, begins and ends in order.
func anthropicStream(t *testing.T, body []byte) *said {
	t.Helper()
	var s said
	state, open := "", -1
	var input strings.Builder
	for _, e := range strings.Split(strings.TrimSuffix(string(body), "\n\n"), "\n\n") {
		name, payload, _ := strings.Cut(strings.TrimPrefix(e, "event: "), "\ndata: ")
		var m struct {
			Type    string
			Index   *int
			Message *said
			Block   map[string]any `json:"content_block"`
			Delta   map[string]any
			Usage   map[string]any
			Error   map[string]any
		}
		if err := json.Unmarshal([]byte(payload), &m); err != nil || m.Type != name {
			t.Fatalf("%v in event %s", err, e)
		}
		fail := func() { t.Fatalf("%s is not due in %s", e, body) }
		if state == "message_stop" || state == "error" {
			fail()
		}
		switch name {
		case "ping":
			continue
		case "message_start":
			if state != "" {
				fail()
			}
			s = *m.Message
		case "content_block_start":
			if open >= 0 || *m.Index != len(s.Content) || state == "" {
				fail()
			}
			open = *m.Index
			input.Reset()
			s.Content = append(s.Content, m.Block)
		case "content_block_delta":
			if open < 0 || *m.Index != open {
				fail()
			}
			b := s.Content[open]
			switch m.Delta["type"] {
			case "text_delta":
				b["text"] = b["text"].(string) + m.Delta["text"].(string)
			case "thinking_delta":
				b["thinking"] = b["thinking"].(string) + m.Delta["thinking"].(string)
			case "signature_delta":
				b["signature"] = m.Delta["signature"].(string)
			case "compaction_delta":
				b["content"] = m.Delta["content"].(string)
			case "citations_delta":
				list, _ := b["citations"].([]any)
				b["citations"] = append(list, m.Delta["citation"].(map[string]any))
			case "input_json_delta":
				input.WriteString(m.Delta["partial_json"].(string))
				b["json"] = input.String()
			default:
				fail()
			}
		case "content_block_stop":
			if open < 0 || *m.Index != open {
				fail()
			}
			open = -1
		case "message_delta":
			if open >= 0 || m.Usage["output_tokens"] == nil || m.Delta["stop_reason"] == nil {
				fail()
			}
			s.Stop = m.Delta["stop_reason"].(string)
			s.Seq, _ = m.Delta["stop_sequence"].(string)
			s.Details, _ = m.Delta["stop_details"].(map[string]any)
		case "message_stop":
			if s.Stop == "" {
				fail()
			}
		case "error":
			s.Error = m.Error
		default:
			fail()
		}
		state = name
	}
	if state != "message_stop" && state != "error" {
		t.Fatalf("ends after %s: %s", state, body)
	}
	return &s
}

// inputText is the text in a tool's input as it was streamed: of one that was
// cut short too.
func inputText(t *testing.T, s *said, n int) string {
	t.Helper()
	if n >= len(s.Content) || s.Content[n]["json"] == nil {
		return ""
	}
	raw := s.Content[n]["json"].(string)
	if s.Stop == "refusal" {
		return strings.TrimPrefix(raw, `{"text":"`)
	}
	var v struct{ Text string }
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return v.Text
}

// anthropicStreams are the streamed shapes of messages.
func anthropicStreams() []apiCase {
	add := func(shape string, open int, events func(pieces []string) string, text func(t *testing.T, s *said) string) apiCase {
		return apiCase{
			api: "anthropic.messages", shape: shape, path: "/v1/messages", ask: anthropicStreamAsk, contentType: "text/event-stream",
			body: func(pieces []string) []byte { return []byte(messageStart + ping + events(pieces)) },
			text: func(t *testing.T, body []byte) string { return text(t, anthropicStream(t, body)) },
			filtered: func(t *testing.T, body []byte) {
				if !strings.HasSuffix(string(body), refused(open)) {
					t.Errorf("ends in %q", body[max(0, len(body)-400):])
				}
			},
		}
	}
	block := func(start string, deltas ...string) string {
		out := anthropicEvent(`{"type":"content_block_start","index":0,"content_block":%s}`, start)
		for _, d := range deltas {
			out += anthropicEvent(`{"type":"content_block_delta","index":0,"delta":%s}`, d)
		}
		return out + anthropicEvent(`{"type":"content_block_stop","index":0}`)
	}
	deltas := func(format string, pieces []string) []string {
		var out []string
		for _, p := range pieces {
			out = append(out, fmt.Sprintf(format, anthropicLiteral(p)))
		}
		return out
	}
	const text = `{"type":"text_delta","text":%s}`
	whole := func(pieces []string) string { return anthropicLiteral(strings.Join(pieces, "")) }
	reads := func(path ...any) func(t *testing.T, s *said) string {
		return func(t *testing.T, s *said) string { return s.block(t, 0, path...) }
	}
	tool := func(start string) func(pieces []string) string {
		return func(pieces []string) string {
			ds := []string{`{"type":"input_json_delta","partial_json":""}`, `{"type":"input_json_delta","partial_json":"{\"text\":\""}`}
			for _, p := range pieces {
				ds = append(ds, fmt.Sprintf(`{"type":"input_json_delta","partial_json":%s}`, anthropicLiteral(strings.Trim(anthropicLiteral(p), `"`))))
			}
			return block(start, append(ds, `{"type":"input_json_delta","partial_json":"\"}"}`)...) + messageEnd
		}
	}
	input := func(t *testing.T, s *said) string { return inputText(t, s, 0) }
	once := func(shape, start, delta string, path ...any) apiCase {
		return add(shape, 0, func(pieces []string) string {
			start, delta := strings.ReplaceAll(start, "TEXT", whole(pieces)), strings.ReplaceAll(delta, "TEXT", whole(pieces))
			if delta == "" {
				return block(start) + messageEnd
			}
			return block(start, delta) + messageEnd
		}, reads(path...))
	}
	return []apiCase{
		add("text", 0, func(pieces []string) string {
			return block(`{"type":"text","text":""}`, deltas(text, pieces)...) + messageEnd
		}, reads("text")),
		add("text and citations", 0, func(pieces []string) string {
			ds := append(deltas(text, pieces), fmt.Sprintf(`{"type":"citations_delta","citation":{"type":"char_location","cited_text":%s,"document_index":0,"document_title":%s,"start_char_index":0,"end_char_index":20}}`, whole(pieces), whole(pieces)))
			return block(`{"type":"text","text":"","citations":[]}`, ds...) + messageEnd
		}, reads("text")),
		add("thinking and signature", 0, func(pieces []string) string {
			sign := base64.StdEncoding.EncodeToString([]byte(strings.Join(pieces, "")))
			ds := append(deltas(`{"type":"thinking_delta","thinking":%s}`, pieces), fmt.Sprintf(`{"type":"signature_delta","signature":%q}`, sign))
			return block(`{"type":"thinking","thinking":"","signature":""}`, ds...) + messageEnd
		}, reads("thinking")),
		add("tool input", 0, tool(`{"type":"tool_use","id":"toolu_1","name":"note","input":{}}`), input),
		add("tool input not announced", 0, tool(`{"type":"tool_use","id":"toolu_1","name":"note"}`), input),
		add("server tool input", 0, tool(`{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`), input),
		once("tool input announced whole", `{"type":"mcp_tool_use","id":"mcptoolu_1","name":"n","server_name":"s","input":{"text":TEXT}}`, "", "input", "text"),
		once("text announced", `{"type":"text","text":TEXT}`, "", "text"),
		once("web search result", `{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","title":TEXT,"url":"https://example.org/a","encrypted_content":"AAAA","page_age":null}]}`, "", "content", 0, "title"),
		once("web fetch result", `{"type":"web_fetch_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"web_fetch_result","url":"https://example.org","content":{"type":"document","source":{"type":"text","media_type":"text/plain","data":TEXT},"title":TEXT}}}`, "", "content", "content", "source", "data"),
		once("code execution result", `{"type":"code_execution_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"code_execution_result","stdout":TEXT,"stderr":TEXT,"return_code":0,"content":[]}}`, "", "content", "stdout"),
		once("MCP result", `{"type":"mcp_tool_result","tool_use_id":"mcptoolu_1","is_error":false,"content":[{"type":"text","text":TEXT}]}`, "", "content", 0, "text"),
		once("compaction", `{"type":"compaction","content":null}`, `{"type":"compaction_delta","content":TEXT}`, "content"),
		add("text behind a redacted thought", 1, func(pieces []string) string {
			thought := block(`{"type":"redacted_thinking","data":"EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpP"}`)
			return thought + strings.ReplaceAll(block(`{"type":"text","text":""}`, deltas(text, pieces)...), `"index":0`, `"index":1`) + messageEnd
		}, func(t *testing.T, s *said) string { return s.block(t, 1, "text") }),
		add("stop sequence", -1, func(pieces []string) string {
			return strings.Replace(messageEnd, `"stop_sequence":null`, `"stop_sequence":`+whole(pieces), 1)
		}, func(_ *testing.T, s *said) string { return s.Seq }).ending(`"stop_reason":"refusal"`),
		add("explanation", -1, func(pieces []string) string {
			return strings.Replace(messageEnd, `"stop_sequence":null`, `"stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":`+whole(pieces)+`}`, 1)
		}, func(_ *testing.T, s *said) string { return s.Details["explanation"].(string) }).ending(`"stop_reason":"refusal"`),
		add("error", -1, func(pieces []string) string {
			return anthropicEvent(`{"type":"error","error":{"type":"overloaded_error","message":%s},"request_id":"req_1"}`, whole(pieces))
		}, func(_ *testing.T, s *said) string {
			text, _ := s.Error["message"].(string)
			return text
		}).ending(`event: error`),
		{
			api: "anthropic.messages", shape: "text in message_start", path: "/v1/messages", ask: anthropicStreamAsk, contentType: "text/event-stream",
			body: func(pieces []string) []byte {
				return []byte(strings.Replace(messageStart, `"content":[]`, `"content":[{"type":"text","text":`+whole(pieces)+`}]`, 1) + messageEnd)
			},
			text: func(t *testing.T, body []byte) string { return anthropicStream(t, body).block(t, 0, "text") },
			filtered: func(t *testing.T, body []byte) {
				if !strings.HasSuffix(string(body), refused(-1)) {
					t.Errorf("ends in %q", body)
				}
			},
		},
	}
}

// ending makes a case whose blocked answer has another end.
func (c apiCase) ending(part string) apiCase {
	c.filtered = func(t *testing.T, body []byte) {
		if !strings.Contains(string(body), part) {
			t.Errorf("no %s in %s", part, body)
		}
	}
	return c
}

// anthropicAnswers are the unstreamed shapes of messages. TEXT stands for the
// text as a JSON string, JSON for a JSON text that holds it.
func anthropicAnswers() []apiCase {
	add := func(shape, content string, path ...any) apiCase {
		return apiCase{
			api: "anthropic.messages", shape: shape, path: "/v1/messages", ask: anthropicAsk, contentType: "application/json",
			body: func(pieces []string) []byte {
				text := strings.Join(pieces, "")
				content := strings.NewReplacer("TEXT", anthropicLiteral(text), "BASE64", base64.StdEncoding.EncodeToString([]byte(text)), "JSON", anthropicLiteral(`{"text":`+anthropicLiteral(text)+`}`)).Replace(content)
				return fmt.Appendf(nil, `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[%s],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}`, content)
			},
			text: func(t *testing.T, body []byte) string { return anthropicMessage(t, body).block(t, 0, path...) },
		}
	}
	schema := add("text that is JSON", `{"type":"text","text":JSON}`)
	schema.ask = anthropicJSONAsk
	schema.text = func(t *testing.T, body []byte) string {
		var v struct{ Text string }
		if err := json.Unmarshal([]byte(anthropicMessage(t, body).block(t, 0, "text")), &v); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		return v.Text
	}
	stop := add("stop sequence", ``)
	stop.body = func(pieces []string) []byte {
		return fmt.Appendf(nil, `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"stop_sequence","stop_sequence":%s,"usage":{}}`, anthropicLiteral(strings.Join(pieces, "")))
	}
	stop.text = func(t *testing.T, body []byte) string { return anthropicMessage(t, body).Seq }
	failure := add("error", ``)
	failure.body = func(pieces []string) []byte {
		return fmt.Appendf(nil, `{"type":"error","error":{"type":"api_error","message":%s},"request_id":"req_1"}`, anthropicLiteral(strings.Join(pieces, "")))
	}
	failure.text = func(t *testing.T, body []byte) string { return anthropicMessage(t, body).Error["message"].(string) }
	vertex := add("text by Vertex's path", `{"type":"text","text":TEXT}`, "text")
	vertex.path, vertex.ask = "/v1/projects/p/locations/l/publishers/anthropic/models/claude@1:rawPredict", `{"anthropic_version":"vertex-2023-10-16","max_tokens":9,"messages":[]}`
	return []apiCase{
		add("text", `{"type":"text","text":TEXT}`, "text"),
		vertex,
		add("text and citations", `{"type":"text","text":TEXT,"citations":[{"type":"web_search_result_location","cited_text":TEXT,"title":TEXT,"url":"https://example.org","encrypted_index":"BASE64"}]}`, "text"),
		add("thinking and signature", `{"type":"thinking","thinking":TEXT,"signature":"BASE64"},{"type":"text","text":"x"}`, "thinking"),
		add("tool input", `{"type":"tool_use","id":"toolu_1","name":"note","input":{"text":TEXT,"n":[1,true,null]}}`, "input", "text"),
		add("server tool input", `{"type":"server_tool_use","id":"srvtoolu_1","name":"bash","input":{"text":TEXT}}`, "input", "text"),
		add("tool input in a string", `{"type":"tool_use","id":"toolu_1","name":"note","input":TEXT}`, "input"),
		add("web search result", `{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","title":TEXT,"url":"https://example.org/a","encrypted_content":"AAAA"}]}`, "content", 0, "title"),
		add("code execution result", `{"type":"bash_code_execution_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"bash_code_execution_result","stdout":TEXT,"stderr":TEXT,"return_code":0}}`, "content", "stdout"),
		add("text editor result", `{"type":"text_editor_code_execution_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"text_editor_code_execution_view_result","content":TEXT,"lines":[TEXT]}}`, "content", "content"),
		add("MCP result", `{"type":"mcp_tool_result","tool_use_id":"mcptoolu_1","is_error":false,"content":TEXT}`, "content"),
		add("compaction", `{"type":"compaction","content":TEXT}`, "content"),
		add("container", `{"type":"container_upload","file_id":"file_1","note":TEXT}`, "note"),
		schema, stop, failure,
	}
}

// anthropicLiteral is a text as a JSON string.
func anthropicLiteral(text string) string { return string(mustJSON(text)) }

func anthropicCases() []apiCase {
	return slices.Concat(anthropicStreams(), anthropicAnswers(), completeCases())
}

// anthropicConfig is the configuration for one stream of messages.
func anthropicConfig(t *testing.T, mode Decision) Config {
	t.Helper()
	c := anthropicStreams()[0]
	return c.config(t, mode)
}

// textBlocks are text blocks of a stream, one for each text.
func textBlocks(texts ...string) string {
	var out strings.Builder
	for i, s := range texts {
		out.WriteString(anthropicEvent(`{"type":"content_block_start","index":%d,"content_block":{"type":"text","text":""}}`, i))
		out.WriteString(anthropicEvent(`{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":%s}}`, i, anthropicLiteral(s)))
		out.WriteString(anthropicEvent(`{"type":"content_block_delta","index":%d,"delta":{"type":"citations_delta","citation":{"type":"char_location","cited_text":"quoted"}}}`, i))
		out.WriteString(anthropicEvent(`{"type":"content_block_stop","index":%d}`, i))
	}
	return out.String()
}

// TestAnthropicBlocks: citations cut a text into blocks anywhere; it is read as
// one text. Words that left when their block ended are gone, the others do not leave.
// Each block is masked for itself, and only its own citations are dropped.
func TestAnthropicBlocks(t *testing.T) {
	t.Parallel()
	body := messageStart + textBlocks("he said quartz vio", "let sphinx umpire walnut ", "lagoon cobalt then", " and no more") + messageEnd
	got := everySplit(t, anthropicConfig(t, redacting), body)
	s := anthropicStream(t, []byte(got.out))
	var texts, cited []string
	for i := range s.Content {
		texts = append(texts, s.block(t, i, "text"))
		list, _ := s.Content[i]["citations"].([]any)
		cited = append(cited, fmt.Sprint(len(list)))
	}
	if got, want := strings.Join(texts, "|"), "he said quartz vio|[redacted] |[redacted] then| and no more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := strings.Join(cited, ""); got != "1001" {
		t.Errorf("citations of the blocks: %s", got)
	}

	got = everySplit(t, anthropicConfig(t, blocking), body)
	if !errors.Is(got.err, ErrBlocked) || !strings.HasSuffix(got.out, anthropicEvent(`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":""}}`)+refused(1)) {
		t.Errorf("%v %s", got.err, got.out)
	}

	cfg := anthropicConfig(t, redacting)
	cfg.Framing = wire.JSON
	answer := `{"type":"message","content":[{"type":"text","text":"he said quartz vio","citations":[{"cited_text":"a"}]},{"type":"thinking","thinking":"","signature":"AAAA"},{"type":"text","text":"let sphinx umpire walnut "},{"type":"text","text":"lagoon cobalt then","citations":[{"cited_text":"b"}]},{"type":"text","text":"end","citations":[{"cited_text":"c"}]}]}`
	want := `{"type":"message","content":[{"type":"text","text":"he said [redacted]","citations":null},{"type":"thinking","thinking":"","signature":"AAAA"},{"type":"text","text":"[redacted]"},{"type":"text","text":"[redacted] then","citations":null},{"type":"text","text":"end","citations":[{"cited_text":"c"}]}]}`
	if o, _ := whole(cfg, answer); o.out != want {
		t.Errorf("got  %s\nwant %s", o.out, want)
	}
}

// TestAnthropicOrder: announcements leave at once, and the text of a block leaves before
// the block's end.
func TestAnthropicOrder(t *testing.T) {
	t.Parallel()
	r := New(anthropicConfig(t, redacting))
	send := func(in, want string) {
		t.Helper()
		out, err := r.Append(nil, []byte(in))
		if string(out) != want || err != nil {
			t.Fatalf("got %q, %v\nwant %q", out, err, want)
		}
	}
	tool := anthropicEvent(`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`)
	json1 := anthropicEvent(`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\": \"quartz violet"}}`)
	json2 := anthropicEvent(`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":" sphinx\"}"}}`)
	stop := anthropicEvent(`{"type":"content_block_stop","index":0}`)
	text := anthropicEvent(`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`)
	send(ping+messageStart, ping+messageStart)
	send(tool, tool)
	send(json1, "")
	send(ping, "")
	send(json2, "")
	send(stop, json1+ping+json2+stop)
	send(text, text)
	send(messageEnd, messageEnd)
}

// TestAnthropicMany: an answer of hundreds of searches and cited blocks is
// scanned, and the texts beside it stay apart from block to block.
func TestAnthropicMany(t *testing.T) {
	t.Parallel()
	cited := func(title string) string {
		return `[{"type":"web_search_result_location","cited_text":"c","title":` + anthropicLiteral(title) + `,"url":"https://example.org","encrypted_index":"AAAA"}]`
	}
	results := func(title string) string {
		one := `{"type":"web_search_result","title":` + anthropicLiteral(title) + `,"url":"https://example.org","encrypted_content":"AAAA","page_age":"1 day"}`
		return "[" + strings.Repeat(one+",", 9) + one + "]"
	}
	var events strings.Builder
	var content []string
	const blocks = 200
	for i := range blocks {
		title := "no end"
		if i == blocks-2 {
			title = apiSecret
		}
		result := `{"type":"web_search_tool_result","tool_use_id":"s","content":` + results(title) + `}`
		text := `{"type":"text","text":"x","citations":` + cited(title) + `}`
		content = append(content, `{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":"x"}}`, result, text)
		for j, b := range content[len(content)-3:] {
			events.WriteString(anthropicEvent(`{"type":"content_block_start","index":%d,"content_block":%s}`, 3*i+j, b))
			events.WriteString(anthropicEvent(`{"type":"content_block_stop","index":%d}`, 3*i+j))
		}
	}
	check := func(o outcome) {
		t.Helper()
		hidden(t, o.out)
		if o.err != nil || o.counts.Refused > 0 || strings.Count(o.out, "[redacted]") != 10 {
			t.Errorf("%v %+v, %d masks", o.err, o.counts, strings.Count(o.out, "[redacted]"))
		}
	}
	cfg := anthropicConfig(t, redacting)
	check(relayed(cfg, messageStart+events.String()+messageEnd))
	cfg.Framing = wire.JSON
	o, _ := whole(cfg, `{"type":"message","content":[`+strings.Join(content, ",")+`]}`)
	check(o)
}

// TestAnthropicInterleaved: pieces of two inputs are told apart by their number.
func TestAnthropicInterleaved(t *testing.T) {
	t.Parallel()
	piece := func(i int, s string) string {
		return anthropicEvent(`{"type":"content_block_delta","index":%d,"delta":{"type":"input_json_delta","partial_json":%s}}`, i, anthropicLiteral(s))
	}
	head := messageStart +
		anthropicEvent(`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}`) +
		anthropicEvent(`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"b","name":"f","input":{}}}`)
	tail := anthropicEvent(`{"type":"content_block_stop","index":0}`) + anthropicEvent(`{"type":"content_block_stop","index":1}`) + messageEnd
	body := head + piece(0, `["quartz violet `) + piece(1, `["hm `) + piece(0, `sphinx umpire walnut lagoon cobalt x"]`) + piece(1, `ho"]`) + tail
	got := everySplit(t, anthropicConfig(t, redacting), body)
	want := head + piece(0, `["quartz violet `) + piece(1, `["hm `) + piece(0, `[redacted] x"]`) + piece(1, `ho"]`) + tail
	if got.out != want {
		t.Errorf("got %s", got.out)
	}
}

// completeCases are the shapes of legacy completions.
func completeCases() []apiCase {
	const ask = `{"model":"m","prompt":"\n\nHuman: hi\n\nAssistant:","max_tokens_to_sample":9,"stream":%t}`
	add := func(shape, contentType string, body func(pieces []string) string, text func(t *testing.T, body []byte) string, end string) apiCase {
		return apiCase{
			api: "anthropic.complete", shape: shape, path: "/v1/complete", ask: fmt.Sprintf(ask, contentType != "application/json"), contentType: contentType,
			body: func(pieces []string) []byte { return []byte(body(pieces)) },
			text: text,
			filtered: func(t *testing.T, body []byte) {
				if !strings.HasSuffix(string(body), end) {
					t.Errorf("ends in %q", body[max(0, len(body)-300):])
				}
			},
		}
	}
	// The client of the newer version adds the texts of named events, that of
	// the older takes the last one.
	pieces := func(t *testing.T, body []byte) string {
		t.Helper()
		var text strings.Builder
		stop := ""
		for _, e := range strings.Split(strings.TrimSuffix(string(body), "\n\n"), "\n\n") {
			name, payload, _ := strings.Cut(strings.TrimPrefix(e, "event: "), "\ndata: ")
			var m struct {
				Type, Completion string
				Stop             string `json:"stop_reason"`
			}
			if err := json.Unmarshal([]byte(payload), &m); err != nil || m.Type != name || stop != "" {
				t.Fatalf("%v in %s", err, e)
			}
			text.WriteString(m.Completion)
			stop = m.Stop
		}
		if stop == "" {
			t.Fatalf("no stop_reason in %s", body)
		}
		return text.String()
	}
	last := func(t *testing.T, body []byte) string {
		t.Helper()
		events := strings.Split(strings.TrimSuffix(string(body), "\n\n"), "\n\n")
		var m struct {
			Completion string
			Stop       string `json:"stop_reason"`
		}
		for i, e := range events[:len(events)-1] {
			before := m.Completion
			if err := json.Unmarshal([]byte(strings.TrimPrefix(e, "data: ")), &m); err != nil || !strings.HasPrefix(m.Completion, before) || i < len(events)-2 && m.Stop != "" {
				t.Fatalf("%v in %s", err, e)
			}
		}
		if m.Stop == "" || events[len(events)-1] != "data: [DONE]" {
			t.Fatalf("ends badly: %s", body)
		}
		return m.Completion
	}
	const blocked = apiBefore + " "
	return []apiCase{
		add("pieces", "text/event-stream", func(pieces []string) string {
			var out strings.Builder
			out.WriteString(ping)
			for _, p := range pieces {
				out.WriteString(anthropicEvent(`{"type":"completion","completion":%s,"stop_reason":null,"model":"m","stop":null,"log_id":"compl_1"}`, anthropicLiteral(p)))
			}
			return out.String() + anthropicEvent(`{"type":"completion","completion":"","stop_reason":"stop_sequence","model":"m","stop":%s,"log_id":"compl_1"}`, anthropicLiteral(strings.Join(pieces, "")))
		}, pieces, anthropicEvent(`{"type":"completion","completion":"","stop_reason":"refusal","stop":null}`)),
		add("cumulative", "text/event-stream", func(pieces []string) string {
			var payloads []string
			for i := range pieces {
				payloads = append(payloads, fmt.Sprintf(`{"completion":%s,"stop_reason":null,"model":"m","truncated":false,"stop":null,"log_id":"1","exception":null}`, anthropicLiteral(strings.Join(pieces[:i+1], ""))))
			}
			payloads = append(payloads, fmt.Sprintf(`{"completion":%s,"stop_reason":"stop_sequence","model":"m","truncated":false,"stop":"x","log_id":"1","exception":null}`, anthropicLiteral(strings.Join(pieces, ""))), "[DONE]")
			return stream(payloads...)
		}, last, stream(`{"completion":`+anthropicLiteral(blocked)+`,"stop_reason":"refusal","stop":null}`, "[DONE]")),
		add("text", "application/json", func(pieces []string) string {
			return fmt.Sprintf(`{"type":"completion","id":"compl_1","completion":%s,"stop_reason":"stop_sequence","model":"m","stop":"\n\nHuman:","log_id":"compl_1"}`, anthropicLiteral(strings.Join(pieces, "")))
		}, func(t *testing.T, body []byte) string {
			var m struct{ Completion string }
			if err := json.Unmarshal(body, &m); err != nil {
				t.Fatal(err)
			}
			return m.Completion
		}, ""),
	}
}

// TestCompletePieces: bare messages that turn out to hold pieces are read as
// pieces.
func TestCompletePieces(t *testing.T) {
	t.Parallel()
	cases := completeCases()
	var payloads []string
	for _, p := range apiPieces(apiBefore + " " + apiSecret + apiAfter) {
		payloads = append(payloads, fmt.Sprintf(`{"completion":%s}`, anthropicLiteral(p)))
	}
	got := everySplit(t, cases[0].config(t, redacting), stream(payloads...))
	hidden(t, got.out)
	if strings.Count(got.out, "[redacted]") != 1 || len(got.findings) != 1 {
		t.Errorf("%q in %s", got.findings, got.out)
	}
}
