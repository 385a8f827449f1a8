package lane

import (
	"math/bits"

	"noecho/detect/internal/decode"
	"noecho/ngram"
)

// laneKind tells when a lane wakes and when it sleeps again.
type laneKind struct {
	lane    Lane
	decoder func() decode.Decoder
	wakes   alarm
	past    int   // bytes before the alarm that it reads
	quiet   int64 // bytes without a decoded one after which it sleeps; 0: it sleeps when the sum of its alarm is zero
	inner   Lanes // lanes in which the decoded text is read
}

// codeLanes are the lanes that are codes of bytes. The others exchange or move letters;
// to read one of those within another finds nothing.
const codeLanes Lanes = 1<<Base64 | 1<<Base32 | 1<<Hex | 1<<Percent | 1<<Decimal | 1<<Binary

// laneKinds are the lanes that sleep until an alarm wakes them.
var laneKinds = [...]laneKind{
	{Base64, decode.NewBase64, alarmBase64, 64, 96, AllLanes},
	{Base32, decode.NewBase32, alarmBase32, 64, 96, AllLanes},
	{Hex, decode.NewHex, alarmHex | alarmCodes, 96, 64, AllLanes},
	{Binary, decode.NewBinary, alarmBinary | alarmCodes, 96, 64, AllLanes},
	{Decimal, decode.NewDecimal, alarmCodes, 96, 48, AllLanes},
	{Percent, decode.NewPercent, alarmPercent, pastBytes, 128, AllLanes &^ (1 << Percent)},
	{Rot13, decode.NewRot13, alarmRot13, pastBytes, 0, codeLanes},
	{Mirrored, decode.NewMirrored, alarmMirrored, pastBytes, 0, codeLanes},
	{Reversed, decode.NewTurned, alarmMirrored, pastBytes, 0, codeLanes},
	{Leet, newLeet, alarmMixed, pastBytes, 128, codeLanes},
	{Hyphenated, decode.NewHyphenated, alarmHyphen, pastBytes, 256, codeLanes},
}

func newLeet() decode.Decoder { return decode.NewLeet() }

// codes is the finder of encoded text. Most of the time its lanes sleep and cost nothing:
// one watch looks at every byte of the channel for signs that wake them, and only the
// newest bytes are kept. A lane that wakes reads those first, so that it knows the words
// before the sign; bytes that were released by then are not withheld. While any lane is
// awake the channel is read byte by byte, so that no result depends on its cut.
type codes struct {
	r      *Reader
	watch  watch
	alarm  alarm // raised by the last byte
	wanted alarm // alarms that wake a sleeping lane
	awake  int   // lanes awake
	slots  [len(laneKinds)]laneSlot
}

// laneSlot is a lane of a channel.
type laneSlot struct {
	state  laneState
	slept  int64 // offset up to which it has read
	reader *laneReader
}

type laneState uint8

const (
	laneOff laneState = iota
	laneAsleep
	laneAwake
)

// maxDepth is how often text may be decoded.
const maxDepth = 2

// pastBytes is how many of the newest bytes a lane reads that wakes.
const pastBytes = 1 << 10

// alarm is a set of signs. A lane wakes at one or several of them.
type alarm uint16

const (
	alarmBase64   = alarm(decode.SignBase64) // runBytes characters in a row that decode to text
	alarmBase32   = alarm(decode.SignBase32)
	alarmHex      = alarm(decode.SignHex)
	alarmBinary   = alarm(decode.SignBinary)
	alarmCodes    = alarm(1 << iota) // groups of digits, one after another
	alarmPercent                     // percent codes
	alarmRot13                       // letters that are frequent only if moved by half the alphabet
	alarmMirrored                    // pairs of letters that are frequent only if turned round
	alarmMixed                       // digits and signs among letters
	alarmHyphen                      // a hyphen at the end of a line
)

// alarmsOfRows are the alarms of the probe.
const alarmsOfRows = alarmBase64 | alarmBase32 | alarmHex | alarmBinary

func (c *codes) reset() {
	c.watch, c.alarm, c.awake = watch{}, 0, 0
	for i := range c.slots {
		o := &c.slots[i]
		o.state, o.slept = laneOff, 0
		if c.r.cfg.Lanes.has(laneKinds[i].lane) && c.r.depth < maxDepth {
			o.state = laneAsleep
		}
	}
	c.want()
	if c.r.depth == maxDepth && c.r.inBytes {
		c.wanted = alarmsOfRows | alarmCodes | alarmPercent // bytes of code that are not decoded again are counted
	}
}

// giveBack gives back the nested readers of all lanes: the channel is over.
func (c *codes) giveBack() {
	for i := range c.slots {
		c.slots[i].giveBack(c.r.work)
	}
}

// giveBack gives back the nested reader of a lane, if it has one.
func (o *laneSlot) giveBack(w *work) {
	if o.reader != nil && o.reader.nest != nil {
		w.giveBack(o.reader.nest)
		o.reader.nest = nil
	}
}

// cut returns how many of the next bytes may be read at once, at least one.
func (c *codes) cut(p []byte) int {
	if c.awake > 0 {
		p = p[:1]
	}
	n, a := c.watch.read(p, c.wanted)
	c.alarm = a
	return n
}

// Text implements Finder.
func (c *codes) Text(p []byte) {
	c.r.past.add(p)
	if c.r.work.spent() {
		c.stop(int64(len(p)))
		return
	}
	if c.awake > 0 {
		c.read(p)
	}
	if c.awake > 0 && c.watch.noise >= noisy {
		c.rest()
	}
	if c.alarm&c.wanted != 0 {
		c.wake()
	}
}

// read gives bytes to the lanes that are awake.
func (c *codes) read(p []byte) {
	for i := range c.slots {
		o := &c.slots[i]
		if o.state != laneAwake {
			continue
		}
		o.reader.read(p)
		c.r.work.read += int64(len(p))
		if o.reader.idle() {
			c.sleep(o)
		}
	}
}

// sleep puts a lane to sleep; it may wake again.
func (c *codes) sleep(o *laneSlot) {
	o.reader.end()
	o.giveBack(c.r.work)
	o.state, o.slept = laneAsleep, c.r.past.end
	c.awake--
	c.want()
}

// rest puts the lanes to sleep that are no codes of bytes: in noise they find nothing.
func (c *codes) rest() {
	for i := range c.slots {
		if o := &c.slots[i]; o.state == laneAwake && !codeLanes.has(laneKinds[i].lane) {
			c.sleep(o)
		}
	}
}

// want sets the alarms that wake a sleeping lane.
func (c *codes) want() {
	c.wanted = 0
	for i := range c.slots {
		if c.slots[i].state == laneAsleep {
			c.wanted |= laneKinds[i].wakes
		}
	}
}

// wake wakes the lanes for the alarms of the last byte.
func (c *codes) wake() {
	if c.r.depth == maxDepth {
		c.r.work.unscanned++
		return
	}
	at := c.r.past.end
	for i := range c.slots {
		o, k := &c.slots[i], &laneKinds[i]
		if o.state != laneAsleep || c.alarm&k.wakes == 0 {
			continue
		}
		if o.reader == nil {
			o.reader = newLaneReader(c, k)
		}
		if o.reader.nest = c.r.work.borrow(c.r, k.lane); o.reader.nest == nil {
			c.r.work.unscanned++
			continue
		}
		o.state = laneAwake
		c.awake++
		c.r.work.memory.Wakes[k.lane]++
		from := max(o.slept, at-int64(k.past), 0)
		if !codeLanes.has(k.lane) {
			from = max(from, c.watch.quiet-noiseMost) // the first words behind noise
		}
		c.r.work.read += at - from
		o.reader.wake(c.r.past.from(from), from)
	}
	c.want()
}

// stop puts every lane to sleep for good: the budget is spent.
func (c *codes) stop(unread int64) {
	for i := range c.slots {
		if o := &c.slots[i]; o.state == laneAwake {
			c.sleep(o)
		}
		c.slots[i].state = laneOff
	}
	c.wanted = 0
	c.r.work.unscanned += unread
}

// Word implements Finder.
func (c *codes) Word(int64, ngram.Word) {}

// Waits implements Finder.
func (c *codes) Waits() int64 {
	free := c.watch.waits(c.wanted)
	if c.awake == 0 {
		return free
	}
	for i := range c.slots {
		if o := &c.slots[i]; o.state == laneAwake {
			free = min(free, o.reader.waits())
		}
	}
	return free
}

// Fork implements Finder. The lanes decide all bytes they have read, and read on.
func (c *codes) Fork() Finder {
	for i := range c.slots {
		if o := &c.slots[i]; o.state == laneAwake {
			o.reader.nest.nested.Park()
		}
	}
	return nil
}

