package proxy

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"noecho/proxy/config"
)

// TestUpgradeIsIgnored: an offer of another protocol does not keep a request from its answer;
// Java's HTTP client and curl --http2 offer h2c with every first request. Only a WebSocket is
// refused.
func TestUpgradeIsIgnored(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	b := newBed(t, Options{Config: bedConfig(t, up.url())})
	const head = "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
	for _, lines := range []string{
		"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
		"Connection: close, UPGRADE\r\n", "Connection: close\r\nUpgrade: TLS/1.2, h2c\r\n", "Connection: close\r\nHTTP2-Settings: x\r\n",
	} {
		if answer := b.raw(head + lines + "\r\n{}"); !strings.HasPrefix(answer, "HTTP/1.1 200 ") || strings.Contains(answer, "Upgrade") {
			t.Errorf("%q: %q", lines, answer)
		}
		if got := strings.ToLower(wait(t, up.requests, "request")); strings.Contains(got, "upgrade") || strings.Contains(got, "http2-settings") {
			t.Errorf("%q: upstream got %q", lines, got)
		}
	}
	for _, offer := range []string{"websocket", "h2c, WebSocket", "WebSocket/13"} {
		if answer := b.raw(head + "Connection: Upgrade\r\nUpgrade: " + offer + "\r\n\r\n{}"); !strings.HasPrefix(answer, "HTTP/1.1 400 ") || !strings.Contains(answer, badUpgrade) {
			t.Errorf("%s: %q", offer, answer)
		}
	}
}

