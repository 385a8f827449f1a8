package transport

import (
	"errors"

	"golang.org/x/sys/windows"
)

// refused reports whether nobody listens on a socket.
func refused(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }
