package detect

import "strings"

// Lane is a way of reading a channel: how a finding was spelled. The low byte is
// the lane of the channel itself, the high byte that of what came out of it.
type Lane uint16

// The lanes.
const (
	Plain         Lane = iota // as it stands
	Despaced                  // letters spaced out, words run together
	Base64                    // standard and URL-safe, padded or not, lines broken or not
	Base32                    //
	Hex                       // plain, spaced, 0x, \x
	Percent                   // as in a URL
	Decimal                   // codes of bytes or characters: 72, 101
	Binary                    // groups of eight bits
	Rot13                     //
	Reversed                  // the text from its last character to its first
	ReversedWords             // the words from the last to the first
	Mirrored                  // each word from its last character to its first
	Leet                      // digits and signs for letters
	Hyphenated                // words broken at the ends of lines
	laneCount
)

// within returns the lane of a finding in lane inner of what lane l decoded. No
// lane lies deeper than two.
func (l Lane) within(inner Lane) Lane { return l | inner<<8 }

// outer returns the lane of the channel itself.
func (l Lane) outer() Lane { return l & 0xff }

// String returns the lane's name in an alert, such as "plain" or "base64+rot13".
func (l Lane) String() string {
	var b strings.Builder
	b.WriteString(laneName(l & 0xff))
	if inner := l >> 8; inner != Plain {
		b.WriteString("+" + laneName(inner))
	}
	return b.String()
}

func laneName(l Lane) string {
	return [laneCount]string{
		"plain", "despaced", "base64", "base32", "hex", "percent", "decimal", "binary",
		"rot13", "reversed", "reversed-words", "mirrored", "leet", "hyphenated",
	}[l]
}

// Lanes is a set of lanes; the zero value is none. The plain lane is always
// read.
type Lanes uint16

// AllLanes is every lane there is.
const AllLanes Lanes = 1<<laneCount - 2

// LanesOf returns the set of the given lanes.
func LanesOf(lanes ...Lane) (s Lanes) {
	for _, l := range lanes {
		s |= 1 << l
	}
	return s &^ 1
}

// Has reports whether a lane is in the set.
func (s Lanes) Has(l Lane) bool { return s>>l&1 != 0 }

// reading is a lane at work. Most of the time it sleeps and costs nothing: one
// watch looks at every byte of the channel for what wakes lanes (watch.go). A
// lane that wakes is first given the newest bytes that went by, so that it knows
// the words before; what has left by then, it cannot call back. While any lane is
// awake the channel is read byte by byte, so that nothing depends on how it was
// cut.
//
// A reading claims what it finds with [Detector.claim], offsets counted in the
// channel, and settles it, as a finder does.
type reading interface {
	// reset forgets everything.
	reset()
	// wake begins to read. past is the newest bytes of the channel, at most
	// pastBytes; its first byte stands at offset at, its last one is the one that
	// woke the lane. It is not kept.
	wake(past []byte, at int64)
	// read is given the next bytes.
	read(p []byte)
	// idle reports that there is nothing left to read: the lane is ended and put
	// to sleep.
	idle() bool
	// waits returns the first byte that must be held, math.MaxInt64 if none.
	waits() int64
	// park decides everything read so far as if the channel ended here; it may go
	// on, and words across the gap still count.
	park()
	// end decides everything read so far: the channel ends, or the lane is put to
	// sleep.
	end()
}

// pastBytes is how many of the newest bytes are kept for a lane that wakes.
const pastBytes = 1 << 10

// alarm says what the watch saw. A lane wakes at one or several of them.
type alarm uint16

const (
	alarmRun      alarm = 1 << iota // runBytes letters, digits and signs of base64 in a row
	alarmCodes                      // groups of digits, one after another
	alarmPercent                    // percent codes
	alarmRot13                      // letters that are frequent only moved by half the alphabet
	alarmMirrored                   // pairs of letters that are frequent only the other way round
	alarmMixed                      // digits and signs among letters
	alarmHyphen                     // a hyphen at the end of a line
)