// TestHeaderNames: a header with _ or . in its name does not refuse the request. It is dropped,
// unless the operator names it.
func TestHeaderNames(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	cfg := bedConfig(t, up.url())
	cfg.Headers.Pass = []string{"session_id", "x.trace"}
	b := newBed(t, Options{Config: cfg})
	const head = "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\n"
	answer := b.raw(head + "Connection: close\r\nSession_ID: 1\r\nx.trace: 2\r\nconversation_id: 3\r\nX_Api_Key: 4\r\nauthorization_: 5\r\n" +
		"openai_project: 6\r\nX-Odd!#$%&'*+^`|~: 7\r\nAnthropic-Beta.x: 8\r\nContent-Length: 2\r\n\r\n{}")
	got := strings.ToLower(wait(t, up.requests, "request"))
	if !strings.HasPrefix(answer, "HTTP/1.1 200 ") || !strings.Contains(got, "session_id: 1\r\n") || !strings.Contains(got, "x.trace: 2\r\n") {
		t.Errorf("%q, upstream got %q", answer, got)
	}
	for _, value := range []string{": 3", ": 4", ": 5", ": 6", ": 7", ": 8"} {
		if strings.Contains(got, value+"\r\n") {
			t.Errorf("upstream got %q in %q", value, got)
		}
	}
	// A server in front of noecho may have read another end: the bytes behind are no request.
	for _, lines := range []string{"Transfer_Encoding: chunked\r\nContent-Length: 2\r\n", "Content-Length: 2\r\nContent.Length: 60\r\n", "Content_Length: 2\r\n"} {
		answer := b.raw(head + lines + "\r\n{}GET /v1/models/smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
		got := wait(t, up.requests, "request")
		if strings.Count(answer, "HTTP/1.1 ") != 1 || !strings.Contains(answer, "Connection: close\r\n") || strings.Contains(strings.ToLower(got), "_encoding") || len(up.requests) > 0 {
			t.Errorf("%q: %q, upstream got %q", lines, answer, got)
		}
	}
}

// TestGatewayHeaders: the headers of common gateways reach the upstream, and their credentials
// name the principal of an alert.
func TestGatewayHeaders(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.whole(200, "application/json", `{"choices":[{"index":0,"message":{"content":"`+secret+`"}}]}`)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	lines := []string{
		"Ocp-Apim-Subscription-Key", "X-Portkey-Config", "X-Portkey-Virtual-Key", "Http-Referer", "X-Title", "X-Dashscope-Sse",
		"Azureml-Model-Deployment", "Helicone-Auth", "Cf-Aig-Authorization", "X-Litellm-Tags", "X-Litellm-Api-Key",
		"X-Stainless-Retry-Count", "Extra-Parameters", "Baggage", "B3", "X-Client-Request-Id", "Session-Id", "Originator",
	}
	for _, name := range lines {
		if status, _, _, err := b.do("POST", chatPath, askWhole, name, "one"); err != nil || status != 200 {
			t.Errorf("%s: %d %v", name, status, err)
		}
		if got := wait(t, up.requests, "request"); !strings.Contains(got, "\r\n"+name+": one\r\n") {
			t.Errorf("%s: upstream got %q", name, got)
		}
	}
	b.stop()
	for i, line := range b.alertLines("finding") {
		wanted := strings.HasSuffix(lines[i], "-Key") || strings.Contains(lines[i], "Auth")
		if (line["principal"] != nil && line["principal"] != "") != wanted {
			t.Errorf("%s: principal %v", lines[i], line["principal"])
		}
	}
}

// preflightLines are the headers of a browser's first question.
const preflightLines = "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,content-type\r\n"

// TestPreflightIsPassedOn: a page of another origin asks the upstream, whose answer it gets
// without the body.
func TestPreflightIsPassedOn(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.say("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nAccess-Control-Allow-Origin: https://app.example\r\nAccess-Control-Allow-Headers: authorization\r\nLocation: /x\r\nContent-Length: 2\r\n\r\n{}")
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	for path, method := range map[string]string{chatPath: "POST", "/v1/embeddings": "POST", "/v1/responses/r": "DELETE"} {
		answer := b.raw("OPTIONS " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Replace(preflightLines, "POST", method, 1) + "\r\n")
		head, body, _ := strings.Cut(answer, "\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 200 ") || !strings.Contains(head, "Access-Control-Allow-Origin: https://app.example\r\n") || body != "" || strings.Contains(head, "Location") {
			t.Errorf("%s: %q", path, answer)
		}
		got := wait(t, up.requests, "request")
		for _, want := range []string{"OPTIONS " + path + " HTTP/1.1\r\n", "\r\nOrigin: https://app.example\r\n", "\r\nAccess-Control-Request-Method: " + method + "\r\n", "\r\nAccess-Control-Request-Headers: authorization,content-type\r\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: upstream did not get %q in %q", path, want, got)
			}
		}
	}
	if _, h, _, err := b.do("POST", chatPath, askWhole, "Origin", "https://app.example"); err != nil || h.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("%v %v", h, err)
	}
	if got := wait(t, up.requests, "request"); !strings.Contains(got, "\r\nOrigin: https://app.example\r\n") {
		t.Errorf("upstream got %q", got)
	}
	for request, want := range map[string]string{
		"OPTIONS /slots HTTP/1.1\r\n" + preflightLines:                                                  "404",
		"OPTIONS /v1/chat/completions HTTP/1.1\r\n" + strings.Replace(preflightLines, "POST", "PUT", 1): "405",
		"OPTIONS /v1/chat/completions HTTP/1.1\r\nOrigin: https://app.example\r\n":                      "405",
		"OPTIONS /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n":                                "405",
	} {
		if answer := b.raw(request + "Host: x\r\nConnection: close\r\n\r\n{}"); !strings.HasPrefix(answer, "HTTP/1.1 "+want) {
			t.Errorf("%q: %q", request, answer)
		}
	}
	if len(up.requests) > 0 {
		t.Errorf("upstream got %q", <-up.requests)
	}
}

