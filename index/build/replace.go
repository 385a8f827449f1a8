package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// newFileMode is the mode of a new file before the umask is applied. It is restrictive,
// because anyone with a copy of an index can test whether a text is in it.
const newFileMode = 0o640

// pending is a file that replaces another one completely or not at all. On systems that
// support it the file has no name until then, so that a killed process leaves nothing
// behind. (google/renameio names its file from the start and does not sync the folder.)
type pending struct {
	*os.File
	path string
	name string // current name of the file; empty: it has none
}

// errNoName is the error for a build or a merge without Out.
var errNoName = errors.New("write index: the name of the new file is empty")

// newPending creates the file that will replace the one at path. If mode is 0, the file
// gets the mode of the one that it replaces, or newFileMode less the umask. Any other
// mode is set as it is.
func newPending(path string, mode fs.FileMode) (*pending, error) {
	if path == "" {
		return nil, errNoName
	}
	exact := mode != 0
	st, err := os.Stat(path)
	switch {
	case err == nil && !st.Mode().IsRegular():
		return nil, fmt.Errorf("write %q: it exists and is not a regular file: choose another name", path)
	case exact:
	case err == nil:
		mode, exact = st.Mode().Perm(), true
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("write index: %w", err)
	default:
		mode = newFileMode
	}
	p := &pending{path: path}
	dir := filepath.Dir(path)
	if p.File, err = openUnnamed(dir, mode); err != nil {
		switch p.File, err = os.CreateTemp(dir, tempPattern(path)); {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("write %q: no such folder as %q: create it first", path, dir)
		case errors.Is(err, fs.ErrPermission):
			return nil, fmt.Errorf("write %q: this user may not create files in the folder %q: choose another", path, dir)
		case err != nil:
			return nil, fmt.Errorf("write %q: %w", path, err)
		}
		p.name = p.Name()
	}
	if exact {
		if err := p.Chmod(mode); err != nil {
			p.abort()
			return nil, fmt.Errorf("write index: %w", err)
		}
	}
	return p, nil
}

// tempPattern is the pattern of the names of incomplete files.
func tempPattern(path string) string { return "." + filepath.Base(path) + ".*.tmp" }

// commit syncs the file and moves it to its path. It closes the file, even if there is
// an error.
func (p *pending) commit() (err error) {
	defer func() {
		if err != nil {
			p.abort()
			err = fmt.Errorf("write index: %w", err)
		}
	}()
	if err := p.Sync(); err != nil {
		return err
	}
	if p.name == "" {
		if p.name, err = linkUnnamed(p.File, p.path); err != nil {
			return err
		}
	}
	// Windows renames only closed files.
	if err := p.Close(); err != nil {
		return err
	}
	if err := rename(p.name, p.path); err != nil {
		return err
	}
	p.name = ""
	return syncDir(filepath.Dir(p.path))
}

// abort removes the file unless it was committed. It may follow commit.
func (p *pending) abort() {
	p.Close()
	if p.name != "" {
		os.Remove(p.name)
		p.name = ""
	}
}
