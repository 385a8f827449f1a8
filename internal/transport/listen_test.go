package transport

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestListenUnix(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode there")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "n.sock")
	ln, err := Listen("unix:"+path, 0o620)
	if err != nil {
		t.Fatal(err)
	}
	if got := ln.Addr().String(); got != path {
		t.Errorf("address %s", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o620 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	accepted := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			err = conn.Close()
		}
		accepted <- err
	}()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if err := <-accepted; err != nil {
		t.Error(err)
	}
	if _, err := Listen("unix:"+path, 0o600); !errors.Is(err, ErrInUse) {
		t.Errorf("a live socket was taken: %v", err)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestListenStale: the socket of a program that was killed is replaced; no other file is.
func TestListenStale(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "n.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	ln, err := Listen("unix:"+path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	next, err := listenUnix(path, 0o600) // as a program would that saw the file before
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket of the next program was removed: %v", err)
	}
	_ = next.Close()
	for name, want := range map[string]string{
		filepath.Join(dir, "none", "n.sock"):                     "no such file",
		filepath.Join(dir, strings.Repeat("n", 120)):             "too long for a socket",
		testFile(t, filepath.Join(dir, "file"), "an alert file"): "is a file and no socket",
	} {
		if _, err := Listen("unix:"+name, 0o600); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "file")); string(text) != "an alert file" {
		t.Errorf("%q %v", text, err)
	}
	if ln, err := Listen("127.0.0.1:0", 0); err != nil {
		t.Error(err)
	} else {
		_ = ln.Close()
	}
}

func testFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