// TestCORSSection: noecho answers pages itself, and the upstream sees nothing of it.
func TestCORSSection(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.say("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nAccess-Control-Allow-Origin: https://other\r\nX-Request-Id: r\r\nContent-Length: 2\r\n\r\n{}")
	})
	f := func(cors config.CORS, origin, allowed, credentials string) {
		t.Helper()
		cfg := bedConfig(t, up.url())
		cfg.CORS = cors
		b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
		answer := b.raw("OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Replace(preflightLines, "https://app.example", origin, 1) + "\r\n")
		if allowed == "" {
			if !strings.HasPrefix(answer, "HTTP/1.1 403 ") || strings.Contains(answer, "Access-Control-Allow-Origin") {
				t.Errorf("%s: %q", origin, answer)
			}
			origin = strings.ReplaceAll(origin, "\r\nOrigin: ", ", ")
			if status, h, _, err := b.do("POST", chatPath, askWhole, "Origin", origin); err != nil || status != 403 || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %d %v %v", origin, status, h, err)
			}
			return
		}
		for _, want := range []string{"HTTP/1.1 204 ", "Access-Control-Allow-Origin: " + allowed + "\r\n", "Access-Control-Allow-Methods: GET, POST\r\n", "Access-Control-Allow-Headers: authorization,content-type\r\n", "Access-Control-Max-Age: 600\r\n"} {
			if !strings.Contains(answer, want) {
				t.Errorf("%s: no %q in %q", origin, want, answer)
			}
		}
		for _, path := range []string{chatPath, "/unlisted"} { // refusals can be read too
			_, h, _, err := b.do("POST", path, askWhole, "Origin", origin)
			if err != nil || fmt.Sprint(h.Values("Access-Control-Allow-Origin")) != "["+allowed+"]" || h.Get("Access-Control-Allow-Credentials") != credentials {
				t.Errorf("%s %s: %v %v", origin, path, h, err)
			}
			if path == chatPath && !strings.Contains(h.Get("Access-Control-Expose-Headers"), "X-Request-Id") {
				t.Errorf("%s: %v", origin, h)
			}
		}
		if got := wait(t, up.requests, "request"); strings.Contains(got, "Origin") {
			t.Errorf("upstream got %q", got)
		}
		if _, h, _, err := b.do("POST", chatPath, askWhole); err != nil || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("without an origin: %v %v", h, err)
		}
		wait(t, up.requests, "request")
	}
	age := config.CORS{MaxAge: 600e9}
	listed, all, trusted := age, age, age
	listed.Origins, all.Origins = []string{"https://app.example", "null"}, []string{"*"}
	trusted.Origins, trusted.Credentials = []string{"*"}, true
	f(listed, "https://app.example", "https://app.example", "")
	f(listed, "null", "null", "")
	f(listed, "https://app.example.evil", "", "")
	f(listed, "https://app.example\r\nOrigin: https://evil", "", "")
	f(all, "https://any", "*", "")
	f(trusted, "https://any", "https://any", "true")
	if len(up.requests) > 0 {
		t.Errorf("upstream got %q", <-up.requests)
	}
}

// TestMethods: a method that a path is not open for gets 405 and the methods that it is open
// for; nothing reaches the upstream.
func TestMethods(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.whole(200, "application/json", `{"id":"resp_1","object":"response.deleted","deleted":true}`)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"PUT", chatPath, 405, "GET, POST"},
		{"PATCH", "/v1/models", 405, "GET, HEAD"},
		{"DELETE", "/v1/models/m", 405, "GET, HEAD"},
		{"HEAD", chatPath, 405, "GET, POST"},
		{"OPTIONS", "/v1/embeddings", 405, "POST"},
		{"TRACE", "/health", 405, "GET, HEAD"},
		{"POST", "/v1/responses/resp_1", 405, "GET, DELETE"},
		{"DELETE", "/v1/unlisted", 404, ""},
		{"PUT", "/slots", 404, ""},
		{"DELETE", "/v1/responses/resp_1", 200, ""},
		{"DELETE", "/v1/chat/completions/c1", 200, ""},
		{"DELETE", "/v1/conversations/c1", 200, ""},
		{"DELETE", "/v1/conversations/c1/items/i", 200, ""},
		{"GET", "/", 200, ""},
		{"HEAD", "/", 200, ""},
		{"GET", "/health/readiness", 200, ""},
		{"GET", "/v1/model/info", 200, ""},
		{"GET", "/api/v0/models", 200, ""},
		{"GET", "/v1/health/ready", 200, ""},
		{"HEAD", "/health/live", 200, ""},
	} {
		status, h, text, err := b.do(tt.method, tt.path, "")
		if err != nil || status != tt.status || h.Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d %q %q %v", tt.method, tt.path, status, h.Get("Allow"), text, err)
		}
		if reached := len(up.requests) > 0; reached != (tt.status == 200) {
			t.Errorf("%s %s: reached the upstream: %v", tt.method, tt.path, reached)
		}
		for len(up.requests) > 0 {
			if got := <-up.requests; !strings.HasPrefix(got, tt.method+" "+tt.path+" HTTP/1.1\r\n") {
				t.Errorf("upstream got %q", got)
			}
		}
	}
}

