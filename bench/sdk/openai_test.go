package sdk

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"
)

const (
	letter = "Dear Marlene Okafor your replacement kettle left our Tilburg warehouse on the ninth of May under parcel number 4471 9902 and should reach the house on Quarry Lane before Friday noon"
	before = "Of course, here it is: "
	after  = ". Shall I translate that?"
	clean  = "Parcels leave on workdays; yours is not packed yet, but I can ask for a date."
	mask   = "[redacted]"
)

// TestOpenAI runs the same calls against noecho in each mode.
func TestOpenAI(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	for _, mode := range []string{"observe", "redact", "block"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			testMode(t, p, mode)
		})
	}
}

func testMode(t *testing.T, p program, mode string) {
	m := newModel(t, map[string]script{
		"clean":    chatScript(clean),
		"leak":     chatScript(before + letter + after),
		"choices":  choicesScript(clean, before+letter+after),
		"tool":     toolScript(`{"urgent":true,"text":` + quote(letter) + `,"copies":2}`),
		"old":      completionScript(before + letter + after),
		"oldclean": completionScript(clean),
	})
	s := talk{t: t, guard: p.serve(t, mode, m.URL), model: m, mode: mode}

	s.wantText("clean", clean, "stop")
	s.wantCompletion("oldclean", clean, "stop")
	s.wantFindings(0)

	switch mode {
	case "observe":
		s.wantText("leak", before+letter+after, "stop")
		s.wantCompletion("old", before+letter+after, "stop")
		s.wantTool(`{"urgent":true,"text":`+quote(letter)+`,"copies":2}`, "tool_calls")
		s.wantChoices(before+letter+after, 1)
		s.wantFindings(8)
	case "redact":
		s.wantText("leak", before+mask+after, "stop")
		s.wantCompletion("old", before+mask+after, "stop")
		s.wantTool(`{"urgent":true,"text":"`+mask+`","copies":2}`, "tool_calls")
		s.wantChoices(before+mask+after, 0)
		s.wantFindings(8)
	case "block":
		s.wantBlocked("leak")
		s.wantBlockedCompletion("old")
	}
}

// A talk is one guard and the model behind it.
type talk struct {
	t     *testing.T
	guard guard
	model *model
	mode  string
}

func (s talk) params(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What did you write to the customer?")},
	}
}

// once runs a call and checks that the model was asked exactly once for it: a
// refusal that makes a client try again repeats the leak.
func (s talk) once(what string, call func()) {
	s.t.Helper()
	asked := s.model.asked.Load()
	call()
	if n := s.model.asked.Load() - asked; n != 1 {
		s.t.Errorf("%s: the model was asked %d times, want once", what, n)
	}
}

// streamed is what a client made of a stream.
type streamed struct {
	texts   map[int64]string
	finish  map[int64]string
	tool    string
	tokens  map[int64]int // logprobs read, by choice
	chunks  int
	failure error
}

func (s talk) stream(params openai.ChatCompletionNewParams) streamed {
	got := streamed{texts: map[int64]string{}, finish: map[int64]string{}, tokens: map[int64]int{}}
	client := s.guard.client()
	stream := client.Chat.Completions.NewStreaming(deadline(s.t), params)
	defer stream.Close()
	for stream.Next() {
		got.chunks++
		for _, choice := range stream.Current().Choices {
			got.texts[choice.Index] += choice.Delta.Content
			got.tokens[choice.Index] += len(choice.Logprobs.Content)
			for _, call := range choice.Delta.ToolCalls {
				got.tool += call.Function.Arguments
			}
			if choice.FinishReason != "" {
				got.finish[choice.Index] = choice.FinishReason
			}
		}
	}
	got.failure = stream.Err()
	return got
}

func (s talk) wantText(model, want, finish string) {
	s.t.Helper()
	client := s.guard.client()
	s.once("chat "+model, func() {
		answer, err := client.Chat.Completions.New(deadline(s.t), s.params(model))
		if err != nil {
			s.t.Fatalf("chat %s: %v", model, err)
		}
		if got := answer.Choices[0]; got.Message.Content != want || got.FinishReason != finish {
			s.t.Errorf("chat %s: %q (%s), want %q", model, got.Message.Content, got.FinishReason, want)
		}
		if answer.Usage.TotalTokens != 30 {
			s.t.Errorf("chat %s: usage %+v", model, answer.Usage)
		}
	})
	s.once("streamed chat "+model, func() {
		got := s.stream(s.params(model))
		if got.failure != nil || got.texts[0] != want || got.finish[0] != finish {
			s.t.Errorf("streamed chat %s: %q (%s), %v, want %q", model, got.texts[0], got.finish[0], got.failure, want)
		}
	})
}

