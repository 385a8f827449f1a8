// Package noecho_test checks the rules of the repository itself: the direction of
// imports, the length of functions, and whether the documents are true. It reads the
// files of the repository and knows nothing of the work of the packages.
package noecho_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	moduleName = "noecho"
	maxFunc    = 60 // lines between a function's braces, comments not counted
)

// A floor is one package of the house with the packages that it may import. It is the
// rule for the package and for everything below it that has no floor of its own.
type floor struct {
	pkg   string
	ours  []string // packages of this module that product code may import
	tests []string // packages that _test.go files may import besides those
	never []string // import path prefixes that product code may not use
}

var (
	network = []string{"net", "net/http", "net/rpc", "net/smtp", "github.com/valyala/fasthttp"}
	logging = []string{"log", "github.com/lmittmann/tint"}
	asJSON  = []string{"encoding/json", "github.com/go-json-experiment/json"}
)

// house lists every package, lowest first. A package that is not here fails the test,
// so a new one begins with its floor.
var house = []floor{
	{pkg: "ngram", never: slices.Concat(network, logging, asJSON)},
	{pkg: "internal/gram", ours: []string{"ngram"}, never: slices.Concat(network, logging, asJSON)},
	{pkg: "internal/raced", never: slices.Concat(network, logging, asJSON)},
	{pkg: "internal/residue", never: slices.Concat(network, logging, asJSON)},
	{pkg: "internal/windowset", ours: []string{"ngram"}, never: slices.Concat(network, logging, asJSON)},
	{pkg: "internal/coverage", never: slices.Concat(network, logging, asJSON)},
	{pkg: "index/corpus", ours: []string{"internal/coverage"}, tests: []string{"internal/raced"}, never: slices.Concat(network, logging)},
	{pkg: "index/identify", never: slices.Concat(network, logging, asJSON)},
	{pkg: "internal/ignore", never: slices.Concat(network, logging)},
	{pkg: "internal/report", never: slices.Concat(network, logging, asJSON)},
	{pkg: "index/internal/memory", never: slices.Concat(network, logging, asJSON)},
	{pkg: "index/key", never: slices.Concat(network, logging, asJSON)},
	{pkg: "index/internal/format", ours: []string{"index/internal/memory", "index/key", "internal/gram", "ngram"}, never: slices.Concat(network, logging)},
	{pkg: "index", ours: []string{"internal/coverage", "index/internal/format", "index/key", "ngram"}, tests: []string{"index/build"}, never: slices.Concat(network, logging)},
	{pkg: "index/inventory", ours: []string{"index", "index/corpus", "index/identify", "ngram"}, tests: []string{"internal/raced"}, never: slices.Concat(network, logging)},
	{
		pkg:   "index/build",
		ours:  []string{"index", "index/corpus", "internal/coverage", "index/identify", "index/internal/format", "index/internal/memory", "index/inventory", "index/key", "internal/gram", "internal/ignore", "ngram"},
		tests: []string{"detect", "internal/raced"}, never: slices.Concat(network, logging),
	},
	{pkg: "detect/internal/decode", never: slices.Concat(network, logging, asJSON)},
	{pkg: "detect/internal/track", ours: []string{"internal/gram", "ngram"}, never: slices.Concat(network, logging, asJSON)},
	{pkg: "detect/internal/lane", ours: []string{"internal/gram", "ngram", "detect/internal/decode", "detect/internal/track"}, never: slices.Concat(network, logging, asJSON)},
	{pkg: "detect", ours: []string{"internal/gram", "ngram", "detect/internal/decode", "detect/internal/lane", "detect/internal/track"}, tests: []string{"index", "index/build", "index/corpus", "internal/raced", "internal/residue", "internal/windowset"}, never: slices.Concat(network, logging, asJSON)},
	{pkg: "eval", ours: []string{"index/corpus", "ngram", "detect"}, tests: []string{"index", "index/build", "internal/raced", "internal/windowset"}, never: slices.Concat(network, logging)},
	{pkg: "proxy/wire", tests: []string{"proxy/wire/api"}, never: slices.Concat(network, logging)},
	{pkg: "proxy/wire/api", ours: []string{"proxy/wire"}, tests: []string{"detect", "internal/windowset", "ngram", "proxy/relay"}, never: slices.Concat(network, logging)},
	{pkg: "proxy/config", ours: []string{"detect", "internal/ignore"}, never: slices.Concat(network[1:], logging)},
	{pkg: "proxy/alert", never: slices.Concat(network[1:], logging)},
	{pkg: "proxy/policy", ours: []string{"detect", "internal/ignore", "ngram", "proxy/alert", "proxy/config"}, never: slices.Concat(network, logging, asJSON)},
	{pkg: "proxy/relay", ours: []string{"detect", "ngram", "proxy/wire"}, tests: []string{"internal/raced", "internal/residue", "internal/windowset", "proxy/wire/api"}, never: slices.Concat(network, logging, asJSON)},
	{
		pkg:   "proxy",
		ours:  []string{"internal/accesslog", "proxy/alert", "detect", "proxy/relay", "proxy/wire", "proxy/wire/api", "proxy/config", "proxy/policy", "internal/ignore", "ngram", "internal/trace", "internal/transport"},
		tests: []string{"index", "index/build", "index/corpus", "internal/fakellm", "internal/raced", "internal/windowset", "internal/testca"},
	},
	{pkg: "console", ours: []string{"detect", "internal/ignore", "proxy/alert", "proxy/config", "proxy/policy"}, never: []string{"net/rpc", "net/smtp", "github.com/valyala/fasthttp", "log", "github.com/lmittmann/tint"}},
	{pkg: "govern", never: slices.Concat(network, logging)},
	{pkg: "audit", never: slices.Concat(network, logging)},
	{pkg: "bench/corpusgen"},
	{pkg: "internal/program", never: slices.Concat(network, logging, asJSON)},
	{pkg: "internal/accesslog", never: slices.Concat(network, logging)},
	{pkg: "internal/format", ours: []string{"proxy/alert"}, never: slices.Concat(network[1:], logging)},
	{pkg: "internal/receiver", ours: []string{"internal/outbox", "internal/post"}, tests: []string{"internal/fakellm", "internal/format", "internal/testca", "internal/transport", "proxy/alert"}, never: slices.Concat(logging, asJSON)},
	{pkg: "internal/outbox", ours: []string{"audit", "proxy/alert"}, never: slices.Concat(network, logging, asJSON)},
	{pkg: "internal/testca"},
	{pkg: "internal/trace", ours: []string{"internal/post"}, never: slices.Concat(logging, asJSON)},
	{pkg: "internal/transport", tests: []string{"internal/testca"}, never: slices.Concat(network[1:], logging, asJSON)},
	{pkg: "internal/post", never: slices.Concat(logging, asJSON)},
	{pkg: "internal/fakellm"},
	{pkg: "internal/fakellm/cmd/fakellm", ours: []string{"internal/fakellm", "internal/program"}},
	{pkg: "bench/falsealarms", ours: []string{"eval", "index", "index/build", "index/corpus", "internal/program", "internal/windowset", "ngram", "detect"}},
	{pkg: "bench/recallcheck"}, // judges noecho by means of its own
	{pkg: "bench/scan", ours: []string{"index", "index/build", "index/corpus", "internal/program", "detect"}},
	{pkg: "bench/latency", ours: []string{"internal/fakellm", "internal/program"}},
	{pkg: "bench/build", ours: []string{"internal/program"}},
	{
		pkg:   "cmd/noecho",
		ours:  []string{"audit", "govern", "proxy", "internal/accesslog", "proxy/alert", "detect", "proxy/config", "proxy/policy", "index", "index/build", "index/corpus", "internal/coverage", "index/identify", "index/inventory", "index/key", "internal/gram", "internal/ignore", "internal/report", "ngram", "eval", "internal/format", "internal/outbox", "internal/receiver", "internal/trace", "internal/transport", "console"},
		tests: []string{"internal/fakellm", "internal/raced", "internal/testca"},
	},
}

