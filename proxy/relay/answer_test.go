package relay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"noecho/internal/raced"
	"noecho/proxy/wire/api"
)

// answerShape is an answer whose text is cut over several places.
type answerShape struct {
	name        string // of the family, then of the places
	contentType string
	stream      bool
	body        func(pieces []string) string
}

func (s answerShape) family() string { return strings.Fields(s.name)[0] }

// inTurn writes each piece with the next of the formats, which have %[1]s for the piece
// as a JSON string, %[2]d for its number and %[3]s for the piece as the JSON text of an
// object with the member t, as a JSON string, %[4]s for the piece as one word, %[5]s for
// the piece with a space behind it, where texts are joined as they are, and %[6]s for the piece as
// the name of the only member of an object, which is JSON text as a JSON string.
func inTurn(pieces []string, formats ...string) []string {
	var out []string
	for i, p := range pieces {
		text := string(mustJSON(p))
		values := strings.NewReplacer("%[1]s", text, "%[2]d", strconv.Itoa(i), "%[3]s", string(mustJSON(`{"t":`+text+`}`)), "%[4]s", strings.ReplaceAll(text, " ", "_"), "%[5]s", string(mustJSON(p+" ")),
			"%[6]s", string(mustJSON(`{`+text+`:""}`)))
		out = append(out, values.Replace(formats[i%len(formats)]))
	}
	return out
}

// chatDeltas is a chat stream whose deltas have the given members.
func chatDeltas(formats ...string) func([]string) string {
	return func(pieces []string) string {
		var payloads []string
		for _, m := range inTurn(pieces, formats...) {
			payloads = append(payloads, delta(0, m))
		}
		return stream(append(payloads, ends(0, "stop"), "[DONE]")...)
	}
}

// within writes the pieces as elements of a list in a body; %s is the list.
func within(body string, formats ...string) func([]string) string {
	return func(pieces []string) string {
		return fmt.Sprintf(body, strings.Join(inTurn(pieces, formats...), ","))
	}
}

// lines writes each piece as a message, framed by frame.
func lines(frame func(string) string, formats ...string) func([]string) string {
	return func(pieces []string) string {
		var b strings.Builder
		for _, m := range inTurn(pieces, formats...) {
			b.WriteString(frame(m))
		}
		return b.String()
	}
}

// itemsTwice is a stream of the Responses API that has each piece in an item, and all items
// once more in its last event.
func itemsTwice(formats ...string) func([]string) string {
	return func(pieces []string) string {
		var b strings.Builder
		items := inTurn(pieces, formats...)
		for i, item := range items {
			b.WriteString(typedEvent(fmt.Sprintf(`{"type":"response.output_item.done","output_index":%d,"item":%s}`, i, item)))
		}
		b.WriteString(typedEvent(`{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[` + strings.Join(items, ",") + `]}}`))
		return b.String()
	}
}

// twice is a stream of two equal messages that have the pieces as elements of a list.
func twice(frame func(string) string, message, element string) func([]string) string {
	return func(pieces []string) string {
		return strings.Repeat(frame(fmt.Sprintf(message, strings.Join(inTurn(pieces, element), ","))), 2)
	}
}

// nestedNames writes the pieces as names of members, each in the member before it.
func nestedNames(body string) func([]string) string {
	return func(pieces []string) string {
		text := `""`
		for i := range pieces {
			text = fmt.Sprintf(`{%s:%s}`, mustJSON(pieces[len(pieces)-1-i]), text)
		}
		return fmt.Sprintf(body, text)
	}
}

// blocks is a stream of Anthropic's; each block has a start and a delta.
func blocks(formats ...[2]string) func([]string) string {
	return func(pieces []string) string {
		var b strings.Builder
		b.WriteString(messageStart)
		for i, p := range pieces {
			f, one := formats[i%len(formats)], []string{p}
			b.WriteString(anthropicEvent(`{"type":"content_block_start","index":%d,"content_block":%s}`, i, inTurn(one, f[0])[0]))
			b.WriteString(anthropicEvent(`{"type":"content_block_delta","index":%d,"delta":%s}`, i, inTurn(one, f[1])[0]))
			b.WriteString(anthropicEvent(`{"type":"content_block_stop","index":%d}`, i))
		}
		return b.String() + messageEnd
	}
}

