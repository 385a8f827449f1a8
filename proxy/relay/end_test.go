package relay

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"noecho/proxy/wire"
)

const refusedEvent = `data: {"error":{"message":"withheld: the answer cannot be scanned","type":"invalid_request_error","param":null,"code":"unscannable_content"}}` + "\n\n"

// filtered writes the chunk that ends a choice of a blocked stream.
func filtered(choice int) string {
	return fmt.Sprintf(`{"id":"c","created":7,"model":"m","choices":[{"index":%d,"delta":{},"logprobs":null,"finish_reason":"content_filter"}]}`, choice)
}

func TestRelayBlock(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		in, want string
		findings []string
	}{
		{
			"clean prefix, then the end",
			contents(`"so "`, `"alpha bravo charlie"`, `" delta"`, `" echo ok"`, `" never seen"`),
			stream(delta(0, `"content":"so "`), delta(0, `"content":""`), filtered(0), "[DONE]"),
			[]string{"blocked choices.0.content 3-33 5 words"},
		},
		{
			"the answer's end is in the message",
			stream(delta(0, `"content":"so "`), `{"id":"c","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"it alpha bravo charlie delta echo"},"logprobs":{"content":[]},"finish_reason":"stop"}]}`, "[DONE]"),
			stream(delta(0, `"content":"so "`), `{"id":"c","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"it "},"logprobs":null,"finish_reason":"content_filter"}]}`, "[DONE]"),
			[]string{"blocked choices.0.content 6-36 5 words"},
		},
		{
			"every open choice",
			stream(delta(2, `"content":"a b c d e f"`), delta(0, `"content":"a b c d e f"`), delta(1, `"content":"done"`), ends(1, "stop"),
				delta(0, `"content":" alpha bravo charlie delta echo ok"`), delta(2, `"content":" more"`)),
			stream(delta(2, `"content":"a b c d e f"`), delta(0, `"content":"a b c d e f"`), delta(1, `"content":"done"`), ends(1, "stop"),
				delta(0, `"content":" "`), filtered(0), filtered(2), "[DONE]"),
			[]string{"blocked choices.0.content 12-42 5 words"},
		},
		{
			"arguments",
			stream(delta(0, `"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{\"a\":1,\"alpha bravo"}}]`),
				delta(0, `"tool_calls":[{"index":0,"function":{"arguments":" charlie\":[\"delta echo\"]}"}}]`), ends(0, "tool_calls"), "[DONE]"),
			stream(delta(0, `"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{\"a\":1,\""}}]`), filtered(0), "[DONE]"),
			[]string{"blocked choices.0.tool_calls.0.arguments 8-41 5 words"},
		},
		{
			"object for arguments",
			stream(delta(0, `"tool_calls":[{"index":0,"function":{"arguments":{"a":"so alpha bravo charlie delta echo","b":[1,"c"]}}}]`), "[DONE]"),
			stream(delta(0, `"tool_calls":[{"index":0,"function":{"arguments":{"a":"so ","":[0,""]}}}]`), filtered(0), "[DONE]"),
			[]string{"blocked choices.0.tool_calls.0.arguments 9-39 5 words"},
		},
		{
			"at the end without a blank line",
			strings.TrimSuffix(stream(delta(0, `"content":"alpha bravo charlie delta echo"`)), "\n\n"),
			stream(delta(0, `"content":""`), filtered(0), "[DONE]"),
			[]string{"blocked choices.0.content 0-30 5 words"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Decision = blocking
			got := everySplit(t, cfg, tt.in)
			if !errors.Is(got.err, ErrBlocked) || !errors.Is(got.err, ErrEnded) || got.out != tt.want {
				t.Errorf("error %v\ngot\n%swant\n%s", got.err, got.out, tt.want)
			}
			if !slices.Equal(got.findings, tt.findings) {
				t.Errorf("findings = %q, want %q", got.findings, tt.findings)
			}
		})
	}
}

