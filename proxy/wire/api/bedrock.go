package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// converse is Amazon Bedrock's Converse API, which is the same for all models. An
// answer is a message of content blocks. A stream is a list of frames: the headers of a
// frame name the event, and its payload has the members of the event.
var converse = wire.NewFamily(wire.Family{
	Name: "bedrock.converse", Request: converseRequest,
	Failure: bedrockFailure, FailureHeader: bedrockErrorType, FailureEvent: bedrockException,
	Ending: func() wire.Ending { return &converseEnding{} },
	Rules:  slices.Concat(converseEventRules(""), converseMessageRules(), converseEndRules("")),
})

// converseEventRules are the places of a stream's events, whose members are below the
// path at. Citations cut a text into many blocks, in the middle of a sentence, so all
// text blocks are one channel.
func converseEventRules(at string) []wire.Rule {
	rules := []wire.Rule{
		wire.NoText(at + "p"), // padding that hides the length of the text
		wire.NoText(at + "role"),
		wire.ItemNumber(at + "contentBlockIndex"),
		wire.IDAt(at+"start.toolUse.toolUseId", "ids"),
		wire.NoText(at + "start.toolUse.type"),
		wire.MetadataAt(at+"start.toolUse.name", "content.#.name").Label(),
		wire.IDAt(at+"start.toolResult.toolUseId", "ids"),
		wire.NoText(at + "start.toolResult.type"),
		wire.NoText(at + "start.toolResult.status"),
		wire.NoText(at + "start.image.format"),
		wire.TextAt(at+"delta.toolResult[].text", "content.#.result"),
		wire.TextAt(at+"delta.toolResult[].json", "content.#.result").As(wire.Nested),
		wire.TextAt(at+"delta.reasoningContent.text", "content.#.reasoning"),
		wire.DropWhenWithheld(at + "delta.reasoningContent.signature").InItem().Else(`""`),
		wire.DropMessageWhenWithheld(at + "delta.citation").InItem(),
	}
	return append(rules, converseContentRules(at+"delta.")...)
}

// converseMessageRules are the places of an answer in one piece.
func converseMessageRules() []wire.Rule {
	const at = "output.message.content[#]."
	rules := []wire.Rule{
		wire.NoText("output.message.role"),
		wire.IDAt(at+"toolUse.toolUseId", "ids"),
		wire.NoText(at + "toolUse.type"),
		wire.MetadataAt(at+"toolUse.name", "content.#.name").Label(),
		wire.IDAt(at+"toolResult.toolUseId", "ids"),
		wire.NoText(at + "toolResult.type"),
		wire.NoText(at + "toolResult.status"),
		wire.TextAt(at+"toolResult.content[].text", "content.#.result"),
		wire.TextAt(at+"toolResult.content[].json", "content.#.result").As(wire.Nested),
		wire.TextAt(at+"reasoningContent.reasoningText.text", "content.#.reasoning"),
		wire.DropWhenWithheld(at + "reasoningContent.reasoningText.signature").InItem().Else(`""`),
		wire.TextAt(at+"citationsContent.content[].text", "content.text"),
		wire.DropWhenWithheld(at + "citationsContent.citations").InItem().Else(`[]`),
		wire.NoText(at + "image.format"),
		wire.NoText(at + "video.format"),
		wire.SkipAt(at + "video.source.bytes").Else(`""`),
		wire.NoText(at + "audio.format"),
		wire.SkipAt(at + "audio.source.bytes").Else(`""`),
	}
	return append(rules, converseContentRules(at)...)
}

// converseContentRules are the members that blocks and pieces of blocks share.
func converseContentRules(at string) []wire.Rule {
	return []wire.Rule{
		wire.TextAt(at+"text", "content.text").As(wire.Reply),
		wire.TextAt(at+"toolUse.input", "content.#.input").As(wire.Nested),
		wire.DropWhenWithheld(at + "reasoningContent.redactedContent").InItem().Else(`""`),
		wire.SkipAt(at + "image.source.bytes").Else(`""`),
	}
}

