// Package lane reads a channel in other ways than as it is: decoded, with letters moved
// or turned round, with its words from the last to the first, with other gaps between
// its words. A channel is one text of an answer; each way is a lane. Most lanes sleep and
// cost nothing until the channel shows a sign that wakes them.
//
// The package knows letters, encodings and the filters of an index. It knows the detector
// only as a [Host]. It does not decide whether bytes are withheld: it claims them.
package lane

import (
	"slices"
)

// Lane is a way of reading a channel: how a finding was spelled. The low byte is the lane
// of the channel itself, the high byte the lane of the text that it was decoded to.
type Lane uint16

// The lanes.
const (
	Plain         Lane = iota // as it is
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

// Nest returns the lane of a finding that lane inner made in the text that lane outer
// decoded. Text that was decoded twice has no lanes.
func Nest(outer, inner Lane) Lane { return outer | inner&0xff<<8 }

// String returns the lane's name in an alert, such as "plain" or "base64+rot13".
func (l Lane) String() string {
	name := laneNames[l&0xff]
	if inner := l >> 8; inner != Plain {
		name += "+" + laneNames[inner]
	}
	return name
}

var laneNames = [laneCount]string{
	"plain", "despaced", "base64", "base32", "hex", "percent", "decimal", "binary",
	"rot13", "reversed", "reversed-words", "mirrored", "leet", "hyphenated",
}

// Named returns the lane with a name, Plain and false if there is none.
func Named(name string) (Lane, bool) {
	i := slices.Index(laneNames[:], name)
	return Lane(max(0, i)), i >= 0
}

// Lanes is a set of lanes; the zero value is none. The plain lane is always read.
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

// has reports whether a lane is in the set.
func (s Lanes) has(l Lane) bool { return s>>l&1 != 0 }
