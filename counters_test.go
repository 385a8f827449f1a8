package noecho_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The figures below measure how much of the tree a reader has to keep in mind at a
// time. Each has a ceiling that may only fall: a commit that lowers a figure lowers its
// ceiling as well. See all figures: go test -count=1 -v -run TestArchitecture .
const (
	maxFiles    = 3   // files that declare methods of one type
	maxCentral  = 2   // the same for the types in central
	wideFrom    = 4   // an interface with so many methods is wide
	maxWide     = 8   // wide interfaces
	maxLibrary  = 162 // exported names of the packages in library
	maxWireName = 120 // exported names of proxy/wire
	maxUpward   = 3   // arrows between files of package proxy that point up
)

// library lists the packages that other programs import.
var library = []string{"ngram", "index", "index/build", "detect"}

// central lists the types that most of their package is about.
var central = []string{"detect.Detector", "proxy/relay.Relay", "index/build.builder"}

// connector lists the files of package proxy from top to bottom. A file may use the
// names, methods and fields that a file below it declares; an arrow points up where it
// uses those of a file above.
var connector = []string{
	"server.go", "probe.go", "admin.go", "handler.go", "respond.go", "answer.go", "exchange.go", "gate.go", "certificates.go", "services.go", "tally.go", "metrics.go", "prompt.go",
	"snapshot.go", "headers.go", "cors.go", "closed_routes.go", "ignored.go", "routes.go", "names.go", "catalogue.go", "upstream.go", "upstream_tls.go", "ambiguous.go",
	"refuse.go", "identify.go", "principal.go", "caller.go", "reclaim.go", "body.go", "guard.go", "socket_unix.go", "session.go", "escapes.go", "decode.go",
}

// declared has the declarations of the product files of the tree.
type declared struct {
	methods    map[string]map[string]bool // type, as PACKAGE.NAME -> the files of its methods
	interfaces map[string]*ast.InterfaceType
}

func survey(sources []source) declared {
	d := declared{map[string]map[string]bool{}, map[string]*ast.InterfaceType{}}
	for _, s := range sources {
		if s.test() {
			continue
		}
		for _, decl := range s.file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				d.addFunc(s, decl)
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					if spec, ok := spec.(*ast.TypeSpec); ok {
						if t, ok := spec.Type.(*ast.InterfaceType); ok {
							d.interfaces[s.pkg+"."+spec.Name.Name] = t
						}
					}
				}
			}
		}
	}
	return d
}

func (d declared) addFunc(s source, decl *ast.FuncDecl) {
	of := receiver(decl)
	if of != "" {
		name := s.pkg + "." + of
		if d.methods[name] == nil {
			d.methods[name] = map[string]bool{}
		}
		d.methods[name][s.name] = true
	}
}

// width counts the methods of an interface, with those of the interfaces of the
// same package that it embeds.
func (d declared) width(name string) int {
	n, pkg := 0, name[:strings.LastIndex(name, ".")+1]
	for _, m := range d.interfaces[name].Methods.List {
		n += len(m.Names)
		if id, ok := m.Type.(*ast.Ident); ok && d.interfaces[pkg+id.Name] != nil {
			n += d.width(pkg + id.Name)
		}
	}
	return n
}

// exportedOf counts the exported names of a package, and the exported fields of its
// exported structs. A name is a package-level name, or a method of an exported type, also
// if the type is an alias of one in an internal package or the method is that of an
// embedded field.
func exportedOf(pkg *types.Package) (names, fields int) {
	for _, name := range pkg.Scope().Names() {
		obj := pkg.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		names++
		if _, ok := obj.(*types.TypeName); !ok {
			continue
		}
		t := obj.Type()
		if s, ok := t.Underlying().(*types.Struct); ok {
			for f := range s.Fields() {
				if f.Exported() {
					fields++
				}
			}
		}
		if !types.IsInterface(t) {
			t = types.NewPointer(t)
		}
		for m := range types.NewMethodSet(t).Methods() {
			if m.Obj().Exported() {
				names++
			}
		}
	}
	return names, fields
}

