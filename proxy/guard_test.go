package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// smuggling are requests that two servers could read differently, or for paths that are not
// open. None may reach the upstream.
var smuggling = map[string]string{
	"absolute form":              "GET http://evil.internal/v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
	"absolute form, same host":   "POST http://x/v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"authority form":             "CONNECT model:8000 HTTP/1.1\r\nHost: x\r\n\r\n",
	"asterisk":                   "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
	"h2 preface":                 "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"websocket":                  "GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	"put":                        "PUT /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
	"delete":                     "DELETE /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
	"trace":                      "TRACE /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
	"lower-case method":          "get /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
	"double slash":               "POST //v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"double slash inside":        "POST /v1//chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"dot dot":                    "POST /v1/models/../chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"dot":                        "POST /v1/./chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"escaped slash":              "GET /v1%2fmodels HTTP/1.1\r\nHost: x\r\n\r\n",
	"escaped slash in a segment": "GET /v1/models/..%2F..%2Fadmin HTTP/1.1\r\nHost: x\r\n\r\n",
	"escaped dots":               "GET /v1/models/%2e%2e/slots HTTP/1.1\r\nHost: x\r\n\r\n",
	"escaped letter":             "GET /v1/model%73 HTTP/1.1\r\nHost: x\r\n\r\n",
	"escaped nul":                "GET /v1/models%00 HTTP/1.1\r\nHost: x\r\n\r\n",
	"parameter":                  "POST /v1/chat/completions;x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"backslash":                  "POST /v1\\chat\\completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"fragment":                   "POST /v1/chat/completions#x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"not ascii":                  "GET /v1/models/\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
	"space in the path":          "GET /v1/models HTTP/1.1 HTTP/1.1\r\nHost: x\r\n\r\n",
	"tab in the request line":    "GET\t/v1/models\tHTTP/1.1\r\nHost: x\r\n\r\n",
	"version 9.9":                "GET /v1/models HTTP/9.9\r\nHost: x\r\n\r\n",
	"version 0.9":                "GET /v1/models\r\n\r\n",
	"version 2.0":                "GET /v1/models HTTP/2.0\r\nHost: x\r\n\r\n",
	"no host":                    "GET /v1/models HTTP/1.1\r\nAccept: */*\r\n\r\n",
	"empty host":                 "GET /v1/models HTTP/1.1\r\nHost:\r\n\r\n",
	"two hosts":                  "GET /v1/models HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
	"two names in a host":        "GET /v1/models HTTP/1.1\r\nHost: x, y\r\n\r\n",
	"path in the host":           "GET /v1/models HTTP/1.1\r\nHost: x/admin\r\n\r\n",
	"length and coding":          "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"two lengths":                "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
	"list of lengths":            "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\n{}",
	"signed length":              "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}",
	"hex length":                 "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 0x2\r\n\r\n{}",
	"endless length":             "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
	"identity coding":            "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
	"unknown coding":             "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"stacked coding":             "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"two codings":                "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"unknown expectation":        "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nExpect: foo\r\nContent-Length: 2\r\n\r\n{}",
	"coding on 1.0":              "POST /v1/embeddings HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"space in a name":            "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
	"space before the colon":     "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\nContent-Length: 2\r\n\r\n{}",
	"folded line":                "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
	"folded first line":          "POST /v1/embeddings HTTP/1.1\r\n Host: x\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"bare line feed":             "POST /v1/embeddings HTTP/1.1\r\nHost: x\nContent-Length: 2\r\n\r\n{}",
	"bare carriage return":       "POST /v1/embeddings HTTP/1.1\r\nHost: x\rTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
	"nul in a value":             "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
	"no colon":                   "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding\r\nContent-Length: 2\r\n\r\n{}",
	"no name":                    "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\n: chunked\r\nContent-Length: 2\r\n\r\n{}",
	"broken chunk":               "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n{}\r\n0\r\n\r\n",
	"chunk too long":             "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
	"unknown request coding":     "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Encoding: compress\r\nContent-Length: 2\r\n\r\n{}",

	"unlisted":              "GET /slots HTTP/1.1\r\nHost: x\r\n\r\n",
	"admin of noecho":       "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
	"reload of noecho":      "POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
	"profile of noecho":     "GET /debug/pprof/heap HTTP/1.1\r\nHost: x\r\n\r\n",
	"by suffix":             "POST /evil/v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"trailing slash":        "POST /v1/chat/completions/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"other case":            "POST /v1/Chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"write to models":       "POST /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"vertex":                "POST /vertex_generate HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"detokenize":            "POST /detokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"weights":               "POST /update_weights HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"hidden deployment":     "POST /openai/deployments/.hidden/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"too many segments":     "POST /openai/deployments/a/b/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"empty path with query": "GET ?x=/v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
}

