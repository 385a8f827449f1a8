package sdk

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	ollama "github.com/ollama/ollama/api"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
	"google.golang.org/genai"
)

const question = "What did you write to the customer?"

// TestGo drives noecho with the official Go clients.
func TestGo(t *testing.T) {
	t.Parallel()
	testClients(t, func(t *testing.T, base string, m model) []told {
		return tellGo(t, goClients(t, base), "", m)
	})
}

// tellGo makes the calls of each client for each model, whose name has a prefix, and
// returns the answers as the clients understood them.
func tellGo(t *testing.T, clients []goClient, prefix string, m model) []told {
	t.Helper()
	var all []told
	for _, c := range clients {
		for _, model := range []string{"clean", "leak", "thinking", "tool"} {
			for _, how := range []string{"whole", "stream"} {
				got := told{API: c.api, Model: model, How: how}
				before := m.asked.Load()
				call := c.whole
				if how == "stream" {
					call = c.stream
				}
				if err := call(deadline(t), prefix+model, &got); err != nil {
					got.Status = status(err)
					got.Error = err.Error()
					var o *openai.Error
					if errors.As(err, &o) {
						got.Error += " " + o.RawJSON() // it says no more than the status itself
					}
				}
				got.Asked = int(m.asked.Load() - before)
				all = append(all, got)
			}
		}
	}
	return all
}

// goClient is one API of one client.
type goClient struct {
	api           string
	whole, stream func(ctx context.Context, model string, got *told) error
}

func goClients(t *testing.T, base string) []goClient {
	t.Helper()
	google, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: "sk-of-nobody", Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: base},
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	a := anthropicCalls{anthropic.NewClient(anthropicoption.WithBaseURL(base), anthropicoption.WithAPIKey("sk-of-nobody"))}
	c, r := chatCalls{guard{url: base}.client()}, responsesCalls{guard{url: base}.client()}
	g := geminiCalls{google}
	o := ollamaCalls{ollama.NewClient(u, http.DefaultClient)}
	return []goClient{
		{"openai.chat", c.whole, c.stream},
		{"anthropic.messages", a.whole, a.stream},
		{"openai.responses", r.whole, r.stream},
		{"gemini", g.whole, g.stream},
		{"ollama.chat", o.chat(false), o.chat(true)},
		{"ollama.generate", o.generate(false), o.generate(true)},
	}
}

// status is the HTTP status that a client's error tells of.
func status(err error) int {
	var a *anthropic.Error
	var o *openai.Error
	var g genai.APIError
	var l ollama.StatusError
	switch {
	case errors.As(err, &a):
		return a.StatusCode
	case errors.As(err, &o):
		return o.StatusCode
	case errors.As(err, &g):
		return g.Code
	case errors.As(err, &l):
		return l.StatusCode
	}
	return 0
}

type chatCalls struct{ client openai.Client }

func (chatCalls) params(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
	}
}

func (c chatCalls) whole(ctx context.Context, model string, got *told) error {
	answer, err := c.client.Chat.Completions.New(ctx, c.params(model))
	if err != nil {
		return err
	}
	return readChat([]byte(answer.RawJSON()), got)
}

func (c chatCalls) stream(ctx context.Context, model string, got *told) error {
	stream := c.client.Chat.Completions.NewStreaming(ctx, c.params(model))
	defer stream.Close()
	for stream.Next() {
		if err := readChat([]byte(stream.Current().RawJSON()), got); err != nil {
			return err
		}
	}
	return stream.Err()
}

type anthropicCalls struct{ client anthropic.Client }

func (c anthropicCalls) params(model string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: anthropic.Model(model), MaxTokens: 1000,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(question))},
	}
}

func (anthropicCalls) read(m *anthropic.Message, got *told) {
	got.Finish = string(m.StopReason)
	for _, b := range m.Content {
		switch b.Type {
		case "text":
			got.Text += b.Text
		case "thinking":
			got.Thinking += b.Thinking
		case "tool_use":
			got.Tool += string(b.Input)
		}
	}
}

func (c anthropicCalls) whole(ctx context.Context, model string, got *told) error {
	m, err := c.client.Messages.New(ctx, c.params(model))
	if err == nil {
		c.read(m, got)
	}
	return err
}

