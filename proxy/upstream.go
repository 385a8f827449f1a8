package proxy

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"noecho/internal/transport"
	"noecho/proxy/config"
)

// upstreamBuffer is the size of the read buffer of an upstream connection. A response head that
// is longer gets a buffer of its own, as long as limits.answer_header.
const upstreamBuffer = 16 << 10

// Why an upstream was closed before its answer had ended.
var (
	errClientGone = errors.New("caller has gone")
	errDraining   = errors.New("noecho is stopping")
	errTotalTime  = errors.New("exchange took longer than the configured limit")
	errFinished   = errors.New("exchange has ended")
)

// link is the connection of one exchange to its upstream, which others may cut. The zero
// value has none. cancel and why are safe for concurrent use.
type link struct {
	body *upstreamBody // of the answer; nil before there is one

	mu    sync.Mutex
	vigil vigil
	conn  io.Closer     // the connection in use
	cause error         // why it was closed early
	done  chan struct{} // closed once there is a cause; nil: nobody waits for it
}

// attach sets the connection that cancel has to close. It returns the cause if cancel was
// called before.
func (l *link) attach(conn net.Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil {
		l.conn = conn
	}
	return l.cause
}

// detach makes cancel leave the connection alone. It returns the cause if cancel has closed it.
func (l *link) detach() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = nil
	return l.cause
}

// cancel closes the connection, now or as soon as there is one. The first cause counts.
func (l *link) cancel(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancelLocked(cause)
}

// cancelLocked is cancel for a caller that locks mu.
func (l *link) cancelLocked(cause error) {
	if l.cause != nil {
		return
	}
	l.cause = cause
	if l.done != nil {
		close(l.done)
	}
	if l.conn != nil {
		_ = l.conn.Close()
	}
}

// why returns the cause for which the connection was closed, or fallback.
func (l *link) why(fallback error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		return l.cause
	}
	return fallback
}

// lookPause is the time between two looks, and the age from which on a caller is watched. Most
// exchanges end earlier. So none has a goroutine that waits for its caller to go, nor a timer
// for limits.total: one goroutine looks at all exchanges in flight from time to time, and has
// the callers of older ones watched.
const lookPause = 20 * time.Millisecond

// vigil is the state by which a link notices that its caller has gone, or that its time is over.
type vigil struct {
	caller  *callerConn // nil: it is not known
	begun   time.Time   // zero: the upstream was not asked yet, or the exchange is over
	due     time.Time
	watcher *watcher // nil: the caller is not watched
}

// begin lets the link be canceled when the caller goes, or after so much time.
func (l *link) begin(caller *callerConn, total time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.vigil = vigil{caller: caller, begun: now, due: now.Add(total)}
}

// look looks at the time, and begins to watch the caller of an exchange that is not new.
func (l *link) look(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := &l.vigil
	switch {
	case g.begun.IsZero() || l.cause != nil:
	case now.After(g.due):
		l.cancelLocked(errTotalTime)
	case g.watcher == nil && now.Sub(g.begun) >= lookPause:
		g.watcher = watch(g.caller, func() { l.cancel(errClientGone) })
	}
}

// end ends the watch, and returns when it has ended.
func (l *link) end() {
	l.mu.Lock()
	w := l.vigil.watcher
	l.vigil = vigil{}
	l.mu.Unlock()
	if w != nil {
		w.stop()
	}
}

// upstream is one model server. Safe for concurrent use.
//
// The HostClient of fasthttp is only used as the pool of its connections. Its Do hides the
// connection that a request uses, so that it could not be closed, and its deadlines cut
// healthy streams.
type upstream struct {
	name   string // its URL
	pool   *fasthttp.HostClient
	host   string // the Host header
	prefix string // of every path
	head   int    // bytes of the longest response head
}