func TestSmugglingNeverReachesTheUpstream(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "text/plain", "reached") })
	b := newBed(t, Options{Config: bedConfig(t, up.url())})
	// These bytes follow every case. They must not become a request either.
	const next = "GET /v1/models/smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for name, request := range smuggling {
		answer := b.raw(request + next)
		for len(up.requests) > 0 {
			r := <-up.requests
			refusedFirst := !strings.HasPrefix(answer, "HTTP/1.1 2")
			if !refusedFirst || !strings.HasPrefix(r, "GET /v1/models/smuggled") {
				t.Errorf("%s: upstream got %q", name, r)
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
		if err != nil || resp.StatusCode < 400 || resp.StatusCode >= 500 {
			t.Errorf("%s: answer %q", name, answer)
			continue
		}
		if ct := resp.Header.Get("Content-Type"); ct != "application/json" || !strings.Contains(answer, `{"error":{"message":"`) {
			t.Errorf("%s: refused without a clear body: %q", name, answer)
		}
		// After a request whose end is not certain the connection is closed.
		if resp.StatusCode == 400 && name != "unknown request coding" && strings.Count(answer, "HTTP/1.1 2") > 0 {
			t.Errorf("%s: the connection went on after a bad request: %q", name, answer)
		}
	}
}

// TestCutRequest: a body that is cut is not taken for a shorter body.
func TestCutRequest(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "text/plain", "reached") })
	b := newBed(t, Options{Config: bedConfig(t, up.url())})
	for _, request := range []string{
		"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{}",
		"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
		"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{",
		"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Le",
	} {
		conn := b.dial()
		_, _ = io.WriteString(conn, request)
		_ = conn.(*net.TCPConn).CloseWrite()
		if answer, err := io.ReadAll(conn); err == nil && len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 400") {
			t.Errorf("%q: %q", request, answer)
		}
		_ = conn.Close()
	}
	if len(up.requests) > 0 {
		t.Errorf("upstream got %q", <-up.requests)
	}
}

func TestGuardAccepts(t *testing.T) {
	t.Parallel()
	f := func(request string) {
		t.Helper()
		var h fasthttp.RequestHeader
		if err := h.Read(bufio.NewReader(strings.NewReader(request))); err != nil {
			t.Errorf("%q: %v", request, err)
		} else if why := guard(&h); why != "" {
			t.Errorf("%q: %s", request, why)
		}
	}
	f("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
	f("GET /v1/models HTTP/1.0\r\n\r\n")
	f("HEAD /health HTTP/1.1\r\nhost: [::1]:8711\r\nAccept: */*\r\n\r\n")
	f("POST /openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21&x=%2F HTTP/1.1\r\nHost: x:1\r\nContent-Length: 12\r\nX-Long: a\tb \xc3\xa4\r\n\r\n")
	f("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n")
}

// TestCodingName: the case of the coding name chunked does not matter, and an expectation that
// cannot be met has its own status.
func TestCodingName(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	b := newBed(t, Options{Config: bedConfig(t, up.url())})
	const head = "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	for _, name := range []string{"chunked", "Chunked", "CHUNKED"} {
		if answer := b.raw(head + "Transfer-Encoding: " + name + "\r\n\r\n2\r\n{}\r\n0\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
			t.Errorf("%s: %q", name, answer)
		}
		if got := wait(t, up.requests, "request"); !strings.HasSuffix(got, "\r\n\r\n{}") {
			t.Errorf("%s: upstream got %q", name, got)
		}
	}
	if answer := b.raw(head + "Expect: foo\r\nContent-Length: 2\r\n\r\n{}"); !strings.HasPrefix(answer, "HTTP/1.1 417 ") {
		t.Errorf("%q", answer)
	}
}

