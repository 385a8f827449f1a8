package relay

import "noecho/proxy/wire"

// Limits of the queue of one answer. A message beyond them counts as one that cannot be
// scanned.
const (
	maxQueue    = 16 << 20 // bytes of messages that wait
	maxQueued   = 1 << 16  // messages that wait
	maxRefs     = 1 << 17  // places in them
	keepStorage = 1 << 20  // bytes of storage that an empty queue keeps
	minCompact  = 1 << 12  // elements of a slice that are kept
	minBytes    = 1 << 9   // bytes that are no longer used before the rest is moved
	minMove     = 8        // messages or places that are no longer used before the rest is moved
	roomy       = 4        // a slice with so many times the room that its rest needs is made anew
	calmEnough  = 16       // after so many messages one by one the storage of a burst is given back
)

// ref is a place of a queued message: a piece of a channel's text, or a value that
// depends on the texts of its choice.
type ref struct {
	role    wire.Role
	form    wire.Form
	item    int32    // that the text or value belongs to; -1: none
	channel *channel // nil: the place is a value without text
	choice  *choice
	lo, hi  int64  // offsets of the text in its channel
	at, end int    // the place in the message or, if that has its payload on several lines, in the payload
	instead string // JSON for a value that is dropped or ends a blocked choice; empty: the value is kept
}

// item is one queued message, or several in a row that are plain.
type item struct {
	size   int // in bytes
	refs   int // number of places
	at     int // where its payload begins; -1: the payload is on several lines
	length int // of the payload, if the ending of the stream has to see it; else 0
}

// queue has the messages that may not leave yet and behind them the rest: the message
// that is being read. Bytes, messages and places are in three slices that are reused.
type queue struct {
	buf       []byte
	head      int // where the first message begins
	tail      int // where the rest begins
	items     []item
	firstItem int
	decided   int // places of the first message that are known to be decided
	refs      []ref
	firstRef  int // first place of the first message
	restRef   int // first place of the rest
	calm      int // how often in a row the queue was emptied with far more storage than it needed
}

// rest returns the message being read, as far as it has arrived.
func (q *queue) rest() []byte { return q.buf[q.tail:] }

// partial returns the length of rest.
func (q *queue) partial() int { return len(q.buf) - q.tail }

// drop forgets the message being read.
func (q *queue) drop() {
	q.buf = q.buf[:q.tail]
	q.forget()
	q.tidy()
}

// forget forgets the places of the message being read.
func (q *queue) forget() { q.refs = q.refs[:q.restRef] }

// push queues the message being read. Its payload begins at the byte at; length is that
// of the payload if the ending of the stream has to see it, else 0. Plain messages in
// a row become one item.
func (q *queue) push(at, length int) {
	next := item{size: q.partial(), refs: len(q.refs) - q.restRef, at: at, length: length}
	q.tail, q.restRef = len(q.buf), len(q.refs)
	if last := len(q.items) - 1; last >= q.firstItem && next.plain() && q.items[last].plain() {
		q.items[last].size += next.size
		return
	}
	q.items = append(q.items, next)
}

// plain reports whether a message leaves without anybody looking at it.
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

// held returns the number of items that wait.
func (q *queue) held() int { return len(q.items) - q.firstItem }

// full reports whether the messages that wait pass a limit.
func (q *queue) full() bool {
	return q.tail-q.head > maxQueue || q.held() > maxQueued || len(q.refs)-q.firstRef > maxRefs
}

// tidy moves messages to the beginning of storage once enough of it is free.
func (q *queue) tidy() {
	if q.held() == 0 && q.partial() == 0 && len(q.refs) == q.firstRef {
		q.reset()
		return
	}
	if q.head > minBytes && q.head > len(q.buf)/2 {
		q.buf = moved(q.buf, q.head, 4*minBytes)
		q.tail -= q.head
		q.head = 0
	}
	if q.firstItem > minMove && q.firstItem > len(q.items)/2 {
		q.items = moved(q.items, q.firstItem, 2*minMove)
		q.firstItem = 0
	}
	if q.firstRef > minMove && q.firstRef > len(q.refs)/2 {
		q.refs = moved(q.refs, q.firstRef, 2*minMove)
		q.restRef -= q.firstRef
		q.firstRef = 0
	}
}

// moved returns s without its first n elements, moved to the beginning of its storage. After a
// burst of messages that storage is too large for those that follow one by one; it is given back
// then, unless it has room for least elements only, or a few more.
func moved[T any](s []T, n, least int) []T {
	rest := s[n:]
	if size := max(least, 2*len(rest)); cap(s) > roomy*size {
		return append(make([]T, 0, size), rest...)
	}
	return append(s[:0], rest...)
}

// reset empties the queue and gives back storage that a large message made.
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
	calm := 0
	if cap(q.buf) > roomy*max(minBytes, len(q.buf)) || cap(q.refs) > roomy*max(minMove, len(q.refs)) || cap(q.items) > roomy*max(minMove, len(q.items)) {
		if calm = q.calm + 1; calm == calmEnough {
			buf, items, refs, calm = nil, nil, nil, 0
		}
	}
	*q = queue{buf: buf, items: items, refs: refs, calm: calm}
}

// forgetAll empties the queue for another answer and keeps little storage.
func (q *queue) forgetAll() {
	*q = queue{buf: emptied(q.buf, keepPooled), items: emptied(q.items, minPooled), refs: emptied(q.refs, minPooled)}
}
