package proxy

import "hash/maphash"

// variety says whether the pieces of a text without a name have ever differed.
type variety uint8

const (
	unread variety = iota
	steady         // all pieces were the same
	varied
)

// repeated notes a piece of a text that the family has no rule for, and reports
// whether all of its pieces so far are the same: the state of a job, the name of
// a model, which every message says once more. Such a text would hold every
// message until the next one. It is decided at once instead, and goes on to be
// scanned: should it turn out to be a leak, it is found from its n-th word on.
func (b *book) repeated(ch *channel, text []byte) bool {
	switch sum := maphash.Bytes(b.seed, text); {
	case ch.variety == unread:
		ch.variety, ch.first = steady, sum
		return false
	case ch.variety == steady && ch.first != sum:
		ch.variety = varied
	}
	return ch.variety == steady
}
