package relay

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"noecho/internal/raced"
)

// pairFrame is an answer whose places take turns: formats of an element, by the name of the
// place, and the body around the elements.
type pairFrame struct {
	name, contentType string
	stream            bool
	body              func(formats ...string) func([]string) string
	places            [][2]string // name and format, as [inTurn] reads it
}

// pairFrames are answers with the places that a model or its tools write.
func pairFrames() []pairFrame {
	list := func(body string) func(...string) func([]string) string {
		return func(formats ...string) func([]string) string { return within(body, formats...) }
	}
	events := func(frame func(string) string) func(...string) func([]string) string {
		return func(formats ...string) func([]string) string { return lines(frame, formats...) }
	}
	block := func(start, delta string) string {
		return `{"type":"content_block_start","index":%[2]d,"content_block":` + start + "}\n\n" + `data: {"type":"content_block_delta","index":%[2]d,"delta":` + delta + `}`
	}
	whole := func(start string) string {
		return `{"type":"content_block_start","index":%[2]d,"content_block":` + start + `}`
	}
	part := func(p string) string { return `{"candidates":[{"index":0,` + p + `}]}` }
	anthropic := [][2]string{
		{"text", `{"type":"text","text":%[5]s}`},
		{"thinking", `{"type":"thinking","thinking":%[1]s,"signature":"x"}`},
		{"input", `{"type":"tool_use","id":"t%[2]d","name":"f","input":{"text":%[1]s}}`},
		{"command", `{"type":"server_tool_use","id":"t%[2]d","name":"bash_code_execution","input":{"command":%[1]s}}`},
		{"key", `{"type":"tool_use","id":"t%[2]d","name":"f","input":{%[1]s:""}}`},
		{"name", `{"type":"tool_use","id":"t%[2]d","name":%[4]s,"input":{}}`},
		{"stdout", `{"type":"bash_code_execution_tool_result","tool_use_id":"t","content":{"type":"bash_code_execution_result","stdout":%[1]s,"stderr":"","return_code":0,"content":[]}}`},
		{"mcp", `{"type":"mcp_tool_result","tool_use_id":"t","is_error":false,"content":[{"type":"text","text":%[1]s}]}`},
		{"fetch", `{"type":"web_fetch_tool_result","tool_use_id":"t","content":{"type":"web_fetch_result","url":"https://x.example/","content":{"type":"document","title":"","source":{"type":"text","media_type":"text/plain","data":%[1]s}}}}`},
		{"search", `{"type":"web_search_tool_result","tool_use_id":"t","content":[{"type":"web_search_result","title":%[1]s,"url":"https://x.example/","encrypted_content":"","page_age":null}]}`},
		{"cited", `{"type":"text","text":"","citations":[{"type":"char_location","cited_text":%[1]s,"document_index":0,"document_title":null}]}`},
		{"unknown", `{"type":"zz","zz":%[1]s}`},
		{"unknown key", `{"type":"zz","zz":{%[1]s:1}}`},
	}
	streamed := [][2]string{
		{"text", block(`{"type":"text","text":""}`, `{"type":"text_delta","text":%[5]s}`)},
		{"input", block(`{"type":"tool_use","id":"t%[2]d","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":%[3]s}`)},
		{"key", block(`{"type":"tool_use","id":"t%[2]d","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":%[6]s}`)},
		{"command", block(`{"type":"server_tool_use","id":"t%[2]d","name":"web_search","input":{}}`, `{"type":"input_json_delta","partial_json":%[3]s}`)},
		{"name", whole(`{"type":"tool_use","id":"t%[2]d","name":%[4]s,"input":{}}`)},
		{"stdout", whole(anthropic[6][1])},
		{"mcp", whole(anthropic[7][1])},
		{"search", whole(anthropic[9][1])},
		{"cited", `{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"type":"char_location","cited_text":%[1]s,"document_index":0,"document_title":null}}}`},
		{"unknown", `{"type":"zz","zz":%[1]s}`},
		{"unknown key", `{"type":"zz","zz":{%[1]s:1}}`},
		{"error", `{"type":"error","error":{"type":"overloaded_error","message":%[1]s}}`},
	}
	responses := [][2]string{
		{"text", `{"type":"message","id":"m%[2]d","role":"assistant","status":"completed","content":[{"type":"output_text","text":%[1]s,"annotations":[],"logprobs":[]}]}`},
		{"summary", `{"type":"reasoning","id":"r%[2]d","summary":[{"type":"summary_text","text":%[1]s}]}`},
		{"arguments", `{"type":"function_call","id":"f%[2]d","call_id":"c%[2]d","name":"f","arguments":%[3]s,"status":"completed"}`},
		{"key", `{"type":"function_call","id":"f%[2]d","call_id":"c%[2]d","name":"f","arguments":%[6]s,"status":"completed"}`},
		{"name", `{"type":"function_call","id":"f%[2]d","call_id":"c%[2]d","name":%[4]s,"arguments":"{}","status":"completed"}`},
		{"query", `{"type":"web_search_call","id":"w%[2]d","status":"completed","action":{"type":"search","query":%[1]s,"queries":[%[1]s]}}`},
		{"queries", `{"type":"file_search_call","id":"w%[2]d","status":"completed","queries":[%[1]s],"results":null}`},
		{"result", `{"type":"file_search_call","id":"w%[2]d","status":"completed","queries":[],"results":[{"file_id":"file-1","filename":"a.txt","score":0.5,"text":%[1]s,"attributes":{}}]}`},
		{"code", `{"type":"code_interpreter_call","id":"w%[2]d","status":"completed","container_id":"cn","code":%[1]s,"outputs":null}`},
		{"logs", `{"type":"code_interpreter_call","id":"w%[2]d","status":"completed","container_id":"cn","code":"","outputs":[{"type":"logs","logs":%[1]s}]}`},
		{"shell", `{"type":"local_shell_call","id":"w%[2]d","call_id":"c","status":"completed","action":{"type":"exec","command":["bash","-lc",%[1]s],"env":{}}}`},
		{"stdout", `{"type":"shell_call_output","id":"w%[2]d","call_id":"c","status":"completed","output":[{"stdout":%[1]s,"stderr":"","outcome":{"type":"exit","exit_code":0}}]}`},
		{"mcp output", `{"type":"mcp_call","id":"w%[2]d","server_label":"l","name":"f","arguments":"{}","output":%[1]s,"error":null}`},
		{"mcp name", `{"type":"mcp_call","id":"w%[2]d","server_label":"l","name":%[4]s,"arguments":"{}"}`},
		{"title", `{"type":"message","id":"m%[2]d","role":"assistant","status":"completed","content":[{"type":"output_text","text":"","annotations":[{"type":"url_citation","title":%[1]s,"url":"https://x.example/","start_index":0,"end_index":1}]}]}`},
		{"tokens", `{"type":"message","id":"m%[2]d","role":"assistant","status":"completed","content":[{"type":"output_text","text":"","annotations":[],"logprobs":[{"token":%[5]s,"logprob":0,"bytes":[],"top_logprobs":[]}]}]}`},
		{"unknown", `{"type":"zz","zz":%[1]s}`},
		{"unknown key", `{"type":"zz","zz":{%[1]s:1}}`},
	}
	chat := [][2]string{
		{"arguments", `{"id":"t%[2]d","type":"function","function":{"name":"f","arguments":%[3]s}}`},
		{"key", `{"id":"t%[2]d","type":"function","function":{"name":"f","arguments":%[6]s}}`},
		{"name", `{"id":"t%[2]d","type":"function","function":{"name":%[4]s,"arguments":"{}"}}`},
		{"custom", `{"id":"t%[2]d","type":"custom","custom":{"name":"f","input":%[1]s}}`},
		{"unknown", `{"id":"t%[2]d","type":"zz","zz":%[1]s}`},
		{"extra", `{"id":"t%[2]d","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"note":%[1]s}}}`},
	}
	delta := func(members string) string { return `{"choices":[{"index":0,"delta":` + members + `}]}` }
	chunks := [][2]string{
		{"content", delta(`{"content":%[5]s}`)},
		{"reasoning", delta(`{"reasoning_content":%[5]s}`)},
		{"details", delta(`{"reasoning_details":[{"type":"reasoning.text","text":%[5]s,"index":0}]}`)},
		{"arguments", delta(`{"tool_calls":[{"index":%[2]d,"id":"c%[2]d","type":"function","function":{"name":"f","arguments":%[3]s}}]}`)},
		{"key", delta(`{"tool_calls":[{"index":%[2]d,"id":"c%[2]d","type":"function","function":{"name":"f","arguments":%[6]s}}]}`)},
		{"name", delta(`{"tool_calls":[{"index":%[2]d,"id":"c%[2]d","type":"function","function":{"name":%[4]s,"arguments":"{}"}}]}`)},
		{"title", delta(`{"annotations":[{"type":"url_citation","url_citation":{"title":%[1]s,"url":"https://x.example/a"}}]}`)},
		{"unknown", delta(`{"zz":%[1]s}`)},
		{"unknown of the message", `{"choices":[],"yy":%[1]s}`},
		{"unknown key", `{"choices":[],"yy":{%[1]s:1}}`},
		{"error", `{"error":{"message":%[1]s,"type":"x"}}`},
		{"tokens", `{"choices":[{"index":0,"delta":{"content":""},"logprobs":{"content":[{"token":%[5]s,"logprob":0,"bytes":null,"top_logprobs":[]}]}}]}`},
	}
	gemini := [][2]string{
		{"text", part(`"content":{"role":"model","parts":[{"text":%[5]s}]}`)},
		{"args", part(`"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{"text":%[1]s}}}]}`)},
		{"key", part(`"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{%[1]s:""}}}]}`)},
		{"code", part(`"content":{"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":%[1]s}}]}`)},
		{"output", part(`"content":{"role":"model","parts":[{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":%[1]s}}]}`)},
		{"title", part(`"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://x.example/","title":%[1]s}}]}`)},
		{"tokens", part(`"logprobsResult":{"chosenCandidates":[{"token":%[5]s,"logProbability":0}]}`)},
		{"unknown", part(`"zz":%[1]s`)},
		{"unknown key", `{"zz":{%[1]s:1}}`},
	}
	cohere := [][2]string{
		{"text", `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":%[5]s}}}}`},
		{"plan", `{"type":"tool-plan-delta","delta":{"message":{"tool_plan":%[5]s}}}`},
		{"arguments", `{"type":"tool-call-start","index":%[2]d,"delta":{"message":{"tool_calls":{"id":"t%[2]d","type":"function","function":{"name":"f","arguments":%[3]s}}}}}`},
		{"key", `{"type":"tool-call-start","index":%[2]d,"delta":{"message":{"tool_calls":{"id":"t%[2]d","type":"function","function":{"name":"f","arguments":%[6]s}}}}}`},
		{"source", `{"type":"citation-start","index":%[2]d,"delta":{"message":{"citations":{"start":0,"end":1,"text":"","sources":[{"type":"document","id":"d","document":{"title":%[1]s}}]}}}}`},
		{"tokens", `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":""}}},"logprobs":{"text":%[5]s,"token_ids":[1]}}`},
		{"unknown", `{"type":"zz","zz":%[1]s}`},
		{"unknown key", `{"type":"zz","zz":{%[1]s:1}}`},
	}
	bedrock := [][2]string{
		{"text", `{"contentBlockIndex":%[2]d,"delta":{"text":%[5]s}}`},
		{"input", `{"contentBlockIndex":%[2]d,"delta":{"toolUse":{"input":%[3]s}}}`},
		{"key", `{"contentBlockIndex":%[2]d,"delta":{"toolUse":{"input":%[6]s}}}`},
		{"cited", `{"contentBlockIndex":%[2]d,"delta":{"citation":{"sourceContent":[{"text":%[1]s}]}}}`},
		{"unknown", `{"contentBlockIndex":%[2]d,"delta":{"zz":%[1]s}}`},
	}
	frame := func(p string) string { return awsFrame("event", "contentBlockDelta", p) }
	message := func(p string) string { return `{"choices":[{"index":0,"message":` + p + `}]}` }
	return []pairFrame{
		{"anthropic.messages whole", jsonType, false, list(`{"id":"m","type":"message","role":"assistant","model":"m","content":[%s],"stop_reason":"end_turn"}`), anthropic},
		{"anthropic.messages stream", eventType, true, events(typedEvent), streamed},
		{"openai.responses whole", jsonType, false, list(`{"id":"r","object":"response","status":"completed","output":[%s]}`), responses},
		{"openai.responses stream", eventType, true, func(formats ...string) func([]string) string { return itemsTwice(formats...) }, responses},
		{"openai.chat whole", jsonType, false, list(message(`{"content":null,"tool_calls":[%s]}`)), chat},
		{"openai.chat stream", eventType, true, events(sseEvent), chunks},
		{"gemini stream", eventType, true, events(sseEvent), gemini},
		{"cohere.chat stream", eventType, true, events(typedEvent), cohere},
		{"bedrock.converse stream", eventStreamType, true, events(frame), bedrock},
	}
}

