package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// TestMain lets a test start a process that appends until it is killed.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"appender": appender})
}

// appender appends to the log of its first argument with the key of the second, entries of
// one to three at a time, and prints the size after each append.
func appender() {
	signer, err := ReadKey(os.Args[2])
	for i := uint64(0); err == nil; i++ {
		var l *Log
		if l, err = Open(context.Background(), os.Args[1], signer); err != nil {
			break
		}
		err = l.Append(events(i, int(i%3)+1)...)
		fmt.Println(l.Size())
		err = errors.Join(err, l.Close())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

var noon = time.Date(2026, 11, 29, 12, 0, 0, 123456789, time.FixedZone("x", 3600))

// events returns entries that differ by a number.
func events(from uint64, n int) (all []Entry) {
	for i := range n {
		all = append(all, Entry{
			Type: AlertsDigest, Time: noon, Version: "v1.2.3",
			Counts:  map[string]uint64{"first": from + uint64(i), "finding": 3},
			Digests: map[string]string{"lines": strings.Repeat("0a", 32)},
		})
	}
	return all
}

// fixture is a new log, its key and its public key.
type fixture struct {
	dir, vkey, keyPath string
	signer             note.Signer
}

func newLog(tb testing.TB) fixture {
	tb.Helper()
	secret, vkey, err := NewKey("example.com/noecho")
	if err != nil {
		tb.Fatal(err)
	}
	f := fixture{dir: filepath.Join(tb.TempDir(), "log"), vkey: vkey}
	f.keyPath = f.dir + ".key"
	if err := os.WriteFile(f.keyPath, []byte(secret+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	if f.signer, err = ReadKey(f.keyPath); err != nil {
		tb.Fatal(err)
	}
	if err := Create(f.dir, f.signer, vkey); err != nil {
		tb.Fatal(err)
	}
	return f
}

func (f fixture) open(tb testing.TB) *Log {
	tb.Helper()
	l, err := Open(context.Background(), f.dir, f.signer)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func (f fixture) append(tb testing.TB, entries ...Entry) {
	tb.Helper()
	l := f.open(tb)
	if err := errors.Join(l.Append(entries...), l.Close()); err != nil {
		tb.Fatal(err)
	}
}

// sound fails unless Verify finds nothing wrong.
func (f fixture) sound(tb testing.TB, size int64) *Report {
	tb.Helper()
	r, err := Verify(f.dir, VerifyOptions{Key: f.vkey})
	if err != nil {
		tb.Fatal(err)
	}
	if len(r.Problems) > 0 || r.Size != size {
		tb.Fatalf("%d entries, want %d; %q", r.Size, size, r.Problems)
	}
	return r
}

// files returns the paths of all files of the log that readers read.
func (f fixture) files(tb testing.TB) (names []string) {
	tb.Helper()
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != lockFile && d.Name() != nextFile {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return names
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestLogGrows(t *testing.T) {
	t.Parallel()
	f := newLog(t)
	f.sound(t, 0)
	size := int64(0)
	for _, n := range []int{1, 2, 252, 1, 1, 1, 300, 1000, 65_536 - 1558, 1, 255, 1} {
		old := read(t, filepath.Join(f.dir, checkpointFile))
		f.append(t, events(uint64(size), n)...)
		size += int64(n)
		r, err := Verify(f.dir, VerifyOptions{Key: f.vkey, Since: old})
		if err != nil || len(r.Problems) > 0 || r.Size != size || r.Types[AlertsDigest] != size || len(r.Left) > 0 || !r.Pinned {
			t.Fatalf("after %d: %v, %+v", n, err, r)
		}
	}
	for _, want := range []string{"tile/2/000.p/1", "tile/1/000", "tile/1/001.p/1", "tile/0/256", "tile/0/257.p/1", "tile/entries/257.p/1"} {
		if _, err := os.Stat(filepath.Join(f.dir, want)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(f.dir, "tile/0/000.p")); err == nil {
		t.Error("narrow tiles are left beside the full one")
	}
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 5, 300} {
		f := newLog(t)
		for i := range 3 {
			f.append(t, events(uint64(i), min(size, 2))...)
		}
		f.append(t, events(9, size)...)
		total := int64(3*min(size, 2) + size)
		f.sound(t, total)
		for _, path := range f.files(t) {
			whole := read(t, path)
			step := 1 + len(whole)/60
			for i := 0; i < len(whole); i += step {
				broken := bytes.Clone(whole)
				broken[i] ^= 1 << (i % 8)
				if err := os.WriteFile(path, broken, 0o600); err != nil {
					t.Fatal(err)
				}
				name, _ := filepath.Rel(f.dir, path)
				o := VerifyOptions{Key: f.vkey}
				if name == keyFile { // a given key needs no file
					o.Key = ""
				}
				r, err := Verify(f.dir, o)
				switch {
				case name == keyFile && i == len(whole)-1: // the line feed
				case err != nil || len(r.Problems) == 0:
					t.Fatalf("%s, byte %d: not found (%v)", name, i, err)
				case !strings.Contains(strings.Join(r.Problems, "\n"), name):
					t.Fatalf("%s, byte %d: not named: %q", name, i, r.Problems)
				}
			}
			for n := range min(len(whole), 20) {
				if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
					t.Fatal(err)
				}
				if r, err := Verify(f.dir, VerifyOptions{Key: f.vkey}); filepath.Base(path) != keyFile && (err != nil || len(r.Problems) == 0) {
					t.Fatalf("%s cut to %d bytes: not found (%v)", path, n, err)
				}
			}
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f.sound(t, total)
		if err := os.Remove(filepath.Join(f.dir, checkpointFile)); err != nil {
			t.Fatal(err)
		}
		if r, err := Verify(f.dir, VerifyOptions{Key: f.vkey}); err != nil || len(r.Problems) != 1 {
			t.Errorf("no checkpoint: %v", err)
		}
	}
}

func TestEverySpellingOfASignatureIsFound(t *testing.T) {
	t.Parallel()
	f := newLog(t)
	path := filepath.Join(f.dir, checkpointFile)
	whole := read(t, path)
	i := bytes.LastIndexByte(whole, '=') - 1 // its lowest bits belong to no byte
	for c := byte('0'); c <= 'z'; c++ {
		broken := bytes.Clone(whole)
		broken[i] = c
		if c == whole[i] || os.WriteFile(path, broken, 0o600) != nil {
			continue
		}
		if r, err := Verify(f.dir, VerifyOptions{Key: f.vkey}); err != nil || len(r.Problems) == 0 {
			t.Errorf("%q for %q: not found", c, whole[i])
		}
	}
}

func TestCutAndRewrittenLogs(t *testing.T) {
	t.Parallel()
	f := newLog(t)
	f.append(t, events(0, 10)...)
	short := filepath.Join(t.TempDir(), "short")
	if err := os.CopyFS(short, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	f.append(t, events(10, 10)...)
	long := read(t, filepath.Join(f.dir, checkpointFile))
	old := fixture{dir: short, vkey: f.vkey, keyPath: f.keyPath, signer: f.signer}
	for _, tt := range []struct {
		more int
		want string
	}{{0, "was cut: it has 10 entries, and the older checkpoint says 20"}, {20, "was rewritten: its first 20 entries"}} {
		old.append(t, events(77, tt.more)...)
		old.sound(t, int64(10+tt.more))
		r, err := Verify(short, VerifyOptions{Key: f.vkey, Since: long})
		if err != nil || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], tt.want) {
			t.Errorf("%v, %q, want %q", err, r.Problems, tt.want)
		}
	}
}

func TestForeignKeys(t *testing.T) {
	t.Parallel()
	f, other := newLog(t), newLog(t)
	if r, err := Verify(f.dir, VerifyOptions{Key: other.vkey}); err != nil || len(r.Problems) == 0 {
		t.Errorf("verified with a foreign key: %v", err)
	}
	if _, err := Open(context.Background(), f.dir, other.signer); err == nil || !strings.Contains(err.Error(), "not the one of the audit log") {
		t.Errorf("opened with a foreign key: %v", err)
	}
	if err := Create(f.dir, f.signer, f.vkey); err == nil {
		t.Error("a log was made over another one")
	}
	if _, err := ReadKey(filepath.Join(f.dir, checkpointFile)); err == nil || strings.Contains(err.Error(), "—") {
		t.Errorf("read a key from a checkpoint: %v", err)
	}
}

func TestOneWriterAtATime(t *testing.T) {
	t.Parallel()
	f := newLog(t)
	l := f.open(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, f.dir, f.signer); !errors.Is(err, context.Canceled) {
		t.Fatalf("opened twice: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range uint64(4) {
		wg.Go(func() {
			for j := range uint64(10) {
				f.append(t, events(100*i+j, 1)...)
			}
		})
	}
	wg.Wait()
	f.sound(t, 40)
}

// TestKilledAppends kills a process that appends (SIGKILL) after a random number of appends and
// a random time. Every entry that it had reported is there, the log is whole, and the next
// append works. 200 times, as -tags slow does:
//
//	go test -tags slow -run TestKilledAppends -v ./audit
func TestKilledAppends(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("appender")
	if err != nil {
		t.Fatal(err)
	}
	f := newLog(t)
	r := rand.New(rand.NewPCG(12, 34))
	left := 0
	for range kills {
		cmd := exec.Command(program, f.dir, f.keyPath)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		reported, lines := int64(0), bufio.NewScanner(out)
		for i := 1 + r.IntN(8); i > 0 && lines.Scan(); i-- {
			reported, _ = strconv.ParseInt(lines.Text(), 10, 64)
		}
		// Only the moment of the kill is random; the test waits for the process.
		time.AfterFunc(time.Duration(r.IntN(20_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		for lines.Scan() {
			reported, _ = strconv.ParseInt(lines.Text(), 10, 64)
		}
		_ = cmd.Wait()
		report, err := Verify(f.dir, VerifyOptions{Key: f.vkey})
		if err != nil || len(report.Problems) > 0 || report.Size < reported {
			t.Fatalf("%v; %d entries, %d reported; %q", err, report.Size, reported, report.Problems)
		}
		left += min(1, len(report.Left))
		f.append(t, events(1, 1)...)
		if again := f.sound(t, report.Size+1); len(again.Left) > 0 {
			t.Fatalf("files are left: %q", again.Left)
		}
	}
	t.Logf("%d of %d kills left files of an append that did not end", left, kills)
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("needs /dev/full, a device of Linux without room")
	}
	f := newLog(t)
	f.append(t, events(0, 4)...)
	l := f.open(t)
	if err := os.Symlink("/dev/full", filepath.Join(f.dir, nextFile)); err != nil {
		t.Fatal(err)
	}
	err := l.Append(events(4, 1)...)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "keeps its 4 entries") {
		t.Fatalf("%v", err)
	}
	if again := l.Append(events(4, 1)...); !errors.Is(again, syscall.ENOSPC) {
		t.Errorf("an append after a failed one: %v", again)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f.sound(t, 4)
	f.append(t, events(4, 1)...)
	f.sound(t, 5)
}

// TestFullDiskAtEveryFile lets the disk be full at each of the files that an append writes, in
// logs whose append fills a tile or begins a level. The log stays as it was, the error names the
// disk and the entries, and the next append works.
func TestFullDiskAtEveryFile(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 4, 254, 600} {
		failed := 0
		for at := 0; ; at++ {
			f := newLog(t)
			f.append(t, events(0, size)...)
			l, files := f.open(t), 0
			l.full = func(string) error {
				if files++; files > at {
					return syscall.ENOSPC
				}
				return nil
			}
			err := l.Append(events(900, 3)...)
			if err == nil {
				_ = l.Close()
				f.sound(t, int64(size+3))
				break
			}
			failed++
			if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), fmt.Sprintf("keeps its %d entries", size)) {
				t.Fatalf("%d entries, file %d: %v", size, at, err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			f.sound(t, int64(size))
			f.append(t, events(900, 5)...)
			if r := f.sound(t, int64(size+5)); len(r.Left) > 0 {
				t.Fatalf("%d entries, file %d: left %q", size, at, r.Left)
			}
		}
		if least := 3; failed < least {
			t.Errorf("%d entries: the disk was full at %d files, want %d", size, failed, least)
		}
	}
}

// TestInterruptedAppendsAreRemoved leaves the files of appends that never got a checkpoint.
func TestInterruptedAppendsAreRemoved(t *testing.T) {
	t.Parallel()
	for _, lost := range []int{1, 3, 252, 253, 254, 600} {
		f := newLog(t)
		f.append(t, events(0, 3)...)
		before := map[string][]byte{}
		for _, path := range f.files(t) {
			before[path] = read(t, path)
		}
		f.append(t, events(3, lost)...)
		for path, b := range before {
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if r := f.sound(t, 3); len(r.Left) == 0 {
			t.Fatalf("%d: no file is left", lost)
		}
		f.append(t, events(900, 2)...)
		f.append(t, events(902, 600)...)
		if r := f.sound(t, 605); len(r.Left) > 0 {
			t.Errorf("%d: left %q", lost, r.Left)
		}
	}
	f := newLog(t)
	f.append(t, events(0, 3)...)
	checkpoint := read(t, filepath.Join(f.dir, checkpointFile))
	f.append(t, events(3, 1)...)
	f.append(t, events(4, 1)...)
	if err := os.WriteFile(filepath.Join(f.dir, checkpointFile), checkpoint, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), f.dir, f.signer); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "older than its tiles") {
		t.Errorf("an older checkpoint over two appends: %v", err)
	}
}

func TestProofs(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 255, 256, 257, 700} {
		f := newLog(t)
		f.append(t, events(0, size)...)
		key, err := NewVerifier(f.vkey)
		if err != nil {
			t.Fatal(err)
		}
		for number := int64(0); number < int64(size); number += max(1, int64(size)/13) {
			p, err := Prove(f.dir, number)
			if err != nil {
				t.Fatal(err)
			}
			text := p.Format()
			got, err := ParseProof(text)
			if err != nil {
				t.Fatal(err)
			}
			if c, _, err := got.Verify(key); err != nil || c.Tree.N != int64(size) || !bytes.Contains(got.Entry, fmt.Appendf(nil, `"first":%d}`, number)) {
				t.Fatalf("%d of %d: %v, %s", number, size, err, got.Entry)
			}
			got.Entry = append(bytes.Clone(got.Entry), ' ')
			if _, _, err := got.Verify(key); !errors.Is(err, ErrDamaged) {
				t.Fatalf("another entry: %v", err)
			}
		}
		if _, err := Prove(f.dir, int64(size)); err == nil {
			t.Error("proved an entry that the log does not have")
		}
	}
}

func FuzzParseProof(f *testing.F) {
	f.Add([]byte(proofHead + "\nextra e30=\nindex 0\n\nexample.com/noecho\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"))
	f.Add([]byte(proofHead + "\nextra \nindex 12\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProof(text)
		if err != nil {
			return
		}
		again, err := ParseProof(p.Format())
		if err != nil || again.Number != p.Number || !bytes.Equal(again.Entry, p.Entry) || !slices.Equal(again.Path, p.Path) || !bytes.Equal(again.Checkpoint, p.Checkpoint) {
			t.Errorf("%v: %+v, then %+v", err, p, again)
		}
	})
}

func FuzzSplitBundle(f *testing.F) {
	f.Add([]byte{0, 2, '{', '}', 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if records, err := splitBundle(b); err == nil && !bytes.Equal(joinBundle(nil, records), b) {
			t.Errorf("%q of %q", records, b)
		}
	})
}

// witness is one as C2SP tlog-witness describes it.
type witness struct {
	vkey string
	key  ed25519.PrivateKey
	log  note.Verifier
	last tlog.Tree
}

func newWitness(t *testing.T, f fixture) *witness {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	log, err := NewVerifier(f.vkey)
	if err != nil {
		t.Fatal(err)
	}
	raw := append([]byte{keyCosigner}, public...)
	return &witness{fmt.Sprintf("witness.example/w1+%08x+%s", keyHash("witness.example/w1", raw), base64.StdEncoding.EncodeToString(raw)), key, log, tlog.Tree{}}
}

// add answers one call of add-checkpoint.
func (w *witness) add(body []byte) (status int, answer []byte) {
	head, checkpoint, _ := strings.Cut(string(body), "\n\n")
	lines := strings.Split(head, "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	c, _, openErr := OpenCheckpoint([]byte(checkpoint), w.log)
	switch {
	case openErr != nil:
		return 403, nil
	case err != nil || old > c.Tree.N:
		return 400, nil
	case old != w.last.N:
		return 409, fmt.Appendf(nil, "%d\n", w.last.N)
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		h, _ := tlog.ParseHash(line)
		proof = append(proof, h)
	}
	if old == c.Tree.N && old > 0 && c.Tree.Hash != w.last.Hash || old > 0 && old < c.Tree.N && tlog.CheckTree(proof, c.Tree.N, c.Tree.Hash, old, w.last.Hash) != nil {
		return 422, nil
	}
	w.last = c.Tree
	text, _, _ := strings.Cut(checkpoint, "\n\n")
	sig := binary.BigEndian.AppendUint64(nil, 1_795_953_600)
	sig = append(sig, ed25519.Sign(w.key, []byte("cosignature/v1\ntime 1795953600\n"+text+"\n"))...)
	v, _ := NewVerifier(w.vkey)
	sig = append(binary.BigEndian.AppendUint32(nil, v.KeyHash()), sig...)
	return 200, []byte("— other.example/w AAAAAAAA\n— " + v.Name() + " " + base64.StdEncoding.EncodeToString(sig) + "\n")
}

func TestWitness(t *testing.T) {
	t.Parallel()
	f := newLog(t)
	w := newWitness(t, f)
	wanted := VerifyOptions{Key: f.vkey, Witnesses: []string{w.vkey}}
	sizes := []int{1, 5, 300}
	for i, n := range sizes {
		f.append(t, events(uint64(i), n)...)
		if r, err := Verify(f.dir, wanted); err != nil || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "witness.example/w1 has not signed") {
			t.Fatalf("before: %v, %+v", err, r)
		}
		l := f.open(t)
		for range 2 { // the second time the witness knows this size
			body, err := l.Request(w.last.N)
			if err != nil {
				t.Fatal(err)
			}
			status, answer := w.add(body)
			if status != 200 {
				t.Fatalf("status %d for %q", status, body)
			}
			sig, err := l.AddSignature(w.vkey, answer)
			if err != nil {
				t.Fatal(err)
			}
			if at, err := CosignedAt(sig); err != nil || at.Format(time.RFC3339) != "2026-11-29T12:00:00Z" {
				t.Errorf("signed at %v, %v", at, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := Verify(f.dir, wanted)
		if err != nil || len(r.Problems) > 0 || r.Cosigned["witness.example/w1"] != "2026-11-29T12:00:00Z" || r.Unknown != 0 {
			t.Fatalf("after: %v, %+v", err, r)
		}
	}
	path := filepath.Join(f.dir, checkpointFile)
	whole := read(t, path)
	for i := range whole { // the key of the witness is known from its file
		broken := bytes.Clone(whole)
		broken[i] ^= 4
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Verify(f.dir, wanted)
		if err != nil || len(r.Problems) == 0 {
			t.Fatalf("byte %d: not found (%v)", i, err)
		}
	}
}

func TestWitnessRefusesAFork(t *testing.T) {
	t.Parallel()
	f := newLog(t)
	w := newWitness(t, f)
	f.append(t, events(0, 4)...)
	fork := f
	fork.dir = filepath.Join(t.TempDir(), "fork")
	if err := os.CopyFS(fork.dir, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	ask := func(f fixture) int {
		l := f.open(t)
		defer l.Close()
		body, err := l.Request(w.last.N)
		if err != nil {
			if !strings.Contains(err.Error(), "was cut") {
				t.Error(err)
			}
			return 0
		}
		status, _ := w.add(body)
		return status
	}
	f.append(t, events(4, 3)...)
	if got := ask(f); got != 200 {
		t.Fatalf("status %d", got)
	}
	for i, want := range []int{0, 0, 0, 422, 422} { // at 4, 5, 6 entries; then at 7 and 8
		if got := ask(fork); got != want {
			t.Errorf("fork of %d entries: status %d, want %d", 4+i, got, want)
		}
		fork.append(t, events(70+uint64(i), 1)...)
	}
	f.append(t, events(7, 1)...)
	if got := ask(f); got != 200 {
		t.Errorf("status %d after the fork was refused", got)
	}
}

func TestVerifierKeys(t *testing.T) {
	t.Parallel()
	f := newLog(t)
	w := newWitness(t, f)
	pq := append([]byte{keyMLDSA}, make([]byte, 1312)...)
	for _, bad := range []string{
		"", "x", "a+b+c", f.vkey[1:], w.vkey[1:], strings.Replace(w.vkey, "+", "+0", 1),
		fmt.Sprintf("w+%08x+%s", keyHash("w", pq), base64.StdEncoding.EncodeToString(pq)),
	} {
		if _, err := NewVerifier(bad); err == nil {
			t.Errorf("%.40q was taken", bad)
		}
	}
}

func TestEntriesAreCanonical(t *testing.T) {
	t.Parallel()
	e := Entry{
		Type: IndexBuilt, Time: noon, ID: "01KBVXQZ2Q3M4N5P6Q7R8S9T0V", Version: "v1.2.3-4-gabc+dirty",
		Counts:  map[string]uint64{"words": 1 << 53, "bytes": 2},
		Digests: map[string]string{"build": strings.Repeat("0f", 32), "alpha": strings.Repeat("00", 8)},
		IDs:     map[string]string{"boot": "01KBVXQZ2Q3M4N5P6Q7R8S9T0V"},
		States:  map[string]string{"mode": "redact"},
	}
	got, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"counts":{"bytes":2,"words":9007199254740992},"digests":{"alpha":"0000000000000000","build":"` + strings.Repeat("0f", 32) +
		`"},"id":"01KBVXQZ2Q3M4N5P6Q7R8S9T0V","ids":{"boot":"01KBVXQZ2Q3M4N5P6Q7R8S9T0V"},"states":{"mode":"redact"},"time":"2026-11-29T11:00:00Z","type":"index.built","v":1,"version":"v1.2.3-4-gabc+dirty"}`
	if string(got) != want {
		t.Errorf("%s", got)
	}
	canonical := jsontext.Value(bytes.Clone(got))
	if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, got) {
		t.Errorf("%v: canonical is %s", err, canonical)
	}
}

// TestNoTextEnters checks that names of people and the like have no place in an entry.
func TestNoTextEnters(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Entry){
		"type":           func(e *Entry) { e.Type = "Jane Doe" },
		"digest":         func(e *Entry) { e.Digests = map[string]string{"x": "jane@example.com"} },
		"short digest":   func(e *Entry) { e.Digests = map[string]string{"x": "0f0f"} },
		"name of digest": func(e *Entry) { e.Digests = map[string]string{"jane@example.com": strings.Repeat("0f", 32)} },
		"id":             func(e *Entry) { e.ID = "jane" },
		"other id":       func(e *Entry) { e.IDs = map[string]string{"request": "+49 30 1234567"} },
		"state":          func(e *Entry) { e.States = map[string]string{"mode": "jane"} },
		"name of count":  func(e *Entry) { e.Counts = map[string]uint64{"Jane": 1} },
		"count":          func(e *Entry) { e.Counts = map[string]uint64{"x": 1<<53 + 1} },
		"version":        func(e *Entry) { e.Version = "Jane Doe" },
	} {
		e := events(0, 1)[0]
		change(&e)
		if b, err := e.Encode(); err == nil {
			t.Errorf("%s: %s", name, b)
		}
	}
	e := events(0, 1)[0]
	for i := range 2000 {
		e.Counts[fmt.Sprintf("%s%d", strings.Repeat("x", 27), i)] = maxCount
	}
	if _, err := e.Encode(); err == nil || !strings.Contains(err.Error(), "65535") {
		t.Errorf("an entry of more than 65,535 bytes: %v", err)
	}
}

func BenchmarkAppend(b *testing.B) {
	f := newLog(b)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		begun := time.Now()
		f.append(b, events(uint64(i), 1)...)
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
}
