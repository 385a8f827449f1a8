package api

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// responses is the OpenAI Responses API and the servers that speak it. An answer is a
// list of items of many types. A stream is a list of events that name their kind. The
// last event repeats the whole response.
var responses = wire.NewFamily(wire.Family{
	Name: "openai.responses", Request: responsesRequest,
	Failure: openAIFailure, StreamFailure: responsesStreamFailure,
	Ending: func() wire.Ending { return &responsesEnding{} },
	Same: map[string]string{
		"item": "output.#", "response.output.#": "output.#",
		"part": "output.#.content", "output.#.summary.#": "output.#.content",
	},
	Events: responsesEvents, Rules: responsesRules(),
})

// responsesRequest reads a request. It shows no text of earlier responses,
// conversations and stored prompts, which the server adds.
func responsesRequest(_ string, body []byte) (wire.Request, error) {
	if len(body) == 0 { // a GET, or a POST whose parameters are in its path
		return wire.Request{N: 1}, nil
	}
	return readRequest(body, func(r *request, name string, v jsontext.Value) error {
		switch name {
		case "input", "items":
			return r.items(v)
		case "tools", "prompt", "text", "metadata":
			r.Schema = r.Schema || name == "text" && responsesSchema(v)
			r.visible(v)
			r.Stored = r.Stored || name == "prompt" && holds(v)
			// The answer repeats this value, and the relay reads it there as JSON
			// text.
			r.Messages = append(r.Messages, bytes.Clone(v))
		case "previous_response_id", "conversation":
			r.Stored = r.Stored || holds(v)
		case "include":
		default:
			if !r.common(name, v) {
				r.visible(v)
			}
		}
		return nil
	})
}

// responsesSchema reports whether the text of the answer is itself JSON.
func responsesSchema(v jsontext.Value) bool {
	schema := false
	_ = validMembers(v, func(name string, v jsontext.Value) error { // v is valid
		if name == "format" {
			schema = wantsJSON(v)
		}
		return nil
	})
	return schema
}

// responsesStreamFailure ends a stream with an error. The events of a stream are
// counted from zero, also if the stream was resumed and began with a higher number.
func responsesStreamFailure(w *wire.Writer, f wire.Failure) {
	w.Message("error", fill(nil, `{"type":"error","code":"%s","message":"%s","param":null,"sequence_number":%s}`, f.Code, f.Message, strconv.FormatInt(w.Next, 10)))
}

// responsesRules is the table of the Responses API: of a response, of lists of items
// and single items, and of the events of a stream. A stream carries a text in pieces.
// Then it repeats the whole text in the events that end the text, its part, its item
// and the response.
//
// The number of an item is output_index or its place in a list. The number of the part
// is ignored: some versions of vLLM count content_index up with every piece, so the
// contents of an item are one text. If an item has several texts, the repeats of each
// are scanned as a text of their own.
func responsesRules() []wire.Rule {
	return slices.Concat(
		responsesEnvelope(),
		responsesObject(""), responsesObject("response."),
		responsesItem("", "output[#].", "summary[#].", wire.TextAt, wire.TextAt),
		responsesItem("", "data[#].", "summary[#].", wire.TextAt, wire.TextAt),
		responsesItem("", "response.output[#].", "summary[#].", wire.CumulativeAt, wire.FinalAt),
		responsesItem("", "item.", "summary[##].", wire.CumulativeAt, wire.FinalAt),
		responsesItem("response.output_item.done", "item.", "summary[##].", wire.FinalAt, wire.FinalAt),
		responsesAlone(),
		responsesParts(),
		responsesDeltas(),
		responsesEnds(),
	)
}

// responsesEnvelope are the members that events share.
func responsesEnvelope() []wire.Rule {
	return append(noText("", "", "type", "item_id", "response_id", "event_id", "obfuscation", "first_id", "last_id"),
		wire.ItemNumber("output_index"),
		wire.PartNumber("summary_index"),
		// Events that nobody here knows: pieces are called delta.
		wire.TextAt("delta", "delta"),
		wire.NoText("code").For("error"),
		wire.NoText("param").For("error"),
		wire.DropWhenWithheld("annotation").For("response.output_text.annotation.added"),
		wire.NoText("annotation.type").For("response.output_text.annotation.added"),
		wire.SkipAt("partial_image_b64").Else(`""`).For("response.image_generation_call.partial_image"),
		wire.SkipAt("delta").Else(`""`).For("response.audio.delta"),
		wire.SkipAt("delta").Else(`""`).For("response.output_audio.delta"),
	)
}

// responsesObject is the response itself, which repeats much of the request.
func responsesObject(at string) []wire.Rule {
	rules := noText("", at, "id", "object", "model", "previous_response_id", "conversation.id", "service_tier",
		"truncation", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
		"reasoning.effort", "reasoning.summary", "reasoning.generate_summary",
		"content_filters[].source_type", "content_filters[].content_filter_results.*.severity")
	// While a stream goes on the status says so. Only the events behind its end tell more.
	for _, name := range []string{"status", "incomplete_details.reason"} {
		r := wire.NoText(at + name)
		if at == "" {
			r = r.Reason()
		}
		rules = append(rules, r)
	}
	for _, name := range []string{"instructions", "tools", "tool_choice", "prompt", "text", "metadata", "error"} {
		rules = append(rules, wire.CompleteAt(at+name, name).As(wire.Nested))
	}
	for _, name := range []string{"input_messages", "output_messages"} { // of vLLM, with token ids
		rules = append(rules,
			wire.DropWhenWithheld(at+name).Else(`[]`),
			wire.CompleteAt(at+name+"[]", name).As(wire.Nested))
	}
	return append(rules,
		wire.DropWhenWithheld(at+"content_filters[].content_filter_offsets"),
		wire.FinalAt(at+"output_text", "output_text"),
	)
}

// textRule makes the rule of a text: one of [wire.TextAt], [wire.FinalAt] and
// [wire.CumulativeAt].
type textRule func(path, channel string) wire.Rule

// responsesItem is an item of any type, in messages of a kind. text makes the rules of
// texts that a stream carries in pieces and repeats in the item. once makes the rules
// of texts that a stream carries in the item alone.
func responsesItem(kind, at, summary string, text, once textRule) []wire.Rule {
	rules := append(responsesContent(kind, at+"content[].", text),
		text(at+"content", "output.#.content").As(wire.Reply),
		wire.NoText(at+summary+"type"),
		text(at+summary+"text", "output.#.summary.#"),
		text(at+"arguments", "output.#.arguments").As(wire.Nested),
		text(at+"input", "output.#.input"),
		text(at+"code", "output.#.code"),
		wire.SkipAt(at+"encrypted_content").Else(`""`),
		wire.IDAt(at+"id", "ids"),
		wire.IDAt(at+"call_id", "call_ids"),
	)
	for _, name := range []string{"action", "actions", "operation", "queries"} { // the arguments of a tool
		rules = append(rules, once(at+name, "output.#."+name).As(wire.Nested))
	}
	for _, name := range responsesGiven {
		rules = append(rules, once(at+name, "output.#."+strings.ReplaceAll(name, "[]", "")))
	}
	for _, name := range responsesLists {
		rules = append(rules, once(at+name, "output.#."+name).As(wire.Nested))
	}
	for _, name := range responsesGot {
		rules = append(rules, wire.CompleteAt(at+name, "output.#."+strings.ReplaceAll(name, "[]", "")))
	}
	queries := wire.CompleteAt(at+"action.queries[]", "output.#.action.queries")
	queries.Again = true // the first one repeats the query
	rules = append(rules, queries)
	for _, name := range []string{"output", "outputs", "results", "tools", "error", "pending_safety_checks", "acknowledged_safety_checks"} {
		rules = append(rules, wire.CompleteAt(at+name, "output.#."+name).As(wire.Nested))
	}
	for _, name := range []string{"name", "namespace", "server_label"} {
		rules = append(rules, wire.CompleteAt(at+name, "output.#."+name).Label())
	}
	for i := range rules {
		rules[i].Kind = kind
	}
	return append(rules, noText(kind, at, "type", "status", "role", "phase", "container_id", "created_by",
		"approval_request_id", "execution", "background", "output_format", "quality", "size",
		"action.type", "actions[].type", "operation.type", "action.sources[].type", "outputs[].type", "output[].type",
		"output[].outcome.type", "results[].file_id")...)
}