// mostOfPair is the number of words that may leave: those of a stretch that does not count yet,
// and of another one if the server sends it twice under names that no API has, or names alone.
func mostOfPair(names string, size int) int {
	if size == 1 && strings.Contains(names, "unknown key") {
		return 10 // the name before it may hide the first word
	}
	if regexp.MustCompile(`mcp name|responses stream (name\+mcp output|.*unknown key)`).MatchString(names) {
		return 18
	}
	return 9
}

// unpaired reports whether a record that is cut over two places is not found if each has so many
// words: words of a command behind those that repeat, and single words that may be ids.
func unpaired(names string, size int) bool {
	return strings.Contains(names, "shell") || strings.Contains(names, "source") && size == 1 || strings.Contains(names, "query+unknown") && size < 5
}

// TestPairs: a record that is cut over any two places in turn is found, however many words
// each has.
func TestPairs(t *testing.T) {
	t.Parallel()
	for _, f := range pairFrames() {
		for i, a := range f.places {
			for j, b := range f.places[i:] {
				if raced.Skips(i + j) {
					continue
				}
				name := fmt.Sprintf("%s %s+%s", f.name, a[0], b[0])
				s := answerShape{name, f.contentType, f.stream, f.body(a[1], b[1])}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					for _, size := range []int{1, 3, 5, 9} {
						if !unpaired(name, size) {
							checkPair(t, s, size)
						}
					}
				})
			}
		}
	}
}

