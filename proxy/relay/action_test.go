package relay

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"noecho/detect"
)

// byLength is a judge that blocks findings of seven words, redacts those of six and
// observes the others.
type byLength struct{ always }

// Judge implements [Judge].
func (byLength) Judge(f *detect.Finding) detect.Action {
	switch {
	case f.Words >= 7:
		return detect.Block
	case f.Words == 6:
		return detect.Redact
	}
	return detect.Observe
}

// TestActions: each finding of an answer gets the action of its own. A span that
// was redacted before the answer is blocked stays masked, however it was cut.
func TestActions(t *testing.T) {
	t.Parallel()
	all := strings.Fields(secret)
	five, six := strings.Join(all[:5], " "), strings.Join(all[1:], " ")
	text := "a: " + five + ". b: " + six + ". c: " + secret + ". d"
	want := "a: " + five + ". b: [redacted]. c: "
	cfg := testConfig(t)
	cfg.Block, cfg.Judge = true, byLength{}
	quoted := func(s string) string { return string(mustJSON(s)) }
	for _, pieces := range [][]string{{quoted(text)}, words(text), {quoted(text[:60]), quoted(text[60:])}, {quoted(text[:90]), quoted(text[90:])}} {
		got := everySplit(t, cfg, contents(pieces...))
		said := deltasOf(t, got.out)
		if said != want || !errors.Is(got.err, ErrBlocked) || !strings.Contains(got.out, `"finish_reason":"content_filter"`) {
			t.Errorf("%d pieces: %q, %v\n%s", len(pieces), said, got.err, got.out)
		}
		if f := got.findings; len(f) != 3 || !strings.HasPrefix(f[0], "blocked ") || !strings.HasPrefix(f[1], "observed ") || !strings.HasPrefix(f[2], "redacted ") {
			t.Errorf("%d pieces: findings %q", len(pieces), f)
		}
	}
}

// TestActionsOfOneAnswer: an unstreamed answer is blocked as a whole, or redacted
// where its findings are.
func TestActionsOfOneAnswer(t *testing.T) {
	t.Parallel()
	all := strings.Fields(secret)
	six := strings.Join(all[1:], " ")
	cfg := testConfig(t)
	cfg.Framing, cfg.Block, cfg.Judge = 0, true, byLength{}
	body := func(text string) string {
		return `{"choices":[{"index":0,"message":{"role":"assistant","content":"` + text + `"},"finish_reason":"stop"}]}`
	}
	if got, status := whole(cfg, body("b: "+six+".")); status != 0 || got.out != body("b: [redacted].") {
		t.Errorf("status %d: %s", status, got.out)
	}
	if got, status := whole(cfg, body("b: "+six+". "+secret)); status != 400 || strings.Contains(got.out, "bravo") {
		t.Errorf("status %d: %s", status, got.out)
	}
	cfg.Decision = observing
	got, _ := whole(cfg, body(secret))
	if got.out != body(secret) || !slices.ContainsFunc(got.findings, func(f string) bool { return strings.HasPrefix(f, "observed ") }) {
		t.Errorf("observe: %q %s", got.findings, got.out)
	}
}

// TestUnread counts the bytes of text that is encoded more deeply than the lanes
// decode: they were judged as plain text only, and somebody has to know.
func TestUnread(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Detect.Lanes = detect.AllLanes
	text := strings.Repeat("nothing of note is said in these lines. ", 8)
	for depth := range 4 {
		got := everySplit(t, cfg, contents(string(mustJSON("Here: "+text))))
		if unread := got.counts.Unread; (unread > 0) != (depth > 2) {
			t.Errorf("%d encodings: %d bytes unread", depth, unread)
		}
		text = base64.StdEncoding.EncodeToString([]byte(text))
	}
}
