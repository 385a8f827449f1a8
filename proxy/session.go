package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"noecho/internal/transport"
)

// socket is a connection of the operating system: TCP, or a unix socket.
type socket interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// session is the TLS of a caller. Begin, Read and lookAhead belong to one goroutine at a time.
type session struct {
	*tls.Conn
	begun       bool              // the handshake is over
	certificate *x509.Certificate // of the caller, verified; nil: it has shown none
	ahead       []byte            // came while the caller was watched, and is not yet read
}

// begin shakes hands, once. The deadline for reads bounds it.
func (s *session) begin() error {
	if s.begun {
		return nil
	}
	if err := s.Handshake(); err != nil {
		return err
	}
	s.begun = true
	if state := s.ConnectionState(); len(state.VerifiedChains) > 0 {
		s.certificate = state.PeerCertificates[0]
	}
	return nil
}

// Read implements [net.Conn].
func (s *session) Read(p []byte) (int, error) {
	if len(s.ahead) > 0 {
		n := copy(p, s.ahead)
		s.ahead = s.ahead[n:]
		return n, nil
	}
	return s.Conn.Read(p)
}

// lookAhead waits until the caller sends something or ends the session, or until the deadline
// for reads, and reports whether it has gone. A byte that comes is for the next Read.
func (s *session) lookAhead() (gone bool) {
	if len(s.ahead) > 0 {
		return false
	}
	buf := make([]byte, 1)
	n, err := s.Conn.Read(buf)
	s.ahead = buf[:n]
	return n == 0 && !errors.Is(err, os.ErrDeadlineExceeded)
}

// Reasons for which a handshake of TLS with a caller failed, as labels.
const (
	handshakeCertificate = "certificate" // the caller's, or it has none
	handshakePlain       = "plain_http"
	handshakeGone        = "gone" // the caller went, or said nothing
	handshakeOther       = "other"
)

// handshakeReason returns the label of a failed handshake.
func handshakeReason(err error) string {
	var untrusted *tls.CertificateVerificationError
	var network *net.OpError
	switch {
	case errors.As(err, &untrusted), errors.Is(err, transport.ErrRevoked), strings.Contains(err.Error(), "didn't provide a certificate"):
		return handshakeCertificate
	case speaksHTTP(err):
		return handshakePlain
	case errors.Is(err, io.EOF), errors.As(err, &network) && (network.Op == "read" || network.Op == "write"):
		return handshakeGone
	default:
		return handshakeOther
	}
}

// speaksHTTP reports whether a handshake failed because the caller sent a request.
func speaksHTTP(err error) bool {
	var record tls.RecordHeaderError
	if !errors.As(err, &record) || record.Conn == nil {
		return false
	}
	for _, c := range record.RecordHeader[:3] {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// hint tells a caller that speaks HTTP without TLS so.
func hint(w io.Writer) {
	const text = "this port speaks https only\n"
	_, _ = fmt.Fprintf(w, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(text), text)
}
