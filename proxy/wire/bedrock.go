package wire

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Converse is Amazon Bedrock's Converse API, which speaks to all models in one
// way. An answer is a message of content blocks; a stream is a list of frames
// whose headers name the event and whose payloads hold its members.
type Converse struct{}

var conversePaths = NewPaths(Table{Rules: slices.Concat(converseEventRules(""), converseMessageRules(), converseEndRules(""))})

// converseEventRules are the places of a stream's events, whose members stand
// below the path at. Citations cut a text into many blocks, in the middle of
// a sentence, so all blocks of text are one channel.
func converseEventRules(at string) []Rule {
	rules := []Rule{
		{Path: at + "p", Role: NoText}, // hides how long the text is
		{Path: at + "role", Role: NoText},
		{Path: at + "contentBlockIndex", Role: ItemNumber},
		{Path: at + "start.toolUse.toolUseId", Role: NoText},
		{Path: at + "start.toolUse.type", Role: NoText},
		{Path: at + "start.toolUse.name", Role: Metadata, Name: "content.#.name"},
		{Path: at + "start.toolResult.toolUseId", Role: NoText},
		{Path: at + "start.toolResult.type", Role: NoText},
		{Path: at + "start.toolResult.status", Role: NoText},
		{Path: at + "start.image.format", Role: NoText},
		{Path: at + "delta.toolResult[].text", Role: Text, Name: "content.#.result"},
		{Path: at + "delta.toolResult[].json", Role: Text, Name: "content.#.result", Form: Nested},
		{Path: at + "delta.reasoningContent.text", Role: Text, Name: "content.#.reasoning"},
		{Path: at + "delta.reasoningContent.signature", Role: Drop, Name: InItem, With: `""`},
		{Path: at + "delta.citation", Role: Drop, Name: InItem, With: Gone},
	}
	return append(rules, converseContentRules(at+"delta.")...)
}

// converseMessageRules are the places of an answer in one piece.
func converseMessageRules() []Rule {
	const at = "output.message.content[#]."
	rules := []Rule{
		{Path: "output.message.role", Role: NoText},
		{Path: at + "toolUse.toolUseId", Role: NoText},
		{Path: at + "toolUse.type", Role: NoText},
		{Path: at + "toolUse.name", Role: Metadata, Name: "content.#.name"},
		{Path: at + "toolResult.toolUseId", Role: NoText},
		{Path: at + "toolResult.type", Role: NoText},
		{Path: at + "toolResult.status", Role: NoText},
		{Path: at + "toolResult.content[].text", Role: Text, Name: "content.#.result"},
		{Path: at + "toolResult.content[].json", Role: Text, Name: "content.#.result", Form: Nested},
		{Path: at + "reasoningContent.reasoningText.text", Role: Text, Name: "content.#.reasoning"},
		{Path: at + "reasoningContent.reasoningText.signature", Role: Drop, Name: InItem, With: `""`},
		{Path: at + "citationsContent.content[].text", Role: Text, Name: "content.text"},
		{Path: at + "citationsContent.citations", Role: Drop, Name: InItem, With: `[]`},
		{Path: at + "image.format", Role: NoText},
		{Path: at + "video.format", Role: NoText},
		{Path: at + "video.source.bytes", Role: Skip, With: `""`},
		{Path: at + "audio.format", Role: NoText},
		{Path: at + "audio.source.bytes", Role: Skip, With: `""`},
	}
	return append(rules, converseContentRules(at)...)
}

// converseContentRules are what a block and the pieces of one call alike.
func converseContentRules(at string) []Rule {
	return []Rule{
		{Path: at + "text", Role: Text, Name: "content.text", Form: Reply},
		{Path: at + "toolUse.input", Role: Text, Name: "content.#.input", Form: Nested},
		{Path: at + "reasoningContent.redactedContent", Role: Drop, Name: InItem, With: `""`},
		{Path: at + "image.source.bytes", Role: Skip, With: `""`},
	}
}

