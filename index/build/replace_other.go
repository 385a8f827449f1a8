//go:build !linux

package build

import (
	"errors"
	"io/fs"
	"os"
)

// openUnnamed returns an error: only linux has files without a name.
func openUnnamed(string, fs.FileMode) (*os.File, error) { return nil, errors.ErrUnsupported }

// linkUnnamed is never called, because openUnnamed fails.
func linkUnnamed(*os.File, string) (string, error) { return "", errors.ErrUnsupported }

// freeSpace returns false: the free space is not known.
func freeSpace(string) (free uint64, ok bool) { return 0, false }