// responsesGiven are the texts that a model gives to a tool of the server, responsesLists those
// that are lists or objects of short strings, and responsesGot those that it gets. They are texts
// of their own, because the kinds and files beside them would break a record that is cut over
// several calls: so files, folders and addresses have no rule. A list is one text, because its
// strings may be words of one. The queries of a search repeat its query.
var (
	responsesGiven = []string{
		"action.query", "action.text", "action.pattern", "actions[].text", "operation.diff", "revised_prompt",
	}
	responsesLists = []string{"action.command", "action.commands", "action.keys", "action.env"}
	responsesGot   = []string{"output[].text", "output[].stdout", "output[].stderr", "outputs[].logs", "results[].text", "result"}
)

// responsesAlone is an item that is the whole answer. Members that have another meaning
// in a response are left out.
func responsesAlone() []wire.Rule {
	return slices.DeleteFunc(responsesItem("", "", "summary[##].", wire.TextAt, wire.TextAt), func(r wire.Rule) bool {
		switch r.Path {
		case "id", "type", "status", "output", "tools", "error":
			return true
		}
		return strings.HasPrefix(r.Path, "output[]")
	})
}

// responsesCited are the texts of an annotation.
var responsesCited = []string{"title", "url", "filename", "quote", "text"}

// responsesContent is a part of the content of an item.
func responsesContent(kind, at string, text textRule) []wire.Rule {
	rules := append(responsesLogprobs(at),
		wire.ChannelIfEquals(at+"type", "reasoning_text", "output.#.reasoning"),
		text(at+"text", "output.#.content").As(wire.Reply),
		text(at+"refusal", "output.#.refusal"),
		text(at+"transcript", "output.#.transcript"),
		wire.SkipAt(at+"data").Else(`""`),
		wire.DropWhenWithheld(at+"annotations").Else(`[]`),
		wire.NoText(at+"annotations[].type"),
		wire.NoText(at+"annotations[].file_id"),
		wire.NoText(at+"annotations[].container_id"),
	)
	for _, name := range responsesCited {
		rules = append(rules, wire.CompleteAt(at+"annotations[]."+name, "output.#.annotations"))
	}
	for i := range rules {
		rules[i].Kind = kind
	}
	return rules
}

// responsesLogprobs are the tokens of a text. They are dropped together with their
// list.
func responsesLogprobs(at string) []wire.Rule {
	return []wire.Rule{
		wire.DropWhenWithheld(at + "logprobs").Else(`[]`),
		wire.TokensAt(at+"logprobs[].token", "output.#.logprobs"),
		wire.TokensAt(at+"logprobs[].bytes", "output.#.logprobs.bytes").As(wire.Bytes),
		wire.TokensAt(at+"logprobs[].top_logprobs[@].token", "logprobs.top.#"),
		wire.TokensAt(at+"logprobs[].top_logprobs[@].bytes", "logprobs.top.#.bytes").As(wire.Bytes),
	}
}

// responsesParts are the events that begin and end a part.
func responsesParts() []wire.Rule {
	var rules []wire.Rule
	for _, e := range []struct {
		event string
		text  textRule
	}{{"added", wire.CumulativeAt}, {"done", wire.FinalAt}} {
		for _, part := range []string{"response.content_part.", "response.reasoning_part."} { // the second is vLLM's
			rules = append(rules, responsesContent(part+e.event, "part.", e.text)...)
		}
		kind := "response.reasoning_summary_part." + e.event
		rules = append(rules,
			wire.NoText("part.type").For(kind),
			e.text("part.text", "output.#.summary.#").For(kind))
	}
	return rules
}

