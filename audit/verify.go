package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// VerifyOptions are the options of [Verify].
type VerifyOptions struct {
	Key       string   // public key of the log; empty: the one in its folder, which proves less
	Witnesses []string // public keys of witnesses, each of which must have signed
	Since     []byte   // an older checkpoint, from which the log must have grown; nil: none

	// Entry is called for every entry that the log vouches for, in order; nil: none is.
	Entry func(number int64, record []byte) error
}

// Report is the result of [Verify].
type Report struct {
	Origin    string            `json:"log"`
	Size      int64             `json:"entries"`
	Root      string            `json:"root"`
	Types     map[string]int64  `json:"types"`    // entries of each type
	Cosigned  map[string]string `json:"cosigned"` // when each known witness signed the checkpoint
	Unknown   int               `json:"unknown"`  // signatures of keys that are not known
	Left      []string          `json:"left"`     // files behind the end of the tree, of an append that did not end
	Pinned    bool              `json:"pinned"`   // the key was given by the caller
	Problems  []string          `json:"problems"` // each names the file; empty: the log is whole
	SinceSize int64             `json:"since_size,omitempty"`
}

func (r *Report) say(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// Verify checks every byte of a log: the signatures of its checkpoint, and that entries and
// tiles are those of the signed root. It needs 64 bytes of memory for each entry. The error is
// nil if the log could be read, whatever the report says of it.
func Verify(dir string, o VerifyOptions) (*Report, error) {
	r := &Report{Types: map[string]int64{}, Cosigned: map[string]string{}, Left: []string{}, Problems: []string{}, Pinned: o.Key != ""}
	key, witnesses, err := r.keys(dir, &o)
	if err != nil {
		return nil, err
	}
	if key == nil {
		return r, nil
	}
	text, err := readFile(dir, checkpointFile)
	if errors.Is(err, fs.ErrNotExist) {
		r.say("%s: the file is missing", checkpointFile)
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("verify the audit log: %w", err)
	}
	c, sigs, err := OpenCheckpoint(text, key, witnesses...)
	if err != nil {
		r.say("%s", strings.TrimPrefix(err.Error(), ErrDamaged.Error()+": "))
		return r, nil
	}
	r.Origin, r.Size, r.Root = c.Origin, c.Tree.N, c.Tree.Hash.String()
	r.Unknown = bytes.Count(text, []byte("\n— ")) - len(sigs)
	if err := r.cosigned(sigs, key, o.Witnesses); err != nil {
		return nil, err
	}
	v := &verification{dir: dir, report: r, tree: c.Tree}
	if err := v.entries(o.Entry); err != nil {
		return nil, err
	}
	if err := v.tiles(); err != nil {
		return nil, err
	}
	if o.Since != nil {
		v.since(o.Since, key)
	}
	return r, nil
}

// keys returns the verifiers of the log and of all witnesses that are known: given ones, and
// those that the folder names. The one of the log is nil if the folder has a wrong key.
func (r *Report) keys(dir string, o *VerifyOptions) (key note.Verifier, witnesses []note.Verifier, err error) {
	text := []byte(o.Key)
	if o.Key == "" {
		if text, err = readFile(dir, keyFile); err != nil {
			return nil, nil, fmt.Errorf("verify the audit log: %w", err)
		}
	}
	if key, err = NewVerifier(string(text)); err != nil && o.Key == "" {
		r.say("%s: %v", keyFile, err)
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	known := slices.Clone(o.Witnesses)
	if text, err = readFile(dir, witnessFile); err == nil {
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); !slices.Contains(known, line) {
				known = append(known, line)
			}
		}
	}
	for i, vkey := range known {
		w, err := NewVerifier(vkey)
		switch {
		case err == nil:
			witnesses = append(witnesses, w)
		case i < len(o.Witnesses):
			return nil, nil, err
		default:
			r.say("%s: %v", witnessFile, err)
		}
	}
	return key, witnesses, nil
}

