package relay

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"noecho/proxy/wire/api"
)

// TestCumulation: a text is cumulative until a message does not begin with the text before
// it: once at the start, or twice in a row later.
func TestCumulation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		begins string // y: a message begins with all that came before, n: it does not
		want   cumulation
	}{
		{"", unknown},
		{"y", cumulative},
		{"yyy", cumulative},
		{"n", incremental},
		{"ny", incremental},
		{"nyyy", incremental},
		{"yn", uncertain},
		{"yny", cumulative},
		{"ynn", incremental},
		{"yynynyn", uncertain},
		{"ynnyyy", incremental},
	} {
		got := unknown
		for _, c := range tt.begins {
			got = got.after(c == 'y')
		}
		if got != tt.want {
			t.Errorf("%s: %d, want %d", tt.begins, got, tt.want)
		}
	}
}

// againConfig is a stream of the Responses API, which repeats all its texts.
func againConfig(t *testing.T, mode Decision) Config {
	t.Helper()
	cfg := testConfig(t)
	cfg.Family, cfg.Decision = api.ByName("openai.responses"), mode
	return cfg
}

// TestRelayParts: two parts of an item are one text to the detector, and a copy of the
// second one is cut as its pieces were.
func TestRelayParts(t *testing.T) {
	t.Parallel()
	const first, second = "so alpha bravo charlie delta", " echo foxtrot golf and on"
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, "data: "+format+"\n\n", args...) }
	say(`{"type":"response.created","response":{"id":"r","output":[]}}`)
	say(`{"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message","content":[]}}`)
	for i, text := range []string{first, second} {
		say(`{"type":"response.content_part.added","output_index":0,"content_index":%d,"part":{"type":"output_text","text":""}}`, i)
		for piece := range strings.SplitAfterSeq(text, "o") {
			say(`{"type":"response.output_text.delta","output_index":0,"content_index":%d,"delta":%q}`, i, piece)
		}
		say(`{"type":"response.output_text.done","output_index":0,"content_index":%d,"text":%q}`, i, text)
		say(`{"type":"response.content_part.done","output_index":0,"content_index":%d,"part":{"type":"output_text","text":%q}}`, i, text)
	}
	item := fmt.Sprintf(`{"id":"m","type":"message","content":[{"type":"output_text","text":%q},{"type":"output_text","text":%q}]}`, first, second)
	say(`{"type":"response.output_item.done","output_index":0,"item":%s}`, item)
	say(`{"type":"response.completed","response":{"id":"r","status":"completed","output":[%s]}}`, item)

	o := everySplit(t, againConfig(t, redacting), b.String())
	for _, word := range []string{"echo", "foxtrot", "golf"} {
		if strings.Contains(o.out, word) {
			t.Errorf("%s leaves: %s", word, o.out)
		}
	}
	// A piece, its text, its part, its item and the response.
	if n := strings.Count(o.out, "[redacted] and on"); n != 4 || strings.Count(o.out, first) != 4 {
		t.Errorf("%d places: %s", n, o.out)
	}
	if want := []string{"redacted output.0.content 3-47 7 words resumed"}; !slices.Equal(o.findings, want) {
		t.Errorf("findings = %q, want %q", o.findings, want)
	}
	clean := strings.NewReplacer("alpha", "one", "echo", "two").Replace(b.String())
	if o := relayed(againConfig(t, redacting), clean); o.out != clean {
		t.Errorf("clean answer changed: %s", o.out)
	}
	if o := everySplit(t, againConfig(t, blocking), b.String()); strings.Contains(o.out, "echo") {
		t.Errorf("blocked: %s", o.out)
	}
}

// TestRelayRepeatsApart: a text that should be a copy and is none, because it was trimmed
// or comes too early, is no piece of the other one. The words where they meet stay words,
// in both.
func TestRelayRepeatsApart(t *testing.T) {
	t.Parallel()
	const said = " alpha bravo charlie delta echo" // as many words as a window has
	piece := func(text string) string {
		return fmt.Sprintf(`data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":%q}`+"\n\n", text)
	}
	done := func(text string) string {
		return fmt.Sprintf(`data: {"type":"response.output_text.done","output_index":0,"content_index":0,"text":%q}`+"\n\n", text)
	}
	last := func(text string) string {
		return fmt.Sprintf(`data: {"type":"response.completed","response":{"output":[{"type":"message","content":[{"type":"output_text","text":%q}]}]}}`+"\n\n", text)
	}
	for _, tt := range []struct{ name, body string }{
		{"response trimmed", piece(said) + last(said[1:])},
		{"text and response trimmed", piece(said) + done(said[1:]) + last(said[1:])},
		{"text too early", piece(said[:1]) + done(said) + piece(said[1:]) + last(said)},
		{"text too early and trimmed", done(said[1:]) + piece(said[1:9]) + piece(said[9:]) + last(said)},
	} {
		o := everySplit(t, againConfig(t, redacting), tt.body)
		for _, word := range []string{"alpha", "bravo", "charlie", "echo"} {
			if strings.Contains(o.out, word) {
				t.Errorf("%s: %s leaves: %s", tt.name, word, o.out)
			}
		}
		clean := strings.ReplaceAll(tt.body, "charlie", "charles")
		if o := relayed(againConfig(t, redacting), clean); o.out != clean || len(o.findings) > 0 {
			t.Errorf("%s: clean answer changed: %s", tt.name, o.out)
		}
	}
}

// TestRelayManyCuts: a text that comes once more is cut wherever its pieces were,
// however many cuts there are: also if the last of them are decided by the
// message that repeats it.
func TestRelayManyCuts(t *testing.T) {
	t.Parallel()
	const span = "so alpha bravo charlie delta echo on "
	const each = 1 << 6
	const piece = "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":%q}\n\n"
	// The last words wait. Their cut is the first that is too many, or not.
	tail := strings.TrimSuffix(span, " on ")
	for _, more := range []int{0, each} {
		all := strings.Repeat(span, maxKept+more) + tail
		body := strings.Repeat(fmt.Sprintf(piece, strings.Repeat(span, each)), (maxKept+more)/each)
		body += fmt.Sprintf(piece, tail)
		body += fmt.Sprintf("data: {\"type\":\"response.output_text.done\",\"output_index\":0,\"text\":%q}\n\n", all)
		o := relayed(againConfig(t, redacting), body)
		if n := strings.Count(o.out, "bravo"); n > 0 {
			t.Errorf("%d more cuts: %d spans leave", more, n)
		}
	}
}
