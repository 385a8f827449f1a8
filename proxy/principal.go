package proxy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
)

// Bounds of the file with the key of principals, in bytes. A principal is the name of a
// credential: a hash of it under that key.
const (
	minPrincipalKey = 32
	maxPrincipalKey = 4096
)

// readPrincipalKey reads the key of principals.
func readPrincipalKey(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("read principal_key_file: %w", err)
	}
	if size := info.Size(); size < minPrincipalKey || size > maxPrincipalKey {
		return nil, fmt.Errorf("principal_key_file %s: want a secret of %d to %d bytes, such as head -c 32 /dev/urandom makes", name, minPrincipalKey, maxPrincipalKey)
	}
	key, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read principal_key_file: %w", err)
	}
	return key, nil
}

// keyedHex returns 16 hexadecimal digits of HMAC-SHA256.
func keyedHex(key, text []byte) string {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(text)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Principal returns the name of a credential, the value of a header, under the key in a file.
func Principal(keyFile string, credential []byte) (string, error) {
	key, err := readPrincipalKey(keyFile)
	if err != nil {
		return "", err
	}
	return keyedHex(key, credential), nil
}
