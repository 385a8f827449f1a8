package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
)

// frameOf builds a frame by hand, from its headers in order.
func frameOf(headers, payload string) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(16+len(headers)+len(payload)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(headers)))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	out = append(append(out, headers...), payload...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}

const (
	eventHeaders     = "\x0b:event-type\x07\x00\x11contentBlockDelta\x0d:content-type\x07\x00\x10application/json\x0d:message-type\x07\x00\x05event"
	exceptionHeaders = "\x0f:exception-type\x07\x00\x13validationException\x0d:content-type\x07\x00\x10application/json\x0d:message-type\x07\x00\x09exception"
	chunkHeaders     = "\x0b:event-type\x07\x00\x05chunk\x0d:content-type\x07\x00\x10application/json\x0d:message-type\x07\x00\x05event"
	errorHeaders     = "\x0d:message-type\x07\x00\x05error\x0b:error-code\x07\x00\x05e_123\x0e:error-message\x07\x00\x0eit broke apart\x01x\x07\x00\x01y"
)

// TestEventGolden: frames follow the format, byte for byte.
func TestEventGolden(t *testing.T) {
	t.Parallel()
	const empty = "000000100000000005c248eb7d98c8ff" // neither headers nor payload
	if got := fmt.Sprintf("%x", frameOf("", "")); got != empty {
		t.Errorf("got %s", got)
	}
	got := newEventFramer(documents).appendMessage(nil, "contentBlockDelta", []byte(`{"delta":{"text":"a"}}`), false)
	if want := frameOf(eventHeaders, `{"delta":{"text":"a"}}`); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	got = newEventFramer(chunks).appendMessage(nil, "exception:validationException", []byte(`{"message":"m"}`), false)
	if want := frameOf(exceptionHeaders, `{"message":"m"}`); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	got = newEventFramer(chunks).appendMessage(nil, "whatever", []byte(`{"a":1}`), false)
	if want := frameOf(chunkHeaders, `{"bytes":"eyJhIjoxfQ=="}`); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

// events cuts a body as it arrives in pieces of the given size.
func events(f Framer, body []byte, size int) (out [][]byte, rest []byte) {
	for piece := range slices.Chunk(body, max(size, 1)) {
		for len(piece) > 0 {
			n, ends := f.Scan(piece)
			rest = append(rest, piece[:n]...)
			piece = piece[n:]
			if ends {
				out = append(out, rest)
				rest = nil
			}
		}
	}
	return out, rest
}

func TestEventFrames(t *testing.T) {
	t.Parallel()
	frames := [][]byte{
		frameOf("", ""),
		frameOf(eventHeaders, `{"delta":{"text":"a"}}`),
		frameOf(exceptionHeaders, `{"message":"m"}`),
		frameOf("\x01a\x00\x01b\x01\x01c\x02\x07\x01d\x03\x00\x07\x01e\x04\x00\x00\x00\x07\x01f\x05\x00\x00\x00\x00\x00\x00\x00\x07"+
			"\x01g\x06\x00\x00\x01h\x07\x00\x01x\x01i\x08\x00\x00\x00\x00\x00\x00\x00\x07\x01j\x090123456789abcdef", "{}"),
		frameOf(errorHeaders, ""),
	}
	body := bytes.Join(frames, nil)
	for size := 1; size <= len(body); size++ {
		got, rest := events(newEventFramer(documents), body, size)
		if !slices.EqualFunc(got, frames, bytes.Equal) || len(rest) > 0 {
			t.Fatalf("pieces of %d: %q, %q", size, got, rest)
		}
	}
	f := newEventFramer(documents)
	for i, raw := range frames {
		m := f.Parse(raw)
		want := []string{"", `{"delta":{"text":"a"}}`, `{"message":"m"}`, "{}", ""}[i]
		if m.Foreign || m.At != -1 || string(m.Payload) != want {
			t.Errorf("%q: %+v", raw, m)
		}
		if got := f.Rewrite(nil, raw, slices.Clone(m.Payload)); !bytes.Equal(got, raw) {
			t.Errorf("%q rewritten is %q", raw, got)
		}
	}
	if got, want := f.Rewrite(nil, frames[1], []byte(`{}`)), frameOf(eventHeaders, `{}`); !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestEventErrorText: the header with a message for people is read, and may be cut.
func TestEventErrorText(t *testing.T) {
	t.Parallel()
	f := newEventFramer(documents)
	raw := frameOf(errorHeaders, `{"a":1}`)
	m := f.Parse(raw)
	if len(m.Extras) != 1 || m.Foreign || string(raw[m.Extras[0].Lo:m.Extras[0].Hi]) != "it broke apart" {
		t.Fatalf("%+v", m)
	}
	lo, hi := m.Extras[0].Lo, m.Extras[0].Hi
	for _, with := range []string{"", "short", "fourteen bytes", strings.Repeat("long ", 20), strings.Repeat("longer ", 10000)} {
		cut := slices.Concat(raw[:lo], []byte(with), raw[hi:])
		got := f.Rewrite(nil, cut, []byte(`{"a":2}`))
		again := f.Parse(got)
		text := ""
		if len(again.Extras) == 1 {
			text = string(got[again.Extras[0].Lo:again.Extras[0].Hi])
		}
		if again.Foreign || string(again.Payload) != `{"a":2}` || text != with[:min(len(with), 65535)] {
			t.Errorf("%.20q: %+v, %.20q", with, again, text)
		}
		if headers, _, _ := bytes.Cut(got, []byte(`{"a":2}`)); !bytes.HasSuffix(headers, []byte("\x01x\x07\x00\x01y")) {
			t.Errorf("%.20q: %.200q", with, got)
		}
	}
}

// TestEventForeign: a frame that clients may read in different ways is foreign.
func TestEventForeign(t *testing.T) {
	t.Parallel()
	good := frameOf(eventHeaders, `{"delta":{"text":"a"}}`)
	flip := func(at int) []byte {
		b := slices.Clone(good)
		b[at] ^= 1
		return b
	}
	broken := map[string][]byte{
		"short":               good[:10],
		"cut":                 good[:len(good)-1],
		"longer":              append(slices.Clone(good), 0),
		"two":                 append(slices.Clone(good), good...),
		"header beyond":       frameOf("\x05:a", "{}"),
		"value beyond":        frameOf("\x01a\x07\x00\x09x", "{}"),
		"no length":           frameOf("\x01a\x07\x00", "{}"),
		"uuid cut":            frameOf("\x01a\x090123", ""),
		"unknown type":        frameOf("\x01a\x0a", "{}"),
		"no name":             frameOf("\x00\x00", "{}"),
		"name twice":          frameOf("\x01a\x00\x01a\x01", "{}"),
		"text in a name":      frameOf("\x0fsome more words\x00", "{}"),
		"text in a value":     frameOf("\x01a\x07\x00\x0fsome more words", "{}"),
		"text in the type":    frameOf("\x0b:event-type\x07\x00\x0fsome more words", "{}"),
		"text in bytes":       frameOf("\x01a\x06\x00\x0fsome more words", "{}"),
		"error text as bytes": frameOf("\x0e:error-message\x06\x00\x0fsome more words", "{}"),
		"many headers":        frameOf(manyHeaders(33), "{}"),
	}
	for i := range good {
		broken["flipped "+fmt.Sprint(i)] = flip(i)
	}
	for name, raw := range broken {
		if m := newEventFramer(documents).Parse(raw); !m.Foreign {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if m := newEventFramer(documents).Parse(frameOf(manyHeaders(32), "{}")); m.Foreign {
		t.Errorf("32 headers: %+v", m)
	}
	// A prelude that is none is known at once, however long it says it is.
	lying := slices.Clone(good)
	binary.BigEndian.PutUint32(lying, 0xFFFFFFFF)
	headers := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 20), 5)
	headers = binary.BigEndian.AppendUint32(headers, crc32.ChecksumIEEE(headers))
	for _, raw := range [][]byte{lying, append(headers, good...), []byte("data: {\"choices\":[]}\n\n")} {
		if got, _ := events(newEventFramer(documents), raw, len(raw)); len(got) != 2 || len(got[0]) != 12 {
			t.Errorf("%q: %q", raw, got)
		}
	}
}

func manyHeaders(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("\x02" + string([]byte{'a' + byte(i%26), 'a' + byte(i/26)}) + "\x00")
	}
	return b.String()
}

func TestEventChunks(t *testing.T) {
	t.Parallel()
	const document = `{"generation":" a"}`
	b64 := base64.StdEncoding.EncodeToString([]byte(document))
	f := newEventFramer(chunks)
	for name, tt := range map[string]struct{ payload, want string }{
		"bytes":             {`{"bytes":"` + b64 + `"}`, document},
		"padded":            {`{"bytes":"` + b64 + `","p":"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567"}`, document},
		"padding first":     {` {"p":"ab", "b\u0079tes" : "` + b64 + `"} `, document},
		"escaped":           {`{"bytes":"\u0065` + b64[1:] + `"}`, document},
		"empty":             {`{"bytes":""}`, ""},
		"exception":         {`{"message":"no"}`, `{"message":"no"}`},
		"no object":         {`["a"]`, `["a"]`},
		"no JSON":           {`{"bytes":"` + b64, `{"bytes":"` + b64},
		"twice":             {`{"bytes":"` + b64 + `","bytes":"` + b64 + `"}`, `{"bytes":"` + b64 + `","bytes":"` + b64 + `"}`}, // refused by every reader
		"two documents":     {`{"bytes":"` + b64 + `"}{}`, `{"bytes":"` + b64 + `"}{}`},
		"not base64":        {`{"bytes":"a b"}`, "foreign"},
		"base64 in lines":   {`{"bytes":"` + b64[:4] + `\n` + b64[4:] + `"}`, "foreign"},
		"no filling":        {`{"bytes":"` + strings.TrimRight(b64, "=") + `"}`, "foreign"},
		"bits left":         {`{"bytes":"eyJhIjoxfR=="}`, "foreign"},
		"URL alphabet":      {`{"bytes":"_-__"}`, "foreign"},
		"text beside":       {`{"bytes":"` + b64 + `","q":"x"}`, "foreign"},
		"text as padding":   {`{"bytes":"` + b64 + `","p":"some more words"}`, "foreign"},
		"number as padding": {`{"bytes":"` + b64 + `","p":7}`, "foreign"},
		"object beside":     {`{"bytes":"` + b64 + `","q":{"r":"x"}}`, "foreign"},
	} {
		raw := frameOf(chunkHeaders, tt.payload)
		m := f.Parse(raw)
		got := string(m.Payload)
		if m.Foreign {
			got = "foreign"
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
		if m.Foreign {
			continue
		}
		if got := f.Rewrite(nil, raw, []byte(tt.want)); !bytes.Equal(got, raw) {
			t.Errorf("%s: %q rewritten is %q", name, raw, got)
		}
	}
	raw := frameOf(chunkHeaders, `{"p":"ab", "bytes" : "`+b64+`"} `)
	if got, want := f.Rewrite(nil, raw, []byte(`{"a":1}`)), frameOf(chunkHeaders, `{"p":"ab", "bytes" : "eyJhIjoxfQ=="} `); !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestEventAllocations: a clean frame allocates nothing.
func TestEventAllocations(t *testing.T) { // not parallel: it counts allocations
	for name, tt := range map[string]struct {
		carries cargo
		raw     []byte
	}{
		"document": {documents, frameOf(eventHeaders, `{"contentBlockIndex":0,"delta":{"text":"a"},"p":"abc"}`)},
		"chunk":    {chunks, frameOf(chunkHeaders, `{"bytes":"eyJhIjoxfQ==","p":"abc"}`)},
	} {
		f := newEventFramer(tt.carries)
		f.Parse(tt.raw)
		if n := testing.AllocsPerRun(100, func() {
			if n, ends := f.Scan(tt.raw); n != len(tt.raw) || !ends {
				t.Error("not one frame")
			}
			if f.Parse(tt.raw).Foreign {
				t.Error("foreign")
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// FuzzEvents: the result does not depend on splits, no byte is lost, and a frame that was
// read can be written again.
func FuzzEvents(f *testing.F) {
	f.Add(bytes.Join([][]byte{frameOf(eventHeaders, `{"delta":{"text":"a"}}`), frameOf(chunkHeaders, `{"bytes":"eyJhIjoxfQ==","p":"a"}`), frameOf(errorHeaders, "")}, nil), uint8(3))
	f.Add(frameOf("\x01a\x06\x00\x01x\x01b\x09", "{}"), uint8(1))
	f.Add([]byte("data: {}\n\n"), uint8(2))
	f.Fuzz(func(t *testing.T, body []byte, size uint8) {
		one, tail := events(newEventFramer(documents), body, len(body))
		parsed := newEventFramer(documents)
		if got, rest := events(parsed, body, int(size)); parsed.state == eventFrames && (!slices.EqualFunc(got, one, bytes.Equal) || !bytes.Equal(rest, tail)) {
			t.Fatalf("%q and %q, %q and %q", got, rest, one, tail)
		}
		if got := append(bytes.Join(one, nil), tail...); !bytes.Equal(got, body) {
			t.Fatalf("%q of %q", got, body)
		}
		for _, carries := range []cargo{documents, chunks} {
			framer := newEventFramer(carries)
			for _, raw := range append(one, body) {
				m := framer.Parse(raw)
				for _, n := range m.Extras {
					if n.Lo < 12 || n.Hi > len(raw)-4 || n.Lo >= n.Hi {
						t.Fatalf("%q: metadata %+v", raw, n)
					}
				}
				if m.Foreign {
					continue
				}
				payload := slices.Clone(m.Payload)
				if got := framer.Rewrite(nil, raw, payload); !bytes.Equal(got, raw) {
					t.Fatalf("%q rewritten is %q", raw, got)
				}
				again := framer.Parse(framer.Rewrite(nil, raw, append(payload, ' ')))
				if again.Foreign || string(again.Payload) != string(payload)+" " {
					t.Fatalf("%q with a blank more is %+v", raw, again)
				}
			}
		}
	})
}
