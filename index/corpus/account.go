package corpus

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"noecho/internal/coverage"
)

// An Account says which text of some inputs was read and which was not. It contains
// names of members and no text: a text in place of a name, and the names of an object
// with many different names, become [coverage.AnyName]. The same inputs give the same account,
// whoever read which part. Not safe for concurrent use.
type Account struct {
	root  node
	flat  map[string]*node // by path
	roles map[string]*coverage.Role
	found map[string]bool // named fields that lead to a member

	manyRoles bool // the unusual roles are all called coverage.AnyName
}

const (
	maxPath    = 3   // names in the path of a column; deeper text counts there
	maxTop     = 128 // different names at the top of a row
	maxBelow   = 16  // different names in one object below
	maxRoles   = 24
	maxRoleLen = 24
)

// node is a member with text, or with members that have text.
type node struct {
	counts coverage.Text
	below  map[string]*node
	depth  int
	wide   bool // there were too many names: the only one below is coverage.AnyName
}

// NewAccount returns an empty account.
func NewAccount() *Account {
	return &Account{flat: map[string]*node{}, roles: map[string]*coverage.Role{}, found: map[string]bool{}}
}

// pathSep separates the names of a path.
const pathSep = "\x00"

// maxFlat bounds the paths in Account.flat.
const maxFlat = 4096

// add adds counts to the column of a path.
func (a *Account) add(path []byte, c coverage.Text) {
	if n := a.flat[string(path)]; n != nil {
		n.counts.Add(c)
		return
	}
	n := &a.root
	for name := range strings.SplitSeq(string(path), pathSep) {
		if n.depth == maxPath {
			break
		}
		child := n.child(name)
		if len(n.below) > n.most() {
			n.widen()
			clear(a.flat) // its nodes are in use no more
			child = n.child(name)
		}
		n = child
	}
	n.counts.Add(c)
	if len(a.flat) == maxFlat {
		clear(a.flat)
	}
	a.flat[string(path)] = n
}

// child returns the node of a name.
func (n *node) child(name string) *node {
	if n.wide || !isName(name) {
		name = coverage.AnyName
	}
	c := n.below[name]
	if c == nil {
		if n.below == nil {
			n.below = map[string]*node{}
		}
		c = &node{depth: n.depth + 1}
		n.below[name] = c
	}
	return c
}

// most is the number of different names that a node may have.
func (n *node) most() int {
	if n.depth == 0 {
		return maxTop
	}
	return maxBelow
}

// merge adds the counts of another node and of all below it.
func (n *node) merge(o *node) {
	n.counts.Add(o.counts)
	if o.wide {
		n.widen()
	}
	for name, c := range o.below {
		n.child(name).merge(c)
	}
	if len(n.below) > n.most() {
		n.widen()
	}
}

// widen gives all nodes below the same name.
func (n *node) widen() {
	if n.wide {
		return
	}
	below := n.below
	n.below, n.wide = nil, true
	for _, c := range below {
		n.child(coverage.AnyName).merge(c)
	}
}

// Whole counts a file that is one text.
func (a *Account) Whole(bytes uint64) { a.add([]byte(coverage.WholeFiles), coverage.Text{Read: bytes}) }

// Bad counts the bytes of a row that cannot be read, given the reason. A row that is longer
// than the documented limit is left out.
func (a *Account) Bad(reason string, bytes int64) {
	if strings.HasPrefix(reason, rowLong) {
		a.add([]byte(coverage.BadRows), coverage.Text{LeftOut: uint64(bytes)})
		return
	}
	a.add([]byte(coverage.BadRows), coverage.Text{Unread: uint64(bytes)})
}

// Lost counts text that is spoilt or not read, of [coverage.NotUTF8] or
// [coverage.SkippedFiles].
func (a *Account) Lost(kind string, bytes uint64) {
	if bytes > 0 {
		a.add([]byte(kind), coverage.Text{Unread: bytes})
	}
}

// LeaveOut counts text of such a kind that the caller's options leave out.
func (a *Account) LeaveOut(kind string, bytes uint64) {
	if bytes > 0 {
		a.add([]byte(kind), coverage.Text{LeftOut: bytes})
	}
}

// Lacks reports whether text of such a kind is lost.
func (a *Account) Lacks(kind string) bool {
	n := a.root.below[kind]
	return n != nil && n.counts.Unread > 0
}

// Found reports whether a row has the member of a named field.
func (a *Account) Found(field string) bool { return a.found[field] }

