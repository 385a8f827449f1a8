package wire

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
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

var geminiPaths = NewPaths(Table{Choices: "candidates", Rules: geminiRules()})

// geminiRules is the table of answers. What a rule ignores in groundingMetadata
// are titles and addresses that servers send: those with words in them are
// scanned. The values of partialArgs belong to the member that jsonPath names.
func geminiRules() []Rule {
	const at = "candidates[#]."
	rules := []Rule{
		{Path: at + "index", Role: ElementNumber},
		{Path: at + "finishReason", Role: End, With: `"RECITATION"`},
		{Path: at + "content.role", Role: NoText},
		{Path: at + "safetyRatings[].category", Role: NoText},
		{Path: at + "safetyRatings[].probability", Role: NoText},
		{Path: at + "safetyRatings[].severity", Role: NoText},
		{Path: at + "logprobsResult", Role: Drop},
		{Path: at + "logprobsResult.chosenCandidates[].token", Role: Token, Name: "logprobs.chosen"},
		{Path: at + "logprobsResult.topCandidates[].candidates[@].token", Role: Token, Name: "logprobs.top.#"},
		{Path: at + "citationMetadata", Role: Drop},
		{Path: at + "groundingMetadata", Role: Drop},
		{Path: at + "groundingMetadata.groundingSupports[].segment.text", Role: Token, Name: "groundingMetadata.segments"},
		{Path: at + "urlContextMetadata.urlMetadata[].retrievedUrl", Role: NoText},
		{Path: at + "urlContextMetadata.urlMetadata[].urlRetrievalStatus", Role: NoText},
		{Path: "promptFeedback.blockReason", Role: NoText},
		{Path: "promptFeedback.safetyRatings[].category", Role: NoText},
		{Path: "promptFeedback.safetyRatings[].probability", Role: NoText},
		{Path: "usageMetadata.trafficType", Role: NoText},
		{Path: "modelVersion", Role: NoText},
		{Path: "responseId", Role: NoText},
		{Path: "createTime", Role: NoText},
	}
	for _, list := range []string{"promptTokensDetails", "cacheTokensDetails", "candidatesTokensDetails", "toolUsePromptTokensDetails"} {
		rules = append(rules, Rule{Path: "usageMetadata." + list + "[].modality", Role: NoText})
	}
	for _, member := range []string{"citations[].uri", "citations[].title", "citations[].license"} {
		rules = append(rules, Rule{Path: at + "citationMetadata." + member, Role: NoText})
	}
	for _, member := range []string{
		"webSearchQueries[]", "retrievalQueries[]", "groundingChunks[].web.uri", "groundingChunks[].web.title", "groundingChunks[].web.domain",
		"groundingChunks[].retrievedContext.uri", "groundingChunks[].retrievedContext.title", "groundingChunks[].retrievedContext.text",
		"groundingChunks[].maps.uri", "groundingChunks[].maps.title", "groundingChunks[].maps.text", "groundingChunks[].maps.placeId",
	} {
		rules = append(rules, Rule{Path: at + "groundingMetadata." + member, Role: NoText})
	}
	return append(rules, geminiPartRules(at+"content.parts[]")...)
}