// cosigned notes which witnesses signed, and names the wanted ones that did not.
func (r *Report) cosigned(sigs []note.Signature, key note.Verifier, wanted []string) error {
	for _, sig := range sigs {
		if sig.Name == key.Name() && sig.Hash == key.KeyHash() {
			continue
		}
		at, err := CosignedAt(sig)
		if err != nil {
			return fmt.Errorf("the signature of %s: %w", sig.Name, err)
		}
		r.Cosigned[sig.Name] = at.Format(time.RFC3339)
	}
	for _, vkey := range wanted {
		name, _, _ := strings.Cut(vkey, "+")
		if r.Cosigned[name] == "" {
			r.say("checkpoint: the witness %s has not signed it", name)
		}
	}
	return nil
}

// verification is one run of Verify, once the checkpoint is known to be signed.
type verification struct {
	dir    string
	report *Report
	tree   tlog.Tree
	hashes hashList // computed from the entries
	wrong  bool     // the entries are not those of the root, so that hashes show nothing
}

// hashList are all hashes of a tree, in the order of package tlog.
type hashList []tlog.Hash

// ReadHashes implements [tlog.HashReader].
func (h hashList) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x >= int64(len(h)) {
			return nil, errors.New("the log is shorter")
		}
		out[i] = h[x]
	}
	return out, nil
}

// level returns the tiles of a level that a tree of this size has.
func (v *verification) level(level int) (tiles []tlog.Tile) {
	for _, t := range tlog.NewTiles(tileHeight, 0, v.tree.N) {
		if t.L == max(level, 0) {
			t.L = level
			tiles = append(tiles, t)
		}
	}
	return tiles
}

// entries hashes all entries. If their root is not the signed one, it names the entries whose
// hash is not the one in the tiles.
func (v *verification) entries(each func(int64, []byte) error) error {
	number := int64(0)
	var later []func()
	for _, t := range v.level(dataLevel) {
		name := tilePath(t)
		b, err := tilesOf(v.dir).read(t)
		if errors.Is(err, ErrDamaged) {
			v.report.say("%s: the file is missing or cut", name)
			v.wrong = true
			return nil
		}
		if err != nil {
			return err
		}
		records, err := splitBundle(b)
		if err != nil || len(records) != t.W {
			v.report.say("%s: it has %d entries that can be read, not %d", name, len(records), t.W)
			v.wrong = true
			return nil
		}
		leaves := t
		leaves.L = 0
		want, _ := tilesOf(v.dir).read(leaves)
		for i, record := range records {
			more, err := tlog.StoredHashes(number, record, v.hashes)
			if err != nil {
				return err
			}
			if at := i * tlog.HashSize; len(want) >= at+tlog.HashSize && !bytes.Equal(want[at:at+tlog.HashSize], more[0][:]) {
				later = append(later, func() { v.report.say("%s: entry %d is not the one that was logged", name, t.N*tileWidth+int64(i)) })
			}
			v.hashes = append(v.hashes, more...)
			v.count(record)
			if each != nil {
				if err := each(number, record); err != nil {
					return err
				}
			}
			number++
		}
	}
	root, err := tlog.TreeHash(v.tree.N, v.hashes)
	if err != nil {
		return err
	}
	if root == v.tree.Hash {
		return nil
	}
	for _, say := range later[:min(len(later), 10)] {
		say()
	}
	if len(later) == 0 {
		v.report.say("tile/entries: the entries are not those of the signed root")
	}
	v.wrong = true
	return nil
}

// count notes the type of an entry.
func (v *verification) count(record []byte) {
	var e struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(record, &e) != nil || e.Type == "" {
		e.Type = "other"
	}
	v.report.Types[e.Type]++
}

// tiles compares every file below tile with the one that the entries give. A narrow file of a
// smaller tree must be the beginning of it.
func (v *verification) tiles() error {
	if v.wrong {
		return nil // there is nothing to compare with
	}
	wanted := map[string][]byte{}
	for _, t := range tlog.NewTiles(tileHeight, 0, v.tree.N) {
		if _, err := tilesOf(v.dir).ReadTiles([]tlog.Tile{t}); err != nil {
			v.report.say("%s: the file is missing or cut", tilePath(t))
		}
	}
	top := filepath.Join(v.dir, "tile")
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
			return nil // an append has removed it meanwhile
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(v.dir, path)
		if err != nil {
			return err
		}
		return v.tile(filepath.ToSlash(rel), wanted)
	})
	slices.Sort(v.report.Left)
	return err
}

