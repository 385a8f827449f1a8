package build

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// openUnnamed creates a file without a name in dir. Not every file system supports
// this.
func openUnnamed(dir string, mode fs.FileMode) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, uint32(mode.Perm()))
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// linkUnnamed gives the file a temporary name in the folder of path, so that it can be
// renamed to path. A link cannot replace an existing file.
func linkUnnamed(f *os.File, path string) (string, error) {
	from := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	for {
		name := strings.Replace(tempPattern(path), "*", fmt.Sprint(rand.Uint32()), 1)
		name = filepath.Join(filepath.Dir(path), name)
		err := unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
		if err == nil {
			return name, nil
		}
		if err != unix.EEXIST {
			return "", fmt.Errorf("name the new file: %w", err)
		}
	}
}

// freeSpace returns the number of free bytes in the file system of a folder. ok is
// false if it is not known.
func freeSpace(dir string) (free uint64, ok bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil || st.Bsize <= 0 {
		return 0, false
	}
	return st.Bavail * uint64(st.Bsize), true
}
