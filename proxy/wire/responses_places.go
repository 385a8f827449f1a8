package wire

import "slices"

// responsesRules is the table of the Responses API: of a response, of lists of
// items and single items, and of the events of a stream. A text comes there in
// pieces, then whole in the event that ends it, in the one that ends its part,
// in the one that ends its item and in the one that ends the response.
//
// An item is told by output_index and by its place in a list. The part is not:
// some vLLM count content_index up with every piece, so the contents of an item
// are one text. Where several stand in one item, what repeats them is judged as
// a text of its own.
func responsesRules() []Rule {
	return slices.Concat(
		responsesEnvelope(),
		responsesObject(""), responsesObject("response."),
		responsesItem("", "output[#].", "summary[#].", Text),
		responsesItem("", "data[#].", "summary[#].", Text),
		responsesItem("", "response.output[#].", "summary[#].", Cumulative),
		responsesItem("", "item.", "summary[##].", Cumulative),
		responsesItem("response.output_item.done", "item.", "summary[##].", Final),
		responsesAlone(),
		responsesParts(),
		responsesDeltas(),
		responsesEnds(),
	)
}

// responsesEnvelope are the members that events share.
func responsesEnvelope() []Rule {
	return append(ignored("", "", "type", "item_id", "response_id", "event_id", "obfuscation", "first_id", "last_id"),
		Rule{Path: "output_index", Role: ItemNumber},
		Rule{Path: "summary_index", Role: PartNumber},
		// Events that nobody here knows: pieces are called delta.
		Rule{Path: "delta", Role: Text, Name: "delta"},
		Rule{When: "error", Path: "code", Role: NoText},
		Rule{When: "error", Path: "param", Role: NoText},
		Rule{When: "response.output_text.annotation.added", Path: "annotation", Role: Drop},
		Rule{When: "response.output_text.annotation.added", Path: "annotation.type", Role: NoText},
		Rule{When: "response.image_generation_call.partial_image", Path: "partial_image_b64", Role: Skip, With: `""`},
		Rule{When: "response.audio.delta", Path: "delta", Role: Skip, With: `""`},
		Rule{When: "response.output_audio.delta", Path: "delta", Role: Skip, With: `""`},
	)
}

// responsesObject is the response itself, which repeats much of the request.
func responsesObject(at string) []Rule {
	rules := ignored("", at, "id", "object", "status", "model", "previous_response_id", "conversation.id", "service_tier",
		"truncation", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
		"reasoning.effort", "reasoning.summary", "reasoning.generate_summary", "incomplete_details.reason",
		"content_filters[].source_type", "content_filters[].content_filter_results.*.severity")
	for _, name := range []string{"instructions", "tools", "tool_choice", "prompt", "text", "metadata", "error"} {
		rules = append(rules, Rule{Path: at + name, Role: Complete, Name: name, Form: Nested})
	}
	for _, name := range []string{"input_messages", "output_messages"} { // of vLLM, with token ids
		rules = append(rules,
			Rule{Path: at + name, Role: Drop, With: `[]`},
			Rule{Path: at + name + "[]", Role: Complete, Name: name, Form: Nested})
	}
	return append(rules,
		Rule{Path: at + "content_filters[].content_filter_offsets", Role: Drop},
		Rule{Path: at + "output_text", Role: Final, Name: "output_text"},
	)
}

