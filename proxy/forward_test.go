package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/proxy/config"
)

func TestForward(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", `{"data":[]}`) })
	b := newBed(t, Options{Config: bedConfig(t, up.url()+"/base")})
	for range 3 {
		status, _, text, err := b.do("GET", "/v1/models?limit=1", "", "Authorization", "Bearer secret", "X-Other", "1", "Cookie", "a=b")
		if err != nil || status != 200 || text != `{"data":[]}` {
			t.Fatalf("%d %q %v", status, text, err)
		}
		got := wait(t, up.requests, "request")
		want := "GET /base/v1/models?limit=1 HTTP/1.1\r\nUser-Agent: Go-http-client/1.1\r\nHost: " + up.ln.Addr().String() +
			"\r\nAuthorization: Bearer secret\r\nAccept-Encoding: identity\r\n\r\n"
		if got != want {
			t.Errorf("upstream got\n%q\nwant\n%q", got, want)
		}
	}
	if n := up.accepted(); n != 1 {
		t.Errorf("%d upstream connections for 3 requests, want 1", n)
	}
}

// TestForwardLive: a chunk reaches the caller before the next one is made, and
// the head before the first.
func TestForwardLive(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	up := newScripted(t, func(c *scene) {
		c.say(headSSE)
		for _, s := range []string{"data: a\n\n", "data: b\n\n"} {
			<-next
			c.chunk(s)
		}
		<-next
		c.say(endChunked)
	})
	b := newBed(t, Options{Config: passConfig(t, up.url())})
	resp, err := b.client.Post("http://"+b.data+"/raw", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewReader(resp.Body)
	for _, want := range []string{"data: a\n", "data: b\n"} {
		next <- struct{}{}
		got, err := in.ReadString('\n')
		if err != nil || got != want {
			t.Fatalf("%q, %v", got, err)
		}
		_, _ = in.ReadString('\n')
	}
	next <- struct{}{}
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestTruncationStaysVisible: an answer that breaks off at any byte does not end as a complete
// one does.
func TestTruncationStaysVisible(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"chunked":      headSSE + "3\r\nabc\r\n5\r\ndefgh\r\n" + "0\r\n\r\n",
		"with length":  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nabcdefgh",
		"long chunked": headSSE + "2000\r\n" + strings.Repeat("x", 0x2000) + "\r\n0\r\n\r\n",
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cuts := make(chan int, 1)
			up := newScripted(t, func(c *scene) {
				cut := <-cuts
				if cut < 0 {
					cut = -cut
					c.reset()
				}
				c.say("%s", answer[:cut])
				c.over = true
			})
			b := newBed(t, Options{Config: passConfig(t, up.url())})
			body := strings.Index(answer, "\r\n\r\n") + 4
			for cut := 1; cut < len(answer); cut += 1 + cut/200*50 {
				for _, signed := range []int{cut, -cut} {
					cuts <- signed
					status, _, text, err := b.do("POST", "/raw", "{}")
					switch {
					case status == 502 && err == nil:
						if cut > body+4096 {
							t.Errorf("cut at %d: 502 although the head had come", cut)
						}
					case err == nil:
						t.Fatalf("cut at %d of %d: status %d and %q look complete", signed, len(answer), status, text)
					}
				}
			}
		})
	}
}

