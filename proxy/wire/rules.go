package wire

// Role says what occurs at a place in a message.
type Role uint8

// The roles that a [Field] can have. Those before Drop carry text of a channel.
const (
	Metadata    Role = iota // text beside the answer: short, repeated or not known to the family
	Text                    // the next piece of a text of the answer, or all of it
	Alias                   // the same text under a second name
	Token                   // the same text as the tokens of logprobs
	Final                   // all of a text once more, when it is complete
	Cumulative              // all of a text as far as it has come
	Drop                    // a value that is replaced when something of its choice was withheld
	DropMessage             // the same, but its whole message goes
	Begin                   // a choice begins, or is gone on with
	End                     // the reason why a choice ended
	Done                    // the last message of a stream
)

// The roles that only the walk knows.
const (
	complete      Role = iota + Done + 1 // Metadata that never goes on from a text before it
	noText                               // an id, a kind, the name of a model
	choiceNumber                         // the number of the message's or element's choice
	itemNumber                           // the number of its item
	partNumber                           // the number of its part
	elementNumber                        // one of these three: of the innermost numbered element
	elementKey                           // text that numbers its element: equal texts, equal numbers
	skip                                 // Drop, and not looked into
	keyIsText                            // the member's name is a Token
	discriminator                        // moves the texts beside it to another channel
)

// Rule says how to treat the value that a path leads to. The functions below make
// rules; the zero value is of no use.
//
// A path is written like `choices[#].delta.tool_calls[#].function.arguments`:
//
//	name  the member of an object
//	*     any other member of an object
//	[]    any element of an array
//	[#]   any element, which has a number: the first one of a path is the
//	      choice, the second the item, the third the part. Where a message
//	      holds one choice, the first is the item
//	[##]  any element, whose number is the part's, wherever it occurs
//	[@]   any element; elements of one rank in their lists make one text, and
//	@     any member; the rank is the item's number
//
// A channel is one text of an answer, whose pieces may come in many messages. Its
// name is unique within its choice; the first # in it is the number of the item,
// the second that of the part. Places of one text have the same channel.
type Rule struct {
	Kind    string // the kind of message that the rule is for; empty: every kind without a rule of its own for the path
	Path    string
	Channel string
	role    Role
	form    Form
	with    string // drops and ends: the JSON put in its place; discriminator: the text that it is
	inItem  bool   // drops: only what was withheld of the item counts
	element bool   // numbers: of an element, not of the message
}

// TextAt is the place of the next piece of a text of the answer, or of all of it.
func TextAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: Text} }

// AliasAt is a place where a server says the same text under another name, in the
// same message or in its stead. The text is judged once and cut at every place.
func AliasAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: Alias} }

// FinalAt is the place of all of a text once more, when it is complete. It is cut
// as the pieces were if it is equal to them, and judged as another text otherwise.
func FinalAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: Final} }

// CumulativeAt is the place of all of a text as far as it has come. Only what is
// new is judged.
func CumulativeAt(path, channel string) Rule {
	return Rule{Path: path, Channel: channel, role: Cumulative}
}

// MetadataAt is the place of a short text beside the answer, such as the name of a
// tool. It is decided at the end of its message.
func MetadataAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: Metadata} }

// CompleteAt is the place of text beside the answer that comes all at once: the
// same as [MetadataAt], but it goes on from no text before it.
func CompleteAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: complete} }

// TokensAt is the place of one token of a text that occurs elsewhere as text, as in
// logprobs. Tokens are judged and never cut: give the list that has them a
// [DropWhenWithheld].
func TokensAt(path, channel string) Rule { return Rule{Path: path, Channel: channel, role: Token} }

// KeysAreTokens is for objects whose members have tokens for names. path ends in @.
func KeysAreTokens(path, channel string) Rule {
	return Rule{Path: path, Channel: channel, role: keyIsText}
}

// NoText is the place of a value that is known to hold no text: an id, a kind, the
// name of a model. Should it hold more than one word it is judged as metadata.
func NoText(path string) Rule { return Rule{Path: path, role: noText} }

// DropWhenWithheld is the place of a value that repeats the answer in another form:
// logprobs, token ids, offsets. Once something of its choice was withheld null is
// put in its place; see [Rule.Else] and [Rule.InItem].
func DropWhenWithheld(path string) Rule { return Rule{Path: path, role: Drop, with: "null"} }

// DropMessageWhenWithheld is the same for a value without which its message would
// say nothing: the whole message goes.
func DropMessageWhenWithheld(path string) Rule {
	return Rule{Path: path, role: DropMessage, with: "null"}
}

// SkipAt is the place of audio, images or ciphered data: dropped like
// [DropWhenWithheld], and never looked into.
func SkipAt(path string) Rule { return Rule{Path: path, role: skip, with: "null"} }

// EndReason is the place of the reason why a choice ended. In an answer that is
// blocked filtered is put in its place, as JSON; empty keeps the value.
func EndReason(path, filtered string) Rule { return Rule{Path: path, role: End, with: filtered} }

// EndReasonIfNull is the place of an object that is null unless something went
// wrong: null is the end of the choice, and replaced like an [EndReason].
func EndReasonIfNull(path, filtered string) Rule {
	return Rule{Path: path, role: End, form: Document, with: filtered}
}

// ChoiceMessage says that messages of a kind are a choice each, in a family whose
// other messages have lists of choices.
func ChoiceMessage(kind string) Rule { return Rule{Kind: kind, role: Begin} }

// ElementNumber is the place of the number of the innermost [#] or [##] of the path.
// An element without one is numbered by its place in the array.
func ElementNumber(path string) Rule { return Rule{Path: path, role: elementNumber} }

// ElementKey is the place of a text that names the innermost [#] or [##] of the
// path, and so numbers it: equal texts are equal numbers. It is judged as metadata.
func ElementKey(path string) Rule { return Rule{Path: path, role: elementKey} }

// ChoiceNumber is the place of the number of the choice that a message is about.
func ChoiceNumber(path string) Rule { return Rule{Path: path, role: choiceNumber} }

// ItemNumber is the place of the number of the item that a message is about.
func ItemNumber(path string) Rule { return Rule{Path: path, role: itemNumber} }

// PartNumber is the place of the number of the part that a message is about.
func PartNumber(path string) Rule { return Rule{Path: path, role: partNumber} }

// ChannelIfTrue is the place of a member that, if it is true, moves the texts beside
// it to another channel.
func ChannelIfTrue(path, channel string) Rule {
	return Rule{Path: path, Channel: channel, role: discriminator}
}

// ChannelIfEquals is the same for a member that is the given text, in plain letters.
func ChannelIfEquals(path, text, channel string) Rule {
	return Rule{Path: path, Channel: channel, role: discriminator, with: `"` + text + `"`}
}

// As returns the rule for a text in another form than [Plain].
func (r Rule) As(f Form) Rule {
	r.form = f
	return r
}

// For returns the rule for messages of one kind alone. For these it wins over rules
// of the same path for every kind.
func (r Rule) For(kind string) Rule {
	r.Kind = kind
	return r
}

// Else returns the rule with other JSON to put in the place of a dropped value.
func (r Rule) Else(json string) Rule {
	r.with = json
	return r
}

// InItem returns the rule for a value that is dropped only if something of its own
// item was withheld.
func (r Rule) InItem() Rule {
	r.inItem = true
	return r
}
