package wire_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// templateFamilies are families with messages of every shape.
var templateFamilies = []string{
	"openai.chat", "openai.completions", "openai.responses", "anthropic.messages", "gemini", "cohere.chat", "ollama.chat",
	"llamacpp.completion", "bedrock.converse", "generic", "mistral.conversations", "tgi",
}

// templatePair is a locator that may know a message again, and one that reads each message
// anew, because white space behind makes each too long for a template.
type templatePair struct {
	family      *wire.Family
	quick, slow *wire.Locator
	before      []byte // the last message, and its places
	fields      []wire.Field
}

func newTemplatePair(t *testing.T, name string) *templatePair {
	t.Helper()
	family := api.ByName(name)
	if family == nil {
		t.Fatalf("no family %s", name)
	}
	return &templatePair{family: family, quick: wire.NewLocator(family, wire.SSE), slow: wire.NewLocator(family, wire.SSE)}
}

// locate fails if the two locators find other places in a message.
func (p *templatePair) locate(t *testing.T, payload []byte) {
	t.Helper()
	long := append(slices.Clone(payload), strings.Repeat(" ", 9<<10)...)
	got, err := p.quick.Locate(payload)
	want, wantErr := p.slow.Locate(long)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("%s: %q: %v, read anew: %v", p.family.Name, payload, err, wantErr)
	}
	p.compare(t, payload, want, err)
	p.before, p.fields = slices.Clone(payload), slices.Clone(got)
	for i := range got {
		p.fields[i].Open = false
	}
	if err == nil && !slices.Equal(p.fields, want) {
		t.Fatalf("%s: %q:\n%v\nread anew:\n%v", p.family.Name, payload, got, want)
	}
	copy(p.fields, got)
	p.quick.Release()
	p.slow.Release()
}

// compare fails if the last message has an open text, this one differs from it in that text
// only, and its places are not those of that one, moved.
func (p *templatePair) compare(t *testing.T, payload []byte, want []wire.Field, err error) {
	t.Helper()
	for _, open := range p.fields {
		lo, moved := open.Lo+1, len(payload)-len(p.before)
		hi := open.Hi - 1 + moved
		if !open.Open || hi <= lo || !bytes.Equal(payload[:lo], p.before[:lo]) || !bytes.Equal(payload[hi:], p.before[hi-moved:]) ||
			bytes.ContainsFunc(payload[lo:hi], func(c rune) bool { return c < ' ' || c == '"' || c == '\\' }) {
			continue
		}
		fields := slices.Clone(p.fields)
		for i := range fields {
			f := &fields[i]
			if f.Open = false; f.Lo > lo {
				f.Lo += moved
			}
			if f.Hi > lo {
				f.Hi += moved
			}
		}
		if err != nil || !slices.Equal(fields, want) {
			t.Fatalf("%s: %q, then %q:\n%v\nread: %v\n%v", p.family.Name, p.before, payload, fields, err, want)
		}
	}
}

// values returns the places of the strings and numbers of a message, names included.
func values(payload []byte) (places [][2]int) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(payload), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	for {
		kind := dec.PeekKind()
		if kind != '"' && kind != '0' {
			if _, err := dec.ReadToken(); err != nil {
				return places
			}
			continue
		}
		v, err := dec.ReadValue()
		if err != nil {
			return places
		}
		hi := int(dec.InputOffset())
		lo := hi - len(v)
		if kind == '"' {
			lo, hi = lo+1, hi-1
		}
		places = append(places, [2]int{lo, hi})
	}
}

// changed returns a message with other bytes in the place of one value.
func changed(payload []byte, place [2]int, with string) []byte {
	return slices.Concat(payload[:place[0]], []byte(with), payload[place[1]:])
}

