package relay

import (
	"fmt"
	"strings"
	"testing"

	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// TestRelayTGI: the text that comes last is judged even if it differs from its tokens, and
// so are tokens that are called special.
func TestRelayTGI(t *testing.T) {
	t.Parallel()
	tokens := func(text, last string) string {
		var events []string
		for i, w := range words(text) {
			events = append(events, fmt.Sprintf(`{"index":%d,"token":{"id":%d,"text":%s,"special":false},"generated_text":null,"details":null}`, i, i, w))
		}
		return stream(append(events, `{"index":99,"token":{"id":2,"text":"</s>","special":true},"generated_text":`+last+`,"details":{"finish_reason":"eos_token","generated_tokens":9,"seed":null}}`)...)
	}
	quoted := func(s string) string { return string(mustJSON(s)) }
	for name, in := range map[string]string{
		"same":              tokens("so "+secret, quoted("so "+secret)),
		"cut short":         tokens("so "+secret+" end", quoted("so "+secret)),
		"with the prompt":   tokens("so "+secret, quoted("say it: so "+secret)),
		"without its space": tokens(" "+secret, quoted(secret)),
		"only last":         tokens("so it is", quoted("so it is: "+secret)),
		"only tokens":       tokens("so "+secret, `null`),
		"special":           stream(`{"token":{"id":1,"text":` + quoted(secret) + `,"special":true},"generated_text":null}`),
		"special, first":    stream(`{"token":{"special":true,"text":` + quoted(secret) + `},"generated_text":null}`),
		"error":             stream(`{"error":` + quoted(secret) + `,"error_type":"generation"}`),
		"type of an error":  stream(`{"error":"no","error_type":` + quoted(secret) + `}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stays(t, api.ByName("tgi"), in)
			stays(t, api.ByName("generate"), in)
		})
	}
}

// TestRelayCumulation: of a text with any beginning it is found out whether each message
// has all of it or only the new part.
func TestRelayCumulation(t *testing.T) {
	t.Parallel()
	write := func(texts ...string) string {
		var events []string
		for _, s := range texts {
			events = append(events, `{"text":`+string(mustJSON(s))+`,"output_ids":[1],"meta_info":{"id":"x","finish_reason":null}}`)
		}
		return stream(append(events, "[DONE]")...)
	}
	var pieces []string
	for _, w := range strings.SplitAfter(secret, " ") {
		pieces = append(pieces, w[:2], w[2:])
	}
	growing := func(head string) []string {
		var out []string
		for _, p := range pieces {
			head += p
			out = append(out, head)
		}
		return out
	}
	for name, in := range map[string]string{
		"pieces":                         write(pieces...),
		"pieces, twice the same":         write(append([]string{"ha", "ha"}, pieces...)...),
		"pieces that seem to grow":       write(append([]string{" ", "  ", "    ", "x ", "y "}, pieces...)...),
		"all so far":                     write(growing("so ")...),
		"all so far, cut short":          write(append(growing("so "), "so "+secret[:len(secret)-1])...),
		"all so far, nothing new":        write(append(growing("so "), growing("so ")[len(pieces)-1])...),
		"all at once":                    write("so " + secret),
		"all so far, then something new": write("a", "a b", "a b c", secret),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stays(t, api.ByName("sglang.generate"), in)
			stays(t, api.ByName("generate"), in)
		})
	}
	t.Run("one mask for a span", func(t *testing.T) {
		t.Parallel()
		cfg := testConfig(t)
		cfg.Family = api.ByName("sglang.generate")
		in := write("so "+secret[:20], secret[20:], " end")
		if got := everySplit(t, cfg, in); strings.Count(got.out, "[redacted]") != 1 {
			t.Errorf("got %s", got.out)
		}
	})
}

// TestRelayOllamaCalls: calls of tools come in lines of their own, with a number
// or, from older servers, without.
func TestRelayOllamaCalls(t *testing.T) {
	t.Parallel()
	line := func(index, text string) string {
		return `{"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":{` + index + `"name":"f","arguments":{"n":1,"text":` + string(mustJSON(text)) + `}}}]},"done":false}` + "\n"
	}
	const last = `{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}` + "\n"
	for name, numbers := range map[string][2]string{
		"numbered": {`"index":0,`, `"index":1,`}, "without numbers": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Family, cfg.Framing = api.ByName("ollama.chat"), wire.Lines
			in := line(numbers[0], "so it is") + line(numbers[1], "and "+secret) + last
			want := line(numbers[0], "so it is") + line(numbers[1], "and [redacted]") + last
			if got := everySplit(t, cfg, in); got.out != want || len(got.findings) != 1 {
				t.Errorf("got %s, %q", got.out, got.findings)
			}
			cfg.Decision = observing
			if got := everySplit(t, cfg, in); got.out != in || len(got.findings) != 1 {
				t.Errorf("observe: %s, %q", got.out, got.findings)
			}
		})
	}
}

// TestRelaySamples: the samples of an answer do not end each other, and one
// that pauses is not decided before its time.
func TestRelaySamples(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Family = api.ByName("llamacpp.completion")
	piece := func(index int, text string) string {
		return fmt.Sprintf(`{"index":%d,"content":%s,"tokens":[1],"stop":false}`, index, mustJSON(text))
	}
	var events []string
	for i, w := range strings.SplitAfter(secret, " ") {
		events = append(events, piece(0, w), piece(1, fmt.Sprint("w", i, " ")))
	}
	events = append(events, `{"index":1,"content":"","stop":true,"stop_type":"limit"}`, piece(0, " end"), `{"index":0,"content":"","stop":true,"stop_type":"eos"}`)
	got := everySplit(t, cfg, stream(events...))
	for _, w := range strings.Fields(secret) {
		if strings.Contains(got.out, w) {
			t.Errorf("%q left in %s", w, got.out)
		}
	}
	if len(got.findings) != 1 || !strings.Contains(got.out, `{"index":1,"content":"w6 ","tokens":[1],"stop":false}`) {
		t.Errorf("got %s, %q", got.out, got.findings)
	}
}
