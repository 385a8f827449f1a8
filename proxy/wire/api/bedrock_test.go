package api

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"noecho/proxy/wire"
)

func TestBedrockLocate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		family  *wire.Family
		framing wire.Framing
		payload string
		want    string
	}{
		{"start", converse, wire.Events, `{"p":"abc","role":"assistant"}`, "begin 0 \n"},
		{"piece", converse, wire.Events, `{"contentBlockIndex":3,"delta":{"text":"a \u0062"},"p":"abc"}`, "begin 0 \ntext 0.3 content.text a b\n"},
		{"number behind", converse, wire.Events, `{"delta":{"toolUse":{"input":"{\"a"}},"contentBlockIndex":3}`, "begin 0 \ntext 0.3 content.#.input {\"a\n"},
		{"words as padding", converse, wire.Events, `{"contentBlockIndex":0,"delta":{"text":"a"},"p":"a b"}`, "begin 0 \ntext 0.0 content.text a\nmetadata 0.0 p a b\n"},
		{"thought", converse, wire.Events, `{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"t","signature":"c2ln"}}}`, "begin 0 \ntext 0.0 content.#.reasoning t\ndrop 0.0 -> \"\" \"c2ln\"\nmetadata 0.0 delta.reasoningContent.signature c2ln\n"},
		{"call", converse, wire.Events, `{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t_1","name":"look up"}}}`, "begin 0 \nmetadata 0.1 ids t_1\nmetadata 0.1 content.#.name look up\n"},
		{"result", converse, wire.Events, `{"contentBlockIndex":1,"delta":{"toolResult":[{"text":"r"},{"json":{"a":1}}]}}`, "begin 0 \ntext 0.1 content.#.result r\ntext 0.1 content.#.result {\"a\":1}\n"},
		{"citation", converse, wire.Events, `{"contentBlockIndex":1,"delta":{"citation":{"title":"T"}}}`, "begin 0 \ndrop message 0.1 {\"title\":\"T\"}\nmetadata 0.1 delta.citation.title T\n"},
		{"stop", converse, wire.Events, `{"contentBlockIndex":1}`, "begin 0 \n"},
		{"end", converse, wire.Events, `{"stopReason":"end_turn","additionalModelResponseFields":{"s":"x"}}`, "begin 0 \nend 0.0 \"end_turn\"\nmetadata 0.1 keys.# s\nmetadata 0.0 additionalModelResponseFields.s x\n"},
		{"trace", converse, wire.Events, `{"usage":{"inputTokens":1},"trace":{"guardrail":{"modelOutput":["o"]}}}`, "begin 0 \ndrop 0.0 -> {} {\"guardrail\":{\"modelOutput\":[\"o\"]}}\nmetadata 0.0 trace.guardrail.modelOutput.0 o\n"},
		{"exception", converse, wire.Events, `{"message":"m"}`, "begin 0 \nmetadata 0.0 message m\n"},
		{
			"whole",
			converse,
			wire.JSON,
			`{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"t"}}},{"text":"a"},{"toolUse":{"toolUseId":"t","name":"f","input":{"a":"b"}}},{"citationsContent":{"content":[{"text":"c"}],"citations":[]}},{"image":{"format":"png","source":{"bytes":"aGk="}}}]}},"stopReason":"end_turn"}`,
			"begin 0 \ntext 0.0 content.#.reasoning t\ntext 0.1 content.text a\nmetadata 0.2 ids t\nmetadata 0.2 content.#.name f\ntext 0.2 content.#.input {\"a\":\"b\"}\ntext 0.3 content.text c\ndrop 0.3 -> [] []\ndrop 0.4 -> \"\" \"aGk=\"\nend 0.0 \"end_turn\"\n",
		},

		{"Anthropic", invoke, wire.EventChunks, `{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"a"}}`, "begin 0 \ntext 0.2 content.text a\n"},
		{"Nova", invoke, wire.EventChunks, `{"contentBlockDelta":{"delta":{"text":"a"},"contentBlockIndex":2}}`, "begin 0 \ntext 0.2 content.text a\n"},
		{"Titan", invoke, wire.EventChunks, `{"outputText":"a","index":0,"completionReason":"FINISH"}`, "begin 0 \ntext 0.0 text a\nend 0.0 \"FINISH\"\n"},
		{"Llama", invoke, wire.EventChunks, `{"generation":"a","stop_reason":null}`, "begin 0 \ntext 0.0 text a\n"},
		{"Mistral", invoke, wire.EventChunks, `{"outputs":[{"text":"a","stop_reason":"stop"}]}`, "begin 0 \ntext 0.0 outputs.#.text a\nend 0.0 \"stop\"\n"},
		{"chat", invoke, wire.EventChunks, `{"id":"c","model":"m","choices":[{"index":1,"delta":{"content":"a","tool_calls":[{"index":2,"function":{"name":"f","arguments":"{"}}]}}]}`, "begin 0 \ntext 0.1 choices.#.content a\nmetadata 0.1 choices.#.tool_calls.#.name f\ntext 0.1 choices.#.tool_calls.#.arguments {\n"},
		{"nobody's", invoke, wire.EventChunks, `{"answer":{"words":"a"},"status":"s"}`, "begin 0 \nmetadata 0.1 keys.# words\ntext 0.0 answer.words a\nmetadata 0.0 status s\n"},
		{"guardrail", invoke, wire.EventChunks, `{"generation":"a","amazon-bedrock-guardrailAction":"NONE","amazon-bedrock-trace":{}}`, "begin 0 \ntext 0.0 text a\ndrop 0.0 -> {} {}\n"},
		{"vector", invoke, wire.JSON, `{"embedding":[` + strings.Repeat("1,", 999) + `0]}`, "begin 0 \ndrop 0.0 -> null [" + strings.Repeat("1,", 999) + "0]\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fields, err := wire.NewLocator(tt.family, tt.framing).Locate([]byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(tt.payload, fields); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestBedrockRequest(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:bedrock:us-east-1:12:inference-profile/us.model-v1:0"
	const escaped = "/base/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A12%3Ainference-profile%2Fus.model-v1%3A0/"
	for _, tt := range []struct {
		name   string
		family *wire.Family
		path   string
		body   string
		want   wire.Request
	}{
		{
			"converse",
			converse,
			"/model/anthropic.claude-v2:1/converse",
			`{"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"a"},{"text":"b"}]},{"role":"assistant","content":[{"text":"so "},{"text":"far"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"g"}}]},"promptVariables":{"v":{"text":"w"}}}`,
			wire.Request{Model: "anthropic.claude-v2:1", N: 1, Messages: texts("s", "a\nb", "so \nfar", "f\ng", "w"), Tail: []byte("so far")},
		},
		{"ARN", converse, escaped + "converse-stream", `{}`, wire.Request{Model: arn, Stream: true, N: 1}},
		{"schema", converse, "/model/m/converse", `{"outputConfig":{"textFormat":{"type":"json_schema"}}}`, wire.Request{Model: "m", N: 1, Schema: true}},
		{"invoke", invoke, "/model/amazon.titan/invoke", `{"inputText":"once","textGenerationConfig":{"stopSequences":["x"]}}`, wire.Request{Model: "amazon.titan", N: 1, Stops: true, Messages: texts("once", "x"), Tail: []byte("once")}},
		{"model in the body", invoke, escaped + "invoke-with-response-stream", `{"model":"other","stream":false,"prompt":"once"}`, wire.Request{Model: arn, Stream: true, N: 1, Messages: texts("once"), Tail: []byte("once")}},
		{
			"Anthropic",
			invoke,
			"/model/m/invoke", `{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"so far"}]}`,
			wire.Request{Model: "m", N: 1, Messages: texts("bedrock-2023-05-31", "a", "so far"), Tail: []byte("so far")},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.family.Request(tt.path, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.want.Schema {
				got.Messages = nil // the name of the kind
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
	for _, body := range []string{``, `[]`, `{"messages":1,"messages":2}`, `{} {}`} {
		for _, family := range []*wire.Family{converse, invoke} {
			if _, err := family.Request("/model/m/converse", []byte(body)); !errors.Is(err, wire.ErrRequest) {
				t.Errorf("%s %q: %v", family.Name, body, err)
			}
		}
	}
}

// TestBedrockEndings checks the messages that close a stream, after each number of
// messages that have left.
func TestBedrockEndings(t *testing.T) {
	t.Parallel()
	const zeros = `{"usage":{"inputTokens":0,"outputTokens":0,"totalTokens":0},"metrics":{"latencyMs":0}}`
	for name, tt := range map[string]struct {
		family *wire.Family
		sent   string
		want   []string
	}{
		"nothing":         {converse, "", []string{`{"role":"assistant"}`, `{"stopReason":"guardrail_intervened"}`, zeros}},
		"open block":      {converse, "{\"role\":\"assistant\"}\n{\"contentBlockIndex\":4,\"delta\":{}}\n", []string{`{"contentBlockIndex":4}`, `{"stopReason":"guardrail_intervened"}`, zeros}},
		"closed block":    {converse, "{\"role\":\"assistant\"}\n{\"contentBlockIndex\":0,\"start\":{}}\n{\"contentBlockIndex\":0}\n", []string{`{"stopReason":"guardrail_intervened"}`, zeros}},
		"stopped":         {converse, "{\"contentBlockIndex\":0,\"start\":{}}\n{\"contentBlockIndex\":0}\n{\"stopReason\":\"end_turn\"}\n", []string{zeros}},
		"ended":           {converse, "{\"stopReason\":\"end_turn\"}\n" + zeros, nil},
		"Nova":            {invoke, `{"contentBlockDelta":{"delta":{"text":"a"},"contentBlockIndex":1}}`, []string{`{"contentBlockStop":{"contentBlockIndex":1}}`, `{"messageStop":{"stopReason":"guardrail_intervened"}}`, `{"metadata":` + zeros + `}`}},
		"ping first":      {invoke, "{\"type\":\"ping\"}\n{\"type\":\"message_start\",\"message\":{}}\n", []string{`{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null},"usage":{"output_tokens":0}}`, `{"type":"message_stop"}`}},
		"nobody's":        {invoke, `{"a":"b"}`, []string{`{"message":"withheld: the answer would repeat training data"}`}},
		"nothing of them": {invoke, "", []string{`{"message":"withheld: the answer would repeat training data"}`}},
	} {
		framing := tt.family.Framing("application/vnd.amazon.eventstream", wire.Request{})
		out := ended(tt.family, framing, tt.sent, 0)
		framer := wire.NewFramer(framing, tt.family)
		var got []string
		for len(out) > 0 {
			n, _ := framer.Scan([]byte(out))
			m := framer.Parse([]byte(out[:n]))
			if m.Foreign {
				t.Fatalf("%s: %q", name, out)
			}
			got = append(got, string(m.Payload))
			out = out[n:]
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got  %q\nwant %q", name, got, tt.want)
		}
	}
}

func TestBedrockFailure(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		0: "ValidationException", 400: "ValidationException", 404: "ResourceNotFoundException", 408: "ModelTimeoutException",
		413: "ValidationException", 429: "ThrottlingException", 502: "ServiceUnavailableException", 503: "ServiceUnavailableException",
	} {
		for _, family := range []*wire.Family{converse, invoke} {
			if name, got := family.FailureHeader(wire.Failure{Status: status}); name != "x-amzn-errortype" || got != want {
				t.Errorf("%d: %s: %s, want %s", status, name, got, want)
			}
		}
	}
	if got := string(converse.Failure(nil, wire.Failure{Message: `a "b"`})); got != `{"message":"a \"b\""}` {
		t.Errorf("got %s", got)
	}
}

func TestBedrockAllocs(t *testing.T) { // not parallel: it counts allocations
	for name, tt := range map[string]struct {
		family  *wire.Family
		framing wire.Framing
		payload string
	}{
		"Converse": {converse, wire.Events, `{"contentBlockIndex":1,"delta":{"text":"Hi \u0041"},"p":"abcdefgh"}`},
		"Invoke":   {invoke, wire.EventChunks, `{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi \u0041"}}`},
		"nobody's": {invoke, wire.EventChunks, `{"answer":{"words":"a"},"status":"s"}`},
	} {
		l := wire.NewLocator(tt.family, tt.framing)
		payload := []byte(tt.payload)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := l.Locate(payload); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a message", name, n)
		}
	}
}

// FuzzBedrock: every request and message is read or refused, and the frames of an
// ending can be read.
func FuzzBedrock(f *testing.F) {
	f.Add("/model/a%3Ab/converse", []byte(`{"messages":[{"role":"user","content":[{"text":"a"}]}],"outputConfig":{"textFormat":7}}`))
	f.Add("/", []byte(`{"contentBlockIndex":1e9,"delta":{"text":"a"}}`))
	f.Add("model", []byte(`{"contentBlockDelta":{"contentBlockIndex":-1,"start":{}}}`))
	f.Add("%", []byte(`{"type":"message_start","outputs":[{"text":"a"}]}`))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		for _, family := range []*wire.Family{converse, invoke} {
			if _, err := family.Request(path, body); err != nil && !errors.Is(err, wire.ErrRequest) {
				t.Fatal(err)
			}
			framing := family.Framing("application/vnd.amazon.eventstream", wire.Request{})
			l := wire.NewLocator(family, framing)
			if _, err := l.Locate(body); err != nil {
				if !errors.Is(err, wire.ErrUnscannable) {
					t.Fatal(err)
				}
				continue // such a message never leaves
			}
			e := family.Ending()
			e.Sent(body)
			w := wire.Writer{Framer: wire.NewFramer(framing, family), Begun: true}
			e.Write(&w, []int32{0})
			for out := w.Out; len(out) > 0; {
				n, _ := w.Framer.Scan(out)
				m := w.Framer.Parse(out[:n])
				if _, err := l.Locate(m.Payload); err != nil || m.Foreign {
					t.Fatalf("%q became %q: %v", body, w.Out, err)
				}
				out = out[n:]
			}
		}
	})
}
