package noecho_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var update = flag.Bool("update", false, "rewrite docs/commands.md and docs/architecture.svg")

// TestDocsLinks follows every relative link, and wants every page to be
// reachable from the README.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	pages := readPages(t)
	reached, queue := map[string]bool{"README.md": true}, []string{"README.md"}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		for _, target := range pages[name].links() {
			file, _, _ := strings.Cut(target, "#")
			next := path.Join(path.Dir(name), file)
			if _, ok := pages[next]; ok && !reached[next] {
				reached[next] = true
				queue = append(queue, next)
			}
		}
	}
	for name, p := range pages {
		if !reached[name] && name != "CHANGELOG.md" { // found by its name
			t.Errorf("%s: no chain of links leads here from README.md", name)
		}
		for _, target := range p.links() {
			if err := checkLink(pages, name, target); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func checkLink(pages map[string]page, from, target string) error {
	file, anchor, _ := strings.Cut(target, "#")
	name := from
	if file != "" {
		name = path.Join(path.Dir(from), file)
	}
	if _, err := os.Stat(name); err != nil {
		return fmt.Errorf("link to %q leads nowhere", target)
	}
	if p, ok := pages[name]; ok && anchor != "" && !slices.Contains(p.anchors(), anchor) {
		return fmt.Errorf("link to %q: %s has no such heading", target, name)
	}
	return nil
}

// TestDocsCommands compares the documents with the program that they describe.
func TestDocsCommands(t *testing.T) {
	t.Parallel()
	tree := readCommands(t, build(t))
	t.Run("lines", func(t *testing.T) { checkCommandLines(t, tree) })
	t.Run("page", func(t *testing.T) { checkCommandPage(t, tree) })
}

// checkCommandLines compares every command line in the documents, and in the examples
// of the help texts themselves, with the commands and flags of the program.
func checkCommandLines(t *testing.T, tree commands) {
	texts := readPages(t)
	for _, c := range tree {
		texts["help of "+c.path] = page("```\n" + c.help + "```\n")
	}
	checked := 0
	for name, p := range texts {
		for _, line := range p.commandLines() {
			for _, args := range invocations(line) {
				checked++
				if err := tree.check(args); err != nil {
					t.Errorf("%s: %q: %v", name, line, err)
				}
			}
		}
	}
	if checked == 0 {
		t.Error("found no command line to check")
	}
}

// checkCommandPage keeps docs/commands.md equal to the help texts; with -update
// it writes the page.
func checkCommandPage(t *testing.T, tree commands) {
	const name = "docs/commands.md"
	var b bytes.Buffer
	b.WriteString("# Commands\n\nEvery command and flag, as `--help` prints it. Written by `make docs`; a test compares.\n")
	for _, c := range tree {
		fmt.Fprintf(&b, "\n## %s\n\n```text\n%s```\n", c.path, c.help)
	}
	if *update {
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s differs from the help texts; run `make docs`", name)
	}
}

// TestDocsCommandsSees makes sure that the check above can fail.
func TestDocsCommandsSees(t *testing.T) {
	t.Parallel()
	tree := commands{
		{path: "noecho", subs: []string{"index", "tail"}, flags: []string{"-h", "--help"}},
		{path: "noecho index", subs: []string{"build"}, flags: []string{"--help"}},
		{path: "noecho index build", flags: []string{"--out", "--help"}},
		{path: "noecho tail", flags: []string{"-f", "--follow"}},
	}
	tests := []struct{ line, want string }{
		{"noecho index build --out a.nidx train.jsonl", ""},
		{"$ go run ./cmd/noecho tail -f alerts.jsonl | jq .id", ""},
		{"NOECHO_MODE=block ./bin/noecho tail --follow=true # or -f", ""},
		{"noecho index build [--out FILE] INPUT...", ""},
		{"go build -o noecho ./cmd/noecho", ""},
		{"docker run -p 1:1 -v x:/x noecho tail -f", ""},
		{"echo ok && noecho tell", `no command "tell"`},
		{"noecho index build --output a", `no flag "--output"`},
		{"noecho tail -n", `no flag "-n"`},
		{"noecho index merge a b", `no command "merge"`},
	}
	for _, tt := range tests {
		var got string
		for _, args := range invocations(tt.line) {
			if err := tree.check(args); err != nil {
				got = err.Error()
			}
		}
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.line, got, tt.want)
		}
	}
}