func checkPair(t *testing.T, s answerShape, size int) {
	t.Helper()
	body := s.body(cutEvery(longRecord, size))
	for _, mode := range []Decision{redacting, blocking} {
		cfg := longConfig(t, s.config(t, mode))
		o := s.send(cfg, body)
		if left := leftOfLong(o.out); left > mostOfPair(s.name, size) || len(o.findings) == 0 {
			t.Errorf("%s, %d words each, %v: %d words left, findings %q", s.name, size, mode, left, o.findings)
		}
	}
	clean := s.body(cutEvery(strings.Fields("these are words of no record at all which we cut over many places here and say them again in words of no record"), size))
	cfg := longConfig(t, s.config(t, redacting))
	if o := s.send(cfg, clean); o.out != clean || len(o.findings) > 0 {
		t.Errorf("%s: changes %s\nto %s, findings %q", s.name, clean, o.out, o.findings)
	}
}

// TestPartsAgain: of a record cut over strings without a rule no more leaves because the server
// repeats them in their item and in the response.
func TestPartsAgain(t *testing.T) {
	t.Parallel()
	for _, f := range [][3]string{ // kind and member of an event of a part, and the item with it
		{"content_part.done", "part", `{"type":"message","role":"assistant","content":[%s]}`},
		{"reasoning_summary_part.done", "part", `{"type":"reasoning","summary":[%s]}`},
		{"output_text.annotation.added", "annotation", `{"type":"message","role":"assistant","content":[{"type":"output_text","text":"","annotations":[%s]}]}`},
	} {
		again := func(pieces []string) string {
			var b strings.Builder
			var items []string
			for i, p := range pieces {
				part := fmt.Sprintf(`{"type":"zz","zz":%s}`, mustJSON(p))
				items = append(items, fmt.Sprintf(f[2], part))
				b.WriteString(typedEvent(fmt.Sprintf(`{"type":"response.%s","output_index":%d,%q:%s}`, f[0], i, f[1], part)))
				b.WriteString(typedEvent(fmt.Sprintf(`{"type":"response.output_item.done","output_index":%d,"item":%s}`, i, items[i])))
			}
			return b.String() + typedEvent(`{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[`+strings.Join(items, ",")+`]}}`)
		}
		for _, size := range []int{1, 3, 5, 9} {
			checkPair(t, answerShape{"openai.responses " + f[0] + " again", eventType, true, again}, size)
		}
	}
}

