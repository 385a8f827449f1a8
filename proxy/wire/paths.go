package wire

import "strings"

// Role says what stands at a place in a message.
type Role uint8

// The roles. The first four carry text of a channel.
const (
	Aside  Role = iota // text beside the answer: short, repeated or not known to the family
	Text               // the next piece of a text of the answer, or all of it
	Alias              // the same text under a second name
	Token              // the same text as the tokens of logprobs
	Drop               // goes when something of its choice was withheld
	Begin              // a choice
	End                // the reason why a choice ended
	Done               // the last message
	ignore             // known to hold no text
	index              // the number of the enclosing element
	opaque             // dropped like Drop, and not looked into: audio
	named              // a Token whose text is the member's name
)

// Rule says what stands at one path of a family's messages. Paths are written
// as in `choices[#].delta.tool_calls[#].function.arguments`: [] is any element
// of an array, [#] any element with a number of its own, * any member of an
// object. The first [#] is the choice, the second the item. [@] and @ are any
// element or member whose place in its list is the item: alternatives, of which
// the first ones make one text, the second ones another.
type Rule struct {
	Path string
	Role Role
	Name string // of the channel, within its choice; # stands for the item
	Form Form
	With string // what a dropped value is replaced by; empty means null
}

// Paths is the compiled table of a family. Immutable.
type Paths struct {
	rules []Rule
	nodes []node
	done  string // payload of the last message; empty: there is none
}

// node is one step of the table's paths.
type node struct {
	name  string // of the member that leads here
	path  string // names unknown strings below: within the choice, # for the item
	kids  []int16
	each  int16 // node of the elements, 0: none
	any   int16 // node of any other member, 0: none
	level int8  // this is an element with a number: 1 choice, 2 item
	rank  bool  // this is an alternative: its place is the item
	rule  int16 // -1: none
}

// NewPaths compiles a family's table. A rule that is not well-formed is a
// mistake of this package and panics.
func NewPaths(done string, rules ...Rule) *Paths {
	p := &Paths{rules: rules, nodes: []node{{rule: -1}}, done: done}
	for i, r := range rules {
		at := int16(0)
		level := int8(0)
		for _, step := range strings.Split(strings.ReplaceAll(r.Path, "[", ".["), ".") {
			if step == "[#]" {
				level++
			}
			at = p.step(at, step, level)
		}
		if p.nodes[at].rule >= 0 {
			panic("wire: internal error: two rules for " + r.Path)
		}
		p.nodes[at].rule = int16(i)
	}
	return p
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
	case "[#]":
		link = &n.each
		next.level = level
		if level == 1 {
			next.path = ""
		} else {
			next.path += ".#"
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

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
