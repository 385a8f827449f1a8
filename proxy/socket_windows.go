package proxy

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// Windows has no flag for a single read that does not wait.
const (
	msgPeek  = 0x2
	peekTime = time.Millisecond
)

// awaitEnd waits until the peer of a socket sends something, closes or resets it,
// and reports whether it did one of the latter two. It consumes nothing. The error
// is that of the wait, such as its deadline.
func awaitEnd(raw syscall.RawConn) (ended bool, err error) {
	ready := false
	err = raw.Read(func(fd uintptr) bool {
		if !ready { // the runtime calls again once the socket can be read
			ready = true
			return false
		}
		var b [1]byte
		n, _, err := windows.Recvfrom(windows.Handle(fd), b[:], msgPeek)
		ended = n == 0 || err != nil
		return true
	})
	return ended, err
}

// silent reports whether the peer of a socket has neither sent anything that was
// not read nor closed it. If it has sent something, the socket is of no use
// afterwards: a byte may have been consumed.
func silent(s socket) bool {
	if s.SetReadDeadline(time.Now().Add(peekTime)) != nil {
		return false
	}
	var b [1]byte
	n, err := s.Read(b[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}
