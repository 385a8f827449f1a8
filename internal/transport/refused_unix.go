//go:build !windows

package transport

import (
	"errors"
	"syscall"
)

// refused reports whether nobody listens on a socket.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