// responsesDeltas are the events that carry a piece of a text, and the events that
// repeat the text when it is complete.
func responsesDeltas() []wire.Rule {
	rules := slices.Concat(responsesLogprobs(""), []wire.Rule{
		wire.CompleteAt("name", "output.#.name").Label().For("response.function_call_arguments.done"),
		wire.TextAt("delta.stdout", "output.#.stdout.#").For("response.shell_call_output_content.delta"),
		wire.TextAt("delta.stderr", "output.#.stderr.#").For("response.shell_call_output_content.delta"),
		wire.FinalAt("output[].stdout", "output.#.stdout.#").For("response.shell_call_output_content.done"),
		wire.FinalAt("output[].stderr", "output.#.stderr.#").For("response.shell_call_output_content.done"),
		wire.PartNumber("command_index").For("response.shell_call_output_content.delta"),
		wire.PartNumber("command_index").For("response.shell_call_output_content.done"),
	})
	for _, name := range responsesCited {
		rules = append(rules, wire.CompleteAt("annotation."+name, "output.#.annotations").For("response.output_text.annotation.added"))
	}
	for _, e := range []struct {
		kind, done, name string
		form             wire.Form
	}{
		{"output_text", "text", "content", wire.Reply},
		{"refusal", "refusal", "refusal", wire.Plain},
		{"reasoning_text", "text", "reasoning", wire.Plain},
		{"reasoning_summary_text", "text", "summary.#", wire.Plain},
		{"function_call_arguments", "arguments", "arguments", wire.Nested},
		{"custom_tool_call_input", "input", "input", wire.Plain},
		{"mcp_call_arguments", "arguments", "arguments", wire.Nested},
		{"code_interpreter_call_code", "code", "code", wire.Plain},
		{"apply_patch_call_operation_diff", "diff", "operation.diff", wire.Plain},
		{"audio.transcript", "transcript", "transcript", wire.Plain},
		{"output_audio_transcript", "transcript", "transcript", wire.Plain},
		{"shell_call_command", "command", "command.#", wire.Plain},
	} {
		when, name := "response."+e.kind, "output.#."+e.name
		rules = append(rules,
			wire.TextAt("delta", name).As(e.form).For(when+".delta"),
			wire.FinalAt(e.done, name).As(e.form).For(when+".done"))
		if e.kind == "shell_call_command" {
			rules = append(rules,
				wire.CumulativeAt("command", name).For(when+".added"),
				wire.PartNumber("command_index").For(when+".added"),
				wire.PartNumber("command_index").For(when+".delta"),
				wire.PartNumber("command_index").For(when+".done"))
		}
	}
	return rules
}

// responsesEnds are the events that end a response. If the relay withholds a text that
// such an event repeats, the event itself becomes the ending of a filtered response.
func responsesEnds() []wire.Rule {
	var rules []wire.Rule
	for _, when := range []string{"response.completed", "response.incomplete", "response.done", "response.cancelled"} {
		rules = append(rules,
			wire.EndReason("type", `"response.incomplete"`).For(when),
			wire.EndReason("response.status", `"incomplete"`).For(when),
			wire.EndReasonIfNull("response.incomplete_details", `{"reason":"content_filter"}`).For(when),
			wire.EndReason("response.incomplete_details.reason", `"content_filter"`).For(when))
	}
	return append(rules, wire.EndReason("type", "").For("response.failed"))
}

// noText returns rules for members that are known to have no text.
func noText(kind, at string, names ...string) []wire.Rule {
	rules := make([]wire.Rule, len(names))
	for i, name := range names {
		rules[i] = wire.NoText(at + name).For(kind)
	}
	return rules
}

// responsesEvents are the kinds of events that have no rules of their own.
var responsesEvents = []string{
	"response.created", "response.queued", "response.in_progress", "response.output_item.added",
	"response.audio.done", "response.output_audio.done",
	"response.file_search_call.in_progress", "response.file_search_call.searching", "response.file_search_call.completed",
	"response.web_search_call.in_progress", "response.web_search_call.searching", "response.web_search_call.completed",
	"response.image_generation_call.in_progress", "response.image_generation_call.generating", "response.image_generation_call.completed",
	"response.code_interpreter_call.in_progress", "response.code_interpreter_call.interpreting", "response.code_interpreter_call.completed",
	"response.mcp_call.in_progress", "response.mcp_call.completed", "response.mcp_call.failed",
	"response.mcp_list_tools.in_progress", "response.mcp_list_tools.completed", "response.mcp_list_tools.failed",
	"response.compaction.compacting", "response.reasoning_part.added", "response.reasoning_part.done",
}

// responsesEvent is the members of an event that an ending needs. Each is JSON and a
// part of the payload.
type responsesEvent struct {
	kind, sequence, output, content, summary, id, item, part, delta, text, response []byte

	dec *jsontext.Decoder
	in  bytes.Buffer
}

