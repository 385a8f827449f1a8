package relay

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// genericCases are the shapes of APIs that nobody told noecho about, and of
// files of results.
func genericCases() []apiCase {
	const ask, asks = `{"model":"m","prompt":"hi"}`, `{"model":"m","stream":true,"prompt":"hi"}`
	whole := func(shape, format string, path ...any) apiCase {
		return apiCase{
			api: "generic", shape: shape, path: "/any", ask: ask, contentType: "application/json",
			body: func(pieces []string) []byte { return fmt.Appendf(nil, format, mustJSON(strings.Join(pieces, ""))) },
			text: func(t *testing.T, body []byte) string { return dig(t, body, path...) },
		}
	}
	sse := func(shape, first, format, last string, path ...any) apiCase {
		return apiCase{
			api: "generic", shape: shape, path: "/any", ask: asks, contentType: "text/event-stream",
			body: func(pieces []string) []byte {
				var b strings.Builder
				b.WriteString(first)
				for _, p := range pieces {
					fmt.Fprintf(&b, format, mustJSON(p))
				}
				b.WriteString(last)
				return []byte(b.String())
			},
			text: func(t *testing.T, body []byte) string {
				var text strings.Builder
				for block := range strings.SplitSeq(strings.TrimSuffix(string(body), "\n\n"), "\n\n") {
					_, data, ok := strings.Cut("\n"+block, "\ndata: ")
					if !ok {
						t.Fatalf("event without data: %q", block)
					}
					if data != "[DONE]" {
						text.WriteString(dig(t, []byte(data), path...))
					}
				}
				return text.String()
			},
			filtered: func(t *testing.T, body []byte) {
				if !strings.HasSuffix(string(body), neutralBlock+"\n\n") {
					t.Errorf("ends in %q", body[max(0, len(body)-200):])
				}
			},
		}
	}
	lines := sse("NDJSON (Cohere v1)", `{"is_finished":false,"event_type":"stream-start","generation_id":"0b7e"}`+"\n",
		`{"is_finished":false,"event_type":"text-generation","text":%s}`+"\n",
		`{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE"}`+"\n", "text")
	lines.contentType = "application/stream+json"
	lines.text = func(t *testing.T, body []byte) string {
		var text strings.Builder
		for line := range strings.Lines(string(body)) {
			text.WriteString(dig(t, []byte(line), "text"))
		}
		return text.String()
	}
	lines.filtered = func(t *testing.T, body []byte) {
		if !strings.HasSuffix(string(body), "\n"+strings.TrimPrefix(neutralBlock, "data: ")+"\n") {
			t.Errorf("ends in %q", body[max(0, len(body)-200):])
		}
	}
	plain := apiCase{
		api: "generic", shape: "text/plain", path: "/any", ask: asks, contentType: "text/plain",
		body:     func(pieces []string) []byte { return []byte(strings.Join(pieces, "")) },
		text:     func(_ *testing.T, body []byte) string { return string(body) },
		filtered: func(*testing.T, []byte) {},
	}
	return []apiCase{
		whole("text anywhere", `{"id":"x-1","result":{"parts":[{"kind":"note","value":%s}]},"took":[12,30]}`, "result", "parts", 0, "value"),
		whole("a list of texts", `["x",[%s]]`, 1, 0),
		sse("Triton", "", `data: {"model_name":"m","model_version":"1","text_output":%s,"index":3}`+"\n\n", "", "text_output"),
		sse("LM Studio", "event: chat.start\ndata: {\"type\":\"chat.start\",\"model_instance_id\":\"m\"}\n\n",
			"event: message.delta\ndata: {\"type\":\"message.delta\",\"content\":%s}\n\n",
			"event: chat.end\ndata: {\"type\":\"chat.end\",\"result\":{\"stats\":{\"input_tokens\":3}}}\n\n", "content"),
		sse("Assistants", "event: thread.run.created\ndata: {\"id\":\"run_1\",\"object\":\"thread.run\",\"status\":\"queued\"}\n\n",
			"event: thread.message.delta\ndata: {\"id\":\"msg_1\",\"object\":\"thread.message.delta\",\"delta\":{\"content\":[{\"index\":0,\"type\":\"text\",\"text\":{\"value\":%s}}]}}\n\n",
			"event: done\ndata: [DONE]\n\n", "delta", "content", 0, "text", "value"),
		sse("token ids beside the text", "", `data: {"out":%s,"ids":[77,12],"token_ids":[1,2]}`+"\n\n", "", "out"),
		lines, plain,
	}
}

// neutralBlock is the message that ends a stream of an unknown API.
const neutralBlock = `data: {"error":{"message":"withheld: the answer would repeat training data","type":"invalid_request_error","code":"content_filter"}}`

// dig returns the string at a path of a document, or "" if there is none.
func dig(t *testing.T, doc []byte, path ...any) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			a, _ := v.([]any)
			if s >= len(a) {
				return ""
			}
			v = a[s]
		}
	}
	text, _ := v.(string)
	return text
}