// responsesItem is an item of whatever type. In a stream role is how it repeats
// the texts that come in pieces; others are repeated whole.
func responsesItem(when, at, summary string, role Role) []Rule {
	again := role
	if role == Cumulative {
		again = Final
	}
	rules := append(responsesContent(when, at+"content[].", role),
		Rule{Path: at + "content", Role: role, Name: "output.#.content", Form: Reply},
		Rule{Path: at + summary + "type", Role: NoText},
		Rule{Path: at + summary + "text", Role: role, Name: "output.#.summary.#"},
		Rule{Path: at + "arguments", Role: role, Name: "output.#.arguments", Form: Nested},
		Rule{Path: at + "input", Role: role, Name: "output.#.input"},
		Rule{Path: at + "code", Role: role, Name: "output.#.code"},
		Rule{Path: at + "encrypted_content", Role: Skip, With: `""`},
	)
	for _, name := range []string{"action", "actions", "operation", "queries"} { // what the model asks a tool for
		rules = append(rules, Rule{Path: at + name, Role: again, Name: "output.#." + name, Form: Nested})
	}
	for _, name := range []string{"output", "outputs", "results", "tools", "error", "pending_safety_checks", "acknowledged_safety_checks"} {
		rules = append(rules, Rule{Path: at + name, Role: Complete, Name: "output.#." + name, Form: Nested})
	}
	for _, name := range []string{"name", "namespace", "server_label", "result", "revised_prompt"} {
		rules = append(rules, Rule{Path: at + name, Role: Complete, Name: "output.#." + name})
	}
	for i := range rules {
		rules[i].When = when
	}
	return append(rules, ignored(when, at, "id", "type", "status", "role", "phase", "call_id", "container_id", "created_by",
		"approval_request_id", "execution", "background", "output_format", "quality", "size")...)
}

// responsesAlone is an item that is the whole answer, as far as its members do
// not mean something else in a response.
func responsesAlone() []Rule {
	return slices.DeleteFunc(responsesItem("", "", "summary[##].", Text), func(r Rule) bool {
		switch r.Path {
		case "id", "type", "status", "output", "tools", "error":
			return true
		}
		return false
	})
}

// responsesCited are the texts of an annotation.
var responsesCited = []string{"title", "url", "filename", "quote", "text"}

// responsesContent is a part of the content of an item.
func responsesContent(when, at string, role Role) []Rule {
	rules := append(responsesLogprobs(at),
		Rule{Path: at + "type", Role: Discriminator, With: `"reasoning_text"`, Name: "output.#.reasoning"},
		Rule{Path: at + "text", Role: role, Name: "output.#.content", Form: Reply},
		Rule{Path: at + "refusal", Role: role, Name: "output.#.refusal"},
		Rule{Path: at + "transcript", Role: role, Name: "output.#.transcript"},
		Rule{Path: at + "data", Role: Skip, With: `""`},
		Rule{Path: at + "annotations", Role: Drop, With: `[]`},
		Rule{Path: at + "annotations[].type", Role: NoText},
		Rule{Path: at + "annotations[].file_id", Role: NoText},
		Rule{Path: at + "annotations[].container_id", Role: NoText},
	)
	for _, name := range responsesCited {
		rules = append(rules, Rule{Path: at + "annotations[]." + name, Role: Complete, Name: "output.#.annotations"})
	}
	for i := range rules {
		rules[i].When = when
	}
	return rules
}

// responsesLogprobs are the tokens of a text. They all go with their list.
func responsesLogprobs(at string) []Rule {
	return []Rule{
		{Path: at + "logprobs", Role: Drop, With: `[]`},
		{Path: at + "logprobs[].token", Role: Token, Name: "output.#.logprobs"},
		{Path: at + "logprobs[].bytes", Role: Token, Name: "output.#.logprobs.bytes", Form: Bytes},
		{Path: at + "logprobs[].top_logprobs[@].token", Role: Token, Name: "logprobs.top.#"},
		{Path: at + "logprobs[].top_logprobs[@].bytes", Role: Token, Name: "logprobs.top.#.bytes", Form: Bytes},
	}
}

// responsesParts are the events that begin and end a part.
func responsesParts() []Rule {
	var rules []Rule
	for _, e := range []struct {
		when string
		role Role
	}{{"added", Cumulative}, {"done", Final}} {
		for _, when := range []string{"response.content_part.", "response.reasoning_part."} { // the second is vLLM's
			rules = append(rules, responsesContent(when+e.when, "part.", e.role)...)
		}
		when := "response.reasoning_summary_part." + e.when
		rules = append(rules,
			Rule{When: when, Path: "part.type", Role: NoText},
			Rule{When: when, Path: "part.text", Role: e.role, Name: "output.#.summary.#"})
	}
	return rules
}

