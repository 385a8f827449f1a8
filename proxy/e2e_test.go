package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"noecho/detect"
	"noecho/internal/fakellm"
	"noecho/ngram"
	"noecho/proxy/config"
)

// secretOpen returns a function that opens an index of secret.
func secretOpen(t testing.TB) func(*config.Config) (Indexes, error) {
	t.Helper()
	spec, err := ngram.NewSpec(5, ngram.XXH64)
	if err != nil {
		t.Fatal(err)
	}
	set := newMemory(spec, secret)
	return func(*config.Config) (Indexes, error) {
		return Indexes{Set: set, Spec: spec, Files: []IndexInfo{{Path: "test.nidx", BuildID: "0123456789abcdef"}}}, nil
	}
}

// recite starts a fake model with this configuration.
func recite(t testing.TB, cfg fakellm.Config) *fakellm.Server {
	t.Helper()
	s, err := fakellm.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func says(text string) fakellm.Config {
	s := fakellm.Say(text)
	return fakellm.Config{Default: &s}
}

const chatPath = "/v1/chat/completions"

// Requests of a chat, streamed and not.
const (
	askWhole  = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	askStream = `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`
)

// chatText returns the text of a chat answer, streamed or not, with the finish reason in
// brackets.
func chatText(t testing.TB, body string) string {
	t.Helper()
	var out strings.Builder
	add := func(data string) {
		var m struct {
			Choices []struct {
				Message, Delta struct{ Content string }
				Finish         *string `json:"finish_reason"`
			}
			Error *struct{ Code string }
		}
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			t.Fatalf("%v in %q", err, data)
		}
		for _, c := range m.Choices {
			out.WriteString(c.Message.Content + c.Delta.Content)
			if c.Finish != nil {
				fmt.Fprintf(&out, "[%s]", *c.Finish)
			}
		}
		if m.Error != nil {
			fmt.Fprintf(&out, "[error %s]", m.Error.Code)
		}
	}
	if strings.HasPrefix(body, "{") {
		add(body)
		return out.String()
	}
	for line := range strings.Lines(body) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data:")
		switch data = strings.TrimSpace(data); {
		case !ok:
		case data == "[DONE]":
			out.WriteString("[DONE]")
		default:
			add(data)
		}
	}
	return out.String()
}

// alertLines returns the alerts of one type that were written so far.
func (b *bed) alertLines(kind string) []map[string]any {
	b.t.Helper()
	var out []map[string]any
	for line := range strings.Lines(b.alerts.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			b.t.Fatalf("%v in %q", err, line)
		}
		if m["type"] == kind {
			out = append(out, m)
		}
	}
	return out
}

// metric returns the sum of a metric over the labels that match. A caller sees the end of an
// answer a moment before it is counted; another request on the same connection is answered
// after that.
func (b *bed) metric(name, labels string) int {
	b.t.Helper()
	if status, _, _, err := b.do("GET", "/unlisted", ""); err != nil || status != 404 {
		b.t.Fatalf("%d %v", status, err)
	}
	_, text := b.ask("GET", "/metrics")
	re := regexp.MustCompile(`(?m)^` + name + labels + ` (\S+)$`)
	sum := 0.0
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		v, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			b.t.Fatal(err)
		}
		sum += v
	}
	return int(sum)
}

