package api

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// Gemini is Google's generateContent and streamGenerateContent, at Google AI
// and at Vertex AI. An answer is a list of candidates, each of which is a list
// of parts; every message of a stream is such an answer with the next pieces.
// With `alt=sse` a stream is events without a last one, without it an array.
//
// The texts of a candidate's parts are one text, those of its thoughts another:
// a client puts them together, and the place of a part in its message says
// nothing.
type Gemini struct{}

var geminiPaths = wire.NewPaths(wire.Table{Choices: "candidates", Rules: geminiRules()})

// geminiRules is the table of answers. What a rule ignores in groundingMetadata
// are titles and addresses that servers send: those with words in them are
// scanned. The values of partialArgs belong to the member that jsonPath names.
func geminiRules() []wire.Rule {
	const at = "candidates[#]."
	rules := []wire.Rule{
		{Path: at + "index", Role: wire.ElementNumber},
		{Path: at + "finishReason", Role: wire.End, With: `"RECITATION"`},
		{Path: at + "content.role", Role: wire.NoText},
		{Path: at + "safetyRatings[].category", Role: wire.NoText},
		{Path: at + "safetyRatings[].probability", Role: wire.NoText},
		{Path: at + "safetyRatings[].severity", Role: wire.NoText},
		{Path: at + "logprobsResult", Role: wire.Drop},
		{Path: at + "logprobsResult.chosenCandidates[].token", Role: wire.Token, Name: "logprobs.chosen"},
		{Path: at + "logprobsResult.topCandidates[].candidates[@].token", Role: wire.Token, Name: "logprobs.top.#"},
		{Path: at + "citationMetadata", Role: wire.Drop},
		{Path: at + "groundingMetadata", Role: wire.Drop},
		{Path: at + "groundingMetadata.groundingSupports[].segment.text", Role: wire.Token, Name: "groundingMetadata.segments"},
		{Path: at + "urlContextMetadata.urlMetadata[].retrievedUrl", Role: wire.NoText},
		{Path: at + "urlContextMetadata.urlMetadata[].urlRetrievalStatus", Role: wire.NoText},
		{Path: "promptFeedback.blockReason", Role: wire.NoText},
		{Path: "promptFeedback.safetyRatings[].category", Role: wire.NoText},
		{Path: "promptFeedback.safetyRatings[].probability", Role: wire.NoText},
		{Path: "usageMetadata.trafficType", Role: wire.NoText},
		{Path: "modelVersion", Role: wire.NoText},
		{Path: "responseId", Role: wire.NoText},
		{Path: "createTime", Role: wire.NoText},
	}
	for _, list := range []string{"promptTokensDetails", "cacheTokensDetails", "candidatesTokensDetails", "toolUsePromptTokensDetails"} {
		rules = append(rules, wire.Rule{Path: "usageMetadata." + list + "[].modality", Role: wire.NoText})
	}
	for _, member := range []string{"citations[].uri", "citations[].title", "citations[].license"} {
		rules = append(rules, wire.Rule{Path: at + "citationMetadata." + member, Role: wire.NoText})
	}
	for _, member := range []string{
		"webSearchQueries[]", "retrievalQueries[]", "groundingChunks[].web.uri", "groundingChunks[].web.title", "groundingChunks[].web.domain",
		"groundingChunks[].retrievedContext.uri", "groundingChunks[].retrievedContext.title", "groundingChunks[].retrievedContext.text",
		"groundingChunks[].maps.uri", "groundingChunks[].maps.title", "groundingChunks[].maps.text", "groundingChunks[].maps.placeId",
	} {
		rules = append(rules, wire.Rule{Path: at + "groundingMetadata." + member, Role: wire.NoText})
	}
	return append(rules, geminiPartRules(at+"content.parts[]")...)
}

