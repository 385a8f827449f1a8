package relay

// Failures of other guards, gateways and clients, each as a test of ours. The
// references are public: a project and the number of an issue or, marked PR, of
// a pull request.
//
//	BerriAI/litellm 41611                    TestLeakSplitOverChunks
//	api7/aisix 1106                          TestReasoningIsScanned
//	BerriAI/litellm 20027 PR                 TestNoChunkIsBlanked
//	praxis-proxy/ai 266, litellm 5231        TestParallelToolDeltas
//	NousResearch/hermes-agent 42846 PR       TestRedactionKeepsQuotes
//	api7/aisix 1008 PR                       TestUntouchedBytesStay
//	litellm 10686, Floway 481, sglang 26778  TestFinishReasonAndLogprobsStay
//	sgl-project/sglang 19611 PR              TestLogprobsBecomeNull
//	mnfst/llm-gateway 2053                   TestCommentsStayComments
//	llmgateway 2334, openai-python 2722,
//	openai-go 621 PR                         TestBlocksWithoutData
//	typescript-sdk 1926 PR                   TestLineSeparatorsInText
//	pydantic-ai 164, Portkey gateway 1629    TestChunksWithoutChoices
//	Kuberwastaken/claurst 214                TestBinaryFramesAtEveryByte
//	llama.cpp 22960 PR, 9router 2218         TestEndingsHaveRequiredMembers
//	BerriAI/litellm 35257                    TestMessagesStreamsAreScanned
//	BerriAI/litellm 38734                    TestResponsesStreamsAreScanned

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// leaking says the secret of the API tests through every case that want picks,
// in redact mode, and fails if a word of it comes through or none was picked.
func leaking(t *testing.T, split splitter, want func(c *apiCase) bool) {
	t.Helper()
	picked := 0
	for _, c := range apiCases() {
		if !want(&c) {
			continue
		}
		picked++
		got := c.judge(t, redacting, split, c.body(apiPieces(apiBefore+" "+apiSecret+apiAfter)))
		if len(got.findings) == 0 || got.counts.Scanned == 0 {
			t.Errorf("%s, %s: nothing found, %+v", c.api, c.shape, got.counts)
		}
		hidden(t, got.out)
	}
	if picked == 0 {
		t.Error("no API was asked")
	}
}

// TestEveryAPIBothWays: the large APIs are tested streamed and in one piece.
func TestEveryAPIBothWays(t *testing.T) {
	t.Parallel()
	ways := map[string]map[bool]bool{}
	for _, c := range apiCases() {
		if ways[c.api] == nil {
			ways[c.api] = map[bool]bool{}
		}
		ways[c.api][c.streamed(t)] = true
	}
	for _, api := range []string{"openai.chat", "openai.responses", "anthropic.messages", "gemini", "ollama.chat", "bedrock.converse", "cohere.chat", "generic"} {
		if len(ways[api]) != 2 {
			t.Errorf("%s is not tested streamed and in one piece", api)
		}
	}
}

func TestMessagesStreamsAreScanned(t *testing.T) {
	t.Parallel()
	leaking(t, tellingSplits, func(c *apiCase) bool { return c.api == "anthropic.messages" && c.streamed(t) })
}

func TestResponsesStreamsAreScanned(t *testing.T) {
	t.Parallel()
	leaking(t, tellingSplits, func(c *apiCase) bool { return c.api == "openai.responses" && c.streamed(t) })
}

func TestLeakSplitOverChunks(t *testing.T) {
	t.Parallel()
	for i := 1; i < len(secret); i++ {
		in := contents(string(mustJSON(secret[:i])), string(mustJSON(secret[i:])))
		if got := relayed(testConfig(t), in); strings.Contains(got.out, "charlie") || strings.Contains(got.out, "delta echo") || len(got.findings) != 1 {
			t.Errorf("cut at %d: %q in %s", i, got.findings, got.out)
		}
	}
}

func TestReasoningIsScanned(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"reasoning", "reasoning_content", "reasoning_text", "thinking_nobody_knows"} {
		in := stream(delta(0, fmt.Sprintf(`%q:%s`, name, mustJSON(secret))), delta(0, `"content":"fine"`), ends(0, "stop"), "[DONE]")
		if got := everySplit(t, testConfig(t), in); strings.Contains(got.out, "charlie") || len(got.findings) == 0 {
			t.Errorf("%s: %q in %s", name, got.findings, got.out)
		}
	}
	leaking(t, tellingSplits, func(c *apiCase) bool {
		return strings.Contains(c.shape, "thinking") || strings.Contains(c.shape, "reasoning") || strings.Contains(c.shape, "thought")
	})
}