// heard counts a message of a role.
func (a *Account) heard(role []byte, read, left uint64) {
	r := a.roles[string(role)]
	if r == nil {
		name := string(role)
		if a.manyRoles && speaker(name) == "" || !isRole(role) {
			name = coverage.AnyName
		}
		if r = a.roles[name]; r == nil {
			r = &coverage.Role{Name: name}
			a.roles[name] = r
		}
	}
	r.Read += read
	r.LeftOut += left
	if len(a.roles) > maxRoles && !a.manyRoles {
		a.fewerRoles()
	}
}

// fewerRoles takes away the names of all roles but the usual ones.
func (a *Account) fewerRoles() {
	a.manyRoles = true
	roles := a.roles
	a.roles = map[string]*coverage.Role{}
	for _, r := range roles {
		name := r.Name
		if speaker(name) == "" {
			name = coverage.AnyName
		}
		if a.roles[name] == nil {
			a.roles[name] = &coverage.Role{Name: name}
		}
		a.roles[name].Read += r.Read
		a.roles[name].LeftOut += r.LeftOut
	}
}

// Merge adds another account, which is not used afterwards.
func (a *Account) Merge(o *Account) {
	clear(a.flat)
	a.root.merge(&o.root)
	if o.manyRoles && !a.manyRoles {
		a.fewerRoles()
	}
	for _, r := range o.roles {
		a.heard([]byte(r.Name), r.Read, r.LeftOut)
	}
	for field := range o.found {
		a.found[field] = true
	}
}

// Table returns the account as a table.
func (a *Account) Table() *coverage.Table {
	t := new(coverage.Table)
	a.root.tabulate(t, "")
	slices.SortFunc(t.Columns, func(x, y coverage.Column) int { return cmp.Compare(x.Name, y.Name) })
	for _, name := range slices.Sorted(maps.Keys(a.roles)) {
		t.Roles = append(t.Roles, *a.roles[name])
	}
	return t
}

// tabulate adds the columns at and below a node to a table.
func (n *node) tabulate(t *coverage.Table, name string) {
	if n.counts != (coverage.Text{}) {
		t.Text.Add(n.counts)
		t.Columns = append(t.Columns, coverage.Column{Name: name, Text: n.counts})
	}
	for below, c := range n.below {
		if name != "" {
			below = name + "." + below
		}
		c.tabulate(t, below)
	}
}

// isRole reports whether a text looks like a role and not like the name of a person.
func isRole(role []byte) bool {
	return len(role) > 0 && len(role) <= maxRoleLen && !slices.ContainsFunc(role, func(c byte) bool {
		return c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z')
	})
}

// wordy reports whether a text has at least n words: letters and digits between white
// space, and each sign of a script that is written without it. So an address, a number or
// base64 is one word. In the text of a JSON string, escapes are the characters that they
// mean.
func wordy(raw []byte, n int) bool { return len(raw) >= 2*n-1 && countWords(raw, n) == n }

// countWords returns the number of such words, at most n.
func countWords(raw []byte, n int) int {
	words, _ := findWord(raw, n)
	return words
}

// wordStart returns where a word begins, counted from 0; the end of the text if there are
// not so many.
func wordStart(raw []byte, n int) int {
	words, at := findWord(raw, n+1)
	if words <= n {
		return len(raw)
	}
	return at
}

// findWord returns the number of words, at most n, and where the last of them begins.
func findWord(raw []byte, n int) (words, at int) {
	in := false
	for i := 0; i < len(raw) && words < n; {
		c, size := rune(raw[i]), 1
		switch {
		case c == '\\' && i+1 < len(raw):
			c, size = escaped(raw[i:])
		case c >= utf8.RuneSelf:
			c, size = utf8.DecodeRune(raw[i:])
		}
		i += size
		switch {
		case c <= ' ' || c >= utf8.RuneSelf && unicode.IsSpace(c):
			in = false
		case c >= utf8.RuneSelf && unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
			words, at, in = words+1, i-size, false
		case !in && (unicode.IsLetter(c) || unicode.IsDigit(c)):
			words, at, in = words+1, i-size, true
		}
	}
	return words, at
}

// escaped returns the character of the escape that the bytes begin with.
func escaped(raw []byte) (c rune, size int) {
	if c, ok := escapedUnit(raw); ok {
		return c, 6
	}
	switch raw[1] {
	case 'n', 'r', 't', 'f', 'b':
		return ' ', 2
	default:
		return rune(raw[1]), 2
	}
}

// OnlyBad reports whether all text that was not read is in rows that cannot be read.
func (a *Account) OnlyBad() bool {
	bad := a.root.below[coverage.BadRows]
	return bad != nil && bad.counts.Unread == a.root.sum().Unread
}

