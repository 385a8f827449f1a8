package main

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"noecho/index/key"
	"noecho/internal/gram"
	"noecho/ngram"
)

// An erase set has the windows of the rows of a request, all of them, also those that other rows
// share, and the seeds: five words in a row, by which an index names records. erase purge asks the
// next index for each; an index itself cannot be listed. A line of JSON, then 16 bytes a window,
// ascending: the halves of its hash, little endian; then the seeds in the same way. With a key of the
// suppression index they are encrypted under it, AES-256-GCM with a nonce before and the line as
// additional data, so that the set answers no guesses; and they can still be asked of an index that
// has another key.

// eraseSet is the line of an erase set.
type eraseSet struct {
	Set     string `json:"set"` // noecho erase set
	V       int    `json:"v"`
	Request string `json:"request"`
	N       int    `json:"n"`
	Norm    int    `json:"norm"`
	Windows int    `json:"windows"`       // their number; the rest are seeds
	Key     string `json:"key,omitempty"` // id; empty: not encrypted

	windows, seeds []ngram.Hash
}

const eraseSetName = "noecho erase set"

// add adds a text, given the hashes of its words.
func (s *eraseSet) add(words []uint64) {
	sums := make([]uint64, 1, len(words)+1)
	for _, w := range words {
		sums = append(sums, ngram.Roll(sums[len(sums)-1], w))
	}
	for i := range words {
		if end := i + s.N; end <= len(words) {
			s.windows = append(s.windows, ngram.Gram(sums[i], sums[end], s.N))
		}
		if end := i + gram.SeedWords; end <= len(words) {
			s.seeds = append(s.seeds, ngram.Gram(sums[i], sums[end], gram.SeedWords))
		}
	}
}

// ascending sorts hashes and leaves out repeated ones.
func ascending(list []ngram.Hash) []ngram.Hash {
	slices.SortFunc(list, func(a, b ngram.Hash) int { return cmp.Or(cmp.Compare(a.Hi, b.Hi), cmp.Compare(a.Lo, b.Lo)) })
	return slices.Compact(list)
}

// seal returns the text of the set.
func (s *eraseSet) seal(k *key.Key) ([]byte, error) {
	s.windows, s.seeds = ascending(s.windows), ascending(s.seeds)
	s.Set, s.V, s.Norm, s.Windows = eraseSetName, 1, ngram.NormVersion, len(s.windows)
	if k != nil {
		id := k.ID()
		s.Key = hex.EncodeToString(id[:])
	}
	line, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	line = append(line, '\n')
	var b []byte
	for _, h := range slices.Concat(s.windows, s.seeds) {
		b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, h.Hi), h.Lo)
	}
	if k == nil {
		return append(line, b...), nil
	}
	gcm, err := setCipher(k)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return gcm.Seal(append(bytes.Clone(line), nonce...), nonce, b, line), nil
}

// setCipher returns the cipher of sets under a key.
func setCipher(k *key.Key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.Digest([]byte(eraseSetName)))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// readEraseSet reads the set of a request.
func readEraseSet(path, request string, keys []*key.Key) (*eraseSet, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the erase set: %w", err)
	}
	s, err := openEraseSet(text, request, keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func openEraseSet(text []byte, request string, keys []*key.Key) (*eraseSet, error) {
	damaged := &exitError{Code: exitIntegrity, Err: errors.New("the erase set is damaged: run erase suppress again, or restore the ledger")}
	line, b, _ := bytes.Cut(text, []byte("\n"))
	s := new(eraseSet)
	if json.Unmarshal(line, s) != nil || s.Set != eraseSetName || s.V != 1 || s.Request != request {
		return nil, damaged
	}
	if s.Key != "" {
		k := keyOf(keys, s.Key)
		if k == nil {
			return nil, usageError("the erase set needs the key of the suppression index, id %s: name it with --key-file", s.Key)
		}
		gcm, err := setCipher(k)
		if err != nil {
			return nil, err
		}
		if len(b) < gcm.NonceSize() {
			return nil, damaged
		}
		if b, err = gcm.Open(nil, b[:gcm.NonceSize()], b[gcm.NonceSize():], text[:len(line)+1]); err != nil {
			return nil, damaged
		}
	}
	var all []ngram.Hash
	for ; len(b) >= 16; b = b[16:] {
		all = append(all, ngram.Hash{Hi: binary.LittleEndian.Uint64(b), Lo: binary.LittleEndian.Uint64(b[8:])})
	}
	if len(b) > 0 || s.Windows < 0 || s.Windows > len(all) {
		return nil, damaged
	}
	s.windows, s.seeds = all[:s.Windows:s.Windows], all[s.Windows:]
	return s, nil
}