func TestModes(t *testing.T) {
	t.Parallel()
	said := "So it goes: " + secret + ". The end."
	const cut = "So it goes: "
	for _, tt := range []struct {
		mode          detect.Action
		whole, stream string
		status        int
		action        string
	}{
		{detect.Observe, said + "[stop]", said + "[stop][DONE]", 200, "observed"},
		{detect.Redact, cut + "[redacted]. The end.[stop]", cut + "[redacted]. The end.[stop][DONE]", 200, "redacted"},
		{detect.Block, "[error content_filter]", cut + "[content_filter][DONE]", 400, "blocked"},
	} {
		for _, segment := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s/segment=%d", tt.mode, segment), func(t *testing.T) {
				t.Parallel()
				llm := says(said)
				llm.Segment = segment
				cfg := bedConfig(t, recite(t, llm).URL())
				cfg.Mode = tt.mode
				b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
				status, h, text, err := b.do("POST", chatPath, askWhole, "Authorization", "Bearer x")
				if err != nil || status != tt.status || chatText(t, text) != tt.whole {
					t.Errorf("unstreamed: %d %q %v, want %d %q", status, text, err, tt.status, tt.whole)
				}
				if retry := h.Get("X-Should-Retry"); (retry == "false") != (status == 400) {
					t.Errorf("x-should-retry %q with %d", retry, status)
				}
				status, h, text, err = b.do("POST", chatPath, askStream, "Authorization", "Bearer x")
				if err != nil || status != 200 || chatText(t, text) != tt.stream || !strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") {
					t.Errorf("streamed: %d %v %q %v, want %q", status, h, chatText(t, text), err, tt.stream)
				}
				b.stop()
				lines := b.alertLines("finding")
				if len(lines) != 2 {
					t.Fatalf("alerts %v", lines)
				}
				for i, line := range lines {
					for name, want := range map[string]any{
						"action": tt.action, "severity": "low", "mode": tt.mode.String(), "route": chatPath, "api": "openai.chat", "path": chatPath,
						"model": "m", "stream": i == 1, "client": "127.0.0.1", "channel": "choices.0.content", "kind": "verbatim",
						"start": 12.0, "principal": lines[0]["principal"],
					} {
						if line[name] != want {
							t.Errorf("alert %d: %s = %v, want %v", i, name, line[name], want)
						}
					}
					if p := line["principal"].(string); len(p) != 16 || strings.Contains(p, "x") {
						t.Errorf("principal %q", p)
					}
				}
			})
		}
	}
}

// TestCleanIsUntouched: an answer without findings arrives byte for byte.
func TestCleanIsUntouched(t *testing.T) {
	t.Parallel()
	const whole = "{ \"choices\" : [ {\"index\":0,\"message\":{\"content\":\"caf\\u00e9 \\ud83d\\ude00\",\"x\":1e3}, \"logprobs\":{\"content\":[]}} ],\n\"unknown\":[1,{}] }\n"
	const stream = ": hello\r\n\r\ndata:{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one two\"},\"extra\":1.0}]}\n\ndata: {\"choices\":[],\"usage\":{}}\n\ndata: [DONE]\n\n"
	up := newScripted(t, func(c *scene) {
		if strings.Contains(c.body, "stream") {
			c.say(headSSE)
			for i := range len(stream) {
				c.chunk(stream[i : i+1])
			}
			c.say(endChunked)
			return
		}
		c.whole(200, "application/json; charset=utf-8", whole)
	})
	for _, mode := range []detect.Action{detect.Observe, detect.Redact, detect.Block} {
		cfg := bedConfig(t, up.url())
		cfg.Mode = mode
		b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
		if _, _, text, err := b.do("POST", chatPath, askWhole); err != nil || text != whole {
			t.Errorf("%s: %q %v", mode, text, err)
		}
		if _, _, text, err := b.do("POST", chatPath, askStream); err != nil || text != stream {
			t.Errorf("%s: %q %v", mode, text, err)
		}
		if n := b.metric("noecho_body_bytes_total", `{fate="scanned"}`); n != len(whole)+len(stream) {
			t.Errorf("%s: %d bytes scanned of %d", mode, n, len(whole)+len(stream))
		}
	}
}