// receiver returns the name of the type that a method belongs to.
func receiver(decl *ast.FuncDecl) string {
	if decl.Recv == nil {
		return ""
	}
	t := decl.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// TestArchitectureCounts compares the figures with their ceilings. Fields of structs are
// data and are only logged.
func TestArchitectureCounts(t *testing.T) {
	t.Parallel()
	sources, err := readSources(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	d := survey(sources)
	for name, files := range d.methods {
		if n := len(files); n > maxFiles {
			t.Errorf("%s: methods in %d files, at most %d: %q", name, n, maxFiles, slices.Sorted(maps.Keys(files)))
		}
	}
	var wide []string
	for name := range d.interfaces {
		if d.width(name) >= wideFrom {
			wide = append(wide, name)
		}
	}
	slices.Sort(wide)
	check := func(what string, n, ceiling int) {
		t.Logf("%s: %d", what, n)
		if n == 0 || n > ceiling {
			t.Errorf("%s: %d, at most %d", what, n, ceiling)
		}
	}
	check("wide interfaces", len(wide), maxWide)
	t.Log(wide)
	for _, name := range central {
		check("files with methods of "+name, len(d.methods[name]), maxCentral)
	}
	all := 0
	exports, _ := exportData(t, append([]string{"proxy/wire"}, library...)...)
	packages := newImporter(token.NewFileSet(), exports)
	for _, pkg := range library {
		names, fields := exportedNames(t, packages, pkg)
		t.Logf("%s: %d exported names, %d fields", pkg, names, fields)
		all += names
	}
	check("exported names of the library", all, maxLibrary)
	names, fields := exportedNames(t, packages, "proxy/wire")
	check("exported names of proxy/wire", names, maxWireName)
	t.Logf("proxy/wire: %d exported fields", fields)
}

// TestArchitectureCountsSees counts a small tree by hand.
func TestArchitectureCountsSees(t *testing.T) {
	t.Parallel()
	var sources []source
	var files []*ast.File
	fset := token.NewFileSet()
	for name, text := range map[string]string{
		"index/a.go":      "package index\n\ntype T struct{ A, b int }\n\nfunc (t *T) F() {}\n\nconst X, y = 1, 2\n\ntype i interface{ J; a(); b(); c() }\n",
		"index/b.go":      "package index\n\nfunc (t T) g() {}\n\nfunc F() {}\n\ntype J interface{ G() }\n\ntype pair[K, V any] struct{}\n\nfunc (p pair[K, V]) H() {}\n\ntype Alias = pair[int, int]\n",
		"index/a_test.go": "package index\n\nfunc (t *T) H() {}\n",
	} {
		s := source{name: name, pkg: path.Dir(name), fset: fset}
		var err error
		if s.file, err = parser.ParseFile(s.fset, name, text, parser.SkipObjectResolution); err != nil {
			t.Fatal(err)
		}
		if sources = append(sources, s); !s.test() {
			files = append(files, s.file)
		}
	}
	d := survey(sources)
	if len(d.methods["index.T"]) != 2 || len(d.methods["index.pair"]) != 1 {
		t.Errorf("methods %v", d.methods)
	}
	if got := d.width("index.i"); got != 4 {
		t.Errorf("i has %d methods", got)
	}
	pkg, err := new(types.Config).Check("index", fset, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	// T, T.F, X, F, J, J.G, Alias and Alias.H.
	if names, fields := exportedOf(pkg); names != 8 || fields != 1 {
		t.Errorf("%d names, %d fields", names, fields)
	}
}

// TestArchitectureArrows counts the arrows between files of package proxy. There is
// one from a file to every other file that declares a package-level name, a method or a
// field that the first one uses.
func TestArchitectureArrows(t *testing.T) {
	t.Parallel()
	arrows := fileArrows(t, "proxy")
	var upward []string
	for arrow := range arrows {
		from, to := slices.Index(connector, arrow[0]), slices.Index(connector, arrow[1])
		for i, at := range []int{from, to} {
			if at < 0 {
				t.Fatalf("proxy/%s: its place among the files of the package is missing in connector", arrow[i])
			}
		}
		if from > to {
			upward = append(upward, arrow[0]+" -> "+arrow[1])
		}
	}
	slices.Sort(upward)
	t.Logf("%d of %d arrows point up: %q", len(upward), len(arrows), upward)
	if len(arrows) == 0 || len(upward) > maxUpward {
		t.Errorf("%d arrows between files point up, at most %d: %q", len(upward), maxUpward, upward)
	}
}

// fileArrows type-checks a package and returns its pairs of files of which the first
// uses something that the second declares.
func fileArrows(t *testing.T, pkg string) map[[2]string]bool {
	t.Helper()
	exports, names := exportData(t, pkg)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, filepath.Join(pkg, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	conf := types.Config{Importer: newImporter(fset, exports)}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	checked, err := conf.Check(moduleName+"/"+pkg, fset, files, &info)
	if err != nil {
		t.Fatal(err)
	}
	arrows := map[[2]string]bool{}
	file := func(pos token.Pos) string { return filepath.Base(fset.Position(pos).Filename) }
	for id, obj := range info.Uses {
		member := false
		switch obj := obj.(type) {
		case *types.Var:
			member = obj.IsField()
		case *types.Func:
			member = obj.Signature().Recv() != nil
		}
		if obj.Pkg() != checked || !member && obj.Parent() != checked.Scope() {
			continue
		}
		if from, to := file(id.Pos()), file(obj.Pos()); from != to {
			arrows[[2]string{from, to}] = true
		}
	}
	return arrows
}

// exportedNames counts as exportedOf does.
func exportedNames(t *testing.T, packages types.Importer, pkg string) (names, fields int) {
	t.Helper()
	p, err := packages.Import(moduleName + "/" + pkg)
	if err != nil {
		t.Fatal(err)
	}
	return exportedOf(p)
}

// newImporter reads the types of packages from their export data.
func newImporter(fset *token.FileSet, exports map[string]string) types.Importer {
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
}

// exportData returns the files with the export data of packages and of all that they
// import, by path, and the names of the Go files of the last package.
func exportData(t *testing.T, pkgs ...string) (exports map[string]string, names []string) {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Export,GoFiles"}
	for _, pkg := range pkgs {
		args = append(args, "./"+pkg)
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	exports = map[string]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath, Export string
			GoFiles            []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return exports, names
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath], names = p.Export, p.GoFiles
	}
}
