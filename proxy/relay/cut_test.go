package relay

import (
	"strings"
	"testing"

	"noecho/internal/raced"
	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// recited is the text that the model recites in the tests of cut answers, whose windows
// have ten words.
const recited = "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa"

// cutConfig is a family's answer against an index of recited.
func cutConfig(t testing.TB, family string, framing wire.Framing, decision Decision) Config {
	cfg := testConfig(t)
	cfg.Spec.N = 10
	cfg.Set, cfg.Framing, cfg.Decision = newMemory(cfg.Spec, recited), framing, decision
	if cfg.Family = api.ByName(family); cfg.Family == nil {
		t.Fatal("no family " + family)
	}
	return cfg
}

// cutFormat is an answer of a family. In stream %1 and %2 are the pieces of the text, in
// whole % is the text; REASON is why it ended.
type cutFormat struct {
	family  string
	framing wire.Framing
	stream  string
	whole   string
	cuts    []string // reasons for which the answer may end inside a word
	ends    []string // reasons for which it does not
	stops   []string // reasons that depend on the request having stop sequences
}

func events(lines ...string) string {
	return "data: " + strings.Join(lines, "\n\ndata: ") + "\n\n"
}

var cutFormats = []cutFormat{
	{
		"openai.chat", wire.SSE,
		events(`{"choices":[{"index":0,"delta":{"content":"%1"}}]}`, `{"choices":[{"index":0,"delta":{"content":"%2"}}]}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"REASON"}]}`, `[DONE]`),
		`{"choices":[{"index":0,"message":{"content":"%"},"finish_reason":"REASON"}]}`,
		[]string{"length", "content_filter", "abort"},
		[]string{"tool_calls"},
		[]string{"stop"},
	},
	{
		"openai.chat", wire.SSE,
		events(`{"choices":[{"index":0,"delta":{"content":"%1"}}]}`, `{"choices":[{"index":0,"delta":{"content":"%2"},"finish_reason":"REASON"}]}`, `[DONE]`),
		`{"choices":[{"finish_reason":"REASON","index":0,"message":{"content":null,"reasoning_content":"%"}}]}`,
		[]string{"length"},
		[]string{"tool_calls"},
		[]string{"stop"},
	},
	{
		"openai.completions", wire.SSE,
		events(`{"choices":[{"index":0,"text":"%1"}]}`, `{"choices":[{"index":0,"text":"%2","finish_reason":"REASON"}]}`, `[DONE]`),
		`{"choices":[{"index":0,"text":"%","finish_reason":"REASON"}]}`,
		[]string{"length"},
		nil,
		[]string{"stop"},
	},
	{
		"openai.responses", wire.SSE,
		events(`{"type":"response.created","response":{"status":"in_progress"}}`,
			`{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"%1"}`, `{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"%2"}`,
			`{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"%1%2"}`,
			`{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":"%1%2"}}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"message","status":"REASON","content":[{"type":"output_text","text":"%1%2"}]}}`,
			`{"type":"response.completed","response":{"status":"REASON","output":[{"type":"message","content":[{"type":"output_text","text":"%1%2"}]}]}}`),
		`{"object":"response","status":"REASON","output":[{"type":"message","content":[{"type":"output_text","text":"%"}]}]}`,
		[]string{"incomplete"},
		nil,
		[]string{"completed"},
	},
	{
		"anthropic.messages", wire.SSE,
		events(`{"type":"message_start","message":{"content":[],"stop_reason":null}}`, `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%1"}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%2"}}`,
			`{"type":"content_block_stop","index":0}`, `{"type":"message_delta","delta":{"stop_reason":"REASON"}}`, `{"type":"message_stop"}`),
		`{"type":"message","content":[{"type":"text","text":"%"}],"stop_reason":"REASON"}`,
		[]string{"max_tokens", "stop_sequence", "model_context_window_exceeded"},
		[]string{"end_turn", "tool_use"},
		nil,
	},
	{
		"anthropic.complete", wire.SSE,
		events(`{"type":"completion","completion":"%1","stop_reason":null}`, `{"type":"completion","completion":"%2","stop_reason":"REASON"}`),
		`{"completion":"%","stop_reason":"REASON"}`,
		[]string{"max_tokens", "stop_sequence"},
		nil, nil,
	},
	{
		"gemini", wire.SSE,
		events(`{"candidates":[{"content":{"parts":[{"text":"%1"}]}}]}`, `{"candidates":[{"content":{"parts":[{"text":"%2"}]},"finishReason":"REASON"}]}`),
		`{"candidates":[{"content":{"parts":[{"text":"%"}]},"finishReason":"REASON"}]}`,
		[]string{"MAX_TOKENS", "SAFETY"},
		nil,
		[]string{"STOP"},
	},
	{
		"bedrock.converse", wire.Lines,
		`{"contentBlockIndex":0,"delta":{"text":"%1"}}` + "\n" + `{"contentBlockIndex":0,"delta":{"text":"%2"}}` + "\n" + `{"contentBlockIndex":0}` + "\n" + `{"stopReason":"REASON"}` + "\n",
		`{"output":{"message":{"content":[{"text":"%"}]}},"stopReason":"REASON"}`,
		[]string{"max_tokens", "stop_sequence"},
		[]string{"end_turn"},
		nil,
	},
	{
		"bedrock.invoke", wire.Lines,
		`{"outputText":"%1","completionReason":null}` + "\n" + `{"outputText":"%2","completionReason":"REASON"}` + "\n",
		`{"results":[{"outputText":"%","completionReason":"REASON"}]}`,
		[]string{"LENGTH", "STOP_CRITERIA_MET"},
		nil,
		[]string{"FINISH"},
	},
	{
		"bedrock.invoke", wire.Lines,
		`{"generation":"%1","stop_reason":null}` + "\n" + `{"generation":"%2","stop_reason":"REASON"}` + "\n",
		`{"outputs":[{"text":"%","stop_reason":"REASON"}]}`,
		[]string{"length"},
		nil,
		[]string{"stop"},
	},
	{
		"bedrock.invoke", wire.Lines,
		`{"who":"%1","finish_reason":null}` + "\n" + `{"who":"%2","finish_reason":"REASON"}` + "\n",
		`{"completions":[{"data":{"text":"%"},"finishReason":{"reason":"REASON"}}]}`,
		[]string{"length"},
		[]string{"endoftext"},
		nil,
	},
	{
		"cohere.chat", wire.SSE,
		events(`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"%1"}}}}`, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"%2"}}}}`,
			`{"type":"content-end","index":0}`, `{"type":"message-end","delta":{"finish_reason":"REASON"}}`),
		`{"message":{"content":[{"type":"text","text":"%"}]},"finish_reason":"REASON"}`,
		[]string{"MAX_TOKENS", "STOP_SEQUENCE"},
		[]string{"TOOL_CALL"},
		[]string{"COMPLETE"},
	},
	{
		"cohere.v1", wire.Lines,
		`{"event_type":"text-generation","text":"%1"}` + "\n" + `{"event_type":"text-generation","text":"%2"}` + "\n" + `{"event_type":"stream-end","finish_reason":"REASON","response":{"text":"%1%2"}}` + "\n",
		`{"generations":[{"text":"%","finish_reason":"REASON"}]}`,
		[]string{"MAX_TOKENS"},
		nil,
		[]string{"COMPLETE"},
	},
	{
		"ollama.chat", wire.Lines,
		`{"message":{"content":"%1"},"done":false}` + "\n" + `{"message":{"content":"%2"},"done":false}` + "\n" + `{"message":{"content":""},"done":true,"done_reason":"REASON"}` + "\n",
		`{"message":{"content":"%"},"done":true,"done_reason":"REASON"}`,
		[]string{"length", ""},
		nil,
		[]string{"stop"},
	},
	{
		"ollama.generate", wire.Lines,
		`{"response":"%1","done":false}` + "\n" + `{"response":"%2","done":true,"done_reason":"REASON"}` + "\n",
		`{"response":"%","done":true,"done_reason":"REASON"}`,
		[]string{"length"},
		nil,
		[]string{"stop"},
	},
	{
		"llamacpp.completion", wire.SSE,
		events(`{"content":"%1","stop":false}`, `{"content":"%2","stop":false}`, `{"content":"","stop":true,"stop_type":"REASON"}`),
		`{"content":"%","stop":true,"stop_type":"REASON"}`,
		[]string{"limit", "word", "none"},
		[]string{"eos"},
		nil,
	},
	{
		"tgi", wire.SSE,
		events(`{"token":{"text":"%1"}}`, `{"token":{"text":"%2"},"generated_text":"%1%2","details":{"finish_reason":"REASON"}}`),
		`{"generated_text":"%","details":{"finish_reason":"REASON"}}`,
		[]string{"length", "stop_sequence"},
		[]string{"eos_token"},
		nil,
	},
	{
		"sglang.generate", wire.SSE,
		events(`{"text":"%1","meta_info":{"finish_reason":null}}`, `{"text":"%1%2","meta_info":{"finish_reason":{"type":"REASON"}}}`, `[DONE]`),
		`{"text":"%","meta_info":{"finish_reason":{"type":"REASON"}}}`,
		[]string{"length"},
		nil,
		[]string{"stop"},
	},
	{
		"generic", wire.SSE,
		events(`{"piece":"%1"}`, `{"piece":"%2"}`, `{"finish_reason":"REASON"}`),
		`{"piece":"%","stop_reason":"REASON"}`,
		[]string{"length"},
		[]string{"eos"},
		[]string{"stop"},
	},
	{
		"generate", wire.Lines, `{"text":["%1"]}` + "\n" + `{"text":["%1%2"]}` + "\n", `{"text":["%"]}`, []string{"it never says"}, nil, nil,
	},
	{
		"mistral.conversations", wire.SSE,
		events(`{"type":"message.output.delta","output_index":0,"content":"%1"}`, `{"type":"message.output.delta","output_index":0,"content":"%2"}`, `{"type":"conversation.response.done","usage":{}}`),
		`{"object":"conversation.response","outputs":[{"type":"message.output","content":"%"}]}`,
		[]string{"it never says"},
		nil, nil,
	},
}

// TestCutFamilies: in every family an answer that is cut off inside a word leaves without
// that word behind a mask and behind eight words of a record, streamed and in one piece. An
// answer that is not cut off keeps it.
func TestCutFamilies(t *testing.T) {
	t.Parallel()
	words := strings.Fields(recited)
	for _, f := range cutFormats {
		for _, text := range [][2]string{
			{"so " + strings.Join(words[:12], " ") + " ky", "zz"},
			{"so " + strings.Join(words[:8], " "), ".kyzz"},
		} {
			for _, decision := range []Decision{redacting, blocking} {
				run := func(reason string, stops, cut bool) {
					t.Helper()
					cfg := cutConfig(t, f.family, f.framing, decision)
					cfg.Request.Stops = stops
					body := strings.NewReplacer("%1", text[0], "%2", text[1], "REASON", reason).Replace(f.stream)
					got := relayed(cfg, body)
					for at := 1; at < len(body); at += 70 / raced.Fewer(10) {
						check(t, relayed(cfg, body, at), got, f.family, "cut at", at)
					}
					if strings.Contains(got.out, "ky") == cut && !(got.err != nil && !cut) {
						t.Errorf("%s, %s, %s: %s", f.family, decision, reason, got.out)
					}
					o, _ := whole(cfg, strings.NewReplacer("%", text[0]+text[1], "REASON", reason).Replace(f.whole))
					if strings.Contains(o.out, "kyzz") == cut && !(o.err != nil && !cut) {
						t.Errorf("%s, %s, %s, in one piece: %s", f.family, decision, reason, o.out)
					}
				}
				for _, reason := range f.cuts {
					run(reason, false, true)
				}
				for _, reason := range f.ends {
					run(reason, true, false)
				}
				for _, reason := range f.stops {
					run(reason, false, false)
					run(reason, true, true)
				}
			}
		}
	}
}

// TestCutEnds: how an answer ends is known from its own choice, sometimes later than its
// text, and sometimes never.
func TestCutEnds(t *testing.T) {
	t.Parallel()
	words := strings.Fields(recited)
	long, short := strings.Join(words[:12], " "), strings.Join(words[:8], " ")
	chat := func(deltas ...string) string {
		var out strings.Builder
		for _, d := range deltas {
			out.WriteString(events(d))
		}
		return out.String()
	}
	delta := func(choice, delta, reason string) string {
		return `{"choices":[{"index":` + choice + `,"delta":{` + delta + `},"finish_reason":` + reason + `}]}`
	}
	for _, tt := range []struct {
		name     string
		body     string
		withhold []string
		keep     []string
	}{
		{"the stream breaks off", chat(delta("0", `"content":"`+long+` kyzz"`, "null")), []string{"kyzz"}, nil},
		{"the stream is complete", chat(delta("0", `"content":"`+long+` kyzz"`, "null"), "[DONE]"), nil, []string{"kyzz"}},
		{"the stream tells of an error", chat(delta("0", `"content":"`+long+` kyzz"`, "null"), `{"error":{"message":"out of memory","code":500}}`, "[DONE]"), []string{"kyzz"}, nil},
		{"each choice for itself", chat(
			delta("0", `"content":"`+long+` kyzz"`, "null"), delta("1", `"content":"`+short+` oozz"`, "null"),
			delta("0", ``, `"length"`), delta("1", ``, `"stop"`), "[DONE]"), []string{"kyzz"}, []string{"oozz"}},
		{"the answer goes on in a call", chat(
			delta("0", `"content":"`+long+` kyzz"`, "null"), delta("0", `"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{\"a\":"}}]`, "null"),
			delta("0", `"tool_calls":[{"index":0,"function":{"arguments":"1"}}]`, "null"), delta("0", ``, `"length"`), "[DONE]"), nil, []string{"kyzz"}},
		{"thoughts go on in an answer", chat(
			delta("0", `"reasoning":"`+strings.Join(words[:5], " ")+`"`, "null"), delta("0", `"content":"`+strings.Join(words[5:8], " ")+` kyzz"`, "null"),
			delta("0", ``, `"length"`), "[DONE]"), []string{"kyzz"}, nil},
		{"a call goes on with a withheld text", chat(
			delta("0", `"content":"`+long+`"`, "null"), delta("0", `"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{\"street\":\"kyzz"}}]`, "null"),
			delta("0", ``, `"length"`), "[DONE]"), []string{"kyzz"}, nil},
		{"a call goes on with a text", chat(
			delta("0", `"content":"`+short+`"`, "null"), delta("0", `"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{\"street\":\"kyzz"}}]`, "null"),
			delta("0", ``, `"length"`), "[DONE]"), []string{"kyzz"}, nil},
		{"a call whose name comes between", chat(
			delta("0", `"content":"`+short+`"`, "null"), delta("0", `"tool_calls":[{"index":0,"function":{"name":"other","arguments":"{\"street\":\"so kyzz"}}]`, "null"),
			delta("0", ``, `"length"`), "[DONE]"), nil, []string{"kyzz"}},
	} {
		for _, decision := range []Decision{redacting, blocking} {
			cfg := cutConfig(t, "openai.chat", wire.SSE, decision)
			got := everySplit(t, cfg, tt.body)
			for _, w := range tt.withhold {
				if strings.Contains(got.out, w) {
					t.Errorf("%s, %s: %q left: %s", tt.name, decision, w, got.out)
				}
			}
			for _, w := range tt.keep {
				if got.err == nil && !strings.Contains(got.out, w) {
					t.Errorf("%s, %s: %q did not leave: %s", tt.name, decision, w, got.out)
				}
			}
		}
	}
}

// TestCutWaits: the end of a text that is close to a run waits until the answer says how it
// ended; the end of any other text does not.
func TestCutWaits(t *testing.T) {
	t.Parallel()
	words := strings.Fields(recited)
	for _, tt := range []struct {
		text  string
		waits bool
	}{
		{"a clean text and half a wo", false},
		{strings.Join(words[:7], " ") + " ho", false},
		{strings.Join(words[:8], " ") + " in", true},
		{strings.Join(words[:12], " ") + " mi", true},
		{strings.Join(words[:12], " ") + ". mi ", false},
	} {
		r := New(cutConfig(t, "anthropic.messages", wire.SSE, redacting))
		body := events(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+tt.text+`"}}`, `{"type":"content_block_stop","index":0}`)
		out, _ := r.Append(nil, []byte(body))
		if waits := !strings.Contains(string(out), "content_block_stop"); waits != tt.waits {
			t.Errorf("%q: waits %v", tt.text, waits)
		}
		out, _ = r.Append(out, []byte(events(`{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`)))
		if !strings.Contains(string(out), "end_turn") {
			t.Errorf("%q: its end does not leave: %s", tt.text, out)
		}
	}
}
