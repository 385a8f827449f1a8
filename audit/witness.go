package audit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Request returns the body of the call add-checkpoint by which a witness is asked to sign the
// checkpoint of the log (C2SP tlog-witness). old is the size at which the witness knows the
// log: 0 if it does not know it, or the number in its answer 409.
func (l *Log) Request(old int64) ([]byte, error) {
	if old > l.tree.N {
		return nil, fmt.Errorf("%w: the witness has seen %d entries and the log has %d: it was cut, or continues from an old copy", ErrDamaged, old, l.tree.N)
	}
	body := fmt.Appendf(nil, "old %d\n", old)
	if old > 0 && old < l.tree.N {
		proof, err := tlog.ProveTree(l.tree.N, old, l.hashes)
		if err != nil {
			return nil, err
		}
		for _, h := range proof {
			body = fmt.Appendf(body, "%s\n", h)
		}
	}
	text, err := ReadCheckpoint(l.dir)
	return append(append(body, '\n'), text...), err
}

// AddSignature checks the answer of a witness, signature lines, and writes the one of this
// public key into the checkpoint.
func (l *Log) AddSignature(vkey string, answer []byte) (note.Signature, error) {
	var none note.Signature
	witness, err := NewVerifier(vkey)
	if err != nil {
		return none, err
	}
	text, err := ReadCheckpoint(l.dir)
	if err != nil {
		return none, err
	}
	body, lines, _ := strings.Cut(string(text), "\n\n")
	signed, err := note.Open([]byte(body+"\n\n"+string(answer)), note.VerifierList(witness))
	if err != nil {
		return none, fmt.Errorf("the answer of the witness has no valid signature of %s: %w", witness.Name(), err)
	}
	sig := signed.Sigs[0]
	kept := []string{}
	for line := range strings.Lines(lines) {
		if !strings.HasPrefix(line, "— "+witness.Name()+" ") || strings.HasPrefix(line, "— "+l.signer.Name()+" ") {
			kept = append(kept, line)
		}
	}
	kept = append(kept, fmt.Sprintf("— %s %s\n", sig.Name, sig.Base64))
	if err := l.addWitness(strings.TrimSpace(vkey)); err != nil {
		return none, err
	}
	if err := l.write(checkpointFile, []byte(body+"\n\n"+strings.Join(kept, ""))); err != nil {
		return none, err
	}
	return sig, syncFolder(l.dir)
}

// addWitness notes the public key of a witness, so that Verify checks its signature.
func (l *Log) addWitness(vkey string) error {
	known, err := readFile(l.dir, witnessFile)
	if err == nil && slices.Contains(strings.Split(string(known), "\n"), vkey) {
		return nil
	}
	if len(known) > 0 && !bytes.HasSuffix(known, []byte("\n")) {
		return errors.New(witnessFile + " does not end with a line feed")
	}
	return l.write(witnessFile, append(known, vkey+"\n"...))
}
