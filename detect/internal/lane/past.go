package lane

import (
	"encoding/binary"
	"unicode/utf8"
)

// past keeps the newest bytes of a channel in a row, for finders that look back. Its room
// grows with the channel.
type past struct {
	end int64 // offset behind the newest byte
	n   int   // bytes in buf
	buf []byte
}

const (
	// keptBytes is how many of the newest bytes are always kept: when a word is read, as many
	// bytes as a detector reads at once may have been read behind it.
	keptBytes = 2 * pastBytes
	leastRoom = pastBytes
	mostRoom  = keptBytes + pastBytes // so each byte is moved twice
)

// add adds bytes.
func (b *past) add(p []byte) {
	b.end += int64(len(p))
	p = p[max(0, len(p)-keptBytes):]
	if b.n+len(p) > len(b.buf) {
		b.makeRoom(len(p))
	}
	b.n += copy(b.buf[b.n:], p)
}

// makeRoom makes room for more bytes, keptBytes at most.
func (b *past) makeRoom(more int) {
	if size := len(b.buf); size < mostRoom {
		if size = leastRoom; size < b.n+more {
			size = mostRoom
		}
		b.buf = append(make([]byte, 0, size), b.buf[:b.n]...)
		b.buf = b.buf[:cap(b.buf)]
	}
	if b.n+more > len(b.buf) {
		oldest := b.n - min(b.n, keptBytes, len(b.buf)-more)
		b.n = copy(b.buf, b.buf[oldest:b.n])
	}
}

// begin is the offset of the oldest byte that is always kept.
func (b *past) begin() int64 { return b.end - int64(min(b.n, keptBytes)) }

// from returns the bytes from an offset on, nil if they are no longer kept. They are valid
// until more are added.
func (b *past) from(lo int64) []byte {
	if lo < b.begin() {
		return nil
	}
	return b.buf[b.index(lo):b.n]
}

// index returns the place in buf of the byte at an offset.
func (b *past) index(at int64) int64 { return at - b.end + int64(b.n) }

// ascii reports whether the bytes from place i of the buffer on are as many letters, if there
// are four at most: none of them is part of a longer character. Of more bytes, it reports
// that of the first four. So a processor need not guess how many there are.
func (b *past) ascii(i, size int64) bool {
	if i+utf8.UTFMax > int64(len(b.buf)) {
		return false
	}
	first := binary.LittleEndian.Uint32(b.buf[i:])
	return first&(0x80808080>>(8*(utf8.UTFMax-min(size, utf8.UTFMax))&31)) == 0
}

// parted reports whether white space is between two offsets. Bytes that are not always kept
// any more count as white space, bytes that have not been read yet do not.
func (b *past) parted(from, to int64) bool {
	if from < b.end-keptBytes {
		return true
	}
	for ; from < to; from++ {
		if b.white(from) {
			return true
		}
	}
	return false
}

// white is parted for one byte.
func (b *past) white(at int64) bool {
	return at < b.end && (at < b.end-keptBytes || whites[b.buf[b.index(at)]] > 0)
}

// view is the bytes of a past while none are added.
type view struct {
	buf  []byte
	at   int64 // byte i of the channel is at i+at
	kept int64 // offset of the oldest byte that is always kept
}

func (b *past) view() view { return view{b.buf, b.index(0), b.end - keptBytes} }

// apart reports whether one of the first two bytes between two words, which have been read, is
// white space that is always kept. A processor need not guess which of them is.
func (b *view) apart(from, to int64) bool {
	return from < to && from >= b.kept && whites[b.buf[from+b.at]]|whites[b.buf[from+b.at+1]] > 0
}

// whites has a 1 for each byte that is white space between tokens.
var whites = [256]uint8{' ': 1, '\n': 1, '\t': 1, '\r': 1}
