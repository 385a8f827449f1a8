package relay

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const (
	invokePath      = "/model/amazon.titan-text-express-v1/invoke"
	invokeStreaming = "/model/amazon.titan-text-express-v1/invoke-with-response-stream"
	invokeAsk       = `{"inputText":"hi"}`
)

// textAt returns the text at a path of a JSON document, or nothing.
func textAt(t *testing.T, document []byte, path ...any) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	return reach(v, path...)
}

// invokeCases are the answers in one piece of the vendors.
func invokeCases() []apiCase {
	add := func(shape, body string, path ...any) apiCase {
		return apiCase{
			api: "bedrock.invoke", shape: shape, path: invokePath, ask: invokeAsk, contentType: "application/json",
			body: func(pieces []string) []byte {
				return []byte(strings.ReplaceAll(body, "TEXT", string(mustJSON(strings.Join(pieces, "")))))
			},
			text: func(t *testing.T, body []byte) string { return textAt(t, body, path...) },
		}
	}
	return []apiCase{
		add("Anthropic", `{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":TEXT}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":4}}`, "content", 0, "text"),
		add("Anthropic's tool input", `{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"tool_use","id":"t_1","name":"look_up","input":{"text":TEXT}}],"stop_reason":"tool_use"}`, "content", 0, "input", "text"),
		add("Nova", `{"output":{"message":{"content":[{"text":TEXT}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7}}`, "output", "message", "content", 0, "text"),
		add("Titan", `{"inputTextTokenCount":3,"results":[{"tokenCount":4,"outputText":TEXT,"completionReason":"FINISH"}]}`, "results", 0, "outputText"),
		add("Llama", `{"generation":TEXT,"prompt_token_count":3,"generation_token_count":4,"stop_reason":"stop"}`, "generation"),
		add("Mistral", `{"outputs":[{"text":TEXT,"stop_reason":"stop"}]}`, "outputs", 0, "text"),
		add("chat", `{"id":"c","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":TEXT},"finish_reason":"stop"}],"usage":{"total_tokens":3}}`, "choices", 0, "message", "content"),
		add("chat's reasoning", `{"choices":[{"index":0,"message":{"role":"assistant","content":"ok","reasoning_content":TEXT},"stop_reason":"stop"}]}`, "choices", 0, "message", "reasoning_content"),
		add("DeepSeek", `{"choices":[{"text":TEXT,"stop_reason":"stop"}]}`, "choices", 0, "text"),
		add("AI21", `{"id":1234,"prompt":{"text":"hi","tokens":[]},"completions":[{"data":{"text":TEXT,"tokens":[{"generatedToken":{"token":TEXT,"logprob":-0.1}}]},"finishReason":{"reason":"endoftext"}}]}`, "completions", 0, "data", "text"),
		add("Cohere", `{"id":"a-b","prompt":"hi","generations":[{"id":"c-d","text":TEXT,"finish_reason":"COMPLETE"}]}`, "generations", 0, "text"),
		add("Cohere's chat", `{"response_id":"r","generation_id":"g","text":TEXT,"finish_reason":"COMPLETE","chat_history":[{"role":"USER","message":"hi"},{"role":"CHATBOT","message":TEXT}]}`, "text"),
		add("nobody's", `{"answer":{"parts":[{"words":TEXT}]},"id":"x","amazon-bedrock-guardrailAction":"NONE"}`, "answer", "parts", 0, "words"),
	}
}

