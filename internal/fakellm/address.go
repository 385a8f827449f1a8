package fakellm

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// FreeAddress returns a loopback address for a program that cannot choose a port itself. Nobody listens
// there. The port is below 32768, so that no system gives it to a connection, or to a listener that asks
// for any port, before the program listens.
func FreeAddress() (string, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 16384+rand.IntN(16384))); err == nil {
			return l.Addr().String(), l.Close()
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}