// newUpstream returns an upstream. It does not connect. trust has the certificates for https.
func newUpstream(target *url.URL, cfg *config.Config, trust *transport.Keeper) *upstream {
	limits := &cfg.Limits
	d := dialer{network: "tcp", silence: limits.Silence, stall: limits.CallerStall, connect: limits.Connect}
	u := &upstream{name: target.String(), host: target.Host, prefix: target.Path, head: int(limits.AnswerHeader)}
	address := ""
	switch target.Scheme {
	case "unix":
		u.host, u.prefix = "localhost", ""
		d.network, address = "unix", target.Path
	case "https":
		d.trust, d.server = trust, cmp.Or(cfg.Upstream.TLS.ServerName, target.Hostname())
		address = net.JoinHostPort(target.Hostname(), cmp.Or(target.Port(), "443"))
	default:
		address = net.JoinHostPort(target.Hostname(), cmp.Or(target.Port(), "80"))
	}
	u.pool = &fasthttp.HostClient{
		Addr:                address,
		Dial:                d.dial,
		MaxConns:            limits.Streams,
		MaxIdleConnDuration: limits.UpstreamIdle,
		ReadBufferSize:      min(upstreamBuffer, int(limits.AnswerHeader)),
		// Do is not used. If it ever is, a request must not be sent twice.
		MaxIdemponentCallAttempts: 1,
		RetryIfErr:                func(*fasthttp.Request, int, error) (bool, bool) { return false, false },
		DisablePathNormalizing:    true,
		NoDefaultUserAgentHeader:  true,
		SecureErrorLogMessage:     true,
	}
	return u
}

// openTrust reads the certificates for connections to upstreams.
func openTrust(cfg *config.Upstream) (*transport.Keeper, error) {
	if cfg.CAFile != "" {
		return transport.Open(tlsFiles("upstream", &config.TLS{CAFile: cfg.CAFile}))
	}
	return transport.Open(tlsFiles("upstream.tls", &cfg.TLS))
}

// reach connects to the model server and hangs up. The error says why it cannot be reached, or
// that ctx ended first.
func (u *upstream) reach(ctx context.Context) error {
	reached := make(chan error, 1)
	go func() {
		conn, err := u.pool.Dial(u.pool.Addr)
		if err == nil {
			err = conn.Close()
		}
		reached <- err
	}()
	select {
	case err := <-reached:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close closes the connections that no request uses.
func (u *upstream) close() { u.pool.CloseIdleConnections() }

// dialer makes upstream connections.
type dialer struct {
	network                 string            // tcp or unix
	trust                   *transport.Keeper // nil: without TLS
	server                  string            // name in the server's certificate
	connect, silence, stall time.Duration
}

func (d *dialer) dial(addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.connect)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, d.network, addr)
	if err != nil {
		return nil, err
	}
	c := &upstreamConn{Conn: conn, silence: d.silence, stall: d.stall}
	c.socket, _ = conn.(socket)
	if d.trust != nil {
		c.records = newRecordConn(conn)
		secure := tls.Client(c.records, d.trust.Client(d.server))
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("%w: %w", errHandshake, err)
		}
		c.Conn = secure
	}
	return c, nil
}

// upstreamConn is a connection to a model server with a deadline for every read and write. The
// deadlines of fasthttp are ignored, because they bound a whole answer.
type upstreamConn struct {
	net.Conn
	socket         socket
	records        *recordConn // below TLS; nil for http
	silence, stall time.Duration
	readBy         deadline
	writeBy        deadline
	used           bool // it was used by a request before; belongs to the current request
	ended          bool // the server has closed it, or it failed
	unwelcome      bool // the server has ended the session of TLS with an alert
	filled         bool // the last read has filled its buffer: there may be more
	sending        atomic.Bool
}

// Read implements [net.Conn]. While a request is being sent the server may be silent.
func (c *upstreamConn) Read(p []byte) (int, error) {
	for {
		sending := c.sending.Load()
		if err := c.readBy.extend(c.silence, c.Conn.SetReadDeadline); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(p)
		if err != nil {
			c.readBy = deadline{}
		}
		if sending && n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		c.ended, c.filled = c.ended || err != nil, n == len(p)
		c.unwelcome = c.unwelcome || err != nil && isAlert(err)
		return n, err
	}
}