// read reads an event. It allocates only its decoder, once.
func (v *responsesEvent) read(payload []byte) bool {
	if v.dec == nil {
		v.dec = new(jsontext.Decoder)
	}
	*v = responsesEvent{dec: v.dec, in: *bytes.NewBuffer(payload)}
	v.dec.Reset(&v.in, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) // it was located
	if v.dec.PeekKind() != '{' {
		return false
	}
	if _, err := v.dec.ReadToken(); err != nil {
		return false
	}
	for v.dec.PeekKind() == '"' {
		name, err := v.dec.ReadValue()
		if err != nil {
			return false
		}
		to := v.member(name[1 : len(name)-1])
		value, err := v.dec.ReadValue()
		if err != nil {
			return false
		}
		if hi := int(v.dec.InputOffset()); to != nil {
			*to = payload[hi-len(value) : hi]
		}
	}
	return true
}

// member returns the field for a member, or nil.
func (v *responsesEvent) member(name []byte) *[]byte {
	switch string(name) {
	case "type":
		return &v.kind
	case "sequence_number":
		return &v.sequence
	case "output_index":
		return &v.output
	case "content_index":
		return &v.content
	case "summary_index":
		return &v.summary
	case "item_id":
		return &v.id
	case "item":
		return &v.item
	case "part":
		return &v.part
	case "delta":
		return &v.delta
	case "text", "refusal", "arguments", "input", "code":
		return &v.text
	case "response":
		return &v.response
	}
	return nil
}

// place returns the number of the part that a text belongs to.
func (v *responsesEvent) place(t *responsesText) []byte {
	if t.list == "summary" {
		return v.summary
	}
	return v.content
}

// number reads a whole number.
func number(lit []byte) (int64, bool) {
	if len(lit) == 0 || len(lit) > 18 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(lit), 10, 64)
	return n, err == nil
}

// Bounds of the bytes that the ending of one stream keeps: the response object, member
// by member, and the items and texts that have left. Beyond maxEnding it keeps only the
// outline of the open items. Then the closing events have no text: lists of parts are
// empty, and the events of a text or a part are left out.
const (
	maxResponse = 256 << 10
	maxEnding   = 1 << 20
	maxOutline  = 64      // items
	keepOutline = 4 << 10 // bytes of each
	itemCost    = 256     // of an item or part, its texts apart
)

// responsesEnding ends a stream as the API ends one that its own filter cut. It closes
// the open items and texts with the text that has left, and marks the response as
// incomplete.
type responsesEnding struct {
	event    responsesEvent
	state    endingState
	next     int64 // number of the next event
	kept     int   // bytes of items and texts
	response []byte
	items    []responsesHeld
}

// endingState says how much of its stream an ending keeps.
type endingState uint8

const (
	endingWhole   endingState = iota // all bytes that have left
	endingOutline                    // those were too many: the outline
	endingOver                       // the stream has ended by itself
)

// responsesHeld is an item that has left, in whole or in part.
type responsesHeld struct {
	number int64
	id     []byte // JSON
	raw    []byte // the item, as it began or as it ended
	closed bool
	parts  []responsesPart
}

// responsesPart is a text of an open item.
type responsesPart struct {
	text   *responsesText
	number int64
	said   []byte // its text so far, escaped as in a JSON string
	end    partEnd
	vllm   bool // its events are vLLM's
}

// partEnd is the last of the events that end a text that has left.
type partEnd uint8

const (
	partOpen partEnd = iota
	partSaid
	partClosed
)

// responsesText is a kind of text that comes in pieces.
type responsesText struct {
	event  string // of the events, without .delta or .done
	member string // with the whole text
	part   string // type of its part, or of the item whose member it is
	list   string // of parts in the item; empty: it is a member of the item
	number string // of the part
}

var responsesTexts = []responsesText{
	{"response.output_text", "text", "output_text", "content", "content_index"},
	{"response.refusal", "refusal", "refusal", "content", "content_index"},
	{"response.reasoning_text", "text", "reasoning_text", "content", "content_index"},
	{"response.reasoning_summary_text", "text", "summary_text", "summary", "summary_index"},
	{"response.function_call_arguments", "arguments", "function_call", "", ""},
	{"response.mcp_call_arguments", "arguments", "mcp_call", "", ""},
	{"response.custom_tool_call_input", "input", "custom_tool_call", "", ""},
	{"response.code_interpreter_call_code", "code", "code_interpreter_call", "", ""},
}