// converseEndRules are the places behind the content: the reason of the end, and the
// trace of the guardrails, which copies the answer.
func converseEndRules(at string) []wire.Rule {
	return []wire.Rule{
		wire.EndReason(at+"stopReason", `"guardrail_intervened"`),
		wire.DropWhenWithheld(at + "trace").Else(`{}`),
		wire.NoText(at + "trace.promptRouter.invokedModelId"),
		wire.NoText(at + "performanceConfig.latency"),
		wire.NoText(at + "serviceTier.type"),
	}
}

// converseRequest reads a request, whose path names the model and asks for a stream.
func converseRequest(path string, body []byte) (wire.Request, error) {
	r, err := readRequest(body, func(r *request, name string, v jsontext.Value) error {
		switch name {
		case "messages":
			return r.conversation(v)
		case "outputConfig":
			_ = validMembers(v, func(name string, v jsontext.Value) error { // v is valid
				r.Schema = r.Schema || name == "textFormat" && wantsJSON(v)
				return nil
			})
		}
		r.visible(v)
		return nil
	})
	r.Model, r.Stream = bedrockPath(path)
	r.Stored = strings.Contains(r.Model, ":prompt/")
	return r, err
}

// bedrockPath reads a path that ends in /model/{id}/{operation}. It returns the model,
// whose id may be an escaped ARN, and whether the operation is a stream.
func bedrockPath(path string) (model string, stream bool) {
	segments := strings.Split(path, "/")
	if len(segments) < 2 {
		return "", false
	}
	model, operation := segments[len(segments)-2], segments[len(segments)-1]
	if plain, err := url.PathUnescape(model); err == nil {
		model = plain
	}
	return model, operation == "converse-stream" || operation == "invoke-with-response-stream"
}

// bedrockFailure appends the error body of Bedrock's APIs. A header names the kind of
// the error.
func bedrockFailure(dst []byte, f wire.Failure) []byte {
	return fill(dst, `{"message":"%s"}`, f.Message)
}

// bedrockErrorType returns the header of an HTTP answer that names an exception.
func bedrockErrorType(f wire.Failure) (name, value string) {
	value = "ValidationException"
	switch f.Status {
	case 404:
		value = "ResourceNotFoundException"
	case 408:
		value = "ModelTimeoutException"
	case 429:
		value = "ThrottlingException"
	case 502, 503:
		value = "ServiceUnavailableException"
	}
	return "x-amzn-errortype", value
}

// bedrockException is the name of the frame that ends a stream with an error.
const bedrockException = wire.ExceptionEvent + "validationException"

// converseEnding closes the open content blocks, and then the message. It recognises
// events by their members, since their names are outside of the payload.
type converseEnding struct {
	blocks []int64 // open
	stage  converseStage
	wrap   converseWrap
}

// converseStage is the newest step of the stream that has left.
type converseStage uint8

const (
	converseNothing  converseStage = iota
	converseBegun                  // messageStart, or a block
	converseStopped                // messageStop
	converseMeasured               // metadata
)

// converseWrap says at which level of a payload the members of an event are.
type converseWrap uint8

const (
	converseBare  converseWrap = iota // its members are the payload's
	converseNamed                     // it is a member of its own name
)

// Sent implements [Ending].
func (e *converseEnding) Sent(payload []byte) {
	block, ended := int64(-1), true
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // members behind a syntax error are left out
		switch name {
		case "role":
			e.stage = max(e.stage, converseBegun)
		case "contentBlockIndex":
			if n, err := strconv.ParseInt(string(v), 10, 32); err == nil {
				block = n
			}
		case "start", "delta":
			ended = false
		case "stopReason":
			e.stage = max(e.stage, converseStopped)
		case "usage", "metrics":
			e.stage = converseMeasured
		}
		return nil
	})
	if block < 0 {
		return
	}
	e.stage = max(e.stage, converseBegun)
	at := slices.Index(e.blocks, block)
	switch {
	case ended && at >= 0:
		e.blocks = slices.Delete(e.blocks, at, at+1)
	case !ended && at < 0 && len(e.blocks) < wire.MaxChannels:
		e.blocks = append(e.blocks, block)
	}
}

