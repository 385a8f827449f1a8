package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// writePiece is the number of bytes that are written under one deadline. A caller may be
// slow, but may not stop for longer than the limit.
const writePiece = 64 << 10

// callerConn is the connection of a caller. fasthttp's deadlines bound a whole request or
// answer. But an answer may take an hour, so each write has its own deadline here.
type callerConn struct {
	net.Conn
	socket  socket   // Conn, or below its TLS; nil if it is another kind of connection
	session *session // Conn; nil without TLS
	stall   time.Duration
	owner   *callerListener
	host    string // of the caller
	once    sync.Once
	busy    atomic.Bool // a request has begun and is not yet answered
	heavy   atomic.Bool // its last answer was large
	aborted atomic.Bool // bytes that wait are not sent any more
	ended   bool        // the caller has ended it, or it failed; belongs to the reader of the request

	mu     sync.Mutex
	linger bool // Close reads the rest of the request first

	out     sync.Mutex
	writeBy deadline
	corked  bool
	pending *[]byte // written since the last flush; nil: none
}

// deadline is the deadline of a connection that was set last.
type deadline struct{ at time.Time }

// extend sets a deadline of d from now on, unless the last one is nearly as far away: setting
// one costs as much as a short write takes.
func (l *deadline) extend(d time.Duration, set func(time.Time) error) error {
	at := time.Now().Add(d)
	if at.Sub(l.at) < d/16 {
		return nil
	}
	l.at = at
	return set(at)
}

// SetDeadline implements [net.Conn].
func (c *callerConn) SetDeadline(t time.Time) error {
	c.out.Lock()
	defer c.out.Unlock()
	c.writeBy = deadline{}
	return c.Conn.SetDeadline(t)
}

// Read implements [net.Conn].
func (c *callerConn) Read(p []byte) (int, error) {
	if err := c.uncork(); err != nil {
		return 0, err
	}
	if c.session != nil && !c.shake() {
		c.ended = true
		return 0, io.EOF // without an answer
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.busy.Store(true)
	}
	c.ended = c.ended || err != nil
	return n, err
}

// shake begins the session, once, and reports whether it has begun.
func (c *callerConn) shake() bool {
	err := c.session.begin()
	if err == nil {
		return true
	}
	if speaksHTTP(err) && c.socket != nil {
		hint(c.socket)
		c.lingerOnClose()
	}
	c.owner.failed(err)
	return false
}

// Write implements [net.Conn].
func (c *callerConn) Write(p []byte) (int, error) {
	c.out.Lock()
	defer c.out.Unlock()
	switch {
	case !c.corked:
		return writePieces(c.Conn, &c.writeBy, c.stall, p)
	case c.pending != nil && len(*c.pending)+len(p) > corkBytes:
		if err := c.sendPending(); err != nil {
			return 0, err
		}
	}
	if len(p) > corkBytes {
		return writePieces(c.Conn, &c.writeBy, c.stall, p)
	}
	if c.pending == nil {
		c.pending = c.owner.pieces.Get().(*[]byte)
	}
	*c.pending = append(*c.pending, p...)
	return len(p), nil
}

// corkBytes is the most that waits in a connection for more.
const corkBytes = 32 << 10

// cork lets the bytes that are written wait, so that the head of an answer, its pieces and its
// end leave in one write. Whoever corks a connection flushes it before anything is waited for.
func (c *callerConn) cork() {
	c.out.Lock()
	defer c.out.Unlock()
	c.corked = true
}

// flush writes the bytes that wait.
func (c *callerConn) flush() error {
	c.out.Lock()
	defer c.out.Unlock()
	return c.sendPending()
}

// uncork writes the bytes that wait, and lets those that follow leave at once.
func (c *callerConn) uncork() error {
	c.out.Lock()
	defer c.out.Unlock()
	c.corked = false
	return c.sendPending()
}

// sendPending is flush for a caller that locks out.
func (c *callerConn) sendPending() error {
	if c.pending == nil {
		return nil
	}
	_, err := writePieces(c.Conn, &c.writeBy, c.stall, *c.pending)
	clear(*c.pending) // the pool keeps no text
	*c.pending = (*c.pending)[:0]
	c.owner.pieces.Put(c.pending)
	c.pending = nil
	return err
}

// writePieces writes p to a connection, a piece at a time. Each piece has so much time.
func writePieces(conn net.Conn, by *deadline, stall time.Duration, p []byte) (int, error) {
	sent := 0
	for {
		piece := p[sent:min(sent+writePiece, len(p))]
		if err := by.extend(stall, conn.SetWriteDeadline); err != nil {
			return sent, err
		}
		n, err := conn.Write(piece)
		sent += n
		if err != nil || sent == len(p) {
			return sent, err
		}
	}
}

// Bounds of the rest of a request that is read after the request was refused. If a connection
// is closed with unread bytes it is reset, and the caller never sees the refusal.
const (
	lingerBytes = 1 << 20
	lingerTime  = 2 * time.Second
)

// lingerOnClose makes Close read the rest of the request, so that the caller gets the answer.
func (c *callerConn) lingerOnClose() {
	c.mu.Lock()
	c.linger = true
	c.mu.Unlock()
}

