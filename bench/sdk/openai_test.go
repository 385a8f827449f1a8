package sdk

import (
	"errors"
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
	for _, mode := range []string{"without", "observe", "redact", "block"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			testMode(t, p, mode)
		})
	}
}

// testMode calls the model through noecho in one of its modes, or without it:
// then everything leaks, and the test shows that it would see it.
func testMode(t *testing.T, p program, mode string) {
	tool := `{"urgent":true,"text":` + quote(letter) + `,"copies":2}`
	m := p.model(t, map[string][]choice{
		"clean":   {{Content: clean}},
		"leak":    {{Content: before + letter + after}},
		"choices": {{Content: clean}, {Content: before + letter + after}},
		"tool":    {{ToolCalls: []call{{Name: "send_letter", Arguments: tool}}}},
	})
	s := talk{t: t, guard: guard{url: m.url}, model: m, mode: mode}
	if mode != "without" {
		s.guard = p.serve(t, mode, m.url)
	}

	s.wantText("clean", clean, "stop")
	s.wantCompletion("clean", clean, "stop")
	s.wantFindings(0)

	switch mode {
	case "without", "observe":
		s.wantText("leak", before+letter+after, "stop")
		s.wantCompletion("leak", before+letter+after, "stop")
		s.wantTool(tool, "tool_calls")
		s.wantChoices(before+letter+after, keptLogprobs)
		s.wantFindings(8)
	case "redact":
		s.wantText("leak", before+mask+after, "stop")
		s.wantCompletion("leak", before+mask+after, "stop")
		s.wantTool(`{"urgent":true,"text":"`+mask+`","copies":2}`, "tool_calls")
		s.wantChoices(before+mask+after, droppedLogprobs)
		s.wantFindings(8)
	case "block":
		s.wantBlocked("leak")
		s.wantBlockedCompletion("leak")
	}
}

// A talk is one guard and the model behind it.
type talk struct {
	t     *testing.T
	guard guard
	model model
	mode  string
}

// logprobs says whether a text that leaks keeps the probabilities of its
// tokens, which repeat it.
type logprobs int

const (
	keptLogprobs logprobs = iota
	droppedLogprobs
)

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
	tokens  map[int64]string // of the logprobs, joined, by choice
	failure error
}

func (s talk) stream(params openai.ChatCompletionNewParams) streamed {
	got := streamed{texts: map[int64]string{}, finish: map[int64]string{}, tokens: map[int64]string{}}
	client := s.guard.client()
	stream := client.Chat.Completions.NewStreaming(deadline(s.t), params)
	defer stream.Close()
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			got.texts[choice.Index] += choice.Delta.Content
			got.tokens[choice.Index] += joined(choice.Logprobs.Content)
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
		if answer.Usage.CompletionTokens == 0 {
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
// its logprobs, the second leaks.
func (s talk) wantChoices(leaked string, probs logprobs) {
	s.t.Helper()
	params := s.params("choices")
	params.N, params.Logprobs = openai.Int(2), openai.Bool(true)
	client := s.guard.client()
	check := func(what, first, firstTokens, second, secondTokens string) {
		s.t.Helper()
		if first != clean || firstTokens != clean {
			s.t.Errorf("first of %s: %q, tokens %q", what, first, firstTokens)
		}
		kept := secondTokens == before+letter+after
		if second != leaked || kept != (probs == keptLogprobs) || !kept && sharesWords(secondTokens, letter) {
			s.t.Errorf("second of %s: %q, tokens %q", what, second, secondTokens)
		}
	}
	s.once("choices", func() {
		answer, err := client.Chat.Completions.New(deadline(s.t), params)
		if err != nil || len(answer.Choices) != 2 {
			s.t.Fatalf("choices: %v", err)
		}
		first, second := answer.Choices[0], answer.Choices[1]
		check("two", first.Message.Content, joined(first.Logprobs.Content), second.Message.Content, joined(second.Logprobs.Content))
	})
	s.once("streamed choices", func() {
		got := s.stream(params)
		if got.failure != nil {
			s.t.Errorf("streamed choices: %v", got.failure)
		}
		check("two, streamed", got.texts[0], got.tokens[0], got.texts[1], got.tokens[1])
	})
}

// joined is the text that the probabilities of tokens repeat.
func joined(tokens []openai.ChatCompletionTokenLogprob) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(t.Token)
	}
	return b.String()
}

// sharesWords reports whether text holds any long word of secret.
func sharesWords(text, secret string) bool {
	for word := range strings.FieldsSeq(secret) {
		if len(word) > 4 && strings.Contains(text, word) {
			return true
		}
	}
	return false
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
	if s.mode == "without" {
		return nil
	}
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