// TestUnwantedBody: a body that nobody reads is never taken for the next request.
func TestUnwantedBody(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	b := newBed(t, Options{Config: bedConfig(t, up.url())})
	const next = "GET /v1/models/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	long := strings.Repeat(next, 20_000/len(next)+1)
	for _, line := range []string{"GET /v1/models", "DELETE /v1/responses/r", "POST /v1/unlisted", "PUT /v1/models", "OPTIONS /v1/models", "HEAD /v1/models"} {
		for _, framing := range []string{"Content-Length: %d\r\n\r\n%s", "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"} {
			conn := b.dial()
			_, _ = fmt.Fprintf(conn, line+" HTTP/1.1\r\nHost: x\r\n"+framing, len(long), long)
			answer, _ := io.ReadAll(conn)
			_ = conn.Close()
			if strings.Count(string(answer), "HTTP/1.1 ") != 1 {
				t.Errorf("%s: %q", line, answer)
			}
			for len(up.requests) > 0 {
				if got := <-up.requests; strings.Contains(got, "smuggled") {
					t.Errorf("%s: upstream got %q", line, got)
				}
			}
		}
	}
}

// TestEarlyAnswer: a server that answers before it has read the request is heard. No other request
// is sent behind one that it may never read.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for conn, err := ln.Accept(); err == nil; conn, err = ln.Accept() {
			go func() {
				buf := make([]byte, 1000)
				_, _ = conn.Read(buf)
				end := "Connection: close\r\n\r\n"
				if strings.Contains(string(buf), "keep") {
					end = "\r\n"
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 413 Payload Too Large\r\nContent-Type: application/json\r\nContent-Length: 26\r\n"+end+`{"error":{"message":"no"}}`)
				if strings.Contains(string(buf), "wait") || strings.Contains(string(buf), "keep") {
					_, _ = io.Copy(io.Discard, conn) // until the proxy gives up
				}
				_ = conn.Close() // with unread bytes: a reset
			}()
		}
	}()
	b := newBed(t, Options{Config: bedConfig(t, "http://"+ln.Addr().String()), Open: secretOpen(t)})
	for _, size := range []int{10, 100_000, 8_000_000} {
		for _, path := range []string{"/v1/embeddings", chatPath, chatPath + "?wait", chatPath + "?keep", chatPath + "?keep"} {
			if size == 10 && strings.HasSuffix(path, "keep") {
				continue // short requests are read
			}
			status, _, text, err := b.do("POST", path, `{"messages":[],"pad":"`+strings.Repeat("x", size)+`"}`)
			if err != nil || status != 413 || text != `{"error":{"message":"no"}}` {
				t.Errorf("%d bytes, %s: %d %q %v", size, path, status, text, err)
			}
		}
	}
}

// TestLongAnswerHead: an answer's head may be as long as limits.answer_header.
func TestLongAnswerHead(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		head := "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		if strings.Contains(c.head, "models") {
			head += "X-Long: " + strings.Repeat("x", 70_000) + "\r\n"
		}
		for i := range 400 {
			head += fmt.Sprintf("X-Ratelimit-Limit-%d: %s\r\n", i, strings.Repeat("x", 40))
		}
		c.say("%sContent-Length: 2\r\n\r\n{}", head)
	})
	cfg := bedConfig(t, up.url())
	cfg.Limits.AnswerHeader = 64 << 10
	b := newBed(t, Options{Config: cfg})
	for range 2 {
		if status, h, text, err := b.do("POST", chatPath, askWhole); err != nil || status != 200 || text != "{}" || len(h) < 400 {
			t.Errorf("%d, %d headers, %q %v", status, len(h), text, err)
		}
	}
	if n := up.accepted(); n != 1 {
		t.Errorf("%d connections for 2 requests", n)
	}
	if status, _, _, err := b.do("GET", "/v1/models", ""); err != nil || status != 502 || !strings.Contains(b.logs.String(), errLongHead.Error()) {
		t.Errorf("%d %v %s", status, err, b.logs.String())
	}
}

