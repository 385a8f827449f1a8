package fakellm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// request contains the members of a request that the server reads, of any protocol.
type request struct {
	Model         string          `json:"model"`
	Messages      []message       `json:"messages"`
	Prompt        json.RawMessage `json:"prompt"`
	Stream        bool            `json:"stream"`
	N             *int            `json:"n"`
	Logprobs      json.RawMessage `json:"logprobs"` // bool for chat, a number for completions
	TopLogprobs   int             `json:"top_logprobs"`
	Echo          bool            `json:"echo"`
	MaxTokens     *int            `json:"max_tokens"`
	MaxCompletion *int            `json:"max_completion_tokens"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`

	prompts  []string // the text that each completion continues; for chat, the last message
	generate bool     // Ollama: a completion, not a chat
}

// message is one message of a chat; the content is a string or a list of parts.
type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// readChat reads a chat request.
func readChat(_ *http.Request, body []byte) (*request, error) {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	if len(r.Messages) == 0 {
		return nil, errors.New("messages is empty")
	}
	last, err := r.Messages[len(r.Messages)-1].text()
	if err != nil {
		return nil, err
	}
	r.prompts = []string{last}
	return &r, r.check()
}

// readCompletion reads a completions request. A prompt of token numbers is one
// prompt without text.
func readCompletion(_ *http.Request, body []byte) (*request, error) {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	var one string
	switch {
	case len(r.Prompt) == 0:
		return nil, errors.New("prompt is missing")
	case json.Unmarshal(r.Prompt, &one) == nil:
		r.prompts = []string{one}
	case json.Unmarshal(r.Prompt, &r.prompts) == nil && len(r.prompts) > 0:
	default:
		var ids []any
		if err := json.Unmarshal(r.Prompt, &ids); err != nil {
			return nil, errors.New("prompt is neither text nor tokens")
		}
		r.prompts = []string{""}
	}
	return &r, r.check()
}

func (r *request) check() error {
	if r.N != nil && (*r.N < 1 || *r.N > 128) {
		return fmt.Errorf("n is %d, want 1 to 128", *r.N)
	}
	return nil
}

// text joins the text parts of a message.
func (m message) text() (string, error) {
	var s string
	if len(m.Content) == 0 || json.Unmarshal(m.Content, &s) == nil {
		return s, nil
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(m.Content, &parts); err != nil {
		return "", errors.New("content is neither text nor parts")
	}
	for _, p := range parts {
		s += p.Text
	}
	return s, nil
}

// choices is the number of choices asked for.
func (r *request) choices() int {
	if r.N == nil {
		return len(r.prompts)
	}
	return *r.N * len(r.prompts)
}

// limit is the number of pieces that a choice may have; 0: no limit.
func (r *request) limit() int {
	switch {
	case r.MaxCompletion != nil:
		return *r.MaxCompletion
	case r.MaxTokens != nil:
		return *r.MaxTokens
	default:
		return 0
	}
}

// top is the number of alternatives to name with each token, or -1 if
// probabilities were not asked for.
func (r *request) top() int {
	var n int
	switch {
	case bytes.Equal(r.Logprobs, []byte("true")):
		return r.TopLogprobs
	case json.Unmarshal(r.Logprobs, &n) == nil && !bytes.Equal(r.Logprobs, []byte("null")) && len(r.Logprobs) > 0:
		return n
	default:
		return -1
	}
}

// words is the length of the prompt as usage counts it.
func (r *request) words() int {
	n := 0
	for _, p := range r.prompts {
		n += len(strings.Fields(p))
	}
	return n
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

// readGemini reads a request of Gemini: model and operation are in the path.
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

// readRest reads the members that requests share. prompt is a text, a list of messages,
// or nothing if the messages are in the member messages.
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
