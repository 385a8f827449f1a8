package relay

import (
	"bytes"
	"errors"
	"slices"

	"noecho/proxy/wire"
)

// errAmbiguous says that two places that should hold one text do not.
var errAmbiguous = errors.New("two places of one text differ")

// alias is one of the names that a text goes by.
type alias struct {
	rule int32
	end  int64 // of what the name has held, in the channel's text
}

// channelOf returns the channel of a field whose text begins at lo in s.text.
//
// The names of a text share a channel, because a caller may read whichever is
// there. A caller may as well read one name only, so what a name holds has to
// be one run of the channel's text: a name that comes back after others went on
// without it, and one that differs after it was the same, are ambiguous. A name
// that differs from the start is a channel of its own.
func (s *channelSet) channelOf(c *choice, f *wire.Field, lo int) (*channel, error) {
	role := f.Role
	if role == wire.Alias {
		role = wire.Text
	}
	ch, err := s.channel(c, place{f.Item, f.Part, f.Name}, role)
	if err != nil || f.Role != wire.Alias {
		return ch, err
	}
	if slices.Contains(ch.apart, f.Rule) {
		return s.channel(c, place{f.Item, f.Part, f.Path}, wire.Text)
	}
	known := ch.alias(f.Rule)
	at := ch.length
	if ch.fed == s.message && ch.rule != f.Rule {
		same := int64(ch.hi-ch.lo) == ch.length-ch.start && bytes.Equal(s.text[lo:], s.text[ch.lo:ch.hi])
		switch {
		case !same && known != nil:
			return nil, errAmbiguous
		case !same:
			ch.apart = append(ch.apart, f.Rule)
			return s.channel(c, place{f.Item, f.Part, f.Path}, wire.Text)
		}
		at = ch.start
	}
	if known != nil && known.end != at {
		return nil, errAmbiguous
	}
	return ch, nil
}

// alias returns the name of the channel's text that a rule is, or nil.
func (ch *channel) alias(rule int32) *alias {
	for i := range ch.names {
		if ch.names[i].rule == rule {
			return &ch.names[i]
		}
	}
	return nil
}

// hold notes that a name has held the channel's text up to its end.
func (ch *channel) hold(rule int32) {
	if a := ch.alias(rule); a != nil {
		a.end = ch.length
		return
	}
	ch.names = append(ch.names, alias{rule: rule, end: ch.length})
}