// reserved lists packages that most of the house must not use, each with the floors
// that may.
var reserved = map[string][]string{
	"unsafe":  {"index/internal/memory", "index/build", "internal/residue"}, // filters are read and written as words in place; tests look at members that are not exported
	"C":       nil,                                                          // the program is static
	"os/exec": {"bench/build", "bench/latency"},
	"plugin":  nil,
}

// Templates call methods by name through reflection. One use anywhere makes the linker
// keep every method of every type, which doubles the binary.
var (
	bannedImports   = []string{"text/template", "html/template"}
	bannedSelectors = []string{"SetUsageTemplate", "SetHelpTemplate", "SetVersionTemplate"}
	openEnd         = regexp.MustCompile(`\b(TO[D]O|FIXM[E]|XX[X])\b`)
	bannedNames     = []string{"util", "utils", "common", "types", "helper", "helpers", "misc"}
)

func TestArchitecture(t *testing.T) {
	t.Parallel()
	tree := os.DirFS(".")
	sources, err := readSources(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range violations(sources) {
		t.Error(v)
	}
	for _, f := range house {
		if !slices.ContainsFunc(sources, func(s source) bool { g, ok := governing(s.pkg); return ok && g.pkg == f.pkg }) {
			t.Errorf("%s: listed in the house but governs no Go file", f.pkg)
		}
	}
}

// lean lists the packages that other programs import to read an index, each with the
// packages of other modules that it may import, directly or through packages of ours.
var lean = map[string][]string{
	"ngram":  {"github.com/cespare/xxhash/v2"},
	"index":  {"github.com/cespare/xxhash/v2", "github.com/dchest/siphash", "golang.org/x/sync/errgroup", "golang.org/x/sys/unix"},
	"detect": {"github.com/cespare/xxhash/v2"},
}

func TestArchitectureLeanLibrary(t *testing.T) {
	t.Parallel()
	sources, err := readSources(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	imports := map[string][]string{}
	for _, s := range sources {
		for _, spec := range s.file.Imports {
			if path, _ := strconv.Unquote(spec.Path.Value); !s.test() {
				imports[s.pkg] = append(imports[s.pkg], path)
			}
		}
	}
	for root, allowed := range lean {
		queue, seen := []string{root}, map[string]bool{}
		for len(queue) > 0 {
			pkg := queue[0]
			queue = queue[1:]
			for _, path := range imports[pkg] {
				ours, isOurs := strings.CutPrefix(path, moduleName+"/")
				first, _, _ := strings.Cut(path, "/")
				switch {
				case seen[path]:
				case isOurs:
					queue = append(queue, ours)
				case strings.Contains(first, ".") && !slices.Contains(allowed, path):
					t.Errorf("%s pulls in %s through %s", root, path, pkg)
				}
				seen[path] = true
			}
		}
	}
}

// TestArchitectureSees plants one broken rule at a time: a check that finds
// nothing in the real tree has to find something here.
func TestArchitectureSees(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\tx++\n", maxFunc+1)
	remarks := strings.Repeat("\t// why\n", maxFunc+1)
	tests := []struct {
		name, file, src string
		want            string // "" means clean
	}{
		{"clean", "ngram/a.go", "// Package ngram is a floor.\npackage ngram\n\nimport \"fmt\"\n\nvar _ = fmt.Sprint\n", ""},
		{"upward import", "ngram/a.go", "// Package ngram is.\npackage ngram\n\nimport _ \"noecho/index\"\n", "ngram may not import index"},
		{"sideways import", "detect/a.go", "// Package detect is.\npackage detect\n\nimport _ \"noecho/index\"\n", "detect may not import index"},
		{"test looks sideways", "detect/a_test.go", "package detect_test\n\nimport _ \"noecho/index\"\nimport _ \"noecho/detect\"\n", ""},
		{"test looks up", "detect/a_test.go", "package detect_test\n\nimport _ \"noecho/proxy\"\n", "detect may not import proxy"},
		{"folder below", "index/internal/x/a.go", "// Package x is.\npackage x\n\nimport _ \"noecho/proxy\"\n", "index/internal/x may not import proxy"},
		{"own folder below", "index/a.go", "// Package index is.\npackage index\n\nimport _ \"noecho/index/internal/x\"\n", ""},
		{"unlisted package", "proxy2/a.go", "// Package proxy2 is.\npackage proxy2\n", "stands on no floor"},
		{"network below", "proxy/wire/a.go", "// Package wire is.\npackage wire\n\nimport _ \"net/http\"\n", "may not use net/http"},
		{"network by its library", "index/a.go", "// Package index is.\npackage index\n\nimport _ \"github.com/valyala/fasthttp/fasthttputil\"\n", "may not use github.com/valyala/fasthttp"},
		{"url is no network", "index/a.go", "// Package index is.\npackage index\n\nimport _ \"net/url\"\n", ""},
		{"unsafe", "ngram/a.go", "// Package ngram is.\npackage ngram\n\nimport _ \"unsafe\"\n", "may not use unsafe"},
		{"library logs", "index/a.go", "// Package index is.\npackage index\n\nimport _ \"log/slog\"\n", "may not use log/slog"},
		{"generator logs", "ngram/internal/gen/a.go", "// Command gen is.\npackage main\n\nimport _ \"log\"\n", ""},
		{"template", "cmd/noecho/a.go", "// Command noecho is.\npackage main\n\nimport _ \"text/template\"\n", "text/template"},
		{"template of cobra", "cmd/noecho/a.go", "// Command noecho is.\npackage main\n\nfunc f(c cmd) { c.SetUsageTemplate(\"\") }\n", "SetUsageTemplate"},
		{"library exits", "index/a.go", "// Package index is.\npackage index\n\nimport \"os\"\n\nfunc f() { os.Exit(1) }\n", "os.Exit"},
		{"init", "index/a.go", "// Package index is.\npackage index\n\nfunc init() {}\n", "init()"},
		{"bool parameter", "index/a.go", "// Package index is.\npackage index\n\nfunc F(fast bool) {}\n", "bool parameter"},
		{"mutable global", "index/a.go", "// Package index is.\npackage index\n\nvar count int\n", "package variable count"},
		{"embedded file", "index/a.go", "// Package index is.\npackage index\n\nimport _ \"embed\"\n\n//go:embed x.txt\nvar text string\n", ""},
		{"open end", "index/a.go", "// Package index is.\npackage index\n\n// TO" + "DO: more\n", "left open"},
		{"no package comment", "index/a.go", "package index\n", "no package comment"},
		{"wrong package comment", "index/a.go", "// The index.\npackage index\n", "no package comment"},
		{"drawer", "index/util/a.go", "// Package util is.\npackage util\n", "says nothing"},
		{"long function", "index/a.go", "// Package index is.\npackage index\n\nfunc f(x int) {\n" + long + "}\n", "f has 61 lines"},
		{"long literal", "index/a.go", "// Package index is.\npackage index\n\nvar f = func(x int) {\n" + long + "}\n", "has 61 lines"},
		{"remarks are free", "index/a.go", "// Package index is.\npackage index\n\nfunc f(x int) {\n" + remarks + "\tx++\n}\n", ""},
		{"nested module", "tools/a.go", "package util\n", ""},
		{"test data", "index/testdata/a.go", "package util\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree := fstest.MapFS{
				"go.mod":       {Data: []byte("module noecho\n")},
				"tools/go.mod": {Data: []byte("module noecho/tools\n")},
				tt.file:        {Data: []byte(tt.src)},
			}
			sources, err := readSources(tree)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(violations(sources), "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("violations = %q, want %q", got, tt.want)
			}
		})
	}
}

