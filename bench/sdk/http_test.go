package sdk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3/responses"
)

// TestJava drives noecho with java.net.http, which offers h2c with each request of
// a new connection.
func TestJava(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("java"); err != nil {
		missing(t, "needs Java: apt-get install default-jdk-headless")
	}
	java := startJava(t)
	testClients(t, func(t *testing.T, base string, m model) []told { return callAll(t, base, m, java) })
}

// TestCurl drives noecho with `curl --http2`, which offers h2c, too.
func TestCurl(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		missing(t, "needs curl: apt-get install curl")
	}
	testClients(t, func(t *testing.T, base string, m model) []told { return callAll(t, base, m, curl) })
}

// A caller posts a body and returns the answer as the program got it.
type caller func(ctx context.Context, url string, body []byte) (exchange, error)

type exchange struct {
	status  int
	version string // of HTTP
	body    []byte
}

// callAll posts the requests of three APIs with a program that knows nothing of
// them, and reads the answers with the types of the official Go clients. The program
// has to offer h2c, which must not get behind noecho.
func callAll(t *testing.T, base string, m model, call caller) []told {
	t.Helper()
	var all []told
	for _, api := range httpAPIs() {
		for _, model := range []string{"clean", "leak", "thinking", "tool"} {
			for _, how := range []string{"whole", "stream"} {
				got := told{API: api.name, Model: model, How: how}
				request := map[string]any{"model": model, "stream": how == "stream", "max_tokens": 1000}
				request[api.prompt] = []any{map[string]string{"role": "user", "content": question}}
				body, err := json.Marshal(request)
				if err != nil {
					t.Fatal(err)
				}
				before := m.asked.Load()
				answer, err := call(deadline(t), base+api.path, body)
				if err != nil {
					t.Fatalf("%s %s %s: %v", api.name, model, how, err)
				}
				got.Asked = int(m.asked.Load() - before)
				if answer.version != "1.1" {
					t.Errorf("%s %s %s: HTTP/%s", api.name, model, how, answer.version)
				}
				switch {
				case answer.status != 200:
					got.Status, got.Error = answer.status, string(answer.body)
				case how == "whole":
					err = api.whole(answer.body, &got)
				default:
					err = api.stream(answer.body, &got)
				}
				if err != nil {
					got.Error = err.Error()
				}
				all = append(all, got)
			}
		}
	}
	if n := m.offered.Load(); (n > 0) != (base == m.url) {
		t.Errorf("%d offers of h2c reached the model", n)
	}
	return all
}

// httpAPI is an API as a program sees it that has only HTTP.
type httpAPI struct {
	name, path, prompt string
	whole, stream      func(body []byte, got *told) error
}

func httpAPIs() []httpAPI {
	return []httpAPI{
		{"openai.chat", "/v1/chat/completions", "messages", readChat, streamChat},
		{"openai.responses", "/v1/responses", "input", readResponse, streamResponse},
		{"anthropic.messages", "/v1/messages", "messages", readMessage, streamMessage},
	}
}

// chat is an answer of Chat Completions, or a chunk of one.
type chat struct {
	Choices []struct {
		Message, Delta struct {
			Content   string
			Reasoning string `json:"reasoning_content"`
			ToolCalls []struct {
				Function struct{ Arguments string }
			} `json:"tool_calls"`
		}
		Finish string `json:"finish_reason"`
	}
}

func readChat(body []byte, got *told) error {
	var c chat
	if err := json.Unmarshal(body, &c); err != nil {
		return err
	}
	for _, choice := range c.Choices {
		got.Text += choice.Message.Content + choice.Delta.Content
		got.Thinking += choice.Message.Reasoning + choice.Delta.Reasoning
		for _, call := range append(choice.Message.ToolCalls, choice.Delta.ToolCalls...) {
			got.Tool += call.Function.Arguments
		}
		if choice.Finish != "" {
			got.Finish = choice.Finish
		}
	}
	return nil
}

