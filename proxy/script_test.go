package proxy

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"noecho/internal/transport"
	"noecho/internal/windowset"
	"noecho/ngram"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// Idle connections of the HTTP clients of tests.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
	)
}

// patience bounds every wait of a test. A test that waits so long has failed.
const patience = 120 * time.Second

// scripted is a model server on a raw socket that sends the bytes of a test. play runs once for
// every request, on its connection.
type scripted struct {
	t        testing.TB
	ln       net.Listener
	play     func(c *scene)
	requests chan string // raw requests, head and body
	conns    sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]struct{}
	n    int // connections accepted
}

func newScripted(t testing.TB, play func(c *scene)) *scripted {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newScriptedOn(t, ln, play)
}

// newScriptedOn does the same as newScripted on a given listener.
func newScriptedOn(t testing.TB, ln net.Listener, play func(c *scene)) *scripted {
	t.Helper()
	s := &scripted{t: t, ln: ln, play: play, requests: make(chan string, 1024), open: map[net.Conn]struct{}{}}
	s.conns.Go(s.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		s.mu.Lock()
		for c := range s.open {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.conns.Wait()
	})
	return s
}

func (s *scripted) url() string { return "http://" + s.ln.Addr().String() }

func (s *scripted) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *scripted) accept() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.open[conn] = struct{}{}
		s.n++
		s.mu.Unlock()
		s.conns.Go(func() {
			defer func() {
				_ = conn.Close()
				s.mu.Lock()
				delete(s.open, conn)
				s.mu.Unlock()
			}()
			c := &scene{Conn: conn, in: bufio.NewReader(conn), gone: make(chan struct{})}
			for c.readRequest() == nil {
				s.requests <- c.head + c.body
				s.play(c)
				if c.over {
					return
				}
			}
		})
	}
}

// scene is one request to a scripted server.
type scene struct {
	net.Conn
	in         *bufio.Reader
	head, body string
	over       bool // close the connection afterwards
	gone       chan struct{}
}

func (c *scene) readRequest() error {
	var head strings.Builder
	length := 0
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return err
		}
		head.WriteString(line)
		if line == "\r\n" {
			break
		}
		if v, ok := strings.CutPrefix(strings.ToLower(line), "content-length:"); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(v))
		}
	}
	body := make([]byte, length)
	_, err := io.ReadFull(c.in, body)
	c.head, c.body = head.String(), string(body)
	return err
}

func (c *scene) say(format string, args ...any) { _, _ = fmt.Fprintf(c.Conn, format, args...) }

// chunk writes one chunk of a chunked body.
func (c *scene) chunk(s string) { c.say("%x\r\n%s\r\n", len(s), s) }

// waitClosed returns when the other side has closed the connection.
func (c *scene) waitClosed() {
	_, _ = io.Copy(io.Discard, c.in)
	c.over = true
}

// reset closes the connection with an RST.
func (c *scene) reset() {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	c.over = true
}

// Heads of responses.
const (
	headSSE     = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	headChunked = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
	endChunked  = "0\r\n\r\n"
)

// whole writes an unstreamed answer.
func (c *scene) whole(status int, contentType, body string) {
	c.say("HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", status, contentType, len(body), body)
}

// noSet is an empty index.
type noSet struct{ windowset.Index }

func (noSet) Gate2(ngram.Hash) bool  { return false }
func (noSet) Gate4(ngram.Hash) bool  { return false }
func (noSet) Window(ngram.Hash) bool { return false }

func testSpec(t testing.TB) ngram.Spec {
	t.Helper()
	spec, err := ngram.NewSpec(10, ngram.XXH64)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// bed is a server under test with its listeners, its log and its alerts.
type bed struct {
	t      testing.TB
	srv    *Server
	data   string // addresses
	admin  string
	alerts *capture
	logs   *capture
	stop   func() // ends Serve and waits for it
	client *http.Client

	dataScheme, adminScheme string
}

// scheme returns the scheme of a listener with this TLS.
func scheme(t *config.TLS) string {
	if t.On() {
		return "https"
	}
	return "http"
}

// listen listens on the unix socket of an address, or on a free port in place of its own.
func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	if _, ok := transport.UnixPath(address); !ok {
		address = "127.0.0.1:0"
	}
	ln, err := transport.Listen(address, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// dialAny connects to an address, or to a unix socket by its path.
func dialAny(ctx context.Context, address string) (net.Conn, error) {
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// capture collects the bytes that several goroutines write.
type capture struct {
	mu  sync.Mutex
	buf bytes.Buffer
	got chan struct{} // has an element if something was written; nil: nobody waits
}

// await waits until a line contains all of the texts.
func (m *capture) await(t testing.TB, texts ...string) {
	t.Helper()
	for {
		for line := range strings.Lines(m.String()) {
			if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) }) {
				return
			}
		}
		wait(t, m.got, "a line with "+strings.Join(texts, ", "))
	}
}

