package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// proofHead is the first line of a proof (C2SP tlog-proof).
const proofHead = "c2sp.org/tlog-proof@v1"

// Proof shows without the log that it has an entry.
type Proof struct {
	Entry      []byte
	Number     int64 // of the entry, from 0
	Path       tlog.RecordProof
	Checkpoint []byte
}

// Prove returns the proof that the log has entry number. It checks the tiles on the way to the
// root, and nothing else.
func Prove(dir string, number int64) (*Proof, error) {
	text, err := ReadCheckpoint(dir)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	body, _, _ := strings.Cut(string(text), "\n\n")
	_, tree, err := parseCheckpoint(body + "\n")
	if err != nil {
		return nil, fmt.Errorf("%w: checkpoint: %w", ErrDamaged, err)
	}
	if number < 0 || number >= tree.N {
		return nil, fmt.Errorf("no entry %d: the log has the entries 0 to %d", number, tree.N-1)
	}
	reader := tlog.TileHashReader(tree, tilesOf(dir))
	path, err := tlog.ProveRecord(tree.N, number, reader)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	p := &Proof{Number: number, Path: path, Checkpoint: text}
	t := tlog.Tile{H: tileHeight, L: dataLevel, N: number / tileWidth, W: int(min(tileWidth, tree.N-number/tileWidth*tileWidth))}
	bundle, err := tilesOf(dir).read(t)
	if err != nil {
		return nil, err
	}
	records, err := splitBundle(bundle)
	if err != nil || len(records) != t.W {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, tilePath(t), errBundle)
	}
	p.Entry = records[number%tileWidth]
	if err := tlog.CheckRecord(path, tree.N, tree.Hash, number, tlog.RecordHash(p.Entry)); err != nil {
		return nil, fmt.Errorf("%w: %s: entry %d is not the one that was logged", ErrDamaged, tilePath(t), number)
	}
	return p, nil
}

// Format returns the proof as a text, which contains the entry.
func (p *Proof) Format() []byte {
	out := fmt.Appendf(nil, "%s\nextra %s\nindex %d\n", proofHead, base64.StdEncoding.EncodeToString(p.Entry), p.Number)
	for _, h := range p.Path {
		out = fmt.Appendf(out, "%s\n", h)
	}
	return append(append(out, '\n'), p.Checkpoint...)
}

// maxProof is the number of hashes that a proof may have.
const maxProof = 63

// ParseProof reads a proof that Format wrote. It checks no signature.
func ParseProof(text []byte) (*Proof, error) {
	head, checkpoint, _ := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if len(lines) < 3 || len(lines) > 3+maxProof || lines[0] != proofHead {
		return nil, errors.New("not a proof: it must begin with the line " + proofHead)
	}
	extra, isExtra := strings.CutPrefix(lines[1], "extra ")
	entry, err := base64.StdEncoding.Strict().DecodeString(extra)
	if !isExtra || err != nil {
		return nil, errors.New("the second line of the proof does not contain its entry")
	}
	index, isIndex := strings.CutPrefix(lines[2], "index ")
	number, err := strconv.ParseInt(index, 10, 64)
	if !isIndex || err != nil || number < 0 || strconv.FormatInt(number, 10) != index {
		return nil, errors.New("the third line of the proof does not contain its number")
	}
	p := &Proof{Entry: entry, Number: number, Checkpoint: []byte(checkpoint)}
	for _, line := range lines[3:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return nil, fmt.Errorf("%q is not a hash", line)
		}
		p.Path = append(p.Path, h)
	}
	return p, nil
}

// Verify checks the signatures of the proof's checkpoint and that its tree has the entry. It
// returns the checkpoint and the signatures that it verified. An error matches [ErrDamaged].
func (p *Proof) Verify(log note.Verifier, witnesses ...note.Verifier) (Checkpoint, []note.Signature, error) {
	c, sigs, err := OpenCheckpoint(p.Checkpoint, log, witnesses...)
	if err != nil {
		return c, nil, err
	}
	if err := tlog.CheckRecord(p.Path, c.Tree.N, c.Tree.Hash, p.Number, tlog.RecordHash(p.Entry)); err != nil {
		return c, nil, fmt.Errorf("%w: the tree of the proof does not have the entry", ErrDamaged)
	}
	return c, sigs, nil
}
