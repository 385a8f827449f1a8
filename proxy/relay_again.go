package proxy

import (
	"hash/maphash"

	"noecho/proxy/wire"
)

// maxKept is the number of cuts that a channel keeps for the time when its
// text comes once more.
const maxKept = 1 << 14

// again reads a place that holds all of a text once more. If what its channel
// has read is the beginning of it, place and channel are one text: the place is
// cut as the pieces were, and only what is new is judged. Anything else is
// a text of its own, and is judged from its beginning, unless it shows that the
// text comes in pieces after all: then it is the next one.
func (b *book) again(c *choice, f *wire.Field, p ref, text []byte) error {
	ch, err := b.channel(c, place{f.Item, f.Part, f.Name}, wire.Text)
	if err != nil {
		return err
	}
	sofar := f.Role == wire.Sofar
	begins := ch.begins(text, b)
	if sofar && ch.length > 0 {
		ch.manner = ch.manner.settle(begins)
	}
	more := text
	switch {
	case sofar && ch.manner == pieces:
		p.role, p.lo = wire.Text, ch.length
	case !begins:
		return b.apart(c, f, p, text)
	default:
		more = text[ch.length:]
	}
	if f.Role == wire.Recap {
		ch.ended = b.message
	}
	if len(more) > 0 {
		if ch.fed != b.message {
			ch.start, ch.rule = ch.length, f.Rule
		}
		b.feed(ch, more)
		c.spoke = b.message
	}
	b.add(ch, p)
	return nil
}

// begins reports whether text begins with all that the channel has read.
func (ch *channel) begins(text []byte, b *book) bool {
	switch {
	case ch.length == 0:
		return true
	case int64(len(text)) < ch.length, !ch.keeps:
		return false
	}
	return maphash.Bytes(b.seed, text[:ch.length]) == ch.sum.Sum64()
}

// apart reads a text that should have been a channel's and is not.
func (b *book) apart(c *choice, f *wire.Field, p ref, text []byte) error {
	ch, err := b.channel(c, place{f.Item, f.Part, f.Path}, wire.Text)
	if err != nil {
		return err
	}
	b.separate(ch)
	p.role, p.lo = wire.Text, ch.length
	ch.ended = b.message
	b.feed(ch, text)
	b.add(ch, p)
	return nil
}
