package relay

import (
	"hash/maphash"

	"noecho/proxy/wire"
)

// variety says whether a text without a name has ever said anything.
type variety uint8

const (
	unread variety = iota
	steady         // all pieces were the same, or codes
	varied
)

// repeated notes a piece of a text that the family has no rule for, and reports
// whether nothing has been said in it so far: all of its pieces were the same
// (the state of a job, the name of a model, which every message says once more)
// or codes (an id or a time of each message). Such a text would hold every
// message until the next one, or longer: ids put together are one endless word.
// It is decided at once instead, and goes on to be scanned: should it turn out to
// be a leak, it is found from its n-th word on.
func (b *book) repeated(ch *channel, text []byte) bool {
	sum, code := maphash.Bytes(b.seed, text), wire.Code(text)
	switch {
	case ch.variety == unread:
		ch.variety, ch.first = steady, sum
		return code
	case ch.variety == steady && ch.first != sum && !code:
		ch.variety = varied
	}
	return ch.variety == steady
}
