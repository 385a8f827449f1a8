package relay

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// localCases are the shapes of the APIs of servers that people run themselves.
func localCases() []apiCase {
	return slices.Concat(ollamaCases(), llamaCases(), tgiCases(), sglangCases(), demoCases(), vllmCases(), invocationsCases())
}

// invocationsCases are shapes that other APIs have, on the one path of SageMaker.
func invocationsCases() []apiCase {
	var cases []apiCase
	for _, c := range slices.Concat(openAICases(), llamaCases(), tgiCases()) {
		switch c.api + " " + c.shape {
		case "openai.chat content", "llamacpp.completion OpenAI's choices", "tgi tokens", "tgi list of one":
			c.api, c.path, c.shape = "invocations", "/invocations", strings.Replace(c.api, "llamacpp.completion", "openai.completions", 1)
			cases = append(cases, c)
		}
	}
	return cases
}

// payloads reads the messages of a stream of lines or of events.
func payloads[T any](t *testing.T, body []byte) []T {
	t.Helper()
	var out []T
	for line := range strings.Lines(string(body)) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "data:"))
		if line == "" || line == "[DONE]" {
			continue
		}
		var one T
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		out = append(out, one)
	}
	if len(out) == 0 {
		t.Fatalf("nothing in %s", body)
	}
	return out
}

// numbers writes a text as an array of its bytes.
func numbers(text string) string {
	return strings.ReplaceAll(fmt.Sprint([]byte(text)), " ", ",")
}

// ollamaLine is a line of Ollama, or its whole answer.
type ollamaLine struct {
	Model    *string
	Response string
	Thinking string
	Message  struct {
		Content   string
		Thinking  string
		ToolCalls []struct {
			Function struct {
				Name      string
				Arguments map[string]any
			}
		} `json:"tool_calls"`
	}
	Logprobs []struct {
		Token string
		Bytes []byte `json:"-"`
	}
	Error   string
	Done    bool
	Reason  string `json:"done_reason"`
	Context []int
}

func ollamaCases() []apiCase {
	const head = `{"model":"llama3.2","created_at":"2026-03-04T10:20:30.123456789Z",`
	const totals = `"done":true,"done_reason":"stop","total_duration":99,"eval_count":4`
	type shape struct {
		api, name string
		line      func(p string) string // members of a line for a piece
		last      string                // members of the last line
		read      func(l ollamaLine) string
		whole     bool // the text is never cut into lines
	}
	logprobs := func(p string) string {
		return fmt.Sprintf(`"message":{"role":"assistant","content":%[1]s},"logprobs":[{"token":%[1]s,"logprob":-0.1,"bytes":%[2]s,"top_logprobs":[{"token":%[1]s,"logprob":-0.1,"bytes":%[2]s},{"token":" x","logprob":-9,"bytes":[32,120]}]}]`, mustJSON(p), numbers(p))
	}
	content := func(l ollamaLine) string { return l.Message.Content }
	empty := `"message":{"role":"assistant","content":""},`
	shapes := []shape{
		{"ollama.chat", "content", func(p string) string { return `"message":{"role":"assistant","content":` + string(mustJSON(p)) + `}` }, empty, content, false},
		{"ollama.chat", "thinking", func(p string) string {
			return `"message":{"role":"assistant","content":"","thinking":` + string(mustJSON(p)) + `}`
		}, empty, func(l ollamaLine) string { return l.Message.Thinking }, false},
		{"ollama.chat", "tool arguments", func(p string) string {
			return `"message":{"role":"assistant","content":"","tool_calls":[{"function":{"index":0,"name":"note","arguments":{"n":1,"ok":true,"text":` + string(mustJSON(p)) + `}}}]}`
		}, empty, func(l ollamaLine) string {
			if len(l.Message.ToolCalls) == 0 {
				return ""
			}
			return fmt.Sprint(l.Message.ToolCalls[0].Function.Arguments["text"])
		}, true},
		{"ollama.chat", "logprobs", logprobs, empty, content, false},
		{"ollama.generate", "response, context", func(p string) string { return `"response":` + string(mustJSON(p)) }, `"response":"","context":[101,7592,2088],`, func(l ollamaLine) string { return l.Response }, false},
		{"ollama.generate", "thinking", func(p string) string { return `"response":"","thinking":` + string(mustJSON(p)) }, `"response":"",`, func(l ollamaLine) string { return l.Thinking }, false},
	}
	var cases []apiCase
	for _, s := range shapes {
		path, ask := "/api/chat", `"messages":[{"role":"user","content":"hi"}]`
		if s.api == "ollama.generate" {
			path, ask = "/api/generate", `"prompt":"hi"`
		}
		read := func(t *testing.T, lines []ollamaLine) string {
			var text strings.Builder
			for i, l := range lines {
				if l.Error != "" || l.Done != (i == len(lines)-1) || l.Done && l.Reason == "" || l.Model == nil {
					t.Fatalf("line %d of %d is %+v", i, len(lines), l)
				}
				text.WriteString(s.read(l))
			}
			if last := lines[len(lines)-1]; strings.Contains(text.String(), "[redacted]") && len(last.Context) > 0 {
				t.Errorf("context = %v", last.Context)
			}
			return text.String()
		}
		cases = append(cases, apiCase{
			api: s.api, shape: s.name, path: path, ask: `{"model":"m",` + ask + `}`, contentType: "application/x-ndjson",
			body: func(pieces []string) []byte {
				if s.whole {
					pieces = []string{strings.Join(pieces, "")}
				}
				var b strings.Builder
				for _, p := range pieces {
					fmt.Fprintf(&b, "%s%s,\"done\":false}\n", head, s.line(p))
				}
				fmt.Fprintf(&b, "%s%s%s}\n", head, s.last, totals)
				return []byte(b.String())
			},
			text: func(t *testing.T, body []byte) string { return read(t, payloads[ollamaLine](t, body)) },
			filtered: func(t *testing.T, body []byte) {
				if l := payloads[ollamaLine](t, body); l[len(l)-1].Reason != "content_filter" || *l[len(l)-1].Model != "llama3.2" {
					t.Errorf("ends with %+v", l[len(l)-1])
				}
			},
		}, apiCase{
			api: s.api, shape: s.name, path: path, ask: `{"model":"m","stream":false,` + ask + `}`, contentType: "application/json",
			body: func(pieces []string) []byte {
				return fmt.Appendf(nil, "%s%s,%s}", head, s.line(strings.Join(pieces, "")), totals)
			},
			text: func(t *testing.T, body []byte) string { return read(t, payloads[ollamaLine](t, body)) },
		})
	}
	return cases
}