// TestDocsLength keeps the older documents short enough to be read. Pages that are not in
// the list are free. A word is a text between white space that has a letter or a digit;
// the bars of a table are none.
func TestDocsLength(t *testing.T) {
	t.Parallel()
	const limit = 20_000
	counted := regexp.MustCompile(`^(README|CHANGELOG|bench/RESULTS)\.md$` +
		`|^docs/(adding-an-api|alerts|apis|configuration|eval|guarantees|index-format|indexing)\.md$` +
		`|^docs/(normalisation|operations|scan|style|threat-model)\.md$` +
		`|^docs/(how-it-works|limits|results)\.md$` + // once detection.md
		`|^docs/adr/(README|000\d-.*|001[0-2]-.*)\.md$`)
	total := 0
	for name, p := range readPages(t) {
		if !counted.MatchString(name) {
			continue
		}
		for word := range strings.FieldsSeq(string(p)) {
			if strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
				total++
			}
		}
	}
	if total > limit {
		t.Errorf("the documents have %d words, at most %d: replace before you add", total, limit)
	}
	t.Logf("%d words of at most %d", total, limit)
}

// TestDocsWalk looks for every name of the walk through the code in
// docs/architecture.md in the package that the page names.
func TestDocsWalk(t *testing.T) {
	t.Parallel()
	sources, err := readSources(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for _, s := range sources {
		for name := range s.names() {
			declared[s.pkg+" "+name] = !s.test() || declared[s.pkg+" "+name]
		}
	}
	_, walk, _ := strings.Cut(string(readPages(t)["docs/architecture.md"]), "## A completion's walk")
	rows := regexp.MustCompile("(?m)^\\| \\d+ \\| `([^`]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(walk, -1)
	if len(rows) != 10 {
		t.Errorf("the walk has %d steps, want 10", len(rows))
	}
	for _, row := range rows {
		for _, name := range codeSpan.FindAllStringSubmatch(row[2], -1) {
			if !declared[row[1]+" "+name[1]] {
				t.Errorf("docs/architecture.md: package %s has no %s", row[1], name[1])
			}
		}
	}
}

// TestDocsTests looks for every test, fuzz target and benchmark that the documents
// name. As with `go test -run`, a name may be the beginning of several.
func TestDocsTests(t *testing.T) {
	t.Parallel()
	sources, err := readSources(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	var tests []string
	for _, s := range sources {
		if s.test() {
			tests = slices.AppendSeq(tests, s.names())
		}
	}
	for name, p := range readPages(t) {
		for _, want := range regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`).FindAllString(string(p), -1) {
			if !slices.ContainsFunc(tests, func(test string) bool { return strings.HasPrefix(test, want) }) {
				t.Errorf("%s names %s, which is no test", name, want)
			}
		}
	}
}

// TestDocsClients compares the versions in docs/clients.md with those that are installed.
func TestDocsClients(t *testing.T) {
	t.Parallel()
	pinned := map[string]bool{}
	pin := regexp.MustCompile(`(?m)^(?:\t|    "|)([\w@./-]+)(?: v|": "|==)(\d[\w.]*)`)
	for _, name := range []string{"go.mod", "js/package.json", "py/requirements.txt", "py/litellm/requirements.txt"} {
		text, err := os.ReadFile("bench/sdk/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pin.FindAllSubmatch(text, -1) {
			pinned[string(m[1])+" "+string(m[2])] = true
		}
	}
	named := regexp.MustCompile("`([\\w@./-]+)` (\\d+\\.\\d+\\.\\d+)").FindAllStringSubmatch(string(readPages(t)["docs/clients.md"]), -1)
	if len(named) < 20 {
		t.Errorf("docs/clients.md names %d versions", len(named))
	}
	for _, m := range named {
		if !pinned[m[1]+" "+m[2]] {
			t.Errorf("docs/clients.md: %s %s is not the version in bench/sdk", m[1], m[2])
		}
	}
}

// names yields the declarations of a file: functions, types, and methods as
// Type.Method.
func (s source) names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, decl := range s.file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				name := decl.Name.Name
				if decl.Recv != nil {
					of := decl.Recv.List[0].Type
					if star, ok := of.(*ast.StarExpr); ok {
						of = star.X
					}
					name = fmt.Sprint(of) + "." + name
				}
				if !yield(name) {
					return
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					if typ, ok := spec.(*ast.TypeSpec); ok && !yield(typ.Name.Name) {
						return
					}
				}
			}
		}
	}
}

// TestDocsPlaces finds paths and addresses that only one machine has.
func TestDocsPlaces(t *testing.T) {
	t.Parallel()
	place := regexp.MustCompile(`(?:^|[\s"'(=:])(/wor[k]/|/hom[e]/|/roo[t]/|/Use[r]s/)[\w.-]|\.\./share[d]/`)
	walk(t, func(name string) {
		switch path.Ext(name) {
		case ".md", ".go", ".yaml", ".yml", ".sh", ".mod", ".service", "":
		default:
			return
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := place.Find(text); found != nil {
			t.Errorf("%s names a place of one machine: %q", name, found)
		}
	})
}

// walk calls f with every file of the repository that is not hidden, built or
// test data.
func walk(t *testing.T, f func(name string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			f(name)
			return nil
		}
		base := path.Base(name)
		switch base {
		case "testdata", ".git", "node_modules", "venv":
			return fs.SkipDir
		}
		if name == "bin" || name == "dist" {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A page is the text of one Markdown file.
type page string

func readPages(t *testing.T) map[string]page {
	t.Helper()
	pages := map[string]page{}
	walk(t, func(name string) {
		if path.Ext(name) != ".md" {
			return
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pages[name] = page(text)
	})
	if _, ok := pages["README.md"]; !ok {
		t.Error("there is no README.md")
	}
	return pages
}

// split returns the lines inside and outside of fenced code.
func (p page) split() (prose, code []string) {
	fence := ""
	for line := range strings.Lines(string(p)) {
		line = strings.TrimSuffix(line, "\n")
		trimmed := strings.TrimSpace(line)
		switch {
		case fence == "" && (strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~")):
			fence = trimmed[:3]
		case fence != "" && strings.HasPrefix(trimmed, fence):
			fence = ""
		case fence != "":
			code = append(code, line)
		default:
			prose = append(prose, line)
		}
	}
	return prose, code
}

var (
	linkTarget = regexp.MustCompile(`\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)`)
	codeSpan   = regexp.MustCompile("`([^`]+)`")
	scheme     = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
	notInSlug  = regexp.MustCompile(`[^\p{L}\p{N}\s_-]`)
)

// links returns the targets of the page's relative links.
func (p page) links() []string {
	var targets []string
	prose, _ := p.split()
	for _, m := range linkTarget.FindAllStringSubmatch(codeSpan.ReplaceAllString(strings.Join(prose, "\n"), "code"), -1) {
		if !scheme.MatchString(m[1]) {
			targets = append(targets, m[1])
		}
	}
	return targets
}

// anchors returns the names by which the page's headings can be linked.
func (p page) anchors() []string {
	var names []string
	prose, _ := p.split()
	for _, line := range prose {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			slug := notInSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			names = append(names, strings.ReplaceAll(slug, " ", "-"))
		}
	}
	return names
}

// commandLines returns lines that may be command lines: lines of code, joined at
// continuations, and code in the running text.
func (p page) commandLines() []string {
	prose, code := p.split()
	var lines []string
	for _, line := range strings.Split(strings.ReplaceAll(strings.Join(code, "\n"), "\\\n", " "), "\n") {
		lines = append(lines, strings.TrimSpace(line))
	}
	for _, m := range codeSpan.FindAllStringSubmatch(strings.Join(prose, " "), -1) {
		if strings.HasPrefix(m[1], "noecho ") || strings.Contains(m[1], "/noecho ") {
			lines = append(lines, m[1])
		}
	}
	return lines
}

// invocations returns the arguments of every call of noecho in a command line.
func invocations(line string) [][]string {
	var calls [][]string
	var words []string
	flush := func() {
		if args, ok := noechoArgs(words); ok {
			calls = append(calls, args)
		}
		words = nil
	}
	for _, word := range strings.Fields(line) {
		switch word {
		case "|", "||", "&&", ";", "&":
			flush()
		default:
			words = append(words, word)
		}
	}
	flush()
	return calls
}

// noechoArgs finds the program in the words of one command and returns its arguments,
// up to a redirection or a comment.
func noechoArgs(words []string) ([]string, bool) {
	if len(words) > 0 && words[0] == "$" {
		words = words[1:]
	}
	if len(words) == 0 {
		return nil, false
	}
	starts := words[0] == "noecho" || strings.HasSuffix(words[0], "/noecho") || strings.HasPrefix(words[0], "NOECHO_")
	runs := strings.HasPrefix(strings.Join(words, " "), "go run ") || strings.HasPrefix(strings.Join(words, " "), "docker run ")
	if !starts && !runs {
		return nil, false
	}
	at := slices.IndexFunc(words, func(w string) bool { return w == "noecho" || strings.HasSuffix(w, "/noecho") })
	if at < 0 {
		return nil, false
	}
	var args []string
	for _, w := range words[at+1:] {
		if strings.HasPrefix(w, "#") || strings.ContainsAny(w, "<>") {
			break
		}
		optional := strings.HasPrefix(w, "[")
		if w = strings.Trim(w, "[]().,`'\""); w != "" && (!optional || strings.HasPrefix(w, "-")) {
			args = append(args, w)
		}
	}
	return args, true
}

// A command is one command of the program, as its help text shows it.
type command struct {
	path  string // "noecho index build"
	help  string
	subs  []string
	flags []string // "-f", "--follow"
}

type commands []command

var (
	helpSub  = regexp.MustCompile(`(?m)^  ([a-z]+) {2,}\S`)
	helpFlag = regexp.MustCompile(`(?m)^ +(?:(-\w), +)?(--[a-z][a-z0-9-]*)`)
)

// build builds the program and returns its path.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "noecho.exe")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", bin, "./cmd/noecho").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// readCommands walks the command tree by asking for help.
func readCommands(t *testing.T, bin string) commands {
	t.Helper()
	var tree commands
	var visit func(args []string)
	visit = func(args []string) {
		out, err := exec.CommandContext(t.Context(), bin, append(args, "--help")...).Output()
		if err != nil {
			t.Fatalf("noecho %s --help: %v", strings.Join(args, " "), err)
		}
		c := command{path: strings.Join(append([]string{"noecho"}, args...), " "), help: string(out)}
		if _, list, ok := strings.Cut(c.help, "Available Commands:\n"); ok {
			list, _, _ = strings.Cut(list, "\n\n")
			for _, m := range helpSub.FindAllStringSubmatch(list, -1) {
				if m[1] != "help" {
					c.subs = append(c.subs, m[1])
				}
			}
		}
		for _, m := range helpFlag.FindAllStringSubmatch(c.help, -1) {
			c.flags = append(c.flags, m[1], m[2])
		}
		tree = append(tree, c)
		for _, sub := range c.subs {
			visit(append(slices.Clone(args), sub))
		}
	}
	visit(nil)
	if len(tree) < 2 {
		t.Fatal("the help text of noecho lists no commands")
	}
	return tree
}

// check returns an error for arguments that the program would not understand.
func (tree commands) check(args []string) error {
	at := tree[0]
	for len(args) > 0 && slices.Contains(at.subs, args[0]) {
		next := at.path + " " + args[0]
		at = tree[slices.IndexFunc(tree, func(c command) bool { return c.path == next })]
		args = args[1:]
	}
	if len(at.subs) > 0 && len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "help" {
		return fmt.Errorf("%s has no command %q", at.path, args[0])
	}
	for _, arg := range args {
		name, _, _ := strings.Cut(arg, "=")
		if len(name) > 1 && strings.HasPrefix(name, "-") && name != "--" && !slices.Contains(at.flags, name) {
			return fmt.Errorf("%s has no flag %q", at.path, name)
		}
	}
	return nil
}