func TestHTTP10(t *testing.T) {
	t.Parallel()
	cut := make(chan bool, 1)
	up := newScripted(t, func(c *scene) {
		c.say(headSSE)
		c.chunk("data: a\n\n")
		if <-cut {
			c.over = true
			return
		}
		c.say(endChunked)
	})
	b := newBed(t, Options{Config: passConfig(t, up.url())})
	conn := b.dial()
	defer func() { _ = conn.Close() }()
	cut <- false
	_, _ = io.WriteString(conn, "POST /raw HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
	got, err := io.ReadAll(conn)
	head, text, _ := strings.Cut(string(got), "\r\n\r\n")
	if err != nil || text != "data: a\n\n" || strings.Contains(head, "chunked") || strings.Contains(head, "Content-Length") || !strings.Contains(head, "Connection: close") {
		t.Errorf("%q, %v", got, err)
	}
	cut <- true
	conn2 := b.dial()
	defer func() { _ = conn2.Close() }()
	_, _ = io.WriteString(conn2, "POST /raw HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
	if got, err := io.ReadAll(conn2); err == nil {
		t.Errorf("a cut answer ends cleanly: %q", got)
	}
}

// TestClientGone: the upstream is closed when the caller leaves, before the
// head and in the middle of a silent stream.
func TestClientGone(t *testing.T) {
	t.Parallel()
	for _, head := range []string{"", headSSE} {
		for _, how := range []string{"close", "reset"} {
			closed := make(chan struct{})
			asked := make(chan struct{})
			up := newScripted(t, func(c *scene) {
				c.say("%s", head)
				close(asked)
				c.waitClosed()
				close(closed)
			})
			b := newBed(t, Options{Config: passConfig(t, up.url())})
			conn := b.dial()
			_, _ = io.WriteString(conn, "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
			wait(t, asked, "the request")
			if head != "" {
				if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 200") {
					t.Fatalf("%q, %v", line, err)
				}
			}
			if how == "reset" {
				_ = conn.(*net.TCPConn).SetLinger(0)
			}
			_ = conn.Close()
			wait(t, closed, "the upstream to be closed")
		}
	}
}

// TestKeepAlive: the watcher does not disturb later requests of a connection.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "text/plain", "ok") })
	b := newBed(t, Options{Config: passConfig(t, up.url())})
	conn := b.dial()
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	const request = "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
	for i, burst := range []int{1, 1, 3, 1} { // 3: pipelined
		_, _ = io.WriteString(conn, strings.Repeat(request, burst))
		for range burst {
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("burst %d: %v", i, err)
			}
			if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "ok" {
				t.Fatalf("burst %d: %q, %v", i, text, err)
			}
		}
	}
}

func TestUpstreamDown(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	b := newBed(t, Options{Config: passConfig(t, "http://"+ln.Addr().String())})
	status, h, text, err := b.do("GET", "/v1/models", "")
	if err != nil || status != 502 || h.Get("Content-Type") != "application/json" || !strings.Contains(text, `"code":"upstream_unavailable"`) {
		t.Errorf("%d %v %q %v", status, h, text, err)
	}
}

// TestNoSecondGeneration: a request that reached a server is never sent again.
func TestNoSecondGeneration(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.over = true })
	b := newBed(t, Options{Config: passConfig(t, up.url())})
	for _, method := range []string{"GET", "POST"} {
		status, _, _, err := b.do(method, "/raw", "")
		if err != nil || status != 502 {
			t.Errorf("%s: %d, %v", method, status, err)
		}
		wait(t, up.requests, "the request")
	}
	if n := len(up.requests); n > 0 {
		t.Errorf("%d requests more than were made", n)
	}
}

// TestStaleConnection: no request fails because the server has closed an idle connection.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{}, 1)
	up := newScripted(t, func(c *scene) {
		c.whole(200, "text/plain", "ok")
		c.over = true
		_ = c.Conn.Close()
		closed <- struct{}{}
	})
	b := newBed(t, Options{Config: passConfig(t, up.url())})
	for range 5 {
		if status, _, _, err := b.do("POST", "/raw", "{}"); err != nil || status != 200 {
			t.Errorf("%d, %v", status, err)
		}
		wait(t, closed, "the server to close its connection")
	}
}

