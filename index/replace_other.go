//go:build !linux

package index

import (
	"errors"
	"io/fs"
	"os"
)

// openUnnamed creates a file without a name in dir. This system cannot.
func openUnnamed(string, fs.FileMode) (*os.File, error) { return nil, errors.ErrUnsupported }

// linkUnnamed is never called where openUnnamed fails.
func linkUnnamed(*os.File, string) (string, error) { return "", errors.ErrUnsupported }
