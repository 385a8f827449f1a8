package relay

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// tgiMessage is a message of Text Generation Inference, or its whole answer.
type tgiMessage struct {
	Token *struct {
		ID      int
		Text    string
		Special bool
	}
	TopTokens []any   `json:"top_tokens"`
	Generated *string `json:"generated_text"`
	Details   *struct {
		Reason string `json:"finish_reason"`
		Tokens []struct{ Text string }
		BestOf []struct {
			Generated string `json:"generated_text"`
		} `json:"best_of_sequences"`
	}
	Error string
}

func tgiCases() []apiCase {
	token := func(i int, p, more string) string {
		return fmt.Sprintf(`{"index":%d,"token":{"id":%d,"text":%s,"logprob":-0.25,"special":false}%s,"generated_text":null,"details":null}`, i+1, 900+i, mustJSON(p), more)
	}
	last := func(n int, text string) string {
		return fmt.Sprintf(`{"index":%d,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},"generated_text":%s,"details":{"finish_reason":"eos_token","generated_tokens":%d,"seed":null,"input_length":3}}`, n+1, mustJSON(text), n)
	}
	streamed := func(api, shape string, more func(p string) string) apiCase {
		return apiCase{
			api: api, shape: shape, path: "/generate_stream", ask: `{"inputs":"hi","parameters":{"details":true}}`, contentType: "text/event-stream",
			body: func(pieces []string) []byte {
				var b strings.Builder
				for i, p := range pieces {
					b.WriteString("data:" + token(i, p, more(p)) + "\n\n")
				}
				b.WriteString("data:" + last(len(pieces), strings.Join(pieces, "")) + "\n\n")
				return []byte(b.String())
			},
			text: tgiText,
			filtered: func(t *testing.T, body []byte) {
				if m := payloads[tgiMessage](t, body); m[len(m)-1].Details.Reason != "stop_sequence" {
					t.Errorf("ends with %+v", m[len(m)-1])
				}
			},
		}
	}
	whole := func(api, shape, format string) apiCase {
		return apiCase{
			api: api, shape: shape, path: "/generate", ask: `{"inputs":"hi"}`, contentType: "application/json",
			body: func(pieces []string) []byte {
				var tokens []string
				for i, p := range pieces {
					tokens = append(tokens, fmt.Sprintf(`{"id":%d,"text":%s,"logprob":-1,"special":false}`, 900+i, mustJSON(p)))
				}
				list := "[" + strings.Join(tokens, ",") + "]"
				top := "[[" + strings.Join(tokens, "],[") + "]]"
				return []byte(strings.NewReplacer("TEXT", string(mustJSON(strings.Join(pieces, ""))), "TOKENS", list, "TOP", top).Replace(format))
			},
			text: func(t *testing.T, body []byte) string {
				if body[0] == '{' {
					body = slices.Concat([]byte{'['}, body, []byte{']'})
				}
				m := payloads[[]tgiMessage](t, body)[0]
				if len(m) != 1 || m[0].Generated == nil {
					t.Fatalf("answer %s", body)
				}
				if d := m[0].Details; d != nil {
					for _, s := range d.BestOf {
						if s.Generated != *m[0].Generated {
							t.Errorf("samples differ in %s", body)
						}
					}
				}
				return *m[0].Generated
			},
		}
	}
	nothing := func(string) string { return "" }
	const details = `"details":{"finish_reason":"eos_token","generated_tokens":9,"seed":7,"prefill":[{"id":1,"text":"<s>","logprob":null}],"tokens":TOKENS,"top_tokens":TOP`
	return []apiCase{
		streamed("tgi", "tokens", nothing),
		streamed("tgi", "top tokens", func(p string) string {
			return fmt.Sprintf(`,"top_tokens":[{"id":1,"text":%s,"logprob":-1,"special":false},{"id":2,"text":" x","logprob":-2,"special":false}]`, mustJSON(p))
		}),
		streamed("generate", "tgi", nothing),
		whole("tgi", "generated text", `{"generated_text":TEXT}`),
		whole("tgi", "details", `{"generated_text":TEXT,`+details+`}}`),
		whole("tgi", "best of", `{"generated_text":TEXT,`+details+`,"best_of_sequences":[{"finish_reason":"length","generated_text":TEXT,"prefill":[],"tokens":TOKENS,"top_tokens":TOP,"seed":1},{"finish_reason":"length","generated_text":TEXT,"tokens":TOKENS}]}}`),
		whole("tgi", "list of one", `[{"generated_text":TEXT,`+details+`}}]`),
		whole("generate", "tgi", `{"generated_text":TEXT,`+details+`}}`),
	}
}

