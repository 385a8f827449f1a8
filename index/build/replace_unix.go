//go:build !windows

package build

import "os"

// rename renames a file and replaces another one.
func rename(from, to string) error { return os.Rename(from, to) }

// syncDir makes the entries of a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// newTempFile creates a file of mode 0600 without a name. It disappears when it is
// closed.
func newTempFile(dir string) (*os.File, error) {
	const mode = 0o600
	f, err := openUnnamed(dir, mode)
	if err == nil {
		return f, nil
	}
	if f, err = os.CreateTemp(dir, cachePattern); err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
