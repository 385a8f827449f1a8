package relay

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"noecho/detect"
	"noecho/proxy/wire"
)

// choice is one of the answers that a response gives side by side. Texts that belong to
// none of them have a choice of their own, whose number is -1.
type choice struct {
	number   int32
	list     string // name of the list of choices, for the names of channels; empty: there is no list
	state    choiceState
	withheld bool           // some text of it did not leave, so its logprobs and token ids do not either
	blocked  bool           // it ends before a finding
	lost     []int32        // items of which some text did not leave, at most MaxChannels
	reported bool           // a finding of it was reported
	spoke    uint64         // the last message that had text of the answer for it
	ended    uint64         // the last message that announced its end
	cause    wire.Cause     // of its end
	answer   *detect.Answer // its channels as one text
	recent   *recent        // labels, names in JSON text and short strings beside the answer; nil: there was none
	tokensIn uint64         // the last message with tokens
	tokensOf int32          // its item that they are of
	tokens   *channel       // the channel of them that is read as text; nil: none
}

// choiceState is how much of a choice the caller has seen.
type choiceState uint8

const (
	choiceUnseen choiceState = iota
	choiceOpen
	choiceClosed
)

// channel is one text of an answer. Its pieces may come in many messages.
type channel struct {
	choice *choice
	key
	role     wire.Role // Text, Metadata or Token
	det      *detect.Detector
	length   int64  // bytes of text that were read
	frontier int64  // bytes of text that are decided; math.MaxInt64 once a finding is blocked
	fed      uint64 // the last message that had text for it
	ended    uint64 // the last message whose text is decided without waiting for more
	turned   bool   // the choice went on in another channel
	origin   int32  // the item of the last piece
	tail     int64  // bytes at its beginning that no place has, see goOn
	repeat   repeat
	out      output
	token    token
	answer   *detect.Answer    // that it is a part of; nil: it repeats other channels
	strand   detect.Strand     // of its text, names and numbers in JSON text apart
	parts    wire.JSONSplitter // of its text, if that is JSON
	member   uint64            // fingerprint of the name that is being read there
}

// recent is the fingerprints of the newest short texts of a choice.
type recent struct {
	sums [mostRecent]uint64
	next uint8
}

// mostRecent is how many texts are remembered. A call has a few names.
const mostRecent = 64

// again notes the fingerprint of a name and reports whether it is known.
func (c *choice) again(sum uint64) bool {
	if c.recent == nil {
		c.recent = &recent{}
	}
	r := c.recent
	if slices.Contains(r.sums[:], sum) {
		return true
	}
	r.sums[r.next%mostRecent] = sum
	r.next++
	return false
}

// unsaid is the fingerprint of no text.
const unsaid = 0xcbf29ce484222325

// fingerprint goes on with the FNV-1a hash of a text.
func fingerprint(sum uint64, text []byte) uint64 {
	for _, c := range text {
		sum = (sum ^ uint64(c)) * 0x100000001b3
	}
	return sum
}

// key identifies a channel within its choice.
type key struct {
	item, part int32
	name       string
}

// token has the fields that only channels of tokens use.
type token struct {
	ref    int             // index of the one place that all tokens of a message share
	secret *detect.Finding // the first finding that is no echo
}

// startsText reports whether a piece begins a new text in the channel. The family says
// so with Separate. Besides, strings beside the answer never go on with the text of
// another item, although items may share a channel, nor with another string of their message
// that has their path.
func (ch *channel) startsText(f *wire.Field, message uint64) bool {
	switch {
	case f.Separate:
		return true
	case ch.role != wire.Metadata, ch.length == 0:
		return false
	case f.Rule < 0 && ch.fed == message:
		return true
	}
	return ch.item < 0 && f.Item >= 0 && (ch.fed == message || ch.origin != f.Item)
}

// startsName reports whether a piece is the first one under a name of a text that other names
// began, and may be a word of its own: a client of that name does not have the pieces before it.
func (ch *channel) startsName(f *wire.Field, text []byte) bool {
	return f.Role == wire.Alias && ch.length > 0 && ch.repeat.alias(f.Rule) == nil && len(text) > 0 && text[0] > ' '
}

// frames reports whether a text beside the answer is the kind of an object or event, or an address.
// They come between texts, and would break a record that is cut over those.
func (ch *channel) frames(f *wire.Field, text []byte) bool {
	if f.Sort != wire.Beside {
		return false
	}
	return wire.IsIdentifier(text) && (strings.HasSuffix(ch.name, "type") || strings.HasPrefix(ch.name, "framing.")) || isAddress(text)
}

// isAddress reports whether a text is an address of the web: it has :// and no white space.
func isAddress(text []byte) bool {
	return bytes.Contains(text, []byte("://")) && !bytes.ContainsAny(text, " \t\r\n")
}

// label returns the channel's name in an alert.
func (ch *channel) label() string {
	name := strings.Replace(ch.name, "#", strconv.Itoa(int(ch.item)), 1)
	name = strings.Replace(name, "#", strconv.Itoa(int(ch.part)), 1)
	if ch.choice.number < 0 || ch.choice.list == "" {
		return name
	}
	return ch.choice.list + "." + strconv.Itoa(int(ch.choice.number)) + "." + name
}
