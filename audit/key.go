package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// NewKey returns a new key pair for the log of this name, in the form of package note.
func NewKey(origin string) (secret, public string, err error) {
	secret, public, err = note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return "", "", fmt.Errorf("make a key for the log %q: %w", origin, err)
	}
	if _, err = note.NewSigner(secret); err != nil {
		return "", "", fmt.Errorf("the name %q of a log: want one without spaces and +, such as example.com/noecho", origin)
	}
	return secret, public, nil
}

// ReadKey reads the file of a log's secret key. No error quotes the file.
func ReadKey(path string) (note.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key of the audit log: %w", err)
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s is not the key of an audit log: name the file that noecho audit init wrote", path)
	}
	return signer, nil
}

// NewVerifier returns the verifier for a public key: that of a log, or that of a witness
// whose signatures are timestamped (C2SP tlog-cosignature) with Ed25519.
func NewVerifier(vkey string) (note.Verifier, error) {
	vkey = strings.TrimSpace(vkey)
	name, rest, _ := strings.Cut(vkey, "+")
	hash, key, _ := strings.Cut(rest, "+")
	id, err := strconv.ParseUint(hash, 16, 32)
	raw, decodeErr := base64.StdEncoding.DecodeString(key)
	switch {
	case err != nil || decodeErr != nil || len(hash) != 8 || len(raw) == 0:
		return nil, fmt.Errorf("%q is not a public key: want NAME+8 digits+base64", vkey)
	case raw[0] == keyMLDSA:
		return nil, fmt.Errorf("the key of %s is for ML-DSA-44, which is not read here: ask the witness for its Ed25519 key", name)
	case raw[0] != keyCosigner:
		v, err := note.NewVerifier(vkey)
		if err != nil {
			return nil, fmt.Errorf("the public key of %s: %w", name, err)
		}
		return v, nil
	case len(raw) != 1+ed25519.PublicKeySize || uint32(id) != keyHash(name, raw):
		return nil, fmt.Errorf("the public key of %s does not fit its digits: copy it again", name)
	}
	return &cosigner{name: name, hash: uint32(id), key: raw[1:]}, nil
}

// Types of keys in a public key's first byte.
const (
	keyCosigner = 0x04
	keyMLDSA    = 0x06
)

func keyHash(name string, key []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return binary.BigEndian.Uint32(sum[:])
}

// cosigner verifies the timestamped signatures of a witness.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

// Verify implements [note.Verifier]. A signature is 8 bytes of time and 64 of Ed25519.
func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	if at == 0 || at >= 1<<63 {
		return false
	}
	signed := fmt.Appendf(nil, "cosignature/v1\ntime %d\n", at)
	return ed25519.Verify(c.key, append(signed, msg...), sig[8:])
}

// CosignedAt returns the time in a verified signature by a witness.
func CosignedAt(sig note.Signature) (time.Time, error) {
	raw, err := base64.StdEncoding.DecodeString(sig.Base64)
	if err != nil || len(raw) != 4+8+ed25519.SignatureSize {
		return time.Time{}, errors.New("the signature has no time")
	}
	return time.Unix(int64(binary.BigEndian.Uint64(raw[4:])), 0).UTC(), nil
}

// sameSignatures reports whether the signature lines of a note are those of again, in any
// order: package note puts those that it verified first.
func sameSignatures(text, again []byte, n *note.Note) bool {
	if len(text) != len(again) {
		return false
	}
	for _, sig := range append(n.Sigs[:len(n.Sigs):len(n.Sigs)], n.UnverifiedSigs...) {
		raw, err := base64.StdEncoding.DecodeString(sig.Base64)
		line := "— " + sig.Name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
		if err != nil || !bytes.Contains(text, []byte(line)) {
			return false
		}
	}
	return true
}