func (m *capture) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case m.got <- struct{}{}:
	default:
	}
	return m.buf.Write(p)
}

func (m *capture) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.buf.String()
}

// newBed starts a server on loopback, which ends with the test.
func newBed(t testing.TB, opts Options) *bed {
	t.Helper()
	b := &bed{t: t, alerts: &capture{}, logs: &capture{got: make(chan struct{}, 1)}}
	if opts.Open == nil {
		opts.Open = func(*config.Config) (Indexes, error) {
			return Indexes{Set: noSet{}, Spec: testSpec(t), Files: []IndexInfo{{Path: "test.nidx", BuildID: "0123456789abcdef"}}}, nil
		}
	}
	log, err := opts.Alerts, error(nil)
	if log == nil {
		if log, err = alert.Open(alert.Options{Sinks: []alert.Sink{alert.NewWriter("memory", b.alerts)}}); err != nil {
			t.Fatal(err)
		}
	}
	opts.Alerts = log
	opts.Log = slog.New(slog.NewJSONHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	opts.Build = "test"
	opts.Admin = listen(t, opts.Config.Admin.Listen)
	if b.srv, err = New(opts); err != nil {
		t.Fatal(err)
	}
	data := listen(t, opts.Config.Listen)
	b.data, b.admin = data.Addr().String(), opts.Admin.Addr().String()
	b.dataScheme, b.adminScheme = scheme(&opts.Config.TLS), scheme(&opts.Config.Admin.TLS)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- b.srv.Serve(ctx, data) }()
	wait(t, b.srv.ready, "the server to begin")
	var once sync.Once
	pool := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		switch {
		case strings.HasPrefix(b.data, "/") && strings.HasPrefix(address, dataSocket) && address != adminSocket:
			address = b.data
		case strings.HasPrefix(b.admin, "/") && address == adminSocket:
			address = b.admin
		}
		return dialAny(ctx, address)
	}}
	b.client = &http.Client{Transport: pool, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	b.stop = func() {
		once.Do(func() {
			pool.CloseIdleConnections()
			cancel()
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
			b.srv.Close()
			end, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := log.Close(end); err != nil {
				t.Errorf("close alerts: %v", err)
			}
		})
	}
	t.Cleanup(b.stop)
	return b
}

// bedConfig returns a configuration with the given upstream, and short limits so that no test
// waits long.
func bedConfig(t testing.TB, upstream string) config.Config {
	t.Helper()
	cfg := config.Default()
	u, err := config.ParseUpstream(upstream)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Upstream.URL = u
	cfg.Index = []config.Index{{Path: "test.nidx"}}
	cfg.Limits.Drain = patience
	return cfg
}

// passConfig returns a configuration that also forwards /raw unscanned.
func passConfig(t testing.TB, upstream string) config.Config {
	cfg := bedConfig(t, upstream)
	cfg.Routes = []config.Route{{Path: "/"}, {Path: "/raw", API: passAPI}}
	return cfg
}

// raw sends bytes and returns all bytes that come back until the server closes the connection.
// The last request should ask for that.
func (b *bed) raw(request string) string {
	b.t.Helper()
	conn := b.dial()
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, request); err != nil {
		b.t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

func (b *bed) dial() net.Conn {
	b.t.Helper()
	conn, err := dialAny(b.t.Context(), b.data)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// Names of hosts that the client of a bed takes for its unix sockets.
const (
	dataSocket  = "localhost"
	adminSocket = "localhost:1"
)

// url returns the URL of a path of the data port.
func (b *bed) url(path string) string {
	host := b.data
	if strings.HasPrefix(host, "/") {
		host = dataSocket
	}
	return b.dataScheme + "://" + host + path
}

// do sends a request and reads the whole answer.
func (b *bed) do(method, path, body string, header ...string) (status int, h http.Header, text string, err error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, b.url(path), strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(all), err
}

// ask sends a request to the admin plane.
func (b *bed) ask(method, path string, header ...string) (int, string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	u := url.URL{Scheme: cmp.Or(b.adminScheme, "http"), Host: b.admin, Path: path}
	if strings.HasPrefix(b.admin, "/") {
		u.Host = adminSocket
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(all)
}

// wait fails the test if ch is not ready in time.
func wait[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}
