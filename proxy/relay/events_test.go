package relay

import (
	"errors"
	"strings"
	"testing"

	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// eventsConfig is a Converse stream.
func eventsConfig(t *testing.T, mode Decision) Config {
	t.Helper()
	cfg := testConfig(t)
	cfg.Family, cfg.Framing, cfg.Decision = api.ByName("bedrock.converse"), wire.Events, mode
	return cfg
}

// TestEventsBroken: a message whose text cannot be told for certain is refused with an
// exception that a client can read, or passed and counted where the route allows it.
func TestEventsBroken(t *testing.T) {
	t.Parallel()
	start := awsFrame("event", "messageStart", `{"role":"assistant"}`)
	said := awsFrame("event", "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"`+secret+`"}}`)
	flipped := func(at int) string {
		b := []byte(said)
		b[at] ^= 1
		return string(b)
	}
	refusal := awsFrame("exception", "validationException", `{"message":"`+failRefused.Message+`"}`)
	for name, tail := range map[string]string{
		"prelude":        flipped(9),
		"payload":        flipped(len(said) - 20),
		"sum":            flipped(len(said) - 1),
		"cut":            said[:len(said)-3],
		"cut in prelude": said[:7],
		"no JSON":        awsFrame("event", "contentBlockDelta", `{"delta":`),
		"words outside":  awsFrame("event", "some more words", `{}`),
		"not framed":     "data: {}\n\n" + said,
	} {
		for _, mode := range []Decision{redacting, blocking} {
			cfg := eventsConfig(t, mode)
			got := everySplit(t, cfg, start+tail)
			if got.out != start+refusal || !errors.Is(got.err, ErrRefused) || got.counts.Refused != int64(len(tail)) {
				t.Errorf("%s, %v: %q, %v, %+v", name, mode, got.out, got.err, got.counts)
			}
			cfg.Pass = true
			got = everySplit(t, cfg, start+tail)
			if got.out != start+tail || got.err != nil || got.counts.Passed != int64(len(tail)) {
				t.Errorf("%s, %v, pass: %q, %v, %+v", name, mode, got.out, got.err, got.counts)
			}
		}
	}
}

// TestEventsErrorText: the message of an error may be cut like any text.
func TestEventsErrorText(t *testing.T) {
	t.Parallel()
	frame := func(text string) string { // one header of an event, changed into that of an error
		return awsHeaders([][2]string{{":message-type", "error"}, {":error-code", "internal"}, {":error-message", text}}, "")
	}
	if got := everySplit(t, eventsConfig(t, redacting), frame("it broke: "+secret+", sorry")); got.out != frame("it broke: [redacted], sorry") || len(got.findings) != 1 {
		t.Errorf("%q, %q", got.out, got.findings)
	}
	if got := everySplit(t, eventsConfig(t, redacting), frame("it broke, sorry")); got.out != frame("it broke, sorry") {
		t.Errorf("%q", got.out)
	}
	if got := everySplit(t, eventsConfig(t, blocking), frame("it broke: "+secret)); strings.Contains(got.out, "golf") || !errors.Is(got.err, ErrBlocked) {
		t.Errorf("%q, %v", got.out, got.err)
	} else {
		awsEvents(t, []byte(got.out))
	}
}

// TestEventsSignature: the signature of a thought that was not cut stays, because the API
// wants it back; one that belongs to a cut text is dropped.
func TestEventsSignature(t *testing.T) {
	t.Parallel()
	block := func(n, thought, signature, citation string) string {
		return awsFrame("event", "contentBlockDelta", `{"contentBlockIndex":`+n+`,"delta":{"reasoningContent":{"text":"`+thought+`"}}}`) +
			awsFrame("event", "contentBlockDelta", `{"contentBlockIndex":`+n+`,"delta":{"reasoningContent":{"signature":"`+signature+`"}}}`) + citation
	}
	cited := awsFrame("event", "contentBlockDelta", `{"contentBlockIndex":1,"delta":{"citation":{"title":"x"}}}`)
	end := awsFrame("event", "messageStop", `{"stopReason":"end_turn"}`)
	in := block("0", "hm", "c2ln", "") + block("1", secret, "c2lo", cited) + block("2", "ah", "c2lp", "") + end
	want := block("0", "hm", "c2ln", "") + block("1", "[redacted]", "", "") + block("2", "ah", "c2lp", "") + end
	if got := everySplit(t, eventsConfig(t, redacting), in); got.out != want {
		t.Errorf("got  %q\nwant %q", got.out, want)
	}
}
