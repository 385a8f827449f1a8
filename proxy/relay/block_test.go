package relay

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"noecho/proxy/wire"
)

// TestBlockIsTheSameForEveryChunking (G3): in block mode the emitted text is the
// clean text before the span and the finding is the same, however the upstream
// cuts its answer into messages; unstreamed the finding is that one, too.
func TestBlockIsTheSameForEveryChunking(t *testing.T) {
	t.Parallel()
	answer := "Before it stands this. " + secret + " and after it that."
	cfg := testConfig(t)
	cfg.Decision = blocking
	var want outcome
	for size := 1; size <= len(answer); size++ {
		var pieces []string
		for rest := answer; rest != ""; {
			n := min(size, len(rest))
			pieces = append(pieces, strconv.Quote(rest[:n]))
			rest = rest[n:]
		}
		got := relayed(cfg, contents(pieces...))
		if !errors.Is(got.err, ErrBlocked) {
			t.Fatalf("pieces of %d: error %v", size, got.err)
		}
		if size == 1 {
			want = got
		}
		if text := deltasOf(t, got.out); text != "Before it stands this. " {
			t.Errorf("pieces of %d: %q left", size, text)
		}
		if len(got.findings) != 1 || got.findings[0] != want.findings[0] {
			t.Errorf("pieces of %d: findings %q, want %q", size, got.findings, want.findings)
		}
	}
	cfg.Framing = wire.JSON
	whole := outcome{}
	r := New(cfg)
	_, status, err := r.Whole(nil, []byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":`+strconv.Quote(answer)+`}}]}`))
	if whole.take(r); status != 400 || !errors.Is(err, ErrBlocked) || len(whole.findings) != 1 || whole.findings[0] != want.findings[0] {
		t.Errorf("unstreamed: status %d, error %v, findings %q, want %q", status, err, whole.findings, want.findings)
	}
}

// TestBlockedUsage: a blocked stream whose caller asked for the numbers of tokens ends with
// them, as a stream that the server ends does.
func TestBlockedUsage(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Decision = blocking
	first := delta(0, `"content":"before it "`)
	for asked, want := range map[bool][]string{
		false: {`"finish_reason":"content_filter"`, "[DONE]"},
		true:  {`"finish_reason":"content_filter"`, `"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"estimated":true}`, "[DONE]"},
	} {
		cfg.Request.Usage, cfg.Request.Messages = asked, [][]byte{[]byte("be short"), []byte("what is it?")}
		got := relayed(cfg, stream(first, delta(0, `"content":"`+secret+`"`)))
		at := 0
		for _, part := range want {
			i := strings.Index(got.out[at:], part)
			if i < 0 {
				t.Fatalf("asked %v: no %s in %q", asked, part, got.out[at:])
			}
			at += i
		}
		if strings.Contains(got.out, `"usage"`) != asked {
			t.Errorf("asked %v: %q", asked, got.out)
		}
	}
	cfg.Request.Usage = true
	counted := strings.Replace(first, `,"choices"`, `,"usage":{"prompt_tokens":7,"completion_tokens":2},"choices"`, 1)
	if got := relayed(cfg, stream(counted, delta(0, `"content":"`+secret+`"`))); !strings.Contains(got.out, `"choices":[],"usage":{`) {
		t.Errorf("%q", got.out)
	}
}

// deltasOf joins the content deltas of a stream.
func deltasOf(t *testing.T, stream string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(stream) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var chunk struct {
			Choices []struct{ Delta struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		for _, c := range chunk.Choices {
			b.WriteString(c.Delta.Content)
		}
	}
	return b.String()
}