// hasMore reports whether bytes have come that were not read. It looks only if that is likely.
func (c *upstreamConn) hasMore() bool {
	return c.filled && c.records == nil && c.socket != nil && !silent(c.socket)
}

// Write implements [net.Conn].
func (c *upstreamConn) Write(p []byte) (int, error) {
	return writePieces(c.Conn, &c.writeBy, c.stall, p)
}

// stale reports whether an idle connection can no longer be used: the server has closed it,
// or has sent bytes without a request. Under TLS these may be a message about the session,
// but only reading them would show that. A new connection is cheaper than the answer of
// another caller.
func (c *upstreamConn) stale() bool {
	if c.socket == nil {
		return false
	}
	if !silent(c.socket) {
		return true
	}
	session, ok := c.Conn.(*tls.Conn)
	c.readBy = deadline{} // silentSession sets another one
	return ok && !silentSession(session, c.records)
}

// The causes for which an upstream could not answer. The text is for operators; it never
// contains bytes of an answer.
var (
	errConnect   = errors.New("upstream cannot be reached")
	errName      = errors.New("upstream cannot be reached: its host name is not known")
	errHandshake = errors.New("upstream cannot be reached: no TLS handshake, does it speak https?")
	errTrust     = errors.New("upstream cannot be reached: its certificate is not trusted, see upstream.ca_file")
	errExpired   = errors.New("upstream cannot be reached: its certificate is expired or not valid yet")
	errOtherName = errors.New("upstream cannot be reached: its certificate is of another name, see upstream.tls.server_name")
	errUnwelcome = errors.New("upstream cannot be reached: it refuses the TLS session, perhaps for the certificate in upstream.tls.cert_file, or for lack of one")
	errBusy      = errors.New("every upstream connection is in use")
	errSend      = errors.New("upstream did not take the request")
	errHead      = errors.New("upstream closed the connection or sent no valid response head")
	errLongHead  = errors.New("upstream sent a response head longer than limits.answer_header")
	errSwitching = errors.New("upstream wants to switch protocols")
)

// dialFailure returns the error above for an error of the dialer.
func dialFailure(err error) error {
	var name *net.DNSError
	var trust *tls.CertificateVerificationError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.Is(err, fasthttp.ErrNoFreeConns):
		return errBusy
	case errors.As(err, &host):
		return errOtherName
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return errExpired
	case errors.As(err, &trust):
		return errTrust
	case isAlert(err):
		return errUnwelcome
	case errors.Is(err, errHandshake):
		return errHandshake
	case errors.As(err, &name) && name.IsNotFound:
		return errName
	default:
		return errConnect
	}
}

// isAlert reports whether the other side has ended a session of TLS with an alert.
func isAlert(err error) bool {
	var remote *net.OpError
	return errors.As(err, &remote) && remote.Op == "remote error"
}

// roundTrip sends req and reads the head of the response into resp. The body is read from the
// result, which must be closed, and not from resp. A request is never sent twice, because a
// second generation costs money and gives another answer. sent is called, from any goroutine,
// when req is no longer used; at the latest when roundTrip has failed or the result is closed.
// l can close the connection at any time.
func (u *upstream) roundTrip(l *link, req *fasthttp.Request, resp *fasthttp.Response, sent func()) (*upstreamBody, error) {
	body := &upstreamBody{link: l, resp: resp}
	if err := u.acquire(body); err != nil {
		sent()
		return nil, err
	}
	l.body = body
	conn := body.conn
	if err := l.attach(conn); err != nil {
		sent()
		body.close()
		return nil, err
	}
	body.sender = u.send(conn, req, resp, sent)
	if err := u.readHead(body); err != nil {
		body.close()
		if body.sender.err != nil && !errors.Is(err, errUnwelcome) {
			err = errSend
		}
		return nil, err
	}
	if resp.StatusCode() == fasthttp.StatusSwitchingProtocols {
		body.close()
		return nil, errSwitching
	}
	body.src = resp.BodyStream()
	body.whole = body.src == nil
	return body, nil
}