// awsChunk writes a frame that carries a document in base64.
func awsChunk(document string) string {
	return awsFrame("event", "chunk", `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(document))+`","p":"`+"abcdefghijklmnopqrstuvwxyz"[:len(document)%26]+`"}`)
}

// awsChunks returns the documents of a stream, and the exception it ends with.
func awsChunks(t *testing.T, body []byte) (documents []string, exception string) {
	t.Helper()
	for _, e := range awsEvents(t, body) {
		if exception != "" {
			t.Fatalf("%+v behind an exception", e)
		}
		if e.kind == "exception" {
			exception = e.name
			continue
		}
		var m struct{ Bytes []byte }
		if err := json.Unmarshal([]byte(e.payload), &m); err != nil || e.name != "chunk" || !json.Valid(m.Bytes) {
			t.Fatalf("%v in %+v", err, e)
		}
		documents = append(documents, string(m.Bytes))
	}
	return documents, exception
}

// invokeStreams are the streams of the vendors.
func invokeStreams() []apiCase {
	// piece is one message with a piece of text at path; end is the last one, and
	// filtered how a stream ends that was cut.
	add := func(shape, start, piece, end, filtered string, path ...any) apiCase {
		return apiCase{
			api: "bedrock.invoke", shape: shape, path: invokeStreaming, ask: invokeAsk, contentType: eventStreamType,
			body: func(pieces []string) []byte {
				out := ""
				lines := func(s string) {
					for line := range strings.Lines(s) {
						out += awsChunk(strings.TrimSuffix(line, "\n"))
					}
				}
				lines(start)
				for i, p := range pieces {
					lines(strings.NewReplacer("TEXT", string(mustJSON(p)), "NUMBER", fmt.Sprint(i)).Replace(piece))
				}
				lines(end)
				return []byte(out)
			},
			text: func(t *testing.T, body []byte) string {
				documents, _ := awsChunks(t, body)
				text := ""
				for _, d := range documents {
					text += textAt(t, []byte(d), path...)
				}
				return text
			},
			filtered: func(t *testing.T, body []byte) {
				documents, exception := awsChunks(t, body)
				if got := strings.Join(documents, "\n") + exception; !strings.HasSuffix(got, filtered) {
					t.Errorf("ends in %s, not in %s", got[max(0, len(got)-400):], filtered)
				}
			},
		}
	}
	const anthropicEnd = `{"type":"content_block_stop","index":0}` + "\n" + `{"type":"message_delta","delta":{"stop_reason":"%s","stop_sequence":null},"usage":{%s"output_tokens":%d}}` + "\n" + `{"type":"message_stop"%s}`
	const novaEnd = `{"contentBlockStop":{"contentBlockIndex":0}}` + "\n" + `{"messageStop":{"stopReason":"%s"}}` + "\n" + `{"metadata":{"usage":{"inputTokens":%d,"outputTokens":%d,"totalTokens":%d},"metrics":{%s}}}`
	return []apiCase{
		add("Anthropic", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}`+"\n"+`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":TEXT}}`,
			fmt.Sprintf(anthropicEnd, "end_turn", "", 9, `,"amazon-bedrock-invocationMetrics":{"inputTokenCount":3,"outputTokenCount":9}`),
			fmt.Sprintf(anthropicEnd, "refusal", `"input_tokens":3,`, 1, ""), "delta", "text"),
		add("Nova", `{"messageStart":{"role":"assistant"}}`, `{"contentBlockDelta":{"delta":{"text":TEXT},"contentBlockIndex":0}}`,
			fmt.Sprintf(novaEnd, "end_turn", 3, 4, 7, ""), fmt.Sprintf(novaEnd, "guardrail_intervened", 0, 0, 0, `"latencyMs":0`), "contentBlockDelta", "delta", "text"),
		add("Titan", "", `{"outputText":TEXT,"index":0,"totalOutputTextTokenCount":null,"completionReason":null,"inputTextTokenCount":null}`,
			`{"outputText":"","index":0,"totalOutputTextTokenCount":9,"completionReason":"FINISH","inputTextTokenCount":3,"amazon-bedrock-invocationMetrics":{"inputTokenCount":3}}`,
			`{"outputText":"","index":0,"totalOutputTextTokenCount":0,"completionReason":"CONTENT_FILTERED","inputTextTokenCount":null}`, "outputText"),
		add("Llama", "", `{"generation":TEXT,"prompt_token_count":null,"generation_token_count":NUMBER,"stop_reason":null}`,
			`{"generation":"","prompt_token_count":null,"generation_token_count":9,"stop_reason":"stop"}`,
			`{"generation":"","prompt_token_count":null,"generation_token_count":0,"stop_reason":"stop"}`, "generation"),
		add("Mistral", "", `{"outputs":[{"text":TEXT,"stop_reason":null}]}`, `{"outputs":[{"text":"","stop_reason":"stop"}]}`, `{"outputs":[{"text":"","stop_reason":"stop"}]}`, "outputs", 0, "text"),
		add("chat", "", `{"id":"c","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":TEXT},"finish_reason":null}]}`,
			`{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}`, "choices", 0, "delta", "content"),
		add("chat's tool arguments", "", `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":TEXT}}]},"finish_reason":null}]}`,
			`{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}`, "choices", 0, "delta", "tool_calls", 0, "function", "arguments"),
		add("Cohere", "", `{"is_finished":false,"event_type":"text-generation","text":TEXT}`, `{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE"}`,
			`{"text":"","is_finished":true,"finish_reason":"ERROR_TOXIC"}`, "text"),
		add("nobody's", "", `{"id":"x","state":"running","answer":{"words":TEXT},"number":NUMBER}`, `{"id":"x","state":"done"}`, "validationException", "answer", "words"),
	}
}
