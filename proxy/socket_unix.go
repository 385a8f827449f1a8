//go:build !windows

package proxy

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// awaitEnd waits until the peer of a socket sends something, closes or resets it,
// and reports whether it did one of the latter two. It consumes nothing. The error
// is that of the wait, such as its deadline.
func awaitEnd(raw syscall.RawConn) (ended bool, err error) {
	err = raw.Read(func(fd uintptr) bool {
		n, err := peek(int(fd))
		if errors.Is(err, unix.EAGAIN) {
			return false // wait until there is something to see
		}
		ended = n == 0 || err != nil
		return true
	})
	return ended, err
}

// silent reports whether the peer of a socket has neither sent anything that was
// not read nor closed it. It consumes nothing and does not wait.
func silent(s socket) bool {
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	events, failed := 0, error(unix.EINTR)
	err = raw.Control(func(fd uintptr) {
		for errors.Is(failed, unix.EINTR) {
			events, failed = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		}
	})
	return events == 0 && failed == nil && err == nil
}

// peek looks at the next byte of a socket without taking it.
func peek(fd int) (int, error) {
	var b [1]byte
	for {
		n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
