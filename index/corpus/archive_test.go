package corpus

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// tarred returns a tar archive of members, given as name, text, name, text, …; a text of
// ->target is a link.
func tarred(t testing.TB, format tar.Format, members ...string) string {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i := 0; i < len(members); i += 2 {
		h := &tar.Header{Name: members[i], Size: int64(len(members[i+1])), Mode: 0o600, Format: format}
		if target, isLink := strings.CutPrefix(members[i+1], "->"); isLink {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, target, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, members[i+1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

const tenWords = "one two three four five six seven eight nine ten and more words"

// memberFiles are the members of the archives of these tests, in an order that is not that
// of their names.
func memberFiles(t testing.TB) []string {
	return []string{
		"z/train.jsonl", `{"messages":[{"role":"user","content":"x"}]}` + "\n" + `{"id":"b","messages":[{"role":"user","content":"y"}]}` + "\n",
		"a.csv", "prompt,completion\np,c\n",
		"b/array.json", `[{"instruction":"i","output":"o"}]`,
		"b/notes.txt", strings.Repeat(tenWords+"\n", 40_000),
		"b/wide.txt", "\xff\xfe" + wide(tenWords),
		"b/picture.png", "\x89PNG\r\n\x1a\n\x00",
		"b/latin.txt", "caf\xe9 " + tenWords,
		"b/.hidden/x.txt", tenWords,
		"README.md", "---\nlicense: mit\n---\n" + tenWords,
		"c.txt", tenWords,
	}
}

// allText returns the text of the inputs, by their names without the first folder.
func allText(t testing.TB, inputs []Input) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for i := range inputs {
		f, err := inputs[i].Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(inputs[i].Name, "/")
		texts[name+" "+inputs[i].Kind()] = string(text)
	}
	return texts
}

// archives returns each kind of archive of some members, by its name.
func archives(t testing.TB, members ...string) map[string]string {
	plain := tarred(t, tar.FormatPAX, members...)
	return map[string]string{
		"x.tar":     plain,
		"gnu.tar":   tarred(t, tar.FormatGNU, members...),
		"ustar.tar": tarred(t, tar.FormatUSTAR, members...),
		"x.tar.gz":  gzipped(t, plain),
		"x.tgz":     gzipped(t, plain[:1000], plain[1000:]),
		"x.tar.zst": zstandard(t, zstd.WithEncoderLevel(zstd.SpeedDefault), plain),
		"noname":    gzipped(t, plain),
		"x.zip":     zipped(t, zip.Deflate, members...),
		"store.zip": zipped(t, zip.Store, members...),
	}
}

// TestArchives reads the members of an archive as the files of a folder are read.
func TestArchives(t *testing.T) {
	t.Parallel()
	members, files := memberFiles(t), map[string]string{}
	for i := 0; i < len(members); i += 2 {
		files[members[i]] = members[i+1]
	}
	inputs, skipped, err := Find([]string{folder(t, files)}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := allText(t, inputs)
	if len(want) != 6 || len(skipped) != 4 {
		t.Fatalf("%d files, skipped %v", len(want), skipped)
	}
	for name, archive := range archives(t, members...) {
		dir := folder(t, map[string]string{name: archive})
		for _, arg := range []string{filepath.Join(dir, name), dir} {
			inputs, left, err := Find([]string{arg}, nil, Options{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if arg == dir {
				for i := range inputs {
					_, inputs[i].Name, _ = strings.Cut(inputs[i].Name, "/")
				}
			}
			got := allText(t, inputs)
			for member, text := range want {
				if got[member] != text {
					t.Errorf("%s: %s has %d bytes, want %d", name, member, len(got[member]), len(text))
				}
			}
			if len(got) != len(want) || len(left) != len(skipped) {
				t.Errorf("%s: %d members; skipped %v", name, len(got), left)
			}
			if in := inputs[0]; in.Path != filepath.Join(dir, name)+"/z/train.jsonl" || !strings.HasSuffix(in.Name, name+"/z/train.jsonl") && arg != dir {
				t.Errorf("%s: first %s, %s", name, in.Path, in.Name)
			}
			for _, s := range left {
				if lost := strings.HasSuffix(s.Path, "latin.txt"); lost != (s.Text > 0) {
					t.Errorf("%s: %+v", name, s)
				}
			}
		}
	}
}

// TestMembersInAnyOrder opens the members of a compressed tar several at a time and in any
// order.
func TestMembersInAnyOrder(t *testing.T) {
	t.Parallel()
	var members []string
	for i := range 40 {
		members = append(members, fmt.Sprintf("%02d.txt", i), strings.Repeat(fmt.Sprintf("%d %s\n", i, tenWords), 1+i%4*10_000))
	}
	dir := folder(t, map[string]string{"x.tgz": gzipped(t, tarred(t, tar.FormatUSTAR, members...))})
	inputs, _, err := Find([]string{dir}, nil, Options{})
	if err != nil || len(inputs) != 40 {
		t.Fatalf("%d inputs, %v", len(inputs), err)
	}
	var wg sync.WaitGroup
	numbers := make(chan int)
	for range 4 {
		wg.Go(func() {
			for i := range numbers {
				f, err := inputs[i].Open()
				if err != nil {
					t.Error(err)
					continue
				}
				text, err := io.ReadAll(f)
				if err != nil || string(text) != members[2*i+1] {
					t.Errorf("member %d: %d bytes, %v", i, len(text), err)
				}
				f.Close()
			}
		})
	}
	for _, i := range append(rand.New(rand.NewPCG(1, 2)).Perm(40), 0, 1, 2, 3) {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
}

// TestMemberNames shows names that lead elsewhere, or that a terminal would obey, as plain
// names below the archive.
func TestMemberNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"../../etc/passwd": "etc/passwd", "/etc/passwd": "etc/passwd", "a/../../b": "b", "./a": "a", "a//b": "a/b",
		"a\x1b[31m\nb": "a\uFFFD[31m\uFFFDb", "\xff": "\uFFFD", "a/\u202Eb": "a/\uFFFDb", "..": "", "": "",
		strings.Repeat("x", 2000) + ".txt": "…" + strings.Repeat("x", 1020) + ".txt",
	} {
		if got := memberName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	secret := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(secret, []byte("a secret text"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := folder(t, map[string]string{"x.tar": tarred(t, tar.FormatPAX, secret, tenWords, "../"+secret, tenWords, "link.txt", "->"+secret, "up.txt", "->../x")})
	inputs, skipped, err := Find([]string{dir}, nil, Options{})
	if err != nil || len(inputs) != 2 || len(skipped) != 2 {
		t.Fatalf("%v, %v, %v", inputs, skipped, err)
	}
	for _, text := range allText(t, inputs) {
		if text != tenWords {
			t.Errorf("read %q", text)
		}
	}
	for _, s := range skipped {
		if s.Reason != "a link in an archive" || s.Text != 0 {
			t.Errorf("skipped %+v", s)
		}
	}
}

// TestSkippedMembers names skipped members one by one up to a bound, and then by their
// extension.
func TestSkippedMembers(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][]string{
		2:   {"x.tar/000.png", "x.tar/001.png", "x.tar/inner.tar", "x.tar/z.parquet"},
		500: {"x.tar/*.parquet (1 files)", "x.tar/*.png (500 files)", "x.tar/*.tar (1 files)"},
	} {
		members := []string{"t.txt", tenWords, "inner.tar", tarred(t, tar.FormatUSTAR, "a.txt", tenWords), "z.parquet", "PAR1 and no more"}
		for i := range n {
			members = append(members, fmt.Sprintf("%03d.png", i), "\x89PNG\x00")
		}
		dir := folder(t, map[string]string{"x.tar": tarred(t, tar.FormatUSTAR, members...)})
		inputs, skipped, err := Find([]string{filepath.Join(dir, "x.tar")}, nil, Options{})
		var names []string
		files, text := 0, int64(0)
		for _, s := range skipped {
			names = append(names, strings.TrimPrefix(s.Path, dir+"/"))
			files, text = files+s.Files, text+s.Text
		}
		slices.Sort(names)
		// The Parquet is damaged, which only a build finds out.
		if err != nil || len(inputs) != 2 || files != n+1 || text != 2048 {
			t.Errorf("%d: %d inputs, %d files with %d bytes skipped, %v", n, len(inputs), files, text, err)
		}
		want = slices.DeleteFunc(want, func(s string) bool { return strings.Contains(s, "parquet") })
		if !slices.Equal(names, want) {
			t.Errorf("skipped %q, want %q", names, want)
		}
	}
}

// TestMemberPatterns applies patterns to paths in the archive and below the folder.
func TestMemberPatterns(t *testing.T) {
	t.Parallel()
	members := []string{"train/a.txt", tenWords, "train/b.md", tenWords, "test/a.txt", tenWords}
	dir := folder(t, map[string]string{"x.tar": tarred(t, tar.FormatUSTAR, members...), "y/z.zip": zipped(t, zip.Deflate, members...), "notes.txt": tenWords, "w.tar": tenWords})
	for _, c := range []struct {
		include, exclude string
		arg              string
		want             string
	}{
		{"*.md", "", "", "x.tar/train/b.md y/z.zip/train/b.md"},
		{"train/*.txt", "", "", "x.tar/train/a.txt y/z.zip/train/a.txt"},
		{"y/z.zip/test/**", "", "", "y/z.zip/test/a.txt"},
		{"x.tar", "*.md", "", "x.tar/test/a.txt x.tar/train/a.txt"},
		{"", "*.tar", "", "notes.txt y/z.zip/test/a.txt y/z.zip/train/a.txt y/z.zip/train/b.md"},
		{"", "train", "x.tar", "x.tar/test/a.txt"},
	} {
		o := Options{}
		if c.include != "" {
			o.IncludePath = []string{c.include}
		}
		if c.exclude != "" {
			o.ExcludePath = []string{c.exclude}
		}
		inputs, _, err := Find([]string{filepath.Join(dir, c.arg)}, nil, o)
		var names []string
		for _, in := range inputs {
			names = append(names, strings.TrimPrefix(in.Path, dir+"/"))
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); err != nil || got != c.want {
			t.Errorf("include %s, exclude %s: %s, want %s; %v", c.include, c.exclude, got, c.want, err)
		}
	}
}

// edited returns a zip archive after a change of its bytes.
func edited(z string, edit func(b []byte)) string {
	b := []byte(z)
	edit(b)
	return string(b)
}

// directoryOf returns the entries of the directory of a zip archive, as they are in it.
func directoryOf(b []byte) (entries [][]byte) {
	for {
		at := bytes.Index(b, []byte("PK\x01\x02"))
		if at < 0 {
			return entries
		}
		b = b[at:]
		entries = append(entries, b)
		b = b[4:]
	}
}

// TestHostileArchives refuses archives that lie about their members.
func TestHostileArchives(t *testing.T) {
	t.Parallel()
	two := zipped(t, zip.Deflate, "a.txt", tenWords, "b.txt", tenWords)
	whole := tarred(t, tar.FormatUSTAR, "a.txt", tenWords)
	for name, c := range map[string]struct{ file, want string }{
		"overlap": {edited(two, func(b []byte) {
			copy(directoryOf(b)[1][42:46], directoryOf(b)[0][42:46]) // the offset
		}), "its members overlap"},
		"long":   {edited(two, func(b []byte) { binary.LittleEndian.PutUint32(directoryOf(b)[0][20:], 1<<30) }), "the file ends too early"},
		"bomb":   {edited(two, func(b []byte) { binary.LittleEndian.PutUint32(directoryOf(b)[0][24:], 1<<30) }), "more than 256 times its size"},
		"no end": {strings.TrimRight(whole, "\x00") + strings.Repeat("\x00", 512), "the file ends too early"},
		"two":    {whole + whole, "more behind the end of the archive"},
		"pieces": {gzipped(t, whole) + gzipped(t, whole), "more behind the end of the archive"},
	} {
		path := filepath.Join(folder(t, map[string]string{"x": c.file}), "x")
		_, _, err := Find([]string{path}, nil, Options{})
		var damaged *DamagedError
		if !errors.As(err, &damaged) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if _, skipped, err := Find([]string{filepath.Dir(path)}, nil, Options{}); err != nil || len(skipped) != 1 || skipped[0].Text != int64(len(c.file)) {
			t.Errorf("%s in a folder: %v, %v", name, skipped, err)
		}
	}
	for name, c := range map[string]struct{ file, want string }{
		"encrypted": {edited(two, func(b []byte) { directoryOf(b)[0][8] |= 1 }), "encrypted: unpack the archive with its password"},
		"method":    {edited(two, func(b []byte) { directoryOf(b)[0][10] = 9 }), "compressed by method 9"},
		"inside":    {zipped(t, zip.Deflate, "a.txt", gzipped(t, tenWords), "b.txt", tenWords), "compressed twice: unpack the archive"},
	} {
		inputs, skipped, err := Find([]string{folder(t, map[string]string{"x": c.file})}, nil, Options{})
		if err != nil || len(inputs) != 1 || len(skipped) != 1 || skipped[0].Text == 0 || !strings.Contains(skipped[0].Reason, c.want) {
			t.Errorf("%s: %v, %+v, %v", name, inputs, skipped, err)
		}
	}
	for name, file := range map[string]string{
		"checksum": edited(two, func(b []byte) { directoryOf(b)[0][16]++ }),
		"shorter":  edited(two, func(b []byte) { directoryOf(b)[0][24]++ }),
		"longer":   edited(two, func(b []byte) { directoryOf(b)[0][24]-- }),
	} {
		inputs, skipped, err := Find([]string{folder(t, map[string]string{"x": file})}, nil, Options{})
		if err != nil || len(inputs) != 1 || len(skipped) != 1 || skipped[0].Text == 0 || !strings.HasPrefix(skipped[0].Reason, "zip: the member is damaged: its ") {
			t.Errorf("%s: %v, %+v, %v", name, inputs, skipped, err)
		}
	}
}

// TestDamagedLongMember finds the damage of a member that is longer than what decides its
// format.
func TestDamagedLongMember(t *testing.T) {
	t.Parallel()
	file := edited(zipped(t, zip.Deflate, "a.txt", strings.Repeat(tenWords+"\n", 40_000)), func(b []byte) { directoryOf(b)[0][16]++ })
	inputs, _, err := Find([]string{folder(t, map[string]string{"x": file})}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := inputs[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = io.ReadAll(f)
	var damaged *DamagedError
	if !errors.As(err, &damaged) || !strings.HasSuffix(err.Error(), "x/a.txt: zip: the member is damaged: its checksum is wrong") {
		t.Errorf("%v", err)
	}
}

// bomb returns a text of about n MiB, compressed by gzip a thousand times.
func bomb(t testing.TB, n int) string {
	t.Helper()
	return strings.Repeat(gzipped(t, strings.Repeat("a b\n", 1<<18)), n)
}

// TestArchiveBombs ends reading where a file is decompressed to much more than its size.
func TestArchiveBombs(t *testing.T) {
	t.Parallel()
	const mib = inflatedFloor>>20 + 8
	long := tarred(t, tar.FormatUSTAR, "a.txt", "")
	long = strings.TrimRight(long, "\x00")
	header := []byte(long + strings.Repeat("\x00", 512-len(long)%512))
	copy(header[124:136], fmt.Sprintf("%011o\x00", mib<<20))
	sum := 8 * int(' ')
	for i, c := range header[:512] {
		if i < 148 || i >= 156 {
			sum += int(c)
		}
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
	dir := folder(t, map[string]string{
		"a.txt.gz":   bomb(t, mib),
		"b.tar.gz":   gzipped(t, string(header[:512])) + bomb(t, mib),
		"c.jsonl.gz": gzipped(t, "{\"text\":\"x\"}\n") + bomb(t, mib),
	})
	for _, name := range []string{"a.txt.gz", "b.tar.gz", "c.jsonl.gz"} {
		path := filepath.Join(dir, name)
		inputs, _, err := Find([]string{path}, nil, Options{})
		for i := range inputs {
			var f *File
			if f, err = inputs[i].Open(); err != nil {
				break
			}
			if _, err = io.Copy(io.Discard, f); err == nil {
				t.Errorf("%s is read", name)
			}
			f.Close()
		}
		var damaged *DamagedError
		if !errors.As(err, &damaged) || !strings.Contains(err.Error(), name+": gzip: it is decompressed to more than 256 times its size and 256 MiB") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManyMembers reads an archive with pictures and texts, each of them short.
func TestManyMembers(t *testing.T) {
	t.Parallel()
	var members []string
	for i := range 2_000 {
		members = append(members, fmt.Sprintf("%05d.jpg", i), "\xff\xd8\xff\xe0\x00", fmt.Sprintf("%05d.txt", i), fmt.Sprintf("%d %s", i, tenWords), fmt.Sprintf("%05d.json", i), fmt.Sprintf(`{"text":"%d %s"}`, i, tenWords))
	}
	for _, file := range []string{tarred(t, tar.FormatPAX, members...), zipped(t, zip.Deflate, members...)} {
		inputs, skipped, err := Find([]string{folder(t, map[string]string{"x": file})}, nil, Options{})
		if err != nil || len(inputs) != 4_000 || len(skipped) != 1 || skipped[0].Files != 2_000 || !strings.HasSuffix(skipped[0].Path, "x/*.jpg (2000 files)") {
			t.Fatalf("%d inputs, skipped %v, %v", len(inputs), skipped, err)
		}
	}
}

// TestPipedArchive refuses an archive from a pipe, with the way to read it.
func TestPipedArchive(t *testing.T) {
	t.Parallel()
	for _, archive := range archives(t, "a.txt", tenWords) {
		if _, _, err := Find([]string{Stdin}, strings.NewReader(archive), Options{}); err == nil || !strings.Contains(err.Error(), "unpack it") {
			t.Errorf("%v", err)
		}
	}
}

// TestArchivesCutShort cuts archives at every byte: no cut archive is read as a shorter
// whole one.
func TestArchivesCutShort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, whole := range archives(t, "a.txt", tenWords, "b.txt", tenWords) {
		path := filepath.Join(dir, name)
		for cut := 520; cut < len(strings.TrimRight(whole, "\x00")); cut += 7 {
			if err := os.WriteFile(path, []byte(whole[:cut]), 0o600); err != nil {
				t.Fatal(err)
			}
			inputs, _, err := Find([]string{path}, nil, Options{})
			for i := range inputs {
				var f *File
				if f, err = inputs[i].Open(); err != nil {
					break
				}
				if _, err = io.ReadAll(f); err != nil {
					break
				}
			}
			if err == nil {
				t.Fatalf("%s cut at %d of %d: %d inputs", name, cut, len(whole), len(inputs))
			}
		}
	}
}

// readAny reads all members of any archive, each up to a bound.
func readAny(t *testing.T, file []byte) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	inputs, skipped, err := Find([]string{path}, nil, Options{})
	if err != nil && strings.Contains(err.Error(), "\x1b") {
		t.Fatalf("%q", err)
	}
	for _, s := range skipped {
		if strings.ContainsAny(s.Path, "\x1b\n") {
			t.Fatalf("%q", s.Path)
		}
	}
	for i := range inputs {
		if f, err := inputs[i].Open(); err == nil {
			_, _ = io.CopyN(io.Discard, f, 1<<20)
			f.Close()
		}
	}
}

// FuzzTar reads any tar archive: members, or an error.
func FuzzTar(f *testing.F) {
	for _, format := range []tar.Format{tar.FormatPAX, tar.FormatGNU, tar.FormatUSTAR} {
		f.Add([]byte(tarred(f, format, "a.jsonl", `{"text":"a"}`, "../b.txt", tenWords, "c", "->d")))
	}
	f.Add([]byte(gzipped(f, tarred(f, tar.FormatPAX, strings.Repeat("x", 300), tenWords, "b", "x"))))
	f.Fuzz(func(t *testing.T, file []byte) { readAny(t, file) })
}

// FuzzZip reads any zip archive: members, or an error.
func FuzzZip(f *testing.F) {
	f.Add([]byte(zipped(f, zip.Deflate, "a.jsonl", `{"text":"a"}`, "../b.txt", tenWords)))
	f.Add([]byte(zipped(f, zip.Store, "a.txt", tenWords, "b.gz", gzipped(f, tenWords))))
	f.Fuzz(func(t *testing.T, file []byte) { readAny(t, file) })
}

// TestZipDirectory: a directory that is longer than its limit is not read on, and the
// error says so; a limit that it keeps changes nothing.
func TestZipDirectory(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i := range 1000 {
		if _, err := w.Create(fmt.Sprintf("member-%d.txt", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := bytes.NewReader(buf.Bytes())
	for _, tt := range []struct {
		limit int64
		want  error
	}{{1 << 10, errDirectory}, {32 << 10, errDirectory}, {mostDirectory, nil}} {
		if _, err := zip.NewReader(&directory{r: file, left: tt.limit}, file.Size()); !errors.Is(err, tt.want) {
			t.Errorf("limit of %d bytes: %v, want %v", tt.limit, err, tt.want)
		}
	}
}