// Write implements [Ending].
func (e *converseEnding) Write(w *wire.Writer, _ []int32) {
	if e.stage == converseNothing {
		e.message(w, "messageStart", []byte(`{"role":"assistant"}`))
	}
	if e.stage < converseStopped {
		slices.Sort(e.blocks)
		for _, n := range e.blocks {
			e.message(w, "contentBlockStop", append(strconv.AppendInt([]byte(`{"contentBlockIndex":`), n, 10), '}'))
		}
		e.message(w, "messageStop", []byte(`{"stopReason":"guardrail_intervened"}`))
	}
	if e.stage < converseMeasured {
		e.message(w, "metadata", []byte(`{"usage":{"inputTokens":0,"outputTokens":0,"totalTokens":0},"metrics":{"latencyMs":0}}`))
	}
}

// message writes one event.
func (e *converseEnding) message(w *wire.Writer, event string, members []byte) {
	if e.wrap == converseNamed {
		members = slices.Concat([]byte(`{"`+event+`":`), members, []byte{'}'})
	}
	w.Message(event, members)
}

// invoke is Amazon Bedrock's InvokeModel. It passes on the JSON of each vendor's own
// API; a stream has these documents in binary frames. One table reads the answers of
// all vendors, because their members tell them apart. In the answer of a vendor that
// has no table, every string is taken for text.
var invoke = wire.NewFamily(wire.Family{
	Name: "bedrock.invoke", Request: invokeRequest, Framing: invokeFraming, Silent: true,
	Failure: bedrockFailure, FailureHeader: bedrockErrorType, FailureEvent: bedrockException,
	Ending:   func() wire.Ending { return &invokeEnding{} },
	Unlisted: wire.Text, Rules: invokeRules(), Anywhere: genericAnywhere(),
})

// invokeRules joins the tables of the vendors. If two of them have a rule for the same
// place, the first rule counts.
func invokeRules() []wire.Rule {
	all := slices.Concat(
		[]wire.Rule{
			wire.NoText("amazon-bedrock-guardrailAction"),
			wire.DropWhenWithheld("amazon-bedrock-trace").Else(`{}`),
		},
		anthropicRules(), novaRules(), plainVendorRules(), cohereV1Rules(), cohereRules(), vendorChatRules(),
	)
	type place struct{ kind, path string }
	seen := map[place]bool{}
	return slices.DeleteFunc(all, func(r wire.Rule) bool {
		p := place{r.Kind, r.Path}
		double := seen[p]
		seen[p] = true
		return double
	})
}

// novaRules is the table of Amazon Nova. It is that of Converse, but an event of a
// stream is a member with the event's name.
func novaRules() []wire.Rule {
	return slices.Concat(
		[]wire.Rule{
			wire.NoText("messageStart.role"),
			wire.ItemNumber("contentBlockStop.contentBlockIndex"),
		},
		converseEventRules("contentBlockStart."), converseEventRules("contentBlockDelta."),
		converseEndRules("messageStop."), converseEndRules("metadata."), converseEndRules(""),
		converseMessageRules(),
	)
}

// plainVendorRules are the tables of the vendors whose answers are a text or a list of
// texts: Titan, Llama, Mistral, AI21, Cohere's first models, DeepSeek. They also have
// the answers of models for images and embeddings.
func plainVendorRules() []wire.Rule {
	return []wire.Rule{
		wire.TextAt("outputText", "text").As(wire.Reply),
		wire.EndReason("completionReason", `"CONTENT_FILTERED"`),
		wire.TextAt("results[#].outputText", "results.#.text").As(wire.Reply),
		wire.NoText("results[#].completionReason").Reason(),
		wire.TextAt("generation", "text").As(wire.Reply),
		wire.TextAt("outputs[#].text", "outputs.#.text").As(wire.Reply),
		wire.EndReason("outputs[#].stop_reason", `"stop"`),
		wire.TextAt("completions[#].data.text", "completions.#.text").As(wire.Reply),
		wire.DropWhenWithheld("completions[#].data.tokens").Else(`[]`),
		wire.TokensAt("completions[#].data.tokens[].generatedToken.token", "completions.#.tokens"),
		wire.NoText("completions[#].finishReason.reason").Reason(),
		wire.TextAt("generations[#].text", "generations.#.text").As(wire.Reply),
		wire.TextAt("choices[#].text", "choices.#.text").As(wire.Reply),
		wire.EndReason("choices[#].stop_reason", `"stop"`),
		wire.SkipAt("images[]").Else(`""`),
		wire.SkipAt("artifacts[].base64").Else(`""`),
		wire.DropWhenWithheld("embedding"),
		wire.DropWhenWithheld("embeddings"),
		wire.DropWhenWithheld("embeddingsByType"),
	}
}

