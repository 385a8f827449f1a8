package relay

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"noecho/internal/raced"
)

// TestRelayStorage: while a stream waits for its next message, no storage of a large one
// is kept, for messages of many shapes.
func TestRelayStorage(t *testing.T) {
	large := raced.Fewer(12 << 20)
	many := raced.Fewer(60000)
	text := strings.Repeat("some other words of it ", large/23)
	shapes := map[string]string{
		"text":      stream(delta(0, `"content":"`+text+`"`)),
		"escapes":   stream(delta(0, `"content":"`+strings.Repeat(`\u0041\n`, large/8)+`"`)),
		"lines":     "data: {\"x\":[\n" + strings.Repeat("data: 1,\n", large/9) + "data: 1]}\n\n",
		"comments":  strings.Repeat(": it\n", large/100) + "\n",
		"elements":  stream(`{"x":[` + strings.Repeat(`"a",`, many) + `"a"]}`),
		"names":     stream(`{"x":{` + manyNames(many) + `"b":1}}`),
		"long name": stream(`{"` + text + `\u0041":1}`),
		"spans":     stream(delta(0, `"content":"`+strings.Repeat(secret+" ok ", many)+`"`)),
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

// TestQueueThatEmpties: a queue that is emptied behind each message has little storage some messages
// after a burst, and makes none anew for each.
func TestQueueThatEmpties(t *testing.T) {
	q := queue{}
	say := func(messages int) {
		for range messages {
			q.buf = append(q.buf, "data: {\"choices\":[{\"delta\":{\"content\":\"word\"}}]}\n\n"...)
			q.refs = append(q.refs, ref{}, ref{})
			q.push(6, 0)
		}
		for q.held() > 0 {
			q.pop()
		}
	}
	say(200)
	for range 2 * calmEnough {
		say(1)
	}
	if cap(q.buf) > roomy*minBytes || cap(q.refs) > roomy*minMove || cap(q.items) > roomy*minMove {
		t.Errorf("room for %d bytes, %d places and %d messages", cap(q.buf), cap(q.refs), cap(q.items))
	}
	if n := testing.AllocsPerRun(200, func() { say(1) }); n > 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"n%d":%d,`, i, i)
	}
	return b.String()
}

// TestQueueAfterBurst: once messages come one by one again, the queue has no more storage than
// they need, and makes none anew for each.
func TestQueueAfterBurst(t *testing.T) {
	q := queue{}
	say := func() {
		q.buf = append(q.buf, "data: {\"choices\":[{\"delta\":{\"content\":\"word\"}}]}\n\n"...)
		q.refs = append(q.refs, ref{}, ref{})
		q.push(6, 0)
	}
	for range 400 {
		say()
	}
	for q.held() > 3 {
		q.pop()
	}
	each := func() { say(); q.pop() }
	for range 100 {
		each()
	}
	if cap(q.buf) > roomy*4*minBytes || cap(q.refs) > roomy*2*minMove || cap(q.items) > roomy*2*minMove {
		t.Errorf("room for %d bytes, %d places and %d messages", cap(q.buf), cap(q.refs), cap(q.items))
	}
	if n := testing.AllocsPerRun(200, each); n > 0 {
		t.Errorf("%v allocations a message", n)
	}
}