// converseEndRules are the places of what follows the content: why it ended,
// and what guardrails saw, their copy of the answer included.
func converseEndRules(at string) []Rule {
	return []Rule{
		{Path: at + "stopReason", Role: End, With: `"guardrail_intervened"`},
		{Path: at + "trace", Role: Drop, With: `{}`},
		{Path: at + "trace.promptRouter.invokedModelId", Role: NoText},
		{Path: at + "performanceConfig.latency", Role: NoText},
		{Path: at + "serviceTier.type", Role: NoText},
	}
}

// Name implements [Family].
func (Converse) Name() string { return "bedrock.converse" }

// Paths implements [Family].
func (Converse) Paths() *Paths { return conversePaths }

// Request implements [Family]. Model and stream are asked for in the path.
func (Converse) Request(path string, body []byte) (Request, error) {
	r := Request{N: 1}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch name {
		case "messages":
			return r.conversation(v)
		case "outputConfig":
			_ = eachMember(v, func(name string, v jsontext.Value) error { // v is valid
				r.Schema = r.Schema || name == "textFormat" && wantsJSON(v)
				return nil
			})
		}
		r.visible(v)
		return nil
	})
	r.Model, r.Stream = bedrockPath(path)
	return r, err
}

// bedrockPath reads the model and whether a stream is asked for from a path
// that ends in /model/{id}/{operation}. The id may be an ARN, escaped.
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

// AppendFailure implements [Family].
func (Converse) AppendFailure(dst []byte, f Failure) []byte { return appendBedrockFailure(dst, f) }

// FailureHeader implements [FailureHeader].
func (Converse) FailureHeader(f Failure) (name, value string) { return bedrockErrorType(f) }

// Framing implements [Family].
func (Converse) Framing(contentType string, _ Request) Framing { return ByContentType(contentType) }

// Fail implements [Family].
func (Converse) Fail(w *Writer, f Failure) { failBedrock(w, f) }

// NewEnding implements [Family].
func (Converse) NewEnding() Ending { return &converseEnding{} }

// appendBedrockFailure appends the error body of Bedrock's APIs. What kind of
// error it is stands in a header.
func appendBedrockFailure(dst []byte, f Failure) []byte {
	dst = append(dst, `{"message":"`...)
	dst = AppendEscaped(dst, []byte(f.Message))
	return append(dst, `"}`...)
}

// bedrockErrorType returns the header of an HTTP answer that names an exception.
func bedrockErrorType(f Failure) (name, value string) {
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

// failBedrock writes the exception that ends a stream.
func failBedrock(w *Writer, f Failure) {
	w.Message(exceptionEvent+"validationException", appendBedrockFailure(nil, f))
}

// converseEnding closes the open content blocks, and then the message. It knows
// events by their members, since their names stand outside of the payload.
type converseEnding struct {
	blocks []int64 // open
	stage  converseStage
	wrap   converseWrap
}

// converseStage is how far a stream has come.
type converseStage uint8

const (
	converseNothing  converseStage = iota
	converseBegun                  // messageStart, or a block
	converseStopped                // messageStop
	converseMeasured               // metadata
)

// converseWrap is how an event stands in a payload.
type converseWrap uint8

const (
	converseBare  converseWrap = iota // its members are the payload's
	converseNamed                     // it is a member of its own name
)

// Sent implements [Ending].
func (e *converseEnding) Sent(payload []byte) {
	block, ended := int64(-1), true
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // what is broken is left out
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
	case !ended && at < 0 && len(e.blocks) < MaxChannels:
		e.blocks = append(e.blocks, block)
	}
}

// Write implements [Ending].
func (e *converseEnding) Write(w *Writer, _ []int32) {
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
func (e *converseEnding) message(w *Writer, event string, members []byte) {
	if e.wrap == converseNamed {
		members = slices.Concat([]byte(`{"`+event+`":`), members, []byte{'}'})
	}
	w.Message(event, members)
}

var (
	_ Family        = Converse{}
	_ FailureHeader = Converse{}
)
