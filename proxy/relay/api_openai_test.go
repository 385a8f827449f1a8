package relay

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// openAICases are the shapes of Chat Completions and of Completions.
func openAICases() []apiCase {
	const chatAsk, streamAsk = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`
	chat := func(member string) apiCase {
		return apiCase{
			api: "openai.chat", shape: member, path: "/v1/chat/completions", ask: chatAsk, contentType: "application/json",
			body: func(pieces []string) []byte {
				return fmt.Appendf(nil, `{"id":"c","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":{"role":"assistant","%s":%s},"finish_reason":"stop"}],"usage":{"total_tokens":3}}`,
					member, mustJSON(strings.Join(pieces, "")))
			},
			text: func(t *testing.T, body []byte) string { return chatAnswer(t, body, member) },
		}
	}
	streamed := func(member string) apiCase {
		return apiCase{
			api: "openai.chat", shape: member, path: "/v1/chat/completions", ask: streamAsk, contentType: "text/event-stream",
			body: func(pieces []string) []byte {
				payloads := []string{delta(0, `"role":"assistant"`)}
				for _, p := range pieces {
					payloads = append(payloads, delta(0, fmt.Sprintf(`%q:%s`, member, mustJSON(p))))
				}
				return []byte(stream(append(payloads, ends(0, "stop"), "[DONE]")...))
			},
			text: func(t *testing.T, body []byte) string { return chatStream(t, body, member) },
			filtered: func(t *testing.T, body []byte) {
				if !strings.HasSuffix(string(body), "data: "+filtered(0)+"\n\ndata: [DONE]\n\n") {
					t.Errorf("ends in %q", body[max(0, len(body)-300):])
				}
			},
		}
	}
	return append([]apiCase{
		chat("content"), chat("refusal"), chat("reasoning_content"),
		streamed("content"), streamed("refusal"), streamed("reasoning_content"),
	}, openAIPlaceCases()...)
}

// chatAnswer reads one member of the message of a chat answer.
func chatAnswer(t *testing.T, body []byte, member string) string {
	t.Helper()
	var a struct {
		Choices []struct{ Message map[string]any }
	}
	if err := json.Unmarshal(body, &a); err != nil || len(a.Choices) != 1 {
		t.Fatalf("%v in %s", err, body)
	}
	text, _ := a.Choices[0].Message[member].(string)
	return text
}

// chatStream reads one member of the deltas of a chat stream that ends as it
// should.
func chatStream(t *testing.T, body []byte, member string) string {
	t.Helper()
	var text strings.Builder
	events := strings.Split(strings.TrimSuffix(string(body), "\n\n"), "\n\n")
	if events[len(events)-1] != "data: [DONE]" {
		t.Fatalf("ends in %q", events[len(events)-1])
	}
	finish := ""
	for _, e := range events[:len(events)-1] {
		var chunk struct {
			Choices []struct {
				Delta  map[string]any
				Finish string `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(e, "data: ")), &chunk); err != nil || len(chunk.Choices) != 1 {
			t.Fatalf("%v in %s", err, e)
		}
		piece, _ := chunk.Choices[0].Delta[member].(string)
		text.WriteString(piece)
		finish += chunk.Choices[0].Finish
	}
	if finish == "" {
		t.Errorf("no finish_reason in %s", body)
	}
	return text.String()
}