// vendorChatRules is the table of the vendors that answer like Chat Completions. Their
// answer is one choice to the relay, and its choices are items.
func vendorChatRules() []wire.Rule {
	rules := chatRules()
	for i := range rules {
		if r := &rules[i]; strings.HasPrefix(r.Path, "choices[#].") && r.Channel != "" {
			r.Channel = "choices.#." + r.Channel
		}
	}
	return rules
}

// invokeRequest reads a request. Its path names the model and asks for a stream; the
// body is that of the vendor's API.
func invokeRequest(path string, body []byte) (wire.Request, error) {
	anthropic := false
	r, err := readRequest(body, func(r *request, name string, v jsontext.Value) error {
		switch {
		case name == "anthropic_version":
			anthropic = true
		case r.common(name, v):
		case name == "messages":
			return r.conversation(v)
		case name == "prompt", name == "inputText", name == "message":
			r.prompt(v)
		default:
			r.visible(v)
		}
		return nil
	})
	if anthropic {
		r, err = anthropicRequest("", body)
	}
	r.Model, r.Stream = bedrockPath(path)
	return r, err
}

// invokeFraming chooses the framing by the content type alone.
func invokeFraming(contentType string, _ wire.Request) wire.Framing {
	if f := wire.ByContentType(contentType); f != wire.Events {
		return f
	}
	return wire.EventChunks
}

// vendorEndings are vendors by a member that their messages have, each with the message
// that ends its filtered streams.
var vendorEndings = []struct{ member, end string }{
	{"outputText", `{"outputText":"","index":0,"totalOutputTextTokenCount":0,"completionReason":"CONTENT_FILTERED","inputTextTokenCount":null}`},
	{"generation", `{"generation":"","prompt_token_count":null,"generation_token_count":0,"stop_reason":"stop"}`},
	{"outputs", `{"outputs":[{"text":"","stop_reason":"stop"}]}`},
	{"choices", `{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}`},
	{"is_finished", `{"text":"","is_finished":true,"finish_reason":"ERROR_TOXIC"}`},
}

// invokeEnding ends a stream as the vendor does whose messages it has seen. The stream
// of an unknown vendor ends with an exception.
type invokeEnding struct {
	vendor wire.Ending // nil: unknown, or one of vendorEndings
	end    string      // of one of vendorEndings; empty: unknown
}

// Sent implements [Ending].
func (e *invokeEnding) Sent(payload []byte) {
	if e.vendor == nil && e.end == "" {
		_ = eachMember(payload, func(name string, v jsontext.Value) error { // members behind a syntax error are left out
			e.note(name, v)
			return nil
		})
	}
	if e.vendor != nil {
		e.vendor.Sent(payload)
	}
}

// note recognises the vendor by a member.
func (e *invokeEnding) note(name string, v jsontext.Value) {
	switch name {
	case "type":
		if strings.Contains(string(v), "_") { // message_start, content_block_delta, …
			e.vendor = &anthropicEnding{}
		}
	case "messageStart", "contentBlockStart", "contentBlockDelta":
		e.vendor = &novaEnding{converseEnding{wrap: converseNamed}}
	}
	for _, vendor := range vendorEndings {
		if vendor.member == name {
			e.end = vendor.end
		}
	}
}

// Write implements [Ending].
func (e *invokeEnding) Write(w *wire.Writer, open []int32) {
	switch {
	case e.vendor != nil:
		e.vendor.Write(w, open)
	case e.end == "":
		converse.StreamFailure(w, wire.Withheld)
	case len(open) > 0:
		w.Message("chunk", []byte(e.end))
	}
}

// novaEnding is that of Converse, for events that are members with the names of the
// events.
type novaEnding struct{ converseEnding }

// Sent implements [Ending].
func (e *novaEnding) Sent(payload []byte) {
	_ = eachMember(payload, func(_ string, v jsontext.Value) error { // members behind a syntax error are left out
		e.converseEnding.Sent(v)
		return nil
	})
}