func (s talk) wantTool(want, finish string) {
	s.t.Helper()
	params := s.params("tool")
	params.Tools = []openai.ChatCompletionToolUnionParam{
		openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "send_letter"}),
	}
	client := s.guard.client()
	s.once("tool", func() {
		answer, err := client.Chat.Completions.New(deadline(s.t), params)
		if err != nil {
			s.t.Fatalf("tool: %v", err)
		}
		if got := answer.Choices[0].Message.ToolCalls; len(got) != 1 || got[0].Function.Arguments != want || got[0].Function.Name != "send_letter" {
			s.t.Errorf("tool: %+v, want %s", got, want)
		}
	})
	s.once("streamed tool", func() {
		got := s.stream(params)
		if got.failure != nil || got.tool != want || got.finish[0] != finish {
			s.t.Errorf("streamed tool: %q (%s), %v, want %q", got.tool, got.finish[0], got.failure, want)
		}
	})
}

// wantChoices asks for two answers with logprobs: the first is clean and keeps
// its logprobs, the second leaks. tokens is 1 if it keeps its logprobs too.
func (s talk) wantChoices(leaked string, tokens int) {
	s.t.Helper()
	params := s.params("choices")
	params.N, params.Logprobs = openai.Int(2), openai.Bool(true)
	client := s.guard.client()
	s.once("choices", func() {
		answer, err := client.Chat.Completions.New(deadline(s.t), params)
		if err != nil || len(answer.Choices) != 2 {
			s.t.Fatalf("choices: %v", err)
		}
		first, second := answer.Choices[0], answer.Choices[1]
		if first.Message.Content != clean || len(first.Logprobs.Content) != len(pieces(clean)) || first.Logprobs.Content[0].Logprob != -0.25 {
			s.t.Errorf("first of two: %q, %d logprobs", first.Message.Content, len(first.Logprobs.Content))
		}
		if second.Message.Content != leaked || (len(second.Logprobs.Content) > 0) != (tokens > 0) {
			s.t.Errorf("second of two: %q, %d logprobs", second.Message.Content, len(second.Logprobs.Content))
		}
	})
	s.once("streamed choices", func() {
		got := s.stream(params)
		if got.failure != nil || got.texts[0] != clean || got.texts[1] != leaked {
			s.t.Errorf("streamed choices: %q and %q, %v", got.texts[0], got.texts[1], got.failure)
		}
		if got.tokens[0] != len(pieces(clean)) {
			s.t.Errorf("first of two, streamed: %d logprobs, want %d", got.tokens[0], len(pieces(clean)))
		}
		if all := len(pieces(before + letter + after)); tokens > 0 && got.tokens[1] != all || got.tokens[1] > all {
			s.t.Errorf("second of two, streamed: %d logprobs of %d", got.tokens[1], all)
		}
	})
}

func (s talk) wantCompletion(model, want, finish string) {
	s.t.Helper()
	params := oldParams(model)
	client := s.guard.client()
	s.once("completion "+model, func() {
		answer, err := client.Completions.New(deadline(s.t), params)
		if err != nil {
			s.t.Fatalf("completion %s: %v", model, err)
		}
		if got := answer.Choices[0]; got.Text != want || string(got.FinishReason) != finish {
			s.t.Errorf("completion %s: %q (%s), want %q", model, got.Text, got.FinishReason, want)
		}
	})
	s.once("streamed completion "+model, func() {
		text, reason, err := s.streamCompletion(params)
		if err != nil || text != want || reason != finish {
			s.t.Errorf("streamed completion %s: %q (%s), %v, want %q", model, text, reason, err, want)
		}
	})
}

func oldParams(model string) openai.CompletionNewParams {
	return openai.CompletionNewParams{
		Model:  openai.CompletionNewParamsModel(model),
		Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("The letter reads as follows")},
	}
}

func (s talk) streamCompletion(params openai.CompletionNewParams) (text, finish string, err error) {
	client := s.guard.client()
	stream := client.Completions.NewStreaming(deadline(s.t), params)
	defer stream.Close()
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			text += choice.Text
			if choice.FinishReason != "" {
				finish = string(choice.FinishReason)
			}
		}
	}
	return text, finish, stream.Err()
}

func (s talk) wantBlocked(model string) {
	s.t.Helper()
	client := s.guard.client()
	s.once("blocked chat", func() {
		_, err := client.Chat.Completions.New(deadline(s.t), s.params(model))
		s.wantRefusal("blocked chat", err)
	})
	s.once("blocked stream", func() {
		got := s.stream(s.params(model))
		if got.failure != nil || got.texts[0] != before || got.finish[0] != "content_filter" {
			s.t.Errorf("blocked stream: %q (%s), %v, want %q", got.texts[0], got.finish[0], got.failure, before)
		}
	})
	found := s.wantFindings(2)
	for _, f := range found {
		if f.Action != "blocked" {
			s.t.Errorf("blocked: %+v", f)
		}
	}
}

func (s talk) wantBlockedCompletion(model string) {
	s.t.Helper()
	client := s.guard.client()
	s.once("blocked completion", func() {
		_, err := client.Completions.New(deadline(s.t), oldParams(model))
		s.wantRefusal("blocked completion", err)
	})
	s.once("blocked completion stream", func() {
		text, finish, err := s.streamCompletion(oldParams(model))
		if err != nil || text != before || finish != "content_filter" {
			s.t.Errorf("blocked completion stream: %q (%s), %v, want %q", text, finish, err, before)
		}
	})
}

