package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// entityTable reads the two entity maps out of the source of package html and
// writes the names that end with a semicolon, sorted, with their runes.
func entityTable(src []byte) ([]byte, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "entity.go", src, 0)
	if err != nil {
		return nil, err
	}
	found := map[string][2]rune{}
	ast.Inspect(file, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, ok := kv.Key.(*ast.BasicLit)
		if !ok || key.Kind != token.STRING {
			return true
		}
		name, err := strconv.Unquote(key.Value)
		if err != nil || !strings.HasSuffix(name, ";") {
			return true
		}
		found[strings.TrimSuffix(name, ";")] = runesOf(kv.Value)
		return true
	})
	// Package html leaves these two of the standard out.
	found["nLt"] = [2]rune{0x226A, 0x20D2}
	found["nGt"] = [2]rune{0x226B, 0x20D2}
	if len(found) != 2125 {
		return nil, fmt.Errorf("found %d entities, HTML5 has 2125 with a semicolon", len(found))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "// entities are the HTML5 names that end with a semicolon, in byte order.\nvar entities = [%d]entity{\n", len(found))
	for _, name := range sortedKeys(found) {
		r := found[name]
		fmt.Fprintf(&b, "{%q, %#x, %#x},\n", name, r[0], r[1])
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}

// runesOf reads '\U0000xxxx' or {'\U...', '\U...'}.
func runesOf(e ast.Expr) (r [2]rune) {
	switch e := e.(type) {
	case *ast.BasicLit:
		r[0] = charOf(e)
	case *ast.CompositeLit:
		for i, x := range e.Elts {
			r[i] = charOf(x.(*ast.BasicLit))
		}
	}
	return r
}

func charOf(l *ast.BasicLit) rune {
	c, _, _, err := strconv.UnquoteChar(l.Value[1:len(l.Value)-1], '\'')
	if err != nil {
		panic(fmt.Sprintf("gentables: internal error: literal %s: %v", l.Value, err))
	}
	return c
}
