package proxy

import (
	"errors"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// writePiece is how much is written under one deadline: a caller may be slow,
// but not stand still for longer than the limit.
const writePiece = 64 << 10

// callerConn is a caller's connection. The deadlines that fasthttp sets bound
// a whole request or answer; an answer may take an hour and still be healthy,
// so every single read and write has a deadline of its own here.
type callerConn struct {
	net.Conn
	tcp   *net.TCPConn // the same connection; nil if it is something else
	stall time.Duration
	owner *callerListener
	once  sync.Once
	busy  atomic.Bool // a request has begun and is not yet answered
	heavy atomic.Bool // the answer it carries was large

	mu     sync.Mutex
	linger bool // drain what the caller still sends before closing
}

// Read implements [net.Conn].
func (c *callerConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.busy.Store(true)
	}
	return n, err
}

// Write implements [net.Conn].
func (c *callerConn) Write(p []byte) (int, error) {
	sent := 0
	for {
		piece := p[sent:min(sent+writePiece, len(p))]
		if err := c.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
			return sent, err
		}
		n, err := c.Conn.Write(piece)
		sent += n
		if err != nil || sent == len(p) {
			return sent, err
		}
	}
}

// Bounds of what is read from a caller whose request was refused before it was
// read whole. Closing with unread bytes would reset the connection, and the
// caller would never see why it was refused.
const (
	lingerBytes = 1 << 20
	lingerTime  = 2 * time.Second
)

// lingerOnClose makes Close wait for the caller to have read the answer.
func (c *callerConn) lingerOnClose() {
	c.mu.Lock()
	c.linger = true
	c.mu.Unlock()
}

// Close implements [net.Conn].
func (c *callerConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		c.mu.Lock()
		linger := c.linger
		c.mu.Unlock()
		if linger && c.tcp != nil && c.tcp.CloseWrite() == nil {
			_ = c.tcp.SetReadDeadline(time.Now().Add(lingerTime))
			discard(c.tcp, lingerBytes)
		}
		err = c.Conn.Close()
		c.owner.forget(c)
		c.relieve()
	})
	return err
}

// relieve says that a large answer, if it was one, is no longer needed.
func (c *callerConn) relieve() {
	if c.heavy.Swap(false) {
		c.owner.relieved()
	}
}

// abort closes the connection so that the caller sees a reset: the answer is
// not complete, and without chunks there is no other way to say so.
func (c *callerConn) abort() {
	if c.tcp != nil {
		_ = c.tcp.SetLinger(0)
	}
	_ = c.Close()
}

// discard reads and forgets up to limit bytes.
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

// callerListener wraps what it accepts and knows what is open.
type callerListener struct {
	net.Listener
	stall time.Duration

	relieved func() // called when a connection is done with a large answer

	mu   sync.Mutex
	open map[*callerConn]struct{}
}

func newCallerListener(ln net.Listener, stall time.Duration) *callerListener {
	return &callerListener{Listener: ln, stall: stall, open: map[*callerConn]struct{}{}, relieved: func() {}}
}

// Accept implements [net.Listener].
func (l *callerListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &callerConn{Conn: conn, stall: l.stall, owner: l}
	c.tcp, _ = conn.(*net.TCPConn)
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

// conns are the connections that are open now.
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

// noteState keeps books on which connections wait for a request.
func noteState(conn net.Conn, state fasthttp.ConnState) {
	if c, ok := conn.(*callerConn); ok && state == fasthttp.StateIdle {
		c.busy.Store(false)
		c.relieve()
	}
}

// watcher notices that a caller has gone while its request is being answered.
// fasthttp reads nothing then, so nobody else would notice before a write
// fails, and a model that thinks for minutes is not written about.
type watcher struct {
	tcp  *net.TCPConn
	done chan struct{}
}

// watch calls gone, once at most and from a goroutine of its own, when the
// caller closes or resets the connection. It peeks and consumes nothing. A
// caller that sends its next request early is no longer watched.
func watch(c *callerConn, gone func()) *watcher {
	w := &watcher{done: make(chan struct{})}
	if c == nil || c.tcp == nil {
		close(w.done)
		return w
	}
	w.tcp = c.tcp
	_ = w.tcp.SetReadDeadline(time.Time{}) // the one for the request has served its turn
	raw, err := w.tcp.SyscallConn()
	if err != nil {
		close(w.done)
		return w
	}
	go func() {
		defer close(w.done)
		ended, err := awaitEnd(raw)
		if ended || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			gone()
		}
	}()
	return w
}

// stop ends the watch and returns once it has ended, so that the connection
// can be read again. It may be called more than once.
func (w *watcher) stop() {
	if w.tcp == nil {
		return
	}
	_ = w.tcp.SetReadDeadline(time.Unix(1, 0))
	<-w.done
	_ = w.tcp.SetReadDeadline(time.Time{})
	w.tcp = nil
}

var (
	_ net.Conn     = (*callerConn)(nil)
	_ net.Listener = (*callerListener)(nil)
)