// TestEncodedAnswers: every coding is removed before the answer is scanned.
func TestEncodedAnswers(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"gzip", "deflate", "deflate-raw", "br", "zstd"} {
		t.Run(coding, func(t *testing.T) {
			t.Parallel()
			llm := says("So it goes: " + secret + ". The end.")
			llm.Default.Encoding = coding
			b := newBed(t, Options{Config: bedConfig(t, recite(t, llm).URL()), Open: secretOpen(t)})
			for _, ask := range []string{askWhole, askStream} {
				status, h, text, err := b.do("POST", chatPath, ask)
				if err != nil || status != 200 || !strings.Contains(chatText(t, text), "So it goes: [redacted]. The end.[stop]") {
					t.Errorf("%d %q %v", status, text, err)
				}
				if h.Get("Content-Encoding") != "" {
					t.Errorf("still labelled %q", h.Get("Content-Encoding"))
				}
			}
		})
	}
}

// TestEncodedRequest: the prompt of a request with a content coding is decoded and read, and
// the request is forwarded as it came.
func TestEncodedRequest(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.whole(200, "application/json", `{"choices":[{"index":0,"message":{"content":"`+secret+`"},"finish_reason":"stop"}]}`)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	ask := `{"messages":[{"role":"user","content":"repeat: ` + secret + `"}]}`
	for _, coding := range allCodings {
		coded := string(encode(t, coding, ask))
		status, _, text, err := b.do("POST", chatPath, coded, "Content-Encoding", headerName(coding))
		if err != nil || status != 200 || !strings.Contains(text, secret) {
			t.Errorf("%s: %d %q %v", coding, status, text, err)
		}
		got := wait(t, up.requests, "request")
		if !strings.HasSuffix(got, "\r\n\r\n"+coded) || !strings.Contains(got, "\r\nContent-Encoding: "+headerName(coding)+"\r\n") {
			t.Errorf("%s: upstream got %q", coding, got)
		}
		if status, _, _, _ := b.do("POST", chatPath, coded[:len(coded)-2], "Content-Encoding", headerName(coding)); status != 400 {
			t.Errorf("%s: a cut body gives %d", coding, status)
		}
	}
	bomb := string(encode(t, "gzip", strings.Repeat(" ", 8<<20)))
	if status, _, _, _ := b.do("POST", chatPath, bomb, "Content-Encoding", "gzip"); status != 400 {
		t.Errorf("a bomb gives %d", status)
	}
	if len(up.requests) > 0 {
		t.Errorf("upstream got %q", <-up.requests)
	}
	b.stop()
	for _, line := range b.alertLines("finding") {
		if line["action"] != "echo" {
			t.Errorf("alert %v", line)
		}
	}
}

// TestUnscannable: an answer that cannot be scanned is refused, or passed and counted where
// the route or the mode says so.
func TestUnscannable(t *testing.T) {
	t.Parallel()
	bomb := string(encode(t, "gzip", strings.Repeat("\x00", 8<<20)))
	answers := map[string]struct {
		raw, body string
		bounded   bool // a limit holds in every mode
	}{
		"unknown coding": {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: compress\r\nContent-Length: 3\r\n\r\nabc", "abc", false},
		"no json":        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\nabc", "abc", false},
		"broken event":   {headSSE + "b\r\ndata: {bad\n\r\n1\r\n\n\r\n0\r\n\r\n", "data: {bad\n\n", false},
		"bomb":           {fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(bomb), bomb), "", true},
	}
	for name, a := range answers {
		for _, tt := range []struct {
			mode      detect.Action
			unscanned config.Unscanned
			passes    bool
		}{{detect.Redact, config.Refuse, false}, {detect.Block, config.Refuse, false}, {detect.Redact, config.Pass, true}, {detect.Observe, config.Refuse, true}} {
			t.Run(fmt.Sprintf("%s/%s/%s", name, tt.mode, tt.unscanned), func(t *testing.T) {
				t.Parallel()
				up := newScripted(t, func(c *scene) { c.say("%s", a.raw) })
				cfg := bedConfig(t, up.url())
				cfg.Mode = tt.mode
				cfg.Routes = []config.Route{{Path: "/", Unscanned: tt.unscanned}}
				b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
				status, h, text, err := b.do("POST", chatPath, askStream)
				switch {
				case a.bounded && (err != nil || status == 400):
				case !a.bounded && tt.passes && (err != nil || status != 200 || text != a.body):
					t.Errorf("%d %q %v, want %q", status, text, err, a.body)
				case !a.bounded && tt.passes:
				case h.Get("Content-Type") == "text/event-stream":
					if strings.Contains(text, "bad") || !strings.Contains(text, "unscannable_content") {
						t.Errorf("%q", text)
					}
				case status != 400 || h.Get("X-Should-Retry") != "false" || !strings.Contains(text, "unscannable_content"):
					t.Errorf("%d %v %q %v", status, h, text, err)
				}
				b.stop()
				if lines := b.alertLines("unscanned"); len(lines) != 1 && !a.bounded {
					t.Errorf("alerts %v", b.alerts.String())
				}
			})
		}
	}
}