// tgiText reads a stream that ends as it should. The last message has the text of
// all tokens.
func tgiText(t *testing.T, body []byte) string {
	t.Helper()
	messages := payloads[tgiMessage](t, body)
	text := ""
	for i, m := range messages {
		if m.Error != "" || m.Token == nil || (m.Generated != nil) != (i == len(messages)-1) {
			t.Fatalf("message %d of %d is %+v", i, len(messages), m)
		}
		if !m.Token.Special {
			text += m.Token.Text
		}
		if strings.Contains(m.Token.Text, "[redacted]") && (m.Token.ID != 0 || len(m.TopTokens) > 0) {
			t.Errorf("token %+v", m)
		}
	}
	if last := messages[len(messages)-1]; *last.Generated != text || last.Details == nil || last.Details.Reason == "" {
		t.Errorf("tokens are %q, last message is %+v %q", text, last, *last.Generated)
	}
	return text
}

// sglangMessage is a message of SGLang, or one of its whole answers.
type sglangMessage struct {
	Index int
	Text  string
	IDs   []int `json:"output_ids"`
	Meta  struct {
		Finish *struct{ Type string } `json:"finish_reason"`
		Tokens [][]any                `json:"output_token_logprobs"`
	} `json:"meta_info"`
	Error any
}

func sglangCases() []apiCase {
	message := func(i int, text string, pieces []string, finish, more string) string {
		var ids, tokens []string
		for k, p := range pieces {
			ids = append(ids, fmt.Sprint(700+k))
			tokens = append(tokens, fmt.Sprintf(`[-0.5,%d,%s]`, 700+k, mustJSON(p)))
		}
		list := "[" + strings.Join(tokens, ",") + "]"
		top := "[[" + strings.Join(tokens, "],[") + "]]"
		return fmt.Sprintf(`{"text":%s,"output_ids":[%s],"meta_info":{"id":"a1b2","finish_reason":%s,"prompt_tokens":3,"weight_version":"default","output_token_logprobs":%s,"output_top_logprobs":%s,"completion_tokens":%d,"cached_tokens":0,"e2e_latency":0.5}%s}`,
			mustJSON(text), strings.Join(ids, ","), finish, list, top, len(pieces), more)
	}
	streamed := func(api, shape string, samples int, from func(i int) int) apiCase {
		return apiCase{
			api: api, shape: shape, path: "/generate", ask: `{"text":"hi","stream":true,"sampling_params":{"n":` + fmt.Sprint(samples) + `}}`, contentType: "text/event-stream",
			body: func(pieces []string) []byte {
				var events []string
				for k := range pieces {
					for i := range samples {
						finish, more := "null", ""
						if k == len(pieces)-1 {
							finish = `{"type":"stop","matched":128009}`
						}
						if samples > 1 {
							more = fmt.Sprintf(`,"index":%d`, i)
						}
						part := pieces[from(k) : k+1]
						events = append(events, message(i, strings.Join(part, ""), part, finish, more))
					}
				}
				return []byte(stream(append(events, "[DONE]")...))
			},
			text: func(t *testing.T, body []byte) string {
				if !strings.HasSuffix(string(body), "data: [DONE]\n\n") {
					t.Errorf("ends with %q", body[max(0, len(body)-60):])
				}
				return sglangText(t, payloads[sglangMessage](t, body), samples, from(1) > 0)
			},
			filtered: func(t *testing.T, body []byte) {
				if m := payloads[sglangMessage](t, body); m[len(m)-1].Meta.Finish.Type != "content_filter" {
					t.Errorf("ends with %+v", m[len(m)-1])
				}
			},
		}
	}
	whole := func(api, shape string, samples int) apiCase {
		return apiCase{
			api: api, shape: shape, path: "/generate", ask: `{"text":["hi","ho"]}`, contentType: "application/json",
			body: func(pieces []string) []byte {
				var all []string
				for i := range samples {
					all = append(all, message(i, strings.Join(pieces, ""), pieces, `{"type":"length","length":8}`, ""))
				}
				if samples == 1 {
					return []byte(all[0])
				}
				return []byte("[" + strings.Join(all, ",") + "]")
			},
			text: func(t *testing.T, body []byte) string {
				if body[0] == '{' {
					body = slices.Concat([]byte{'['}, body, []byte{']'})
				}
				answers := payloads[[]sglangMessage](t, body)[0]
				for i := range answers {
					answers[i].Index = i
				}
				return sglangText(t, answers, samples, false)
			},
		}
	}
	sofar := func(int) int { return 0 }
	return []apiCase{
		streamed("sglang.generate", "text so far", 1, sofar),
		streamed("sglang.generate", "pieces", 1, func(i int) int { return i }),
		streamed("sglang.generate", "two samples", 2, sofar),
		streamed("sglang.generate", "two samples in pieces", 2, func(i int) int { return i }),
		streamed("generate", "sglang", 2, sofar),
		whole("sglang.generate", "text", 1),
		whole("sglang.generate", "batch", 2),
		whole("generate", "sglang", 2),
	}
}

