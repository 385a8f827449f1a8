// Package audit keeps a log that shows every later change of its entries: a Merkle tree in
// a folder, whose root is signed. An outsider who kept one signed root can tell whether the
// log was cut or rewritten since.
//
// The folder has the layout of C2SP tlog-tiles, so that other programs can read it and any
// web server can publish it:
//
//	checkpoint            size and root of the tree, signed (C2SP tlog-checkpoint)
//	tile/0/000.p/5        hashes of the entries, 256 a file; here the first 5
//	tile/1/000            hashes of full tiles below, and so on upwards
//	tile/entries/000.p/5  the entries themselves
//	log.vkey              public key of the log, for readers that were given none
//	witnesses.vkey        public keys of witnesses that signed, one a line
//	lock, next            of the writer
//
// A file is never changed, except for checkpoint: a larger tree has new files, and files of
// fewer than 256 hashes go when the full one is there.
//
// The package knows entries, trees, keys and files. It knows neither where entries come
// from, nor alerts, nor the network: the caller carries a request to a witness.
package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The files of a log besides its tiles.
const (
	checkpointFile = "checkpoint"
	keyFile        = "log.vkey"
	witnessFile    = "witnesses.vkey"
	lockFile       = "lock"
	nextFile       = "next" // a file that is being written, before it gets its name
)

const (
	tileHeight = 8 // levels of the tree that one tile spans
	tileWidth  = 1 << tileHeight
	dataLevel  = -1 // the level of entries, as package tlog numbers it
)

// ErrDamaged matches every error about a log that is not as it was written.
var ErrDamaged = errors.New("the audit log is damaged")

// Checkpoint is a signed statement about a log: how many entries it has, and their root.
type Checkpoint struct {
	Origin string // name of the log
	Tree   tlog.Tree
	Text   []byte // as signed, signatures included
}

// parseCheckpoint reads the three lines that a checkpoint begins with. It checks no
// signature.
func parseCheckpoint(text string) (origin string, tree tlog.Tree, err error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) != 4 || lines[0] == "" || lines[3] != "" {
		return "", tree, errors.New("a checkpoint has three lines: name, size and root")
	}
	tree.N, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil || tree.N < 0 || strconv.FormatInt(tree.N, 10) != lines[1] {
		return "", tree, fmt.Errorf("%q is not the size of a log", lines[1])
	}
	if tree.Hash, err = tlog.ParseHash(lines[2]); err != nil {
		return "", tree, errors.New("the third line is not a root")
	}
	return lines[0], tree, nil
}

func formatCheckpoint(origin string, tree tlog.Tree) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, tree.N, tree.Hash)
}

// OpenCheckpoint checks that a checkpoint carries the signature of the log with this key, and
// that none of the signatures by given witnesses is wrong. It returns the signatures that it
// verified. An error matches [ErrDamaged].
func OpenCheckpoint(text []byte, log note.Verifier, witnesses ...note.Verifier) (Checkpoint, []note.Signature, error) {
	bad := func(format string, args ...any) (Checkpoint, []note.Signature, error) {
		return Checkpoint{}, nil, fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
	}
	n, err := note.Open(text, note.VerifierList(append([]note.Verifier{log}, witnesses...)...))
	if err != nil {
		return bad("checkpoint: no valid signature of %s with this key: %w", log.Name(), err)
	}
	signed := false
	for _, sig := range n.Sigs {
		signed = signed || sig.Name == log.Name() && sig.Hash == log.KeyHash()
	}
	if !signed {
		return bad("checkpoint: the signature of %s with this key is missing", log.Name())
	}
	// Base64 has several spellings of the same bytes; only one was written.
	if again, err := note.Sign(&note.Note{Text: n.Text, Sigs: n.Sigs, UnverifiedSigs: n.UnverifiedSigs}); err != nil || !sameSignatures(text, again, n) {
		return bad("checkpoint: a signature is not written as it was")
	}
	origin, tree, err := parseCheckpoint(n.Text)
	if err != nil {
		return bad("checkpoint: %w", err)
	}
	if origin != log.Name() {
		return bad("checkpoint: it is of the log %q, and the key is of %q", origin, log.Name())
	}
	return Checkpoint{Origin: origin, Tree: tree, Text: text}, n.Sigs, nil
}

// readFile reads a file of the log by its slash path.
func readFile(dir, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
}

// tilePath returns the path of a tile: the one of package tlog, without the height and
// with the word that tlog-tiles has for entries.
func tilePath(t tlog.Tile) string {
	rest := strings.TrimPrefix(t.Path(), "tile/8/")
	if after, ok := strings.CutPrefix(rest, "data/"); ok {
		rest = "entries/" + after
	}
	return "tile/" + rest
}

// tilesOf are the tiles of one log, read from its folder.
type tilesOf string

// Height implements [tlog.TileReader].
func (d tilesOf) Height() int { return tileHeight }

// SaveTiles implements [tlog.TileReader].
func (d tilesOf) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles implements [tlog.TileReader].
func (d tilesOf) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		b, err := d.read(t)
		if err != nil {
			return nil, err
		}
		if len(b) != t.W*tlog.HashSize {
			return nil, fmt.Errorf("%w: %s has %d bytes, not %d", ErrDamaged, tilePath(t), len(b), t.W*tlog.HashSize)
		}
		all = append(all, b)
	}
	return all, nil
}

// read returns a tile or its beginning: if the file of a narrow tile is gone, the full one
// has its hashes.
func (d tilesOf) read(t tlog.Tile) ([]byte, error) {
	b, err := readFile(string(d), tilePath(t))
	if err == nil || t.W == tileWidth || !errors.Is(err, fs.ErrNotExist) {
		return b, missing(err)
	}
	full := t
	full.W = tileWidth
	b, fullErr := readFile(string(d), tilePath(full))
	switch {
	case fullErr != nil:
		return nil, missing(err)
	case t.L != dataLevel:
		return b[:min(len(b), t.W*tlog.HashSize)], nil
	}
	records, err := splitBundle(b)
	if err != nil || len(records) < t.W {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, tilePath(full), errBundle)
	}
	return joinBundle(nil, records[:t.W]), nil
}

// missing marks the absence of a tile as damage.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// errBundle is the error of a file of entries that cannot be split into them.
var errBundle = errors.New("the lengths of its entries do not add up")

// splitBundle returns the entries of a file of entries. Each has its length before it, in two
// bytes: 00 02 7B 7D is the entry {}.
func splitBundle(b []byte) ([][]byte, error) {
	var all [][]byte
	for len(b) > 0 {
		if len(b) < 2 {
			return all, errBundle
		}
		n := int(b[0])<<8 | int(b[1])
		if len(b) < 2+n {
			return all, errBundle
		}
		all = append(all, b[2:2+n])
		b = b[2+n:]
	}
	return all, nil
}

// joinBundle appends entries with their lengths.
func joinBundle(dst []byte, records [][]byte) []byte {
	for _, r := range records {
		dst = append(dst, byte(len(r)>>8), byte(len(r)))
		dst = append(dst, r...)
	}
	return dst
}