// Sent implements [Ending].
func (e *responsesEnding) Sent(payload []byte) {
	v := &e.event
	if e.state == endingOver || !v.read(payload) {
		return
	}
	if n, ok := number(v.sequence); ok {
		e.next = n
	}
	e.next++
	switch kind := v.kind; {
	case len(kind) < len(`""`):
	case is(kind, "response.completed"), is(kind, "response.incomplete"), is(kind, "response.failed"),
		is(kind, "response.done"), is(kind, "response.cancelled"), is(kind, "error"):
		*e = responsesEnding{state: endingOver}
	case len(v.response) > 0:
		e.keepResponse(v.response)
	case is(kind, "response.output_item.added"):
		e.begin(v)
	case is(kind, "response.output_item.done"):
		e.done(v)
	case len(v.part) > 0:
		e.part(v)
	default:
		e.said(v)
	}
}

// is reports whether a JSON string, in quotes and without escapes, is s.
func is(literal []byte, s string) bool { return string(literal[1:len(literal)-1]) == s }

// keepResponse keeps the response object without the output.
func (e *responsesEnding) keepResponse(object []byte) {
	e.response = e.response[:0]
	_ = eachMember(object, func(name string, v jsontext.Value) error { // it was located
		switch name {
		case "status", "incomplete_details", "output", "output_text":
			return nil
		}
		if len(e.response)+len(name)+len(v) < maxResponse {
			e.response = append(appendName(e.response, name), v...)
		}
		return nil
	})
}

// appendName appends the name of the next member of an object.
func appendName(dst []byte, name string) []byte {
	if len(dst) > 0 && dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(wire.AppendEscaped(append(dst, '"'), []byte(name)), `":`...)
}

// begin takes note of an item that begins.
func (e *responsesEnding) begin(v *responsesEvent) {
	n, ok := number(v.output)
	if !ok && len(e.items) > 0 {
		n = e.items[len(e.items)-1].number + 1
	}
	it := e.add(n, bytes.Clone(v.item))
	it.id = bytes.Clone(memberOf(v.item, "id"))
}

// add adds an item.
func (e *responsesEnding) add(n int64, raw []byte) *responsesHeld {
	e.keep(len(raw) + itemCost)
	if e.state == endingOutline {
		if len(raw) > keepOutline {
			raw = []byte(`{}`)
		}
		if len(e.items) == maxOutline {
			e.items = slices.Delete(e.items, 0, 1)
		}
	}
	e.items = append(e.items, responsesHeld{number: n, raw: raw})
	return &e.items[len(e.items)-1]
}

// keep counts bytes that are about to be kept. If they become too many, it drops all
// texts.
func (e *responsesEnding) keep(n int) {
	if e.kept += n; e.kept <= maxEnding || e.state != endingWhole {
		return
	}
	e.state = endingOutline
	e.items = slices.DeleteFunc(e.items, func(it responsesHeld) bool { return it.closed })
	e.items = slices.Clone(e.items[max(0, len(e.items)-maxOutline):])
	for i := range e.items {
		it := &e.items[i]
		it.parts = nil
		if len(it.raw) > keepOutline {
			it.raw = []byte(`{}`)
		}
	}
}

// item returns the item of an event. Some servers number the events of an item
// otherwise than its beginning, or not at all. Then it is the last item.
func (e *responsesEnding) item(v *responsesEvent, kind string) *responsesHeld {
	n, ok := number(v.output)
	for i := len(e.items) - 1; i >= 0; i-- {
		if it := &e.items[i]; !it.closed && (!ok || it.number == n) {
			return it
		}
	}
	if i := len(e.items) - 1; i >= 0 && !e.items[i].closed && len(e.items[i].parts) == 0 && e.state == endingWhole {
		e.items[i].number = n
		return &e.items[i]
	}
	raw := `{"type":"` + kind + `"}`
	switch kind {
	case "output_text", "refusal":
		raw = `{"type":"message","role":"assistant","content":[]}`
	case "reasoning_text", "summary_text":
		raw = `{"type":"reasoning","summary":[]}`
	}
	return e.add(n, []byte(raw))
}

// done takes note of an item that ended.
func (e *responsesEnding) done(v *responsesEvent) {
	it := e.item(v, "message")
	if n := it.number; e.state == endingOutline {
		e.items = slices.DeleteFunc(e.items, func(it responsesHeld) bool { return it.number == n })
		return
	}
	it.closed, it.parts = true, nil
	it.raw = append(it.raw[:0], v.item...)
	e.keep(len(v.item))
}