// Fields returns flags that read every column with text, those that are read already
// included; none if some of the text is in no column with a name that can be told, or if no text that is not
// read is in a column.
func (a *Account) Fields() (flags []string) {
	marked := uint64(0)
	for name, n := range a.root.below {
		if coverage.IsMark(name) {
			marked += n.counts.Unread
		}
	}
	if marked == a.root.sum().Unread {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(a.root.below)) {
		paths := a.root.below[name].fields(name)
		if coverage.IsMark(name) {
			continue
		}
		for _, path := range paths {
			if path == coverage.AnyName {
				return nil
			}
			flags = append(flags, "--field "+quote(path))
		}
	}
	return flags
}

// Hint returns how to read the text that is not read: the flags of Fields, or else what to do
// about columns whose names are not told; empty: neither helps.
func (a *Account) Hint() string {
	if flags := a.Fields(); len(flags) > 0 {
		return "read it with " + strings.Join(flags, " ")
	}
	if n := a.root.below[coverage.AnyName]; n != nil && n.sum().Unread > 0 {
		return "* is a column with a long name: read each column by a --field with its full name, or all of the file with --format text"
	}
	return ""
}

// fields returns the paths that lead to all the text at and below a node.
func (n *node) fields(name string) (paths []string) {
	sum := n.sum()
	switch {
	case sum.Read > 0 || n.counts.Unread > 0:
		return []string{name}
	case sum.Unread == 0:
		return nil
	}
	for _, below := range slices.Sorted(maps.Keys(n.below)) {
		if below == coverage.AnyName || below == "" {
			return []string{name}
		}
		paths = append(paths, n.below[below].fields(name+"."+below)...)
	}
	return paths
}

// sum returns the counts at and below a node.
func (n *node) sum() coverage.Text {
	sum := n.counts
	for _, c := range n.below {
		sum.Add(c.sum())
	}
	return sum
}

// quote quotes a word in which a shell would see special characters.
func quote(word string) string {
	if word == "" || strings.ContainsFunc(word, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-./:@%+,", r)
	}) {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}

// mostUnread is the part of the text of an input that may be unread without a word.
const mostUnread = 0.01

// Complaint says which text of the inputs called name was not read, if that is more than
// 1 % of the text that no rule leaves out. Otherwise it is empty.
func (a *Account) Complaint(name string) string {
	t := a.Table()
	if t.Share() <= mostUnread {
		return ""
	}
	columns := slices.DeleteFunc(t.Columns, func(c coverage.Column) bool { return c.Unread == 0 })
	slices.SortStableFunc(columns, func(x, y coverage.Column) int { return cmp.Compare(y.Unread, x.Unread) })
	var parts []string
	for _, c := range columns[:min(len(columns), 8)] {
		parts = append(parts, fmt.Sprintf("%s (%.1f %%)", cmp.Or(c.Name, "a list"), 100*float64(c.Unread)/float64(t.Read+t.Unread)))
	}
	return fmt.Sprintf("%s: %.1f %% of the text is not read: %s", name, 100*t.Share(), strings.Join(parts, ", "))
}

// NoField returns the error of a named field that is in no row.
func (a *Account) NoField(field string) error {
	e := &ColumnsError{Path: "the inputs", Wanted: []string{field}, phrase: "the columns with text are"}
	for _, c := range a.Table().Columns {
		if c.Name != "" && c.Name != coverage.BadRows && len(e.Columns) < maxColumns {
			e.Columns = append(e.Columns, c.Name)
		}
	}
	if len(e.Columns) == 0 {
		e.Columns = []string{"none"}
	}
	return e
}

// NoRole returns an error if no message has one of the roles that the caller named.
func (a *Account) NoRole(named []string) error {
	heard := slices.Sorted(maps.Keys(a.roles))
	if len(heard) == 0 || a.roles[coverage.AnyName] != nil {
		return nil // of some messages the role is not known
	}
	for _, role := range named {
		role = strings.ToLower(role)
		occurs := func(r string) bool {
			return same(role, r) || role == "assistant" && speaker(r) == "" // an unknown speaker is the model
		}
		if role == AnyRole || strings.HasPrefix(role, "-") || slices.ContainsFunc(heard, occurs) {
			continue
		}
		near := ""
		if name := nearest(cmp.Or(speaker(role), role), heard); name != "" {
			near = " did you mean " + name + "?"
		}
		return fmt.Errorf("no message has the role %s:%s name another with --roles; the roles are %s", quote(role), near, strings.Join(heard, ", "))
	}
	return nil
}

// nearest returns the name that differs least from a mistyped one, if it differs little.
func nearest(typed string, names []string) string {
	best, least := "", 1+(len(typed)+1)/4
	for _, name := range names {
		if d := distance(typed, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance returns the number of bytes to insert, remove or replace between two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