var (
	textBlock = [2]string{`{"type":"text","text":""}`, `{"type":"text_delta","text":%[1]s}`}
	thinking  = [2]string{`{"type":"thinking","thinking":""}`, `{"type":"thinking_delta","thinking":%[1]s}`}
	toolBlock = [2]string{`{"type":"tool_use","id":"t","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":%[3]s}`}
)

func sseEvent(payload string) string { return "data: " + payload + "\n\n" }

// typedEvent names the event after the type of its payload.
func typedEvent(payload string) string { return anthropicEvent("%s", payload) }

const (
	eventType = "text/event-stream"
	lineType  = "application/x-ndjson"
	jsonType  = "application/json"
)

// answerShapes are the ways in which an answer is cut over places that no client reads as
// one text by itself.
func answerShapes() []answerShape {
	tool := `"tool_calls":[{"index":%[2]d,"id":"c%[2]d","function":{"name":"f","arguments":%[3]s}}]`
	part := func(p string) string {
		return `{"candidates":[{"index":0,"content":{"role":"model","parts":[` + p + `]}}]}`
	}
	frame := func(p string) string { return awsFrame("event", "contentBlockDelta", p) }
	item := func(p string) string {
		return `{"id":"r","object":"response","status":"completed","output":[` + p + `]}`
	}
	shapes := []answerShape{
		{"openai.chat tool calls", eventType, true, chatDeltas(tool)},
		{"openai.chat one call, one name each", eventType, true, chatDeltas(`"tool_calls":[{"index":0,"function":{"arguments":%[3]s}}]`)},
		{"openai.chat custom calls", eventType, true, chatDeltas(`"tool_calls":[{"index":%[2]d,"id":"c","custom":{"name":"f","input":%[1]s}}]`)},
		{"openai.chat texts in turn", eventType, true, chatDeltas(`"content":%[1]s`, `"reasoning":%[1]s`, `"refusal":%[1]s`)},
		{"openai.chat text and calls", eventType, true, chatDeltas(`"content":%[1]s`, tool, `"reasoning_content":%[1]s`)},
		{"openai.chat names", eventType, true, chatDeltas(`"tool_calls":[{"index":%[2]d,"id":"c","function":{"name":%[1]s,"arguments":"{}"}}]`)},
		{"openai.chat calls of a message", jsonType, false, within(`{"choices":[{"index":0,"message":{"content":null,"tool_calls":[%s]}}]}`, `{"id":"c","function":{"name":"f","arguments":%[3]s}}`)},
		{"openai.chat calls with objects", jsonType, false, within(`{"choices":[{"index":0,"message":{"content":null,"tool_calls":[%s]}}]}`, `{"id":"c","function":{"name":"f","arguments":{"t":%[1]s,"n":%[2]d}}}`)},
		{"openai.chat members of arguments", jsonType, false, within(`{"choices":[{"index":0,"message":{"content":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":{%s}}}]}}]}`, `"line%[2]d":%[1]s`)},
		{"openai.chat keys of arguments", jsonType, false, within(`{"choices":[{"index":0,"message":{"content":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":{%s}}}]}}]}`, `%[1]s:%[2]d`)},
		{"openai.chat keys of many arguments", jsonType, false, within(`{"choices":[{"index":0,"message":{"content":null,"tool_calls":[%s]}}]}`, `{"id":"c","type":"function","function":{"name":"search","arguments":%[6]s}}`)},
		{"openai.chat keys of calls", eventType, true, chatDeltas(`"tool_calls":[{"index":%[2]d,"id":"c%[2]d","function":{"name":"f%[2]d","arguments":%[6]s}}]`)},
		{"openai.responses keys of calls", jsonType, false, within(item("%s"), `{"type":"function_call","id":"f","call_id":"c","name":"search","arguments":%[6]s}`)},
		{"openai.chat messages", jsonType, false, within(`{"choices":[{"index":0,"messages":[%s]}]}`, `{"role":"assistant","content":%[1]s}`, `{"role":"tool","reasoning":%[1]s}`)},
		{"anthropic.messages thinking", eventType, true, blocks(thinking)},
		{"anthropic.messages tools", eventType, true, blocks(toolBlock)},
		{"anthropic.messages text and thinking", eventType, true, blocks(textBlock, thinking)},
		{"anthropic.messages text and tools", eventType, true, blocks(textBlock, toolBlock)},
		{"anthropic.messages all blocks", jsonType, false, within(`{"id":"m","type":"message","role":"assistant","model":"m","content":[%s],"stop_reason":"end_turn"}`,
			`{"type":"text","text":%[1]s}`, `{"type":"thinking","thinking":%[1]s,"signature":"x"}`, `{"type":"tool_use","id":"t","name":"f","input":{"t":%[1]s}}`)},
		{"openai.responses items", jsonType, false, within(item("%s"), `{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":%[1]s,"annotations":[]}]}`,
			`{"type":"function_call","id":"f","call_id":"c","name":"f","arguments":%[3]s}`, `{"type":"reasoning","id":"z","summary":[{"type":"summary_text","text":%[1]s}]}`)},
		{"openai.responses items of tools", jsonType, false, within(item("%s"), `{"type":"code_interpreter_call","id":"ci%[2]d","code":"x","container_id":"c%[2]d","status":"completed","outputs":[{"type":"logs","logs":%[1]s}]}`)},
		{"openai.responses results", jsonType, false, within(item("%s"), `{"type":"file_search_call","id":"f%[2]d","status":"completed","queries":["x"],"results":[{"file_id":"f%[2]d","filename":"n%[2]d.txt","text":%[1]s,"score":0.5}]}`)},
		{"openai.responses actions", jsonType, false, within(item("%s"), `{"type":"web_search_call","id":"w%[2]d","status":"completed","action":{"type":"search","query":%[1]s,"sources":[]}}`,
			`{"type":"computer_call","id":"c%[2]d","call_id":"c","action":{"type":"type","text":%[1]s},"status":"completed","pending_safety_checks":[]}`,
			`{"type":"local_shell_call","id":"s%[2]d","call_id":"c","status":"completed","action":{"type":"exec","command":[%[1]s],"env":{}}}`,
			`{"type":"apply_patch_call","id":"p%[2]d","call_id":"c","status":"completed","operation":{"type":"update_file","diff":%[1]s}}`)},
		{"openai.responses outputs", jsonType, false, within(item("%s"), `{"type":"shell_call_output","id":"o%[2]d","call_id":"c","output":[{"stdout":%[1]s,"stderr":"","outcome":{"type":"exit","exit_code":0}}]}`)},
		{"openai.responses actions of a stream", eventType, true, lines(typedEvent, `{"type":"response.output_item.added","output_index":%[2]d,"item":{"type":"web_search_call","id":"w%[2]d","status":"in_progress"}}`+"\n\n"+
			`data: {"type":"response.output_item.done","output_index":%[2]d,"item":{"type":"web_search_call","id":"w%[2]d","status":"completed","action":{"type":"search","query":%[1]s}}}`)},
		{"openai.responses patches of a stream", eventType, true, lines(typedEvent, `{"type":"response.output_item.added","output_index":%[2]d,"item":{"type":"apply_patch_call","id":"p%[2]d","call_id":"c","status":"in_progress","operation":{"type":"update_file","path":"a.txt","diff":""}}}`+"\n\n"+
			`data: {"type":"response.apply_patch_call_operation_diff.delta","output_index":%[2]d,"item_id":"p%[2]d","delta":%[1]s}`+"\n\n"+`data: {"type":"response.apply_patch_call_operation_diff.done","output_index":%[2]d,"item_id":"p%[2]d","diff":%[1]s}`+"\n\n"+
			`data: {"type":"response.output_item.done","output_index":%[2]d,"item":{"type":"apply_patch_call","id":"p%[2]d","call_id":"c","status":"completed","operation":{"type":"update_file","path":"a.txt","diff":%[1]s}}}`)},
		{"openai.responses commands of a stream", eventType, true, lines(typedEvent, `{"type":"response.shell_call_command.added","output_index":0,"command_index":%[2]d,"command":""}`+"\n\n"+
			`data: {"type":"response.shell_call_command.delta","output_index":0,"command_index":%[2]d,"delta":%[1]s}`+"\n\n"+`data: {"type":"response.shell_call_command.done","output_index":0,"command_index":%[2]d,"command":%[1]s}`)},
		{"openai.responses logs of a stream, twice", eventType, true, itemsTwice(`{"type":"code_interpreter_call","id":"c%[2]d","code":"","container_id":"x","outputs":[{"type":"logs","logs":%[1]s}]}`)},
		{"openai.responses outputs of a stream, twice", eventType, true, itemsTwice(`{"type":"mcp_call","id":"m%[2]d","server_label":"s","name":"f","arguments":"{}","output":%[1]s}`)},
		{"openai.responses prompts of a stream, twice", eventType, true, itemsTwice(`{"type":"image_generation_call","id":"p%[2]d","status":"completed","result":"AAAA","revised_prompt":%[1]s}`)},
		{"openai.responses names of a stream, twice", eventType, true, itemsTwice(`{"type":"function_call","id":"m%[2]d","call_id":"c","name":%[1]s,"arguments":"{}"}`)},
		{"openai.responses outputs of a stream", eventType, true, lines(typedEvent, `{"type":"response.output_item.done","output_index":%[2]d,"item":{"type":"code_interpreter_call","id":"c%[2]d","code":"","container_id":"x","outputs":[{"type":"logs","logs":%[1]s}]}}`)},
		{"openai.responses names", jsonType, false, within(item("%s"), `{"type":"function_call","id":"f","call_id":"c","name":%[1]s,"arguments":"{}"}`)},
		{"openai.responses deltas", eventType, true, lines(typedEvent, `{"type":"response.output_text.delta","output_index":%[2]d,"content_index":0,"delta":%[1]s}`,
			`{"type":"response.function_call_arguments.delta","output_index":%[2]d,"delta":%[3]s}`, `{"type":"response.reasoning_text.delta","output_index":%[2]d,"content_index":0,"delta":%[1]s}`)},
		{"openai.responses names of items", eventType, true, lines(typedEvent, `{"type":"response.output_item.added","output_index":%[2]d,"item":{"type":"function_call","id":"f","name":%[1]s,"arguments":""}}`)},
		{"openai.responses texts that only come whole", eventType, true, lines(typedEvent, `{"type":"response.output_text.done","output_index":0,"content_index":0,"text":%[1]s}`)},
		{"openai.responses arguments that only come whole", eventType, true, lines(typedEvent, `{"type":"response.function_call_arguments.done","output_index":%[2]d,"arguments":%[3]s}`)},
		{"openai.responses parts and items that only come whole", eventType, true, lines(typedEvent, `{"type":"response.output_text.done","output_index":%[2]d,"content_index":0,"text":%[1]s}`,
			`{"type":"response.content_part.done","output_index":%[2]d,"content_index":0,"part":{"type":"output_text","text":%[1]s}}`,
			`{"type":"response.output_item.done","output_index":%[2]d,"item":{"type":"message","id":"m","content":[{"type":"output_text","text":%[1]s}]}}`)},
		{"cohere.v1 texts that only come whole", lineType, true, lines(func(p string) string { return p + "\n" }, `{"event_type":"stream-end","is_finished":true,"response":{"text":%[1]s}}`)},
		{"gemini texts, thoughts and code", eventType, true, lines(sseEvent, part(`{"text":%[1]s}`), part(`{"text":%[1]s,"thought":true}`), part(`{"executableCode":{"language":"PYTHON","code":%[1]s}}`))},
		{"gemini parts of one message", eventType, true, within(sseEvent(part("%s")), `{"text":%[1]s}`, `{"text":%[1]s,"thought":true}`, `{"executableCode":{"language":"PYTHON","code":%[1]s}}`,
			`{"codeExecutionResult":{"outcome":"OK","output":%[1]s}}`, `{"functionCall":{"name":"f","args":{"t":%[1]s}}}`)},
		{"gemini calls and texts", eventType, true, lines(sseEvent, part(`{"functionCall":{"name":"f","args":{"t":%[1]s}}}`), part(`{"text":%[1]s}`))},
		{"gemini partial arguments", eventType, true, lines(sseEvent, part(`{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$.a%[2]d","stringValue":%[1]s}]}}`))},
		{"gemini paths", eventType, true, lines(sseEvent, part(`{"functionCall":{"name":"f","partialArgs":[{"jsonPath":%[1]s,"stringValue":"x"}]}}`))},
		{"ollama.chat content and thinking", lineType, true, lines(func(p string) string { return p + "\n" }, `{"model":"m","message":{"role":"assistant","content":%[1]s},"done":false}`,
			`{"model":"m","message":{"role":"assistant","content":"","thinking":%[1]s},"done":false}`)},
		{"ollama.chat calls", jsonType, false, within(`{"model":"m","message":{"role":"assistant","content":"","tool_calls":[%s]},"done":true}`, `{"function":{"name":"f","arguments":{"t":%[1]s}}}`)},
		{"bedrock.converse blocks", eventStreamType, true, lines(frame, `{"contentBlockIndex":%[2]d,"delta":{"text":%[1]s}}`,
			`{"contentBlockIndex":%[2]d,"delta":{"toolUse":{"input":%[3]s}}}`, `{"contentBlockIndex":%[2]d,"delta":{"reasoningContent":{"text":%[1]s}}}`)},
		{"bedrock.converse tools", jsonType, false, within(`{"output":{"message":{"role":"assistant","content":[%s]}},"stopReason":"tool_use"}`, `{"toolUse":{"toolUseId":"t","name":"f","input":{"t":%[1]s}}}`)},
		{"cohere.chat calls", eventType, true, lines(typedEvent, `{"type":"tool-call-delta","index":%[2]d,"delta":{"message":{"tool_calls":{"function":{"arguments":%[3]s}}}}}`)},
		{"cohere.chat content", eventType, true, lines(typedEvent, `{"type":"content-delta","index":%[2]d,"delta":{"message":{"content":{"text":%[1]s}}}}`)},
		{"cohere.chat plan and text", eventType, true, lines(typedEvent, `{"type":"tool-plan-delta","delta":{"message":{"tool_plan":%[1]s}}}`,
			`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":%[1]s}}}}`)},
		{"mistral.conversations outputs", jsonType, false, within(`{"conversation_id":"c","outputs":[%s]}`, `{"type":"message.output","content":%[1]s}`,
			`{"type":"function.call","id":"f","name":"f","arguments":%[3]s}`)},
		{"mistral.conversations names", jsonType, false, within(`{"conversation_id":"c","outputs":[%s]}`, `{"type":"function.call","id":"f","name":%[1]s,"arguments":"{}"}`)},
		{"generic places", jsonType, false, within(`{"output":{%s}}`, `"a%[2]d":{"text":%[1]s}`)},
		{"openai.chat ids of calls", jsonType, false, within(`{"choices":[{"index":0,"message":{"content":null,"tool_calls":[%s]}}]}`, `{"id":%[4]s,"type":"function","function":{"name":"f","arguments":"{}"}}`)},
		{"openai.chat ids of a stream", eventType, true, chatDeltas(`"tool_calls":[{"index":%[2]d,"id":%[4]s,"function":{"name":"f","arguments":"{}"}},{"index":%[2]d,"id":%[4]s,"function":{"arguments":" "}}]`)},
		{"anthropic.messages ids", jsonType, false, within(`{"id":"m","type":"message","role":"assistant","model":"m","content":[%s],"stop_reason":"tool_use"}`, `{"type":"tool_use","id":%[4]s,"name":"f","input":{}}`)},
		{"anthropic.messages ids of a stream", eventType, true, blocks([2]string{`{"type":"tool_use","id":%[4]s,"name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":"{}"}`})},
		{"openai.responses ids of calls", jsonType, false, within(item("%s"), `{"type":"function_call","id":"f","call_id":%[4]s,"name":"f","arguments":"{}"}`)},
		{"openai.responses ids of a stream", eventType, true, lines(typedEvent, `{"type":"response.output_item.added","output_index":%[2]d,"item":{"type":"function_call","id":"f","call_id":%[4]s,"name":"f","arguments":""}}`+"\n\n"+
			`data: {"type":"response.output_item.done","output_index":%[2]d,"item":{"type":"function_call","id":"f","call_id":%[4]s,"name":"f","arguments":""}}`)},
		{"gemini ids", eventType, true, lines(sseEvent, part(`{"functionCall":{"id":%[4]s,"name":"f","args":{}}}`))},
		{"ollama.chat ids", jsonType, false, within(`{"model":"m","message":{"role":"assistant","content":"","tool_calls":[%s]},"done":true}`, `{"id":%[4]s,"function":{"name":"f","arguments":{}}}`)},
		{"bedrock.converse ids", jsonType, false, within(`{"output":{"message":{"role":"assistant","content":[%s]}},"stopReason":"tool_use"}`, `{"toolUse":{"toolUseId":%[4]s,"name":"f","input":{}}}`)},
		{"cohere.chat ids", eventType, true, lines(typedEvent, `{"type":"tool-call-start","index":%[2]d,"delta":{"message":{"tool_calls":{"id":%[4]s,"type":"function","function":{"name":"f","arguments":""}}}}}`)},
		{"mistral.conversations ids", jsonType, false, within(`{"conversation_id":"c","outputs":[%s]}`, `{"type":"function.call","id":"f","tool_call_id":%[4]s,"name":"f","arguments":"{}"}`)},
		{"generic names", jsonType, false, within(`{"output":{%s}}`, `%[1]s:""`)},
		{"generic names as words", jsonType, false, within(`{"output":{%s}}`, `%[4]s:{}`)},
		{"generic names and texts", jsonType, false, within(`{"output":[%s]}`, `{%[1]s:1}`, `{"text":%[1]s}`)},
		{"generic nested names", jsonType, false, nestedNames(`{"output":%s}`)},
		{"generic names of a stream", eventType, true, lines(sseEvent, `{"out":{%[4]s:1}}`)},
		{"bedrock.invoke blocks of Claude", jsonType, false, within(`{"id":"m","type":"message","role":"assistant","model":"m","content":[%s],"stop_reason":"end_turn"}`,
			`{"type":"text","text":%[1]s}`, `{"type":"thinking","thinking":%[1]s,"signature":"EqQBCg=="}`)},
		{"bedrock.invoke names", jsonType, false, within(`{"zz":{%s}}`, `%[4]s:""`)},
		{"bedrock.invoke nested names", jsonType, false, nestedNames(`{"zz":%s}`)},
		{"openai.chat names nobody knows", jsonType, false, within(`{"choices":[{"index":0,"message":{"content":"ok"}}],"zz":{%s}}`, `%[4]s:1`)},
		{"openai.chat nested names nobody knows", jsonType, false, nestedNames(`{"choices":[{"index":0,"message":{"content":"ok","zz":%s}}]}`)},
		{"openai.chat names and texts nobody knows", jsonType, false, within(`{"choices":[],"zz":[%s]}`, `{%[1]s:1}`, `{"text":%[1]s}`)},
		{"openai.chat lists nobody knows, twice", eventType, true, twice(sseEvent, `{"choices":[{"index":0,"delta":{"content":"","zz":[%s]}}]}`, `%[1]s`)},
		{"openai.chat lists beside the choices, twice", eventType, true, twice(sseEvent, `{"choices":[],"zz":[%s]}`, `%[1]s`)},
		{"anthropic.messages lists nobody knows, twice", eventType, true, twice(typedEvent, `{"type":"content_block_delta","index":0,"delta":{"type":"zz_delta","zz":[%s]}}`, `{"yy":%[1]s}`)},
		{"openai.chat titles of a stream", eventType, true, twice(sseEvent, `{"choices":[{"index":0,"delta":{"annotations":[%s]}}]}`, `{"type":"url_citation","url_citation":{"url":"","title":%[1]s}}`)},
		{"gemini queries", eventType, true, twice(sseEvent, `{"candidates":[{"index":0,"groundingMetadata":{"webSearchQueries":[%s]}}]}`, `%[4]s`)},
		{"gemini titles", eventType, true, twice(sseEvent, `{"candidates":[{"index":0,"groundingMetadata":{"groundingChunks":[%s]}}]}`, `{"web":{"uri":"https://example.org/a","title":%[1]s}}`)},
		{"cohere.v1 queries", jsonType, false, within(`{"text":"","search_queries":[%s]}`, `{"text":%[1]s,"generation_id":"g"}`)},
		{"cohere.v1 documents", jsonType, false, within(`{"text":"","documents":[%s]}`, `{"id":"d%[2]d","snippet":%[1]s}`)},
		{"cohere.chat documents", jsonType, false, within(`{"id":"c","message":{"role":"assistant","citations":[%s]}}`, `{"start":0,"end":1,"text":"","sources":[{"type":"document","id":"","document":{"snippet":%[1]s}}]}`)},
		{"openai.chat names of a stream", eventType, true, chatDeltas(`"zz":{%[4]s:1}`)},
		{"anthropic.messages names nobody knows", jsonType, false, within(`{"id":"m","type":"message","role":"assistant","model":"m","content":[],"zz":{%s}}`, `%[4]s:{}`)},
		{"tgi names nobody knows", jsonType, false, within(`[{"generated_text":"x","zz":{%s}}]`, `%[4]s:""`)},
		{"generic places of a stream", eventType, true, lines(sseEvent, `{"out":{"a":%[1]s}}`, `{"out":{"b":%[1]s}}`)},
	}
	return shapes
}

