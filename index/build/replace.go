package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// newFileMode is the mode of a file that replaces none, before the umask: who
// holds an index can test whether a text is in it.
const newFileMode = 0o640

// pending is a file that will take the place of another at once or not at all.
// Where the system can, it has no name until then, so that a process that is
// killed leaves nothing behind. (google/renameio names its file from the start
// and does not sync the folder.)
type pending struct {
	*os.File
	path string
	name string // of the file as it is; empty: it has none
}

// newPending creates the file that will stand at path.
func newPending(path string) (*pending, error) {
	mode := fs.FileMode(newFileMode)
	st, err := os.Stat(path)
	switch {
	case err == nil && !st.Mode().IsRegular():
		return nil, fmt.Errorf("write index: %q is there and is no file", path)
	case err == nil:
		mode = st.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("write index: %w", err)
	}
	p := &pending{path: path}
	dir := filepath.Dir(path)
	if p.File, err = openUnnamed(dir, mode); err != nil {
		if p.File, err = os.CreateTemp(dir, tempPattern(path)); err != nil {
			return nil, fmt.Errorf("write index: %w", err)
		}
		p.name = p.Name()
	}
	if st != nil {
		if err := p.Chmod(mode); err != nil {
			p.abort()
			return nil, fmt.Errorf("write index: %w", err)
		}
	}
	return p, nil
}

// tempPattern is the name of a file that is not complete.
func tempPattern(path string) string { return "." + filepath.Base(path) + ".*.tmp" }

// commit makes the file durable and puts it in its place. The pending file is
// closed, also if there is an error.
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

// abort leaves things as they were. It may follow commit.
func (p *pending) abort() {
	p.Close()
	if p.name != "" {
		os.Remove(p.name)
		p.name = ""
	}
}
