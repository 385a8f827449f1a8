package proxy

import (
	"fmt"
	"testing"

	"noecho/proxy/config"
)

// event is one event of about 290 bytes, as vLLM and OpenAI send them.
func event(i int) string {
	return stream(fmt.Sprintf(`{"id":"chatcmpl-9f1c2b7e4d5a4c0f8e6b3a2d1c0f9e8d","object":"chat.completion.chunk","created":1790000000,"model":"support-assistant-v3-8b-instruct","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}],"service_tier":"x"}`, i))
}

// TestRelayAllocs: a clean message of a stream allocates nothing.
func TestRelayAllocs(t *testing.T) {
	for _, mode := range []config.Mode{config.Redact, config.Block, config.Observe} {
		cfg := testConfig(t)
		cfg.Mode = mode
		r := newRelay(cfg)
		var events [][]byte
		for i := range 64 {
			events = append(events, []byte(event(i)))
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
			t.Errorf("%v: %v allocations a message", mode, n)
		}
	}
}

func BenchmarkRelay(b *testing.B) {
	for _, mode := range []config.Mode{config.Redact, config.Observe} {
		b.Run("event=290B/mode="+mode.String(), func(b *testing.B) {
			cfg := testConfig(b)
			cfg.Mode = mode
			r := newRelay(cfg)
			p := []byte(event(1234))
			out := make([]byte, 0, 1<<16)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				out, _ = r.Append(out[:0], p)
			}
		})
	}
}
