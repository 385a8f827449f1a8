package relay

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
)

const (
	converseAsk       = `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`
	converseJSONAsk   = `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{}"}}}}}`
	eventStreamType   = "application/vnd.amazon.eventstream"
	conversePath      = "/model/anthropic.claude-v2%3A1/converse"
	converseStreaming = "/model/anthropic.claude-v2%3A1/converse-stream"
)

// awsFrame writes a frame as Bedrock does.
func awsFrame(kind, name, payload string) string {
	return awsHeaders([][2]string{{":" + kind + "-type", name}, {":content-type", "application/json"}, {":message-type", kind}}, payload)
}

// awsHeaders writes a frame with the given headers, all of them strings.
func awsHeaders(headers [][2]string, payload string) string {
	var h []byte
	for _, pair := range headers {
		h = append(append(h, byte(len(pair[0]))), pair[0]...)
		h = append(binary.BigEndian.AppendUint16(append(h, 7), uint16(len(pair[1]))), pair[1]...)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(16+len(h)+len(payload)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(h)))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	out = append(append(out, h...), payload...)
	return string(binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out)))
}

// awsEvent is one frame as a client reads it.
type awsEvent struct{ kind, name, payload string }

// awsEvents reads frames as strictly as the official clients: both sums count.
func awsEvents(t *testing.T, body []byte) []awsEvent {
	t.Helper()
	var out []awsEvent
	for len(body) > 0 {
		if len(body) < 16 || int(binary.BigEndian.Uint32(body)) > len(body) {
			t.Fatalf("%d bytes left: %q", len(body), body)
		}
		frame := body[:binary.BigEndian.Uint32(body)]
		body = body[len(frame):]
		end := len(frame) - 4
		if crc32.ChecksumIEEE(frame[:8]) != binary.BigEndian.Uint32(frame[8:]) || crc32.ChecksumIEEE(frame[:end]) != binary.BigEndian.Uint32(frame[end:]) {
			t.Fatalf("wrong sum in %q", frame)
		}
		h := frame[12 : 12+binary.BigEndian.Uint32(frame[4:])]
		e := awsEvent{payload: string(frame[12+len(h) : end])}
		for len(h) > 0 {
			name := string(h[1 : 1+h[0]])
			h = h[1+len(name):]
			value := string(h[3 : 3+binary.BigEndian.Uint16(h[1:])])
			h = h[3+len(value):]
			switch name {
			case ":message-type":
				e.kind = value
			case ":event-type", ":exception-type":
				e.name = value
			}
		}
		out = append(out, e)
	}
	return out
}

// conversed is a Converse answer as a client puts it together: the texts of its blocks.
type conversed struct {
	text, reasoning, signature, input, result, cited string
	stop                                             string
	trace, fields                                    json.RawMessage
}

// converseStream reads a stream of events, each of which has its place.
func converseStream(t *testing.T, events []awsEvent) *conversed {
	t.Helper()
	var c conversed
	open, stage := map[int]bool{}, ""
	for _, e := range events {
		var m struct {
			Role  string
			Block *int `json:"contentBlockIndex"`
			Delta struct {
				Text      string
				Reasoning struct{ Text, Signature string } `json:"reasoningContent"`
				Tool      struct{ Input string }           `json:"toolUse"`
				Result    []struct{ Text string }          `json:"toolResult"`
				Citation  struct {
					Source []struct{ Text string } `json:"sourceContent"`
				}
			}
			Stop   string          `json:"stopReason"`
			Fields json.RawMessage `json:"additionalModelResponseFields"`
			Usage  map[string]int
			Trace  json.RawMessage
		}
		if err := json.Unmarshal([]byte(e.payload), &m); err != nil {
			t.Fatalf("%v in %+v", err, e)
		}
		fail := func() { t.Fatalf("%+v is not due in %+v", e, events) }
		if e.kind != "event" {
			fail()
		}
		switch e.name {
		case "messageStart":
			if stage != "" || m.Role != "assistant" {
				fail()
			}
			stage = e.name
		case "contentBlockStart", "contentBlockDelta":
			if stage != "messageStart" || m.Block == nil {
				fail()
			}
			open[*m.Block] = true
			c.text += m.Delta.Text
			c.reasoning += m.Delta.Reasoning.Text
			c.signature += m.Delta.Reasoning.Signature
			c.input += m.Delta.Tool.Input
			for _, r := range m.Delta.Result {
				c.result += r.Text
			}
			for _, s := range m.Delta.Citation.Source {
				c.cited += s.Text
			}
		case "contentBlockStop":
			if m.Block == nil || !open[*m.Block] {
				fail()
			}
			delete(open, *m.Block)
		case "messageStop":
			if stage != "messageStart" || len(open) > 0 || m.Stop == "" {
				fail()
			}
			stage, c.stop, c.fields = e.name, m.Stop, m.Fields
		case "metadata":
			if stage != "messageStop" || m.Usage == nil {
				fail()
			}
			stage, c.trace = e.name, m.Trace
		default:
			fail()
		}
	}
	if stage != "metadata" {
		t.Fatalf("ends after %q: %+v", stage, events)
	}
	return &c
}