// templateTexts are contents that a value of the next message may have.
var templateTexts = []string{
	"", "a", "a word", `\n`, `\"`, `"`, `\u00e9`, `\ud83d\ude00`, `\ud83d`, `\u12`, `\x`, `\`, "\x00", "\n", "\xff", "é", `","content":"b`,
	"7", "0", "00", "12345678", "123456789", "1234567890", "4111111111111111", "-1", "1.5", "1e3", "stop", "true", "response.completed",
	"message_start", strings.Repeat("i", 64), strings.Repeat("i", 65), strings.Repeat("w ", 4200),
}

// templateMessages are messages of streams.
var templateMessages = []string{
	`{"id":"c1","object":"chat.completion.chunk","created":1790000000,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"xyz"}`,
	`{"choices":[{"index":1,"delta":{"tool_calls":[{"index":2,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a"}}]}}]}`,
	`{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-0.1,"bytes":[97],"top_logprobs":[{"token":"b","bytes":[98]}]}]},"finish_reason":"stop"}]}`,
	`{"choices":[{"index":0,"text":"a","logprobs":{"tokens":["a"],"top_logprobs":[{"a":-1}]}}]}`,
	`{"content_index":0,"delta":" word","item_id":"msg_1","logprobs":[],"output_index":0,"sequence_number":7,"type":"response.output_text.delta"}`,
	`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word"}}`,
	`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}`,
	`{"candidates":[{"content":{"parts":[{"text":" word","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"totalTokenCount":9},"modelVersion":"x"}`,
	`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" word"}}}}`,
	`{"index":0,"content":" word","tokens":[7],"stop":false,"id_slot":0,"tokens_predicted":3}`,
	`{"model":"m","created_at":"2026-01-02T03:04:05.123456Z","message":{"role":"assistant","content":" word"},"done":false}`,
	`{"contentBlockIndex":0,"delta":{"text":"a"},"p":"abcd"}`,
	`{"token":{"id":7,"text":" word","logprob":-1,"special":false},"generated_text":null,"details":null,"index":3}`,
	`{"x":{"own name":"a","another":{"third":[1,2,"b"]}},"error":{"message":"it","code":"c"}}`,
	`["a",{"b":"c"}]`, `"a"`, `7`, "[DONE]", `{"x":`,
}

// TestTemplate: a message that is known again has the places that it has when it is read.
func TestTemplate(t *testing.T) {
	t.Parallel()
	for _, name := range templateFamilies {
		p := newTemplatePair(t, name)
		for _, message := range templateMessages {
			payload := []byte(message)
			p.locate(t, payload)
			for i, place := range values(payload) {
				for j, with := range templateTexts {
					if testing.Short() && (i+j)%4 != 0 {
						continue
					}
					p.locate(t, changed(payload, place, with))
					if j%3 != 0 {
						continue
					}
					p.locate(t, payload)
					p.locate(t, []byte(templateMessages[(i+j)%len(templateMessages)]))
					p.locate(t, payload)
				}
			}
		}
	}
}

// TestTemplateStorage: no content of a message is kept, and no large message.
func TestTemplateStorage(t *testing.T) {
	t.Parallel()
	p := newTemplatePair(t, "openai.chat")
	for _, n := range []int{1, 100, 8 << 10, 1 << 20} {
		p.locate(t, fmt.Appendf(nil, `{"choices":[{"index":0,"delta":{"content":%q}}]}`, strings.Repeat("a", n)))
		p.locate(t, []byte(`{"choices":[{"index":0,"delta":{"content":"b"}}]}`))
	}
}

// FuzzTemplate: the same for any messages and contents.
func FuzzTemplate(f *testing.F) {
	for i, message := range templateMessages {
		for j, with := range templateTexts {
			if (i+j)%7 == 0 && len(with) < 100 {
				f.Add([]byte(message), with, templateMessages[(i+j)%len(templateMessages)], uint8(j), uint8(i))
			}
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte, with, other string, nth, family uint8) {
		p := newTemplatePair(t, templateFamilies[int(family)%len(templateFamilies)])
		p.locate(t, payload)
		all := values(payload)
		for i := range all {
			place := all[(int(nth)+i)%len(all)]
			p.locate(t, changed(payload, place, with))
			p.locate(t, changed(payload, place, "w"))
			if i == 3 {
				break
			}
		}
		p.locate(t, []byte(other))
		p.locate(t, payload)
	})
}
