package api

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// FuzzFamilies: every family reads or refuses any body as a request, and as an answer
// in each framing that it may have. The size of reads makes no difference (binary
// frames have a target of their own), no byte is lost, the places of a message ascend,
// and an ending can be written after any messages.
func FuzzFamilies(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"prompt":["b",[1]],"n":2,"stream":true}`), uint16(3))
	f.Add([]byte("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n"), uint16(9))
	f.Add([]byte("{\"choices\":[{\"text\":\"a\",\"logprobs\":{\"top_logprobs\":[{\"a\":-1}]}}]}\r\n\n{\"done\":true}"), uint16(70))
	f.Add([]byte(`[{"candidates":[{"content":{"parts":[{"text":"a","thought":true}]},"groundingMetadata":{}}]},{"generated_text":"b"}]`), uint16(20))
	f.Fuzz(func(t *testing.T, body []byte, at uint16) {
		for _, family := range families {
			name := family.Name
			r, err := family.Request("/v1/models/m:streamGenerateContent", body)
			if err != nil && !errors.Is(err, wire.ErrRequest) {
				t.Fatalf("%s: %v", name, err)
			}
			if v := jsontext.Value(family.Failure(nil, wire.Failure{Message: string(body)})); !v.IsValid(jsontext.AllowInvalidUTF8(true)) {
				t.Fatalf("%s fails with %q", name, v)
			}
			for _, contentType := range []string{"application/json", "text/event-stream", "application/x-ndjson", "application/jsonl", "application/stream+json", "text/plain", "application/vnd.amazon.eventstream", ""} {
				answerOfAnyKind(t, family, family.Framing(contentType, r), body, min(int(at), len(body)))
			}
		}
	})
}

// answerOfAnyKind reads a body as one of a family's answers, once in one piece and once
// in two.
func answerOfAnyKind(t *testing.T, family *wire.Family, framing wire.Framing, body []byte, at int) {
	t.Helper()
	name := fmt.Sprintf("%s, framing %d", family.Name, framing)
	one := cutText(wire.NewFramer(framing, family), body)
	damaged := framing == wire.Events || framing == wire.EventChunks // the bytes behind damage are passed on read by read
	if two := cutText(wire.NewFramer(framing, family), body, at); !damaged && fmt.Sprintf("%q", one) != fmt.Sprintf("%q", two) {
		t.Fatalf("%s: %q and %q", name, one, two)
	}
	if !bytes.Equal(bytes.Join(one, nil), body) {
		t.Fatalf("%s: %q became %q", name, body, one)
	}
	framer, locator, ending := wire.NewFramer(framing, family), wire.NewLocator(family, framing), family.Ending()
	for _, raw := range one {
		m := framer.Parse(raw)
		payload := bytes.Clone(m.Payload)
		fields, err := locator.Locate(payload)
		if err != nil && !errors.Is(err, wire.ErrUnscannable) {
			t.Fatalf("%s: %v", name, err)
		}
		last := 0
		for _, p := range fields {
			if p.Lo < last || p.Hi < p.Lo || p.Hi > len(payload) {
				t.Fatalf("%s: %q: place %d to %d behind %d", name, payload, p.Lo, p.Hi, last)
			}
			last = p.Lo
		}
		ending.Sent(payload)
	}
	w := wire.Writer{Framer: wire.NewFramer(framing, family), Begun: true}
	ending.Write(&w, []int32{0, 3})
	family.StreamFailure(&w, wire.Failure{Message: "withheld", Code: "content_filter"})
	w.Close()
}

// cutText cuts a body into messages, in reads that end at the given offsets.
func cutText(f wire.Framer, body []byte, at ...int) [][]byte {
	var out [][]byte
	var message []byte
	from := 0
	for _, to := range append(at, len(body)) {
		for p := body[from:to]; len(p) > 0; {
			n, ends := f.Scan(p)
			message = append(message, p[:n]...)
			if p = p[n:]; ends {
				out, message = append(out, message), nil
			}
		}
		from = to
	}
	if len(message) > 0 {
		out = append(out, message)
	}
	return out
}
