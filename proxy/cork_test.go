package proxy

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// writes is a connection that notes the bytes written to it.
type writes struct {
	net.Conn
	got []string
	err error
}

func (w *writes) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.got = append(w.got, string(p))
	return len(p), nil
}

func (w *writes) SetWriteDeadline(time.Time) error { return nil }
func (w *writes) Read([]byte) (int, error)         { return 0, nil }
func (w *writes) Close() error                     { return nil }

// TestCork: bytes written to a corked connection leave together, at the latest before it is
// read or closed, and not at all if it is aborted.
func TestCork(t *testing.T) {
	t.Parallel()
	long, half := strings.Repeat("l", corkBytes+1), strings.Repeat("h", corkBytes/2+1)
	for name, tt := range map[string]struct {
		do   func(c *callerConn)
		want []string
	}{
		"flush":   {func(c *callerConn) { _ = c.flush() }, []string{"head body"}},
		"read":    {func(c *callerConn) { _, _ = c.Read(nil) }, []string{"head body"}},
		"close":   {func(c *callerConn) { _ = c.Close() }, []string{"head body"}},
		"abort":   {func(c *callerConn) { c.abort() }, nil},
		"idle":    {func(c *callerConn) { noteState(c, fasthttp.StateIdle) }, []string{"head body"}},
		"long":    {func(c *callerConn) { _, _ = c.Write([]byte(long)) }, []string{"head body", long}},
		"two":     {func(c *callerConn) { _, _ = c.Write([]byte(half)); _, _ = c.Write([]byte(half)) }, []string{"head body" + half}},
		"nothing": {func(*callerConn) {}, nil},
		"uncork": {func(c *callerConn) {
			_ = c.uncork()
			_, _ = c.Write([]byte("at once"))
		}, []string{"head body", "at once"}},
	} {
		w := &writes{}
		c := &callerConn{Conn: w, owner: newCallerListener(nil, time.Second)}
		c.cork()
		_, _ = c.Write([]byte("head "))
		_, _ = c.Write([]byte("body"))
		if tt.do(c); !slices.Equal(w.got, tt.want) {
			t.Errorf("%s: %.40q, want %.40q", name, w.got, tt.want)
		}
	}
	w := &writes{err: errors.New("gone")}
	c := &callerConn{Conn: w, owner: newCallerListener(nil, time.Second)}
	c.cork()
	_, _ = c.Write([]byte("x"))
	if err := c.flush(); !errors.Is(err, w.err) {
		t.Errorf("a failed write: %v", err)
	}
}
