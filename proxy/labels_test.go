package proxy

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/proxy/config"
)

// TestWrongLabels: an event stream, lines and a document are read as such however they are
// labelled, whether or not a stream was asked for. Clean answers are not changed, and no label
// lets a leak pass.
func TestWrongLabels(t *testing.T) {
	t.Parallel()
	stream := func(text string) string {
		var b strings.Builder
		for word := range strings.FieldsSeq(text) {
			fmt.Fprintf(&b, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s \"}}]}\n\n", word)
		}
		return b.String() + "data: [DONE]\n\n"
	}
	document := func(text string) string {
		return `{"choices":[{"index":0,"message":{"role":"assistant","content":"` + text + `"}}]}`
	}
	lines := func(text string) string {
		var b strings.Builder
		for word := range strings.FieldsSeq(text) {
			fmt.Fprintf(&b, "{\"message\":{\"role\":\"assistant\",\"content\":\"%s \"},\"done\":false}\n", word)
		}
		return b.String() + "{\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true}\n"
	}
	type answer struct{ path, ask, label, before string }
	answers := map[answer]func(string) string{}
	for _, label := range []string{
		"", "Content-Type: text/plain\r\n", "Content-Type: application/json; charset=utf-8\r\n", "Content-Type: application/octet-stream\r\n",
		"Content-Type: application/stream+json\r\n", "Content-Type: text/html\r\n", "Content-Type: application/x-ndjson\r\n", "Content-Type: event-stream\r\n",
	} {
		for _, before := range []string{"", ": ping\n\n", "\n\n", "event: message\n", "id: 1\nretry: 3\n", "\xEF\xBB\xBF"} {
			answers[answer{chatPath, askStream, label, before}] = stream
		}
		answers[answer{chatPath, askStream, label, ""}] = document
	}
	const events = "Content-Type: text/event-stream\r\n"
	for _, label := range []string{events, "Content-Type: text/plain\r\n", "Content-Type: application/json\r\n", "Content-Type: application/x-ndjson\r\n", ""} {
		answers[answer{chatPath, askWhole, label, ""}] = stream
		for _, path := range []string{chatPath, "/v1/other"} {
			for _, ask := range []string{askStream, askWhole} {
				answers[answer{path, ask, label, "\n"}] = stream
				answers[answer{path, ask, label, ""}] = document
				if label != "Content-Type: application/x-ndjson\r\n" {
					answers[answer{path, ask, label, "\n \n"}] = document
				}
			}
		}
		for _, ask := range []string{askStream, askWhole, `{"model":"m","stream":false,"messages":[]}`} {
			answers[answer{"/api/chat", ask, label, ""}] = lines
			answers[answer{"/api/chat", ask, label, "\n"}] = lines
		}
	}
	begin := strings.Join(strings.Fields(secret)[:5], " ")
	contents := regexp.MustCompile(`"content":"([^"]*)"`)
	wordsOf := func(body string) string {
		var b strings.Builder
		for _, m := range contents.FindAllStringSubmatch(body, -1) {
			b.WriteString(m[1])
		}
		return b.String()
	}
	for _, cut := range []int{0, 1, 3} {
		said := make(chan [2]string, 1)
		up := newScripted(t, func(c *scene) {
			next := <-said
			text := next[1]
			c.say("HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n", next[0])
			for size := 0; len(text) > 0; text = text[size:] {
				if size = min(cut, len(text)); cut == 0 {
					size = len(text)
				}
				c.chunk(text[:size])
			}
			c.say(endChunked)
		})
		for _, mode := range []detect.Action{detect.Observe, detect.Redact, detect.Block} {
			cfg := bedConfig(t, up.url())
			cfg.Mode = mode
			cfg.Routes = []config.Route{{Path: "/"}, {Path: "/v1/other", API: "generic"}}
			b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
			for a, write := range answers {
				for _, text := range []string{"All is well here", "So: " + secret + " and more"} {
					want := a.before + write(text)
					said <- [2]string{a.label, want}
					status, _, got, err := b.do("POST", a.path, a.ask)
					<-up.requests
					clean := mode == detect.Observe || !strings.Contains(text, secret)
					switch {
					case err != nil:
						t.Errorf("%s cut=%d %q: %v", mode, cut, a, err)
					case clean && (status != 200 || got != want):
						t.Errorf("%s cut=%d %q: %d %q, want %q", mode, cut, a, status, got, want)
					case !clean && (strings.Contains(got, begin) || strings.Contains(wordsOf(got), begin)):
						t.Errorf("%s cut=%d %q: leaks %q", mode, cut, a, got)
					case !clean && status != 200 && mode == detect.Redact:
						t.Errorf("%s cut=%d %q: %d %q", mode, cut, a, status, got)
					}
				}
			}
			b.stop()
			if n := len(b.alertLines("unscanned")); n > 0 {
				t.Errorf("%s cut=%d: %d answers were not scanned: %v", mode, cut, n, b.alertLines("unscanned")[0])
			}
		}
	}
}

// TestBlockedStatus: with blocked: status a stream that begins with a leak answers 400, and one
// with a leak further behind ends as filtered. Clean streams are not changed.
func TestBlockedStatus(t *testing.T) {
	t.Parallel()
	for _, segment := range []int{0, 1} {
		for said, want := range map[string]string{
			secret + " and so on":  "400 [error content_filter]",
			"A clean answer here.": "200 A clean answer here.[stop][DONE]",
			"":                     "200 [stop][DONE]",
			"Well then, these are the words that were asked for: " + secret: "200 Well then, these are the words that were asked for: [content_filter][DONE]",
		} {
			llm := says(said)
			llm.Segment = segment
			cfg := bedConfig(t, recite(t, llm).URL())
			cfg.Mode = detect.Block
			cfg.Routes = []config.Route{{Path: "/", Blocked: config.BlockedStatus}}
			b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
			status, h, text, err := b.do("POST", chatPath, askStream)
			if got := fmt.Sprint(status, " ", chatText(t, text)); err != nil || got != want {
				if segment == 1 || status != 400 || !strings.Contains(said, secret) { // in one segment the leak is known at once
					t.Errorf("segment %d, %q: %q %v", segment, said, got, err)
				}
			}
			if json := h.Get("Content-Type") == "application/json"; json != (status == 400) {
				t.Errorf("%q: %d with %q", said, status, h.Get("Content-Type"))
			}
			b.stop()
			if n := len(b.alertLines("finding")); n != strings.Count(said, secret) {
				t.Errorf("%q: %d findings", said, n)
			}
		}
	}
}