func streamChat(body []byte, got *told) error {
	body, ended := bytes.CutSuffix(body, []byte("data: [DONE]\n\n"))
	if !ended {
		return errors.New("the stream does not end with [DONE]")
	}
	return eachEvent(body, func(data []byte) error { return readChat(data, got) })
}

func readResponse(body []byte, got *told) error {
	var r responses.Response
	if err := json.Unmarshal(body, &r); err != nil {
		return err
	}
	responsesCalls{}.read(&r, got)
	return nil
}

func streamResponse(body []byte, got *told) error {
	var text string
	err := eachEvent(body, func(data []byte) error {
		var e responses.ResponseStreamEventUnion
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		switch e.Type {
		case "response.output_text.delta":
			text += e.Delta
		case "response.completed", "response.incomplete", "response.failed":
			responsesCalls{}.read(&e.Response, got)
		}
		return nil
	})
	if err == nil && text != got.Text {
		err = errors.New("the deltas and the final response differ")
	}
	return err
}

func readMessage(body []byte, got *told) error {
	var m anthropic.Message
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	anthropicCalls{}.read(&m, got)
	return nil
}

func streamMessage(body []byte, got *told) error {
	var m anthropic.Message
	ended := false
	err := eachEvent(body, func(data []byte) error {
		var e anthropic.MessageStreamEventUnion
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		ended = e.Type == "message_stop"
		return m.Accumulate(e)
	})
	if err == nil && !ended {
		err = errors.New("the stream does not end with message_stop")
	}
	anthropicCalls{}.read(&m, got)
	return err
}

// eachEvent calls f with the data of each event, which is one line.
func eachEvent(body []byte, f func(data []byte) error) error {
	for line := range bytes.Lines(body) {
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			if err := f(data); err != nil {
				return fmt.Errorf("%w: %s", err, data)
			}
		}
	}
	return nil
}

// startJava starts java/Caller.java and returns how it posts, one request after the
// other.
func startJava(t *testing.T) caller {
	t.Helper()
	cmd := exec.Command("java", "-XX:TieredStopAtLevel=1", "java/Caller.java")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // ends it
		if err := cmd.Wait(); err != nil {
			t.Errorf("java: %v\n%s", err, &stderr)
		}
	})
	lines := bufio.NewReader(stdout)
	var turn sync.Mutex
	return func(_ context.Context, url string, body []byte) (exchange, error) {
		turn.Lock()
		defer turn.Unlock()
		if _, err := fmt.Fprintf(stdin, "%s\t%s\n", url, body); err != nil {
			return exchange{}, err
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			return exchange{}, err
		}
		part := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(part) != 3 {
			return exchange{}, errors.New("java said: " + line)
		}
		status, err := strconv.Atoi(part[0])
		if err != nil {
			return exchange{}, err
		}
		answer, err := base64.StdEncoding.DecodeString(part[2])
		version := strings.ReplaceAll(strings.TrimPrefix(part[1], "HTTP_"), "_", ".")
		return exchange{status, version, answer}, err
	}
}

// curl posts with one run of curl, which waits for 100 before it sends the body.
func curl(ctx context.Context, url string, body []byte) (exchange, error) {
	cmd := exec.CommandContext(ctx, "curl", "--http2", "--noproxy", "*", "--silent", "--show-error", "--no-buffer",
		"--header", "Content-Type: application/json", "--header", "Authorization: Bearer sk-of-nobody",
		"--header", "Expect: 100-continue", "--expect100-timeout", "1000",
		"--data-binary", "@-", "--write-out", "%{stderr}%{http_code} %{http_version}", url)
	cmd.Stdin = bytes.NewReader(body)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	got := exchange{body: out}
	if err == nil {
		_, err = fmt.Fscanf(&stderr, "%d %s", &got.status, &got.version)
	}
	if err != nil {
		rest, _ := io.ReadAll(&stderr)
		err = fmt.Errorf("curl: %w %s", err, rest)
	}
	return got, err
}
