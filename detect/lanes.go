package detect

import (
	"fmt"

	"noecho/detect/internal/lane"
)

// Lane is a way of reading a channel: how a finding was spelled. Its String is the
// name in an alert, such as "plain", or "base64+rot13" for text that was decoded twice.
type Lane = lane.Lane

// Plain is the lane of text that is read as it is.
const Plain = lane.Plain

// Lanes is a set of lanes. The zero value is none; the plain lane is always read.
type Lanes = lane.Lanes

// AllLanes is every lane there is.
const AllLanes = lane.AllLanes

// LaneMemory counts the bytes that the lanes of one answer use while they are awake, and how often
// each lane woke: its field Wakes is indexed by [Lane]. Detectors that share
// one must be used by one goroutine at a time. The zero value is ready.
type LaneMemory = lane.Memory

// ParseLanes returns the set of the lanes with the given names:
//
//	despaced        letters spaced out, words run together
//	base64          standard and URL-safe, padded or not, lines broken or not
//	base32          in either case
//	hex             plain, spaced, 0x, \x
//	percent         as in a URL
//	decimal         codes of bytes or characters: 72, 101
//	binary          groups of eight bits
//	rot13           letters moved by half the alphabet
//	reversed        the text from its last character to its first
//	reversed-words  the words from the last to the first
//	mirrored        each word from its last character to its first
//	leet            digits and signs for letters
//	hyphenated      words broken at the ends of lines
//
// If a name is unknown, it returns the set of the others and an error.
func ParseLanes(names ...string) (lanes Lanes, err error) {
	for _, name := range names {
		l, ok := lane.Named(name)
		if !ok {
			err = fmt.Errorf("unknown lane %q", name)
		}
		lanes |= lane.LanesOf(l)
	}
	return lanes, err
}
