// Package key hashes grams, which are sequences of words, under a secret key. An index that
// is built with a key contains only such hashes, so that who has the index without the key
// cannot find out whether given words are in it.
//
// A secret is 32 random bytes. HKDF-SHA256 (RFC 5869) without a salt makes 64 bytes of it
// with the text "noecho-index-key-v1":
//
//	bytes 0 to 15    id, which the header of an index names
//	bytes 16 to 31   key of SipHash-2-4 for the lower half of a gram's hash
//	bytes 32 to 47   key of SipHash-2-4 for the upper half
//	bytes 48 to 63   key of HMAC-SHA256 for digests of inputs
//
// Both halves of the keyed hash are made of the lower half of the hash without a key, as 8
// bytes, little endian. So words are hashed once, however many keys there are.
//
// The package knows hashes and keys. It knows nothing of texts, files or indexes.
package key

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/dchest/siphash"
)

// IDLen is the number of bytes of an id.
const IDLen = 16

const (
	secretLen = 32
	derived   = "noecho-index-key-v1"
)

// Key is a secret key. All methods may be called on nil, which is no key. A Key is immutable
// and safe for concurrent use. Formatted, it is its id.
type Key struct {
	id     [IDLen]byte
	lo, hi half
	sum    [16]byte
}

// half is a key of SipHash-2-4.
type half struct{ k0, k1 uint64 }

// Generate returns the text of a new key file.
func Generate() ([]byte, error) {
	secret := make([]byte, secretLen)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "# key of noecho indexes, id %x: secret\n%x\n", derive(secret).id, secret), nil
}

// Parse reads the text of a key file: 64 hexadecimal digits on one line. Lines that begin
// with # are comments. No error quotes the text.
func Parse(text []byte) (*Key, error) {
	var digits []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			digits = append(digits, line)
		}
	}
	if len(digits) == 1 {
		if secret, err := hex.DecodeString(digits[0]); err == nil && len(secret) == secretLen {
			return derive(secret), nil
		}
	}
	return nil, errors.New("want one line of 64 hexadecimal digits, as noecho index newkey writes it")
}

// derive makes a key of a secret of 32 bytes.
func derive(secret []byte) *Key {
	b, err := hkdf.Key(sha256.New, secret, nil, derived, IDLen+3*16)
	if err != nil {
		panic("key: internal error: " + err.Error()) // the secret and the result have the right lengths
	}
	le := binary.LittleEndian
	return &Key{
		id:  [IDLen]byte(b),
		lo:  half{le.Uint64(b[16:]), le.Uint64(b[24:])},
		hi:  half{le.Uint64(b[32:]), le.Uint64(b[40:])},
		sum: [16]byte(b[48:]),
	}
}

// ID returns the id of the key. That of no key is zeros.
func (k *Key) ID() [IDLen]byte {
	if k == nil {
		return [IDLen]byte{}
	}
	return k.id
}

// Format implements fmt.Formatter: it writes the id, whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) {
	if k == nil {
		_, _ = io.WriteString(f, "no key")
		return
	}
	_, _ = io.WriteString(f, "key "+hex.EncodeToString(k.id[:]))
}

// hash returns the SipHash-2-4 of a number.
func (h half) hash(x uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], x)
	return siphash.Hash(h.k0, h.k1, b[:])
}

// Lo returns the lower half of the keyed hash of a gram, given the lower half of its hash.
// Without a key it is the same.
func (k *Key) Lo(lo uint64) uint64 {
	if k == nil {
		return lo
	}
	return k.lo.hash(lo)
}

// Hi returns the upper half of the keyed hash of a gram, given the halves of its hash. Without
// a key it is the same.
func (k *Key) Hi(hi, lo uint64) uint64 {
	if k == nil {
		return hi
	}
	return k.hi.hash(lo)
}

// Los replaces the lower halves of the hashes of grams by those of the keyed ones.
func (k *Key) Los(list []uint64) {
	if k == nil {
		return
	}
	for i, lo := range list {
		list[i] = k.lo.hash(lo)
	}
}

// Digest returns the HMAC-SHA256 of the digest of an input, from which nobody without the
// key can tell the input. Without a key it is the same.
func (k *Key) Digest(digest []byte) []byte {
	if k == nil {
		return digest
	}
	mac := hmac.New(sha256.New, k.sum[:])
	mac.Write(digest)
	return mac.Sum(nil)
}

// A MissingError says that an index was built with a key that was not given.
type MissingError struct{ ID [IDLen]byte }

func (e *MissingError) Error() string {
	return fmt.Sprintf("the index needs the key with the id %x, and its file was not given", e.ID)
}

// Find returns the key with an id. If there is none, the error is a [*MissingError]. An id of
// zeros is that of no key.
func Find(keys []*Key, id [IDLen]byte) (*Key, error) {
	if id == ([IDLen]byte{}) {
		return nil, nil
	}
	for _, k := range keys {
		if k != nil && k.id == id {
			return k, nil
		}
	}
	return nil, &MissingError{ID: id}
}