// End implements Finder.
func (c *codes) End() {
	for i := range c.slots {
		if o := &c.slots[i]; o.state == laneAwake {
			o.reader.end()
			o.giveBack(c.r.work)
			o.state = laneAsleep
		}
	}
	c.awake = 0
}

// gapBytes is the number of bytes without a decoded one after which the decoded text is
// decided as if it had ended. If it goes on, windows that reach across the gap still count.
const gapBytes = 40

// laneReader reads one lane: a decoder, and a nested reader of the decoded text.
type laneReader struct {
	c     *codes
	kind  *laneKind
	dec   decode.Decoder
	nest  *nest // nil while it sleeps
	at    int64 // offset of the channel behind the last byte read
	last  int64 // offset behind the last byte that was written in the code
	bytes []decode.Byte
	word  []byte // scratch of choose

	block uint32 // which bytes were decoded of a block, by their low bits
	size  int    // bytes of the block so far
	dull  bool   // the last block has too few different bytes to be text
}

// A block of fewer than blockDistinct different bytes is no text: English has fifteen.
const (
	blockBytes    = 64
	blockDistinct = 8
)

func newLaneReader(c *codes, kind *laneKind) *laneReader {
	l := &laneReader{c: c, kind: kind, dec: kind.decoder()}
	if leet, ok := l.dec.(*decode.Leet); ok {
		leet.Choose = l.choose
	}
	return l
}

// wake begins to read. past is the newest bytes of the channel, from offset at on; the last
// of them woke the lane.
func (l *laneReader) wake(past []byte, at int64) {
	l.nest.nested.Begin(l.kind.inner)
	l.dec.Reset(at)
	l.at, l.last = at, at
	l.block, l.size, l.dull = 0, 0, false
	l.read(past)
	l.last = l.at
}

// read reads the next bytes one by one: how a decoder reads a word may depend on the words
// before it.
func (l *laneReader) read(p []byte) {
	for i := range p {
		l.bytes = l.dec.Append(l.bytes[:0], p[i:i+1])
		l.at++
		l.take()
		if l.at-l.last == gapBytes && codeLanes.has(l.kind.lane) {
			l.nest.nested.Park() // the code seems to have ended
		}
	}
}

// take passes the decoded bytes to the nested reader.
func (l *laneReader) take() {
	if len(l.bytes) == 0 {
		return
	}
	for _, b := range l.bytes {
		if b.Coded {
			l.last = b.Hi
		}
		l.block |= 1 << (b.Value & 31)
		if l.size++; l.size == blockBytes {
			l.dull = bits.OnesCount32(l.block) < blockDistinct
			l.block, l.size = 0, 0
		}
	}
	l.c.r.work.read += int64(len(l.bytes))
	l.nest.nested.Read(l.bytes)
}

// idle reports whether the lane may sleep.
func (l *laneReader) idle() bool {
	if l.dull && l.c.watch.noise >= noisy {
		return true
	}
	if l.kind.quiet > 0 {
		return l.at-l.last > l.kind.quiet
	}
	if l.kind.lane == Rot13 {
		return l.c.watch.moved == 0
	}
	return l.c.watch.turned == 0
}

func (l *laneReader) waits() int64 { return min(l.dec.Frontier(), l.nest.nested.Waits()) }

// end decides all bytes read so far: the channel ends, or the lane goes to sleep.
func (l *laneReader) end() {
	l.bytes = l.dec.Finish(l.bytes[:0])
	l.take()
	l.nest.nested.End()
}

// choose returns the first reading of a word that may follow the word before it in an
// indexed window, the first of all if none may.
func (l *laneReader) choose(readings [][]byte) int {
	for i, r := range readings {
		if l.word = appendFirstWord(l.word[:0], r); len(l.word) > 0 && l.nest.nested.Follows(l.word) {
			return i
		}
	}
	return 0
}

// appendFirstWord appends the first word of a reading as it is hashed, or nothing if the
// reading has no word.
func appendFirstWord(word, reading []byte) []byte {
	for _, b := range reading {
		switch {
		case b == '\'':
			continue
		case b == '@' || b == '$' || b == '!':
			if len(word) > 0 {
				return word
			}
			continue
		case b >= 'A' && b <= 'Z':
			b |= 0x20
		}
		word = append(word, b)
	}
	return word
}

var _ Finder = (*codes)(nil)