// Close implements [net.Conn].
func (c *callerConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		if !c.aborted.Load() {
			_ = c.uncork()
		}
		c.mu.Lock()
		linger := c.linger
		c.mu.Unlock()
		if linger && c.socket != nil {
			if c.session != nil {
				_ = c.session.CloseWrite() // fails if there was no handshake
			}
			if c.socket.CloseWrite() == nil {
				_ = c.socket.SetReadDeadline(time.Now().Add(lingerTime))
				discard(c.socket, lingerBytes)
			}
		}
		err = c.Conn.Close()
		c.owner.forget(c)
		c.relieve()
	})
	return err
}

// relieve tells the listener if the last answer was large: its memory is free now.
func (c *callerConn) relieve() {
	if c.heavy.Swap(false) {
		c.owner.relieved()
	}
}

// abort resets the connection. Without chunks this is the only way to show the caller that
// the answer is not complete. A session of TLS is not ended by its own message, and a unix socket
// cannot be reset.
func (c *callerConn) abort() {
	c.aborted.Store(true)
	if tcp, ok := c.socket.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	if c.session != nil {
		_ = c.socket.Close()
	}
	_ = c.Close()
}

// discard reads up to limit bytes and drops them.
func discard(conn net.Conn, limit int) {
	var buf [4096]byte
	for limit > 0 {
		n, err := conn.Read(buf[:])
		if err != nil {
			return
		}
		limit -= n
	}
}

// callerListener accepts callerConns and keeps a list of those that are open.
type callerListener struct {
	net.Listener
	stall time.Duration
	tls   *tls.Config // nil: there is no TLS

	relieved func()          // called when the memory of a large answer is free
	failed   func(err error) // called when a handshake of TLS has failed
	pieces   sync.Pool       // *[]byte of corkBytes

	mu   sync.Mutex
	open map[*callerConn]struct{}
}

func newCallerListener(ln net.Listener, stall time.Duration) *callerListener {
	return &callerListener{
		Listener: ln, stall: stall, open: map[*callerConn]struct{}{}, relieved: func() {}, failed: func(error) {},
		pieces: sync.Pool{New: func() any {
			p := make([]byte, 0, corkBytes)
			return &p
		}},
	}
}

// Accept implements [net.Listener].
func (l *callerListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &callerConn{Conn: conn, stall: l.stall, owner: l}
	c.socket, _ = conn.(socket)
	if l.tls != nil {
		c.session = &session{Conn: tls.Server(conn, l.tls)}
		c.Conn = c.session
	}
	c.host, _, _ = net.SplitHostPort(conn.RemoteAddr().String()) // empty: it is no address of a host
	l.mu.Lock()
	l.open[c] = struct{}{}
	l.mu.Unlock()
	return c, nil
}

func (l *callerListener) forget(c *callerConn) {
	l.mu.Lock()
	delete(l.open, c)
	l.mu.Unlock()
}

// conns returns the connections that are open now.
func (l *callerListener) conns() []*callerConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.open))
}

// closeIdle closes the connections that wait for a request.
func (l *callerListener) closeIdle() {
	for _, c := range l.conns() {
		if !c.busy.Load() {
			_ = c.Close()
		}
	}
}

// abortAll closes every connection that is still open.
func (l *callerListener) abortAll() {
	for _, c := range l.conns() {
		c.abort()
	}
}

// noteState marks the connections that wait for a request as not busy. The end of their answer
// leaves, also if the next request has come already.
func noteState(conn net.Conn, state fasthttp.ConnState) {
	if c, ok := conn.(*callerConn); ok && state == fasthttp.StateIdle {
		_ = c.uncork() // the next read or write fails too
		c.busy.Store(false)
		c.relieve()
	}
}

// watcher notices that a caller has gone while its request is being answered. fasthttp reads
// nothing then, and would notice only when a write fails. While a model thinks for minutes
// there is no write.
type watcher struct {
	conn net.Conn // nil: nothing is watched
	done chan struct{}
}

// watch calls gone, once at most and from another goroutine, when the caller closes or resets
// the connection. The next request loses no byte. A caller that sends it early is no longer
// watched.
func watch(c *callerConn, gone func()) *watcher {
	w := &watcher{done: make(chan struct{})}
	await := awaitSocket(c)
	if await == nil {
		close(w.done)
		return w
	}
	w.conn = c.Conn
	_ = w.conn.SetReadDeadline(time.Time{}) // removes that of the request
	go func() {
		defer close(w.done)
		if await() {
			gone()
		}
	}()
	return w
}

// awaitSocket returns a function that waits until the caller sends something or has gone, or
// until the deadline for reads, and reports whether it has gone; nil if that cannot be seen.
func awaitSocket(c *callerConn) (await func() (gone bool)) {
	switch {
	case c == nil || c.socket == nil:
		return nil
	case c.session != nil:
		return c.session.lookAhead
	}
	raw, err := c.socket.SyscallConn()
	if err != nil {
		return nil
	}
	return func() bool {
		ended, err := awaitEnd(raw)
		return ended || err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
	}
}

// stop ends the watch and returns when it has ended, so that the connection can be read
// again. It may be called more than once.
func (w *watcher) stop() {
	if w.conn == nil {
		return
	}
	_ = w.conn.SetReadDeadline(time.Unix(1, 0))
	<-w.done
	_ = w.conn.SetReadDeadline(time.Time{})
	w.conn = nil
}

var (
	_ net.Conn     = (*callerConn)(nil)
	_ net.Listener = (*callerListener)(nil)
)
