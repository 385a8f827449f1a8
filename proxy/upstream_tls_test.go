package proxy

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// readOnly is a connection that can only be read.
type readOnly struct {
	net.Conn
	r io.Reader
}

func (c readOnly) Read(p []byte) (int, error) { return c.r.Read(p) }

// FuzzRecordConn: the bytes stay the same, no read goes beyond the end of a record, and unread
// is false only between records.
func FuzzRecordConn(f *testing.F) {
	f.Add("\x17\x03\x03\x00\x02ab\x15\x03\x03\x00\x00\x17\x03\x03\x00\x01c", 3, true)
	f.Add("\x17\x03\x03\xff\xff", 70, false)
	f.Add("HTTP/1.1 400 Bad Request\r\n\r\n", 1, false)
	f.Fuzz(func(t *testing.T, all string, size int, slow bool) {
		var src io.Reader = strings.NewReader(all)
		if slow {
			src = iotest.OneByteReader(src)
		}
		ends := map[int]bool{0: true}
		for at := 0; at+recordHead <= len(all); {
			at += recordHead + int(binary.BigEndian.Uint16([]byte(all[at+3:])))
			ends[at] = true
		}
		c := newRecordConn(readOnly{r: src})
		buf := make([]byte, 1+size&0xff)
		at := 0
		for {
			n, err := c.Read(buf)
			if string(buf[:n]) != all[at:at+n] {
				t.Fatalf("%q at %d of %q", buf[:n], at, all)
			}
			for i := at + 1; i < at+n; i++ {
				if ends[i] {
					t.Fatalf("a read from %d to %d crosses the end of a record at %d", at, at+n, i)
				}
			}
			at += n
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 && c.unread() != (c.in.Buffered() > 0 || !ends[at]) {
				t.Fatalf("at %d of %q: unread %t", at, all, c.unread())
			}
		}
		if at != len(all) {
			t.Fatalf("%d bytes of %d", at, len(all))
		}
	})
}