// answerRecord has more words than a window, none of which is in a frame of the shapes.
var answerRecord = strings.Fields("quartz violet sphinx umpire walnut lagoon cobalt hazel ivory jasper kernel lotus meadow nectar oyster pepper quiver raven saffron timber")

// cutWords cuts words into pieces of at most most words. A text piece ends with a space.
func cutWords(rnd *rand.Rand, words []string, most int) []string {
	var out []string
	for len(words) > 0 {
		n := min(len(words), 1+rnd.IntN(most))
		out = append(out, strings.Join(words[:n], " "))
		words = words[n:]
	}
	return out
}

// leftOf returns the most words of the record that follow each other in body, whatever is
// between them.
func leftOf(body string) int {
	at := map[string]int{}
	for i, w := range answerRecord {
		at[w] = i
	}
	best, n, last := 0, 0, -2
	for _, w := range regexp.MustCompile(`[a-z]+`).FindAllString(body, -1) {
		i, ok := at[w]
		if !ok {
			continue
		}
		switch i {
		case last: // the server sends it twice
			continue
		case last + 1:
		default:
			n = 0
		}
		n, last = n+1, i
		best = max(best, n)
	}
	return best
}

func (s answerShape) config(t testing.TB, mode Decision) Config {
	t.Helper()
	cfg := testConfig(t)
	cfg.Family, cfg.Decision = api.ByName(s.family()), mode
	cfg.Set = newMemory(cfg.Spec, strings.Join(answerRecord, " "))
	cfg.Request.N, cfg.Request.Stream = 1, s.stream
	cfg.Framing = cfg.Family.Framing(s.contentType, cfg.Request)
	return cfg
}