func TestNoChunkIsBlanked(t *testing.T) {
	t.Parallel()
	var pieces []string
	for i := range 100 {
		pieces = append(pieces, string(mustJSON(fmt.Sprintf(" w%d", i))))
	}
	in := contents(pieces...)
	if got := relayed(testConfig(t), in); got.out != in {
		t.Errorf("%d bytes became %d", len(in), len(got.out))
	}
}

func TestParallelToolDeltas(t *testing.T) {
	t.Parallel()
	call := func(index int, piece string) string {
		return delta(0, fmt.Sprintf(`"tool_calls":[{"index":%d,"function":{"arguments":%s}}]`, index, mustJSON(piece)))
	}
	var payloads []string
	all := strings.SplitAfter(`{"a":"`+secret+`"}`, " ")
	for i, piece := range all {
		payloads = append(payloads, call(1, piece), call(0, []string{`{"b":"`, "x", "y", "z"}[min(i, 3)]))
	}
	in := stream(append(payloads, call(0, `"}`), ends(0, "tool_calls"), "[DONE]")...)
	got := everySplit(t, testConfig(t), in)
	arguments := map[int]string{}
	for event := range strings.SplitSeq(got.out, "\n\n") {
		var m struct {
			Choices []struct {
				Delta struct {
					Calls []struct {
						Index    int
						Function struct{ Arguments string }
					} `json:"tool_calls"`
				}
			}
		}
		if json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &m) != nil {
			continue
		}
		for _, c := range m.Choices {
			for _, call := range c.Delta.Calls {
				arguments[call.Index] += call.Function.Arguments
			}
		}
	}
	if !json.Valid([]byte(arguments[0])) || !strings.HasPrefix(arguments[0], `{"b":"xyz`) || !json.Valid([]byte(arguments[1])) || strings.Contains(arguments[1], "golf") || len(got.findings) == 0 {
		t.Errorf("%v, %q", arguments, got.findings)
	}
}

