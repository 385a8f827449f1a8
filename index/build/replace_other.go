//go:build !linux

package build

import (
	"errors"
	"io/fs"
	"os"
)

// openUnnamed creates a file without a name in dir. This system cannot.
func openUnnamed(string, fs.FileMode) (*os.File, error) { return nil, errors.ErrUnsupported }

// linkUnnamed is never called where openUnnamed fails.
func linkUnnamed(*os.File, string) (string, error) { return "", errors.ErrUnsupported }

// freeSpace returns the bytes that are free in a folder; not ok: not known.
func freeSpace(string) (free uint64, ok bool) { return 0, false }
