package corpus

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Stdin is the path that means standard input.
const Stdin = "-"

// Skipped is a file below a folder that is not read, and why.
type Skipped struct {
	Path   string
	Arg    string // the argument it came from
	Reason string
	Text   int64 // bytes of text that is lost with it; 0: it is no text
	Left   int64 // bytes of rows without the fields that the caller named
	Files  int   // of an archive that are skipped for the reason; 0: one
}

// isHidden is the reason for skipping a file or folder whose name begins with a dot.
const isHidden = "hidden"

// Meant reports whether a file is skipped because the caller means it: it is hidden, or
// left out by a pattern.
func (s Skipped) Meant() bool {
	return s.Reason == isHidden || s.Reason == notIncluded || s.Reason == excluded
}

// Find turns arguments into inputs, in the order of their paths: files, folders with
// all below them, patterns that the shell did not expand, and [Stdin]. A file named
// twice is read once. Files in a folder that contain no text are skipped; a file that
// was named has to be readable. Links in a folder are followed to files, wherever these
// are, and not to folders. A file whose content is elsewhere is an error, also in a
// folder. The error lists the files that cannot be read; the others are returned with it.
func Find(args []string, stdin io.Reader, o Options) ([]Input, []Skipped, error) {
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	f := finder{o: o, seen: map[string]bool{}, infos: infos{}}
	for _, arg := range args {
		if arg == Stdin {
			f.problem(f.addStdin(stdin))
			continue
		}
		paths, err := expand(arg)
		f.problem(err)
		for _, p := range paths {
			f.problem(f.addPath(p, arg))
		}
	}
	f.addLinks()
	// The members of an archive are read in its order.
	slices.SortStableFunc(f.inputs, func(a, b Input) int { return strings.Compare(a.FilePath(), b.FilePath()) })
	f.tellApart()
	slices.SortFunc(f.skipped, func(a, b Skipped) int { return strings.Compare(a.Path, b.Path) })
	return f.inputs, f.skipped, errors.Join(f.problems...)
}

// finder collects inputs.
type finder struct {
	o       Options
	seen    map[string]bool
	parent  string // of the argument that is being added
	below   string // path of the file that is being added, below the folder that was named
	inputs  []Input
	skipped []Skipped
	links   []link

	archives []*archive
	infos    infos
	last     *Options // of the file before

	problems []error // the first of them
	more     int     // the number of the others
}

// link is a link to a file, found in a folder.
type link struct {
	path, arg, parent, below string
	st                       fs.FileInfo // of the file
}

// mostProblems bounds the files that one error lists.
const mostProblems = 20

// problem adds an error of a file to those that Find returns.
func (f *finder) problem(err error) {
	switch {
	case err == nil:
	case len(f.problems) < mostProblems:
		f.problems = append(f.problems, err)
	default:
		f.more++
		f.problems = append(f.problems[:mostProblems], fmt.Errorf("and %d more files that cannot be read", f.more))
	}
}