// geminiPartRules are the kinds of parts. A thought is a part whose thought is
// true, whatever else it is.
func geminiPartRules(at string) []Rule {
	part := at + "."
	partial := at + ".functionCall.partialArgs[#]."
	return []Rule{
		{Path: part + "text", Role: Text, Name: "text", Form: Reply},
		{Path: part + "thought", Role: Discriminator, Name: "thought"},
		{Path: part + "functionCall.id", Role: NoText},
		{Path: part + "functionCall.name", Role: Metadata, Name: "functionCall.name"},
		{Path: part + "functionCall.args", Role: Text, Name: "functionCall.args", Form: Nested},
		{Path: partial + "jsonPath", Role: KeyField},
		{Path: partial + "stringValue", Role: Text, Name: "functionCall.partialArgs.#"},
		{Path: part + "functionResponse.id", Role: NoText},
		{Path: part + "functionResponse.name", Role: NoText},
		{Path: part + "functionResponse.response", Role: Text, Name: "functionResponse.response", Form: Nested},
		{Path: part + "toolCall.id", Role: NoText},
		{Path: part + "toolCall.toolType", Role: NoText},
		{Path: part + "toolCall.args", Role: Text, Name: "toolCall.args", Form: Nested},
		{Path: part + "toolResponse.id", Role: NoText},
		{Path: part + "toolResponse.toolType", Role: NoText},
		{Path: part + "toolResponse.response", Role: Text, Name: "toolResponse.response", Form: Nested},
		{Path: part + "executableCode.id", Role: NoText},
		{Path: part + "executableCode.language", Role: NoText},
		{Path: part + "executableCode.code", Role: Text, Name: "executableCode"},
		{Path: part + "codeExecutionResult.id", Role: NoText},
		{Path: part + "codeExecutionResult.outcome", Role: NoText},
		{Path: part + "codeExecutionResult.output", Role: Text, Name: "codeExecutionResult"},
		{Path: part + "audioTranscription.text", Role: Text, Name: "audioTranscription"},
		{Path: part + "inlineData.mimeType", Role: NoText},
		{Path: part + "inlineData.data", Role: Skip, With: `""`},
		{Path: part + "fileData.mimeType", Role: NoText},
		{Path: part + "fileData.fileUri", Role: NoText},
	}
}

// Name implements [Family].
func (Gemini) Name() string { return "gemini" }

// Paths implements [Family].
func (Gemini) Paths() *Paths { return geminiPaths }

// Request implements [Family]. The path names the model and asks for a stream.
// Members may be written in camel case or with underscores.
func (Gemini) Request(path string, body []byte) (Request, error) {
	r := Request{N: 1}
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
	return r, err
}

// geminiConfig reads a member of generationConfig.
func (r *Request) geminiConfig(name string, v jsontext.Value) error {
	switch name {
	case "candidateCount", "candidate_count":
		if n, err := strconv.Atoi(string(v)); err == nil && n > 0 {
			r.N = n
		}
	case "responseMimeType", "response_mime_type":
		r.Schema = r.Schema || v.Kind() == '"' && strings.HasPrefix(string(AppendText(nil, v)), "application/json")
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
func (r *Request) geminiContent(v jsontext.Value) {
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
					r.Tail = AppendText(r.Tail, v)
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
		r.Tail = AppendText(nil, v)
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
			data = AppendText(nil, v)
		case name == "mimeType", name == "mime_type":
			kind = AppendText(nil, v)
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
			text = AppendText(text, v)
		} else {
			text = append(text, v...)
		}
		return nil
	})
	return text
}

// Framing implements [Family]: a stream without events is an array.
func (Gemini) Framing(contentType string, r Request) Framing {
	if f := ByContentType(contentType); f != JSON || !r.Stream {
		return f
	}
	return Array
}

// AppendFailure implements [Family].
func (Gemini) AppendFailure(dst []byte, f Failure) []byte {
	if f.Status == 0 {
		f.Status = 400
	}
	dst = strconv.AppendInt(append(dst, `{"error":{"code":`...), int64(f.Status), 10)
	dst = AppendEscaped(append(dst, `,"message":"`...), []byte(f.Message))
	dst = append(append(dst, `","status":"`...), geminiStatus(f.Status)...)
	dst = append(dst, `","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"`...)
	dst = AppendEscaped(dst, []byte(strings.ToUpper(f.Code)))
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
func (g Gemini) Fail(w *Writer, f Failure) { w.Message("", g.AppendFailure(nil, f)) }

// NewEnding implements [Family].
func (Gemini) NewEnding() Ending { return &geminiEnding{} }

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
func (e *geminiEnding) Write(w *Writer, open []int32) {
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

var _ Family = Gemini{}