func (s answerShape) relay(t *testing.T, mode Decision, split splitter, body string) outcome {
	t.Helper()
	cfg := s.config(t, mode)
	if !s.stream {
		o, _ := whole(cfg, body)
		return o
	}
	return split(t, cfg, body)
}

// checkAnswer sends a record that is cut over the places of a shape, between words that are
// in no record, through a relay. Fewer words of the record than a window leave, none of an
// answer in one piece, and all words around the record.
func checkAnswer(t *testing.T, s answerShape, seed uint64, split splitter) {
	t.Helper()
	n := s.config(t, redacting).Spec.N
	checkPieces(t, s, seed, split, cutWords(rand.New(rand.NewPCG(seed, 47)), answerRecord, n-1))
}

// checkPieces does the same for a record that is cut into the given pieces.
func checkPieces(t *testing.T, s answerShape, seed uint64, split splitter, record []string) {
	t.Helper()
	oneWord := func(piece string) bool { return !strings.Contains(piece, " ") }
	if s.name == "cohere.chat documents" && slices.ContainsFunc(record, oneWord) {
		return // a member of a document that is one word may be an id, and is not read
	}
	rnd := rand.New(rand.NewPCG(seed, 48))
	n := s.config(t, redacting).Spec.N
	body := s.body(slices.Concat([]string{"before one", "before two"}, record, []string{"after one", "after two"}))
	got := s.relay(t, redacting, split, body)
	left := leftOf(got.out)
	if got.err != nil || len(got.findings) == 0 || left >= n || !s.stream && left > 0 {
		t.Fatalf("%s, seed %d: %d words left, %v, findings %q\n%s\nof %s", s.name, seed, left, got.err, got.findings, got.out, body)
	}
	for _, w := range []string{"before", "after"} {
		if strings.Contains(s.name, "titles") || s.name == "gemini queries" || s.name == "cohere.chat documents" {
			break // they are left out after text was withheld
		}
		if strings.Count(got.out, w) != strings.Count(body, w) {
			t.Fatalf("%s, seed %d: %q is missing: %s\nof %s", s.name, seed, w, got.out, body)
		}
	}
	observed := s.relay(t, observing, split, body)
	if observed.out != body || len(observed.findings) != len(got.findings) {
		t.Fatalf("%s, seed %d: observe finds %q, redact %q", s.name, seed, observed.findings, got.findings)
	}
	blocked := s.relay(t, blocking, split, body)
	if left = leftOf(blocked.out); !errors.Is(blocked.err, ErrBlocked) || left >= n || strings.Contains(blocked.out, "after") {
		t.Fatalf("%s, seed %d: blocked, %d words left, %v, %s", s.name, seed, left, blocked.err, blocked.out)
	}
	clean := s.body(cutWords(rnd, strings.Fields("these are words of no record at all which we cut over many places here"), n-1))
	for _, mode := range []Decision{redacting, blocking, observing} {
		if o := s.relay(t, mode, split, clean); o.out != clean || o.err != nil || len(o.findings) > 0 {
			t.Fatalf("%s, seed %d: %v changes %s\nto %s, findings %q", s.name, seed, mode, clean, o.out, o.findings)
		}
	}
}