// tile checks one file. wanted keeps the contents of the full tile that was compared last, for
// the narrow ones that are next to it.
func (v *verification) tile(name string, wanted map[string][]byte) error {
	t, err := parseTilePath(name)
	if err != nil {
		v.report.say("%s: not a file of the log", name)
		return nil
	}
	count := v.tree.N
	if t.L > 0 {
		count >>= tileHeight * t.L
	}
	if t.N*tileWidth+int64(t.W) > count {
		v.report.Left = append(v.report.Left, name)
		return nil
	}
	got, err := readFile(v.dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an append has removed it meanwhile
	}
	if err != nil {
		return err
	}
	if t.L == dataLevel {
		return v.bundle(name, t, got)
	}
	wide := t
	wide.W = int(min(tileWidth, count-t.N*tileWidth))
	want, ok := wanted[tilePath(wide)]
	if !ok {
		clear(wanted)
		if want, err = tlog.ReadTileData(wide, v.hashes); err != nil {
			return err
		}
		wanted[tilePath(wide)] = want
	}
	if want = want[:t.W*tlog.HashSize]; !bytes.Equal(got, want) {
		v.report.say("%s: byte %d is not the one that was written", name, firstDifference(got, want))
	}
	return nil
}

// bundle checks a file of entries by their hashes.
func (v *verification) bundle(name string, t tlog.Tile, got []byte) error {
	records, err := splitBundle(got)
	if err != nil || len(records) != t.W {
		v.report.say("%s: it has %d entries that can be read, not %d", name, len(records), t.W)
		return nil
	}
	for i, record := range records {
		number := t.N*tileWidth + int64(i)
		if tlog.RecordHash(record) != v.hashes[tlog.StoredHashIndex(0, number)] {
			v.report.say("%s: entry %d is not the one that was logged", name, number)
			return nil
		}
	}
	return nil
}

// since checks that the log has grown from an older checkpoint.
func (v *verification) since(text []byte, key note.Verifier) {
	old, _, err := OpenCheckpoint(text, key)
	if err != nil {
		v.report.say("the older checkpoint: %s", strings.TrimPrefix(err.Error(), ErrDamaged.Error()+": checkpoint: "))
		return
	}
	v.report.SinceSize = old.Tree.N
	if old.Tree.N > v.tree.N {
		v.report.say("the log was cut: it has %d entries, and the older checkpoint says %d", v.tree.N, old.Tree.N)
		return
	}
	if v.wrong {
		return
	}
	root, err := tlog.TreeHash(old.Tree.N, v.hashes)
	if err != nil || root != old.Tree.Hash {
		v.report.say("the log was rewritten: its first %d entries are not those of the older checkpoint", old.Tree.N)
	}
}

// parseTilePath is the inverse of tilePath.
func parseTilePath(name string) (tlog.Tile, error) {
	rest := strings.TrimPrefix(name, "tile/")
	if after, ok := strings.CutPrefix(rest, "entries/"); ok {
		rest = "data/" + after
	}
	t, err := tlog.ParseTilePath("tile/8/" + rest)
	if err == nil && tilePath(t) != name {
		err = errors.New("another spelling of the name")
	}
	return t, err
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// Entries calls each for all entries.
func (l *Log) Entries(each func(number int64, record []byte) error) error {
	v := &verification{dir: l.dir, tree: l.tree}
	for _, t := range v.level(dataLevel) {
		b, err := tilesOf(l.dir).read(t)
		if err != nil {
			return err
		}
		records, err := splitBundle(b)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, tilePath(t), err)
		}
		for i, record := range records {
			if err := each(t.N*tileWidth+int64(i), record); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReadCheckpoint reads the checkpoint of a log without checking its signatures.
func ReadCheckpoint(dir string) ([]byte, error) {
	return os.ReadFile(filepath.Join(dir, checkpointFile))
}
