package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"github.com/spf13/cobra"

	"noecho/index/key"
)

// keyFiles are the names of files, each with a key that an index was built with.
type keyFiles []string

// keyFileHelp is the help of the flag that names them.
const keyFileHelp = "`FILE` with the key that an index was built with; may be repeated (NOECHO_KEY_FILE)"

func (k *keyFiles) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar((*[]string)(k), "key-file", nil, keyFileHelp)
}

// read reads the keys. Without the flag the files are those of NOECHO_KEY_FILE, a list as
// PATH is one.
func (k keyFiles) read(a *app) ([]*key.Key, error) {
	if len(k) == 0 {
		k = filepath.SplitList(a.getenv("NOECHO_KEY_FILE"))
	}
	return readKeys(k)
}

func readKeys(paths []string) (keys []*key.Key, err error) {
	for _, path := range paths {
		one, err := readKey(path)
		if err != nil {
			return nil, err
		}
		keys = append(keys, one)
	}
	return keys, nil
}

// secretDigits looks like a key itself.
var secretDigits = regexp.MustCompile(`^[0-9a-fA-F]{32,}$`)

// readKey reads a file with a key of indexes. No error quotes the file.
func readKey(path string) (*key.Key, error) {
	text, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	k, err := key.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s is no key: %w", path, err)
	}
	return k, nil
}

// readSecret reads a small file that other users must not be able to read.
func readSecret(path string) ([]byte, error) {
	if secretDigits.MatchString(path) {
		return nil, usageError("the flag of a key names a file, and the value looks like a key: other users may have seen it, so make a new one")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	// Kubernetes shows a secret with mode 0440 to the group of a pod, and cannot show it otherwise.
	if mode := st.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 && mode != 0o440 {
		return nil, fmt.Errorf("the key %s has mode %04o, so that others may read it: chmod 600 %s", path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxStatement))
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	return text, nil
}

// keyOf returns the key with an id in hex, nil if there is none.
func keyOf(keys []*key.Key, id string) *key.Key {
	for _, k := range keys {
		if own := k.ID(); hex.EncodeToString(own[:]) == id {
			return k
		}
	}
	return nil
}

// keyError adds the remedy to the error of an index whose key is missing.
func keyError(err error, keys []*key.Key) error {
	var missing *key.MissingError
	if !errors.As(err, &missing) {
		return err
	}
	given := ""
	if len(keys) > 0 {
		given = fmt.Sprintf(", given: %v", keys)
	}
	return fmt.Errorf("%w: name it with --key-file, NOECHO_KEY_FILE or, in a configuration, key_file%s", err, given)
}

func newIndexNewKeyCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "newkey FILE",
		Short: "Make a key to build indexes with",
		Long: `Write a new secret key to FILE, which only this user can read. An index that is built
with the key contains no hash that can be guessed without it. Everybody who uses the
index needs the key, and nobody else should have it: docs/keys.md tells how to keep,
rotate and lose one. The id of the key is no secret; noecho index info prints it for an
index.`,
		Example: "  noecho index newkey index.key\n  noecho index build --out support.nidx --key-file index.key tickets/",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError("name the file to write")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := key.Generate()
			if err != nil {
				return err
			}
			k, err := key.Parse(text)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return fmt.Errorf("write the key: %w", err)
			}
			_, err = f.Write(text)
			if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
				return fmt.Errorf("write the key: %w", err)
			}
			_, err = fmt.Fprintf(a.stdout, "%s: %v\n", args[0], k)
			return err
		},
	}
}
