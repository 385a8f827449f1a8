package relay

import "noecho/proxy/wire"

// Limits of the queue of one answer. Past them the failure policy applies.
const (
	maxQueue    = 16 << 20 // bytes of messages that wait
	maxQueued   = 1 << 16  // messages that wait
	maxRefs     = 1 << 17  // places in them
	keepStorage = 1 << 20  // bytes of storage that an empty queue keeps
	minCompact  = 1 << 12  // elements gone before storage is moved
)

// ref is one place of a queued message.
type ref struct {
	role    wire.Role
	form    wire.Form
	item    int32    // that it is a piece of, or that a dropped value goes with; -1: none
	channel *channel // nil: no text
	choice  *choice
	lo, hi  int64  // the text in its channel
	at, end int    // the place in the message or, of a joined one, in its payload
	instead string // JSON to put in its place if it is dropped or ends a blocked choice; empty: it stays
}

// item is one queued message, or several without places.
type item struct {
	size   int // bytes
	refs   int
	at     int // where its payload begins in it; -1: the payload is on several lines
	length int // of the payload, if the ending of the stream follows it; else 0
}

// queue holds the messages that may not leave yet, and the one being read.
// Bytes, messages and places stand in three slices that are reused.
type queue struct {
	buf       []byte // messages from head on, then the rest: the message being read
	head      int
	tail      int // where the rest begins
	items     []item
	firstItem int
	decided   int // places of the first item whose texts are decided
	refs      []ref
	firstRef  int
	restRef   int // first ref of the message being read
}

// rest is the message being read, as far as it has arrived.
func (q *queue) rest() []byte { return q.buf[q.tail:] }

// partial is the length of rest.
func (q *queue) partial() int { return len(q.buf) - q.tail }

// drop forgets the message being read.
func (q *queue) drop() {
	q.buf = q.buf[:q.tail]
	q.forget()
	q.tidy()
}

// forget forgets the places of the message being read.
func (q *queue) forget() { q.refs = q.refs[:q.restRef] }

// push queues the message being read, whose payload begins at the given place and has
// the given length if it is followed. Messages without a place that nobody follows
// become one.
func (q *queue) push(at, length int) {
	next := item{size: q.partial(), refs: len(q.refs) - q.restRef, at: at, length: length}
	q.tail, q.restRef = len(q.buf), len(q.refs)
	if last := len(q.items) - 1; last >= q.firstItem && next.plain() && q.items[last].plain() {
		q.items[last].size += next.size
		return
	}
	q.items = append(q.items, next)
}

// plain reports whether nothing needs to be known of a message but its bytes.
func (it *item) plain() bool { return it.refs == 0 && it.length == 0 }

// front returns the first message, its bytes and its places.
func (q *queue) front() (item, []byte, []ref) {
	it := q.items[q.firstItem]
	return it, q.buf[q.head : q.head+it.size], q.refs[q.firstRef : q.firstRef+it.refs]
}

// pop removes the first message.
func (q *queue) pop() {
	it := q.items[q.firstItem]
	q.firstItem++
	q.decided = 0
	q.head += it.size
	q.firstRef += it.refs
	q.tidy()
}

// held is the number of messages that wait.
func (q *queue) held() int { return len(q.items) - q.firstItem }

// full reports whether more waits than may.
func (q *queue) full() bool {
	return q.tail-q.head > maxQueue || q.held() > maxQueued || len(q.refs)-q.firstRef > maxRefs
}

// tidy reuses storage in front of the first message.
func (q *queue) tidy() {
	if q.held() == 0 && q.partial() == 0 && len(q.refs) == q.firstRef {
		q.reset()
		return
	}
	if q.head > minCompact && q.head > len(q.buf)/2 {
		q.buf = append(q.buf[:0], q.buf[q.head:]...)
		q.tail -= q.head
		q.head = 0
	}
	if q.firstItem > minCompact && q.firstItem > len(q.items)/2 {
		q.items = append(q.items[:0], q.items[q.firstItem:]...)
		q.firstItem = 0
	}
	if q.firstRef > minCompact && q.firstRef > len(q.refs)/2 {
		q.refs = append(q.refs[:0], q.refs[q.firstRef:]...)
		q.restRef -= q.firstRef
		q.firstRef = 0
	}
}

// reset empties the queue. Storage that one large message made is given back.
func (q *queue) reset() {
	buf, items, refs := q.buf[:0], q.items[:0], q.refs[:0]
	if cap(buf) > keepStorage {
		buf = nil
	}
	if cap(refs) > minCompact {
		refs = nil
	}
	if cap(items) > minCompact {
		items = nil
	}
	*q = queue{buf: buf, items: items, refs: refs}
}