// TestConnectionHeaders: every Connection header counts, not only the last.
func TestConnectionHeaders(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.say("HTTP/1.1 200 OK\r\nConnection: keep-alive, X-One\r\nConnection: X-Two\r\nX-One: 1\r\nX-Two: 2\r\nContent-Length: 2\r\n\r\n{}")
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url())})
	for _, lines := range []string{"Connection: close\r\nConnection: Traceparent\r\n", "Connection: Traceparent\r\nConnection: Close\r\n"} {
		answer := b.raw("GET /v1/models HTTP/1.1\r\nHost: x\r\n" + lines + "Traceparent: g\r\n\r\n") // returns when the connection is closed
		if !strings.Contains(answer, "Connection: close\r\n") || strings.Contains(answer, "X-One") || strings.Contains(answer, "X-Two") {
			t.Errorf("%q: %q", lines, answer)
		}
		if got := wait(t, up.requests, "request"); strings.Contains(got, "Traceparent") {
			t.Errorf("%q: upstream got %q", lines, got)
		}
	}
}

// TestBareHead: noecho adds no Content-Type if the upstream sends none.
func TestBareHead(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") })
	b := newBed(t, Options{Config: passConfig(t, up.url()), Open: secretOpen(t)})
	for _, path := range []string{"/raw", chatPath} {
		_, h, text, err := b.do("POST", path, askWhole)
		if err != nil || text != "{}" || h["Content-Type"] != nil {
			t.Errorf("%s: %v %q %v", path, h, text, err)
		}
	}
}

func FuzzGuard(f *testing.F) {
	for _, request := range smuggling {
		f.Add([]byte(request))
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		var h fasthttp.RequestHeader
		if h.Read(bufio.NewReader(strings.NewReader(string(request)))) != nil || guard(&h) != "" {
			return
		}
		if target := string(h.RequestURI()); !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") {
			t.Errorf("target %q", target)
		}
		raw := strings.ToLower(string(h.RawHeaders()))
		if strings.Count("\r\n"+raw, "\r\nhost:") > 1 || strings.Contains(raw, "upgrade: websocket") {
			t.Errorf("header %q", raw)
		}
	})
}