// TestUpstreamErrors: an error of the upstream keeps its status, with any body.
func TestUpstreamErrors(t *testing.T) {
	t.Parallel()
	body := ""
	up := newScripted(t, func(c *scene) { c.whole(500, "text/plain", body) })
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	for _, body = range []string{"Internal Server Error", "", "oops: " + secret} {
		status, _, text, err := b.do("POST", chatPath, askWhole)
		if err != nil || status != 500 || strings.Contains(text, "bravo charlie") {
			t.Errorf("%q: %d %q %v", body, status, text, err)
		}
	}
}

// TestBytesAddUp (G6): wherever an answer breaks off, every byte that was received counts as
// scanned, passed or refused.
func TestBytesAddUp(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	for _, word := range strings.Fields("So it goes: " + secret + ". The end.") {
		fmt.Fprintf(&body, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s \"}}]}\n\n", word)
	}
	answer := body.String()
	cuts := make(chan int, 1)
	up := newScripted(t, func(c *scene) {
		cut := <-cuts
		c.say(headSSE)
		if c.over = cut < len(answer); cut > 0 {
			c.chunk(answer[:cut])
		}
		if !c.over {
			c.say(endChunked)
		}
	})
	for _, mode := range []detect.Action{detect.Redact, detect.Block, detect.Observe} {
		cfg := bedConfig(t, up.url())
		cfg.Mode = mode
		b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
		sum := 0
		for cut := 0; cut <= len(answer); cut += 13 {
			cuts <- cut
			_, _, _, _ = b.do("POST", chatPath, askStream)
			sum += cut
			if got := b.metric("noecho_body_bytes_total", `{fate="\w+"}`); got != sum {
				t.Fatalf("%s cut at %d: %d bytes accounted for, %d received", mode, cut, got, sum)
			}
		}
	}
}

// TestUndecodableBytesAddUp: bytes that could not be decoded are counted too.
func TestUndecodableBytesAddUp(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"foo", "gzip, gzip, gzip", "gzip", "br", "zstd", "deflate"} {
		for _, kind := range []string{"application/json", "text/event-stream"} {
			for _, mode := range []detect.Action{detect.Redact, detect.Block, detect.Observe} {
				up := newScripted(t, func(c *scene) {
					c.say("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Encoding: %s\r\nContent-Length: 8\r\n\r\n\x0fno way!", kind, coding)
				})
				cfg := bedConfig(t, up.url())
				cfg.Mode = mode
				b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
				_, _, _, _ = b.do("POST", chatPath, askWhole)
				if got := b.metric("noecho_body_bytes_total", `{fate="\w+"}`); got != 8 {
					t.Errorf("%s %s %s: %d bytes accounted for, 8 received", coding, kind, mode, got)
				}
			}
		}
	}
}

