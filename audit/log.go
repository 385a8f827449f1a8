package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// How an append survives a crash.
//
// The checkpoint is the last file that an append writes, and by a rename. Until then readers
// see the old tree, whose files the append does not touch; afterwards they see the new one,
// whose files are all on disk. Files of a tree that never got its checkpoint are removed when
// the log is opened next.

// Create makes the folder of an empty log and signs its checkpoint.
func Create(dir string, signer note.Signer, vkey string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the audit log: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, checkpointFile)); err == nil {
		return fmt.Errorf("%s has an audit log already: choose another folder", dir)
	}
	l := &Log{dir: dir, signer: signer}
	root, err := tlog.TreeHash(0, nil)
	if err != nil {
		return err
	}
	if err := l.write(keyFile, []byte(vkey+"\n")); err != nil {
		return err
	}
	return l.publish(tlog.Tree{Hash: root})
}

// Log is a log that is open for writing. Only one process at a time can have it open. Not
// safe for concurrent use.
type Log struct {
	dir    string
	signer note.Signer
	lock   *os.File
	tree   tlog.Tree
	hashes tlog.HashReader         // of the tree, each checked against its root
	failed error                   // of an append: the log must be opened again
	full   func(name string) error // of tests: the disk is full before this file is on it; nil: it never is
}

// lockPause is the time between two attempts to open a log that another process has open.
const lockPause = 10 * time.Millisecond

// Lock opens a file, which need not exist, and locks it for this process. It waits until no
// other process has it locked, or until ctx ends. Closing the file ends the lock.
func Lock(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		got, err := tryLock(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		if got {
			return f, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("another process writes: %w", ctx.Err()), f.Close())
		case <-time.After(lockPause):
		}
	}
}

// Open opens a log to append to it. It waits until no other process has it open, or until
// ctx ends. A log that was changed is refused; that error matches [ErrDamaged].
func Open(ctx context.Context, dir string, signer note.Signer) (*Log, error) {
	if _, err := os.Stat(filepath.Join(dir, checkpointFile)); err != nil {
		return nil, fmt.Errorf("open the audit log: %w: make it with noecho audit init", err)
	}
	f, err := Lock(ctx, filepath.Join(dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("open the audit log %s: %w", dir, err)
	}
	l := &Log{dir: dir, signer: signer, lock: f}
	if err := l.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// load reads the checkpoint and removes what an interrupted append left.
func (l *Log) load() error {
	vkey, err := readFile(l.dir, keyFile)
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil || verifier.Name() != l.signer.Name() || verifier.KeyHash() != l.signer.KeyHash() {
		return fmt.Errorf("the key is not the one of the audit log %s: name the file that noecho audit init wrote with it", l.dir)
	}
	text, err := readFile(l.dir, checkpointFile)
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	c, _, err := OpenCheckpoint(text, verifier)
	if err != nil {
		return err
	}
	l.tree = c.Tree
	l.hashes = tlog.TileHashReader(c.Tree, tilesOf(l.dir))
	if l.tree.N > 0 { // reads the tiles that the next entry is hashed with
		root, err := tlog.TreeHash(l.tree.N, l.hashes)
		if err != nil || root != l.tree.Hash {
			return fmt.Errorf("%w: noecho audit verify names the file: %w", ErrDamaged, err)
		}
	}
	return l.clean()
}

// clean removes the files that an interrupted append left behind the end of the tree. An
// append writes the tiles of a level in ascending order, so these follow one another.
func (l *Log) clean() error {
	for level := dataLevel; ; level++ {
		count := l.tree.N
		if level > 0 {
			count >>= tileHeight * level
		}
		t := tlog.Tile{H: tileHeight, L: level, N: count / tileWidth, W: tileWidth}
		folder := filepath.Dir(filepath.Join(l.dir, filepath.FromSlash(tilePath(tlog.Tile{H: tileHeight, L: level, W: tileWidth}))))
		if _, err := os.Stat(folder); err != nil {
			return nil // no level above has a tile either
		}
		var left []string
		narrow := 0
		for keep := int(count % tileWidth); ; t.N, keep = t.N+1, 0 {
			full := filepath.Join(l.dir, filepath.FromSlash(tilePath(t)))
			parts, _ := os.ReadDir(full + ".p")
			for _, p := range parts {
				if w, err := strconv.Atoi(p.Name()); err != nil || w > keep {
					left = append(left, filepath.Join(full+".p", p.Name()))
					narrow++
				}
			}
			if _, err := os.Stat(full); err != nil {
				break
			}
			left = append(left, full)
		}
		if narrow > 1 { // an append that was interrupted wrote one
			return fmt.Errorf("%w: its checkpoint is older than its tiles: put the newest checkpoint back", ErrDamaged)
		}
		slices.Reverse(left) // the last first, so that the rest still follow one another
		for _, name := range left {
			if err := os.Remove(name); err != nil {
				return fmt.Errorf("remove the files of an interrupted append: %w", err)
			}
		}
	}
}

// Size returns the number of entries.
func (l *Log) Size() int64 { return l.tree.N }

// Close lets another process open the log.
func (l *Log) Close() error { return l.lock.Close() }

// Append adds entries and signs the new root. When it returns, they are on disk. After an
// error the log has all of them or none; open it again to go on.
func (l *Log) Append(entries ...Entry) error {
	if l.failed != nil {
		return l.failed
	}
	var records [][]byte
	for _, e := range entries {
		b, err := e.Encode()
		if err != nil {
			return err
		}
		records = append(records, b)
	}
	if len(records) == 0 {
		return nil
	}
	if err := l.append(records); err != nil {
		l.failed = fmt.Errorf("append to the audit log %s, which keeps its %d entries: %w", l.dir, l.tree.N, err)
	}
	return l.failed
}

func (l *Log) append(records [][]byte) error {
	size := l.tree.N
	news := map[int64]tlog.Hash{}
	known := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out, old, at := make([]tlog.Hash, len(indexes)), []int64{}, []int{}
		for i, x := range indexes {
			if h, ok := news[x]; ok {
				out[i] = h
				continue
			}
			old, at = append(old, x), append(at, i)
		}
		if len(old) == 0 {
			return out, nil
		}
		found, err := l.hashes.ReadHashes(old)
		for i := range found {
			out[at[i]] = found[i]
		}
		return out, err
	})
	for _, r := range records {
		first := tlog.StoredHashIndex(0, size)
		more, err := tlog.StoredHashes(size, r, known)
		if err != nil {
			return err
		}
		for i, h := range more {
			news[first+int64(i)] = h
		}
		size++
	}
	if err := l.writeTiles(records, size, known); err != nil {
		return err
	}
	root, err := tlog.TreeHash(size, known)
	if err != nil {
		return err
	}
	old := l.tree.N
	if err := l.publish(tlog.Tree{N: size, Hash: root}); err != nil {
		return err
	}
	l.hashes = tlog.TileHashReader(l.tree, tilesOf(l.dir))
	l.dropNarrow(old)
	return nil
}