// TestExpect: a caller that waits before it sends the body gets a refusal before it.
func TestExpect(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "text/plain", "ok") })
	cfg := bedConfig(t, up.url())
	cfg.Limits.Request = 1 << 10
	b := newBed(t, Options{Config: cfg})
	f := func(target, length, body, want string) {
		t.Helper()
		answer := b.raw("POST " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: " + length + "\r\n\r\n" + body)
		if !strings.HasPrefix(answer, want) {
			t.Errorf("%s: %q, want %q", target, answer, want)
		}
	}
	f("/v1/embeddings", "2", "{}", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
	f("/slots", "2", "", "HTTP/1.1 404 ")
	f("//v1/embeddings", "2", "", "HTTP/1.1 400 ")
	f("/v1/embeddings", "2000", "", "HTTP/1.1 413 ")
	if got := wait(t, up.requests, "request"); strings.Contains(got, "Expect") || !strings.HasSuffix(got, "{}") {
		t.Errorf("upstream got %q", got)
	}
}

func TestRequestRebuilt(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	cfg := bedConfig(t, up.url())
	cfg.Headers.Pass = []string{"x-team"}
	b := newBed(t, Options{Config: cfg})
	answer := b.raw("POST /v1/embeddings?a=b HTTP/1.1\r\nHost: evil\r\nContent-Type: application/json\r\nContent-Length: 2\r\n" +
		"Authorization: Bearer a\r\nApi-Key: b\r\nx-goog-api-key: c\r\nAnthropic-Version: d\r\nOpenAI-Organization: e\r\nX-Team: f\r\nTraceparent: g\r\n" +
		"X-Forwarded-For: 1.2.3.4\r\nX-Secret: h\r\nCookie: i=j\r\nConnection: close, Traceparent\r\nKeep-Alive: k\r\nTE: trailers\r\nExpect-CT: l\r\n" +
		"Accept-Encoding: gzip\r\nRange: bytes=0-1\r\nIf-None-Match: m\r\nProxy-Authorization: n\r\n\r\n{}")
	if !strings.HasPrefix(answer, "HTTP/1.1 200") {
		t.Fatal(answer)
	}
	got := wait(t, up.requests, "request")
	for _, want := range []string{
		"POST /v1/embeddings?a=b HTTP/1.1\r\n", "\r\nHost: " + up.ln.Addr().String() + "\r\n", "\r\nContent-Type: application/json\r\n",
		"\r\nContent-Length: 2\r\n", "\r\nAuthorization: Bearer a\r\n", "\r\nApi-Key: b\r\n", "\r\nX-Goog-Api-Key: c\r\n",
		"\r\nAnthropic-Version: d\r\n", "\r\nOpenai-Organization: e\r\n", "\r\nX-Team: f\r\n", "\r\nAccept-Encoding: identity\r\n", "\r\n\r\n{}",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("upstream did not get %q in %q", want, got)
		}
	}
	for _, banned := range []string{"evil", "1.2.3.4", "X-Secret", "Cookie", "Traceparent", "Keep-Alive", "TE:", "Te:", "Range", "If-None", "Proxy", "Connection", "gzip", "Expect"} {
		if strings.Contains(got, banned) {
			t.Errorf("upstream got %q in %q", banned, got)
		}
	}
}

func TestResponseHeaders(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.say("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nServer: model\r\nX-Request-Id: r\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-Twice: 1\r\nX-Twice: 2\r\n" +
			"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: x\r\nTrailer: X-T\r\nUpgrade: h2c\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: leak\r\n\r\n")
	})
	b := newBed(t, Options{Config: passConfig(t, up.url())})
	_, h, text, err := b.do("POST", "/raw", "{}")
	if err != nil || text != "ok" {
		t.Fatalf("%q, %v", text, err)
	}
	for name, want := range map[string]string{
		"Server": "[model]", "X-Request-Id": "[r]", "Set-Cookie": "[a=b c=d]", "X-Twice": "[1 2]", "Cache-Control": "[no-cache]", "X-Accel-Buffering": "[no]",
		"X-Hop": "[]", "Keep-Alive": "[]", "Proxy-Authenticate": "[]", "Trailer": "[]", "Upgrade": "[]", "X-T": "[]", "Connection": "[]",
	} {
		if got := fmt.Sprint(h.Values(name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for name := range h {
		if strings.Contains(strings.ToLower(name), "noecho") {
			t.Errorf("header %s tells that noecho is there", name)
		}
	}
}

func TestHeadAndEmpty(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		switch {
		case strings.HasPrefix(c.head, "HEAD"):
			c.say("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 123\r\n\r\n")
		case strings.Contains(c.head, "/raw?204"):
			c.say("HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n")
		default:
			c.say("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 304 Not Modified\r\nX-A: b\r\n\r\n")
		}
	})
	b := newBed(t, Options{Config: passConfig(t, up.url())})
	for range 2 { // the connection stays usable
		if status, h, text, err := b.do("HEAD", "/v1/models", ""); err != nil || status != 200 || h.Get("Content-Length") != "123" || text != "" {
			t.Errorf("HEAD: %d %v %q %v", status, h, text, err)
		}
		if status, h, text, err := b.do("POST", "/raw?204", "{}"); err != nil || status != 204 || h.Get("X-A") != "b" || text != "" {
			t.Errorf("204: %d %v %q %v", status, h, text, err)
		}
		if status, h, text, err := b.do("POST", "/raw?304", "{}"); err != nil || status != 304 || h.Get("X-A") != "b" || text != "" {
			t.Errorf("304: %d %v %q %v", status, h, text, err)
		}
	}
}