// TestNamesInOtherCase: a request that the upstream could read as one for another model does
// not reach the upstream.
func TestNamesInOtherCase(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	cfg := bedConfig(t, up.url())
	cfg.Routes = []config.Route{{Path: "/", Unscanned: config.Pass, Models: []config.ModelMode{{Glob: "test-*", Mode: detect.Observe}}}}
	b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
	for _, body := range []string{
		`{"model":"test-1","Model":"prod"}`, `{"Model":"prod"}`, `{"model":"test-1","MODEL":"prod"}`, `{"model":"test-1","\u004dodel":"prod"}`,
		`{"x":[{"a":1}],"Messages":[]}`, `{"Prompt":""}`, `{"\u017ftream":true}`, `{"N":2}`, `{"model":"test-1","model":"test-1","Model":"prod"}`,
	} {
		if status, _, text, err := b.do("POST", chatPath, body); err != nil || status != 400 || !strings.Contains(text, "ambiguous_request") {
			t.Errorf("%s: %d %q %v", body, status, text, err)
		}
	}
	if len(up.requests) > 0 {
		t.Errorf("upstream got %q", <-up.requests)
	}
	const fine = `{"model":"test-1","messages":[{"Model":"x","N":1}],"metadata":{"Stream":1},"n":1}`
	if status, _, text, err := b.do("POST", chatPath, fine); err != nil || status != 200 {
		t.Errorf("%d %q %v", status, text, err)
	}
}

// TestMetricsFromTheStart: metrics begin at 0, so that an alert on a rise sees the first one.
func TestMetricsFromTheStart(t *testing.T) {
	t.Parallel()
	b := newBed(t, Options{Config: bedConfig(t, "http://127.0.0.1:1")})
	_, text := b.ask("GET", "/metrics")
	want := []string{`noecho_upstream_errors_total{phase="connect"} 0`, `noecho_upstream_errors_total{phase="answer"} 0`, `noecho_refusals_total{reason="bad_request"} 0`}
	for _, r := range refusals {
		want = append(want, fmt.Sprintf("noecho_refusals_total{reason=%q} 0", r.code))
	}
	for _, line := range want {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %s", line)
		}
	}
}

// TestRefusalsAreDocumented: docs/operations.md lists every code.
func TestRefusalsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range refusals {
		row := regexp.MustCompile("(?m)^\\|.*`" + r.code + "`.*\\| .*" + strconv.Itoa(r.status) + ".* \\|")
		if !row.Match(page) {
			t.Errorf("docs/operations.md does not tell of %s with status %d", r.code, r.status)
		}
	}
}

// TestRequestsByAction: an answer that was only observed, or passed on without a scan, is not
// counted as clean.
func TestRequestsByAction(t *testing.T) {
	t.Parallel()
	leak := `{"choices":[{"index":0,"message":{"content":"` + secret + `"}}]}`
	clean := `{"choices":[{"index":0,"message":{"content":"fine"}}]}`
	for _, c := range []struct {
		mode         detect.Action
		unscanned    config.Unscanned
		answer, want string
	}{
		{detect.Observe, config.Refuse, clean, "clean"},
		{detect.Observe, config.Refuse, leak, "observed"},
		{detect.Observe, config.Refuse, `{"choices":[{`, "forwarded"},
		{detect.Redact, config.Pass, `{"choices":[{`, "forwarded"},
		{detect.Redact, config.Refuse, `{"choices":[{`, "refused"},
		{detect.Redact, config.Refuse, leak, "redacted"},
		{detect.Block, config.Refuse, leak, "blocked"},
	} {
		up := newScripted(t, func(s *scene) { s.whole(200, "application/json", c.answer) })
		cfg := bedConfig(t, up.url())
		cfg.Mode = c.mode
		cfg.Routes = []config.Route{{Path: "/", Unscanned: c.unscanned}}
		b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
		if _, _, _, err := b.do("POST", chatPath, askWhole); err != nil {
			t.Error(err)
		}
		if n := b.metric("noecho_requests_total", `{action="`+c.want+`",[^}]*}`); n != 1 {
			t.Errorf("%s, %s: %s is not counted as %s", c.mode, c.unscanned, c.answer, c.want)
		}
	}
}