// expand resolves a pattern that names no existing file.
func expand(arg string) ([]string, error) {
	_, err := os.Stat(arg)
	if err == nil {
		return []string{arg}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) || !strings.ContainsAny(arg, "*?[") {
		return nil, fmt.Errorf("read input: %w", err)
	}
	paths, err := glob(arg)
	if err != nil {
		return nil, fmt.Errorf("read input %q: %w", arg, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("read input %q: no file matches", arg)
	}
	return paths, nil
}

// parent returns the folder that the names of files leave out: the one that contains the
// file or folder at path. If arg is a pattern with **, it is the one that contains the
// folder before the first sign of the pattern. Nobody typed the name of the folder . or ..,
// so files are named below these themselves.
func parent(path, arg string) string {
	if first := strings.IndexAny(arg, "*?["); strings.Contains(arg, "**") {
		path, _ = filepath.Split(arg[:first])
	}
	path = filepath.Clean(path)
	if filepath.Base(path) == ".." {
		return path
	}
	return filepath.Dir(path)
}

// tellApart makes the names of the inputs differ: files and archives of one name get one
// more folder of their paths, until no two are equal or the paths end.
func (f *finder) tellApart() {
	type named struct {
		path string
		name *string
	}
	var files []named
	for i := range f.inputs {
		if in := &f.inputs[i]; in.entry == nil {
			files = append(files, named{in.Path, &in.Name})
		}
	}
	for _, a := range f.archives {
		files = append(files, named{a.path, &a.name})
	}
	for grown := true; grown; {
		grown = false
		count := map[string]int{}
		for _, n := range files {
			count[*n.name]++
		}
		for _, n := range files {
			above, ok := strings.CutSuffix(filepath.ToSlash(filepath.Clean(n.path)), "/"+*n.name)
			if count[*n.name] > 1 && ok {
				*n.name, grown = above[strings.LastIndexByte(above, '/')+1:]+"/"+*n.name, true
			}
		}
	}
	for i := range f.inputs {
		if in := &f.inputs[i]; in.entry != nil {
			in.Name = in.entry.of.name + "/" + in.entry.name
			if strings.HasSuffix(in.Path, in.Name) {
				in.Name = in.Path[len(in.Path)-len(in.Name):] // the same bytes, once
			}
		}
	}
}

// addPath adds a file, or everything below a folder.
func (f *finder) addPath(path, arg string) error {
	st, err := os.Stat(path)
	root := path
	if link, lerr := os.Lstat(path); lerr == nil && link.Mode()&fs.ModeSymlink != 0 && (err != nil || st.IsDir()) {
		if path != arg { // a pattern found it
			f.addLink(path, arg)
			return nil
		}
		root += string(filepath.Separator) // or the walk would not follow it
	}
	if err != nil {
		return fmt.Errorf("read input: %w", err)
	}
	f.parent = parent(path, arg)
	if !st.IsDir() {
		below, err := filepath.Rel(f.parent, path)
		if why := f.left(filepath.ToSlash(below)); err == nil && why != "" && path != arg {
			f.skip(path, arg, why)
			return nil
		}
		f.below = ""
		return f.addFile(path, arg, st)
	}
	return f.addFolder(root, path, arg)
}

// addFolder adds everything below a folder. The walk begins at root, another spelling of
// its path.
func (f *finder) addFolder(root, path, arg string) error {
	f.o.inFolder = true
	defer func() { f.o.inFolder = false }()
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read input: %w", err)
		}
		if p == root {
			return nil
		}
		if strings.HasPrefix(d.Name(), ".") {
			f.skip(p, arg, isHidden)
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			if isCache(p) {
				f.skip(p, arg, "the links of snapshots lead here")
				return fs.SkipDir
			}
			return nil
		}
		below, _ := filepath.Rel(path, p) // p begins with path
		f.below = filepath.ToSlash(below)
		if why := f.left(f.below); why != "" && (why != notIncluded || !namesArchive(p)) {
			f.skip(p, arg, why)
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			f.addLink(p, arg)
			return nil
		}
		if !d.Type().IsRegular() {
			f.skip(p, arg, "not a regular file")
			return nil
		}
		st, err := d.Info()
		if err != nil {
			return fmt.Errorf("read input: %w", err)
		}
		f.addFound(p, arg, st)
		return nil
	})
}

// addFound adds a file that was found in a folder, or skips it.
func (f *finder) addFound(path, arg string, st fs.FileInfo) {
	err := f.addFile(path, arg, st)
	text, skipped := lost(err, st.Size())
	if !skipped {
		f.problem(err)
		return
	}
	f.skip(path, arg, strings.TrimPrefix(err.Error(), path+": "))
	skip := &f.skipped[len(f.skipped)-1]
	skip.Text = text
	if columns := (*ColumnsError)(nil); errors.As(err, &columns) {
		skip.Left = st.Size()
	}
}

// lost reports whether a file of some size in a folder is skipped because of an error, and
// how many bytes of text are lost with it.
func lost(err error, size int64) (text int64, skipped bool) {
	var columns *ColumnsError
	var why aside
	var damaged *DamagedError
	switch {
	case errors.As(err, &damaged), errors.Is(err, errEncoding), errors.Is(err, errNoRows), errors.Is(err, errData):
		return size, true
	default:
		return 0, errors.Is(err, ErrUnreadable) && !errors.Is(err, errElsewhere) || errors.As(err, &columns) || errors.As(err, &why)
	}
}

// addLink adds a link that was found in a folder to those that are followed at the end.
func (f *finder) addLink(path, arg string) {
	st, err := os.Stat(path)
	target, _ := os.Readlink(path)
	switch {
	case err != nil && strings.Contains(filepath.ToSlash(target), ".git/annex/objects/"):
		f.problem(checkPointer(path, []byte("/annex/objects/")))
	case err != nil:
		f.skip(path, arg, "a link that leads to no file")
	case st.IsDir():
		f.skip(path, arg, "a link to a folder")
	case !st.Mode().IsRegular():
		f.skip(path, arg, "not a regular file")
	default:
		f.links = append(f.links, link{path, arg, f.parent, f.below, st})
	}
}