// TestNamesOfOneText: a record cut over the names of one text, without spaces between, is found.
func TestNamesOfOneText(t *testing.T) {
	t.Parallel()
	delta := func(members string) string { return `{"choices":[{"index":0,"delta":` + members + `}]}` }
	names := []string{`"reasoning":%[1]s`, `"reasoning_content":%[1]s`, `"reasoning_text":%[1]s`, `"reasoning_details":[{"type":"reasoning.text","text":%[1]s}]`}
	for i, a := range names {
		for _, b := range names[i+1:] {
			s := answerShape{"openai.chat stream " + a + b, eventType, true, lines(sseEvent, delta(`{`+a+`}`), delta(`{`+b+`}`))}
			for _, size := range []int{1, 3, 5, 9} {
				checkPair(t, s, size)
			}
		}
	}
}

// TestPairsOfIdentifiers: an identifier that is cut between its words over two places does not
// leave whole, unless the first name of a tool, member or file comes between.
func TestPairsOfIdentifiers(t *testing.T) {
	t.Parallel()
	hidden := regexp.MustCompile(`key|name|source|shell|result|responses stream .*unknown`)
	for _, f := range pairFrames() {
		for _, a := range f.places {
			for _, b := range f.places {
				name := fmt.Sprintf("%s %s+%s", f.name, a[0], b[0])
				if hidden.MatchString(name) {
					continue
				}
				s := answerShape{name, f.contentType, f.stream, f.body(a[1], b[1])}
				cfg := s.config(t, redacting)
				cfg.Set = newBook(cfg.Spec, "ann.ray@example.net")
				body := s.body([]string{"ann.ray@", "example.net"})
				if o := s.send(cfg, body); strings.Contains(o.out, "ann.ray") && strings.Contains(o.out, "example.net") {
					t.Errorf("%s: leaves whole, findings %q: %s", name, o.findings, o.out)
				}
			}
		}
	}
}

// send relays a body, at once.
func (s answerShape) send(cfg Config, body string) outcome {
	if s.stream {
		return relayed(cfg, body)
	}
	o, _ := whole(cfg, body)
	return o
}
