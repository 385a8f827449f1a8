package relay

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// azureCases are the shapes of chat that only Azure OpenAI has: chunks without choices,
// choices without a delta, offsets into the text, and passages of the caller's own data.
func azureCases() []apiCase {
	const path = "/openai/deployments/gpt/chat/completions"
	const ask = `{"messages":[{"role":"user","content":"hi"}]`
	const safe = `"content_filter_results":{"hate":{"filtered":false,"severity":"safe"},"protected_material_text":{"filtered":false,"detected":false}}`
	context := func(text string) string {
		return fmt.Sprintf(`"context":{"citations":[{"content":%s,"title":"a page","url":null,"filepath":"a.md","chunk_id":"0"}],"intent":%s}`, mustJSON(text), mustJSON(`["`+text+`"]`))
	}
	whole := apiCase{
		api: "openai.chat", shape: "filter results and own data (Azure)", path: path, ask: ask + "}", contentType: "application/json",
		body: func(pieces []string) []byte {
			all := strings.Join(pieces, "")
			return fmt.Appendf(nil, `{"id":"c","object":"chat.completion","created":7,"model":"m","prompt_filter_results":[{"prompt_index":0,%s}],"choices":[{"index":0,"message":{"role":"assistant","content":%s,%s},"finish_reason":"stop",%s,"content_filter_offsets":{"check_offset":4,"start_offset":4,"end_offset":9}}]}`,
				safe, mustJSON(all), context(all), safe)
		},
		text: func(t *testing.T, body []byte) string { return chatAnswer(t, body, "content") },
	}
	streamed := whole
	streamed.shape = "chunks without choices or delta (Azure)"
	streamed.ask, streamed.contentType = ask+`,"stream":true,"stream_options":{"include_usage":true}}`, "text/event-stream"
	streamed.body = func(pieces []string) []byte {
		const empty = `"id":"","object":"","created":0,"model":""`
		payloads := []string{
			`{` + empty + `,"prompt_filter_results":[{"prompt_index":0,` + safe + `}],"choices":[]}`,
			delta(0, `"role":"assistant"`),
		}
		for i, p := range pieces {
			payloads = append(payloads,
				strings.Replace(delta(0, fmt.Sprintf(`"content":%s`, mustJSON(p))), `"id":"c",`, `"id":"c","object":"chat.completion.chunk",`, 1),
				fmt.Sprintf(`{%s,"choices":[{"index":0,"finish_reason":null,%s,"content_filter_offsets":{"check_offset":%d,"start_offset":4,"end_offset":9}}]}`, empty, safe, i))
		}
		return []byte(stream(append(payloads, ends(0, "stop"), `{`+empty+`,"choices":[{"index":0,"finish_reason":null,`+safe+`}]}`, `{"id":"c","object":"chat.completion.chunk","created":7,"model":"m","choices":[],"usage":{"total_tokens":3}}`, "[DONE]")...))
	}
	streamed.text = azureText
	streamed.filtered = func(t *testing.T, body []byte) {
		// The chunk before it may be a nameless annotation.
		want := strings.Replace(filtered(0), `"id":"c",`, `"id":"c","object":"chat.completion.chunk",`, 1)
		usage := regexp.MustCompile(`data: \{"id":"c","object":"chat.completion.chunk",[^\n]*"choices":\[\],"usage":\{"prompt_tokens":\d+,"completion_tokens":\d+,"total_tokens":\d+,"estimated":true\}\}\n\ndata: \[DONE\]\n\n$`)
		rest := usage.ReplaceAllString(string(body), "")
		if len(rest) == len(body) || !strings.HasSuffix(rest, "data: "+want+"\n\n") {
			t.Errorf("ends in %q", body[max(0, len(body)-300):])
		}
	}
	return []apiCase{whole, streamed}
}

// azureText reads a stream as clients do that take every chunk as it comes.
func azureText(t *testing.T, body []byte) string {
	t.Helper()
	events := strings.Split(strings.TrimSuffix(string(body), "\n\n"), "\n\n")
	if events[len(events)-1] != "data: [DONE]" {
		t.Fatalf("ends in %q", events[len(events)-1])
	}
	said, finish := "", ""
	for _, e := range events[:len(events)-1] {
		var chunk struct {
			Choices []struct {
				Delta  struct{ Content string }
				Finish string `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(e, "data: ")), &chunk); err != nil || len(chunk.Choices) > 1 {
			t.Fatalf("%v in %s", err, e)
		}
		for _, c := range chunk.Choices {
			said, finish = said+c.Delta.Content, finish+c.Finish
		}
	}
	if finish != "stop" && finish != "content_filter" {
		t.Errorf("finish_reason is %q in %s", finish, body)
	}
	return said
}
