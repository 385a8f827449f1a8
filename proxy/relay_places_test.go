package proxy

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"noecho/proxy/config"
	"noecho/proxy/wire"
)

// stays fails unless the answer is told in every mode, however it arrives, and
// no five words of the secret leave.
func stays(t *testing.T, family wire.Family, in string) {
	t.Helper()
	cfg := testConfig(t)
	cfg.Family = family
	for _, mode := range []config.Mode{config.Redact, config.Block, config.Observe} {
		cfg.Mode = mode
		got := everySplit(t, cfg, in)
		if len(got.findings) == 0 {
			t.Errorf("%v: nothing found in %s", mode, in)
		}
		if mode == config.Observe {
			if got.out != in {
				t.Errorf("%v: got %s", mode, got.out)
			}
			continue
		}
		if strings.Contains(got.out, "golf") {
			t.Errorf("%v: left in %s", mode, got.out)
		}
		if mode == config.Block && !errors.Is(got.err, errBlocked) {
			t.Errorf("%v: error = %v", mode, got.err)
		}
		valid(t, got.out)
	}
}

// TestRelayPlaces: places that ought to hold a word of the protocol are read as
// soon as they hold anything else.
func TestRelayPlaces(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(secret+" ", 40)
	rest := []string{ends(0, "stop"), "[DONE]"}
	for _, text := range []string{secret, long} {
		q := string(mustJSON(text))
		for name, payload := range map[string]string{
			"finish_reason":  `{"choices":[{"index":0,"delta":{"content":"ok"},"finish_reason":` + q + `}]}`,
			"stop_reason":    `{"choices":[{"index":0,"delta":{"content":"ok"},"stop_reason":` + q + `,"native_finish_reason":` + q + `}]}`,
			"id":             `{"id":` + q + `,"choices":[{"index":0,"delta":{"content":"ok"}}]}`,
			"model":          `{"model":` + q + `,"choices":[{"index":0,"delta":{"content":"ok"}}]}`,
			"obfuscation":    `{"choices":[{"index":0,"delta":{"content":"ok"}}],"obfuscation":` + q + `}`,
			"role":           delta(0, `"role":`+q+`,"content":"ok"`),
			"tool id":        delta(0, `"tool_calls":[{"index":0,"id":`+q+`,"function":{"name":"f"}}]`),
			"tool type":      delta(0, `"tool_calls":[{"index":0,"type":`+q+`,"function":{"name":"f"}}]`),
			"part type":      delta(0, `"content":[{"type":`+q+`,"text":"ok"}]`),
			"format":         delta(0, `"reasoning_details":[{"format":`+q+`,"text":"ok"}]`),
			"severity":       `{"choices":[{"index":0,"delta":{"content":"ok"},"content_filter_results":{"hate":{"severity":` + q + `}}}]}`,
			"filter":         `{"choices":[{"index":0,"delta":{"content":"ok"},"content_filter_results":{` + q + `:{}}}]}`,
			"prompt's token": `{"choices":[],"prompt_logprobs":[null,{` + q + `:{}}]}`,
		} {
			t.Run(fmt.Sprint(name, len(text)), func(t *testing.T) {
				t.Parallel()
				stays(t, wire.Chat{}, stream(append([]string{payload}, rest...)...))
			})
		}
	}
	t.Run("as they are", func(t *testing.T) {
		t.Parallel()
		in := stream(`{"id":"chatcmpl-9f1c2b7e4d5a4c0f8e6b3a2d1c0f9e8d","model":"org/model-3.1:free@v1","choices":[{"index":0,"delta":{"role":"assistant","content":"ok"},"finish_reason":"tool_calls"}]}`)
		if got := everySplit(t, testConfig(t), in); got.out != in || len(got.findings) > 0 {
			t.Errorf("got %s, %q", got.out, got.findings)
		}
	})
}