func atOnce(_ *testing.T, cfg Config, body string) outcome { return relayed(cfg, body) }

// TestAnswerIsOneText: a record that is cut over the places of one answer is found.
func TestAnswerIsOneText(t *testing.T) {
	t.Parallel()
	for _, s := range answerShapes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(raced.Fewer(40)) {
				checkAnswer(t, s, seed, atOnce)
			}
			checkAnswer(t, s, 1, tellingSplits)
		})
	}
}

// FuzzAnswer does the same with other cuts.
func FuzzAnswer(f *testing.F) {
	shapes := answerShapes()
	for i := range uint64(len(shapes)) {
		f.Add(i, i)
	}
	f.Fuzz(func(t *testing.T, shape, seed uint64) {
		checkAnswer(t, shapes[shape%uint64(len(shapes))], seed, atOnce)
	})
}

// TestChoicesAreAnswers: the choices of one response are answers of their own.
func TestChoicesAreAnswers(t *testing.T) {
	t.Parallel()
	var payloads []string
	for i := range 8 {
		payloads = append(payloads, delta(i%2, `"content":`+string(mustJSON(answerRecord[i]+" "))))
	}
	body := stream(append(payloads, ends(0, "stop"), ends(1, "stop"), "[DONE]")...)
	s := answerShape{name: "openai.chat", contentType: eventType, stream: true}
	if o := s.relay(t, redacting, atOnce, body); o.out != body || len(o.findings) > 0 {
		t.Errorf("%s, findings %q", o.out, o.findings)
	}
}

