package relay

import (
	"strconv"
	"strings"

	"noecho/detect"
	"noecho/proxy/wire"
)

// choice is one of the answers that a response holds side by side.
type choice struct {
	number   int32  // -1: what belongs to none
	list     string // what holds it, in the names of channels; empty: it is the only one
	state    choiceState
	withheld bool    // something of it did not leave: its logprobs and ids go
	blocked  bool    // it ends before a finding
	lost     []int32 // items of which something did not leave, as many as are kept
	reported bool    // something of it was reported
	spoke    uint64  // message in which it carried text of the answer
	ended    uint64  // message in which its end was announced
}

// choiceState is what the caller has seen of a choice.
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
	length   int64  // bytes of text read
	frontier int64  // bytes of text decided; math.MaxInt64 behind a block
	fed      uint64 // message that carried text last
	ended    uint64 // message behind which no more text is to be waited for
	origin   int32  // the item that carried text last
	repeat   repeat
	out      output
	token    token
}

// key is where a channel is within its choice.
type key struct {
	item, part int32
	name       string
}

// token is what a channel of tokens has besides.
type token struct {
	ref    int             // the place of its text in the message that is being read
	secret *detect.Finding // the first one that is no echo
}

// startsText reports whether a piece begins a text of its own. That of a field with
// Separate does, and a string beside the answer whose items share the channel: none goes
// on with the text of another.
func (ch *channel) startsText(f *wire.Field, message uint64) bool {
	return f.Separate ||
		ch.role == wire.Metadata && ch.item < 0 && f.Item >= 0 && ch.length > 0 && (ch.fed == message || ch.origin != f.Item)
}

// label is the channel's name in an alert.
func (ch *channel) label() string {
	name := strings.Replace(ch.name, "#", strconv.Itoa(int(ch.item)), 1)
	name = strings.Replace(name, "#", strconv.Itoa(int(ch.part)), 1)
	if ch.choice.number < 0 || ch.choice.list == "" {
		return name
	}
	return ch.choice.list + "." + strconv.Itoa(int(ch.choice.number)) + "." + name
}
