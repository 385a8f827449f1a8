package relay

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestRelayStorage: while a stream waits for its next message, no storage of a large one
// is kept, for messages of many shapes.
func TestRelayStorage(t *testing.T) {
	const large = 12 << 20
	text := strings.Repeat("some other words of it ", large/23)
	shapes := map[string]string{
		"text":      stream(delta(0, `"content":"`+text+`"`)),
		"escapes":   stream(delta(0, `"content":"`+strings.Repeat(`\u0041\n`, large/8)+`"`)),
		"lines":     "data: {\"x\":[\n" + strings.Repeat("data: 1,\n", large/9) + "data: 1]}\n\n",
		"comments":  strings.Repeat(": it\n", large/100) + "\n",
		"elements":  stream(`{"x":[` + strings.Repeat(`"a",`, 60000) + `"a"]}`),
		"names":     stream(`{"x":{` + manyNames(60000) + `"b":1}}`),
		"long name": stream(`{"` + text + `\u0041":1}`),
		"spans":     stream(delta(0, `"content":"`+strings.Repeat(secret+" ok ", 50000)+`"`)),
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for name, in := range shapes {
		for _, mode := range []Decision{redacting, observing} {
			cfg := testConfig(t)
			cfg.Decision = mode
			r := New(cfg)
			body := []byte(in + stream(ends(0, "stop")))
			before := heap()
			_, _ = r.Append(make([]byte, 0, len(body)+4096), body) // refusing is fine as well
			r.Take(nil)
			if after := heap(); after > before+2<<20 {
				t.Errorf("%s, %v: %d KiB kept, %v", name, mode, (after-before)>>10, r.err)
			}
			runtime.KeepAlive(r)
			runtime.KeepAlive(body)
		}
	}
}

// TestQueueStorage: an empty queue keeps small slices and gives large ones back.
func TestQueueStorage(t *testing.T) {
	t.Parallel()
	small := queue{buf: make([]byte, 1, keepStorage), items: make([]item, 1, minCompact), refs: make([]ref, 1, minCompact)}
	large := queue{buf: make([]byte, 1, keepStorage+1), items: make([]item, 1, minCompact+1), refs: make([]ref, 1, minCompact+1)}
	small.reset()
	large.reset()
	if cap(small.buf) != keepStorage || cap(small.items) != minCompact || cap(small.refs) != minCompact {
		t.Errorf("small slices: %d bytes, %d messages, %d places kept", cap(small.buf), cap(small.items), cap(small.refs))
	}
	if cap(large.buf)+cap(large.items)+cap(large.refs) != 0 {
		t.Errorf("large slices: %d bytes, %d messages, %d places kept", cap(large.buf), cap(large.items), cap(large.refs))
	}
	if len(small.buf)+len(small.items)+len(small.refs) != 0 {
		t.Error("the queue is not empty")
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"n%d":%d,`, i, i)
	}
	return b.String()
}