// geminiPartRules are the kinds of parts. A thought is a part whose thought is
// true, whatever else it is.
func geminiPartRules(at string) []wire.Rule {
	part := at + "."
	partial := at + ".functionCall.partialArgs[#]."
	return []wire.Rule{
		{Path: part + "text", Role: wire.Text, Name: "text", Form: wire.Reply},
		{Path: part + "thought", Role: wire.Discriminator, Name: "thought"},
		{Path: part + "functionCall.id", Role: wire.NoText},
		{Path: part + "functionCall.name", Role: wire.Metadata, Name: "functionCall.name"},
		{Path: part + "functionCall.args", Role: wire.Text, Name: "functionCall.args", Form: wire.Nested},
		{Path: partial + "jsonPath", Role: wire.KeyField},
		{Path: partial + "stringValue", Role: wire.Text, Name: "functionCall.partialArgs.#"},
		{Path: part + "functionResponse.id", Role: wire.NoText},
		{Path: part + "functionResponse.name", Role: wire.NoText},
		{Path: part + "functionResponse.response", Role: wire.Text, Name: "functionResponse.response", Form: wire.Nested},
		{Path: part + "toolCall.id", Role: wire.NoText},
		{Path: part + "toolCall.toolType", Role: wire.NoText},
		{Path: part + "toolCall.args", Role: wire.Text, Name: "toolCall.args", Form: wire.Nested},
		{Path: part + "toolResponse.id", Role: wire.NoText},
		{Path: part + "toolResponse.toolType", Role: wire.NoText},
		{Path: part + "toolResponse.response", Role: wire.Text, Name: "toolResponse.response", Form: wire.Nested},
		{Path: part + "executableCode.id", Role: wire.NoText},
		{Path: part + "executableCode.language", Role: wire.NoText},
		{Path: part + "executableCode.code", Role: wire.Text, Name: "executableCode"},
		{Path: part + "codeExecutionResult.id", Role: wire.NoText},
		{Path: part + "codeExecutionResult.outcome", Role: wire.NoText},
		{Path: part + "codeExecutionResult.output", Role: wire.Text, Name: "codeExecutionResult"},
		{Path: part + "audioTranscription.text", Role: wire.Text, Name: "audioTranscription"},
		{Path: part + "inlineData.mimeType", Role: wire.NoText},
		{Path: part + "inlineData.data", Role: wire.Skip, With: `""`},
		{Path: part + "fileData.mimeType", Role: wire.NoText},
		{Path: part + "fileData.fileUri", Role: wire.NoText},
	}
}

// Name implements [Family].
func (Gemini) Name() string { return "gemini" }

// Paths implements [Family].
func (Gemini) Paths() *wire.Paths { return geminiPaths }

// Request implements [Family]. The path names the model and asks for a stream.
// Members may be written in camel case or with underscores.
func (Gemini) Request(path string, body []byte) (wire.Request, error) {
	r := request{wire.Request{N: 1}}
	r.Model = path[strings.LastIndexByte(path, '/')+1:]
	if at := strings.LastIndexByte(r.Model, ':'); at >= 0 {
		r.Model, r.Stream = r.Model[:at], r.Model[at:] == ":streamGenerateContent"
	}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch name {
		case "contents":
			if v.Kind() == '{' {
				r.geminiContent(v)
				return nil
			}
			return eachElement(v, func(v jsontext.Value) error {
				r.geminiContent(v)
				return nil
			})
		case "systemInstruction", "system_instruction":
			tail := r.Tail
			r.geminiContent(v)
			r.Tail = tail
		case "generationConfig", "generation_config":
			return eachMember(v, r.geminiConfig)
		case "model", "labels":
		default:
			r.visible(v)
		}
		return nil
	})
	return r.Request, err
}

// geminiConfig reads a member of generationConfig.
func (r *request) geminiConfig(name string, v jsontext.Value) error {
	switch name {
	case "candidateCount", "candidate_count":
		if n, err := strconv.Atoi(string(v)); err == nil && n > 0 {
			r.N = n
		}
	case "responseMimeType", "response_mime_type":
		r.Schema = r.Schema || v.Kind() == '"' && strings.HasPrefix(string(wire.AppendText(nil, v)), "application/json")
	case "responseSchema", "response_schema", "responseJsonSchema", "response_json_schema", "_responseJsonSchema":
		r.Schema = r.Schema || v.Kind() != 'n'
		r.visible(v)
	default:
		r.visible(v)
	}
	return nil
}

// geminiContent reads one turn: a list of parts, or a text. It becomes one
// message, and its plain text is the tail.
func (r *request) geminiContent(v jsontext.Value) {
	var message []byte
	r.Tail = nil
	line := func(text []byte) {
		if len(message) > 0 && len(text) > 0 {
			message = append(message, '\n')
		}
		message = append(message, text...)
	}
	part := func(v jsontext.Value) error {
		return eachMember(v, func(name string, v jsontext.Value) error {
			switch name {
			case "text":
				if v.Kind() == '"' {
					r.Tail = wire.AppendText(r.Tail, v)
				}
				line(appendTexts(nil, v))
			case "inlineData", "inline_data":
				line(geminiInline(v))
			case "functionCall", "function_call", "functionResponse", "function_response", "toolCall", "tool_call", "toolResponse", "tool_response":
				line(geminiTool(v))
			case "fileData", "file_data", "thoughtSignature", "thought_signature":
			default:
				line(appendTexts(nil, v))
			}
			return nil
		})
	}
	if v.Kind() == '"' {
		r.Tail = wire.AppendText(nil, v)
		line(r.Tail)
	}
	_ = eachMember(v, func(name string, v jsontext.Value) error { // v is valid
		switch {
		case name == "parts" && v.Kind() == '[':
			return eachElement(v, part)
		case name == "parts":
			return part(v)
		}
		return nil
	})
	if len(message) > 0 {
		r.Messages = append(r.Messages, message)
	}
}