// realPath returns the absolute path of a file without links.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// addLinks adds the files that links lead to, but for those that are inputs already.
func (f *finder) addLinks() {
	if len(f.links) == 0 {
		return
	}
	real, folders := map[string]bool{}, map[string]string{}
	for _, in := range f.inputs {
		folder, name := filepath.Split(in.FilePath())
		if st, err := os.Stat(in.Arg); err != nil || !st.IsDir() { // the file may be a link itself
			if path, err := realPath(in.FilePath()); err == nil {
				folder, name = filepath.Split(path)
			}
		}
		path, ok := folders[folder]
		if !ok {
			path, _ = realPath(folder)
			folders[folder] = path
		}
		real[filepath.Join(path, name)] = true
	}
	f.o.inFolder = true
	for _, l := range f.links {
		path, err := realPath(l.path)
		switch {
		case err != nil:
			f.skip(l.path, l.arg, "a link that leads to no file")
		case real[path]:
			f.skip(l.path, l.arg, "a link to a file that is read anyway")
		default:
			real[path] = true
			n := len(f.inputs)
			f.parent, f.below = l.parent, l.below
			if f.addFound(l.path, l.arg, l.st); len(f.inputs) > n {
				f.inputs[n].link = path
			}
		}
	}
}

// shared returns the options of a file with such names of its own. Inputs with equal options share them.
func (f *finder) shared(n *naming) *Options {
	if f.last == nil || f.last.naming != n || f.last.inFolder != f.o.inFolder {
		o := f.o
		o.naming = n
		f.last = &o
	}
	return f.last
}

func (f *finder) skip(path, arg, reason string) {
	f.skipped = append(f.skipped, Skipped{Path: path, Arg: arg, Reason: reason})
}

// addFile adds one file after a look at its beginning.
func (f *finder) addFile(path, arg string, st fs.FileInfo) error {
	clean := filepath.Clean(path)
	if f.seen[clean] {
		return nil
	}
	f.seen[clean] = true
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read input: %w", err)
	}
	defer file.Close()
	if !st.Mode().IsRegular() {
		return fmt.Errorf("read input: %q is not a regular file: pipe it to standard input and name it %q", path, Stdin)
	}
	head := make([]byte, min(st.Size(), headLen))
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read input %q: %w", path, err)
	}
	if why := metadata(filepath.Base(path), head[:n]); why != "" && f.o.inFolder {
		if strings.Contains(why, "LLaMA") {
			why += absent(filepath.Dir(path))
		}
		return aside(why)
	}
	in := Input{Path: path, Name: clean, Arg: arg, Size: st.Size(), ModTime: st.ModTime()}
	if below, err := filepath.Rel(f.parent, clean); err == nil {
		in.Name = below
	}
	in.Name = filepath.ToSlash(in.Name)
	o := f.shared(f.infos.naming(path))
	if isParquet(head[:n]) {
		err = in.decideParquet(file, in.Size, o)
	} else {
		err = in.decide(head[:n], o)
	}
	var packed *archiveError
	if errors.As(err, &packed) {
		return f.addArchive(in, packed.kind)
	}
	if why := f.left(f.below); f.below != "" && why != "" {
		return aside(why) // its name is that of an archive
	}
	if err != nil {
		return err
	}
	f.inputs = append(f.inputs, in)
	return nil
}

// addStdin adds standard input. It waits for the first megabyte, or the end, to decide
// the format.
func (f *finder) addStdin(stdin io.Reader) error {
	if f.seen[Stdin] {
		return nil
	}
	f.seen[Stdin] = true
	r := bufio.NewReaderSize(stdin, headLen)
	head, err := r.Peek(headLen)
	if err == nil && isLZ4(head) {
		r = bufio.NewReaderSize(r, lz4Block)
		head, err = r.Peek(lz4Block)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read standard input: %w", err)
	}
	in := Input{Path: Stdin, Name: "stdin", Arg: Stdin, Size: -1, stdin: r}
	if err := in.decide(head, f.shared(nil)); err != nil {
		return err
	}
	f.inputs = append(f.inputs, in)
	return nil
}
