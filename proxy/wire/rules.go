package wire

// Role is the part that a value plays in a message.
type Role uint8

// The roles that a [Field] can have. A place with a role before Drop is text of a
// channel.
const (
	Metadata    Role = iota // text beside the answer: short, repeated, or without a rule
	Text                    // the next piece of a text of the answer, or the whole text
	Alias                   // the same text again, under another name
	Token                   // the same text again, as tokens
	Final                   // the complete text once more
	Cumulative              // the text so far, from its beginning
	Drop                    // a value that is replaced after text of its choice was withheld
	DropMessage             // the same, but its whole message is dropped
	Begin                   // the message is about this choice
	End                     // the reason why a choice ended
	Done                    // the last message of a stream
)

// The roles that only the walk knows.
const (
	complete      Role = iota + Done + 1 // Metadata that never continues an earlier text
	noText                               // an id, a kind, the name of a model
	choiceNumber                         // the number of the choice of the message or element
	itemNumber                           // the number of its item
	partNumber                           // the number of its part
	elementNumber                        // one of these three, depending on the path
	elementKey                           // a text that numbers its element: equal texts are equal numbers
	skip                                 // Drop, and its strings are not scanned
	keyIsText                            // the name of the member is a Token
	discriminator                        // moves the texts beside it to another channel
)

// Sort is the sort of a text that has the role Metadata.
type Sort uint8

// The sorts.
const (
	Beside Sort = iota // the server or a tool wrote it, as far as is known
	Label              // the model wrote it, as a name around its texts
	Key                // the name of a member: a label of the texts beside the answer
	Apart              // no part of the answer: it is read by itself
)

// Rule says how to treat the value that a path leads to. The functions below make
// rules; the zero value is not a rule.
//
// A path is written like `choices[#].delta.tool_calls[#].function.arguments`:
//
//	name  the member of an object
//	*     any other member of an object
//	[]    any element of an array
//	[#]   any element, which has a number: the first one of a path is the
//	      choice, the second the item, the third the part; where a message is
//	      about one choice, the first is the item and the second the part
//	[##]  any element, whose number is that of the part, wherever it occurs
//	[@]   any element, whose rank in its array is the number of the item: the
//	      elements of one rank make one text, as alternative tokens do
//	@     any member, in the same way
//
// A choice is one of several answers to a request, an item one block, call or output of
// a choice, and a part one piece of an item. A channel is one text of a choice, whose
// pieces may come in many messages. Its name is unique in the choice; the first # in it
// is the number of the item, the second that of the part. Places of one text have the
// same channel.
type Rule struct {
	Kind    string // of the messages that the rule is for; empty: every kind that has no rule of its own for the path
	Path    string
	Channel string
	Whole   bool // each value may be a text of its own, or a piece of one; that of [MetadataAt] always may
	Again   bool // it may be a copy of the text right before it in its item
	role    Role
	form    Form
	with    string // drops and ends: JSON to write instead; discriminator: JSON that it has to be equal to
	label   bool   // metadata: the model wrote it as a name
	inItem  bool   // drops: only after text of the same item was withheld
	element bool   // numbers: of an element, not of the message
	reason  bool   // the text is the reason why a choice ended
}

// TextAt is the place of the next piece of a text of the answer, or of the whole text.
func TextAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: Text} }

// AliasAt is a place where a server repeats a text of the same message under another
// name, or writes it under that name only. The text is judged once and cut at every
// place.
func AliasAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: Alias} }

// FinalAt is the place of the complete text once more. If it is equal to the pieces, it
// is cut as they were; otherwise it is judged as another text.
func FinalAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: Final} }

// CumulativeAt is the place of a text that each message repeats from its beginning. Only
// the new part is judged.
func CumulativeAt(path, channel string) Rule {
	return Rule{Path: path, Channel: channel, role: Cumulative}
}

// MetadataAt is the place of a text beside the answer, such as the output of a tool. It
// delays no message: it is decided at the end of its own.
func MetadataAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: Metadata} }

// CompleteAt is like [MetadataAt], for a text that comes in one piece: it never
// continues an earlier text of its channel.
func CompleteAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: complete} }

// TokensAt is the place of one token of a text that the answer also has as text, as in
// logprobs. Tokens are judged and never cut, so the list around them needs
// [DropWhenWithheld].
func TokensAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: Token} }