// llamaMessage is a message of llama.cpp, or one of its whole answers.
type llamaMessage struct {
	Index    int
	Content  string
	Tokens   []int
	Stop     bool
	StopType string           `json:"stop_type"`
	Probs    []map[string]any `json:"completion_probabilities"`
	Error    any
}

func llamaCases() []apiCase {
	probs := func(p string) string {
		return fmt.Sprintf(`[{"id":5,"token":%[1]s,"bytes":%[2]s,"logprob":-0.5,"top_logprobs":[{"id":5,"token":%[1]s,"bytes":%[2]s,"logprob":-0.5},{"id":6,"token":" x","bytes":[32,120],"logprob":-4}]}]`, mustJSON(p), numbers(p))
	}
	last := func(index int, content string) string {
		return fmt.Sprintf(`{"index":%d,"content":%s,"tokens":[],"id_slot":0,"stop":true,"model":"/models/a.gguf","tokens_predicted":9,"generation_settings":{"n_predict":64,"samplers":["penalties","top_k"],"stop":["\n\n"]},"prompt":"<s>hi","truncated":false,"stop_type":"eos","stopping_word":"","timings":{"predicted_n":9}}`, index, mustJSON(content))
	}
	piece := func(index int, p, more string) string {
		return fmt.Sprintf(`{"index":%d,"content":%s,"tokens":[5],"stop":false,"id_slot":0,"tokens_predicted":1,"tokens_evaluated":2%s}`, index, mustJSON(p), more)
	}
	streamed := func(shape string, samples int, more func(p string) string) apiCase {
		return apiCase{
			api: "llamacpp.completion", shape: shape, path: "/completion", ask: fmt.Sprintf(`{"prompt":"hi","stream":true,"n_cmpl":%d}`, samples), contentType: "text/event-stream",
			body: func(pieces []string) []byte {
				var events []string
				for _, p := range pieces {
					for i := range samples {
						events = append(events, piece(i, p, more(p)))
					}
				}
				for i := range samples {
					events = append(events, last(i, ""))
				}
				return []byte(stream(events...))
			},
			text: func(t *testing.T, body []byte) string { return llamaText(t, payloads[llamaMessage](t, body), samples) },
			filtered: func(t *testing.T, body []byte) {
				if m := payloads[llamaMessage](t, body); m[len(m)-1].StopType != "word" {
					t.Errorf("ends with %+v", m[len(m)-1])
				}
			},
		}
	}
	whole := func(shape string, write func(text string) string, samples int) apiCase {
		return apiCase{
			api: "llamacpp.completion", shape: shape, path: "/completion", ask: `{"prompt":"hi"}`, contentType: "application/json",
			body: func(pieces []string) []byte { return []byte(write(strings.Join(pieces, ""))) },
			text: func(t *testing.T, body []byte) string {
				if body[0] == '{' {
					body = slices.Concat([]byte{'['}, body, []byte{']'})
				}
				return llamaText(t, payloads[[]llamaMessage](t, body)[0], samples)
			},
		}
	}
	nothing := func(string) string { return "" }
	return []apiCase{
		streamed("content", 1, nothing),
		streamed("probabilities", 1, func(p string) string { return `,"completion_probabilities":` + probs(p) }),
		streamed("older probabilities", 1, func(p string) string {
			return fmt.Sprintf(`,"completion_probabilities":[{"content":%[1]s,"probs":[{"tok_str":%[1]s,"prob":0.5},{"tok_str":" x","prob":0.1}]}]`, mustJSON(p))
		}),
		streamed("two samples", 2, nothing),
		whole("content", func(text string) string { return last(0, text) }, 1),
		whole("two samples", func(text string) string { return "[" + last(1, text) + "," + last(0, text) + "]" }, 2),
		whole("probabilities", func(text string) string {
			return fmt.Sprintf(`{"content":%s,"tokens":[5,6],"stop":true,"stop_type":"eos","completion_probabilities":%s}`, mustJSON(text), probs(text))
		}, 1),
		{
			api: "llamacpp.completion", shape: "OpenAI's choices", path: "/completions", ask: `{"prompt":"hi","stream":true}`, contentType: "text/event-stream",
			body: func(pieces []string) []byte {
				var events []string
				for _, p := range pieces {
					events = append(events, fmt.Sprintf(`{"id":"c","object":"text_completion","model":"m","choices":[{"index":0,"text":%s,"finish_reason":null}]}`, mustJSON(p)))
				}
				return []byte(stream(append(events, `{"id":"c","object":"text_completion","model":"m","choices":[{"index":0,"text":"","finish_reason":"stop"}]}`, "[DONE]")...))
			},
			text: completionText,
		},
	}
}