// wantRefusal wants the error by which a client knows that nothing is gained
// by asking again.
func (s talk) wantRefusal(what string, err error) {
	s.t.Helper()
	var refused *openai.Error
	if !errors.As(err, &refused) {
		s.t.Errorf("%s: %v, want an error of the API", what, err)
		return
	}
	if refused.StatusCode != http.StatusBadRequest || refused.Code != "content_filter" || refused.Type != "invalid_request_error" ||
		refused.Message != "withheld: the answer would repeat training data" {
		s.t.Errorf("%s: %d %s", what, refused.StatusCode, refused.RawJSON())
	}
	if got := refused.Response.Header.Get("X-Should-Retry"); got != "false" {
		s.t.Errorf("%s: x-should-retry %q", what, got)
	}
}

// wantFindings waits for n findings and checks that there are no more.
func (s talk) wantFindings(n int) []finding {
	s.t.Helper()
	found := s.guard.findings(s.t, n)
	if len(found) != n {
		s.t.Errorf("%d findings, want %d: %+v", len(found), n, found)
	}
	for _, f := range found {
		// A blocked stream ends before the leak does.
		all := len(strings.Fields(letter))
		if f.Kind != "verbatim" || f.Words > all || f.Words < 10 || s.mode != "block" && f.Words != all {
			s.t.Errorf("finding %+v, want %d words", f, all)
		}
	}
	return found
}

// pieces cuts a text as a model's tokens would: a few bytes each, words
// divided.
func pieces(text string) []string {
	var cut []string
	for n := 3; len(text) > 0; n = n%7 + 1 {
		n = min(n, len(text))
		cut, text = append(cut, text[:n]), text[n:]
	}
	return cut
}

const (
	usage = `"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}`
	head  = `{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"m",`
	chunk = `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"m",`
	old   = `{"id":"cmpl-1","object":"text_completion","created":1760000000,"model":"m",`
)

func chatScript(text string) script {
	s := script{body: head + `"choices":[{"index":0,"message":{"role":"assistant","content":` + quote(text) + `,"refusal":null},"logprobs":null,"finish_reason":"stop"}],` + usage + `}`}
	s.events = append(s.events, chunk+`"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`)
	for _, piece := range pieces(text) {
		s.events = append(s.events, chunk+`"choices":[{"index":0,"delta":{"content":`+quote(piece)+`},"finish_reason":null}]}`)
	}
	s.events = append(s.events,
		chunk+`"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		chunk+`"choices":[],`+usage+`}`)
	return s
}

func logprob(piece string) string {
	return `{"token":` + quote(piece) + `,"logprob":-0.25,"bytes":null,"top_logprobs":[]}`
}

func choicesScript(texts ...string) script {
	var s script
	var whole []string
	longest := 0
	for i, text := range texts {
		var tokens []string
		for _, piece := range pieces(text) {
			tokens = append(tokens, logprob(piece))
		}
		longest = max(longest, len(tokens))
		whole = append(whole, fmt.Sprintf(`{"index":%d,"message":{"role":"assistant","content":%s,"refusal":null},"logprobs":{"content":[%s],"refusal":null},"finish_reason":"stop"}`,
			i, quote(text), strings.Join(tokens, ",")))
		s.events = append(s.events, fmt.Sprintf(chunk+`"choices":[{"index":%d,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`, i))
	}
	s.body = head + `"choices":[` + strings.Join(whole, ",") + `],` + usage + `}`
	for n := range longest {
		for i, text := range texts {
			if p := pieces(text); n < len(p) {
				s.events = append(s.events, fmt.Sprintf(chunk+`"choices":[{"index":%d,"delta":{"content":%s},"logprobs":{"content":[%s],"refusal":null},"finish_reason":null}]}`,
					i, quote(p[n]), logprob(p[n])))
			}
		}
	}
	for i := range texts {
		s.events = append(s.events, fmt.Sprintf(chunk+`"choices":[{"index":%d,"delta":{},"finish_reason":"stop"}]}`, i))
	}
	return s
}

func toolScript(arguments string) script {
	s := script{body: head + `"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"send_letter","arguments":` + quote(arguments) + `}}]},"finish_reason":"tool_calls"}],` + usage + `}`}
	s.events = append(s.events, chunk+`"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"send_letter","arguments":""}}]},"finish_reason":null}]}`)
	for _, piece := range pieces(arguments) {
		s.events = append(s.events, chunk+`"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":`+quote(piece)+`}}]},"finish_reason":null}]}`)
	}
	s.events = append(s.events, chunk+`"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`)
	return s
}

func completionScript(text string) script {
	s := script{body: old + `"choices":[{"index":0,"text":` + quote(text) + `,"logprobs":null,"finish_reason":"stop"}],` + usage + `}`}
	for _, piece := range pieces(text) {
		s.events = append(s.events, old+`"choices":[{"index":0,"text":`+quote(piece)+`,"logprobs":null,"finish_reason":null}]}`)
	}
	s.events = append(s.events, old+`"choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}]}`)
	return s
}