// KeysAreTokens is for objects whose members have tokens as names. The path ends in @.
func KeysAreTokens(path, channel string) Rule {
	return Rule{Path: path, Channel: channel, role: keyIsText}
}

// NoText is the place of an identifier: an id, a kind, the name of a model. A string
// that is not an identifier is judged as metadata all the same.
func NoText(path string) Rule { return Rule{Path: path, role: noText} }

// IDAt is the place of the id of a call or block, which a model may have written. Such ids
// are a text by themselves: between names and texts they would break a record.
func IDAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: noText} }

// DropWhenWithheld is the place of a value that repeats the answer in another form:
// logprobs, token ids, offsets. After text of its choice was withheld, null is written
// instead; see [Rule.Else] and [Rule.InItem].
func DropWhenWithheld(path string) Rule { return Rule{Path: path, role: Drop, with: "null"} }

// DropMessageWhenWithheld is the same for a value without which its message would be
// empty: the whole message is dropped.
func DropMessageWhenWithheld(path string) Rule {
	return Rule{Path: path, role: DropMessage, with: "null"}
}

// SkipAt is the place of audio, images or ciphered data. The value is dropped as with
// [DropWhenWithheld], and its strings are not scanned.
func SkipAt(path string) Rule { return Rule{Path: path, role: skip, with: "null"} }

// EndReason is the place of the reason why a choice ended. In a blocked answer the JSON
// in filtered is written instead; if it is empty the value stays. At the path type the kind
// of the message says that there is an end, but not why.
func EndReason(path, filtered string) Rule {
	return Rule{Path: path, role: End, with: filtered, reason: path != "type"}
}

// EndReasonIfNull is the place of an object that describes an error. If it is null, the
// choice has ended, and the null is replaced like an [EndReason].
func EndReasonIfNull(path, filtered string) Rule {
	return Rule{Path: path, role: End, form: Document, with: filtered}
}

// ChoiceMessage says that each message of a kind is about one choice, in a family whose
// other messages have lists of choices.
func ChoiceMessage(kind string) Rule { return Rule{Kind: kind, role: Begin} }

// ElementNumber is the place of the number of the innermost [#] or [##] of the path.
// An element without a number is numbered by its position in the array.
func ElementNumber(path string) Rule { return Rule{Path: path, role: elementNumber} }

// ElementKey is the place of a text that identifies the innermost [#] or [##] of the
// path. Equal texts give equal numbers. The text is judged as metadata too.
func ElementKey(path string) Rule { return Rule{Path: path, role: elementKey} }

// ChoiceNumber is the place of the number of the choice that a message is about.
func ChoiceNumber(path string) Rule { return Rule{Path: path, role: choiceNumber} }

// ItemNumber is the place of the number of the item that a message is about.
func ItemNumber(path string) Rule { return Rule{Path: path, role: itemNumber} }

// PartNumber is the place of the number of the part that a message is about.
func PartNumber(path string) Rule { return Rule{Path: path, role: partNumber} }

// ChannelIfTrue is the place of a member that, if it is true, moves the texts of its
// object to another channel.
func ChannelIfTrue(path, channel string) Rule {
	return Rule{Path: path, Channel: channel, role: discriminator}
}

// ChannelIfEquals is the same for a member that is equal to text, which has no escapes.
func ChannelIfEquals(path, text, channel string) Rule {
	return Rule{Path: path, Channel: channel, role: discriminator, with: `"` + text + `"`}
}

// As returns the rule for a text that is written in another form than [Plain].
func (r Rule) As(f Form) Rule {
	r.form = f
	return r
}

// For returns the rule for messages of one kind alone. There it wins over a rule for
// the same path and every kind.
func (r Rule) For(kind string) Rule {
	r.Kind = kind
	return r
}

// Else returns the rule with the JSON to write instead of a dropped value.
func (r Rule) Else(json string) Rule {
	r.with = json
	return r
}

// Label returns the rule for metadata that the model wrote, such as the name of a tool:
// it is a label of the answer.
func (r Rule) Label() Rule {
	r.label = true
	return r
}

// Reason returns the rule for a text that is the reason why a choice, or an item of it,
// ended, and that stays as it is. See [Cause].
func (r Rule) Reason() Rule {
	r.reason = true
	return r
}

// InItem returns the rule for a value that is dropped only after text of its own item
// was withheld.
func (r Rule) InItem() Rule {
	r.inItem = true
	return r
}
