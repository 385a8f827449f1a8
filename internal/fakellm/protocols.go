package fakellm

import (
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strings"
)

// protocols are the APIs the server speaks, by path.
func protocols() map[string]protocol {
	return map[string]protocol{
		"/v1/chat/completions":       {readChat, events, (*generation).chatStream, (*generation).chatBody},
		"/v1/completions":            {readCompletion, events, (*generation).completionStream, (*generation).completionBody},
		"/v1/responses":              {readResponses, events, (*generation).responsesStream, (*generation).responsesBody},
		"/v1/messages":               {readChat, events, (*generation).anthropicStream, (*generation).anthropicBody},
		"/api/chat":                  {readOllama, lines, (*generation).ollamaStream, (*generation).ollamaBody},
		"/api/generate":              {readOllama, lines, (*generation).ollamaStream, (*generation).ollamaBody},
		"/v1beta/models/{model}":     {readGemini, geminiFraming, (*generation).geminiStream, (*generation).geminiBody},
		"/v1/models/{model}":         {readGemini, geminiFraming, (*generation).geminiStream, (*generation).geminiBody},
		"/v2/chat":                   {readChat, events, (*generation).cohereStream, (*generation).cohereBody},
		"/model/{model}/{operation}": {readConverse, eventStream, (*generation).converseStream, (*generation).converseBody},
	}
}

// readResponses reads a request of the Responses API, whose input is a text or
// a list of messages.
func readResponses(r *http.Request, body []byte) (*request, error) {
	var in struct {
		Input json.RawMessage `json:"input"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	return readRest(r, body, in.Input)
}

// readOllama reads a request of Ollama's own API, which streams unless told
// not to.
func readOllama(r *http.Request, body []byte) (*request, error) {
	var in struct {
		Stream *bool           `json:"stream"`
		Prompt json.RawMessage `json:"prompt"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	req, err := readRest(r, body, in.Prompt)
	if err == nil {
		req.Stream = in.Stream == nil || *in.Stream
		req.generate = strings.HasSuffix(r.URL.Path, "/generate")
	}
	return req, err
}

// readGemini reads a request of Gemini: model and operation stand in the path.
func readGemini(r *http.Request, body []byte) (*request, error) {
	model, operation, _ := strings.Cut(r.PathValue("model"), ":")
	if operation != "generateContent" && operation != "streamGenerateContent" {
		return nil, fmt.Errorf("operation %q is not known", operation)
	}
	var in struct {
		Contents []struct {
			Parts []struct {
				Text string `json:"text"`
			} `json:"parts"`
		} `json:"contents"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	req := &request{Model: model, Stream: operation == "streamGenerateContent", prompts: []string{""}}
	for _, c := range in.Contents {
		for _, p := range c.Parts {
			req.prompts[0] = p.Text
		}
	}
	return req, nil
}

// geminiFraming is one array unless events were asked for.
func geminiFraming(r *http.Request) framing {
	if r.URL.Query().Get("alt") == "sse" {
		return events(r)
	}
	return array()
}

// readConverse reads a request of Bedrock's Converse operations.
func readConverse(r *http.Request, body []byte) (*request, error) {
	operation := r.PathValue("operation")
	if operation != "converse" && operation != "converse-stream" {
		return nil, fmt.Errorf("operation %q is not known", operation)
	}
	req, err := readChat(r, body)
	if err == nil {
		req.Model, req.Stream = r.PathValue("model"), operation == "converse-stream"
	}
	return req, err
}

// readRest reads the members that requests share; prompt is a text, a list of
// messages, or nothing if the messages stand where a chat has them.
func readRest(r *http.Request, body, prompt []byte) (*request, error) {
	var text string
	if len(prompt) == 0 {
		return readChat(r, body)
	}
	req := &request{}
	if err := json.Unmarshal(body, req); err != nil {
		return nil, err
	}
	if json.Unmarshal(prompt, &text) == nil {
		req.prompts = []string{text}
		return req, req.check()
	}
	if err := json.Unmarshal(prompt, &req.Messages); err != nil || len(req.Messages) == 0 {
		return nil, fmt.Errorf("the prompt is neither text nor messages")
	}
	last, err := req.Messages[len(req.Messages)-1].text()
	req.prompts = []string{last}
	return req, err
}

// speech is all that one choice says.
type speech struct {
	reasoning, content, refusal, finish string
	calls                               []ToolCall
}

// whole returns what the first choice says.
func (g *generation) whole() speech {
	var s speech
	for p := range g.choice(0) {
		switch p.kind {
		case partReasoning:
			s.reasoning += p.text
		case partContent:
			s.content += p.text
		case partRefusal:
			s.refusal += p.text
		case partCall:
			s.calls = append(s.calls, ToolCall{Name: p.text})
			continue
		case partArgs:
			s.calls[p.tool].Arguments += p.text
		case partFinish:
			s.finish = p.text
			continue
		case partRole:
			continue
		}
		g.spoken++
	}
	return s
}

// jsonf is a JSON message: the texts among args are literals already.
func jsonf(format string, args ...any) []byte { return fmt.Appendf(nil, format, args...) }

// stream yields the messages that write makes of the parts of the first choice,
// between those of a beginning and an end.
func (g *generation) stream(write func(p part, send func(event string, data []byte))) iter.Seq[event] {
	return func(yield func(event) bool) {
		ok := true
		send := func(name string, data []byte) {
			ok = ok && yield(event{name, data})
		}
		for p := range g.choice(0) {
			if p.kind != partRole && p.kind != partFinish && p.kind != partCall {
				g.spoken++
			}
			if write(p, send); !ok {
				return
			}
		}
	}
}

// object is the arguments of a call as an object; what is none becomes one.
func (g *generation) object(arguments string) literal {
	if json.Valid([]byte(arguments)) {
		return literal(arguments)
	}
	return jsonf(`{"raw":%s}`, g.quote(arguments))
}