// TestRelayClean: a clean answer of any shape leaves byte for byte.
func TestRelayClean(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"spaces and order":   "data: { \"choices\" : [ { \"delta\" : { \"content\" : \"a\" } , \"index\" : 0 } ], \"n\": 1e3, \"big\": 12345678901234567890 }\n\ndata: [DONE]\n\n",
		"line ends":          ": ping\r\n\r\nevent: x\r\nid: 1\r\nretry: 5\r\ndata: {}\r\n\r\ndata:{\"a\":\"b\"}\r\rdata: [DONE]\n\n",
		"odd strings":        stream(delta(0, `"content":"\ud83d \uDE00 \u0000 \/ \u2028"`), "{\"x\":\"\xff\xc3\u2028\"}", "[DONE]"),
		"nulls and empties":  stream(`{"choices":null}`, `{"choices":[{"index":0,"delta":null}]}`, `{"choices":[{"delta":{"content":null,"tool_calls":[]}}]}`, `null`, `7`, `"x"`, `[]`, "[DONE]"),
		"no end":             "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a b\"}}]}",
		"byte order mark":    "\xEF\xBB\xBFdata: {\"a\":\"b\"}\n\n",
		"several data lines": "data: {\ndata:\"choices\":[{\"index\":0,\ndata:  \"delta\":{\"content\":\"alpha bravo\"}}]}\n\n",
		"short quotation":    contents(words("alpha bravo charlie delta and alpha bravo charlie delta")...),
		"arguments":          stream(delta(0, `"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"a\":\"\\u00e9 \\\\ \\\"\", "}}]`), delta(0, `"tool_calls":[{"index":0,"function":{"arguments":"\"n\": -1.5e3, \"t\": tru"}}]`), delta(0, `"tool_calls":[{"index":0,"function":{"arguments":"e}"}}]`), ends(0, "tool_calls"), "[DONE]"),
		"logprobs":           stream(`{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","bytes":[97],"top_logprobs":[{"token":"b"}]}],"refusal":null},"token_ids":[1]}],"prompt_token_ids":[2]}`, ends(0, "stop"), "[DONE]"),
		"comments only":      ": a\n\n: b\n\n\n\n",
		"nothing":            "",
	}
	for name, body := range bodies {
		for _, mode := range []Decision{redacting, blocking, observing} {
			t.Run(name+"/"+mode.String(), func(t *testing.T) {
				t.Parallel()
				cfg := testConfig(t)
				cfg.Decision = mode
				got := everySplit(t, cfg, body)
				if got.out != body || got.err != nil || len(got.findings) > 0 {
					t.Errorf("error %v, findings %q\ngot  %q\nwant %q", got.err, got.findings, got.out, body)
				}
				if got.counts.Scanned != int64(len(body)) {
					t.Errorf("counts = %+v", got.counts)
				}
			})
		}
	}
}

// TestRelayUnscannable: a message that cannot be scanned is refused, or passed and
// counted, and never both.
func TestRelayUnscannable(t *testing.T) {
	t.Parallel()
	first, last := stream(delta(0, `"content":"a b c d e f g h"`)), stream(delta(0, `"content":" i"`), "[DONE]")
	bad := map[string]string{
		"no JSON":          stream(`{"choices":[`),
		"error page":       stream(`<html>`),
		"twice":            stream(`{"choices":[{"index":0,"delta":{"content":"a","content":"b"}}]}`),
		"bad number":       stream(`{"choices":[{"index":-1,"delta":{"content":"a"}}]}`),
		"too deep":         stream(strings.Repeat("[", 100) + strings.Repeat("]", 100)),
		"half JSON a line": "data: {\ndata: x}\n\n",
	}
	for name, event := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := first + event + last
			cfg := testConfig(t)
			refused := everySplit(t, cfg, body)
			if !errors.Is(refused.err, ErrRefused) || !errors.Is(refused.err, ErrEnded) || !strings.HasSuffix(refused.out, refusedEvent) || strings.Contains(refused.out, "DONE") {
				t.Errorf("refuse: %v, %q", refused.err, refused.out)
			}
			if refused.counts.Passed != 0 || refused.counts.Refused < int64(len(last)) {
				t.Errorf("refuse: counts = %+v", refused.counts)
			}
			cfg.Pass = true
			passed := everySplit(t, cfg, body)
			if passed.err != nil || passed.out != body || passed.counts.Passed == 0 || passed.counts.Refused != 0 {
				t.Errorf("pass: %v, %+v, %q", passed.err, passed.counts, passed.out)
			}
			cfg.Decision = observing
			seen := everySplit(t, cfg, body)
			if seen.err != nil || seen.out != body || seen.counts != passed.counts {
				t.Errorf("observe: %v, %+v, %q", seen.err, seen.counts, seen.out)
			}
		})
	}
	t.Run("many channels", func(t *testing.T) {
		t.Parallel()
		var b strings.Builder
		for i := range 600 {
			b.WriteString(stream(delta(0, fmt.Sprintf(`"tool_calls":[{"index":%d,"function":{"arguments":"{}"}}]`, 7*i))))
		}
		got := relayed(testConfig(t), b.String())
		if !errors.Is(got.err, ErrRefused) {
			t.Errorf("error = %v", got.err)
		}
	})
	t.Run("many choices", func(t *testing.T) {
		t.Parallel()
		var b strings.Builder
		for i := range 300 {
			b.WriteString(stream(delta(i*1000, `"role":"assistant"`)))
		}
		got := relayed(testConfig(t), b.String())
		if !errors.Is(got.err, ErrRefused) {
			t.Errorf("error = %v", got.err)
		}
	})
}

