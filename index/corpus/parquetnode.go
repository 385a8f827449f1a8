package corpus

import (
	"bytes"
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parquetNode is a column or a group of columns that is read. A row of a nested column
// is a list of values with two levels each: the definition level says how many of the
// optional and repeated nodes above the value exist, the repetition level at which
// repeated node a new element begins. The levels of a node's values distinguish nulls,
// empty lists and elements.
type parquetNode struct {
	name     string
	kind     parquetKind
	optional bool
	repeated bool
	children []*parquetNode
	leaves   int // columns in it
	leaf     int // index of a column among those of the file
}

type parquetKind uint8

const (
	parquetGroup    parquetKind = iota
	parquetList                 // a group around one repeated node: an array
	parquetMap                  // a group around repeated pairs: an array of objects
	parquetText                 // bytes that are text
	parquetBytes                // bytes that are text unless one of them is zero
	parquetNumber               // integers, floats and booleans
	parquetUnsigned             // integers without a sign
	parquetOther                // bytes of other things
)

// newParquetRoot returns the columns of a file to which one of the paths leads, and those
// that have text. With [integers] it also returns those of whole numbers, which may be
// numbers of customers or telephones.
func newParquetRoot(c *parquet.Column, paths []string, also extra) *parquetNode {
	n := &parquetNode{kind: parquetGroup}
	for _, child := range c.Columns() {
		whole := partOfIt
		if also == integers && isInteger(child) {
			whole = allOfIt
		}
		n.add(newParquetNode(child, paths, whole))
	}
	return n
}

// extra says which columns of a file are read besides those with text.
type extra uint8

const (
	onlyText extra = iota
	integers
)

// isInteger reports whether a column has one whole number a row that is no time.
func isInteger(c *parquet.Column) bool {
	if !c.Leaf() || c.Repeated() {
		return false
	}
	if k := c.Type().Kind(); k != parquet.Int32 && k != parquet.Int64 {
		return false
	}
	lt := c.Type().LogicalType()
	if lt == nil || lt.Value == nil {
		return true
	}
	_, plain := lt.Value.(*format.IntType)
	return plain
}

// newParquetNode returns a column, or nil if no path leads to or through it and it has no
// text. A path does not name the inner nodes of a list.
func newParquetNode(c *parquet.Column, paths []string, whole wholeness) *parquetNode {
	n := &parquetNode{name: c.Name(), optional: c.Optional(), repeated: c.Repeated()}
	var deeper []string
	for _, p := range paths {
		if p == n.name {
			whole = allOfIt
		}
		if rest, ok := below(p, []byte(n.name)); ok {
			deeper = append(deeper, rest)
		}
	}
	if c.Leaf() {
		n.leaf, n.leaves, n.kind = c.Index(), 1, leafKind(c)
		if whole == partOfIt && n.kind != parquetText && n.kind != parquetBytes {
			return nil
		}
		return n
	}
	return n.group(c, deeper, whole)
}

// wholeness says whether every column below a node is read.
type wholeness uint8

const (
	partOfIt wholeness = iota
	allOfIt
)

// group reads the children of a group.
func (n *parquetNode) group(c *parquet.Column, paths []string, whole wholeness) *parquetNode {
	if lt := c.Type().LogicalType(); lt != nil && len(c.Columns()) == 1 && c.Columns()[0].Repeated() {
		switch lt.Value.(type) {
		case *format.ListType:
			n.kind = parquetList
		case *format.MapType:
			n.kind = parquetMap
		}
	}
	switch {
	case n.kind == parquetGroup && whole == allOfIt:
		n.adoptAll(c)
	case n.kind == parquetGroup:
		n.adopt(c, paths)
	default:
		n.adoptElement(c.Columns()[0], paths, whole)
	}
	if n.leaves == 0 {
		return nil
	}
	return n
}

// adopt takes those children to which a path leads, and those with text.
func (n *parquetNode) adopt(c *parquet.Column, paths []string) {
	for _, child := range c.Columns() {
		n.add(newParquetNode(child, paths, partOfIt))
	}
}

// adoptAll takes all children.
func (n *parquetNode) adoptAll(c *parquet.Column) {
	for _, child := range c.Columns() {
		n.add(newParquetNode(child, nil, allOfIt))
	}
}

// adoptElement takes the repeated node of a list. Its only member is the
// element, unless an old writer made the repeated node itself the element.
func (n *parquetNode) adoptElement(c *parquet.Column, paths []string, whole wholeness) {
	rep := &parquetNode{repeated: true}
	switch {
	case c.Leaf():
		rep.leaf, rep.leaves, rep.kind = c.Index(), 1, leafKind(c)
		if whole == partOfIt && rep.kind != parquetText && rep.kind != parquetBytes {
			return
		}
	case n.kind == parquetList && len(c.Columns()) == 1 && c.Name() != "array" && c.Name() != n.name+"_tuple":
		// The element's own name is not part of a path.
		element := c.Columns()[0]
		below := make([]string, len(paths))
		for i, p := range paths {
			below[i] = element.Name() + "." + p
		}
		rep.kind = parquetList
		rep.add(newParquetNode(element, below, whole))
	case whole == allOfIt:
		rep.adoptAll(c)
	default:
		rep.adopt(c, paths)
	}
	n.add(rep)
}

// add adds a child, if it has columns.
func (n *parquetNode) add(child *parquetNode) {
	if child == nil || child.leaves == 0 {
		return
	}
	n.children = append(n.children, child)
	n.leaves += child.leaves
}

// leafKind returns the kind of a column's values.
func leafKind(c *parquet.Column) parquetKind {
	switch lt := c.Type().LogicalType(); c.Type().Kind() {
	case parquet.Boolean, parquet.Int32, parquet.Int64, parquet.Float, parquet.Double:
		if lt != nil && lt.Value != nil {
			if i, ok := lt.Value.(*format.IntType); ok && !i.IsSigned {
				return parquetUnsigned
			}
		}
		return parquetNumber
	case parquet.ByteArray:
		if lt == nil || lt.Value == nil {
			return parquetBytes // old writers mark text like this
		}
		switch lt.Value.(type) {
		case *format.StringType, *format.EnumType, *format.JsonType:
			return parquetText
		}
	}
	return parquetOther
}

// appendLeaves appends the indexes of the columns below a node, in order.
func (n *parquetNode) appendLeaves(dst []int) []int {
	if len(n.children) == 0 && n.leaves == 1 {
		return append(dst, n.leaf)
	}
	for _, c := range n.children {
		dst = c.appendLeaves(dst)
	}
	return dst
}

// appendMembers appends a group as a JSON object. values are those of its columns, all
// of one occurrence of the group; def and rep are the levels down to the group, itself
// included.
func (n *parquetNode) appendMembers(dst []byte, values [][]parquet.Value, def, rep int) []byte {
	dst = append(dst, '{')
	for i, c := range n.children {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst, _ = jsontext.AppendQuote(dst, c.name)
		dst = append(dst, ':')
		dst = c.append(dst, values[:c.leaves], def, rep)
		values = values[c.leaves:]
	}
	return append(dst, '}')
}

// append appends a node as JSON.
func (n *parquetNode) append(dst []byte, values [][]parquet.Value, def, rep int) []byte {
	switch {
	case n.repeated:
		return n.appendElements(dst, values, def+1, rep+1)
	case n.optional:
		def++
		if values[0][0].DefinitionLevel() < def {
			return append(dst, "null"...)
		}
	}
	return n.appendPresent(dst, values, def, rep)
}

// appendPresent appends a node that is not null.
func (n *parquetNode) appendPresent(dst []byte, values [][]parquet.Value, def, rep int) []byte {
	switch n.kind {
	case parquetGroup:
		return n.appendMembers(dst, values, def, rep)
	case parquetList, parquetMap:
		return n.children[0].append(dst, values, def, rep)
	default:
		return n.appendValue(dst, values[0][0])
	}
}

// appendElements appends the occurrences of a repeated node as an array.
func (n *parquetNode) appendElements(dst []byte, values [][]parquet.Value, def, rep int) []byte {
	dst = append(dst, '[')
	if values[0][0].DefinitionLevel() >= def {
		rest := slices.Clone(values)
		one := make([][]parquet.Value, len(values))
		for first := true; len(rest[0]) > 0; first = false {
			for i, v := range rest {
				end := min(1, len(v))
				for end < len(v) && v[end].RepetitionLevel() > rep {
					end++
				}
				one[i], rest[i] = v[:end], v[end:]
			}
			if slices.ContainsFunc(one, func(v []parquet.Value) bool { return len(v) == 0 }) {
				break // columns of a damaged file that do not belong together
			}
			if !first {
				dst = append(dst, ',')
			}
			dst = n.appendPresent(dst, one, def, rep)
		}
	}
	return append(dst, ']')
}

// appendValue appends a value of a column.
func (n *parquetNode) appendValue(dst []byte, v parquet.Value) []byte {
	if v.IsNull() {
		return append(dst, "null"...)
	}
	switch v.Kind() {
	case parquet.Int32, parquet.Int64:
		return n.appendInteger(dst, v)
	case parquet.ByteArray:
		text := v.ByteArray()
		if n.kind == parquetText || n.kind == parquetBytes && bytes.IndexByte(text, 0) < 0 {
			dst, _ = jsontext.AppendQuote(dst, text)
			return dst
		}
	case parquet.Boolean:
		return strconv.AppendBool(dst, v.Boolean())
	case parquet.Float:
		return appendFloat(dst, float64(v.Float()), 32)
	case parquet.Double:
		return appendFloat(dst, v.Double(), 64)
	}
	return append(dst, "null"...)
}

// appendInteger appends a whole number.
func (n *parquetNode) appendInteger(dst []byte, v parquet.Value) []byte {
	switch wide := v.Kind() == parquet.Int64; {
	case n.kind != parquetUnsigned && wide:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case n.kind != parquetUnsigned:
		return strconv.AppendInt(dst, int64(v.Int32()), 10)
	case wide:
		return strconv.AppendUint(dst, v.Uint64(), 10)
	default:
		return strconv.AppendUint(dst, uint64(v.Uint32()), 10)
	}
}

// appendFloat appends a number, or null for one that JSON cannot write.
func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}