func TestRedactionKeepsQuotes(t *testing.T) {
	t.Parallel()
	for _, arguments := range []string{
		`{"a":"` + secret + `"}`, `{"a":"` + secret + `","b":1}`, `{"a":"` + secret + `\"","b":1}`,
		`{"a":"` + secret + `\\","b":1}`, `{"` + secret + `":[true,null]}`,
	} {
		in := stream(delta(0, `"tool_calls":[{"index":0,"function":{"arguments":`+string(mustJSON(arguments))+`}}]`), ends(0, "tool_calls"), "[DONE]")
		got := everySplit(t, testConfig(t), in)
		var m struct {
			Choices []struct {
				Delta struct {
					Calls []struct{ Function struct{ Arguments string } } `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(strings.SplitN(got.out, "\n\n", 2)[0], "data: ")), &m); err != nil {
			t.Fatal(err)
		}
		out := m.Choices[0].Delta.Calls[0].Function.Arguments
		if !json.Valid([]byte(out)) || strings.Contains(out, "charlie") || !strings.Contains(out, "[redacted]") {
			t.Errorf("%s became %s", arguments, out)
		}
	}
}

func TestUntouchedBytesStay(t *testing.T) {
	t.Parallel()
	const around = `{ "z":1.0e+02,"a" :123456789012345678901234567890, "s":"\u0041\/\ud83d","choices":[{"index":0, "message":{"content":%s,"refusal":null}}],"":[ ] }`
	got, _ := whole(testConfig(t), fmt.Sprintf(around, `"so `+secret+`\u002e"`))
	if want := fmt.Sprintf(around, `"so [redacted]\u002e"`); got.out != want {
		t.Errorf("got  %s\nwant %s", got.out, want)
	}
}

func TestFinishReasonAndLogprobsStay(t *testing.T) {
	t.Parallel()
	chunk := func(member, text string) string {
		return fmt.Sprintf(`{"choices":[{"index":0,"delta":{%q:%q},"logprobs":{"content":[{"token":%q,"logprob":-0.1,"bytes":[32],"top_logprobs":[]}]},"finish_reason":null}]}`, member, text, text)
	}
	in := stream(chunk("reasoning_content", " so"), chunk("reasoning_content", " it"), chunk("content", " is"), chunk("content", " fine"), ends(0, "length"), "[DONE]")
	if got := everySplit(t, testConfig(t), in); got.out != in {
		t.Errorf("%s", got.out)
	}
}

func TestLogprobsBecomeNull(t *testing.T) {
	t.Parallel()
	in := stream(`{"choices":[{"index":0,"delta":{"content":"`+secret+`"},"logprobs":{"content":[{"token":"`+secret+`","bytes":null}]}}]}`, ends(0, "stop"), "[DONE]")
	got := everySplit(t, testConfig(t), in)
	if !strings.Contains(got.out, `"logprobs":null`) || strings.Contains(got.out, "[]}") || strings.Contains(got.out, "charlie") {
		t.Errorf("%s", got.out)
	}
}

func TestCommentsStayComments(t *testing.T) {
	t.Parallel()
	in := ": OPENROUTER PROCESSING\n\n: ping\n\n" + contents(`"a"`, `" b"`)
	if got := everySplit(t, testConfig(t), in); got.out != in {
		t.Errorf("%s", got.out)
	}
	got := everySplit(t, testConfig(t), ": wait\n\n"+contents(words(secret)...))
	if !strings.HasPrefix(got.out, ": wait\n\ndata: {") || strings.Contains(got.out, "data: wait") {
		t.Errorf("%s", got.out)
	}
}

func TestBlocksWithoutData(t *testing.T) {
	t.Parallel()
	const blocks = "retry: 3000\n\nid: 7\n\n: x\n\nevent: ping\n\n"
	for _, mode := range []Decision{redacting, blocking} {
		cfg := testConfig(t)
		cfg.Decision = mode
		in := blocks + contents(`"a"`)
		if got := everySplit(t, cfg, in); got.out != in {
			t.Errorf("%v: %s", mode, got.out)
		}
		got := everySplit(t, cfg, blocks+contents(words(secret)...))
		if strings.Contains(got.out, "data: \n") || strings.Contains(got.out, "data:\n") || strings.Count(got.out, "id:") != 1 || strings.Count(got.out, "retry:") != 1 {
			t.Errorf("%v: %s", mode, got.out)
		}
	}
}

func TestLineSeparatorsInText(t *testing.T) {
	t.Parallel()
	in := contents(`"a\u2028b `+"\u2028 \u2029 \u0085"+`"`, `" `+secret+`"`, `" c`+"\u2028"+`d\u2029"`)
	got := everySplit(t, testConfig(t), in)
	want := strings.Replace(in, secret, "[redacted]", 1)
	if got.out != want {
		t.Errorf("got  %q\nwant %q", got.out, want)
	}
}

func TestChunksWithoutChoices(t *testing.T) {
	t.Parallel()
	first := `{"id":"","model":"","choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}`
	odd := `{"id":"","choices":[{"index":0,"finish_reason":null,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}},"content_filter_offsets":{"check_offset":44}}]}`
	usage := `{"id":"c","choices":[],"usage":{"total_tokens":3}}`
	in := stream(first, delta(0, `"content":"a"`), odd, ends(0, "stop"), usage, "[DONE]")
	if got := everySplit(t, testConfig(t), in); got.out != in {
		t.Errorf("%s", got.out)
	}
	cfg := testConfig(t)
	cfg.Decision = blocking
	got := everySplit(t, cfg, stream(first, odd, delta(0, `"content":"`+secret+`"`), usage, "[DONE]"))
	if !errors.Is(got.err, ErrBlocked) || !strings.Contains(got.out, `"finish_reason":"content_filter"`) || !strings.HasSuffix(got.out, "data: [DONE]\n\n") {
		t.Errorf("%v %s", got.err, got.out)
	}
}

func TestBinaryFramesAtEveryByte(t *testing.T) {
	t.Parallel()
	binary := func(c *apiCase) bool { return c.contentType == "application/vnd.amazon.eventstream" }
	leaking(t, everySplit, binary)
	for _, c := range apiCases() {
		if !binary(&c) {
			continue
		}
		clean := c.body(apiPieces(apiBefore + apiAfter))
		for _, at := range []int{0, 9, len(clean) / 2} { // a length, a checksum, somewhere
			broken := bytes.Clone(clean)
			broken[at] ^= 0x40
			if got := relayed(c.config(t, redacting), string(broken)); got.err == nil && got.counts.Scanned == int64(len(broken)) {
				t.Errorf("%s: a flipped bit at %d was not noticed", c.shape, at)
			}
		}
		return
	}
}

func TestEndingsHaveRequiredMembers(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Decision = blocking
	got := everySplit(t, cfg, stream(delta(0, `"content":"a"`), delta(1, `"content":"`+secret+`"`), "[DONE]"))
	for event := range strings.SplitSeq(strings.TrimSuffix(got.out, "\n\ndata: [DONE]\n\n"), "\n\n") {
		var m map[string]any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &m); err != nil {
			t.Fatalf("%v in %s", err, event)
		}
		for _, name := range []string{"id", "created", "model", "choices"} {
			if m[name] == nil {
				t.Errorf("no %s in %s", name, event)
			}
		}
		for _, c := range m["choices"].([]any) {
			if choice := c.(map[string]any); choice["index"] == nil || choice["delta"] == nil {
				t.Errorf("no index or delta in %s", event)
			}
		}
	}
	for _, c := range apiCases() {
		if c.api == "anthropic.messages" && c.streamed(t) {
			blocked := c.judge(t, blocking, tellingSplits, c.body(apiPieces(apiBefore+" "+apiSecret+apiAfter)))
			c.text(t, []byte(blocked.out)) // fails if the API does not allow it
		}
	}
}