// TestRelayTooLarge: a message beyond the limit is refused before it is read
// to its end, or passed on as it comes.
func TestRelayTooLarge(t *testing.T) {
	t.Parallel()
	chunk := strings.Repeat("x", 1<<20)
	for _, pass := range []bool{false, true} {
		cfg := testConfig(t)
		cfg.Pass = pass
		r := New(cfg)
		out, err := r.Append(nil, []byte(stream(delta(0, `"content":"a"`))+`data: {"x":"`))
		sent, received := 0, len(stream(delta(0, `"content":"a"`))+`data: {"x":"`)
		for sent < 40 && err == nil {
			out, err = r.Append(out[:0], []byte(chunk))
			sent++
			received += len(chunk)
		}
		if !pass {
			if !errors.Is(err, ErrRefused) || sent != wire.MaxMessage>>20 || !strings.HasSuffix(string(out), refusedEvent) {
				t.Errorf("refuse: %v after %d MiB", err, sent)
			}
		} else {
			tail := "\"}\n\n" + stream(delta(0, `"content":"b"`), "[DONE]")
			if out, err = r.Append(out[:0], []byte(tail)); err != nil {
				t.Fatal(err)
			}
			if out, err = r.Finish(out); err != nil || string(out) != tail {
				t.Errorf("pass: %v, %q", err, out)
			}
			received += len(tail)
			if len(r.queue.buf) > 0 || cap(r.queue.buf) > keepStorage {
				t.Errorf("pass: %d bytes of storage kept", cap(r.queue.buf))
			}
		}
		if c := r.Counts(); c.Scanned+c.Passed+c.Refused != int64(received) {
			t.Errorf("%v: %d bytes received, %+v", pass, received, c)
		}
	}
}

// TestRelayQueueFull: messages that wait behind an undecided one are bounded.
func TestRelayQueueFull(t *testing.T) {
	t.Parallel()
	ping := ": " + strings.Repeat(" ", 1<<20) + "\n\n"
	for _, pass := range []bool{false, true} {
		cfg := testConfig(t)
		cfg.Pass = pass
		r := New(cfg)
		out, err := r.Append(nil, []byte(stream(delta(0, `"content":"alpha"`))))
		if len(out) > 0 || err != nil {
			t.Fatalf("%q, %v", out, err)
		}
		n := 0
		for n < 20 && err == nil && len(out) == 0 {
			out, err = r.Append(out[:0], []byte(ping))
			n++
		}
		if n > 17 || !pass && !errors.Is(err, ErrRefused) || pass && (err != nil || len(out) < 1<<24) {
			t.Errorf("%v: %v, %d bytes out after %d MiB", pass, err, len(out), n)
		}
	}
}

// TestRelayAbort: when the upstream breaks, the words that waited leave as they would at
// the end of an answer, and the caller is told.
func TestRelayAbort(t *testing.T) {
	t.Parallel()
	body := stream(delta(0, `"content":"one two three four five six alpha bravo charlie delta echo"`)) + `data: {"cho`
	cfg := testConfig(t)
	var o outcome
	r := New(cfg)
	out, err := r.Append(nil, []byte(body))
	if err != nil || strings.Contains(string(out), "alpha") {
		t.Fatalf("%q, %v", out, err)
	}
	sent := len(out)
	out = r.Abort(out, FailUpstream)
	want := strings.Replace(stream(delta(0, `"content":"one two three four five six alpha bravo charlie delta echo"`)), "alpha bravo charlie delta echo", "[redacted]", 1) +
		`data: {"error":{"message":"the upstream broke off: the answer is not complete","type":"api_error","param":null,"code":"upstream_error"}}` + "\n\n"
	if string(out[sent:]) != want || string(r.Abort(out, FailUpstream)) != string(out) {
		t.Errorf("appended %q", out[sent:])
	}
	want = `data: {"error":{"message":"noecho is stopping: the answer is not complete, ask again","type":"api_error","param":null,"code":"proxy_stopping"}}` + "\n\n"
	if got := string(New(cfg).Abort(nil, FailStopping)); got != want {
		t.Errorf("stopping: %q", got)
	}
	if c := r.Counts(); c.Scanned+c.Refused != int64(len(body)) || c.Refused != int64(len(`data: {"cho`)) || c.Held != 0 {
		t.Errorf("counts = %+v", c)
	}
	if o.take(r); len(o.findings) != 1 {
		t.Errorf("findings = %q", o.findings)
	}
	cfg.Decision = observing
	r = New(cfg)
	out, _ = r.Append(nil, []byte(body))
	if got := string(r.Abort(out, FailUpstream)); got != body {
		t.Errorf("observe: %q", got)
	}
}

