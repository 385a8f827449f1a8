package relay

import (
	"fmt"
	"testing"

	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// benchStream is the stream of a family in the middle of an answer: one message that
// says a word.
type benchStream struct {
	api         string
	contentType string
	path        string
	message     string // %d is part of the word
}

var benchStreams = []benchStream{
	{"openai.chat", "text/event-stream", "", stream(`{"id":"chatcmpl-9f1c2b7e4d5a4c0f8e6b3a2d1c0f9e8d","object":"chat.completion.chunk","created":1790000000,"model":"support-assistant-v3-8b-instruct","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}],"service_tier":"x"}`)},
	{"openai.responses", "text/event-stream", "", "event: response.output_text.delta\ndata: " + `{"content_index":0,"delta":" word%d","item_id":"msg_9f1c2b7e4d5a4c0f","logprobs":[],"output_index":0,"sequence_number":7,"type":"response.output_text.delta"}` + "\n\n"},
	{"anthropic.messages", "text/event-stream", "", "event: content_block_delta\ndata: " + `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word%d"}}` + "\n\n"},
	{"gemini", "text/event-stream", "/v1beta/models/m:streamGenerateContent", stream(`{"candidates":[{"content":{"parts":[{"text":" word%d"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":7,"totalTokenCount":9},"modelVersion":"gemini-x"}`)},
	{"cohere.chat", "text/event-stream", "", "event: content-delta\ndata: " + `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" word%d"}}}}` + "\n\n"},
	{"llamacpp.completion", "text/event-stream", "", stream(`{"index":0,"content":" word%d","tokens":[7],"stop":false,"id_slot":0,"tokens_predicted":3,"tokens_evaluated":4}`)},
	{"ollama.chat", "application/x-ndjson", "", `{"model":"m","created_at":"2026-01-02T03:04:05.123456Z","message":{"role":"assistant","content":" word%d"},"done":false}` + "\n"},
}

func (s benchStream) relay(t testing.TB, mode Decision) *Relay {
	cfg := testConfig(t)
	family := api.ByName(s.api)
	if family == nil {
		t.Fatalf("no family %s", s.api)
	}
	cfg.Decision, cfg.Family = mode, family
	cfg.Framing = family.Framing(s.contentType, wire.Request{Stream: true})
	return New(cfg)
}

// TestRelayAllocs: a clean message of a stream allocates nothing.
func TestRelayAllocs(t *testing.T) {
	for _, s := range benchStreams {
		for _, mode := range []Decision{redacting, blocking, observing} {
			t.Run(s.api+"/"+mode.String(), func(t *testing.T) { testAllocs(t, s, s.relay(t, mode)) })
		}
	}
}

func testAllocs(t *testing.T, s benchStream, r *Relay) {
	t.Helper()
	var events [][]byte
	for i := range 64 {
		events = append(events, fmt.Appendf(nil, s.message, i))
	}
	out := make([]byte, 0, 1<<20)
	i := 0
	next := func() {
		var err error
		if out, err = r.Append(out[:0], events[i%len(events)]); err != nil {
			t.Fatal(err)
		}
		i++
	}
	for range 256 {
		next()
	}
	if n := testing.AllocsPerRun(1000, next); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func BenchmarkRelay(b *testing.B) {
	for _, s := range benchStreams {
		for _, mode := range []Decision{redacting, blocking, observing} {
			b.Run("api="+s.api+"/mode="+mode.String(), func(b *testing.B) {
				r := s.relay(b, mode)
				p := fmt.Appendf(nil, s.message, 1234)
				out := make([]byte, 0, 1<<16)
				b.SetBytes(int64(len(p)))
				b.ReportAllocs()
				for b.Loop() {
					out, _ = r.Append(out[:0], p)
				}
			})
		}
	}
}