// llamaText is the text of the first of several samples, which are all the same.
func llamaText(t *testing.T, messages []llamaMessage, samples int) string {
	t.Helper()
	texts, ended := make([]string, samples), make([]bool, samples)
	for _, m := range messages {
		if m.Error != nil || m.Index >= samples || ended[m.Index] {
			t.Fatalf("message %+v", m)
		}
		texts[m.Index] += m.Content
		ended[m.Index] = m.Stop && m.StopType != ""
		for _, secret := range strings.Fields(apiSecret) {
			if strings.Contains(m.Content, "[redacted]") && (len(m.Tokens) > 0 || strings.Contains(fmt.Sprint(m.Probs), secret)) {
				t.Errorf("message %+v", m)
			}
		}
	}
	if slices.Contains(ended, false) {
		t.Errorf("ended = %v", ended)
	}
	if samples > 1 && strings.Contains(texts[0], strings.TrimSpace(apiAfter)) && texts[0] != texts[1] {
		t.Errorf("texts = %q", texts)
	}
	return texts[0]
}

// completionText reads a stream of OpenAI's completions that ends as it should.
func completionText(t *testing.T, body []byte) string {
	t.Helper()
	text, finish := "", ""
	for _, c := range payloads[struct {
		Choices []struct {
			Text   string
			Finish string `json:"finish_reason"`
		}
	}](t, body) {
		if len(c.Choices) == 1 {
			text += c.Choices[0].Text
			finish += c.Choices[0].Finish
		}
	}
	if finish == "" || !strings.HasSuffix(string(body), "data: [DONE]\n\n") {
		t.Errorf("ends with %q, %q", finish, body[max(0, len(body)-60):])
	}
	return text
}
