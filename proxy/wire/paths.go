package wire

import "strings"

// Role says what stands at a place in a message.
type Role uint8

// The roles. Those before Drop carry text of a channel.
const (
	Metadata      Role = iota // text beside the answer: short, repeated or not known to the family
	Text                      // the next piece of a text of the answer, or all of it
	Alias                     // the same text under a second name
	Token                     // the same text as the tokens of logprobs
	Final                     // all of a text once more, when it is complete
	Cumulative                // all of a text as far as it has come
	Complete                  // text beside the answer, all of it at once: it goes on from none before it
	Drop                      // goes when something of its choice was withheld
	Begin                     // a choice; a rule for the empty path says that the message is one
	End                       // the reason why a choice ended
	Done                      // the last message
	NoText                    // known to hold no text
	ElementNumber             // the number of the enclosing element
	ChoiceNumber              // the number of the choice that the message belongs to
	ItemNumber                // the number of the item that the message belongs to
	PartNumber                // the number of the part that the message belongs to
	Skip                      // dropped like Drop, and not looked into: audio
	KeyIsText                 // a Token whose text is the member's name
	Discriminator             // if true, or the string With, the texts beside it belong to the channel it names
	KeyField                  // names what the enclosing element is about, and so numbers it; text as well
)

// Rule says what stands at one path of a family's messages. Paths are written
// as in `choices[#].delta.tool_calls[#].function.arguments`: [] is any element
// of an array, [#] any element with a number of its own, * any member of an
// object. The first [#] is the choice, the second the item, the third the part;
// where messages hold one choice, the first is the item. [##] is a part wherever
// it stands: of an item whose number is a member of the message. [@] and @ are any
// element or member whose place in its list is the item: alternatives, of which
// the first ones make one text, the second ones another.
type Rule struct {
	When string // the kind of message it is for; empty: every kind that has no rule of its own for the path
	Path string
	Role Role
	Name string // of the channel, within its choice; each # stands for the next of item and part, none: all items share it; Drop: empty or InItem
	Form Form
	With string // Drop, End: what stands there instead, empty means null; Drop: or Gone; Text: what stands there if nothing is left
}

// InItem is the Name of a Drop that goes only when something of its item was
// withheld.
const InItem = "#"

// Gone is the With of a Drop that takes its whole message along.
const Gone = "-"

// Table is what a family says of its messages.
type Table struct {
	Choices  string   // the name of the list of choices in the names of channels; empty: a message holds one choice
	Kind     string   // the member that says what kind a message is, for rules with When; empty means type
	Marks    []string // members that say it by being there: the first of them is the kind
	Done     string   // payload of a stream's last message; empty: there is none
	Events   []string // names that events of a stream have, besides the kinds
	Rest     Role     // of strings without a rule: Metadata, or Text if the answer may be anywhere
	Rules    []Rule
	Anywhere []Rule // for members that no path leads to, wherever they stand: Path is a name
}

// Paths is the compiled table of a family. Immutable.
type Paths struct {
	rules   []Rule
	nodes   []node
	choices string
	kind    string
	marks   map[string]bool
	done    string
	rest    Role
	roots   map[string]int16 // by kind of message; others start at 0
	names   map[string]bool  // of events
	single  bool             // a message holds one choice
	repeats bool             // texts come more than once
	words   map[string]int16 // members known by their name: the rule, from 1 on
}

// node is one step of the table's paths.
type node struct {
	name  string // of the member that leads here
	path  string // names unknown strings below: within the choice, # for item and part
	kids  []int16
	each  int16   // node of the elements, 0: none
	any   int16   // node of any other member, 0: none
	level int8    // this is an element with a number: 1 choice, 2 item, 3 part
	rank  bool    // this is an alternative: its place is the item
	turns bool    // one of the members is a turn
	has   numbers // numbers of the message that members are
	rule  int16   // -1: none
}

// numbers says which numbers a message states of itself.
type numbers struct{ choice, item, piece bool }

// NewPaths compiles a family's table. A rule that is not well-formed is a
// mistake of this package and panics.
func NewPaths(t Table) *Paths {
	p := &Paths{
		rules: t.Rules, nodes: []node{{rule: -1}}, choices: t.Choices, kind: t.Kind, done: t.Done, rest: t.Rest,
		single: t.Choices == "", roots: map[string]int16{}, names: map[string]bool{},
	}
	if p.kind == "" {
		p.kind = "type"
	}
	for _, name := range t.Events {
		p.names[name] = true
	}
	p.marks = map[string]bool{}
	for _, name := range t.Marks {
		p.marks[name] = true
	}
	for _, r := range t.Rules {
		if _, ok := p.roots[r.When]; r.When != "" && !ok {
			p.names[r.When] = true
			p.roots[r.When] = int16(len(p.nodes))
			p.nodes = append(p.nodes, node{rule: -1})
		}
		p.repeats = p.repeats || r.Role == Final || r.Role == Cumulative
	}
	p.compile(0, "")
	for when, root := range p.roots {
		p.compile(root, when)
	}
	p.anywhere(t.Anywhere) // last: their paths are names, and lead nowhere
	return p
}