// TestRelayParking: a channel that falls silent makes no message wait, and one beside
// the answer never does.
func TestRelayParking(t *testing.T) {
	t.Parallel()
	content := []string{}
	for i := range 30 {
		content = append(content, stream(delta(0, fmt.Sprintf(`"content":" word%d"`, i))))
	}
	// firstOut is the number of content messages read before the first leaves.
	firstOut := func(before string) int {
		r := New(testConfig(t))
		out, err := r.Append(nil, []byte(before))
		for i, c := range content {
			if err != nil {
				t.Fatal(err)
			}
			if out, err = r.Append(out, []byte(c)); strings.Contains(string(out), "word0") {
				return i
			}
		}
		t.Fatal("nothing left")
		return 0
	}
	alone := firstOut("")
	var reasoning, provider strings.Builder
	for i := range 1000 {
		reasoning.WriteString(stream(delta(0, fmt.Sprintf(`"reasoning_content":" alpha%d"`, i))))
	}
	if got := firstOut(reasoning.String()); got != alone {
		t.Errorf("first content leaves after %d messages, behind reasoning after %d", alone, got)
	}
	for range 10 {
		provider.WriteString(stream(`{"provider":"alpha bravo","choices":[{"index":0,"delta":{"content":""},"native_finish_reason":"alpha"}]}`))
	}
	r := New(testConfig(t))
	if out, err := r.Append(nil, []byte(provider.String())); string(out) != provider.String() || err != nil {
		t.Errorf("messages without an answer's text were held: %d of %d bytes left, %v", len(out), provider.Len(), err)
	}
	for name, body := range map[string]string{
		"prompt logprobs": stream(`{"prompt_logprobs":[{"1":{"decoded_token":"alpha bravo"}}]}`),
		"a tool's name":   stream(delta(0, `"content":"alpha bravo"`), delta(0, `"tool_calls":[{"index":0,"function":{"name":"charlie","arguments":""}}]`)),
		"silent tokens":   stream(`{"choices":[{"index":0,"delta":{"content":"x. "},"logprobs":{"content":[{"token":"x alpha"}]}}]}`, delta(0, `"content":"one two three four five six "`), ends(0, "stop")),
	} {
		r := New(testConfig(t))
		if out, err := r.Append(nil, []byte(body)); string(out) != body || err != nil {
			t.Errorf("%s: held: %q, %v", name, out, err)
		}
	}
	r = New(testConfig(t))
	body := stream(delta(0, `"content":"alpha bravo"`), ends(0, "stop"))
	if out, err := r.Append(nil, []byte(body)); string(out) != body || err != nil {
		t.Errorf("the end of a choice did not end the wait: %q, %v", out, err)
	}
}

// TestRelayOrder: messages without a text wait for their turn and cost one item.
func TestRelayOrder(t *testing.T) {
	t.Parallel()
	head, pings := stream(delta(0, `"content":"alpha bravo"`)), strings.Repeat(": ping\n\n", 100)
	tail := stream(delta(0, `"content":" is short. "`), delta(0, `"content":"one two three four five six "`))
	r := New(testConfig(t))
	out, err := r.Append(nil, []byte(pings+head+pings+stream(`{"choices":[]}`)))
	if string(out) != pings || err != nil || r.Counts().Held != 2 {
		t.Errorf("%d bytes left, %v, %+v", len(out), err, r.Counts())
	}
	if out, err = r.Append(out, []byte(tail)); !strings.HasPrefix(string(out), pings+head+pings+stream(`{"choices":[]}`)) || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

// TestRelayResumes: a channel that was parked and goes on is still read as one text, and
// the rest of a span is redacted.
func TestRelayResumes(t *testing.T) {
	t.Parallel()
	body := stream(delta(0, `"reasoning":"so alpha bravo charlie"`), delta(0, `"content":"hm hm hm hm hm"`),
		delta(0, `"reasoning":" delta echo ok ok ok ok"`), delta(0, `"content":" hm"`), ends(0, "stop"), "[DONE]")
	want := strings.Replace(body, " delta echo ok", "[redacted] ok", 1)
	got := everySplit(t, testConfig(t), body)
	if strings.ReplaceAll(got.out, ` [redacted]`, `[redacted]`) != want {
		t.Errorf("got\n%swant\n%s", got.out, want)
	}
	if len(got.findings) != 1 || !strings.Contains(got.findings[0], "resumed") {
		t.Errorf("findings = %q", got.findings)
	}
}