// TestRedirect: no answer leads a caller to an address past noecho.
func TestRedirect(t *testing.T) {
	t.Parallel()
	const leads = "Location: http://model.internal/v1\r\nContent-Location: /x\r\nRefresh: 0; url=http://model.internal\r\nLink: <http://model.internal>\r\nAlt-Svc: h2=\":1\"\r\n"
	for _, head := range []string{"HTTP/1.1 307 X", "HTTP/1.1 301 X", "HTTP/1.1 300 X", "HTTP/1.1 200 OK", "HTTP/1.1 201 X"} {
		for _, mode := range []detect.Action{detect.Redact, detect.Block, detect.Observe} {
			up := newScripted(t, func(c *scene) {
				c.say("%s\r\nContent-Type: application/json\r\n%sContent-Length: 2\r\n\r\n{}", head, leads)
			})
			cfg := bedConfig(t, up.url())
			cfg.Mode = mode
			b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
			status, h, text, err := b.do("POST", chatPath, askWhole)
			moved := strings.HasPrefix(head, "HTTP/1.1 3")
			switch {
			case err != nil:
				t.Error(err)
			case mode == detect.Observe:
				if h.Get("Location") == "" || text != "{}" {
					t.Errorf("%s: %d %v %q: observing changes nothing", head, status, h, text)
				}
			case moved && (status != 502 || !strings.Contains(text, "upstream_redirect")), !moved && text != "{}":
				t.Errorf("%s %s: %d %q", head, mode, status, text)
			}
			for _, name := range leadHeaders {
				if v := h.Get(name); v != "" && mode != detect.Observe {
					t.Errorf("%s %s: %s: %s", head, mode, name, v)
				}
			}
			if got := b.metric("noecho_body_bytes_total", `{fate="\w+"}`); got != 2 {
				t.Errorf("%s %s: %d bytes accounted for, 2 received", head, mode, got)
			}
		}
	}
}

// TestHeadLeavesAtOnce: the head and the messages without text do not wait for text.
func TestHeadLeavesAtOnce(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	up := newScripted(t, func(c *scene) {
		c.say(headSSE)
		<-next
		c.chunk(`data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}` + "\n\n")
		<-next
		c.chunk("data: [DONE]\n\n")
		c.say(endChunked)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	resp := b.open()
	defer func() { _ = resp.Body.Close() }()
	next <- struct{}{}
	in := bufio.NewReader(resp.Body)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "assistant") {
		t.Errorf("%q %v", line, err)
	}
	next <- struct{}{}
	if rest, err := io.ReadAll(in); err != nil || !strings.Contains(string(rest), "[DONE]") {
		t.Errorf("%q %v", rest, err)
	}
}

// TestBlockClosesUpstream: when an answer is blocked, the connection to the model is closed.
func TestBlockClosesUpstream(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	up := newScripted(t, func(c *scene) {
		c.say(headSSE)
		c.chunk(`data: {"choices":[{"index":0,"delta":{"content":"well ` + secret + `. And"}}]}` + "\n\n")
		c.chunk(`data: {"choices":[{"index":0,"delta":{"content":" so on, as ever before"}}]}` + "\n\n")
		c.waitClosed()
		close(closed)
	})
	cfg := bedConfig(t, up.url())
	cfg.Mode = detect.Block
	b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
	_, _, text, err := b.do("POST", chatPath, askStream)
	if err != nil || chatText(t, text) != "well [content_filter][DONE]" {
		t.Errorf("%q %v", text, err)
	}
	wait(t, closed, "the upstream to be closed")
}

// TestFaults: wherever the model breaks, no byte of the secret leaves and a cut
// answer never looks complete.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, kind := range []fakellm.FaultKind{fakellm.FaultCut, fakellm.FaultShort, fakellm.FaultGarbage, fakellm.FaultError} {
		for _, mode := range []detect.Action{detect.Redact, detect.Block, detect.Observe} {
			t.Run(fmt.Sprintf("%s/%s", kind, mode), func(t *testing.T) {
				t.Parallel()
				llm := fakellm.Config{Models: map[string]fakellm.Script{}}
				const points = 13 // messages of the answer
				for after := range points {
					s := fakellm.Say("It was: " + secret + ". So what?")
					s.Fault = fakellm.Fault{Kind: kind, After: after}
					llm.Models[strconv.Itoa(after)] = s
				}
				cfg := bedConfig(t, recite(t, llm).URL())
				cfg.Mode = mode
				b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
				for after := range points {
					for _, stream := range []bool{true, false} {
						ask := fmt.Sprintf(`{"model":"%d","stream":%t,"messages":[{"role":"user","content":"hi"}]}`, after, stream)
						status, _, text, err := b.do("POST", chatPath, ask)
						if mode != detect.Observe && strings.Contains(text, "bravo charlie") {
							t.Errorf("after %d: leaked %q", after, text)
						}
						if kind == fakellm.FaultCut && err == nil && status == 200 && !strings.Contains(text, "content_filter") {
							t.Errorf("after %d: %d %q looks complete", after, status, text)
						}
					}
				}
			})
		}
	}
}

