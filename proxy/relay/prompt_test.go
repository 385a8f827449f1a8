package relay

import (
	"regexp"
	"testing"

	"noecho/detect"
	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// TestTextsGoOnWithThePrompt: wherever the words behind those of the prompt begin a text of an
// answer, none of them leaves.
func TestTextsGoOnWithThePrompt(t *testing.T) {
	t.Parallel()
	call := func(member string) string {
		return `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{` + member + `}}]}}]}`
	}
	whole := func(message string) string {
		return `{"choices":[{"index":0,"message":{"role":"assistant",` + message + `},"finish_reason":"stop"}]}`
	}
	for _, c := range []struct {
		name, family string
		framing      wire.Framing
		body         string
	}{
		{"name of a tool", "openai.chat", wire.SSE, stream(call(`"name":"echo_foxtrot_golf"`), ends(0, "tool_calls"), "[DONE]")},
		{"arguments", "openai.chat", wire.SSE, stream(call(`"name":"get"`), call(`"arguments":"{\"q\": \"echo"`), call(`"arguments":" foxtrot golf\"}"`), ends(0, "tool_calls"), "[DONE]")},
		{"second call", "openai.chat", wire.JSON, whole(`"content":null,"tool_calls":[{"function":{"name":"get","arguments":"{\"q\":\"plain\"}"}},{"function":{"name":"get","arguments":"{\"q\":\"echo foxtrot golf\"}"}}]`)},
		{"second call in Ollama", "ollama.chat", wire.Lines, `{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"get","arguments":{"q":"plain"}}}]}}` + "\n" +
			`{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"get","arguments":{"q":"echo foxtrot golf"}}}]}}` + "\n"},
		{"JSON in the text", "openai.chat", wire.JSON, whole(`"content":"{\"answer\": \"echo foxtrot golf\"}"`)},
		{"text behind a thought", "generic", wire.JSON, `{"output":[{"type":"reasoning","content":"so it is"},{"type":"message","content":"echo foxtrot golf"}]}`},
		{"text behind a streamed thought", "generic", wire.SSE, stream(`{"type":"delta","content":"so it "}`, `{"type":"delta","content":"is"}`, `{"type":"end"}`, `{"type":"delta","content":"echo foxtrot"}`, `{"type":"delta","content":" golf"}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Family, cfg.Framing = api.ByName(c.family), c.framing
			cfg.Detect.Prompt = &detect.Prompt{Messages: []*detect.Message{detect.NewMessage(cfg.Set, cfg.Spec, []byte("go on: alpha bravo charlie delta"))}}
			if got := everySplit(t, cfg, c.body); regexp.MustCompile("echo|foxtrot|golf").MatchString(got.out) {
				t.Errorf("left in %s", got.out)
			}
		})
	}
}