// acquire gives b a connection that no request uses and that is not stale.
func (u *upstream) acquire(b *upstreamBody) error {
	for {
		cc, err := u.pool.AcquireConn(0, false)
		if err != nil {
			return dialFailure(err)
		}
		conn, ok := cc.Conn().(*upstreamConn)
		switch {
		case !ok:
			u.pool.CloseConn(cc)
			return errConnect
		case conn.used && conn.stale():
			u.pool.CloseConn(cc)
		default:
			conn.used = true
			b.conn = conn
			b.keep = func() { u.pool.ReleaseConn(cc) }
			b.drop = func() { u.pool.CloseConn(cc) }
			return nil
		}
	}
}

// sender sends one request. A server may answer before it has read the request, for example
// that it is too long, so a long one is sent while the answer is read.
type sender struct {
	long  bool          // it is longer than servers read before they answer
	ended chan struct{} // closed when the request is no longer used
	err   error         // why it was not sent; valid once ended is closed
}

// send begins to send a request.
func (u *upstream) send(conn *upstreamConn, req *fasthttp.Request, resp *fasthttp.Response, sent func()) *sender {
	resp.SkipBody = req.Header.IsHead()
	s := &sender{long: len(req.Body()) > writePiece, ended: make(chan struct{})}
	conn.sending.Store(true)
	run := func() {
		defer close(s.ended)
		bw := u.pool.AcquireWriter(conn)
		if s.err = req.Write(bw); s.err == nil {
			s.err = bw.Flush()
		}
		u.pool.ReleaseWriter(bw)
		sent()
		conn.sending.Store(false)
		if s.err != nil && errors.Is(s.err, os.ErrDeadlineExceeded) {
			_ = conn.Close() // the server neither reads nor, most likely, answers
		}
	}
	if s.long {
		go run()
	} else {
		run()
	}
	return s
}

// done reports whether the server has read the request whole, or will, if it answered with the
// status. Sent bytes may wait unread in the buffers of the connection.
func (s *sender) done(status int) bool {
	if s.long && status >= fasthttp.StatusBadRequest {
		return false
	}
	select {
	case <-s.ended:
		return s.err == nil
	default:
		return false
	}
}

// readHead reads the head of the response. If it does not fit into the usual buffer it is read
// again from one of its own.
func (u *upstream) readHead(b *upstreamBody) error {
	br := u.pool.AcquireReader(b.conn)
	b.in, b.free = br, func() { u.pool.ReleaseReader(br) }
	b.resp.StreamBody = true
	b.resp.Header.SetNoDefaultContentType(true)
	err := b.resp.ReadLimitBody(br, 0)
	var small *fasthttp.ErrSmallBuffer
	if errors.As(err, &small) && u.head > upstreamBuffer {
		first, _ := br.Peek(br.Buffered())
		b.in = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(first)), b.conn), u.head)
		err = b.resp.ReadLimitBody(b.in, 0)
	}
	switch {
	case errors.As(err, &small):
		return errLongHead
	case err != nil && b.conn.unwelcome:
		return errUnwelcome
	case err != nil:
		return errHead
	}
	return nil
}

// upstreamBody reads the body of an answer. Its connection is used again only if the body was
// read to its end.
type upstreamBody struct {
	link   *link
	resp   *fasthttp.Response
	conn   *upstreamConn
	src    io.Reader     // nil: no body
	in     *bufio.Reader // of the connection; nil before the head is read
	whole  bool          // read to the end
	read   int64
	sender *sender // of the request; nil before it is sent
	free   func()  // gives the buffer back; nil if there is none
	keep   func()  // gives the connection back; nil once the body is closed
	drop   func()  // closes the connection

	release func() // gives the response back; may be nil
	waits   func() // called before a read that may wait for the server; may be nil
}