// part takes note of an event that begins or ends a part.
func (e *responsesEnding) part(v *responsesEvent) {
	kind := memberOf(v.part, "type")
	if len(kind) < len(`""`) {
		return
	}
	for i := range responsesTexts {
		t := &responsesTexts[i]
		if t.list == "" || !is(kind, t.part) {
			continue
		}
		it := e.item(v, t.part)
		it.remember(v)
		p := it.find(t)
		if bytes.HasSuffix(v.kind, []byte(`.done"`)) {
			if p != nil {
				p.end = partClosed
			}
			return
		}
		if e.keep(itemCost); e.state == endingOutline {
			return
		}
		n, _ := number(v.place(t))
		it.parts = append(it.parts, responsesPart{text: t, number: n, vllm: is(v.kind, "response.reasoning_part.added")})
		e.append(&it.parts[len(it.parts)-1], memberOf(v.part, t.member))
		return
	}
}

// said takes note of a piece of a text, or of the repeat of the whole text.
func (e *responsesEnding) said(v *responsesEvent) {
	kind := v.kind[1 : len(v.kind)-1]
	name, delta := bytes.CutSuffix(kind, []byte(".delta"))
	name, done := bytes.CutSuffix(name, []byte(".done"))
	if !delta && !done {
		return
	}
	for i := range responsesTexts {
		t := &responsesTexts[i]
		if string(name) != t.event {
			continue
		}
		it := e.item(v, t.part)
		it.remember(v)
		if e.state == endingOutline {
			return
		}
		p := it.open(t, v)
		if delta {
			e.append(p, v.delta)
			return
		}
		p.said = p.said[:0]
		p.end = partSaid
		e.append(p, v.text)
		return
	}
}

// append adds a JSON string to the text of a part.
func (e *responsesEnding) append(p *responsesPart, literal []byte) {
	if len(literal) <= len(`""`) || literal[0] != '"' {
		return
	}
	inside := literal[1 : len(literal)-1]
	p.said = append(p.said, inside...)
	e.keep(len(inside))
}

// remember takes note of the id by which events refer to an item.
func (it *responsesHeld) remember(v *responsesEvent) {
	if len(v.id) > 0 && !bytes.Equal(it.id, v.id) {
		it.id = bytes.Clone(v.id)
	}
}

// find returns the last part of a kind that is not closed, or nil.
func (it *responsesHeld) find(t *responsesText) *responsesPart {
	for i := len(it.parts) - 1; i >= 0; i-- {
		if p := &it.parts[i]; p.text == t && p.end != partClosed {
			return p
		}
	}
	return nil
}

// open returns the part that an event adds to. An empty part may have been announced as
// one of another kind.
func (it *responsesHeld) open(t *responsesText, v *responsesEvent) *responsesPart {
	n, numbered := number(v.place(t))
	for i := range it.parts {
		if p := &it.parts[i]; numbered && p.text == t && p.number == n && p.end != partClosed {
			return p
		}
	}
	if p := it.find(t); p != nil {
		return p
	}
	if i := len(it.parts) - 1; i >= 0 && it.parts[i].end == partOpen && len(it.parts[i].said) == 0 && t.list != "" {
		it.parts[i].text = t
		return &it.parts[i]
	}
	it.parts = append(it.parts, responsesPart{text: t, number: n})
	return &it.parts[len(it.parts)-1]
}

var _ wire.Ending = (*responsesEnding)(nil)

// Write implements [Ending].
func (e *responsesEnding) Write(w *wire.Writer, _ []int32) {
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
func (e *responsesEnding) write(w *wire.Writer, kind string, members []byte) {
	payload := append([]byte(`{"type":"`), kind...)
	payload = strconv.AppendInt(append(payload, `","sequence_number":`...), e.next, 10)
	e.next++
	w.Message(kind, append(append(append(payload, ','), members...), '}'))
}

// close writes the events that end an item, and replaces its raw form by one with the
// text that has left.
func (e *responsesEnding) close(w *wire.Writer, it *responsesHeld) {
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

// place appends the members with the position of a part.
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

// append appends the text of a part as a JSON string.
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

// incomplete returns an item with the text that has left.
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
	if len(it.id) > 0 && memberOf(it.raw, "id") == nil {
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

// says reports whether the parts of an item have the text of a member.
func (it *responsesHeld) says(member string) bool {
	for i := range it.parts {
		if t := it.parts[i].text; t.list == member || t.list == "" && t.member == member {
			return true
		}
	}
	return false
}