// geminiInline returns the text of a file that is sent along, if it is text.
func geminiInline(v jsontext.Value) []byte {
	var kind, data []byte
	_ = eachMember(v, func(name string, v jsontext.Value) error { // v is valid
		switch {
		case v.Kind() != '"':
		case name == "data":
			data = wire.AppendText(nil, v)
		case name == "mimeType", name == "mime_type":
			kind = wire.AppendText(nil, v)
		}
		return nil
	})
	if !bytes.HasPrefix(kind, []byte("text/")) && !bytes.HasPrefix(kind, []byte("application/json")) {
		return nil
	}
	data = bytes.TrimRight(data, "=")
	encoding := base64.RawStdEncoding
	if bytes.ContainsAny(data, "-_") {
		encoding = base64.RawURLEncoding
	}
	text := make([]byte, encoding.DecodedLen(len(data)))
	n, err := encoding.Decode(text, data)
	if err != nil {
		return nil
	}
	return text[:n]
}

// geminiTool returns the text of a call or its result: its name, and what it
// carries as JSON text, which is how answers are matched.
func geminiTool(v jsontext.Value) []byte {
	var text []byte
	_ = eachMember(v, func(name string, v jsontext.Value) error { // v is valid
		if name == "id" {
			return nil
		}
		if len(text) > 0 {
			text = append(text, '\n')
		}
		if v.Kind() == '"' {
			text = wire.AppendText(text, v)
		} else {
			text = append(text, v...)
		}
		return nil
	})
	return text
}

// Framing implements [Family]: a stream without events is an array.
func (Gemini) Framing(contentType string, r wire.Request) wire.Framing {
	if f := wire.ByContentType(contentType); f != wire.JSON || !r.Stream {
		return f
	}
	return wire.Array
}

// AppendFailure implements [Family].
func (Gemini) AppendFailure(dst []byte, f wire.Failure) []byte {
	if f.Status == 0 {
		f.Status = 400
	}
	dst = strconv.AppendInt(append(dst, `{"error":{"code":`...), int64(f.Status), 10)
	dst = wire.AppendEscaped(append(dst, `,"message":"`...), []byte(f.Message))
	dst = append(append(dst, `","status":"`...), geminiStatus(f.Status)...)
	dst = append(dst, `","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"`...)
	dst = wire.AppendEscaped(dst, []byte(strings.ToUpper(f.Code)))
	return append(dst, `","domain":"noecho"}]}}`...)
}

// geminiStatus is what Google calls an HTTP status.
func geminiStatus(status int) string {
	switch status {
	case 401:
		return "UNAUTHENTICATED"
	case 403:
		return "PERMISSION_DENIED"
	case 404:
		return "NOT_FOUND"
	case 408, 504:
		return "DEADLINE_EXCEEDED"
	case 429:
		return "RESOURCE_EXHAUSTED"
	case 500:
		return "INTERNAL"
	case 502, 503:
		return "UNAVAILABLE"
	}
	return "INVALID_ARGUMENT"
}

// Fail implements [Family].
func (g Gemini) Fail(w *wire.Writer, f wire.Failure) { w.Message("", g.AppendFailure(nil, f)) }

// NewEnding implements [Family].
func (Gemini) NewEnding() wire.Ending { return &geminiEnding{} }

// geminiEnding ends every open candidate in one message. Figures of usage and
// what else all messages of an answer share are those of the last one.
type geminiEnding struct {
	members members
	shared  []byte // members, each behind a comma
}

// Sent implements [Ending].
func (e *geminiEnding) Sent(payload []byte) {
	seen := false
	for e.members.open(payload); e.members.next(); {
		switch string(e.members.name) {
		case "usageMetadata", "modelVersion", "responseId", "createTime":
			if !seen {
				e.shared, seen = e.shared[:0], true
			}
			e.shared = append(append(append(e.shared, `,"`...), e.members.name...), `":`...)
			e.shared = append(e.shared, bytes.TrimSpace(e.members.value)...)
		}
	}
}

// Write implements [Ending].
func (e *geminiEnding) Write(w *wire.Writer, open []int32) {
	if len(open) == 0 {
		return // the last message of each said why it ended
	}
	out := []byte(`{"candidates":[`)
	for i, number := range open {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"finishReason":"RECITATION","index":`...)
		out = append(strconv.AppendInt(out, int64(number), 10), '}')
	}
	w.Message("", slices.Concat(out, []byte("]"), e.shared, []byte("}")))
}

var _ wire.Family = Gemini{}
