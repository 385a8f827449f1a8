package relay

import (
	"hash/maphash"

	"noecho/proxy/wire"
)

// constancy says whether a text without a name has ever said anything.
type constancy uint8

const (
	noPiece  constancy = iota
	constant           // all pieces were the same, or codes
	varied
)

// repeated notes a piece of a text that the family has no rule for, and reports
// whether nothing has been said in it so far: all of its pieces were the same
// (the state of a job, the name of a model, which every message says once more)
// or codes (an id or a time of each message). Such a text would hold every
// message until the next one, or longer: ids put together are one endless word.
// It is decided at once instead, and goes on to be scanned: should it turn out to
// be a leak, it is found from its n-th word on.
func (s *channelSet) repeated(ch *channel, text []byte) bool {
	sum, code := maphash.Bytes(s.seed, text), wire.Code(text)
	switch {
	case ch.constancy == noPiece:
		ch.constancy, ch.first = constant, sum
		return code
	case ch.constancy == constant && ch.first != sum && !code:
		ch.constancy = varied
	}
	return ch.constancy == constant
}
