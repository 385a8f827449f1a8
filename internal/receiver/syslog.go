package receiver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"noecho/internal/outbox"
)

// How lines reach a syslog server.
//
// A server does not say which messages it has taken. Over TCP and TLS each message has its
// length before it (RFC 5425, RFC 6587), so that a message may contain a line end. If the
// connection breaks, the messages of the last seconds before that are sent again on the next
// one, because the server may not have read them. Over a unix socket a datagram is a message;
// a socket of streams gets messages with lengths.

const (
	syslogTimeout = 10 * time.Second // to connect, and for one write
	replayTime    = 10 * time.Second // of messages before a break
	replayBytes   = 1 << 20          // of the newest of them

	// A server that refuses a client says so after the first bytes, and takes lines until then.
	settleTime = 250 * time.Millisecond
)

// Syslog sends each line as a message of syslog, which the line must be already. Its addresses
// are tls://HOST:PORT, tcp://HOST:PORT and unix:///PATH.
type Syslog struct {
	load   Load
	dial   Dial
	access Access
	conn   net.Conn      // nil: there is none
	broken *atomic.Int64 // when the connection was seen to break, in nanoseconds; 0: it was not
	recent []message     // the newest ones, which may have to be sent again
	bytes  int           // of recent
}

// message is a message that was sent.
type message struct {
	at   time.Time
	text []byte // with its length, if the connection wants that
}

// NewSyslog returns a client. dial opens connections for tests; nil is the network.
func NewSyslog(load Load, dial Dial) (*Syslog, error) {
	s := &Syslog{load: load, dial: dial}
	if dial == nil {
		s.dial = (&net.Dialer{Timeout: syslogTimeout}).DialContext
	}
	var err error
	s.access, err = load()
	return s, err
}

// Send implements [outbox.Peer].
func (s *Syslog) Send(ctx context.Context, lines []outbox.Line) (int, error) {
	if err := s.connect(ctx); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	for i, l := range lines {
		text := bytes.TrimSuffix(l.Text, []byte("\n"))
		if s.stream() {
			text = append(strconv.AppendInt(nil, int64(len(text)), 10), append([]byte{' '}, text...)...)
		}
		if err := s.write(text); err != nil {
			if errors.Is(err, syscall.EMSGSIZE) { // no connection would take it
				err = &outbox.Error{Refused: true, Err: err}
			} else {
				s.drop()
			}
			return i, err
		}
	}
	return len(lines), nil
}

// stream reports whether messages need their lengths.
func (s *Syslog) stream() bool { return s.conn.LocalAddr().Network() != "unixgram" }

// write writes a message and keeps a copy.
func (s *Syslog) write(text []byte) error {
	if s.broken.Load() != 0 {
		return errClosed
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(syslogTimeout))
	if _, err := s.conn.Write(text); err != nil {
		return err
	}
	s.recent = append(s.recent, message{time.Now(), bytes.Clone(text)})
	s.bytes += len(text)
	for s.bytes > replayBytes || time.Since(s.recent[0].at) > replayTime && s.broken.Load() == 0 {
		s.bytes -= len(s.recent[0].text)
		s.recent = s.recent[1:]
	}
	return nil
}

var errClosed = errors.New("the server closed the connection")

// connect opens a connection if there is none, and sends the messages again that the server
// may not have read from the one before.
func (s *Syslog) connect(ctx context.Context) error {
	if s.conn != nil && s.broken.Load() != 0 {
		s.drop()
	}
	if s.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, syslogTimeout)
	defer cancel()
	conn, err := s.open(ctx)
	if err != nil {
		return err
	}
	s.conn, s.broken = conn, new(atomic.Int64)
	closed := make(chan struct{})
	go watch(conn, s.broken, closed)
	settled := time.NewTimer(settleTime)
	defer settled.Stop()
	select {
	case <-closed:
		s.drop()
		return errClosed
	case <-settled.C:
	}
	again := s.recent
	s.recent, s.bytes = nil, 0
	for i, m := range again {
		if err := s.write(m.text); err != nil {
			s.recent = append(s.recent, again[i:]...)
			s.bytes = 0
			for _, m := range s.recent {
				s.bytes += len(m.text)
			}
			s.drop()
			return err
		}
	}
	return nil
}

// open opens a connection.
func (s *Syslog) open(ctx context.Context) (net.Conn, error) {
	u := s.access.URL
	switch u.Scheme {
	case "unix":
		conn, err := s.dial(ctx, "unixgram", u.Path)
		if errors.Is(err, syscall.EPROTOTYPE) {
			return s.dial(ctx, "unix", u.Path)
		}
		return conn, err
	case "tls":
		conn, err := s.dial(ctx, "tcp", u.Host)
		if err != nil {
			return nil, err
		}
		c := s.access.TLS.Clone()
		c.ServerName = u.Hostname()
		session := tls.Client(conn, c)
		if err := session.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return session, nil
	default:
		return s.dial(ctx, "tcp", u.Host)
	}
}

// watch reads a connection, on which a server says nothing, until it breaks.
func watch(conn net.Conn, broken *atomic.Int64, closed chan<- struct{}) {
	_, _ = io.Copy(io.Discard, conn)
	broken.CompareAndSwap(0, time.Now().UnixNano())
	close(closed)
}

// drop closes the connection, and forgets the messages that the server has surely read.
func (s *Syslog) drop() {
	at := time.Now()
	if seen := s.broken.Load(); seen != 0 {
		at = time.Unix(0, seen)
	}
	_ = s.conn.Close()
	s.conn = nil
	for len(s.recent) > 0 && at.Sub(s.recent[0].at) > replayTime {
		s.bytes -= len(s.recent[0].text)
		s.recent = s.recent[1:]
	}
}

// Reopen implements [outbox.Peer]. The next line opens a new connection.
func (s *Syslog) Reopen() error {
	a, err := s.load()
	if err != nil {
		return err
	}
	s.access = a
	return nil
}

// Close implements [outbox.Peer].
func (s *Syslog) Close() error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}

var _ outbox.Peer = (*Syslog)(nil)
