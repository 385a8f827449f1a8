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

// gemini is Google's generateContent and streamGenerateContent, at Google AI and at
// Vertex AI. An answer is a list of candidates, each of which is a list of parts. Every
// message of a stream is such an answer with the next pieces. With `alt=sse` a stream
// is events without a final marker, otherwise it is an array.
//
// The texts of a candidate's parts are one text, and its thoughts are another. Clients
// join the parts, and the number of a part in its message has no meaning.
var gemini = wire.NewFamily(wire.Family{
	Name: "gemini", Request: geminiRequest, Framing: geminiFraming, Failure: geminiFailure,
	Ending:  func() wire.Ending { return &geminiEnding{} },
	Choices: "candidates", Rules: geminiRules(),
})

// geminiRules is the table of answers. The rules of groundingMetadata skip addresses that
// servers send, if they have no spaces; others are scanned. The values of partialArgs belong to
// the member that jsonPath names.
func geminiRules() []wire.Rule {
	const at = "candidates[#]."
	rules := []wire.Rule{
		wire.ElementNumber(at + "index"),
		wire.EndReason(at+"finishReason", `"RECITATION"`),
		wire.NoText(at + "content.role"),
		wire.NoText(at + "safetyRatings[].category"),
		wire.NoText(at + "safetyRatings[].probability"),
		wire.NoText(at + "safetyRatings[].severity"),
		wire.DropWhenWithheld(at + "logprobsResult"),
		wire.TokensAt(at+"logprobsResult.chosenCandidates[].token", "logprobs.chosen"),
		wire.TokensAt(at+"logprobsResult.topCandidates[].candidates[@].token", "logprobs.top.#"),
		wire.DropWhenWithheld(at + "citationMetadata"),
		wire.DropWhenWithheld(at + "groundingMetadata"),
		wire.TokensAt(at+"groundingMetadata.groundingSupports[].segment.text", "groundingMetadata.segments"),
		wire.NoText(at + "urlContextMetadata.urlMetadata[].retrievedUrl"),
		wire.NoText(at + "urlContextMetadata.urlMetadata[].urlRetrievalStatus"),
		wire.NoText("promptFeedback.blockReason"),
		wire.NoText("promptFeedback.safetyRatings[].category"),
		wire.NoText("promptFeedback.safetyRatings[].probability"),
		wire.NoText("usageMetadata.trafficType"),
		wire.NoText("modelVersion"),
		wire.NoText("responseId"),
		wire.NoText("createTime"),
	}
	for _, list := range []string{"promptTokensDetails", "cacheTokensDetails", "candidatesTokensDetails", "toolUsePromptTokensDetails"} {
		rules = append(rules, wire.NoText("usageMetadata."+list+"[].modality"))
	}
	for _, member := range []string{"citations[].uri", "citations[].title", "citations[].license"} {
		rules = append(rules, wire.NoText(at+"citationMetadata."+member))
	}
	for _, member := range []string{"web.uri", "web.domain", "retrievedContext.uri", "maps.uri", "maps.placeId"} {
		rules = append(rules, wire.NoText(at+"groundingMetadata.groundingChunks[]."+member))
	}
	for _, list := range []string{"webSearchQueries", "retrievalQueries"} { // the model wrote them
		rules = append(rules, wire.CompleteAt(at+"groundingMetadata."+list, "groundingMetadata."+list).As(wire.Nested))
	}
	return append(rules, geminiPartRules(at+"content.parts[]")...)
}

