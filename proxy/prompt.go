package proxy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"

	"github.com/dgraph-io/ristretto/v2"

	"noecho/detect"
	"noecho/proxy/wire"
)

// typicalMessage is the memory of a scanned message of usual length, in bytes. The number of
// counters in the cache depends on it.
const typicalMessage = 4 << 10

// promptCache keeps scanned prompt messages, because a chat sends its whole history with every
// turn. Its key is a hash of the text and of the index generation, under a secret of this
// process: if a caller could make two texts with one key, words would count as an echo that
// it never sent. Safe for concurrent use.
type promptCache struct {
	key    []byte
	hashes sync.Pool                                 // of hash.Hash under key
	store  *ristretto.Cache[string, *detect.Message] // nil: nothing is kept
}

// newPromptCache returns a cache of about size bytes. With 0 it keeps nothing.
func newPromptCache(size int64) (*promptCache, error) {
	c := &promptCache{key: make([]byte, 32)}
	if _, err := rand.Read(c.key); err != nil {
		return nil, fmt.Errorf("make key of the prompt cache: %w", err)
	}
	if size == 0 {
		return c, nil
	}
	store, err := ristretto.NewCache(&ristretto.Config[string, *detect.Message]{
		NumCounters: max(1000, 10*size/typicalMessage),
		MaxCost:     size,
		BufferItems: 64,
		KeyToHash: func(key string) (uint64, uint64) {
			return binary.LittleEndian.Uint64([]byte(key[:8])), binary.LittleEndian.Uint64([]byte(key[8:16]))
		},
	})
	if err != nil {
		return nil, fmt.Errorf("make prompt cache: %w", err)
	}
	c.store = store
	return c, nil
}

func (c *promptCache) close() {
	if c.store != nil {
		c.store.Close()
	}
}

// prompt scans the texts of a request, equal ones once. Once done is closed, it scans no
// more of them.
func (c *promptCache) prompt(snap *snapshot, r wire.Request, done <-chan struct{}) *detect.Prompt {
	p := &detect.Prompt{Tail: r.Tail, Suffix: r.Suffix, Messages: make([]*detect.Message, 0, len(r.Messages))}
	var seen map[string]*detect.Message
	if len(r.Messages) > 1 {
		seen = make(map[string]*detect.Message, len(r.Messages))
	}
	for _, text := range r.Messages {
		select {
		case <-done:
			return p
		default:
		}
		key := c.digest(snap.generation, text)
		m, ok := seen[key]
		if !ok {
			if m = c.message(snap, key, text); seen != nil {
				seen[key] = m
			}
		}
		p.Messages = append(p.Messages, m)
	}
	return p
}

// message returns the scanned message with the given key, from memory if it was seen
// before.
func (c *promptCache) message(snap *snapshot, key string, text []byte) *detect.Message {
	if c.store == nil {
		return detect.NewMessage(snap.indexes.Set, snap.indexes.Spec, text)
	}
	if m, ok := c.store.Get(key); ok {
		return m
	}
	m := detect.NewMessage(snap.indexes.Set, snap.indexes.Spec, text)
	c.store.Set(key, m, m.Cost()+int64(len(key)))
	return m
}

// digest returns 128 bits of HMAC-SHA256 over generation and text.
func (c *promptCache) digest(generation uint64, text []byte) string {
	h, ok := c.hashes.Get().(hash.Hash)
	if !ok {
		h = hmac.New(sha256.New, c.key)
	}
	var buf [sha256.BlockSize - 1]byte
	_, _ = h.Write(binary.LittleEndian.AppendUint64(buf[:0], generation)) // a hash never fails
	_, _ = h.Write(text)
	sum := string(h.Sum(nil)[:16])
	clear(buf[:])
	h.Reset()
	_, _ = h.Write(buf[:]) // over the end of the text, which the hash still has
	h.Reset()
	c.hashes.Put(h)
	return sum
}
