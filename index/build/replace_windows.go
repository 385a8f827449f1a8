package build

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

// rename renames a file and replaces another one, which no program may have open.
func rename(from, to string) error {
	err := os.Rename(from, to)
	if errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return fmt.Errorf("%w; Windows does not replace a file that is open: close the programs that use %q, or write to another name", err, to)
	}
	return err
}

// syncDir does nothing: Windows has no call for it, and NTFS logs its changes of
// folders.
func syncDir(string) error { return nil }

// newTempFile creates a file that no other program can open. The system deletes it when
// it is closed, even if the process is killed.
func newTempFile(dir string) (*os.File, error) {
	for {
		path := filepath.Join(dir, strings.Replace(cachePattern, "*", fmt.Sprint(rand.Uint32()), 1))
		name, err := windows.UTF16PtrFromString(path)
		if err != nil {
			return nil, err
		}
		h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.CREATE_NEW,
			windows.FILE_ATTRIBUTE_TEMPORARY|windows.FILE_FLAG_DELETE_ON_CLOSE, 0)
		if err == nil {
			return os.NewFile(uintptr(h), path), nil
		}
		if !errors.Is(err, windows.ERROR_FILE_EXISTS) {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
}