// TestAnnouncedBody: a body costs memory as its bytes come, however long it is announced, and a
// request that is refused is refused before its body.
func TestAnnouncedBody(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	cfg := bedConfig(t, up.url())
	b := newBed(t, Options{Config: cfg})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	conns := make([]net.Conn, 0, 50)
	for range 50 {
		conn := b.dial()
		_, _ = io.WriteString(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n{"+strings.Repeat(" ", 9000))
		conns = append(conns, conn)
	}
	if status, _, _, err := b.do("GET", "/v1/models", ""); err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc) - int64(before.TotalAlloc); grown > 200<<20 { // announced: 3 GB
		t.Errorf("%d bytes allocated", grown)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	for head, want := range map[string]string{
		"POST /v1/unlisted HTTP/1.1\r\nContent-Length: 60000000":                                        "404",
		"POST /v1/embeddings HTTP/1.1\r\nContent-Length: 60000000\r\nAuthorization: AWS4-HMAC-SHA256 x": "400",
		"POST /v1/embeddings HTTP/1.1\r\nContent-Length: 70000000":                                      "413",
		"PUT /v1/embeddings HTTP/1.1\r\nTransfer-Encoding: chunked":                                     "405",
	} {
		if answer := b.raw(head + "\r\nHost: x\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 "+want) || !strings.Contains(answer, `{"error":{`) { // no byte of the body
			t.Errorf("%q: %q", head, answer)
		}
	}
}

// TestBodyBudget: bodies together take no more memory than limits.bodies, and short ones are
// read when it is used up.
func TestBodyBudget(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	cfg := bedConfig(t, up.url())
	cfg.Limits.Request, cfg.Limits.Bodies = 1<<20, 1<<20
	b := newBed(t, Options{Config: cfg})
	const body = 900_000
	first := b.dial()
	defer func() { _ = first.Close() }()
	_, _ = fmt.Fprintf(first, "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", body, strings.Repeat(" ", body-1))
	for b.srv.bodies.used.Load() < body-freeBody {
		runtime.Gosched()
	}
	for _, framing := range []string{"Content-Length: 900000\r\n\r\n%s", "Transfer-Encoding: chunked\r\n\r\ndbba0\r\n%s\r\n0\r\n\r\n"} {
		answer := b.raw(fmt.Sprintf("POST /v1/embeddings HTTP/1.1\r\nHost: x\r\n"+framing, strings.Repeat(" ", body)))
		if !strings.HasPrefix(answer, "HTTP/1.1 429 ") || !strings.Contains(answer, "limits.bodies") || !strings.Contains(answer, "Connection: close") {
			t.Errorf("%.200q", answer)
		}
	}
	if status, _, _, err := b.do("POST", "/v1/embeddings", strings.Repeat(" ", 60_000)); err != nil || status != 200 {
		t.Errorf("%d %v", status, err)
	}
	_, _ = io.WriteString(first, " ")
	if answer, err := io.ReadAll(first); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		t.Errorf("%q %v", answer, err)
	}
	if n := b.srv.bodies.used.Load(); n != 0 {
		t.Errorf("%d bytes are still counted", n)
	}
}

// TestTrailerIsNoHeader: what follows a chunked body does not reach the upstream.
func TestTrailerIsNoHeader(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	b := newBed(t, Options{Config: bedConfig(t, up.url())})
	answer := b.raw("POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nAnthropic-Beta: x\r\nX-Api-Key: y\r\n\r\n")
	if got := wait(t, up.requests, "request"); !strings.HasPrefix(answer, "HTTP/1.1 200") || strings.Contains(got, "Anthropic") || strings.Contains(got, "Api-Key") {
		t.Errorf("%q, upstream got %q", answer, got)
	}
}
