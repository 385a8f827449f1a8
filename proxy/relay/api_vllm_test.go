package relay

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// vllmCases are the shapes that vLLM and SGLang add to OpenAI's APIs: token ids, the
// prompt's log probabilities, the experts that were asked, batches.
func vllmCases() []apiCase {
	tokens := func(pieces []string) string {
		all := []string{"null"}
		for i, p := range pieces {
			all = append(all, fmt.Sprintf(`{"%d":{"logprob":-0.5,"rank":1,"decoded_token":%s},"9":{"logprob":-3,"rank":2,"decoded_token":" x"}}`, 700+i, mustJSON(p)))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	const experts = `"routed_experts":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1"`
	chat := apiCase{
		api: "openai.chat", shape: "vLLM's extras", path: "/v1/chat/completions", ask: `{"stream":true,"messages":[{"role":"user","content":"hi"}],"prompt_logprobs":1}`, contentType: "text/event-stream",
		body: func(pieces []string) []byte {
			events := []string{`{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":[1,2]}`}
			for i, p := range pieces {
				events = append(events, fmt.Sprintf(`{"id":"c","choices":[{"index":0,"delta":{"content":%s},"logprobs":{"content":[{"token":"token_id:%d","logprob":-1,"bytes":%s,"top_logprobs":[]}]},"finish_reason":null,"token_ids":[%d],%s,"sglext":{%s}}]}`, mustJSON(p), 700+i, numbers(p), 700+i, experts, experts))
			}
			events = append(events, `{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop","stop_reason":null,"token_ids":[2]}]}`)
			return []byte(stream(append(events, "[DONE]")...))
		},
		text: func(t *testing.T, body []byte) string {
			for line := range strings.Lines(string(body)) {
				if strings.Contains(line, "[redacted]") && (strings.Contains(line, "token_id") && !strings.Contains(line, `"token_ids":null`) || strings.Contains(line, "AAEC")) {
					t.Errorf("left in %s", line)
				}
			}
			return chatStream(t, body, "content")
		},
	}
	whole := apiCase{
		api: "openai.chat", shape: "vLLM's extras", path: "/v1/chat/completions", ask: `{"messages":[{"role":"user","content":"hi"}]}`, contentType: "application/json",
		body: func(pieces []string) []byte {
			return fmt.Appendf(nil, `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":%s},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":[700,701],%s}],"usage":{"total_tokens":3},"prompt_logprobs":%s,"prompt_token_ids":[1,2],"prompt_text":"<s>hi","kv_transfer_params":null,%s}`,
				mustJSON(strings.Join(pieces, "")), experts, tokens(pieces), strings.Replace(experts, "routed", "prompt_routed", 1))
		},
		text: func(t *testing.T, body []byte) string {
			if strings.Contains(string(body), "[redacted]") && (strings.Contains(string(body), "700") || strings.Contains(string(body), "AAEC")) {
				t.Errorf("ids or experts left in %s", body)
			}
			return chatAnswer(t, body, "content")
		},
	}
	batch := apiCase{
		api: "openai.chat", shape: "batch", path: "/v1/chat/completions/batch", ask: `{"messages":[[{"role":"user","content":"hi"}],[{"role":"user","content":"ho"}]]}`, contentType: "application/json",
		body: func(pieces []string) []byte {
			return fmt.Appendf(nil, `{"id":"b","choices":[{"index":0,"message":{"role":"assistant","content":%[1]s},"finish_reason":"stop"},{"index":1,"message":{"role":"assistant","content":%[1]s},"finish_reason":"stop"}]}`, mustJSON(strings.Join(pieces, "")))
		},
		text: func(t *testing.T, body []byte) string {
			var a struct {
				Choices []struct{ Message struct{ Content string } }
			}
			if err := json.Unmarshal(body, &a); err != nil || len(a.Choices) != 2 || a.Choices[0] != a.Choices[1] {
				t.Fatalf("%v in %s", err, body)
			}
			return a.Choices[0].Message.Content
		},
	}
	completion := apiCase{
		api: "openai.completions", shape: "vLLM's extras", path: "/v1/completions", ask: `{"prompt":"hi","stream":true}`, contentType: "text/event-stream",
		body: func(pieces []string) []byte {
			var events []string
			for i, p := range pieces {
				first := ""
				if i == 0 { // echo and the prompt's log probabilities come with the first chunk
					first = `,"prompt_token_ids":[1,2],"prompt_logprobs":` + tokens([]string{"hi"})
				}
				events = append(events, fmt.Sprintf(`{"id":"c","object":"text_completion","choices":[{"index":0,"text":%[1]s,"logprobs":{"text_offset":[0],"token_logprobs":[-1],"tokens":[%[1]s],"top_logprobs":[{%[1]s:-1," x":-2}]},"finish_reason":null,"token_ids":[%[2]d],%[3]s%[4]s}]}`, mustJSON(p), 700+i, experts, first))
			}
			return []byte(stream(append(events, `{"id":"c","object":"text_completion","choices":[{"index":0,"text":"","finish_reason":"stop"}]}`, "[DONE]")...))
		},
		text: completionText,
	}
	return []apiCase{chat, whole, batch, completion}
}