// Read implements [io.Reader]. Chunks that have come are read together, so that the events in
// them leave in one write. An error may come with bytes; one other than [io.EOF] means that the
// answer is not complete.
func (b *upstreamBody) Read(p []byte) (int, error) {
	chunked := b.chunked()
	b.leave()
	n, err := b.readPiece(p)
	for err == nil && n < len(p) && chunked && hasChunk(b.in, len(p)-n) {
		var more int
		more, err = b.readPiece(p[n:])
		n += more
	}
	return n, err
}

// leave calls waits unless the next read finds bytes that have come.
func (b *upstreamBody) leave() {
	for b.waits != nil && !b.whole && (b.chunked() && !hasChunk(b.in, upstreamBuffer) || b.in.Buffered() == 0) {
		if !b.conn.hasMore() {
			b.waits()
			return
		}
		if _, err := b.in.Peek(b.in.Buffered() + 1); err != nil {
			return // the buffer is full, or the next read returns the error at once
		}
	}
}

// await waits until a body in chunks goes on or has failed, so that a reader need not have a
// buffer meanwhile. Of another body fasthttp may have bytes.
func (b *upstreamBody) await() {
	if !b.chunked() || b.whole {
		return
	}
	b.leave()
	_, _ = b.in.Peek(1) // the next read returns the error
}

func (b *upstreamBody) chunked() bool { return b.resp.Header.ContentLength() == chunkedLength }

// hasChunk reports whether a reader that is between two chunks has the next one whole, and no
// longer than most bytes, or the end of the body: reading it waits for nothing.
func hasChunk(r *bufio.Reader, most int) bool {
	const longestSize = 6 // digits
	buffered, _ := r.Peek(r.Buffered())
	size, digits := 0, 0
	for digits < min(len(buffered), longestSize) {
		n := strings.IndexByte("0123456789abcdef", buffered[digits]|0x20)
		if n < 0 {
			break
		}
		size = size<<4 | n
		digits++
	}
	rest, ok := bytes.CutPrefix(buffered[digits:], []byte("\r\n"))
	if size == 0 { // the end, but for trailers
		return ok && digits > 0 && bytes.HasPrefix(rest, []byte("\r\n"))
	}
	return ok && size <= most && len(rest) >= size+len("\r\n")
}

// readPiece reads at most one chunk.
func (b *upstreamBody) readPiece(p []byte) (int, error) {
	if b.whole {
		return 0, io.EOF
	}
	n, err := b.src.Read(p)
	b.read += int64(n)
	if err != io.EOF {
		return n, err
	}
	if b.conn.ended && b.chunked() {
		// fasthttp takes the end of the connection between two chunks, or before the
		// last line end, for the end of the body.
		return n, io.ErrUnexpectedEOF
	}
	b.whole = true
	return n, io.EOF
}

// announced returns the length of a body that was not read: the length in the head, or else
// the number of bytes that came together with the head.
func (b *upstreamBody) announced() int64 {
	if n := b.resp.Header.ContentLength(); n >= 0 {
		return int64(n)
	}
	if b.whole || b.in == nil {
		return 0
	}
	return int64(b.in.Buffered())
}

// chunkedLength is the length that fasthttp gives for a chunked body.
const chunkedLength = -1

// close gives the connection back or closes it. It may be called again.
func (b *upstreamBody) close() {
	if b.keep == nil {
		return
	}
	reusable := b.link.detach() == nil && b.whole && b.sender != nil && b.sender.done(b.resp.StatusCode()) && !b.resp.ConnectionClose() && b.in != nil && b.in.Buffered() == 0
	_ = b.resp.CloseBodyStream()
	b.src, b.whole = nil, true
	if b.free != nil {
		b.free()
	}
	if reusable {
		b.keep()
	} else {
		b.drop()
	}
	if b.sender != nil {
		<-b.sender.ended // soon, because the connection is closed if it was not sent
	}
	b.keep, b.drop = nil, nil
	if b.release != nil {
		b.release()
	}
}