// A source is one parsed Go file.
type source struct {
	name string // slash path from the root
	pkg  string // its folder, "." for the root
	text []byte
	fset *token.FileSet
	file *ast.File
}

func (s source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

func (s source) at(pos token.Pos) string {
	return fmt.Sprintf("%s:%d", s.name, s.fset.Position(pos).Line)
}

// readSources parses every Go file of the module, whatever its build tags.
func readSources(tree fs.FS) ([]source, error) {
	var sources []source
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipFolder(tree, name)
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		s := source{name: name, pkg: path.Dir(name), text: text, fset: token.NewFileSet()}
		s.file, err = parser.ParseFile(s.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		sources = append(sources, s)
		return nil
	})
	return sources, err
}

// skipFolder leaves out the same folders as the go tool: hidden ones, test data and
// nested modules.
func skipFolder(tree fs.FS, name string) error {
	if name == "." {
		return nil
	}
	base := path.Base(name)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" {
		return fs.SkipDir
	}
	if _, err := fs.Stat(tree, path.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// violations returns every broken rule, in the order of the files.
func violations(sources []source) []string {
	var bad []string
	described := map[string]bool{}
	for _, s := range sources {
		bad = append(bad, s.checkImports()...)
		if s.test() || s.pkg == "." {
			continue
		}
		bad = append(bad, s.checkSize()...)
		bad = append(bad, s.checkDecls()...)
		bad = append(bad, s.checkWords()...)
		described[s.pkg] = described[s.pkg] || s.describesPackage()
	}
	for pkg, ok := range described {
		if !ok {
			bad = append(bad, pkg+`: no package comment ("// Package NAME …" or "// Command NAME …")`)
		}
	}
	return bad
}

// governing returns the floor for pkg: the one with the longest path that contains it.
func governing(pkg string) (floor, bool) {
	var best floor
	found := false
	for _, f := range house {
		if within(pkg, f.pkg) && (!found || len(f.pkg) > len(best.pkg)) {
			best, found = f, true
		}
	}
	return best, found
}

// within reports whether the path name is root or is below it.
func within(name, root string) bool {
	return name == root || strings.HasPrefix(name, root+"/")
}

func (s source) checkImports() []string {
	if s.pkg == "." {
		return nil // the checks themselves have no floor
	}
	f, ok := governing(s.pkg)
	if !ok {
		return []string{s.pkg + ": stands on no floor of the house; list what it may import"}
	}
	var bad []string
	for _, spec := range s.file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		if ours, found := strings.CutPrefix(imported, moduleName+"/"); found {
			if !s.mayStandOn(f, ours) {
				bad = append(bad, fmt.Sprintf("%s: %s may not import %s", s.at(spec.Pos()), s.pkg, ours))
			}
			continue
		}
		if s.test() {
			continue
		}
		if mayUse, special := reserved[imported]; special && !slices.Contains(mayUse, f.pkg) {
			bad = append(bad, fmt.Sprintf("%s: %s may not use %s", s.at(spec.Pos()), s.pkg, imported))
		}
		never := f.never
		if s.file.Name.Name == "main" {
			never = nil // a program, such as a generator, may log
		}
		for _, prefix := range slices.Concat(bannedImports, never) {
			// "net" alone is the package, not everything below it.
			if imported == prefix || prefix != "net" && within(imported, prefix) {
				bad = append(bad, fmt.Sprintf("%s: %s may not use %s", s.at(spec.Pos()), s.pkg, imported))
			}
		}
	}
	return bad
}