// compile adds the rules for one kind of message. Those for that kind come
// first: they win over those for every kind.
func (p *Paths) compile(root int16, when string) {
	p.addRules(root, when, nil)
	if when == "" {
		return
	}
	own := map[string]bool{}
	for _, k := range p.nodes[root].kids {
		own[p.nodes[k].name] = true
	}
	p.addRules(root, "", own)
	p.share(root, own)
}

// share lets a kind of message have the members that only rules for every kind
// lead to.
func (p *Paths) share(root int16, own map[string]bool) {
	n, all := &p.nodes[root], &p.nodes[0]
	for _, k := range all.kids {
		if !own[p.nodes[k].name] {
			n.kids = append(n.kids, k)
		}
	}
}

// numbered notes that a rule holds for a kind of message: what it says may be
// a number of the message itself.
func (p *Paths) numbered(root int16, r Rule) {
	switch r.Role {
	case Discriminator:
		p.parent(root, r.Path).turns = true
	case ChoiceNumber, Begin:
		p.nodes[root].has.choice = true
	case ItemNumber:
		p.nodes[root].has.item = true
	case PartNumber:
		p.nodes[root].has.piece = true
	}
}

// addRules adds the rules for a kind of message; of those for every kind only
// the ones that begin with one of the given members, or with none.
func (p *Paths) addRules(root int16, when string, members map[string]bool) {
	for i, r := range p.rules {
		if r.When != when {
			continue
		}
		if all := steps(r.Path); members != nil && len(all) > 0 && !members[all[0]] && !strings.ContainsAny(all[0], "[*@") {
			if len(all) == 1 || r.Role != Discriminator {
				p.numbered(root, r) // the rest is shared
			}
			continue
		}
		at := root
		level := int8(0)
		if p.single {
			level = 1
		}
		for _, step := range steps(r.Path) {
			switch step {
			case "[#]":
				level++
			case "[##]":
				level = 3
			}
			at = p.step(at, step, level)
		}
		n := &p.nodes[at]
		if n.rule >= 0 {
			if p.rules[n.rule].When == when {
				panic("wire: internal error: two rules for " + when + " " + r.Path)
			}
			continue
		}
		n.rule = int16(i)
		p.numbered(root, r)
	}
}

// steps are the steps of a path.
func steps(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(strings.TrimPrefix(strings.ReplaceAll(path, "[", ".["), "."), ".")
}

// parent is the node of the object that holds the member a path leads to.
func (p *Paths) parent(root int16, path string) *node {
	all := steps(path)
	at := root
	for _, step := range all[:len(all)-1] {
		at = p.step(at, step, 0) // every step is there
	}
	return &p.nodes[at]
}

// step returns the node that a step leads to and makes it if there is none.
func (p *Paths) step(at int16, step string, level int8) int16 {
	n := &p.nodes[at]
	next := node{name: step, path: n.path, rule: -1}
	link := (*int16)(nil)
	switch step {
	case "[]":
		link = &n.each
	case "[@]":
		link = &n.each
		next.rank = true
	case "[#]", "[##]":
		link = &n.each
		next.level = level
		if level == 1 {
			next.path = ""
		} else {
			next.path = join(next.path, "#")
		}
	case "*", "@":
		link = &n.any
		next.rank = step == "@"
		next.path = join(n.path, "*")
	default:
		for _, k := range n.kids {
			if p.nodes[k].name == step {
				return k
			}
		}
		next.path = join(n.path, step)
	}
	if link != nil && *link != 0 {
		return *link
	}
	made := int16(len(p.nodes))
	if link != nil {
		*link = made
	} else {
		n.kids = append(n.kids, made)
	}
	p.nodes = append(p.nodes, next)
	return made
}

// member returns the node of a member, or -1.
func (p *Paths) member(at int16, name []byte) int16 {
	n := &p.nodes[at]
	for _, k := range n.kids {
		if p.nodes[k].name == string(name) {
			return k
		}
	}
	if n.any != 0 {
		return n.any
	}
	return -1
}

// element returns the node of the elements, or -1.
func (p *Paths) element(at int16) int16 {
	if each := p.nodes[at].each; each != 0 {
		return each
	}
	return -1
}

// Choices is what the list of choices is called in the names of channels, or
// empty if an answer is one choice.
func (p *Paths) Choices() string { return p.choices }

// Repeats reports whether texts come more than once: their channels have to
// be remembered from their beginning.
func (p *Paths) Repeats() bool { return p.repeats }

// event reports whether a stream's event may have that name.
func (p *Paths) event(name []byte) bool { return p.names[string(name)] }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// anywhere compiles the rules for members that are known by their name.
func (p *Paths) anywhere(rules []Rule) {
	if len(rules) == 0 {
		return
	}
	p.words = map[string]int16{}
	p.rules = append(p.rules[:len(p.rules):len(p.rules)], rules...)
	for i, r := range rules {
		p.words[r.Path] = int16(len(p.rules) - len(rules) + i + 1)
	}
}

// word returns the rule for a member that no path leads to, from 1 on, or 0. A
// name that ends like the name of an id or of a time is one.
func (p *Paths) word(name []byte) int16 {
	if p.words == nil {
		return 0
	}
	if rule := p.words[string(name)]; rule > 0 {
		return rule
	}
	for _, end := range [...]string{"_id", "Id", "ID", "_at", "At"} {
		if strings.HasSuffix(string(name), end) {
			return p.words["id"]
		}
	}
	return 0
}
