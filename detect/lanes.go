package detect

import "noecho/detect/internal/lane"

// Lane is a way of reading a channel: how a finding was spelled. Its String is the
// name in an alert, such as "plain", or "base64+rot13" for text that was decoded twice.
type Lane = lane.Lane

// Lanes is a set of lanes. The zero value is none; the plain lane is always read.
type Lanes = lane.Lanes

// The lanes.
const (
	Plain         = lane.Plain         // as it is
	Despaced      = lane.Despaced      // letters spaced out, words run together
	Base64        = lane.Base64        // standard and URL-safe, padded or not, lines broken or not
	Base32        = lane.Base32        // in either case
	Hex           = lane.Hex           // plain, spaced, 0x, \x
	Percent       = lane.Percent       // as in a URL
	Decimal       = lane.Decimal       // codes of bytes or characters: 72, 101
	Binary        = lane.Binary        // groups of eight bits
	Rot13         = lane.Rot13         // letters moved by half the alphabet
	Reversed      = lane.Reversed      // the text from its last character to its first
	ReversedWords = lane.ReversedWords // the words from the last to the first
	Mirrored      = lane.Mirrored      // each word from its last character to its first
	Leet          = lane.Leet          // digits and signs for letters
	Hyphenated    = lane.Hyphenated    // words broken at the ends of lines

	AllLanes = lane.AllLanes // every lane there is
)

// DefaultLaneBudget is the number of bytes that the lanes of a channel may read.
const DefaultLaneBudget = lane.DefaultBudget

// LanesOf returns the set of the given lanes.
func LanesOf(lanes ...Lane) Lanes { return lane.LanesOf(lanes...) }