// panicSet is an index that panics when a window is looked up.
type panicSet struct{ detect.Index }

func (panicSet) Window(ngram.Hash) bool { panic("canary-panic-value") }

// TestPanics: a panic in the scanner fails its request and no other, and no byte leaves
// unscanned.
func TestPanics(t *testing.T) {
	t.Parallel()
	for _, mode := range []detect.Action{detect.Redact, detect.Block, detect.Observe} {
		said := "It was: " + secret + ". So what?"
		cfg := bedConfig(t, recite(t, says(said)).URL())
		cfg.Mode = mode
		open := secretOpen(t)
		b := newBed(t, Options{Config: cfg, Open: func(asked *config.Config) (Indexes, error) {
			x, err := open(asked)
			x.Set = panicSet{x.Set}
			return x, err
		}})
		for range 2 {
			status, _, text, err := b.do("POST", chatPath, askWhole)
			if mode == detect.Observe && (err != nil || chatText(t, text) != said+"[stop]") || mode != detect.Observe && status != 400 {
				t.Errorf("%s unstreamed: %d %q %v", mode, status, text, err)
			}
			_, _, text, err = b.do("POST", chatPath, askStream)
			if mode == detect.Observe && (err != nil || chatText(t, text) != said+"[stop][DONE]") || mode != detect.Observe && (err == nil || strings.Contains(text, "bravo charlie")) {
				t.Errorf("%s streamed: %q %v", mode, text, err)
			}
		}
		if n := b.metric("noecho_panics_total", ""); n != 4 {
			t.Errorf("%s: %d panics counted, want 4", mode, n)
		}
		if mode != detect.Observe {
			if refused, all := b.metric("noecho_body_bytes_total", `{fate="refused"}`), b.metric("noecho_body_bytes_total", `{fate="\w+"}`); refused == 0 || all < 2*len(said) {
				t.Errorf("%s: %d bytes refused, %d on the books", mode, refused, all)
			}
			b.stop()
			if lines := b.alertLines("unscanned"); len(lines) != 4 || lines[0]["action"] != "refused" {
				t.Errorf("%s: alerts %v", mode, lines)
			}
		}
		if logs := b.logs.String(); strings.Contains(logs, "canary") || !strings.Contains(logs, "caught a panic") {
			t.Errorf("%s: %s", mode, logs)
		}
	}
}

// latePanicSet is an index that panics when it has found some windows.
type latePanicSet struct {
	detect.Index
	left *atomic.Int32
}

func (s latePanicSet) Window(h ngram.Hash) bool {
	found := s.Index.Window(h)
	if found && s.left.Add(-1) < 0 {
		panic("window")
	}
	return found
}

