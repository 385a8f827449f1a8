package relay

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"noecho/detect"
)

// alikeStream returns a stream of messages that are like the ones before, with others in
// between, and with findings.
func alikeStream(rnd *rand.Rand) string {
	said := strings.Fields(strings.Repeat("some other words and more of them ", 1+rnd.IntN(3)) + secret + " and on " + secret)
	var payloads []string
	choice := 0
	for len(said) > 0 {
		n := 1 + rnd.IntN(min(3, len(said)))
		piece := string(mustJSON(strings.Join(said[:n], " ") + " "))
		said = said[n:]
		switch rnd.IntN(12) {
		case 0:
			piece = strings.Replace(piece, "e", `\u0065`, 1)
		case 1:
			payloads = append(payloads, delta(choice, `"content":""`), delta(choice, `"role":"assistant"`))
		case 2:
			payloads = append(payloads, delta(choice, `"content":`+piece+`,"name":"some name"`))
			continue
		case 3:
			payloads = append(payloads, delta(choice, `"tool_calls":[{"index":0,"function":{"arguments":`+piece+`}}]`))
			continue
		case 4:
			choice = rnd.IntN(2)
		case 5:
			payloads = append(payloads, delta(choice, `"reasoning_content":`+piece))
		}
		payloads = append(payloads, delta(choice, `"content":`+piece))
	}
	switch rnd.IntN(6) {
	case 0:
		payloads = append(payloads, `{"broken":`)
	case 1:
		payloads = append(payloads, `{"error":{"message":"it failed"}}`)
	}
	return stream(append(payloads, ends(0, "stop"), "[DONE]")...)
}

// TestAlike: messages that are read as ones like the last one leave as others do, with the same
// findings. Line ends of two bytes make a relay read each message by itself.
func TestAlike(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(7, 7))
	for i := range 120 {
		body := alikeStream(rnd)
		for _, mode := range []Decision{redacting, blocking, observing} {
			cfg := testConfig(t)
			cfg.Decision, cfg.Late, cfg.Pass = mode, mode.Block && i%2 == 0, i%3 == 0
			if i%5 == 0 {
				cfg.Detect.Lanes, cfg.Detect.Release = detect.AllLanes, detect.Strict
			}
			got, want := relayed(cfg, body, randomCuts(rnd, len(body))...), relayed(cfg, strings.ReplaceAll(body, "\n", "\r\n"))
			if got.out = strings.ReplaceAll(got.out, "\r", ""); got.out != strings.ReplaceAll(want.out, "\r", "") ||
				fmt.Sprint(got.err) != fmt.Sprint(want.err) || !reflect.DeepEqual(got.findings, want.findings) {
				t.Fatalf("%v, %s\n%v %s\n%v\nread one by one:\n%v %s\n%v", mode, body, got.err, got.out, got.findings, want.err, want.out, want.findings)
			}
		}
	}
}

// TestAlikeHit: a message like the last one needs no locator.
func TestAlikeHit(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	r := New(cfg)
	body := []byte(contents(words("one two three four five six seven")...))
	_, _ = r.Append(nil, body[:len(stream(delta(0, `"content":"one"`)))])
	if _, n := r.alike.read(r, nil, body[len(stream(delta(0, `"content":"one"`))):]); n < 5*len(stream(delta(0, `"content":"six"`))) {
		t.Errorf("%d bytes", n)
	}
}
