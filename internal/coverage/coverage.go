// Package coverage says how much of the text of training files was read.
//
// It knows names of columns and roles, numbers of bytes and messages, and reasons. It
// knows neither text nor file formats.
package coverage

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Table says how much of the text of some inputs was read. Text are the values that have
// at least the words of a window; its size is that in the files, in bytes.
type Table struct {
	Text
	Columns []Column          `json:"columns,omitempty"` // in the order of their names
	Roles   []Role            `json:"roles,omitempty"`   // the same
	Skipped map[string]uint64 `json:"skipped_files,omitempty"`
}

// Text are bytes of text by what became of them.
type Text struct {
	Read    uint64 `json:"read"`
	LeftOut uint64 `json:"left_out"` // by a rule of the documents or by the caller's options
	Unread  uint64 `json:"unread"`   // for no such reason
}

// Names that are not those of columns.
const (
	AnyName    = "*"             // of members with text in place of a name, or with too many names
	BadRows    = "(bad records)" // of rows that cannot be read
	WholeFiles = "(text)"        // of files that are one text
	NotUTF8    = "(not UTF-8)"   // around bytes that are not UTF-8

	SkippedFiles = "(skipped files)" // of files in another encoding or form
	Attachments  = "(attachments)"   // of files in mail that are no text
	Attributes   = "(attributes)"    // of values of attributes in HTML
	Comments     = "(comments)"      // of comments, scripts and styles in HTML and XML
)

// IsMark reports whether a name is not that of a column.
func IsMark(name string) bool {
	return slices.Contains([]string{BadRows, WholeFiles, NotUTF8, SkippedFiles, Attachments, Attributes, Comments}, name)
}

// Column is a column or member with text. Dots in its name lead into objects.
type Column struct {
	Name string `json:"name"`
	Text
}

// Role counts the messages of a role.
type Role struct {
	Name    string `json:"name"` // in small letters
	Read    uint64 `json:"read"`
	LeftOut uint64 `json:"left_out"`
}

// Add adds another table.
func (c *Table) Add(o *Table) {
	c.Text.Add(o.Text)
	for _, column := range o.Columns {
		at, ok := slices.BinarySearchFunc(c.Columns, column.Name, func(x Column, name string) int { return cmp.Compare(x.Name, name) })
		if !ok {
			c.Columns = slices.Insert(c.Columns, at, Column{Name: column.Name})
		}
		c.Columns[at].Text.Add(column.Text)
	}
	for _, role := range o.Roles {
		at, ok := slices.BinarySearchFunc(c.Roles, role.Name, func(x Role, name string) int { return cmp.Compare(x.Name, name) })
		if !ok {
			c.Roles = slices.Insert(c.Roles, at, Role{Name: role.Name})
		}
		c.Roles[at].Read += role.Read
		c.Roles[at].LeftOut += role.LeftOut
	}
	for reason, n := range o.Skipped {
		if c.Skipped == nil {
			c.Skipped = map[string]uint64{}
		}
		c.Skipped[reason] += n
	}
}

// Add adds other text.
func (t *Text) Add(o Text) {
	t.Read += o.Read
	t.LeftOut += o.LeftOut
	t.Unread += o.Unread
}

// Share returns the unread part, 0 to 1, of the text that was not left out.
func (t Text) Share() float64 {
	if t.Unread == 0 {
		return 0
	}
	return float64(t.Unread) / float64(t.Read+t.Unread)
}

// Plain reports whether the table has nothing but whole files, and all of them were read.
func (c *Table) Plain() bool {
	return c.Unread == 0 && c.LeftOut == 0 && len(c.Skipped) == 0 &&
		!slices.ContainsFunc(c.Columns, func(x Column) bool { return x.Name != WholeFiles })
}

// An UnreadError says that too much text was not read, and which flags would read it.
type UnreadError struct {
	Tables []Named
	Text   string
}

func (e *UnreadError) Error() string { return e.Text }

// Named is the table of a dataset.
type Named struct {
	Name  string
	Table *Table // nil: nothing to say
}

// Lines describes the table for people, given a function that writes numbers of bytes.
func (c *Table) Lines(size func(n uint64) string) []string {
	first := size(c.Read) + " of text read"
	if c.LeftOut > 0 {
		first += ", " + size(c.LeftOut) + " left out"
	}
	if c.Unread > 0 {
		first += fmt.Sprintf(", %s not read (%.1f %%)", size(c.Unread), 100*c.Share())
	}
	lines := []string{first}
	add := func(name string, parts []string) {
		if len(parts) > 0 {
			lines = append(lines, name+": "+strings.Join(parts, ", "))
		}
	}
	columns := func(of func(t Text) uint64) (parts []string) {
		for _, column := range c.Columns {
			if n := of(column.Text); n > 0 {
				parts = append(parts, cmp.Or(column.Name, "(list)")+" "+size(n))
			}
		}
		return parts
	}
	add("read", columns(func(t Text) uint64 { return t.Read }))
	add("not read", columns(func(t Text) uint64 { return t.Unread }))
	add("left out", columns(func(t Text) uint64 { return t.LeftOut }))
	var read, left []string
	for _, r := range c.Roles {
		if r.Read > 0 {
			read = append(read, fmt.Sprintf("%s %d", r.Name, r.Read))
		}
		if r.LeftOut > 0 {
			left = append(left, fmt.Sprintf("%s %d", r.Name, r.LeftOut))
		}
	}
	add("messages read", read)
	add("messages left out", left)
	var skipped []string
	for _, reason := range slices.Sorted(maps.Keys(c.Skipped)) {
		skipped = append(skipped, fmt.Sprintf("%d (%s)", c.Skipped[reason], reason))
	}
	add("files skipped", skipped)
	return lines
}