// TestPanicsReportFindings: the findings made before a panic are reported.
func TestPanicsReportFindings(t *testing.T) {
	t.Parallel()
	for _, mode := range []detect.Action{detect.Redact, detect.Observe} {
		cfg := bedConfig(t, recite(t, says("It was: "+secret+". So what? It was: "+secret+".")).URL())
		cfg.Mode = mode
		open, left := secretOpen(t), &atomic.Int32{}
		b := newBed(t, Options{Config: cfg, Open: func(asked *config.Config) (Indexes, error) {
			x, err := open(asked)
			x.Set = latePanicSet{x.Set, left}
			return x, err
		}})
		left.Store(3) // the windows of secret
		_, _, _, err := b.do("POST", chatPath, askStream)
		if (err != nil) != (mode == detect.Redact) {
			t.Errorf("%s: %v", mode, err)
		}
		if n := b.metric("noecho_panics_total", ""); n != 1 {
			t.Errorf("%s: %d panics counted", mode, n)
		}
		b.stop()
		if lines := b.alertLines("finding"); len(lines) != 1 {
			t.Errorf("%s: alerts %v", mode, lines)
		}
	}
}

// gatePanicSet is an index that panics at the first look-up, which is one of the prompt.
type gatePanicSet struct{ detect.Index }

func (gatePanicSet) Gate2(ngram.Hash) bool  { panic("gate") }
func (gatePanicSet) Gate4(ngram.Hash) bool  { panic("gate") }
func (gatePanicSet) Window(ngram.Hash) bool { panic("gate") }

// TestPanicsKeepNothing: a request that panics releases its snapshot and its connections.
func TestPanicsKeepNothing(t *testing.T) {
	t.Parallel()
	cfg := bedConfig(t, recite(t, says("It was: "+secret+". So what?")).URL())
	cfg.Limits.Streams = 1
	open := secretOpen(t)
	b := newBed(t, Options{Config: cfg, Open: func(asked *config.Config) (Indexes, error) {
		x, err := open(asked)
		x.Set = gatePanicSet{x.Set}
		return x, err
	}})
	ask := `{"stream":true,"messages":[{"role":"user","content":"a prompt of more than five words"}]}`
	for range 5 {
		if status, _, text, err := b.do("POST", chatPath, ask); err == nil && status != 400 {
			t.Errorf("%d %q %v", status, text, err)
		}
		if status, _, _, err := b.do("GET", "/v1/models", ""); err != nil || status != 200 {
			t.Errorf("models: %d %v", status, err)
		}
	}
	if n := b.metric("noecho_requests_in_flight", ""); n != 0 {
		t.Errorf("%d requests in flight", n)
	}
}

// TestObserveIsLive: in observe mode an unstreamed answer is passed on as it comes.
func TestObserveIsLive(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	up := newScripted(t, func(c *scene) {
		c.say(headChunked)
		c.chunk(`{"choices":[{"index":0,"message":{"content":"`)
		<-next
		c.chunk(secret + `"}}]}`)
		c.say(endChunked)
	})
	cfg := bedConfig(t, up.url())
	cfg.Mode = detect.Observe
	b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
	req, err := http.NewRequestWithContext(context.Background(), "POST", "http://"+b.data+chatPath, strings.NewReader(askWhole))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewReader(resp.Body)
	if head, err := in.ReadString(':'); err != nil || head != `{"choices":` {
		t.Fatalf("%q %v", head, err)
	}
	close(next)
	if rest, err := io.ReadAll(in); err != nil || !strings.HasSuffix(string(rest), secret+`"}}]}`) {
		t.Errorf("%q %v", rest, err)
	}
	b.stop()
	if lines := b.alertLines("finding"); len(lines) != 1 || lines[0]["action"] != "observed" {
		t.Errorf("alerts %v", lines)
	}
}