// cutsInWords cuts a record into pieces of so many bytes and some more, each inside a word.
func cutsInWords(bytes int) (pieces []string) {
	text := strings.Join(answerRecord, " ")
	for len(text) > 0 {
		n := min(len(text), bytes)
		for n < len(text) && (text[n] == ' ' || text[n-1] == ' ') {
			n++
		}
		pieces, text = append(pieces, text[:n]), text[n:]
	}
	return pieces
}

// TestCutWordsAreOneText: a record is found that is cut over the places of one answer inside
// its words.
func TestCutWordsAreOneText(t *testing.T) {
	t.Parallel()
	for _, s := range answerShapes() {
		if strings.Contains(s.name, " ids") || strings.Contains(s.name, "names and texts") || s.name == "openai.responses results" {
			continue // ids are read apart, as whole words, and words are not joined over names
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for i := range raced.Fewer(7) {
				bytes := 8 + 5*i
				pieces := cutsInWords(bytes)
				body := s.body(slices.Concat([]string{"before one", "before two "}, pieces, []string{" after one", "after two"}))
				for _, mode := range []Decision{redacting, blocking} {
					got := s.relay(t, mode, atOnce, body)
					row, most := "", 0
					for _, p := range pieces {
						if row += p; !strings.Contains(got.out, strings.TrimSpace(p)) {
							row = ""
						}
						whole := 0
						for _, w := range strings.Fields(row) {
							if slices.Contains(answerRecord, w) {
								whole++
							}
						}
						most = max(most, whole)
					}
					if n := s.config(t, redacting).Spec.N; len(got.findings) == 0 || most >= n || !s.stream && most > 0 {
						t.Fatalf("%v, cut every %d bytes: %d words left, findings %q: %s\nof %s", mode, bytes, most, got.findings, got.out, body)
					}
				}
			}
		})
	}
}