// writeTiles writes the tiles that a tree of this size has and the present one has not.
func (l *Log) writeTiles(records [][]byte, size int64, known tlog.HashReader) error {
	folders := map[string]bool{}
	first := l.tree.N // number of records[0]
	for _, t := range tlog.NewTiles(tileHeight, l.tree.N, size) {
		data, err := tlog.ReadTileData(t, known)
		if err != nil {
			return err
		}
		if t.L == 0 {
			entries := t
			entries.L = dataLevel
			bundle, from := []byte(nil), t.N*tileWidth
			if from < first {
				narrow := tlog.Tile{H: tileHeight, L: dataLevel, N: t.N, W: int(first - from)}
				if bundle, err = tilesOf(l.dir).read(narrow); err != nil {
					return err
				}
				from = first
			}
			bundle = joinBundle(bundle, records[from-first:t.N*tileWidth+int64(t.W)-first])
			if err := l.write(tilePath(entries), bundle); err != nil {
				return err
			}
			folders[filepath.Dir(tilePath(entries))] = true
		}
		if err := l.write(tilePath(t), data); err != nil {
			return err
		}
		folders[filepath.Dir(tilePath(t))] = true
	}
	for folder := range folders {
		if err := syncFolder(filepath.Join(l.dir, folder)); err != nil {
			return err
		}
	}
	return nil
}

// publish signs a tree and makes it the one of the log.
func (l *Log) publish(tree tlog.Tree) error {
	text, err := note.Sign(&note.Note{Text: formatCheckpoint(l.signer.Name(), tree)}, l.signer)
	if err != nil {
		return err
	}
	if err := l.write(checkpointFile, text); err != nil {
		return err
	}
	l.tree = tree
	return syncFolder(l.dir)
}

// dropNarrow removes the narrow tiles that full ones have replaced since the log had the size
// old. An error leaves files that no reader needs.
func (l *Log) dropNarrow(old int64) {
	for _, t := range tlog.NewTiles(tileHeight, old, l.tree.N) {
		if t.W < tileWidth {
			continue
		}
		_ = os.RemoveAll(filepath.Join(l.dir, filepath.FromSlash(tilePath(t))) + ".p")
		if t.L == 0 {
			t.L = dataLevel
			_ = os.RemoveAll(filepath.Join(l.dir, filepath.FromSlash(tilePath(t))) + ".p")
		}
	}
}

// write writes a file under another name, makes its bytes durable and gives it its name. The
// caller syncs its folder.
func (l *Log) write(name string, data []byte) error {
	path, next := filepath.Join(l.dir, filepath.FromSlash(name)), filepath.Join(l.dir, nextFile)
	if err := makeFolders(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && l.full != nil {
		err = l.full(name)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return os.Rename(next, path)
}

// makeFolders makes a folder and those above it, and makes their names durable.
func makeFolders(dir string) error {
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeFolders(filepath.Dir(dir)); err == nil {
			err = os.Mkdir(dir, 0o755)
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	return syncFolder(filepath.Dir(dir))
}
