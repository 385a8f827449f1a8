package proxy

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"time"
)

// recordHead is the length of the head of a TLS record; its last two bytes are
// the length of what follows (RFC 8446, 5.1).
const recordHead = 5

// recordConn gives a TLS client one record at a time. [tls.Conn] alone reads
// ahead, and nobody could ask it whether more has come than was asked for.
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

// unread reports whether something has come that the client has not taken.
func (c *recordConn) unread() bool { return c.in.Buffered() > 0 || c.seen > 0 }

// silentSession reports whether a session has nothing to give: no record has begun,
// and none was read in part. The session stays usable, since a read that runs
// into its deadline leaves it as it is.
func silentSession(session *tls.Conn, records *recordConn) bool {
	if records.unread() || session.SetReadDeadline(time.Unix(1, 0)) != nil {
		return false
	}
	var b [1]byte
	n, err := session.Read(b[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}