func (s source) mayStandOn(f floor, ours string) bool {
	if g, ok := governing(ours); ok && g.pkg == f.pkg && (ours != f.pkg || s.test()) {
		return true // its own folders, and a test its own package
	}
	return slices.Contains(f.ours, ours) || s.test() && slices.Contains(f.tests, ours)
}

func (s source) checkSize() []string {
	if ast.IsGenerated(s.file) {
		return nil
	}
	var bad []string
	remarks := s.remarkLines()
	ast.Inspect(s.file, func(n ast.Node) bool {
		var body *ast.BlockStmt
		name := "function literal"
		switch n := n.(type) {
		case *ast.FuncDecl:
			body, name = n.Body, n.Name.Name
		case *ast.FuncLit:
			body = n.Body
		}
		if body == nil {
			return true
		}
		first, last := s.fset.Position(body.Lbrace).Line+1, s.fset.Position(body.Rbrace).Line-1
		lines := 0
		for l := first; l <= last; l++ {
			if !remarks[l] {
				lines++
			}
		}
		if lines > maxFunc {
			bad = append(bad, fmt.Sprintf("%s: %s has %d lines, at most %d", s.at(body.Pos()), name, lines, maxFunc))
		}
		return true
	})
	return bad
}

// remarkLines returns the lines that have a comment and no code.
func (s source) remarkLines() map[int]bool {
	remarks, code := map[int]bool{}, map[int]bool{}
	fset := token.NewFileSet()
	file := fset.AddFile(s.name, -1, len(s.text))
	var scan scanner.Scanner
	scan.Init(file, s.text, nil, scanner.ScanComments)
	for {
		pos, tok, lit := scan.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.SEMICOLON && lit == "\n" {
			continue // put there by the scanner
		}
		into := code
		if tok == token.COMMENT {
			into = remarks
		}
		first := file.Line(pos)
		for l := first; l <= first+strings.Count(lit, "\n"); l++ {
			into[l] = true
		}
	}
	for l := range code {
		delete(remarks, l)
	}
	return remarks
}