// geminiPartRules are the kinds of parts. A part of any kind is a thought if its member
// thought is true.
func geminiPartRules(at string) []wire.Rule {
	part := at + "."
	whole := func(r wire.Rule) wire.Rule {
		r.Whole = true
		return r
	}
	partial := at + ".functionCall.partialArgs[#]."
	return []wire.Rule{
		wire.TextAt(part+"text", "text").As(wire.Reply),
		wire.ChannelIfTrue(part+"thought", "thought"),
		wire.IDAt(part+"functionCall.id", "ids"),
		wire.MetadataAt(part+"functionCall.name", "functionCall.name").Label(),
		wire.TextAt(part+"functionCall.args", "functionCall.args").As(wire.Nested),
		wire.ElementKey(partial + "jsonPath"),
		wire.TextAt(partial+"stringValue", "functionCall.partialArgs.#"),
		wire.IDAt(part+"functionResponse.id", "ids"),
		wire.NoText(part + "functionResponse.name"),
		wire.TextAt(part+"functionResponse.response", "functionResponse.response").As(wire.Nested),
		wire.IDAt(part+"toolCall.id", "ids"),
		wire.NoText(part + "toolCall.toolType"),
		wire.TextAt(part+"toolCall.args", "toolCall.args").As(wire.Nested),
		wire.IDAt(part+"toolResponse.id", "ids"),
		wire.NoText(part + "toolResponse.toolType"),
		wire.TextAt(part+"toolResponse.response", "toolResponse.response").As(wire.Nested),
		wire.IDAt(part+"executableCode.id", "ids"),
		wire.NoText(part + "executableCode.language"),
		whole(wire.TextAt(part+"executableCode.code", "executableCode")),
		wire.IDAt(part+"codeExecutionResult.id", "ids"),
		wire.NoText(part + "codeExecutionResult.outcome"),
		whole(wire.TextAt(part+"codeExecutionResult.output", "codeExecutionResult")),
		wire.TextAt(part+"audioTranscription.text", "audioTranscription"),
		wire.NoText(part + "inlineData.mimeType"),
		wire.SkipAt(part + "inlineData.data").Else(`""`),
		wire.NoText(part + "fileData.mimeType"),
		wire.NoText(part + "fileData.fileUri"),
	}
}

// geminiRequest reads a request. Its path names the model and asks for a stream.
// Members may be written in camel case or with underscores.
func geminiRequest(path string, body []byte) (wire.Request, error) {
	r, err := readRequest(body, func(r *request, name string, v jsontext.Value) error {
		switch name {
		case "contents":
			if v.Kind() == '{' {
				geminiContent(r, v)
				return nil
			}
			return eachElement(v, func(v jsontext.Value) error {
				geminiContent(r, v)
				return nil
			})
		case "systemInstruction", "system_instruction":
			tail := r.Tail
			geminiContent(r, v)
			r.Tail = tail
		case "generationConfig", "generation_config":
			return eachMember(v, func(name string, v jsontext.Value) error { return geminiConfig(r, name, v) })
		case "cachedContent", "cached_content":
			r.Stored = r.Stored || holds(v)
			r.visible(v)
		case "model", "labels":
		default:
			r.visible(v)
		}
		return nil
	})
	r.Model = path[strings.LastIndexByte(path, '/')+1:]
	if at := strings.LastIndexByte(r.Model, ':'); at >= 0 {
		r.Model, r.Stream = r.Model[:at], r.Model[at:] == ":streamGenerateContent"
	}
	return r, err
}

// geminiConfig reads a member of generationConfig.
func geminiConfig(r *request, name string, v jsontext.Value) error {
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
func geminiContent(r *request, v jsontext.Value) {
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
	_ = validMembers(v, func(name string, v jsontext.Value) error { // v is valid
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

// geminiInline returns the text of an attached file, and nothing for files of other
// types.
func geminiInline(v jsontext.Value) []byte {
	var kind, data []byte
	_ = validMembers(v, func(name string, v jsontext.Value) error { // v is valid
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

// geminiTool returns the text of a call or its result: the name, and the other members
// as JSON text. Answers are compared with such text.
func geminiTool(v jsontext.Value) []byte {
	var text []byte
	_ = validMembers(v, func(name string, v jsontext.Value) error { // v is valid
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

// geminiFraming: a stream that is not events is an array.
func geminiFraming(contentType string, r wire.Request) wire.Framing {
	if f := wire.ByContentType(contentType); f != wire.JSON || !r.Stream {
		return f
	}
	return wire.Array
}

// geminiFailure appends the error body of Google's APIs.
func geminiFailure(dst []byte, f wire.Failure) []byte {
	if f.Status == 0 {
		f.Status = 400
	}
	return fill(dst, `{"error":{"code":%s,"message":"%s","status":"%s",`+
		`"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"%s","domain":"noecho"}]}}`,
		strconv.Itoa(f.Status), f.Message, geminiStatus(f.Status), strings.ToUpper(f.Code))
}

// geminiStatus returns Google's name for an HTTP status.
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

// geminiEnding ends every open candidate in one message. The usage and the other
// members that all messages of an answer share are copied from the last one.
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
		return // every candidate has a finishReason
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
