package proxy

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"noecho/detect"
)

// TestConditions: clean answers arrive as direct, however a server frames them in HTTP, and a
// leak in them does not.
func TestConditions(t *testing.T) {
	t.Parallel()
	streamOf := func(text string) string {
		var b strings.Builder
		for _, word := range strings.SplitAfter(text, " ") {
			fmt.Fprintf(&b, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}\n\n", word)
		}
		return b.String() + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
	}
	wholeOf := func(text string) string {
		return `{"choices":[{"index":0,"message":{"role":"assistant","content":"` + text + `"},"finish_reason":"stop"}]}`
	}
	const sse, document = "Content-Type: text/event-stream\r\n", "Content-Type: application/json\r\n"
	chunks := func(c *scene, pieces ...string) {
		for _, p := range pieces {
			c.chunk(p)
		}
		c.say(endChunked)
	}
	gzipped := func(body string) []string { // flushed after every event, as gateways do
		var out []string
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		for _, event := range strings.SplitAfter(body, "\n\n") {
			_, _ = io.WriteString(z, event)
			_ = z.Flush()
			out = append(out, b.String())
			b.Reset()
		}
		_ = z.Close()
		return append(out, b.String())
	}
	for name, tt := range map[string]struct {
		ask  string
		of   func(string) string
		play func(c *scene, body string)
	}{
		"heads before the head": {askStream, streamOf, func(c *scene, body string) {
			c.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n", sse)
			chunks(c, body)
		}},
		"stream without a length": {askStream, streamOf, func(c *scene, body string) {
			c.say("HTTP/1.1 200 OK\r\n%sConnection: close\r\n\r\n%s", sse, body)
			c.over = true
		}},
		"stream in HTTP/1.0": {askStream, streamOf, func(c *scene, body string) { c.say("HTTP/1.0 200 OK\r\n%s\r\n%s", sse, body); c.over = true }},
		"document without a length": {askWhole, wholeOf, func(c *scene, body string) {
			c.say("HTTP/1.1 200 OK\r\n%sConnection: close\r\n\r\n%s", document, body)
			c.over = true
		}},
		"stream in one piece": {askStream, streamOf, func(c *scene, body string) { c.whole(200, "text/event-stream; charset=utf-8", body) }},
		"stream in gzip": {askStream, streamOf, func(c *scene, body string) {
			c.say("HTTP/1.1 200 OK\r\n%sContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", sse)
			chunks(c, gzipped(body)...)
		}},
		"unlabelled stream in gzip": {askStream, streamOf, func(c *scene, body string) {
			c.say("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
			chunks(c, gzipped(body)...)
		}},
		"document in deflate": {askWhole, wholeOf, func(c *scene, body string) {
			var b bytes.Buffer
			z := zlib.NewWriter(&b)
			_, _ = io.WriteString(z, body)
			_ = z.Close()
			c.say("HTTP/1.1 200 OK\r\n%sContent-Encoding: deflate\r\nContent-Length: %d\r\n\r\n%s", document, b.Len(), b.String())
		}},
		"document after spaces": {askWhole, func(text string) string { return "\n\n\n  \n" + wholeOf(text) }, func(c *scene, body string) {
			c.say("HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n", document)
			chunks(c, body[:3], body[3:5], body[5:])
		}},
		"types in capitals":     {askStream, streamOf, func(c *scene, body string) { c.whole(200, "Text/Event-Stream;charset=UTF-8", body) }},
		"document for a stream": {askStream, wholeOf, func(c *scene, body string) { c.whole(200, "application/json", body) }},
		"200 headers": {askWhole, wholeOf, func(c *scene, body string) {
			c.say("HTTP/1.1 200 OK\r\n%s%sContent-Length: %d\r\n\r\n%s", document, strings.Repeat("X-Ratelimit-Limit: 1\r\n", 200), len(body), body)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := make(chan string, 1)
			up := newScripted(t, func(c *scene) { tt.play(c, <-said) })
			for _, mode := range []detect.Action{detect.Observe, detect.Redact, detect.Block} {
				cfg := bedConfig(t, up.url())
				cfg.Mode = mode
				b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
				want := tt.of("A clean answer that nobody has read before")
				said <- want
				if status, h, text, err := b.do("POST", chatPath, tt.ask, "Accept-Encoding", "gzip, deflate, br"); err != nil || status != 200 || text != want || h.Get("Content-Encoding") != "" {
					t.Errorf("%s: %d %v %q %v", mode, status, h, text, err)
				}
				said <- tt.of("so " + secret + " and more")
				status, _, text, err := b.do("POST", chatPath, tt.ask)
				if leaks := strings.Contains(text, secret) || strings.Contains(chatText(t, text), secret); err != nil || leaks != (mode == detect.Observe) || mode != detect.Block && status != 200 {
					t.Errorf("%s: leak %v: %d %q %v", mode, leaks, status, text, err)
				}
				b.stop()
			}
		})
	}
}

// TestConditionsOfRequests: requests arrive as direct, however a client frames them.
func TestConditionsOfRequests(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.whole(200, "application/json", `{"choices":[{"index":0,"message":{"content":"ok"}}]}`)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	picture := `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("QUJD", 1<<20) + `"}}]}]}`
	var chunked, many strings.Builder
	for i := 0; i < len(askWhole); i += 7 {
		part := askWhole[i:min(i+7, len(askWhole))]
		fmt.Fprintf(&chunked, "%x;ext=1\r\n%s\r\n", len(part), part)
	}
	for i := range 300 {
		fmt.Fprintf(&many, "X-Stainless-%d: %s\r\n", i, strings.Repeat("v", 40))
	}
	const head = "POST /v1/chat/completions?api-version=2024-10-21&x=%20y HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
	for name, tt := range map[string]struct{ request, body string }{
		"chunks with extensions": {head + "Transfer-Encoding: chunked\r\n\r\n" + chunked.String() + "0\r\n\r\n", askWhole},
		"a long picture":         {head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(picture), picture), picture},
		"300 headers":            {head + many.String() + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(askWhole), askWhole), askWhole},
		"names in small letters": {strings.ToLower(head[strings.Index(head, "\r\n")+2:]), askWhole},
	} {
		if !strings.HasPrefix(tt.request, "POST") {
			tt.request = head[:strings.Index(head, "\r\n")+2] + tt.request + fmt.Sprintf("content-length: %d\r\n\r\n%s", len(askWhole), askWhole)
		}
		if answer := b.raw(tt.request); !strings.HasPrefix(answer, "HTTP/1.1 200 ") || !strings.HasSuffix(answer, `{"content":"ok"}}]}`) {
			t.Errorf("%s: %.300q", name, answer)
		}
		got := wait(t, up.requests, "request")
		if line, body, _ := strings.Cut(got, "\r\n\r\n"); body != tt.body || !strings.HasPrefix(line, "POST /v1/chat/completions?api-version=2024-10-21&x=%20y HTTP/1.1\r\n") {
			t.Errorf("%s: upstream got %.300q", name, got)
		}
	}
}

// TestConditionsOfPaths: paths that servers read differently are refused, and the answer names
// the path that is not open.
func TestConditionsOfPaths(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	for path, want := range map[string]int{
		"//v1/chat/completions": 400, "/v1//chat/completions": 400, "/v1/chat/completions/": 404, "/v1/v1/chat/completions": 404, "/api/v1/chat/completions": 404,
		"/v1/batches": 404, "/v1/files": 404, "/v1/assistants": 404, "/v1/images/generations": 404,
	} {
		status, _, text, err := b.do(http.MethodPost, path, askWhole)
		if err != nil || status != want || want == 404 && !strings.Contains(text, "POST "+path+" is ") {
			t.Errorf("%s: %d %q %v", path, status, text, err)
		}
	}
	if len(up.requests) > 0 {
		t.Errorf("upstream got %q", <-up.requests)
	}
}