// sglangText is the text of the first of several answers, which are all the
// same where they are whole.
func sglangText(t *testing.T, messages []sglangMessage, samples int, pieces bool) string {
	t.Helper()
	texts, ended := make([]string, samples), make([]bool, samples)
	for _, m := range messages {
		if m.Error != nil || m.Index >= samples || ended[m.Index] {
			t.Fatalf("message %+v", m)
		}
		if !pieces {
			texts[m.Index] = ""
		}
		texts[m.Index] += m.Text
		ended[m.Index] = m.Meta.Finish != nil
		if strings.Contains(m.Text, "[redacted]") && (len(m.IDs) > 0 || len(m.Meta.Tokens) > 0) {
			t.Errorf("message %+v", m)
		}
	}
	if slices.Contains(ended, false) {
		t.Errorf("ended = %v", ended)
	}
	if samples > 1 && strings.HasSuffix(texts[0], apiAfter) && texts[0] != texts[1] {
		t.Errorf("texts = %q", texts)
	}
	return texts[0]
}

// demoCases are the shapes of vLLM's demo server: every line holds the prompt
// and all of each sample's text. Nothing says that a stream has ended.
func demoCases() []apiCase {
	const prompt = "Tell me: "
	write := func(texts []string) string {
		for i := range texts {
			texts[i] = string(mustJSON(prompt + texts[i]))
		}
		return `{"text": [` + strings.Join(texts, ", ") + `]}`
	}
	read := func(t *testing.T, body []byte) string {
		lines := payloads[struct{ Text []string }](t, body)
		text, ok := strings.CutPrefix(lines[len(lines)-1].Text[0], prompt)
		if !ok {
			t.Errorf("the prompt is gone in %s", body)
		}
		return text
	}
	return []apiCase{
		{
			api: "generate", shape: "vllm lines", path: "/generate", ask: `{"prompt":"` + prompt + `","stream":true,"n":2}`,
			body: func(pieces []string) []byte {
				var b strings.Builder
				for k := range pieces {
					text := strings.Join(pieces[:k+1], "")
					fmt.Fprintln(&b, write([]string{text, text}))
				}
				return []byte(b.String())
			},
			text: read,
		},
		{
			api: "generate", shape: "vllm", path: "/generate", ask: `{"prompt":"` + prompt + `"}`, contentType: "application/json",
			body: func(pieces []string) []byte { return []byte(write([]string{strings.Join(pieces, "")})) },
			text: read,
		},
	}
}