// TestDirtyConnection: the rest of an answer that was given up never becomes part of the next
// one.
func TestDirtyConnection(t *testing.T) {
	t.Parallel()
	first := true
	half := make(chan struct{})
	up := newScripted(t, func(c *scene) {
		if first {
			first = false
			c.say(headSSE)
			c.chunk("first half")
			close(half)
			c.waitClosed()
			return
		}
		c.whole(200, "text/plain", "second")
	})
	b := newBed(t, Options{Config: passConfig(t, up.url())})
	conn := b.dial()
	_, _ = io.WriteString(conn, "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
	wait(t, half, "half an answer")
	_ = conn.Close()
	if status, _, text, err := b.do("POST", "/raw", "{}"); err != nil || status != 200 || text != "second" {
		t.Errorf("%d %q %v", status, text, err)
	}
}

// TestStrayBytes: bytes that a server sends on an idle connection without a request are not
// taken for an answer. They may come with the answer before, right after it or later, in
// clear or under TLS.
func TestStrayBytes(t *testing.T) {
	t.Parallel()
	const answer, empty = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 204 No Content\r\n\r\n"
	const stray = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
	for _, secure := range []bool{false, true} {
		for name, pieces := range map[string][]string{
			"one write": {answer + stray}, "two writes": {answer, stray}, "part of it": {answer + stray[:9], stray[9:]},
			"later": {answer, "", stray}, "nothing": {empty + stray}, "nothing, later": {empty, "", stray},
		} {
			t.Run(fmt.Sprintf("%s/%t", name, secure), func(t *testing.T) {
				t.Parallel()
				later, said := make(chan struct{}, 1), make(chan struct{}, 1)
				play := func(c *scene) {
					for _, s := range pieces {
						if s == "" {
							<-later
						}
						c.say("%s", s)
					}
					said <- struct{}{}
				}
				cfg, _ := strayBed(t, secure, play)
				b := newBed(t, Options{Config: cfg})
				for i := range 4 {
					status, _, text, err := b.do("POST", "/raw", "{}")
					if err != nil || status == 200 && text != "ok" || status != 200 && (status != 204 || text != "") {
						t.Errorf("request %d: %d %q %v", i, status, text, err)
					}
					later <- struct{}{}
					wait(t, said, "stray bytes")
					select {
					case <-later:
					default:
					}
				}
			})
		}
	}
}

// TestWhyNoConnection: the log names the cause for which an upstream cannot be reached; the
// answer to the caller does not.
func TestWhyNoConnection(t *testing.T) {
	t.Parallel()
	trusted, up := strayBed(t, true, func(c *scene) { c.whole(200, "text/plain", "ok") })
	strange := passConfig(t, strings.Replace(up.url(), "http", "https", 1))
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plain.Close() })
	go func() {
		for conn, err := plain.Accept(); err == nil; conn, err = plain.Accept() {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			_ = conn.Close()
		}
	}()
	for name, c := range map[string]struct {
		cfg    config.Config
		status int
		want   string
	}{
		"trusted":     {trusted, 200, ""},
		"not trusted": {strange, 502, errTrust.Error()},
		"no https":    {passConfig(t, "https://"+plain.Addr().String()), 502, errHandshake.Error()},
		"refused":     {passConfig(t, "http://127.0.0.1:1"), 502, errConnect.Error()},
	} {
		b := newBed(t, Options{Config: c.cfg})
		status, _, text, err := b.do("POST", "/raw", "{}")
		if err != nil || status != c.status || !strings.Contains(b.logs.String(), c.want) {
			t.Errorf("%s: %d %s %v, %s", name, status, text, err, b.logs.String())
		}
		if status != 200 && !strings.Contains(text, refuseUpstream.message) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if got := dialFailure(fmt.Errorf("dial: %w", &net.DNSError{IsNotFound: true})); !errors.Is(got, errName) {
		t.Errorf("no name: %v", got)
	}
}

// strayBed is a scripted upstream, under TLS or not, and a configuration for it.
func strayBed(t *testing.T, secure bool, play func(c *scene)) (config.Config, *scripted) {
	t.Helper()
	if !secure {
		up := newScripted(t, play)
		return passConfig(t, up.url()), up
	}
	cert, ca := certificate(t)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	up := newScriptedOn(t, ln, play)
	cfg := passConfig(t, strings.Replace(up.url(), "http", "https", 1))
	cfg.Upstream.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(cfg.Upstream.CAFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg, up
}