// converseMessage reads an answer in one piece.
func converseMessage(t *testing.T, body []byte) *conversed {
	t.Helper()
	var m struct {
		Output struct {
			Message struct {
				Content []struct {
					Text      string
					Reasoning struct {
						Text struct{ Text, Signature string } `json:"reasoningText"`
					} `json:"reasoningContent"`
					Tool struct {
						Input struct{ Text string }
					} `json:"toolUse"`
					Result struct {
						Content []struct {
							Text string
							JSON struct{ Text string }
						}
					} `json:"toolResult"`
					Cited struct {
						Content   []struct{ Text string }
						Citations []struct {
							Source []struct{ Text string } `json:"sourceContent"`
						}
					} `json:"citationsContent"`
				}
			}
		}
		Stop   string          `json:"stopReason"`
		Fields json.RawMessage `json:"additionalModelResponseFields"`
		Trace  json.RawMessage
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Stop == "" {
		t.Fatalf("%v in %s", err, body)
	}
	c := conversed{stop: m.Stop, fields: m.Fields, trace: m.Trace}
	for _, b := range m.Output.Message.Content {
		c.text += b.Text
		c.reasoning += b.Reasoning.Text.Text
		c.signature += b.Reasoning.Text.Signature
		c.input += b.Tool.Input.Text
		for _, r := range b.Result.Content {
			c.result += r.Text + r.JSON.Text
		}
		for _, r := range b.Cited.Content {
			c.text += r.Text
		}
		for _, r := range b.Cited.Citations {
			for _, s := range r.Source {
				c.cited += s.Text
			}
		}
	}
	return &c
}

// bedrockCases are the shapes of Bedrock's two APIs.
func bedrockCases() []apiCase {
	return slices.Concat(converseCases(), converseStreams(), invokeCases(), invokeStreams())
}

// converseCases are the shapes of an answer in one piece.
func converseCases() []apiCase {
	add := func(shape, content, rest string, text func(c *conversed) string) apiCase {
		return apiCase{
			api: "bedrock.converse", shape: shape, path: conversePath, ask: converseAsk, contentType: "application/json",
			body: func(pieces []string) []byte {
				said := string(mustJSON(strings.Join(pieces, "")))
				return []byte(`{"metrics":{"latencyMs":5},"output":{"message":{"content":[` + strings.ReplaceAll(content, "TEXT", said) +
					`],"role":"assistant"}},"stopReason":"end_turn",` + strings.ReplaceAll(rest, "TEXT", said) + `"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7}}`)
			},
			text: func(t *testing.T, body []byte) string { return text(converseMessage(t, body)) },
		}
	}
	text := func(c *conversed) string { return c.text }
	input := func(c *conversed) string { return c.input }
	schema := add("JSON as text", `{"text":TEXT}`, "", func(c *conversed) string { return plainJSON(c.text) })
	schema.ask = converseJSONAsk
	said := schema.body
	schema.body = func(pieces []string) []byte {
		return said([]string{`{"a":` + string(mustJSON(strings.Join(pieces, ""))) + `}`})
	}
	return []apiCase{
		add("text", `{"text":TEXT}`, "", text),
		schema,
		add("thinking", `{"reasoningContent":{"reasoningText":{"text":TEXT,"signature":"c2lnbmF0dXJl"}}},{"reasoningContent":{"redactedContent":"b3BhcXVl"}},{"text":"ok"}`, "",
			func(c *conversed) string { return c.reasoning }),
		add("tool input", `{"text":"ok"},{"toolUse":{"toolUseId":"tooluse_1","name":"look_up","input":{"text":TEXT,"n":4711}}}`, "", input),
		add("tool result", `{"toolResult":{"toolUseId":"t_1","status":"success","type":"web","content":[{"text":TEXT}]}}`, "", func(c *conversed) string { return c.result }),
		add("tool result as JSON", `{"toolResult":{"toolUseId":"t_1","content":[{"json":{"text":TEXT}}]}}`, "", func(c *conversed) string { return c.result }),
		add("citations", `{"citationsContent":{"content":[{"text":TEXT}],"citations":[{"title":"a b","sourceContent":[{"text":TEXT}],"location":{"documentChar":{"start":0,"end":9}}}]}},{"text":" "}`, "",
			func(c *conversed) string { return strings.TrimSuffix(c.text, " ") }),
		add("guardrail trace", `{"text":TEXT}`, `"trace":{"guardrail":{"modelOutput":[TEXT],"outputAssessments":{"g":[{"wordPolicy":{"customWords":[{"match":TEXT,"action":"NONE"}]}}]}}},`, text),
		add("additional fields", `{"text":"ok"}`, `"additionalModelResponseFields":{"a":[TEXT]},`, func(c *conversed) string {
			var f struct{ A []string }
			_ = json.Unmarshal(c.fields, &f)
			return strings.Join(f.A, "")
		}),
	}
}

// plainJSON is the text in {"a":"…"}.
func plainJSON(s string) string {
	var v struct{ A string }
	if json.Unmarshal([]byte(s), &v) != nil {
		return strings.TrimPrefix(s, `{"a":"`)
	}
	return v.A
}

// converseStreams are the streamed shapes. delta is a block's piece; before and
// behind stand other events.
func converseStreams() []apiCase {
	add := func(shape, delta, before, behind string, text func(c *conversed) string) apiCase {
		return apiCase{
			api: "bedrock.converse", shape: shape, path: converseStreaming, ask: converseAsk, contentType: eventStreamType,
			body: func(pieces []string) []byte {
				said := string(mustJSON(strings.Join(pieces, "")))
				out := awsFrame("event", "messageStart", `{"role":"assistant","p":"abcd"}`)
				for line := range strings.Lines(before) {
					name, payload, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
					out += awsFrame("event", name, payload)
				}
				for i, p := range pieces {
					out += awsFrame("event", "contentBlockDelta", `{"contentBlockIndex":1,"delta":`+strings.ReplaceAll(delta, "TEXT", string(mustJSON(p)))+`,"p":"`+"abcdefghijklmnop"[:i%16]+`"}`)
				}
				for line := range strings.Lines(behind) {
					name, payload, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
					out += awsFrame("event", name, strings.ReplaceAll(payload, "TEXT", said))
				}
				return []byte(out)
			},
			text: func(t *testing.T, body []byte) string { return text(converseStream(t, awsEvents(t, body))) },
			filtered: func(t *testing.T, body []byte) {
				if c := converseStream(t, awsEvents(t, body)); c.stop != "guardrail_intervened" {
					t.Errorf("stopReason = %q", c.stop)
				}
			},
		}
	}
	const stop = "contentBlockStop {\"contentBlockIndex\":1}\n"
	const end = "messageStop {\"stopReason\":\"end_turn\"}\nmetadata {\"usage\":{\"inputTokens\":3,\"outputTokens\":4,\"totalTokens\":7},\"metrics\":{\"latencyMs\":5}}\n"
	const first = "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\"I see\"}}}\ncontentBlockStop {\"contentBlockIndex\":0}\n"
	text := func(c *conversed) string { return c.text }
	arguments := add("tool input", `{"toolUse":{"input":TEXT}}`, first+`contentBlockStart {"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"tooluse_1","name":"look_up"}}}`+"\n", stop+end,
		func(c *conversed) string { return plainJSON(c.input) })
	said := arguments.body
	arguments.body = func(pieces []string) []byte { return said(jsonPieces(pieces)) }
	schema := add("JSON as text", `{"text":TEXT}`, "", stop+end, func(c *conversed) string { return plainJSON(c.text) })
	schema.ask = converseJSONAsk
	plain := schema.body
	schema.body = func(pieces []string) []byte { return plain(jsonPieces(pieces)) }
	return []apiCase{
		add("text", `{"text":TEXT}`, first, stop+end, text),
		schema,
		add("thinking", `{"reasoningContent":{"text":TEXT}}`, "", `contentBlockDelta {"contentBlockIndex":1,"delta":{"reasoningContent":{"signature":"c2lnbmF0dXJl"}}}`+"\n"+stop+
			`contentBlockDelta {"contentBlockIndex":2,"delta":{"reasoningContent":{"redactedContent":"b3BhcXVl"}}}`+"\n"+`contentBlockStop {"contentBlockIndex":2}`+"\n"+end, func(c *conversed) string { return c.reasoning }),
		arguments,
		add("tool result", `{"toolResult":[{"text":TEXT}]}`, `contentBlockStart {"contentBlockIndex":1,"start":{"toolResult":{"toolUseId":"t_1","type":"web","status":"success"}}}`+"\n", stop+end,
			func(c *conversed) string { return c.result }),
		add("citations", `{"text":TEXT}`, first, `contentBlockDelta {"contentBlockIndex":1,"delta":{"citation":{"title":"a b","sourceContent":[{"text":TEXT}],"location":{"documentChar":{"documentIndex":0,"start":0,"end":9}}}}}`+"\n"+stop+end, text),
		add("guardrail trace", `{"text":TEXT}`, first, stop+`messageStop {"stopReason":"end_turn"}`+"\n"+
			`metadata {"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7},"metrics":{"latencyMs":5},"trace":{"guardrail":{"modelOutput":[TEXT]}}}`+"\n", text),
		add("additional fields", `{"text":TEXT}`, first, stop+strings.Replace(end, `"end_turn"`, `"end_turn","additionalModelResponseFields":{"a":TEXT}`, 1), text),
	}
}

// jsonPieces is {"a":"…"} with the text of pieces, in pieces.
func jsonPieces(pieces []string) []string {
	out := []string{"", `{"a":"`}
	for _, p := range pieces {
		q := string(mustJSON(p))
		out = append(out, q[1:len(q)-1])
	}
	return append(out, `"}`)
}