func (c anthropicCalls) stream(ctx context.Context, model string, got *told) error {
	stream := c.client.Messages.NewStreaming(ctx, c.params(model))
	defer stream.Close()
	var m anthropic.Message
	for stream.Next() {
		if err := m.Accumulate(stream.Current()); err != nil {
			return err
		}
	}
	c.read(&m, got)
	return stream.Err()
}

type responsesCalls struct{ client openai.Client }

func (c responsesCalls) params(model string) responses.ResponseNewParams {
	return responses.ResponseNewParams{
		Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(question)},
	}
}

func (responsesCalls) read(r *responses.Response, got *told) {
	got.Finish = string(r.Status)
	if why := r.IncompleteDetails.Reason; why != "" {
		got.Finish = why
	}
	for _, item := range r.Output {
		for _, part := range item.Content {
			got.Text += part.Text
		}
		for _, part := range item.Summary {
			got.Thinking += part.Text
		}
		got.Tool += item.Arguments.OfString
	}
}

func (c responsesCalls) whole(ctx context.Context, model string, got *told) error {
	r, err := c.client.Responses.New(ctx, c.params(model))
	if err == nil {
		c.read(r, got)
	}
	return err
}

func (c responsesCalls) stream(ctx context.Context, model string, got *told) error {
	stream := c.client.Responses.NewStreaming(ctx, c.params(model))
	defer stream.Close()
	var text strings.Builder
	for stream.Next() {
		switch e := stream.Current(); e.Type {
		case "response.output_text.delta":
			text.WriteString(e.Delta)
		case "response.completed", "response.incomplete", "response.failed":
			c.read(&e.Response, got)
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	if text.String() != got.Text {
		return errors.New("the deltas and the final response differ")
	}
	return nil
}

type geminiCalls struct{ client *genai.Client }

func (geminiCalls) read(r *genai.GenerateContentResponse, got *told) {
	for _, c := range r.Candidates {
		if c.FinishReason != "" {
			got.Finish = string(c.FinishReason)
		}
		if c.Content == nil {
			continue
		}
		for _, p := range c.Content.Parts {
			switch {
			case p.FunctionCall != nil:
				got.Tool += quoteArguments(p.FunctionCall.Args)
			case p.Thought:
				got.Thinking += p.Text
			default:
				got.Text += p.Text
			}
		}
	}
}

func (c geminiCalls) whole(ctx context.Context, model string, got *told) error {
	r, err := c.client.Models.GenerateContent(ctx, model, genai.Text(question), nil)
	if err == nil {
		c.read(r, got)
	}
	return err
}

func (c geminiCalls) stream(ctx context.Context, model string, got *told) error {
	for r, err := range c.client.Models.GenerateContentStream(ctx, model, genai.Text(question), nil) {
		if err != nil {
			return err
		}
		c.read(r, got)
	}
	return nil
}

type ollamaCalls struct{ client *ollama.Client }

func (c ollamaCalls) chat(stream bool) func(ctx context.Context, model string, got *told) error {
	return func(ctx context.Context, model string, got *told) error {
		return c.client.Chat(ctx, &ollama.ChatRequest{
			Model: model, Stream: &stream, Messages: []ollama.Message{{Role: "user", Content: question}},
		}, func(r ollama.ChatResponse) error {
			got.Text += r.Message.Content
			got.Thinking += r.Message.Thinking
			for _, call := range r.Message.ToolCalls {
				got.Tool += quoteArguments(call.Function.Arguments)
			}
			if r.Done {
				got.Finish = r.DoneReason
			}
			return nil
		})
	}
}

func (c ollamaCalls) generate(stream bool) func(ctx context.Context, model string, got *told) error {
	return func(ctx context.Context, model string, got *told) error {
		return c.client.Generate(ctx, &ollama.GenerateRequest{Model: model, Stream: &stream, Prompt: question}, func(r ollama.GenerateResponse) error {
			got.Text += r.Response
			got.Thinking += r.Thinking
			if r.Done {
				got.Finish = r.DoneReason
			}
			return nil
		})
	}
}