// responsesDeltas are the events that carry a piece of a text, and those that
// say it once more when it is complete.
func responsesDeltas() []Rule {
	rules := slices.Concat(responsesLogprobs(""), []Rule{
		{When: "response.function_call_arguments.done", Path: "name", Role: Complete, Name: "output.#.name"},
		{When: "response.shell_call_output_content.delta", Path: "delta.stdout", Role: Text, Name: "output.#.stdout.#"},
		{When: "response.shell_call_output_content.delta", Path: "delta.stderr", Role: Text, Name: "output.#.stderr.#"},
		{When: "response.shell_call_output_content.done", Path: "output[].stdout", Role: Final, Name: "output.#.stdout.#"},
		{When: "response.shell_call_output_content.done", Path: "output[].stderr", Role: Final, Name: "output.#.stderr.#"},
		{When: "response.shell_call_output_content.delta", Path: "command_index", Role: PartNumber},
		{When: "response.shell_call_output_content.done", Path: "command_index", Role: PartNumber},
	})
	for _, name := range responsesCited {
		rules = append(rules, Rule{When: "response.output_text.annotation.added", Path: "annotation." + name, Role: Complete, Name: "output.#.annotations"})
	}
	for _, e := range []struct {
		kind, done, name string
		form             Form
	}{
		{"output_text", "text", "content", Reply},
		{"refusal", "refusal", "refusal", Plain},
		{"reasoning_text", "text", "reasoning", Plain},
		{"reasoning_summary_text", "text", "summary.#", Plain},
		{"function_call_arguments", "arguments", "arguments", Nested},
		{"custom_tool_call_input", "input", "input", Plain},
		{"mcp_call_arguments", "arguments", "arguments", Nested},
		{"code_interpreter_call_code", "code", "code", Plain},
		{"audio.transcript", "transcript", "transcript", Plain},
		{"output_audio_transcript", "transcript", "transcript", Plain},
		{"shell_call_command", "command", "command.#", Plain},
	} {
		when, name := "response."+e.kind, "output.#."+e.name
		rules = append(rules,
			Rule{When: when + ".delta", Path: "delta", Role: Text, Name: name, Form: e.form},
			Rule{When: when + ".done", Path: e.done, Role: Final, Name: name, Form: e.form})
		if e.kind == "shell_call_command" {
			rules = append(rules,
				Rule{When: when + ".added", Path: "command", Role: Cumulative, Name: name},
				Rule{When: when + ".added", Path: "command_index", Role: PartNumber},
				Rule{When: when + ".delta", Path: "command_index", Role: PartNumber},
				Rule{When: when + ".done", Path: "command_index", Role: PartNumber})
		}
	}
	return rules
}

// responsesEnds are the events that end a response. One that is cut where it
// repeats what has not left before is the filtered ending itself.
func responsesEnds() []Rule {
	var rules []Rule
	for _, when := range []string{"response.completed", "response.incomplete", "response.done", "response.cancelled"} {
		rules = append(rules,
			Rule{When: when, Path: "type", Role: End, With: `"response.incomplete"`},
			Rule{When: when, Path: "response.status", Role: End, With: `"incomplete"`},
			Rule{When: when, Path: "response.incomplete_details", Role: End, Form: Document, With: `{"reason":"content_filter"}`},
			Rule{When: when, Path: "response.incomplete_details.reason", Role: End, With: `"content_filter"`})
	}
	return append(rules, Rule{When: "response.failed", Path: "type", Role: End})
}

// ignored are members that are known to hold no text.
func ignored(when, at string, names ...string) []Rule {
	rules := make([]Rule, len(names))
	for i, name := range names {
		rules[i] = Rule{When: when, Path: at + name, Role: NoText}
	}
	return rules
}

// responsesEvents are the events that no rule names.
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