// checkDecls checks the declarations of a file.
func (s source) checkDecls() []string {
	var bad []string
	say := func(pos token.Pos, format string, args ...any) {
		bad = append(bad, s.at(pos)+": "+fmt.Sprintf(format, args...))
	}
	if slices.Contains(bannedNames, s.file.Name.Name) {
		say(s.file.Name.Pos(), "package name %s says nothing", s.file.Name.Name)
	}
	for _, decl := range s.file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil && decl.Name.Name == "init" {
				say(decl.Pos(), "init() runs unseen; call it where it is needed")
			}
			for _, param := range decl.Type.Params.List {
				// A private function may take a bool as data, such as one that encodes it.
				if id, ok := param.Type.(*ast.Ident); ok && id.Name == "bool" && decl.Name.IsExported() {
					say(param.Pos(), "%s takes a bool parameter; use two functions or a named type", decl.Name.Name)
				}
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				v, ok := spec.(*ast.ValueSpec)
				if ok && decl.Tok == token.VAR && len(v.Values) == 0 && !embedded(decl) && !s.linked(v) {
					say(v.Pos(), "package variable %s has no value, so it is there to be written", v.Names[0].Name)
				}
			}
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if slices.Contains(bannedSelectors, sel.Sel.Name) {
			say(sel.Pos(), "%s links text/template", sel.Sel.Name)
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && sel.Sel.Name == "Exit" && s.file.Name.Name != "main" {
			say(sel.Pos(), "a library never calls os.Exit")
		}
		return true
	})
	return bad
}

// embedded reports whether a variable gets its value from a file.
func embedded(decl *ast.GenDecl) bool {
	return decl.Doc != nil && slices.ContainsFunc(decl.Doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}

// linked reports whether a variable gets its value from the linker.
func (s source) linked(v *ast.ValueSpec) bool {
	return s.pkg == "cmd/noecho" && v.Names[0].Name == "version"
}

// checkWords finds marks of unfinished work.
func (s source) checkWords() []string {
	var bad []string
	for _, group := range s.file.Comments {
		if word := openEnd.FindString(group.Text()); word != "" {
			bad = append(bad, fmt.Sprintf("%s: left open: %s", s.at(group.Pos()), word))
		}
	}
	return bad
}

func (s source) describesPackage() bool {
	if s.file.Doc == nil {
		return false
	}
	want := "Package " + s.file.Name.Name + " "
	if s.file.Name.Name == "main" {
		want = "Command "
	}
	return strings.HasPrefix(s.file.Doc.Text(), want)
}
