package proxy

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"time"

	"noecho/internal/transport"
	"noecho/proxy/config"
)

// recordHead is the length of the head of a TLS record. Its last two bytes are the length of
// the rest (RFC 8446, 5.1).
const recordHead = 5

// recordConn gives a TLS client one record at a time. [tls.Conn] alone reads ahead, and has no
// method that tells whether it has read more than was asked for.
type recordConn struct {
	net.Conn
	in   *bufio.Reader
	left int // bytes of the current record, or of its head
	head [recordHead]byte
	seen int // bytes of the head that have been read
}

func newRecordConn(conn net.Conn) *recordConn {
	return &recordConn{Conn: conn, in: bufio.NewReaderSize(conn, upstreamBuffer), left: recordHead}
}

// Read implements [net.Conn].
func (c *recordConn) Read(p []byte) (int, error) {
	n, err := c.in.Read(p[:min(len(p), c.left)])
	c.left -= n
	if c.seen < recordHead {
		c.seen += copy(c.head[c.seen:], p[:n])
	}
	if c.left == 0 && n > 0 {
		if length := int(binary.BigEndian.Uint16(c.head[3:])); c.seen == recordHead && length > 0 {
			c.left, c.seen = length, recordHead+1
		} else {
			c.left, c.seen = recordHead, 0
		}
	}
	return n, err
}

// unread reports whether bytes have come that the client has not read.
func (c *recordConn) unread() bool { return c.in.Buffered() > 0 || c.seen > 0 }

// silentSession reports whether no record of a session has begun to come. The session can still
// be used, because a read that fails at its deadline does not change it.
func silentSession(session *tls.Conn, records *recordConn) bool {
	if records.unread() || session.SetReadDeadline(time.Unix(1, 0)) != nil {
		return false
	}
	var b [1]byte
	n, err := session.Read(b[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

// tlsFiles returns the files of one side of TLS. key names it in errors.
func tlsFiles(key string, t *config.TLS) transport.Files {
	return transport.Files{
		Key: key, Cert: t.CertFile, Private: t.KeyFile, CA: t.CAFile, CRL: t.CRLFile,
		Min: [...]uint16{config.TLS12: tls.VersionTLS12, config.TLS13: tls.VersionTLS13}[t.Min],
	}
}
