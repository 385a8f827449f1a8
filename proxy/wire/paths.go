package wire

import (
	"cmp"
	"slices"
	"strings"
)

// paths is the rules of a family, compiled to a tree with a node for each step of a
// path. Immutable.
type paths struct {
	rules    []Rule
	nodes    []node
	kind     string
	marks    map[string]bool
	unlisted Role
	roots    map[string]int16 // first node by kind of message; other kinds start at node 0
	names    map[string]bool  // of events
	single   bool             // each message is about one choice
	repeats  bool             // texts come more than once
	words    map[string]int16 // rules for members by name alone, from 1 on
	known    map[string]bool  // names of members that APIs use
	same     map[string]string
}

// node is one step of the paths.
type node struct {
	name  string // of the member that leads here
	path  string // of this node in its choice, with # for item and part: names strings without a rule
	kids  []int16
	each  int16   // node of the elements, 0: none
	any   int16   // node of any other member, 0: none
	level int8    // of an element with a number: 1 choice, 2 item, 3 part; else 0
	rank  bool    // an element or member whose rank is the item
	moves bool    // one of the members is a discriminator
	has   numbers // of a first node: numbers of the message that its members are
	rule  int16   // -1: none
}

// numbers says which numbers a message has as members.
type numbers struct{ choice, item, part bool }

// compile compiles the rules of a family.
func compile(t *Family) *paths {
	p := &paths{
		rules: slices.Clone(t.Rules), nodes: []node{{rule: -1}}, kind: cmp.Or(t.KindMember, "type"),
		unlisted: t.Unlisted, single: t.Choices == "", marks: set(t.Marks), roots: map[string]int16{}, names: set(t.Events), same: t.Same,
	}
	for i := range p.rules {
		r := &p.rules[i]
		if _, ok := p.roots[r.Kind]; r.Kind != "" && !ok {
			p.names[r.Kind] = true
			p.roots[r.Kind] = int16(len(p.nodes))
			p.nodes = append(p.nodes, node{rule: -1})
		}
		if r.role == elementNumber {
			r.role, r.element = [...]Role{choiceNumber, choiceNumber, itemNumber, partNumber}[p.level(steps(r.Path))], true
		}
		p.repeats = p.repeats || r.role == Final || r.role == Cumulative
	}
	p.addKind(0, "")
	for when, root := range p.roots {
		p.addKind(root, when)
	}
	p.anywhere(t.Anywhere) // last, because their paths are only names
	p.known = set(strings.Fields(commonNames))
	for _, r := range p.rules {
		for _, name := range slices.Concat(steps(r.Path), steps(r.Channel)) {
			p.known[name] = true
		}
	}
	return p
}

// set returns the set of the given names.
func set(names []string) map[string]bool {
	m := map[string]bool{}
	for _, name := range names {
		m[name] = true
	}
	return m
}

// level returns the level of the last numbered element of a path: 1 for a choice, 2 for
// an item, 3 for a part. Without one it is 0, or 1 if the message is the choice.
func (p *paths) level(path []string) int8 {
	level := int8(0)
	if p.single {
		level = 1
	}
	for _, step := range path {
		switch step {
		case "[#]":
			level++
		case "[##]":
			level = 3
		}
	}
	return level
}

// addKind adds the rules for one kind of message. Rules for that kind alone are added
// first, so that they win over rules for every kind.
func (p *paths) addKind(root int16, when string) {
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

// share gives a kind of message the members that only rules for every kind lead to.
func (p *paths) share(root int16, own map[string]bool) {
	n, all := &p.nodes[root], &p.nodes[0]
	for _, k := range all.kids {
		if !own[p.nodes[k].name] {
			n.kids = append(n.kids, k)
		}
	}
}

// numbered records in the first node of a kind that a rule applies to the kind: the
// place may be a number of the message.
func (p *paths) numbered(root int16, r Rule) {
	switch has := &p.nodes[root].has; {
	case r.element:
	case r.role == discriminator:
		p.parent(root, r.Path).moves = true
	case r.role == choiceNumber, r.role == Begin:
		has.choice = true
	case r.role == itemNumber:
		has.item = true
	case r.role == partNumber:
		has.part = true
	}
}

// addRules adds the rules for a kind of message. Unless members is nil, it adds only
// the rules whose path begins with one of them or with no name.
func (p *paths) addRules(root int16, when string, members map[string]bool) {
	for i, r := range p.rules {
		if r.Kind != when {
			continue
		}
		if all := steps(r.Path); members != nil && len(all) > 0 && !members[all[0]] && !strings.ContainsAny(all[0], "[*@") {
			if len(all) == 1 || r.role != discriminator {
				p.numbered(root, r) // the nodes of the path are shared
			}
			continue
		}
		at, all := root, steps(r.Path)
		for i, step := range all {
			at = p.step(at, step, p.level(all[:i+1]))
		}
		n := &p.nodes[at]
		if n.rule >= 0 {
			if p.rules[n.rule].Kind == when {
				panic("wire: internal error: two rules for " + when + " " + r.Path)
			}
			continue
		}
		n.rule = int16(i)
		p.numbered(root, r)
	}
}

// steps returns the steps of a path.
func steps(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(strings.TrimPrefix(strings.ReplaceAll(path, "[", ".["), "."), ".")
}

// parent returns the node of the object with the member that a path leads to.
func (p *paths) parent(root int16, path string) *node {
	all := steps(path)
	at := root
	for _, step := range all[:len(all)-1] {
		at = p.step(at, step, 0) // the step exists
	}
	return &p.nodes[at]
}

// step returns the node that a step leads to, and makes it if there is none.
func (p *paths) step(at int16, step string, level int8) int16 {
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
	if same, ok := p.same[next.path]; ok {
		next.path = same
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
func (p *paths) member(at int16, name []byte) int16 {
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

// element returns the node of the elements of an array, or -1.
func (p *paths) element(at int16) int16 {
	if each := p.nodes[at].each; each != 0 {
		return each
	}
	return -1
}

// leads reports whether a rule leads to a place within the value of a node.
func (p *paths) leads(at int16) bool {
	return at >= 0 && (p.nodes[at].each != 0 || len(p.nodes[at].kids) > 0)
}

// event reports whether an event of a stream may have that name.
func (p *paths) event(name []byte) bool { return p.names[string(name)] }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// anywhere compiles the rules for members by name alone.
func (p *paths) anywhere(rules []Rule) {
	if len(rules) == 0 {
		return
	}
	p.words = map[string]int16{}
	p.rules = append(p.rules[:len(p.rules):len(p.rules)], rules...)
	for i, r := range rules {
		p.words[r.Path] = int16(len(p.rules) - len(rules) + i + 1)
	}
}

// word returns the rule for a member that no path leads to, from 1 on, or 0. A name
// with the ending of an id or a time has the rule of id.
func (p *paths) word(name []byte) int16 {
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
