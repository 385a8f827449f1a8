package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// UnixPath returns the path of an address such as "unix:/run/noecho.sock", and whether it is one.
func UnixPath(address string) (path string, ok bool) { return strings.CutPrefix(address, "unix:") }

// Listen listens on host:port, or on a unix socket with the given mode. A socket file that
// nobody listens on is replaced; one that somebody does, and any other file, is an error.
func Listen(address string, mode fs.FileMode) (net.Listener, error) {
	path, ok := UnixPath(address)
	if !ok {
		return net.Listen("tcp", address)
	}
	if err := checkStale(path); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	ln, err := listenUnix(path, mode)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return ln, nil
}

// ErrInUse is the error of a unix socket that another program listens on.
var ErrInUse = errors.New("another program listens there")

// checkStale returns nil if there is no file at the path, or a socket that nobody listens on.
func checkStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is a file and no socket: move it away", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = conn.Close()
		return ErrInUse
	case !refused(err):
		return err
	}
	return nil
}

// longest is the length of the longest name that every system takes for a socket.
const longest = 103

// unixListener listens on a socket file, and removes it at the end if it is still the same.
type unixListener struct {
	*net.UnixListener
	path string
	file fs.FileInfo
}

// listenUnix makes the socket in a folder that only this user can enter, and moves it to its
// path with its mode set: it is never open to others, not for a moment.
func listenUnix(path string, mode fs.FileMode) (net.Listener, error) {
	private, err := os.MkdirTemp(filepath.Dir(path), ".n")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	first := filepath.Join(private, "s")
	if len(path) > longest || len(first) > longest {
		return nil, errors.New("the path is too long for a socket: choose a shorter one")
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: first, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false)
	l := &unixListener{UnixListener: ln, path: path}
	if err = os.Chmod(first, mode); err == nil {
		err = os.Rename(first, path)
	}
	if err == nil {
		l.file, err = os.Lstat(path)
	}
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return l, nil
}

// Addr returns the path at which the socket is.
func (l *unixListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close ends the listener and removes its file.
func (l *unixListener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
		_ = os.Remove(l.path)
	}
	return l.UnixListener.Close()
}
